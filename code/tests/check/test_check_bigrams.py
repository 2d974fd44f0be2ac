"""The checks of probabilities and of trigrams: what is wrong, and the hint for it."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from check_answers import outcome

from zerotohero.bigrams import CHARACTERS, build_contexts, ngrams
from zerotohero.check import bigrams

Answer = Callable[..., Any]


# -- probabilities from counts -------------------------------------------------------


KEEPDIM = "With keepdim=True the sums stay a column, so that each row is divided by its own sum."
IN_PLACE = "+=, an index on the left of =, and methods that end in _ change the tensor itself."


def in_place(c: torch.Tensor) -> torch.Tensor:
    c /= c.sum(1, keepdim=True)
    return c


def float_in_place(c: torch.Tensor) -> torch.Tensor:
    P = c.float()  # the tensor itself, if it holds such floats already
    P /= P.sum(1, keepdim=True)
    return P


def keeping_sums(key: Callable[[torch.Tensor], Any]) -> Answer:
    sums: dict[Any, torch.Tensor] = {}
    return lambda c: c / sums.setdefault(key(c), c.sum(1, keepdim=True))


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda c: c / c.sum(1),
            ["normalize_rows([[1, 3], [6, 2]])", "entry (0, 1) should be 0.75, received 0.375"],
            KEEPDIM,
        ),
        (
            lambda c: c / c.sum(0, keepdim=True),
            ["entry (0, 0) should be 0.25, received 0.142857 (4 of 4 differ)"],
            "These are columns that sum to 1. Sum along dim 1.",
        ),
        (
            lambda c: c / c.sum(),
            ["should be 0.25, received 0.0833333"],
            "The whole table sums to 1. Each row should, by itself.",
        ),
        (
            lambda c: c.double().softmax(1),
            ["should be 0.25, received 0.119203"],
            "Softmax exponentiates. Counts only have to be divided.",
        ),
        (
            in_place,
            ["normalize_rows([[1, 3], [6, 2]]) changed c, which it was given"],
            IN_PLACE,
        ),
        (lambda c: c, ["should be 0.25, received 1"], ""),
        (lambda c: c / c.norm(dim=1, keepdim=True), ["should be 0.25, received 0.316228"], ""),
        (lambda c: c.sum(1), ["should have shape (2, 2), received (2,)"], ""),
        (
            lambda c: (c / c.sum(1, keepdim=True)).to(c.dtype),
            ["the integers [[1, 3], [6, 2]]", "should be 0.25, received 0"],
            "Use / for the division, not //, and a tensor of floats for what it gives.",
        ),
        (
            lambda c: c // c.sum(1, keepdim=True),
            ["normalize_rows([[1, 3], [6, 2]]): entry (0, 0) should be 0.25, received 0 (4 of 4"],
            "Use / for the division, not //, and a tensor of floats for what it gives.",
        ),
        (
            lambda c: (c / c.sum(1, keepdim=True)).long(),  # there is no // in it
            ["normalize_rows([[1, 3], [6, 2]]): entry (0, 0) should be 0.25, received 0 (4 of 4"],
            "Use / for the division, not //, and a tensor of floats for what it gives.",
        ),
        (
            lambda c: c / c.sum(1, keepdim=True, dtype=torch.int16),
            ["normalize_rows(a 27 × 27 tensor of integers up to 40,000): entry (0, 0) should be"],
            "",
        ),
        (
            lambda c: c.double() / c.sum(1, keepdim=True, dtype=torch.float16),
            ["normalize_rows(a 27 × 27 tensor of integers up to 40,000): entry (0, 0) should be"],
            "",
        ),
        (keeping_sums(lambda c: c.shape), ["a 27 × 27 tensor of integers up to 40,000"], ""),
        (keeping_sums(lambda c: (c.shape, c.dtype)), ["a 5 × 4 tensor of integers"], ""),
        (
            lambda c: (
                c / c.sum(1, keepdim=True) if c.is_floating_point() else c // c.sum(1)[:, None]
            ),
            ["the integers [[1, 3], [6, 2]]", "should be 0.25, received 0"],
            "Use / for the division, not //, and a tensor of floats for what it gives.",
        ),
        (
            lambda c: c / c.sum(1, keepdim=True) if len(c) < 27 else c / c.sum(1),
            ["a 27 × 27 tensor", "entry (0, 1) should be"],
            KEEPDIM,
        ),
        (
            lambda c: c / c.sum(1, keepdim=True) if c.shape == (2, 2) else c / c.sum(1),
            ["normalize_rows(a 2 × 3 tensor of floats) raised RuntimeError: The size of tensor a"],
            "",
        ),
        (
            lambda c: c.short() / c.sum(1, keepdim=True),
            ["normalize_rows(a 27 × 27 tensor of integers up to 40,000): entry (0, "],
            "",
        ),
        (
            lambda c: (
                c / c.sum(1, keepdim=True) if len(c) <= 27 else c[:27] / c[:27].sum(1)[:, None]
            ),
            ["normalize_rows(a 30 × 2 tensor of integers) should have shape (30, 2), received (27"],
            "",
        ),
        (
            lambda c: c / c.sum(1).view(2, 1),
            ["a 5 × 4 tensor of integers", "raised RuntimeError", "c.sum(1).view(2, 1)"],
            "",
        ),
        (float_in_place, ["([[1, 3], [6, 2]]) changed c, which it was given"], IN_PLACE),
        (
            lambda c: (c + 1) / (c + 1).sum(1, keepdim=True),
            ["entry (0, 0) should be 0.25, received 0.333333"],
            "That is smoothed. Here nothing is added to the counts.",
        ),
        (
            lambda c: c / c.max(1, keepdim=True).values,
            ["entry (0, 0) should be 0.25, received 0.333333"],
            "Each row was divided by its largest count. Divide it by its sum.",
        ),
    ],
)
def test_normalize_rows_wrong(answer: Answer, words: Sequence[str], hint: str) -> None:
    outcome(bigrams.normalize_rows(answer), *words, hint=hint)


# -- trigrams ------------------------------------------------------------------------


PLACE = {character: i for i, character in enumerate(CHARACTERS)}


def tabulate(texts: Sequence[str]) -> torch.Tensor:
    table = torch.zeros((27, 27, 27), dtype=torch.int32)
    for text in texts:
        for a, b, c in zip(text, text[1:], text[2:]):
            table[PLACE[a], PLACE[b], PLACE[c]] += 1
    return table


def between(start: str, end: str) -> Answer:
    return lambda words: tabulate([start + word + end for word in words])


def by_bincount(words: list[str]) -> torch.Tensor:
    contexts, targets = ngrams(words, 3)
    return torch.bincount(contexts * 27 + targets, minlength=27**3).view(27, 27, 27)


def by_index_tensors(words: list[str]) -> torch.Tensor:
    X, Y = build_contexts(words, 2)
    T = torch.zeros(27, 27, 27)
    T[X[:, 0], X[:, 1], Y] += 1
    return T


def by_index_tensors_of_each_word(words: list[str]) -> torch.Tensor:
    T = torch.zeros(27, 27, 27)
    for word in words:
        X, Y = build_contexts([word], 2)
        T[X[:, 0], X[:, 1], Y] += 1
    return T


def with_indices(place: Callable[[str], int]) -> Answer:
    def answer(words: list[str]) -> np.ndarray:
        T = np.zeros((27, 27, 27))
        for word in words:
            for triple in zip(f"..{word}", f".{word}.", f"{word}."):
                T[tuple(map(place, triple))] += 1
        return T

    return answer


def with_letters_of_the_words(size: int | None) -> Answer:
    def answer(words: list[str]) -> torch.Tensor:
        letters = sorted({".", *"".join(words)})
        V = size or len(letters)
        T = torch.zeros(V, V, V)
        for word in words:
            for triple in zip(f"..{word}", f".{word}.", f"{word}."):
                T[tuple(map(letters.index, triple))] += 1
        return T

    return answer


def clearing(words: list[str]) -> torch.Tensor:
    T = by_bincount(words)
    words.clear()
    return T


def adding_one_by_one(dtype: torch.dtype) -> Answer:
    def answer(words: list[str]) -> torch.Tensor:
        T = torch.zeros(27, 27, 27, dtype=dtype)
        for word in words:
            for triple in zip(f"..{word}", f".{word}.", f"{word}."):
                T[tuple(map(PLACE.__getitem__, triple))] += 1
        return T

    return answer


def without_triples(words: list[str]) -> torch.Tensor:
    T = by_bincount(words)
    T.diagonal(0, 0, 1).diagonal(0, 0, 1).zero_()
    return T


def counting_from(start: int, before_the_end: int) -> Answer:
    def answer(words: list[str]) -> torch.Tensor:
        T = torch.zeros(27, 27, 27)
        for word in words:
            t = [PLACE[c] for c in f"..{word}."]
            for i in range(start, len(t) - before_the_end):
                T[t[i], t[i + 1], t[i + 2]] += 1
        return T

    return answer


FIRST = (
    "The first trigram, the one that begins with two dots, is missing: put two dots before "
    "the word, and count from the first of them."
)
LAST = (
    "The last trigram, the one that ends with the dot, is missing: put one dot after the "
    "word, and count up to it."
)
BOTH = (
    "The first and the last trigram are missing: put two dots before the word and one "
    "after it, and count them all."
)
TOO_SMALL = "The dtype is too small for such a count. Use integers of 64 bits, for example."
DOT = "The dot has index 0, and the letters a to z have 1 to 26."
ALPHABET = "The indices are those of the whole alphabet, also where words lack a letter."
ONCE = (
    "A trigram that comes again has to count again. If the indices are tensors, "
    "T[i, j, k] += 1 adds only 1 to each cell: use torch.bincount, or index_put_ with "
    "accumulate=True."
)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            between(".", "."),
            ["trigram_counts(['ab']): entry (0, 0, 1) should be 1, received 0 (1 of 19683 differ)"],
            FIRST,
        ),
        (counting_from(1, 2), ["(['ab']): entry (0, 0, 1) should be 1, received 0 (1 of"], FIRST),
        (counting_from(0, 3), ["(['ab']): entry (1, 2, 0) should be 1, received 0 (1 of"], LAST),
        (counting_from(1, 3), ["(['ab']): entry (0, 0, 1) should be 1, received 0 (2 of"], BOTH),
        (
            between("..", ".."),
            ["trigram_counts(['ab']): entry (2, 0, 0) should be 0, received 1"],
            "One dot at the end is enough: the word ends once.",
        ),
        (
            between(".", ""),
            ["entry (0, 0, 1) should be 1, received 0 (2 of"],
            BOTH,
        ),
        (
            between("..", ""),
            ["trigram_counts(['ab']): entry (1, 2, 0) should be 1, received 0 (1 of 19683 differ)"],
            LAST,
        ),
        *[
            (
                lambda words, order=order: by_bincount(words).permute(order),
                ["trigram_counts(['ab']): entry (0, "],
                "The indices are out of order: first, second, then third character.",
            )
            for order in [(1, 0, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)]
        ],
        (
            lambda words: (
                between("", "")(words) + between("..", ".")([w for w in words if w == "ab"])
            ),
            ["emma"],
            "The start and the end of a word are marked with dots.",
        ),
        (
            between("", ""),
            ["(3 of 19683 differ)"],
            "Nothing is counted. With the dots around it, a short word has trigrams, too.",
        ),
        (
            lambda words: tabulate([".." + "..".join(words) + "."]),
            ["'emma', 'ava'", "should be 0, received"],
            "These trigrams run from one word into the next. Go word by word.",
        ),
        (
            lambda words: by_bincount(words).permute(2, 1, 0),
            ["entry (0, 0, 1) should be 1, received 0"],
            "The indices are reversed: first character first.",
        ),
        (
            lambda words: by_bincount(words).clamp(max=1),
            ["'emma', 'ava'", "entry (0, 0, 1) should be 3, received 1"],
            ONCE,
        ),
        (by_index_tensors, ["'emma', 'ava'", "entry (0, 0, 1) should be 3, received 1"], ONCE),
        (by_index_tensors_of_each_word, ["'emma', 'ava'", "should be"], ONCE),
        *[
            (answer, ["(['o'] * 2100): entry (0, 0, 15) should be 2100, received "], TOO_SMALL)
            for answer in (
                lambda words: by_bincount(words).byte(),
                lambda words: by_bincount(words).to(torch.int8),
                adding_one_by_one(torch.uint8),
                adding_one_by_one(torch.float16),
                adding_one_by_one(torch.bfloat16),
            )
        ],
        (
            lambda words: by_bincount(words).clamp(max=100),
            ["(['o'] * 2100): entry (0, 0, 15) should be 2100, received 100"],
            "",
        ),
        (
            lambda words: by_bincount([word for word, _ in itertools.groupby(words)]),
            ["trigram_counts(['aaa', 'llama', 'llama'"],
            "A word that comes twice counts twice.",
        ),
        (
            lambda words: by_bincount(["".join(c for c, _ in itertools.groupby(w)) for w in words]),
            ["'emma', 'ava'"],
            "",
        ),
        (without_triples, ["trigram_counts(['aaa', 'llama'", "entry (1, 1, 1) should be 1"], ""),
        (with_indices("abcdefghijklmnopqrstuvwxyz.".index), ["trigram_counts(['ab'])"], DOT),
        (with_indices(lambda c: 0 if c == "." else ord(c) - 97), ["trigram_counts(['ab'])"], DOT),
        (with_letters_of_the_words(27), ["'emma', 'ava'"], ALPHABET),
        (
            with_letters_of_the_words(None),
            ["(['ab']) should have shape (27, 27, 27), received (3, 3, 3)"],
            ALPHABET,
        ),
        (
            lambda words: by_bincount([*{*words}]),
            ["'emma', 'ava'"],
            "A word that comes twice counts twice.",
        ),
        (
            clearing,
            ["trigram_counts(['ab']) changed words, which it was given"],
            "Methods such as sort, shuffle and append change the list itself. Work on a copy.",
        ),
        (lambda words: torch.ones(27, 27, 27), ["entry (0, 0, 0) should be 0, received 1"], ""),
        (
            lambda words: by_bincount(words).view(729, 27),
            ["should have shape (27, 27, 27), received (729, 27)"],
            "",
        ),
        (
            lambda words: Counter(zip(*[iter("".join(words))] * 3)),
            ["should be a tensor, received Counter()"],
            "",
        ),
    ],
)
def test_trigram_counts_wrong(answer: Answer, words: Sequence[str], hint: str) -> None:
    outcome(bigrams.trigram_counts(answer), *words, hint=hint)
