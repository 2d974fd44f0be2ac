"""The checks of the split and of the smoothing constant."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from check_answers import outcome

from zerotohero.bigrams import CountingModel
from zerotohero.check import bigrams

Answer = Callable[..., Any]


# -- train, dev, test -----------------------------------------------------------------


def cut(words: Sequence[Any], first: int = 400, second: int = 450) -> tuple[Any, Any, Any]:
    return words[:first], words[first:second], words[second:]


def shuffled(words: list[str], seed: int | None) -> list[str]:
    return random.Random(seed).sample(words, len(words))


def by_randperm(words: list[str], seed: int) -> list[list[str]]:
    order = torch.randperm(len(words), generator=torch.Generator().manual_seed(seed))
    return [[words[i] for i in part] for part in order.split([400, 50, 50])]


def with_the_global_generator(words: list[str], seed: int) -> tuple[list[str], ...]:
    words = list(words)
    random.seed(seed)
    random.shuffle(words)
    return cut(words)


@pytest.mark.parametrize(
    "answer",
    [
        lambda words, seed: cut(shuffled(words, seed)),
        lambda words, seed: list(cut(shuffled(words, seed), int(0.8 * 500), int(0.9 * 500))),
        lambda words, seed: np.split(np.random.default_rng(seed).permutation(words), [400, 450]),
        by_randperm,
        with_the_global_generator,
    ],
)
def test_split_right(answer: Answer) -> None:
    assert bigrams.split(answer)


def shuffling_in_place(words: list[str], seed: int) -> tuple[list[str], ...]:
    random.Random(seed).shuffle(words)
    return cut(words)


def drawing(words: list[str], seed: int) -> list[list[str]]:
    rng = random.Random(seed)
    return [rng.sample(words, size) for size in (400, 50, 50)]


def shuffling_each_part(words: list[str], seed: int) -> list[list[str]]:
    return [shuffled(part, seed) for part in cut(words)]


def to_none(words: list[str], seed: int) -> tuple[list[str], ...]:
    words = random.Random(seed).shuffle(list(words))  # type: ignore[func-returns-value,assignment] # the mistake
    return words[:400], words[400:450], words[450:]


def measuring_none(words: list[str], seed: int) -> int:
    mixed = list(words)
    mixed = random.Random(seed).shuffle(mixed)  # type: ignore[func-returns-value,assignment] # the mistake
    return len(mixed)


def tripping_elsewhere(words: list[str], seed: int) -> Any:
    mixed = list(words)
    random.Random(seed).shuffle(mixed)
    return mixed + 3  # type: ignore[operator] # the mistake


SORTED = "Shuffle before you cut: the list is sorted, so dev would have only rare names of boys."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (shuffling_in_place, ["changed the order of the list it was given"], "Shuffle a copy."),
        (
            to_none,
            ["split(words, 42), for 500 words raised TypeError: 'NoneType' object is not subscr"],
            "shuffle works in place and returns None.",
        ),
        (
            measuring_none,
            ["raised TypeError: object of type 'NoneType' has no len()"],
            "shuffle works in place and returns None.",
        ),
        (tripping_elsewhere, ["raised TypeError: can only concatenate list"], ""),
        (lambda words, seed: cut(None), ["raised TypeError: 'NoneType' object is"], ""),  # type: ignore[arg-type] # the mistake
        (drawing, ["a word is in two parts"], "Cut one shuffled list in three; do not draw."),
        (lambda words, seed: cut(words), ["dev is words[400:450], neighbors in the list"], SORTED),
        (shuffling_each_part, ["dev is words[400:450], neighbors in the list"], SORTED),
        (
            lambda words, seed: (*cut(shuffled(words[:450], seed))[:2], words[450:]),
            ["test is words[450:500], neighbors"],
            SORTED,
        ),
        (
            lambda words, seed: cut(shuffled(words, None)),
            ["gave another split the second time"],
            "Use random.Random(seed).",
        ),
        (
            lambda words, seed: cut(shuffled(words, 42)),
            ["split(words, 43) equals split(words, 42)."],
            "The seed that is given goes unused.",
        ),
        (
            lambda words, seed: cut(shuffled(words, seed), 450, 475),
            ["sizes should be (400, 50, 50), received (450, 25, 25)"],
            "",
        ),
        (
            lambda words, seed: cut(shuffled(words, seed)[:-1]),
            ["499 of 500 words are in the three parts together"],
            "",
        ),
        (
            lambda words, seed: cut(shuffled(words, seed))[:2],
            ["should return three lists, received tuple"],
            "",
        ),
        (
            lambda words, seed: shuffled(words, seed),
            ["should return three lists, received list"],
            "",
        ),
        (lambda words, seed: dict.fromkeys("abc"), ["three lists, received dict"], ""),
        (lambda words, seed: (400, 50, 50), ["'int' object is not iterable"], ""),
        (lambda words, seed: (None, None, None), ["'NoneType' object is not iterable"], ""),
    ],
)
def test_split_wrong(answer: Answer, words: Sequence[str], hint: str) -> None:
    outcome(bigrams.split(answer), *words, hint=hint)


def test_split_that_works_once() -> None:
    calls = itertools.count()

    def once(words: list[str], seed: int) -> Any:
        return cut(shuffled(words, seed)) if next(calls) == 0 else 3

    outcome(bigrams.split(once), "cannot be checked")


# -- smoothing ----------------------------------------------------------------------


def trigram_nll(train: list[str], words: list[str], k: float) -> float:
    """Count with dictionaries, not with the book's model."""
    table, rows = Counter(), Counter()  # type: ignore[var-annotated] # of trigrams, of contexts
    for t in (t for word in train for t in zip(f"..{word}", f".{word}.", f"{word}.")):
        table[t] += 1
        rows[t[:2]] += 1
    losses = []
    for t in (t for word in words for t in zip(f"..{word}", f".{word}.", f"{word}.")):
        p = (table[t] + k) / (rows[t[:2]] + 27 * k) if k or table[t] else 0.0
        losses.append(-math.log(p) if p else math.inf)
    return sum(losses) / len(losses)


