"""The checks of probabilities and of trigrams: right answers of several kinds, and mistakes."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from check_answers import outcome

from zerotohero.bigrams import CHARACTERS, ngrams
from zerotohero.check import bigrams

Answer = Callable[..., Any]


# -- probabilities from counts -------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        lambda counts: counts / counts.sum(1, keepdim=True),
        lambda counts: counts / counts.sum(dim=1)[:, None],
        lambda counts: (counts.T / counts.sum(1)).T,
        lambda counts: counts.numpy() / counts.numpy().sum(axis=1, keepdims=True),
        lambda counts: [[float(x / sum(row)) for x in row] for row in counts],
        lambda counts: torch.nn.functional.normalize(counts.double(), p=1, dim=1),
    ],
)
def test_normalize_rows_right(answer: Answer) -> None:
    assert bigrams.normalize_rows(answer)


def in_place(counts: torch.Tensor) -> torch.Tensor:
    counts /= counts.sum(1, keepdim=True)
    return counts


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda c: c / c.sum(1),
            ["normalize_rows([[1, 3], [6, 2]])", "entry (0, 1) should be 0.75, received 0.375"],
            "Each row was divided by another row's sum: keepdim=True is missing.",
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
            ["normalize_rows([[1, 3], [6, 2]]) changed the counts"],
            "/= works in place. Write P = counts / …, which makes a new tensor.",
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
            "// rounds down. Use /.",
        ),
        (
            lambda c: (
                c / c.sum(1, keepdim=True) if c.is_floating_point() else c // c.sum(1)[:, None]
            ),
            ["the integers [[1, 3], [6, 2]]", "should be 0.25, received 0"],
            "Use / for the division, not //, and a tensor of floats for what it gives.",
        ),
        (
            lambda c: c / c.sum(1, keepdim=True) if len(c) == 2 else c / c.sum(1),
            ["a 27 × 27 tensor", "entry (0, 1) should be"],
            "Each row was divided by another row's sum: keepdim=True is missing.",
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


def with_numpy(words: list[str]) -> np.ndarray:
    table = np.zeros((27, 27, 27))
    for word in words:
        ids = [0, 0, *(ord(letter) - ord("a") + 1 for letter in word), 0]
        np.add.at(table, (ids[:-2], ids[1:-1], ids[2:]), 1)
    return table


def by_bincount(words: list[str]) -> torch.Tensor:
    contexts, targets = ngrams(words, 3)
    return torch.bincount(contexts * 27 + targets, minlength=27**3).view(27, 27, 27)


def with_lists(words: list[str]) -> list[list[list[int]]]:
    found = Counter(t for word in words for t in zip(f"..{word}", f".{word}.", f"{word}."))
    return [[[found[a, b, c] for c in CHARACTERS] for b in CHARACTERS] for a in CHARACTERS]


@pytest.mark.parametrize("answer", [between("..", "."), with_numpy, by_bincount, with_lists])
def test_trigram_counts_right(answer: Answer) -> None:
    assert bigrams.trigram_counts(answer)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            between(".", "."),
            ["trigram_counts(['ab']): entry (0, 0, 1) should be 1, received 0 (1 of 19683 differ)"],
            "The first letter has no trigram yet: start with two dots.",
        ),
        (
            between("..", ".."),
            ["trigram_counts(['ab']): entry (2, 0, 0) should be 0, received 1"],
            "One dot at the end is enough: the word ends once.",
        ),
        (
            between(".", ""),
            ["entry (0, 0, 1) should be 1, received 0 (2 of"],
            "The first letter has no trigram yet: start with two dots.",
        ),
        (
            between("..", ""),
            ["trigram_counts(['ab']): entry (1, 2, 0) should be 1, received 0 (1 of 19683 differ)"],
            "The end of a word is a character, too: one dot after it.",
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
            between("", ""),
            ["(3 of 19683 differ)"],
            "The start and the end of a word are marked with dots.",
        ),
        (
            lambda words: tabulate([".." + "..".join(words) + "."]),
            ["'emma', 'ava'", "should be 0, received 4"],
            "These trigrams run from one word into the next. Go word by word.",
        ),
        (
            lambda words: by_bincount(words).permute(2, 1, 0),
            ["entry (0, 0, 1) should be 1, received 0"],
            "The indices are reversed: first character first.",
        ),
        (
            lambda words: by_bincount(words).clamp(max=1),
            ["'emma', 'ava'", "entry (0, 0, 1) should be 2, received 1"],
            "A trigram may occur more than once: add 1 each time.",
        ),
        (lambda words: torch.ones(27, 27, 27), ["entry (0, 0, 0) should be 0, received 1"], ""),
        (
            lambda words: by_bincount(words).view(729, 27),
            ["should have shape (27, 27, 27), received (729, 27)"],
            "",
        ),
        (
            lambda words: Counter(zip(*[iter("".join(words))] * 3)),
            ["should return a tensor, received Counter()"],
            "",
        ),
    ],
)
def test_trigram_counts_wrong(answer: Answer, words: Sequence[str], hint: str) -> None:
    outcome(bigrams.trigram_counts(answer), *words, hint=hint)


def test_an_answer_that_changes_the_words_changes_no_check() -> None:
    def careless(words: list[str]) -> torch.Tensor:
        words[:] = ["zz"]
        return by_bincount(words)

    for _ in range(2):
        outcome(bigrams.trigram_counts(careless), "(['ab']): entry (0, 0, 1) should be 1")
    assert bigrams.trigram_counts(by_bincount)
