"""Checks of the exercises that choose: the split of the words, and the smoothing constant."""

from __future__ import annotations

import functools
import reprlib
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from ...bigrams import CHARACTERS, LETTERS, CountingModel
from ..numbers import close
from ..running import guarded, run
from ..verdict import checker, fail

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


@checker
def split(answer: Any) -> str:
    """Check a function ``(words, seed)`` that returns train, dev and test words, 80/10/10."""
    pairs = [f"{a}{b}" for a in CHARACTERS[1:] for b in CHARACTERS[1:]]
    whole = pairs[:500]
    for words, seed, shown in [
        (whole, 42, "split(words, 42), for 500 words"),
        ([*pairs, *pairs[::5], "zz"], 7, "split(words, 7), for 813 words, some of them equal"),
        (pairs[100:237], 1, "split(words, 1), for 137 words"),
    ]:
        parts = _parts(answer, words, seed, shown)
        _expect_all_words(parts, words, shown)
        if words is whole:
            _expect_shuffled(parts, words, shown)
    shown = "split(words, 42), for 500 words"
    first = _parts(answer, whole, 42, shown)
    if _parts(answer, whole, 42, shown) != first:
        fail(f"{shown} gave another split the second time.", "Use random.Random(seed).")
    for seed in (43, 0):
        other = _parts(answer, whole, seed, f"split(words, {seed})")
        if any(set(ours) == set(theirs) for ours, theirs in zip(first, other)):
            fail(
                f"split(words, {seed}) has a part in common with split(words, 42).",
                "The seed that is given goes unused.",
            )
    return "Three parts, shuffled, without overlap, the same for the same seed."


def _parts(answer: Any, words: list[str], seed: int, shown: str) -> list[list[str]]:
    """Call the answer, and return the three lists."""
    parts = run(_explaining_shuffle(answer, shown), list(words), seed, shown=shown)
    if isinstance(parts, (str, bytes, dict)) or not hasattr(parts, "__len__") or len(parts) != 3:
        fail(f"{shown} should return three lists, received {type(parts).__name__}.")
    lists: list[list[str]] = guarded(
        lambda: [list(part) for part in parts], f"Reading the three lists of {shown}"
    )
    return lists


def _expect_all_words(parts: list[list[str]], words: list[str], shown: str) -> None:
    """Stop unless the parts hold every word as often as the list, and have the right sizes."""
    together = Counter(word for part in parts for word in part)
    if too_many := together - Counter(words):
        word = next(iter(too_many))
        if word not in words:
            fail(f"{shown}: {word!r} is in a part, and not in the list.")
        fail(
            f"{shown}: {word!r} is more often in the three parts than in the list.",
            "Cut one shuffled list in three; do not draw.",
        )
    if lost := Counter(words) - together:
        repeats = len(lost) >= 10 and all(words.count(word) > 1 for word in lost)
        fail(
            f"{shown}: {together.total()} of {len(words)} words are in the three parts together.",
            "A word that is twice in the list stays there twice." if repeats else "",
        )
    sizes = tuple(map(len, parts))
    wanted = [share * len(words) for share in SHARES.values()]
    if len(words) % 10 == 0:
        exact = tuple(map(round, wanted))
        if sizes != exact:
            fail(f"{shown}: sizes should be {exact}, received {sizes}.")
    elif any(abs(size - right) >= 2 for size, right in zip(sizes, wanted)):
        rounded = ", ".join(f"{size:.1f}" for size in wanted)
        fail(f"{shown}: sizes should be close to ({rounded}), received {sizes}.")


NEIGHBORS = "Shuffle before you cut: the list is sorted, so dev would have only rare names of boys."


def _expect_shuffled(parts: list[list[str]], words: list[str], shown: str) -> None:
    """Stop if a part is a piece of the list, or every so many-th word, or nearly so."""
    for (name, share), part in zip(SHARES.items(), parts):
        found = sorted(map(words.index, part))
        steps = Counter(b - a for a, b in pairwise(found))
        if set(steps) == {1}:
            piece = f"words[{found[0]}:{found[-1] + 1}]"
            fail(f"{shown}: {name} is {piece}, neighbors in the list.", NEIGHBORS)
        if steps[1] > len(part) * (share + 1) / 2:  # by chance, about len(part) * share
            fail(f"{shown}: most words of {name} are neighbors in the list.", NEIGHBORS)
        if len(steps) < 4 and share < 0.5:
            fail(
                f"{shown}: {name} takes words from the list at regular distances.",
                "Shuffle a copy of the list, and cut it.",
            )


def _explaining_shuffle(answer: Any, shown: str) -> Any:
    """Return an answer that, if it calls ``shuffle`` and trips over None, says why."""
    if "shuffle" not in getattr(getattr(answer, "__code__", None), "co_names", ()):
        return answer

    @functools.wraps(answer)
    def explained(words: list[str], seed: int) -> Any:
        try:
            return answer(words, seed)
        except TypeError as error:
            if "NoneType" in str(error):
                fail(
                    f"{shown} raised TypeError: {error}",
                    "shuffle works in place and returns None.",
                )
            raise

    return explained


# -- smoothing -------------------------------------------------------------------------

