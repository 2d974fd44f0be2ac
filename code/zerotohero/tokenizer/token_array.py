"""Chunks of tokens in one array, in which a pair is merged at all its places at once.

In a list, what follows a merge would have to move. Here nothing moves. A token stays on the
cells of its bytes, and its id is written on the first and on the last of them. For the text
``ababc``, with a separator on either side::

    at first                      |   97   98   97   98   99    |
    97, 98 have become 256        |  256  256  256  256   99    |
    256, 256 have become 257      |  257    -    -  257   99    |

The token after the one that starts at cell p starts at p plus its length. The token before it
ends at p - 1, and its id says where it starts. So nothing is searched for, and a merge writes
to a few cells only.

Memory allocators find free neighbors in the same way, by boundary tags: Knuth, *The Art of
Computer Programming*, volume 1, section 2.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .naive import Pair

Cells = NDArray[np.signedinteger[Any]]

SEPARATOR, INSIDE = -1, -2
PART = 2**18  # cells that are worked on at a time: it bounds the memory


class Chunks(NamedTuple):
    """Different chunks, in the order in which they first occur.

    Attributes
    ----------
    data : bytes
        The chunks, one after another; none is empty.
    sizes, counts : array of int64, shape (number of chunks,)
        Bytes of each chunk, and how often it occurs.
    """

    data: bytes
    sizes: NDArray[np.int64]
    counts: NDArray[np.int64]


class Groups(NamedTuple):
    """Cells, sorted by the pair that starts there, and in ascending order for each pair.

    Attributes
    ----------
    keys : array of int64, shape (number of pairs,)
        Each pair as one number: left id times ``num_ids``, plus right id.
    counts : array of int64, shape (number of pairs,)
        How often each occurs in the text, where a chunk may occur many times.
    starts : array of int64, shape (number of pairs,)
        Where in ``cells`` the places of each pair begin.
    cells : array, shape (number of cells,)
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]
    cells: Cells


