"""Byte-pair encoding as the chapter teaches it: short, and slow.

Each function says what it does in the plainest way. The tokenizer classes use `fast`, which
gives the same merges and ids.

What this module does *not* do: split a text, special tokens, files.

Source: lecture 8 of *Neural Networks: Zero to Hero*; Sennrich, Haddow and Birch (2016).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

Pair = tuple[int, int]


def get_stats(ids: Sequence[int], counts: dict[Pair, int] | None = None) -> dict[Pair, int]:
    """Count how often each pair of neighbors occurs.

    In 1, 1, 1 the pair (1, 1) occurs twice, though only one of the two can be merged.

    Parameters
    ----------
    ids : sequence of int
    counts : dict, optional
        Counts to add to, say of other chunks. It is changed, and returned.

    Returns
    -------
    dict
        Pair to number of occurrences, in the order in which the pairs first occur.
    """
    counts = {} if counts is None else counts
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def merge(ids: Sequence[int], pair: Pair, idx: int) -> list[int]:
    """Replace each occurrence of ``pair`` with ``idx``, from left to right."""
    merged = []
    i = 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(idx)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def train(chunks: Iterable[bytes], num_merges: int) -> dict[Pair, int]:
    """Learn merges: again and again, make a token of the most frequent pair.

    Of equally frequent pairs, the one that occurs first is taken. No pair reaches from one
    chunk into the next.

    Parameters
    ----------
    chunks : iterable of bytes
        The text: as one chunk, or split.
    num_merges : int
        How many to learn. There will be fewer if no pair is left.

    Returns
    -------
    dict
        Pair to the id of its token, in the order of the merges: 256, 257, ...

    Raises
    ------
    TypeError
        If a chunk is not bytes.
    """
    sequences = []
    for chunk in chunks:
        if not isinstance(chunk, bytes):  # a string would give characters, not bytes
            raise TypeError(f"each chunk must be bytes, got {chunk!r:.40}")
        sequences.append(list(chunk))
    merges: dict[Pair, int] = {}
    for idx in range(256, 256 + num_merges):
        counts: dict[Pair, int] = {}
        for ids in sequences:
            get_stats(ids, counts)
        if not counts:
            break
        pair = max(counts, key=lambda p: counts[p])  # the first one among equals
        sequences = [merge(ids, pair, idx) for ids in sequences]
        merges[pair] = idx
    return merges


def encode(chunk: bytes, merges: Mapping[Pair, int]) -> list[int]:
    """Turn one chunk into ids: merge the pair that was learned first, until there is none."""
    if not isinstance(chunk, bytes):
        raise TypeError(f"chunk must be bytes, got {chunk!r:.40}")
    ids = list(chunk)
    while len(ids) >= 2:
        pair = min(get_stats(ids), key=lambda p: merges.get(p, float("inf")))
        if pair not in merges:
            break
        ids = merge(ids, pair, merges[pair])
    return ids


def decode(ids: Iterable[int], vocab: Mapping[int, bytes]) -> str:
    """Turn ids into text. Bytes that are not valid UTF-8 become U+FFFD."""
    return b"".join(vocab[idx] for idx in ids).decode("utf-8", errors="replace")


def build_vocab(merges: Mapping[Pair, int]) -> dict[int, bytes]:
    """Return the bytes of every id: the 256 single bytes, then the tokens in merge order."""
    vocab = {idx: bytes([idx]) for idx in range(256)}
    for (left, right), idx in merges.items():
        vocab[idx] = vocab[left] + vocab[right]
    return vocab
