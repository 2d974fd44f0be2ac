"""Training and encoding that look again only at what a merge has changed.

The merges are those of `naive.train` and the ids those of `naive.encode`. Four ideas:

- Equal chunks merge alike, so each distinct chunk is kept once, with its count.
- The tokens are a linked list in arrays: each stands in the cell (the entry of the arrays) of its
  first byte, so that a merge moves none of them.
- Each pair knows the cells where it starts. A merge visits the cells of one pair, all at once.
- A heap has the best pair on top. Only the newest token makes new pairs; all others can only
  become rarer. So a count in the heap may be too high, never too low: the pair on top is counted
  again, and if the count is still right, no other pair is better.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .naive import Pair

Cells = NDArray[np.signedinteger[Any]]

SEPARATOR, INSIDE = -1, -2
LONG = 1000  # bytes; from about here on, encoding in arrays is faster than in a list


class Merge(NamedTuple):
    """One step of the training: the pair, and how often it occurred."""

    pair: Pair
    occurrences: int


class TokenArray:
    """The tokens of all chunks, as a linked list in arrays.

    A token stands in the cell of its first byte. For the text ``ababc``, with a separator on
    either side::

        at first                    |   97   98   97   98   99   |
        97, 98 have become 256      |  256    .  256    .   99   |
        256, 256 have become 257    |  257    .    .    .   99   |

    Parameters
    ----------
    chunks : sequence of bytes
    counts : sequence of int
        How often each chunk occurs.

    Attributes
    ----------
    ids : array of int32, shape (number of cells,)
        The ids; ``SEPARATOR`` before, between and after the chunks, and ``INSIDE`` tokens.
    next, previous : array of int32 or int64, same shape
        The cells of the tokens, or separators, after and before each token.
    weights : array of int, same shape
        How often the chunk of each cell occurs.
    """

    def __init__(self, chunks: Sequence[bytes], counts: Sequence[int]) -> None:
        sizes = np.array([len(chunk) + 1 for chunk in chunks], dtype=np.int64)  # with a separator
        data = b"|".join([b"", *chunks, b""])
        self.ids = np.frombuffer(data, dtype=np.uint8).astype(np.int32)
        self.ids[0] = self.ids[np.cumsum(sizes)] = SEPARATOR
        cells = np.arange(len(data), dtype=np.int32 if len(data) < 2**31 else np.int64)
        self.next, self.previous = cells + 1, cells - 1
        smallest_type = np.min_scalar_type(max(counts, default=0))
        self.weights = np.repeat(np.array(counts, dtype=smallest_type), sizes)

    def pairs(self, cells: Cells, least: int = 1) -> Iterator[tuple[int, Pair, Cells]]:
        """Yield each pair that starts in the cells at least ``least`` times.

        It comes with its number of occurrences and with its cells. To group the cells by pair,
        both ids are packed into one int64, ``left * 2**32 + right``, and sorted.
        """
        left, right = self.ids[cells], self.ids[self.next[cells]]
        valid = (left >= 0) & (right >= 0)  # neither is a separator
        keys = left[valid].astype(np.int64) << 32 | right[valid]
        order = np.argsort(keys, kind="stable")  # equal pairs side by side, in the order of cells
        keys, cells = keys[order], cells[valid][order].astype(self.next.dtype)
        starts = np.flatnonzero(np.diff(keys, prepend=-1))  # where the next pair begins
        stops = np.append(starts[1:], len(keys))
        # Of each pair, the sum of the weights from its start to the next one's.
        counts = np.add.reduceat(self.weights[cells], starts, dtype=np.int64)
        frequent = counts >= least
        columns = (counts[frequent], keys[starts[frequent]], starts[frequent], stops[frequent])
        for count, key, start, stop in zip(*(column.tolist() for column in columns)):
            yield count, divmod(key, 2**32), cells[start:stop]

    def find(self, pair: Pair, cells: Cells) -> Cells:
        """Return those of the cells in which the pair still starts."""
        left, right = pair
        found: Cells = cells[(self.ids[cells] == left) & (self.ids[self.next[cells]] == right)]
        return found

    def merge(self, pair: Pair, cells: Cells, idx: int) -> Cells:
        """Make token ``idx`` of the pair in all its cells; return the cells of the new pairs."""
        if pair[0] == pair[1]:  # in a run such as a a a a a, merge the first and the third
            number = np.arange(len(cells))
            in_run = np.append(False, self.next[cells[:-1]] == cells[1:])
            first_of_run = np.maximum.accumulate(np.where(in_run, 0, number))
            cells = cells[(number - first_of_run) % 2 == 0]
        second = self.next[cells]
        after = self.next[second]
        self.ids[cells], self.ids[second] = idx, INSIDE
        self.next[cells], self.previous[after] = after, cells
        before = self.previous[cells]
        return np.concatenate([before[self.ids[before] != idx], cells])  # each cell once


def learn_merges(counts: Mapping[str, int], num_merges: int) -> Iterator[Merge]:
    """Yield the merges, most frequent pair first; of equals, the one that occurs first.

    Parameters
    ----------
    counts : mapping of str to int
        How often each chunk occurs, in the order in which they first occur.
    num_merges : int
        How many to learn. There will be fewer if no pair is left.
    """
    tokens = TokenArray([chunk.encode("utf-8") for chunk in counts], list(counts.values()))
    del counts  # for a large text, most of the memory
    heap: list[tuple[int, int, Pair, Cells]] = []  # a min-heap, so counts are negated
    least = 2  # pairs that occur once wait until there are no others

    def push(cells: Cells) -> None:
        for count, pair, found in tokens.pairs(cells, least):
            heapq.heappush(heap, (-count, int(found[0]), pair, found))

    for byte in np.unique(tokens.ids)[1:]:  # all but the separator; one by one saves memory
        push(np.flatnonzero(tokens.ids == byte))
    idx = 256
    while idx < 256 + num_merges:
        if not heap and least == 2:
            least = 1
            push(np.flatnonzero(tokens.ids >= 0))
        if not heap:
            return
        noted, first, pair, cells = heapq.heappop(heap)
        cells = tokens.find(pair, cells)
        count = int(tokens.weights[cells].sum(dtype=np.int64))
        if count < least:
            continue
        current = (-count, int(cells[0]))
        if current != (noted, first):  # no longer as good; perhaps another is better
            heapq.heappush(heap, (*current, pair, cells))
            continue
        yield Merge(pair, count)
        push(tokens.merge(pair, cells, idx))
        idx += 1


def encode_chunk(ids: bytes, merges: Mapping[Pair, int]) -> list[int]:
    """Turn a chunk into ids.

    Parameters
    ----------
    ids : bytes
        The id of each byte of the chunk. These are the bytes themselves, unless the tokenizer
        numbers bytes in an order of its own, as those of GPT-2 and GPT-4 do.
    merges : mapping
        Pair to the id of its token. A token's id is above those of its pair, and the pair with
        the lowest id is merged first.
    """
    return encode_short(ids, merges) if len(ids) < LONG else encode_long(ids, merges)


def encode_short(ids: bytes, merges: Mapping[Pair, int]) -> list[int]:
    """Merge in a list, one pair at a time. Takes time that grows with the square of the length."""
    tokens = list(ids)
    none = 2**63  # above all ids: stands for a pair that cannot be merged
    # What each token and the next one would become.
    candidates = [merges.get(pair, none) for pair in pairwise(tokens)]
    while candidates:
        idx = min(candidates)
        if idx == none:
            break
        i = candidates.index(idx)
        tokens[i : i + 2] = [idx]
        del candidates[i]
        if i > 0:
            candidates[i - 1] = merges.get((tokens[i - 1], idx), none)
        if i < len(candidates):
            candidates[i] = merges.get((idx, tokens[i + 1]), none)
    return tokens


def encode_long(ids: bytes, merges: Mapping[Pair, int]) -> list[int]:
    """Merge in arrays, a pair in all its cells at once.

    A new token makes only pairs that are merged later than itself. So when a pair has its turn,
    all its cells are known.
    """
    tokens = TokenArray([ids], [1])
    heap: list[tuple[int, Pair, Cells]] = []

    def push(cells: Cells) -> None:
        for _, pair, found in tokens.pairs(cells):
            if pair in merges:
                heapq.heappush(heap, (merges[pair], pair, found))

    push(np.flatnonzero(tokens.ids >= 0))
    while heap:
        idx, pair, cells = heapq.heappop(heap)
        push(tokens.merge(pair, tokens.find(pair, cells), idx))
    found: list[int] = tokens.ids[tokens.ids >= 0].tolist()
    return found