def by_loop(train: list[str], dev: list[str], candidates: list[float]) -> torch.Tensor:
    best, lowest = None, math.inf
    for k in candidates:
        loss = trigram_nll(train, dev, k)
        if loss < lowest:
            best, lowest = k, loss
    return torch.tensor(best)


def by_argmin(train: list[str], dev: list[str], candidates: list[float]) -> Any:
    return np.array(candidates)[np.argmin([trigram_nll(train, dev, k) for k in candidates])]


def of_order(order: int, on: str = "dev", choose: Any = min) -> Answer:
    def answer(train: list[str], dev: list[str], candidates: list[float]) -> float:
        words = dev if on == "dev" else train
        losses = {k: CountingModel(order, k).fit(train).nll(words) for k in candidates}
        return choose(losses, key=losses.__getitem__)  # type: ignore[no-any-return] # min, max

    return answer


@pytest.mark.parametrize("answer", [by_loop, by_argmin, of_order(3)])
def test_best_smoothing_right(answer: Answer) -> None:
    assert bigrams.best_smoothing(answer)


SPREAD = "best_smoothing(['ab', 'ac', …, 'az'] * 4, ['a'], [0.3, 1.0, 5.0, 1000.0])"
NAMES = "best_smoothing(train, dev, [0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 30.0])"


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            of_order(3, "train"),
            [f"{SPREAD} should be 5, received 0.3"],
            "That is best on train. Compare on dev.",
        ),
        (
            of_order(3, choose=max),
            [f"{SPREAD} should be 5, received 1000.0"],
            "That is the worst: smaller loss is better.",
        ),
        (
            lambda train, dev, ks: by_loop(train + dev, dev, ks),
            [f"{SPREAD} should be 5, received tensor(1.)"],
            "Count on train alone: dev is for choosing.",
        ),
        (
            of_order(2),
            [f"{NAMES} should be 0.1, received 0.3"],
            "That is best for bigrams. The model is a trigram model: order 3.",
        ),
        (
            lambda train, dev, ks: min(
                ks, key=lambda k: CountingModel(smoothing=k).fit(train).nll(dev)
            ),
            [f"{NAMES} should be 0.1, received 0.3"],
            "That is best for bigrams. The model is a trigram model: order 3.",
        ),
        (
            of_order(4),
            [f"{NAMES} should be 0.1, received 0.01"],
            "That is best for order 4. A trigram model has order 3.",
        ),
        (
            lambda train, dev, ks: min(trigram_nll(train, dev, k) for k in ks),
            [f"{SPREAD} should be 5, received 2.32"],
            "That is the loss. Return the constant that has it.",
        ),
        (lambda train, dev, ks: ks.index(5.0), [f"{SPREAD} should be 5, received 2"], ""),
        (
            lambda train, dev, ks: by_loop(train, dev, ks) if len(ks) != 3 else 0.1,
            ["[5.0, 0.5, 0.05]) should be 0.05, received 0.1"],
            "",
        ),
        (
            lambda train, dev, ks: by_loop(train, dev, ks) if 0.0 not in ks else 0.0,
            ["[0.0, 0.3]) should be 0.3, received 0.0"],
            "That is best on train. Compare on dev.",
        ),
        (lambda train, dev, ks: ks, ["should be 5, received [0.3"], ""),
    ],
)
def test_best_smoothing_wrong(answer: Answer, words: Sequence[str], hint: str) -> None:
    outcome(bigrams.best_smoothing(answer), *words, hint=hint)


def test_best_smoothing_of_an_answer_that_empties_its_lists() -> None:
    def careless(train: list[str], dev: list[str], candidates: list[float]) -> torch.Tensor:
        best = by_loop(train, dev, candidates)
        for given in (train, dev, candidates):
            given.clear()
        return best

    assert bigrams.best_smoothing(careless)
