"""Right and wrong ways to train a tokenizer and to encode with it, for the checks of chapter 8."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

import regex

from ...tokenizer import naive
from ...tokenizer.naive import Pair
from .ids import Ids

Merges = dict[Pair, int]
Split = Callable[[str, str], list[str]]
Merge = Callable[[Ids, Pair, int], Ids]


class Training(NamedTuple):
    """What a tokenizer is trained on, and what it then encodes. Without a pattern: one chunk."""

    text: str
    vocab_size: int
    encoded: tuple[str, ...]
    pattern: str = ""
    before: tuple[str, int] | None = None  # an earlier training of the same object


def earlier_of(training: Training) -> Training:
    """Return the training that came before, of the same object: of nothing, if there is none."""
    text, vocab_size = training.before or ("", 256)
    return Training(text, vocab_size, (), training.pattern)


# -- the parts of a way: each has the right one, and others ----------------------------


def split(pattern: str, text: str) -> list[str]:
    """Split a text by a pattern, if there is one."""
    return regex.findall(pattern, text) if pattern else [text]


def whole(_pattern: str, text: str) -> list[str]:
    """Do not split."""
    return [text]


def each_once(pattern: str, text: str) -> list[str]:
    """Forget how often a chunk occurs."""
    return list(dict.fromkeys(split(pattern, text)))


def between(pattern: str, text: str) -> list[str]:
    """Return what lies between the matches."""
    return regex.split(pattern, text) if pattern else [text]


def by_lines(pattern: str, text: str) -> list[str]:
    """Split by lines, then each by the pattern."""
    return [chunk for line in text.splitlines(keepends=True) for chunk in split(pattern, line)]


def without_space(pattern: str, text: str) -> list[str]:
    """Drop the chunks that hold white space only."""
    return [chunk for chunk in split(pattern, text) if not chunk.isspace()]


def to_bytes(text: str) -> Ids:
    """Return the bytes of a text."""
    return list(text.encode("utf-8"))


def to_code_points(text: str) -> Ids:
    """Return the code points of a text."""
    return list(map(ord, text))


def apart(ids: Ids, counts: dict[Pair, int]) -> None:
    """Count the pairs that can be merged at once: one in 1, 1, 1."""
    for pair in dict.fromkeys(pairwise(ids)):
        merged = len(ids) - len(naive.merge(ids, pair, -1))
        counts[pair] = counts.get(pair, 0) + merged


def count_all(ids: Ids, counts: dict[Pair, int]) -> None:
    """Count all pairs, also those that overlap."""
    naive.get_stats(ids, counts)


def merge_and_update(ids: Ids, pair: Pair, idx: int, counts: dict[Pair, int]) -> Ids:
    """Merge, and update the counts as in the chapter: their order gets out of date."""
    merged: Ids = []
    i = 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) != pair:
            merged.append(ids[i])
            i += 1
            continue
        changes = [(pair, -1)]
        if merged:
            changes += [((merged[-1], ids[i]), -1), ((merged[-1], idx), +1)]
        if i + 2 < len(ids):
            changes += [((ids[i + 1], ids[i + 2]), -1), ((idx, ids[i + 2]), +1)]
        for changed, by in changes:
            counts[changed] = counts.get(changed, 0) + by
        merged.append(idx)
        i += 2
    return merged


def from_right(ids: Ids, pair: Pair, idx: int) -> Ids:
    """Merge from right to left."""
    return naive.merge(ids[::-1], pair[::-1], idx)[::-1]


def first(pairs: Sequence[Pair]) -> Pair:
    """Return the pair that occurs first."""
    return pairs[0]


def last(pairs: Sequence[Pair]) -> Pair:
    """Return the pair that occurs first only after all others have."""
    return pairs[-1]


def in_turn(
    ids: Ids, merges: Merges, key: Callable[[Merges, Ids, Pair], int], merge: Merge = naive.merge
) -> Ids:
    """Encode: merge the known pair with the smallest key, again and again."""
    while known := [pair for pair in naive.get_stats(ids) if pair in merges]:
        pair = min(known, key=lambda pair: key(merges, ids, pair))
        ids = merge(ids, pair, merges[pair])
    return ids


learned_first = partial(in_turn, key=lambda merges, _, pair: merges[pair])
learned_first_from_right = partial(learned_first, merge=from_right)
learned_last = partial(in_turn, key=lambda merges, _, pair: -merges[pair])
frequent_first = partial(in_turn, key=lambda _, ids, pair: -naive.get_stats(ids)[pair])
leftmost_first = partial(in_turn, key=lambda merges, ids, pair: 0)


def leftmost_alone(ids: Ids, merges: Merges) -> Ids:
    """Encode: merge the leftmost known pair, and no other place where it occurs."""
    while known := [i for i, pair in enumerate(pairwise(ids)) if pair in merges]:
        i = known[0]
        ids = [*ids[:i], merges[ids[i], ids[i + 1]], *ids[i + 2 :]]
    return ids


def in_order(ids: Ids, merges: Merges) -> Ids:
    """Encode: merge each pair in the order of the dictionary."""
    for pair, idx in merges.items():
        ids = naive.merge(ids, pair, idx)
    return ids


def unmerged(ids: Ids, _merges: Merges) -> Ids:
    """Encode: leave the bytes."""
    return ids


def longest(ids: Ids, merges: Merges) -> Ids:
    """Encode: take the longest token, from left to right."""
    parts: dict[int, tuple[int, ...]] = {idx: (idx,) for idx in ids}
    for (left, right), idx in merges.items():
        parts[idx] = parts.get(left, (left,)) + parts.get(right, (right,))
    found, start = [], 0
    while start < len(ids):
        fitting = [i for i, p in parts.items() if tuple(ids[start : start + len(p)]) == p]
        best = max(fitting, key=lambda idx: len(parts[idx]))
        found.append(best)
        start += len(parts[best])
    return found


# -- a way -----------------------------------------------------------------------------


class Way(NamedTuple):
    """A way to train and to encode: the right one, but for what is given."""

    trained_on: Split = split
    encoded: Split = split
    symbols: Callable[[str], Ids] = to_bytes
    counting: Callable[[Ids, dict[Pair, int]], None] = count_all
    tie: Callable[[Sequence[Pair]], Pair] = first
    merge: Merge = naive.merge
    encode: Callable[[Ids, Merges], Ids] = learned_first
    more: int = 0  # merges that are learned beyond vocab_size - 256
    shift: int = 0  # what is added to each new id
    shared: bool = False  # one dictionary of merges for all tokenizers
    kept: bool = False  # the merges of an earlier training
    cached: bool = False  # what was encoded after an earlier training
    updated: bool = False  # the counts, instead of counting anew


RIGHT = Way()


@cache
def learn(way: Way, training: Training) -> Merges:
    """Learn merges, perhaps with a mistake."""
    chunks = way.trained_on(training.pattern, training.text)
    sequences = [way.symbols(chunk) for chunk in chunks]
    merges: Merges = {}
    counts: dict[Pair, int] = {}
    merge = partial(merge_and_update, counts=counts) if way.updated else way.merge
    for idx in range(256, training.vocab_size + way.more):
        if not merges or not way.updated:
            counts.clear()
            for ids in sequences:
                way.counting(ids, counts)
        if not counts:
            break
        most = max(counts.values())
        pair = way.tie([pair for pair, count in counts.items() if count == most])
        sequences = [merge(ids, pair, idx) for ids in sequences]
        merges[pair] = idx
    return merges


@cache
def results(way: Way, trainings: tuple[Training, ...]) -> list[Ids]:
    """Return the ids of all texts that are encoded, training after training."""
    learned: list[Merges] = []
    together: Merges = {}
    for training in trainings:
        earlier = learn(way, earlier_of(training))
        merges = learn(way, training)
        together |= earlier | merges
        learned.append(earlier | merges if way.kept else merges)
        if way.cached and training.before:
            learned[-1] = earlier
    if way.shared:
        learned = [together] * len(trainings)
    found = []
    for training, merges in zip(trainings, learned):
        for text in training.encoded:
            ids: Ids = []
            for chunk in way.encoded(training.pattern, text):
                ids += way.encode(way.symbols(chunk), merges)
            found.append([idx + way.shift if idx >= 256 else idx for idx in ids])
    return found
