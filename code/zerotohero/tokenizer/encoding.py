"""Encoding of one chunk: fast for short ones, and near-linear for long ones.

Both ways give the ids of `naive.encode`.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from .naive import Pair
from .token_array import Cells, Chunks, Groups, TokenArray

LONG = 1000  # bytes; from about here on, the array is faster than the list


def encode_chunk(ids: bytes, merges: Mapping[Pair, int]) -> list[int]:
    """Turn a chunk into ids.

    Parameters
    ----------
    ids : bytes
        The id of each byte of the chunk. These are the bytes themselves, unless the tokenizer
        numbers bytes in an order of its own, as GPT-2 and GPT-4 do.
    merges : mapping
        Pair to the id of its token. A token's id is above those of its pair, and the pair with
        the lowest id is merged first.
    """
    return encode_short(ids, merges) if len(ids) < LONG else encode_long(ids, merges)


def encode_short(ids: bytes, merges: Mapping[Pair, int]) -> list[int]:
    """Merge in a list, one pair at a time. Takes time that grows with the square of the length."""
    tokens = list(ids)
    none = 2**63  # above all ids, for a pair that cannot be merged
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
    """Merge in an array, a pair at all its places at once.

    A new token makes pairs that are merged later than itself. So when a pair has its turn, all
    its places are known.
    """
    chunk = Chunks(ids, sizes=np.array([len(ids)]), counts=np.array([1]))
    array = TokenArray(chunk, num_ids=max(merges.values(), default=255) + 1)
    heap: list[tuple[int, Pair, Cells]] = []

    def add(groups: Groups) -> None:
        bounds = pairwise([*groups.starts.tolist(), len(groups.cells)])
        for key, (start, stop) in zip(groups.keys.tolist(), bounds):
            pair = divmod(key, array.num_ids)
            if pair in merges:
                heapq.heappush(heap, (merges[pair], pair, groups.cells[start:stop]))

    add(array.group_all())
    while heap:
        idx, pair, cells = heapq.heappop(heap)
        cells, count = array.find(pair, cells)
        if count:
            add(array.group(array.merge(pair, cells, idx)))
    return array.tokens()
