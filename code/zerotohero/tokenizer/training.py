"""Training that looks again only at what a merge has changed.

Three ideas make it fast; the merges are those of `naive.train`:

- Equal chunks are merged alike. So each different chunk is kept once, with its count.
- Each pair knows its places. A merge visits those of one pair, and no other.
- Once the newest token of a pair has been made, the pair can only lose places, as neighbors
  are merged. So its count and its first place, as once noted, may be too good, but never too
  bad. The best pair is found by taking the one that is noted as best, and counting it again.
  If it is as good as noted, no other can be better.

Source: lecture 8 of *Neural Networks: Zero to Hero* for what is computed.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .naive import Pair
from .token_array import SEPARATOR, Cells, Chunks, Groups, TokenArray

# Limits that bound the memory, and change no merge:
BATCH = 2**16  # chunks that are counted at a time
MOST_CHUNKS = 2**18  # different chunks in the dictionary
MOST_PAIRS = 2**17  # pairs in the queue
MOST_NOTED = 1.25  # places in the queue, for each cell of the array


class Merge(NamedTuple):
    """One step of the training: the pair, and how often it occurred."""

    pair: Pair
    occurrences: int


def count_chunks(chunks: Iterable[str]) -> Chunks:
    """Keep each different chunk once, and count it. Empty ones are left out.

    In a text where hardly a chunk occurs twice, the dictionary would need most of the memory.
    It is emptied when it has grown long; then a chunk may appear again, later in the list.
    That changes no merge.
    """
    chunks = iter(chunks)
    data: list[bytes] = []
    sizes: list[NDArray[np.int64]] = []
    counts: list[NDArray[np.int64]] = []
    counter: Counter[str] = Counter()
    more = True
    while more:
        batch = list(islice(chunks, BATCH))
        counter.update(batch)
        more = len(batch) == BATCH
        if len(counter) > MOST_CHUNKS or not more:
            counter.pop("", None)
            encoded = [chunk.encode("utf-8") for chunk in counter]
            data.append(b"".join(encoded))
            sizes.append(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)))
            counts.append(np.fromiter(counter.values(), dtype=np.int64, count=len(encoded)))
            counter.clear()
    return Chunks(b"".join(data), np.concatenate(sizes), np.concatenate(counts))


def learn_merges(chunks: Chunks, num_merges: int) -> Iterator[Merge]:
    """Yield the merges, most frequent pair first; of equals, the one that occurs first.

    The iterator ends early when no pair is left.

    Parameters
    ----------
    chunks : Chunks
    num_merges : int
        How many to learn. Their tokens get the ids 256, 257, ...
    """
    num_merges = min(num_merges, len(chunks.data))  # each merge takes away a token at least
    array = TokenArray(chunks, 256 + num_merges)
    queue = _Queue(array)
    for idx in range(256, 256 + num_merges):
        best = queue.pop()
        if best is None:
            yield from islice(_merges_of_rare_pairs(array, idx), 256 + num_merges - idx)
            return
        merge, cells = best
        yield merge
        queue.add(array.group(array.merge(merge.pair, cells, idx)))


class _Queue:
    """The pairs that occur at least ``least`` times, the best one first.

    To save memory, it is made anew when most of the places that are noted have been lost, and
    its rarer half is forgotten when it grows long. Those pairs come back when it is empty.
    """

    def __init__(self, array: TokenArray) -> None:
        self.array = array
        self.limit = MOST_PAIRS
        self._fill()

    def _fill(self) -> None:
        # Minus the count, first cell, left id, right id, all cells: a heap has the least first.
        self.heap: list[tuple[int, int, int, int, Cells]] = []
        self.noted = 0  # cells, in all
        self.least = 2
        self.add(self.array.group_all())

    def add(self, groups: Groups) -> None:
        """Note new pairs."""
        keys, counts, starts, cells = groups
        stops = np.append(starts[1:], len(cells))
        often = np.flatnonzero(counts >= self.least)
        columns = (counts, keys, starts, stops)
        for count, key, start, stop in zip(*(column[often].tolist() for column in columns)):
            left, right = divmod(key, self.array.num_ids)
            self._push(count, left, right, cells[start:stop])
        self.noted += len(cells)
        if self.noted > MOST_NOTED * len(self.array.ids):
            self._fill()
        elif len(self.heap) > self.limit:
            self._forget_rarer_half()

    def _push(self, count: int, left: int, right: int, cells: Cells) -> None:
        heapq.heappush(self.heap, (-count, int(cells[0]), left, right, cells))

    def _forget_rarer_half(self) -> None:
        self.heap.sort()  # which leaves it a heap
        best, middle = -self.heap[0][0], -self.heap[len(self.heap) // 2][0]
        self.least = min(middle + 1, best)
        while -self.heap[-1][0] < self.least:
            self.heap.pop()
        self.limit = max(MOST_PAIRS, 2 * len(self.heap))

    def pop(self) -> tuple[Merge, Cells] | None:
        """Take the best pair out, with its cells; None if no pair occurs more than once."""
        while self.heap or self.least > 2:
            if not self.heap:
                self._fill()
                continue
            noted, first, left, right, cells = heapq.heappop(self.heap)
            cells, count = self.array.find((left, right), cells)
            if count < self.least:
                continue
            if (-count, cells[0]) == (noted, first):
                return Merge((left, right), count), cells
            self._push(count, left, right, cells)
        return None


def _merges_of_rare_pairs(array: TokenArray, idx: int) -> Iterator[Merge]:
    """Yield the merges from token ``idx`` on, when every pair that is left occurs once.

    The first pair of the text comes first. Its token and what follows are the first pair
    then. So each chunk in turn becomes one token, from its left end.
    """
    cell = 1
    while cell < len(array.ids):
        left = int(array.ids[cell])
        if left == SEPARATOR:
            cell += 1
            continue
        cell += int(array.length[left])
        while (right := int(array.ids[cell])) != SEPARATOR:
            yield Merge((left, right), 1)
            left, idx = idx, idx + 1
            cell += int(array.length[right])