# With these names four times, and dev = ["al"], the constant is large even if dev is counted, too.
AL = "alix alek alyna alaiza ally almir alora alton albert alvie alula aldric alhaji alpha alfred "
AL += "alson alwyn alcide alric alysse alik alegra alilah alexa alain kaliq"
# Names in which every letter occurs, some of them once: so any model has 27 characters. One name
# comes twice. The candidates lie so close around the best one that another model, with 26 or 28
# characters, or without the last dot, has another best one.
FEW = "macey korra helena amani elina mattie nicole bailee amari analia khalia landry xena "
FEW += "freyja raquel luiza lawson nayvie sophie signe"
MORE = "edan liba sharon nataly alexsa griselle marwa star viola joziel naiyana lyfe abiy "
MORE += "layana sarayah nymeria oma qusay abubakar coleson bocephus serenah jurney zakaria oma"
OTHERS = "rui elzie aukai lucian sadiq teague azaylah rui maxwell xavyer murphy gioia faraja "
OTHERS += "layali devora kierre yichen briasia rosabel fartun bristol myron sahir"
REPEATING = "loujain brahm ellayna priya aviyanah marie aiesha macarena rawling aviyanah soren "
REPEATING += "tawfiq emri wojciech tyhir ziggy jeston beaux quintez mykell adriella gentri hussam "
REPEATING += "aurya"
CASES = [  # names to train on, how often each, names for dev, candidates
    (AL, 4, "al", [0.001, 0.02, 0.5, 2.0, 40.0]),
    (FEW, 1, "adilyn helen", [0.3, 0.001, 0.1, 0.01, 1.0, 3.0, 30.0]),
    (FEW, 1, "adilyn helen", [5.0, 0.5, 0.05]),
    (FEW, 1, "zyx qi", [1000.0, 10.0, 0.1, 0.001]),
    (MORE, 1, "trapper trapper edan nicolai haleem", [0.21, 0.43, 0.11, 0.22, 0.24, 0.024, 2.7]),
    (OTHERS, 1, "rosabel parisha avella eavan parisha", [0.097, 0.095, 0.82, 0.39, 0.0082, 0.089]),
    (REPEATING, 1, "addisynn addisynn ziggy anova amairah", [0.19, 0.028, 0.085, 0.086, 0.075]),
]
Case = tuple[list[str], list[str], list[float]]


@checker
def best_smoothing(answer: Any) -> str:
    """Check a function ``(train, dev, candidates)`` that returns the best smoothing constant."""
    cases: list[Case] = [
        (train.split() * times, dev.split(), candidates) for train, times, dev, candidates in CASES
    ]
    calls = [f"best_smoothing(train, dev, {candidates})" for *_, candidates in cases]
    received = [
        run(answer, list(train), list(dev), list(candidates), shown=call)
        for (train, dev, candidates), call in zip(cases, calls)
    ]
    for case, call, ours in zip(cases, calls, received):
        train, dev, candidates = case
        losses = _losses(*case)
        if not any(close(ours, k) for k in candidates if losses[k] < min(losses.values()) + 1e-6):
            fail(
                f"{call} should be {_best(losses):g}, received {reprlib.repr(ours)}, "
                f"for train = {_shown(train)} and dev = {dev}.",
                _hint(cases, received),
            )
    return "The constant is chosen on words that the model has not counted."


def _shown(words: list[str]) -> str:
    """Write a list of names, and a shorter way one that holds the same names several times."""
    times = words.count(words[0])
    once = words[: len(words) // times]
    return f"{once} * {times}" if times > 1 and words == once * times else str(words)


def _losses(
    train: Sequence[str], dev: Sequence[str], candidates: Sequence[float], order: int = 3
) -> dict[float, float]:
    return {k: CountingModel(order, k, LETTERS).fit(train).nll(dev) for k in candidates}


def _best(losses: dict[float, float]) -> float:
    return min(losses, key=losses.__getitem__)


def _hint(cases: list[Case], received: list[Any]) -> str:
    """Return the hint of the misconception that explains everything that was received."""
    misconceptions: list[tuple[Callable[[list[str], list[str], list[float]], float], str]] = [
        (
            lambda train, dev, ks: _best(_losses(train, train, ks)),
            "That is the smallest, which is best on train. Compare on dev.",
        ),
        (
            lambda train, dev, ks: _best(_losses(train + dev, dev, ks)),
            "Count on train alone: dev is for choosing.",
        ),
        (
            lambda train, dev, ks: _best(_losses(dev, train, ks)),
            "Count on train and compare on dev: here it is the other way round.",
        ),
        (
            lambda train, dev, ks: _best(_losses(train, dev, ks, 2)),
            "That is best for bigrams. The model is a trigram model: order 3.",
        ),
        (
            lambda train, dev, ks: _best(_losses(train, dev, ks, 4)),
            "That is best for order 4. A trigram model has order 3.",
        ),
        (
            lambda train, dev, ks: max((loss, k) for k, loss in _losses(train, dev, ks).items())[1],
            "That is the worst: smaller loss is better.",
        ),
        (
            lambda train, dev, ks: min(_losses(train, dev, ks).values()),
            "That is the loss. Return the constant that has it.",
        ),
        (
            lambda train, dev, ks: ks.index(_best(_losses(train, dev, ks))),
            "That is the position of the best constant. Return the constant itself.",
        ),
    ]
    for predicted, hint in misconceptions:
        if all(close(ours, predicted(*case)) for ours, case in zip(received, cases)):
            return hint
    return ""