class TokenArray:
    """Chunks of tokens; at first, every byte is a token.

    Parameters
    ----------
    chunks : Chunks
    num_ids : int
        All ids, also those that merges will make, are below this.

    Attributes
    ----------
    ids : array of int32, shape (len(chunks.data) + number of chunks + 1,)
        The cells: ids, a separator before, between and after the chunks, and marks inside of
        tokens.
    starts : array of bool, same shape
        Whether a token starts on the cell.
    weights : array of int, same shape
        How often the chunk of each cell occurs.
    length : array of int32, shape (num_ids,)
        Bytes of each token; 0 for a token that has not been made yet.
    """

    def __init__(self, chunks: Chunks, num_ids: int) -> None:
        data, sizes, counts = chunks
        self.num_ids = num_ids
        self.length = np.zeros(num_ids, dtype=np.int32)
        self.length[:256] = 1
        self.ids = np.zeros(len(data) + len(sizes) + 1, dtype=np.int32)
        self.ids[0] = self.ids[np.cumsum(sizes + 1)] = SEPARATOR
        self.ids[self.ids == 0] = np.frombuffer(data, dtype=np.uint8)
        self.starts = self.ids >= 0
        # Where 32 bits are enough, they need half the memory.
        self.cell_type = np.int32 if len(self.ids) < 2**31 else np.int64
        counts = counts.astype(np.int32 if counts.sum() < 2**31 else np.int64)
        if len(counts) == 1:
            self.weights = np.broadcast_to(counts, self.ids.shape)  # one number, for all cells
        else:
            self.weights = np.append(np.repeat(counts, sizes + 1), counts[-1:])

    def group_all(self) -> Groups:
        """Sort the starts of all tokens by the pair that starts there."""
        return _join(
            self._group_part((begin + np.flatnonzero(part)).astype(self.cell_type))
            for begin, part in zip(range(0, len(self.ids), PART), _parts(self.starts))
        )

    def group(self, cells: Cells) -> Groups:
        """Sort starts of tokens by the pair that starts there; where none does, leave them out."""
        return _join(self._group_part(part) for part in _parts(cells))

    def _group_part(self, cells: Cells) -> Groups:
        left = self.ids[cells]
        right = self.ids[cells + self.length[left]]
        cells, left, right = cells[right >= 0], left[right >= 0], right[right >= 0]
        keys = left.astype(np.int64) * self.num_ids + right
        order = np.argsort(keys, kind="stable")
        keys, cells = keys[order], cells[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.add.reduceat(self.weights[cells], starts, dtype=np.int64)
        return Groups(keys[starts], counts, starts, cells)

    def find(self, pair: Pair, cells: Cells) -> tuple[Cells, int]:
        """Return those of the cells at which the pair still starts, and how often it occurs."""
        left, right = pair
        found, count = [], 0
        for part in _parts(cells):
            there = (self.ids[part] == left) & (self.ids[part + self.length[left]] == right)
            found.append(part[there])
            count += int(self.weights[found[-1]].sum())
        return found[0] if len(found) == 1 else np.concatenate(found), count

    def merge(self, pair: Pair, cells: Cells, idx: int) -> Cells:
        """Make token ``idx`` of the pair at all its places.

        Parameters
        ----------
        pair : (int, int)
        cells : array
            Where it starts, in ascending order. Of places that overlap, the first is merged.
        idx : int
            The new id, which must not have been used before.

        Returns
        -------
        array
            The cells at which a pair with the new token starts, ascending for each pair.
        """
        left, right = pair
        size = int(self.length[left] + self.length[right])
        self.length[idx] = size
        merged = []
        for number, part in enumerate(_parts(cells)):
            if left == right:
                # What the part before has merged reaches into this part.
                part = _without_overlaps(self.find(pair, part)[0] if number else part, size // 2)
            self.ids[part + self.length[left]] = INSIDE
            self.starts[part + self.length[left]] = False
            self.ids[part] = idx
            self.ids[part + (size - 1)] = idx
            merged.append(part)
        changed = []
        for part in merged:
            before = self.ids[part - 1]
            # Where two new tokens meet, the pair is that of the first one.
            other = (before >= 0) & (before != idx)
            changed += [part[other] - self.length[before[other]], part]
        return np.concatenate(changed)

    def tokens(self) -> list[int]:
        """List the ids of all chunks."""
        ids, length = self.ids.tolist(), self.length.tolist()
        found = []
        cell = 1
        while cell < len(ids):
            if ids[cell] == SEPARATOR:
                cell += 1
            else:
                found.append(ids[cell])
                cell += length[ids[cell]]
        return found


def _parts(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Cut into parts; at least one, which may be empty."""
    for start in range(0, max(len(array), 1), PART):
        yield array[start : start + PART]


def _without_overlaps(cells: Cells, distance: int) -> Cells:
    """Keep the first, third, ... of cells that follow each other at ``distance``."""
    index = np.arange(len(cells))
    begins = np.diff(cells, prepend=-distance - 1) != distance  # a run of such cells
    begin = np.maximum.accumulate(np.where(begins, index, 0))
    kept: Cells = cells[(index - begin) % 2 == 0]
    return kept


def _join(parts: Iterable[Groups]) -> Groups:
    """Put the groups of several parts together."""
    groups = list(parts)
    if len(groups) == 1:
        return groups[0]
    keys = np.unique(np.concatenate([part.keys for part in groups]))
    counts, size = np.zeros((2, len(keys)), dtype=np.int64)
    for part in groups:
        row = np.searchsorted(keys, part.keys)
        counts[row] += part.counts
        size[row] += np.diff(part.starts, append=len(part.cells))
    starts = np.cumsum(size) - size
    cells = np.empty(size.sum(), dtype=groups[0].cells.dtype)
    free = starts.copy()  # the next free place of each pair
    for part in groups:
        row = np.searchsorted(keys, part.keys)
        size = np.diff(part.starts, append=len(part.cells))
        shift = np.repeat(free[row] - part.starts, size)
        cells[np.arange(len(part.cells)) + shift] = part.cells
        free[row] += size
    return Groups(keys, counts, starts, cells)
