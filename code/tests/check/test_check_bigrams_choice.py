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

from zerotohero.bigrams import CHARACTERS, CountingModel
from zerotohero.check import bigrams
from zerotohero.check.bigrams.choosing import CASES, _listed

Answer = Callable[..., Any]


# -- train, dev, test -----------------------------------------------------------------


def cut(words: Sequence[Any], first: int = 400, second: int = 450) -> tuple[Any, Any, Any]:
    return words[:first], words[first:second], words[second:]


def shuffled(words: list[str], seed: int | None) -> list[str]:
    return random.Random(seed).sample(words, len(words))


def shuffling_in_place(words: list[str], seed: int) -> tuple[list[str], ...]:
    random.Random(seed).shuffle(words)
    return cut(words)


def drawing(words: list[str], seed: int) -> list[list[str]]:
    rng = random.Random(seed)
    return [rng.sample(words, size) for size in (400, 50, 50)]


def shuffling_each_part(words: list[str], seed: int) -> list[list[str]]:
    return [shuffled(part, seed) for part in cut(words)]


def in_tenths(words: Sequence[str], tenths: int = 10) -> tuple[Any, Any, Any]:
    return cut(words, len(words) * 8 // tenths, len(words) * 9 // tenths)


def without_repeats(words: list[str], seed: int) -> tuple[list[str], ...]:
    return in_tenths(shuffled(sorted(set(words)), seed))


def keeping_what_is_not_in_train(words: list[str], seed: int) -> tuple[list[str], ...]:
    train = random.Random(seed).sample(words, len(words) * 8 // 10)
    rest = [word for word in words if word not in train]
    return train, rest[: len(rest) // 2], rest[len(rest) // 2 :]


def dropping_the_rest(words: list[str], seed: int) -> tuple[list[str], ...]:
    mixed, tenth = shuffled(words, seed), len(words) // 10
    if len(words) % 10:
        mixed.pop()
    return cut(mixed, 8 * tenth, 9 * tenth)


def every_tenth(words: list[str], seed: int) -> tuple[list[str], ...]:
    start = seed % 10
    dev, test = words[start::10], words[(start + 1) % 10 :: 10]
    return [word for word in words if word not in dev + test], dev, test


def hardly_shuffled(words: list[str], seed: int) -> tuple[list[str], ...]:
    mixed, rng = list(words), random.Random(seed)
    for _ in range(8):
        i, j = rng.randrange(len(mixed)), rng.randrange(len(mixed))
        mixed[i], mixed[j] = mixed[j], mixed[i]
    return in_tenths(mixed)


def shuffled_halves(words: list[str], seed: int) -> tuple[list[str], list[str]]:
    mixed = shuffled(words, seed)
    return mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]


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


def with_a_fixed_test(words: list[str], seed: int) -> tuple[list[str], ...]:
    mixed = shuffled(words, 1)
    n = len(words) * 9 // 10
    return (*in_tenths(shuffled(mixed[:n], seed), 9)[:2], mixed[n:])


def rotated(words: list[str], seed: int) -> tuple[list[str], ...]:
    mixed = shuffled(words, 1)
    start = seed % len(mixed)
    return in_tenths(mixed[start:] + mixed[:start])


ORDERS: dict[int, list[int]] = {}
PARTS: dict[int, Any] = {}


def keeping_the_order(words: list[str], seed: int) -> tuple[list[str], ...]:
    order = ORDERS.setdefault(seed, random.Random(seed).sample(range(len(words)), len(words)))
    return in_tenths([words[i] for i in order])


def keeping_the_parts(words: list[str], seed: int) -> Any:
    return PARTS.setdefault(seed, in_tenths(shuffled(words, seed)))


def seeding_all_code(words: list[str], seed: int) -> tuple[list[str], ...]:
    random.seed(seed)
    return in_tenths(random.sample(words, len(words)))


def seeding_numpy(words: list[str], seed: int) -> tuple[list[str], ...]:
    np.random.seed(seed)
    return in_tenths(np.random.permutation(words).tolist())


def seeding_torch(words: list[str], seed: int) -> tuple[list[str], ...]:
    torch.manual_seed(seed)
    return in_tenths([words[i] for i in torch.randperm(len(words))])


def sorting_to_none(words: list[str], seed: int) -> tuple[list[str], ...]:
    mixed = list(words).sort()  # type: ignore[func-returns-value] # the mistake
    random.Random(seed).shuffle(mixed)  # type: ignore[arg-type] # the mistake
    return in_tenths(mixed)  # type: ignore[arg-type] # the mistake


def each_rounded_down(words: list[str], seed: int) -> tuple[list[str], ...]:
    mixed, n = shuffled(words, seed), len(words)
    a, b, c = int(0.8 * n), int(0.1 * n), int(0.1 * n)
    return mixed[:a], mixed[a : a + b], mixed[a + b : a + b + c]


def three_of_tenths(words: list[str], seed: int) -> tuple[list[str], ...]:
    mixed, n = shuffled(words, seed), len(words) // 10
    return mixed[: 8 * n], mixed[8 * n : 9 * n], mixed[9 * n : 10 * n]


TO_THE_END = "Let the last part run to the end."
TWICE = "A word that is twice in the list stays there twice."
EVERY = "Shuffle a copy of the list, and cut it."
COPY = "Methods such as sort, shuffle and append change the list itself. Work on a copy."
SORTED = "Shuffle before you cut: the list is sorted, so dev would have only rare names of boys."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (shuffling_in_place, ["(for 500 words) changed words, which it was given"], COPY),
        (
            to_none,
            ["split(words, 42) (for 500 words) raised TypeError: 'NoneType' object is not subscr"],
            "shuffle works in place and returns None.",
        ),
        (
            measuring_none,
            ["raised TypeError: object of type 'NoneType' has no len()"],
            "shuffle works in place and returns None.",
        ),
        (tripping_elsewhere, ["raised TypeError: can only concatenate list"], ""),
        (lambda words, seed: cut(None), ["raised TypeError: 'NoneType' object is"], ""),  # type: ignore[arg-type] # the mistake
        (
            drawing,
            ["(for 500 words): '", "' is more often in the three parts than in the list"],
            "Cut one shuffled list in three; do not draw.",
        ),
        (
            lambda words, seed: cut([*shuffled(words, seed)[:-1], "it"]),
            ["'it' is"],
            "Cut one shuffled list in three; do not draw.",
        ),
        (
            lambda words, seed: cut([*shuffled(words, seed)[:-1], "Emma"]),
            ["'Emma' is in a part, and not in the list"],
            "",
        ),
        (without_repeats, ["for 813 words", "676 of 813 words are in the three parts"], TWICE),
        (
            lambda words, seed: cut(shuffled(words, seed)),
            ["some of them equal): sizes should be close to (650.4, 81.3, 81.3), received (400, "],
            "",
        ),
        (keeping_what_is_not_in_train, ["770 of 813 words are in the three parts"], TWICE),
        (
            dropping_the_rest,
            ["for 813 words", "812 of 813 words are in the three parts together"],
            "",
        ),
        *[
            (answer, ["for 813 words", f"{left} of 813 words are in the three parts"], TO_THE_END)
            for answer, left in ((each_rounded_down, 812), (three_of_tenths, 810))
        ],
        (
            lambda words, seed: in_tenths(shuffled(words, seed) if seed else words),
            ["split(words, 0) (for 500 words): train is words[0:400], neighbors in the list."],
            "0 is a seed like any other: shuffle for it, too.",
        ),
        (
            lambda words, seed: (
                cut(shuffled(words, seed), 638, 732)
                if len(words) % 10
                else in_tenths(shuffled(words, seed))
            ),
            ["(638, 94, 81)"],
            "",
        ),
        (every_tenth, ["dev takes words from the list at regular distances"], EVERY),
        (hardly_shuffled, ["most words of train are neighbors in the list"], SORTED),
        (
            lambda words, seed: (shuffled(words[:400], seed), *shuffled_halves(words[400:], seed)),
            ["train is words[0:400], neighbors in the list"],
            SORTED,
        ),
        (lambda words, seed: cut(words), ["train is words[0:400], neighbors in the list"], SORTED),
        (shuffling_each_part, ["train is words[0:400], neighbors in the list"], SORTED),
        (
            lambda words, seed: (*cut(shuffled(words[:450], seed))[:2], words[450:]),
            ["test is words[450:500], neighbors"],
            SORTED,
        ),
        (
            lambda words, seed: in_tenths(shuffled(words, None)),
            ["gave another split the second time"],
            "Use random.Random(seed).",
        ),
        (  # random.Random(0) has a seed, too
            lambda words, seed: in_tenths(shuffled(words, seed or None)),
            ["split(words, 0) (for 500 words) gave another split the second time"],
            "Use random.Random(seed).",
        ),
        (
            lambda words, seed: in_tenths(shuffled(words, 42)),
            ["split gives the same parts for the seeds 42 and 43."],
            "The seed that is given goes unused.",
        ),
        *[
            (
                lambda words, seed, last=last: in_tenths(shuffled(words, seed % last)),
                ["train is the same for the seeds 42 and 40960042."],
                "Another seed should give another train: shuffle all words by the seed, "
                "before the first cut.",
            )
            for last in (10, 100, 256)
        ],
        (
            with_a_fixed_test,
            ["test is the same for the seeds 42 and 43."],
            "Another seed should give another test: shuffle all words by the seed, "
            "before the first cut.",
        ),
        (
            rotated,
            ["train is nearly the same for the seeds 42 and 43: 399 of its 400 words."],
            "Another seed should give another shuffle.",
        ),
        (
            lambda words, seed: in_tenths(shuffled(words[:500], seed) + words[500:]),
            ["split(words, 5) (for 2,000 words): train is words[0:1600], neighbors in the list"],
            SORTED,
        ),
        (keeping_the_order, ["split(words, 42) (for 280 words) raised IndexError"], ""),
        (keeping_the_parts, ["(for 280 words): ", " is in a part, and not in the list"], ""),
        *[
            (
                answer,
                [f"(for 500 words) changed the state of the global generator of {module}."],
                f"Other code draws from that one, too. {own} is a generator of your own.",
            )
            for answer, module, own in (
                (seeding_all_code, "random", "random.Random(seed)"),
                (seeding_numpy, "numpy.random", "numpy.random.default_rng(seed)"),
                (seeding_torch, "torch", "torch.Generator().manual_seed(seed)"),
            )
        ],
        *[
            (
                lambda words, seed, n=n: (
                    (mixed := shuffled(words, seed))[:n],
                    mixed[n - 1 : 450],
                    mixed[450:],
                ),
                ["' is more often in the three parts than in the list"],
                "Two parts overlap: each should start where the one before ends.",
            )
            for n in (400, 401)
        ],
        (
            sorting_to_none,
            ["split(words, 42) (for 500 words) raised TypeError: object of type 'NoneType'"],
            "sort and shuffle work in place and return None.",
        ),
        (
            lambda words, seed: cut(list(words).sort()),  # type: ignore[func-returns-value,arg-type] # the mistake
            ["raised TypeError: 'NoneType' object is not subscriptable"],
            "sort works in place and returns None.",
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
        return in_tenths(shuffled(words, seed)) if next(calls) < 3 else 3

    outcome(bigrams.split(once), "should return three lists, received int")


@pytest.mark.parametrize("answer", [seeding_all_code, seeding_numpy, seeding_torch])
def test_split_leaves_the_global_generators_as_they_were(answer: Answer) -> None:
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    bigrams.split(answer)
    after = random.random(), np.random.random(), torch.rand(1).item()
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    assert after == (random.random(), np.random.random(), torch.rand(1).item())


# -- smoothing ----------------------------------------------------------------------


def trigram_nll(train: list[str], words: list[str], k: float, V: int = 27) -> float:
    """Count with dictionaries, not with the book's model."""
    table, rows = Counter(), Counter()  # type: ignore[var-annotated] # of trigrams, of contexts
    for t in (t for word in train for t in zip(f"..{word}", f".{word}.", f"{word}.")):
        table[t] += 1
        rows[t[:2]] += 1
    losses = []
    for t in (t for word in words for t in zip(f"..{word}", f".{word}.", f"{word}.")):
        losses.append(-math.log((table[t] + k) / (rows[t[:2]] + V * k)))
    return sum(losses) / len(losses)


def by_loop(train: list[str], dev: list[str], candidates: list[float], V: int = 27) -> torch.Tensor:
    best, lowest = None, math.inf
    for k in candidates:
        loss = trigram_nll(train, dev, k, V)
        if loss < lowest:
            best, lowest = k, loss
    return torch.tensor(best)


def of_order(order: int, on: str = "dev", choose: Any = min) -> Answer:
    def answer(train: list[str], dev: list[str], candidates: list[float]) -> float:
        words = dev if on == "dev" else train
        losses = {k: CountingModel(order, k).fit(train).nll(words) for k in candidates}
        return choose(losses, key=losses.__getitem__)  # type: ignore[no-any-return] # min, max

    return answer


FIRST = "best_smoothing(train, dev, [0.001, 0.02, 0.5, 2.0, 40.0]) should be 2, received "
SECOND = "best_smoothing(train, dev, [0.3, 0.001, 0.1, 0.01, 1.0, 3.0, 30.0]) should be 0.1, "
SMALLEST = (
    "That is the smallest, which is best on the names that were counted. "
    "Count on train, compare on dev."
)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            of_order(3, "train"),
            [f"{FIRST}0.001, for train = ['alix', 'alek', ", "'] * 4 and dev = ['al']."],
            SMALLEST,
        ),
        (lambda train, dev, ks: min(ks), [f"{FIRST}0.001"], SMALLEST),
        (lambda train, dev, ks: by_loop(dev, dev, ks), [f"{FIRST}tensor(0.0010)"], SMALLEST),
        (
            of_order(3, choose=max),
            [f"{FIRST}0.001"],
            "That is the worst: smaller loss is better.",
        ),
        (
            lambda train, dev, ks: by_loop(train + dev, dev, ks),
            [f"{FIRST}tensor(0.5000)"],
            "Count on train alone: dev is for choosing.",
        ),
        (
            lambda train, dev, ks: by_loop(dev, train, ks),
            [f"{FIRST}tensor(0.0200)"],
            "Count on train and compare on dev: here it is the other way round.",
        ),
        (
            of_order(2),
            [f"{SECOND}received 0.3, for train = ['macey', ", "] and dev = ['adilyn', 'helen']."],
            "That is best for bigrams. The model is a trigram model: order 3.",
        ),
        (
            lambda train, dev, ks: min(
                ks, key=lambda k: CountingModel(smoothing=k).fit(train).nll(dev)
            ),
            [f"{SECOND}received 0.3"],
            "That is best for bigrams. The model is a trigram model: order 3.",
        ),
        (
            of_order(4),
            [f"{SECOND}received 0.01"],
            "That is best for order 4. A trigram model has order 3.",
        ),
        (
            lambda train, dev, ks: min(trigram_nll(train, dev, k) for k in ks),
            [f"{FIRST}1."],
            "That is the loss. Return the constant that has it.",
        ),
        (
            lambda train, dev, ks: min(
                range(len(ks)), key=lambda i: trigram_nll(train, dev, ks[i])
            ),
            [f"{FIRST}3, for"],
            "That is the position of the best constant. Return the constant itself.",
        ),
        (
            lambda train, dev, ks: by_loop(train, dev, ks) if len(ks) != 3 else 0.5,
            ["best_smoothing(train, dev, [5.0, 0.5, 0.05]) should be 0.05, received 0.5"],
            "",
        ),
        (lambda train, dev, ks: by_loop(train, dev, sorted(ks)[:3]), [FIRST], ""),
        (lambda train, dev, ks: max(ks), [f"{FIRST}40.0"], ""),
        (lambda train, dev, ks: ks, [f"{FIRST}[0.001, "], ""),
        *[
            (lambda train, dev, ks, V=V: by_loop(train, dev, ks, V), [" should be "], "")
            for V in (1, 26, 28)
        ],
        (lambda train, dev, ks: by_loop(sorted({*train}), dev, ks), [" should be "], ""),
        (lambda train, dev, ks: by_loop(train, sorted({*dev}), ks), [" should be "], ""),
    ],
)
def test_best_smoothing_wrong(answer: Answer, words: Sequence[str], hint: str) -> None:
    outcome(bigrams.best_smoothing(answer), *words, hint=hint)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_best_smoothing_of_an_answer_that_empties_a_list(which: int) -> None:
    def careless(train: list[str], dev: list[str], candidates: list[float]) -> torch.Tensor:
        best = by_loop(train, dev, candidates)
        (train, dev, candidates)[which].clear()  # type: ignore[attr-defined] # all are lists
        return best

    name = ("train", "dev", "candidates")[which]
    outcome(bigrams.best_smoothing(careless), f" changed {name}, which it was given", hint=COPY)


def test_candidates_are_positive_numbers_as_the_exercise_says() -> None:
    """So the model of a reader who counts never takes the logarithm of zero."""
    assert all(k > 0 for *_, candidates in CASES for k in candidates)
    assert all({*"".join(_listed(train))} == {*CHARACTERS[1:]} for train, *_ in CASES)


def test_the_best_constants_are_best_by_far_more_than_float32_may_err() -> None:
    for train, dev, candidates in CASES:
        losses = sorted(trigram_nll(_listed(train), _listed(dev), k) for k in candidates)
        assert losses[1] - losses[0] > 1e-5


def until_it_rises(backward: bool) -> Answer:
    def answer(train: list[str], dev: list[str], candidates: list[float]) -> float:
        ks = sorted(candidates, reverse=backward)
        losses = [CountingModel(3, k).fit(train).nll(dev) for k in ks]
        for k, loss, following in zip(ks, losses, losses[1:]):
            if following > loss:
                return k
        return ks[-1]

    return answer


def by_thirds(train: list[str], dev: list[str], candidates: list[float]) -> float:
    ks = sorted(candidates)
    losses = [CountingModel(3, k).fit(train).nll(dev) for k in ks]
    low, high = 0, len(ks) - 1
    while high - low > 2:
        third = (high - low) // 3
        if losses[low + third] < losses[high - third]:
            high -= third
        else:
            low += third
    return ks[min(range(low, high + 1), key=losses.__getitem__)]


MANY_AB = "for train = ['ab'] * 1000 + ['cdefghijklmnopqrstuvwxyz'] and dev = ['abq', 'cdef']."
LATE = "and dev = ['amelia'] * 200 + ['zyx', 'qi'] * 50."


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (until_it_rises(False), ["should be 30, received 0.05", MANY_AB]),
        (until_it_rises(True), ["should be 0.05, received 20.0, for train = ['ab'] * 1300"]),
        (by_thirds, ["should be 30, received 0.05", MANY_AB]),
        *[
            (lambda train, dev, ks, n=n: of_order(3)(train, dev[:n], ks), [LATE])
            for n in (5, 50, 200, 220)
        ],
        (lambda train, dev, ks: of_order(3)(train, dev[-50:], ks), [LATE]),
        *[
            (lambda train, dev, ks, n=n: by_loop(train[:n], dev, ks), ["for train = ['ab'] * 1300"])
            for n in (110, 500, 1100)
        ],
    ],
)
def test_best_smoothing_of_a_part(answer: Answer, words: Sequence[str]) -> None:
    outcome(bigrams.best_smoothing(answer), *words)


def test_best_smoothing_the_other_way_round_with_a_letter_that_dev_lacks() -> None:
    def swapped(train: list[str], dev: list[str], ks: list[float]) -> float:
        return min(ks, key=lambda k: CountingModel(3, k).fit(dev).nll(train))

    outcome(
        bigrams.best_smoothing(swapped),
        "raised ValueError: words[0] is 'alix': 'i' is not in the vocabulary",
        hint="Count on train and compare on dev: here it is the other way round.",
    )


def test_best_smoothing_that_counts_too_few_names_is_not_the_other_way_round() -> None:
    def on_few(train: list[str], dev: list[str], ks: list[float]) -> float:
        return min(ks, key=lambda k: CountingModel(3, k).fit(train[:2]).nll(dev))

    outcome(bigrams.best_smoothing(on_few), "raised ValueError: words[0] is ")
