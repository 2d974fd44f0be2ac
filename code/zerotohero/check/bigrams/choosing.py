"""Checks of the exercises that choose: the split of the words, and the smoothing constant."""

from __future__ import annotations

import functools
import pickle
import random
import reprlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations, pairwise, product
from string import ascii_lowercase
from typing import Any

import numpy as np
import torch

from ...bigrams import CHARACTERS, LETTERS, CountingModel
from ..numbers import close
from ..running import guarded, run
from ..verdict import checker, describe, fail

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}
# Two of them are equal modulo 10, 100 and so on, and modulo powers of 2.
SEEDS = [42, 43, 0, 40_960_042]


@checker
def split(answer: Any) -> str:
    """Check a function ``(words, seed)`` that returns train, dev and test words, 80/10/10."""
    pairs = ["".join(letters) for letters in product(CHARACTERS[1:], repeat=2)]
    whole = pairs[:500]
    long = ["".join(letters) for letters in product(CHARACTERS[1:], repeat=3)][:2000]
    for words, seed, note in [
        (whole, 42, ""),
        ([*pairs, *pairs[::5], "zz"], 7, ", some of them equal"),
        (pairs[100:237], 1, ""),
        (pairs[50:330], 42, ""),  # a seed that came before, with another list
        (long, 5, ""),
    ]:
        shown = _call(words, seed, note)
        parts = _parts(answer, words, seed, shown)
        _expect_all_words(parts, words, shown)
        if not note:
            _expect_shuffled(parts, words, shown)
    received = {seed: _parts(answer, whole, seed, _call(whole, seed)) for seed in SEEDS}
    _expect_shuffled(received[0], whole, _call(whole, 0), SEED_0)
    for seed in (42, 0):
        shown = _call(whole, seed)
        if _parts(answer, whole, seed, shown) != received[seed]:
            fail(f"{shown} gave another split the second time.", "Use random.Random(seed).")
    _expect_other_parts(received)
    return "Three parts, shuffled, without overlap, the same for the same seed."


def _call(words: list[str], seed: int, note: str = "") -> str:
    return f"split(words, {seed}) (for {len(words):,} words{note})"


def _parts(answer: Any, words: list[str], seed: int, shown: str) -> list[list[str]]:
    """Call the answer, and return the three lists."""
    explained = _explaining(answer, shown, lambda error: _hint_on_none(answer, error))
    with _generators_untouched(shown):
        parts = run(explained, list(words), seed, shown=shown)
        unread = isinstance(parts, (str, bytes, dict)) or not hasattr(parts, "__len__")
        if unread or len(parts) != 3:
            fail(f"{shown} should return three lists, received {type(parts).__name__}.")
        lists: list[list[str]] = guarded(
            lambda: [list(part) for part in parts], f"Reading the three lists of {shown}"
        )
    return lists


# Generators that all code shares: of which module, how to read and to restore its state, and how
# to make one of one's own.
SHARED: list[tuple[str, Callable[[], Any], Callable[[Any], object], str]] = [
    ("random", random.getstate, random.setstate, "random.Random(seed)"),
    (
        "numpy.random",
        np.random.get_state,
        np.random.set_state,
        "numpy.random.default_rng(seed)",
    ),
    (
        "torch",
        lambda: torch.get_rng_state().numpy(),
        lambda state: torch.set_rng_state(torch.from_numpy(state)),
        "torch.Generator().manual_seed(seed)",
    ),
]


@contextmanager
def _generators_untouched(shown: str) -> Iterator[None]:
    """Stop if an answer changes the state of a generator that all code shares. Restore it."""
    before = [state() for _, state, *_ in SHARED]
    try:
        yield
        for (module, state, _, own), old in zip(SHARED, before):
            if pickle.dumps(state()) != pickle.dumps(old):
                fail(
                    f"{shown} changed the state of the global generator of {module}.",
                    f"Other code draws from that one, too. {own} is a generator of your own.",
                )
    finally:
        for (_, _, restore, _), old in zip(SHARED, before):
            restore(old)


OVERLAP = "Two parts overlap: each should start where the one before ends."


def _expect_all_words(parts: list[list[str]], words: list[str], shown: str) -> None:
    """Stop unless the parts hold every word as often as the list, and have the right sizes."""
    together = Counter(word for part in parts for word in part)
    if too_many := together - Counter(words):
        word = next(iter(too_many))
        if word not in words:
            fail(f"{shown}: {word!r} is in a part, and not in the list.")
        fail(
            f"{shown}: {word!r} is more often in the three parts than in the list.",
            OVERLAP if _overlap(parts) else "Cut one shuffled list in three; do not draw.",
        )
    if lost := Counter(words) - together:
        hint = ""
        if tuple(map(len, parts)) in _rounded_down(len(words)):
            hint = "Let the last part run to the end."
        elif len(lost) >= 10 and all(words.count(word) > 1 for word in lost):
            hint = "A word that is twice in the list stays there twice."
        fail(
            f"{shown}: {together.total():,} of {len(words):,} words are in the three parts "
            "together.",
            hint,
        )
    sizes = tuple(map(len, parts))
    wanted = [share * len(words) for share in SHARES.values()]
    if len(words) % 10 == 0:
        exact = tuple(map(round, wanted))
        if sizes != exact:
            fail(f"{shown}: sizes should be {exact}, received {sizes}.")
    elif any(abs(size - right) >= 10 for size, right in zip(sizes, wanted)):
        rounded = ", ".join(f"{size:.1f}" for size in wanted)
        fail(f"{shown}: sizes should be close to ({rounded}), received {sizes}.")


def _rounded_down(n: int) -> list[tuple[int, ...]]:
    """Return the sizes of parts that are each rounded down, so that words are left over."""
    shares = SHARES.values()
    return [tuple(int(share * n) for share in shares), (8 * (n // 10), n // 10, n // 10)]


def _overlap(parts: list[list[str]]) -> bool:
    """Whether a part begins with the last words of the one before."""
    return any(
        before[-n:] == after[:n]
        for before, after in pairwise(parts)
        for n in range(1, min(len(before), len(after)) + 1)
    )


NEIGHBORS = "Shuffle before you cut: the list is sorted, so dev would have only rare names of boys."
SEED_0 = "0 is a seed like any other: shuffle for it, too."


def _expect_shuffled(
    parts: list[list[str]], words: list[str], shown: str, hint: str = NEIGHBORS
) -> None:
    """Stop if a part is a piece of the list, or every so many-th word, or nearly so."""
    place = {word: i for i, word in enumerate(words)}
    for (name, share), part in zip(SHARES.items(), parts):
        found = sorted(place[word] for word in part)
        steps = Counter(b - a for a, b in pairwise(found))
        if set(steps) == {1}:
            piece = f"words[{found[0]}:{found[-1] + 1}]"
            fail(f"{shown}: {name} is {piece}, neighbors in the list.", hint)
        if steps[1] > _most_by_chance(part, share):
            fail(f"{shown}: most words of {name} are neighbors in the list.", hint)
        if len(steps) < 4 and share < 0.5:
            fail(
                f"{shown}: {name} takes words from the list at regular distances.",
                "Shuffle a copy of the list, and cut it.",
            )


def _expect_other_parts(received: dict[int, list[list[str]]]) -> None:
    """Stop unless each seed gives parts that share no more with another seed's than by chance."""
    if all(parts == received[42] for parts in received.values()):
        fail(
            "split gives the same parts for the seeds 42 and 43.",
            "The seed that is given goes unused.",
        )
    for a, b in combinations(SEEDS, 2):
        for (name, share), ours, theirs in zip(SHARES.items(), received[a], received[b]):
            common = len(set(ours) & set(theirs))
            if common == len(ours):
                fail(
                    f"{name} is the same for the seeds {a} and {b}.",
                    f"Another seed should give another {name}: shuffle all words by the seed, "
                    "before the first cut.",
                )
            if common > _most_by_chance(ours, share):
                fail(
                    f"{name} is nearly the same for the seeds {a} and {b}: {common} of its "
                    f"{len(ours)} words.",
                    "Another seed should give another shuffle.",
                )


def _most_by_chance(part: list[str], share: float) -> float:
    """Return more than chance ever gives, which is about ``len(part) * share``."""
    return len(part) * (share + 1) / 2


def _explaining(answer: Any, shown: str, hint_of: Callable[[Exception], str]) -> Any:
    """Return an answer that, if it raises an exception for which there is a hint, gives it."""
    if not callable(answer):
        return answer

    @functools.wraps(answer)
    def explained(*args: Any) -> Any:
        try:
            return answer(*args)
        except Exception as error:
            if hint := hint_of(error):
                fail(f"{shown} raised {describe(error)}", hint)
            raise

    return explained


def _hint_on_none(answer: Any, error: Exception) -> str:
    """Return the hint for an answer that shuffles or sorts, and trips over None."""
    if not isinstance(error, (TypeError, AttributeError)) or "NoneType" not in str(error):
        return ""
    called = getattr(getattr(answer, "__code__", None), "co_names", ())
    if "sort" in called and "shuffle" in called:
        return "sort and shuffle work in place and return None."
    if "sort" in called:
        return "sort works in place and returns None."
    return "shuffle works in place and returns None." if "shuffle" in called else ""


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
# Counted a thousand times, "ab" wants a large constant where dev has "abq", and the other letters,
# counted once, a small one: the loss has two valleys, and is highest between them. So whoever
# doesn't try all candidates ends in the wider one, which isn't the deeper.
OTHER_LETTERS = "cdefghijklmnopqrstuvwxyz"
Case = tuple[list[str], list[str], list[float]]
Names = list[tuple[str, int]]  # some names, and how often they come
CASES: list[tuple[Names, Names, list[float]]] = [  # train, dev, candidates
    ([(AL, 4)], [("al", 1)], [0.001, 0.02, 0.5, 2.0, 40.0]),
    ([(FEW, 1)], [("adilyn helen", 1)], [0.3, 0.001, 0.1, 0.01, 1.0, 3.0, 30.0]),
    ([(FEW, 1)], [("adilyn helen", 1)], [5.0, 0.5, 0.05]),
    ([(FEW, 1)], [("zyx qi", 1)], [1000.0, 10.0, 0.1, 0.001]),
    (
        [(MORE, 1)],
        [("trapper trapper edan nicolai haleem", 1)],
        [0.21, 0.43, 0.11, 0.22, 0.24, 0.024, 2.7],
    ),
    (
        [(OTHERS, 1)],
        [("rosabel parisha avella eavan parisha", 1)],
        [0.097, 0.095, 0.82, 0.39, 0.0082, 0.089],
    ),
    (
        [(REPEATING, 1)],
        [("addisynn addisynn ziggy anova amairah", 1)],
        [0.19, 0.028, 0.085, 0.086, 0.075],
    ),
    (
        [("ab", 1000), (OTHER_LETTERS, 1)],
        [("abq cdef", 1)],
        [0.3, 0.05, 0.1, 30.0, 0.7, 0.2, 0.5],
    ),
    (
        [("ab", 1300), (OTHER_LETTERS, 1)],
        [("abq cdef cdef", 1)],
        [20.0, 2.0, 0.05, 7.0, 3.0, 10.0, 5.0],
    ),
    # All of dev counts, also its last names.
    ([(FEW, 1)], [("amelia", 200), ("zyx qi", 50)], [0.5, 0.04, 0.025, 0.09]),
    # All losses are large: to begin a search with a "large" loss of one's own finds none.
    ([(ascii_lowercase, 1)], [("zyx qi xx", 1)], [1e-12, 1e-9, 1e-15]),
]
SHORT = 7  # so many of the cases have short lists


@checker
def best_smoothing(answer: Any) -> str:
    """Check a function ``(train, dev, candidates)`` that returns the best smoothing constant."""
    cases = [(_listed(train), _listed(dev), candidates) for train, dev, candidates in CASES]
    received: list[Any] = []
    # The long lists come only where the answers for the short ones are right.
    for part in (slice(SHORT), slice(SHORT, None)):
        for case in cases[part]:
            received.append(_received(answer, *case))
        for names, case, ours in zip(CASES[part], cases[part], received[part]):
            losses = _losses(*case)
            best = [k for k in losses if losses[k] < min(losses.values()) + 1e-6]
            if not any(close(ours, k) for k in best):
                train, dev, candidates = names
                fail(
                    f"{_choice(candidates)} should be {best[0]:g}, received {reprlib.repr(ours)}, "
                    f"for train = {_shown(train)} and dev = {_shown(dev)}.",
                    _hint(cases, received),
                )
    return "The constant is chosen on words that the model has not counted."


def _received(answer: Any, train: list[str], dev: list[str], candidates: list[float]) -> Any:
    shown = _choice(candidates)
    explained = _explaining(answer, shown, functools.partial(_hint_on_letters, train, dev))
    return run(explained, list(train), list(dev), list(candidates), shown=shown)


def _choice(candidates: list[float]) -> str:
    return f"best_smoothing(train, dev, {candidates})"


def _listed(names: Names) -> list[str]:
    return [name for text, times in names for name in text.split() * times]


def _shown(names: Names) -> str:
    """Write a list of names as a reader would, also one that holds names many times."""
    return " + ".join(
        f"{text.split()} * {times}" if times > 1 else str(text.split()) for text, times in names
    )


OTHER_WAY_ROUND = "Count on train and compare on dev: here it is the other way round."


def _hint_on_letters(train: list[str], dev: list[str], error: Exception) -> str:
    """Return the hint for a model that was counted on dev, and lacks a letter of a train name."""
    if not isinstance(error, ValueError) or "is not in the vocabulary" not in str(error):
        return ""
    of_train = any(f" is {name!r}: " in str(error) for name in {*train} - {*dev})
    return OTHER_WAY_ROUND if of_train else ""


def _losses(
    train: Sequence[str], dev: Sequence[str], candidates: Sequence[float], order: int = 3
) -> dict[float, float]:
    return {k: CountingModel(order, k, LETTERS).fit(train).nll(dev) for k in candidates}


def _best(losses: dict[float, float]) -> float:
    return min(losses, key=losses.__getitem__)


def _hint(cases: list[Case], received: list[Any]) -> str:
    """Return the hint of the misconception that explains everything received so far."""
    misconceptions: list[tuple[Callable[[list[str], list[str], list[float]], float], str]] = [
        (
            lambda train, dev, ks: _best(_losses(train, train, ks)),
            "That is the smallest, which is best on the names that were counted. "
            "Count on train, compare on dev.",
        ),
        (
            lambda train, dev, ks: _best(_losses(train + dev, dev, ks)),
            "Count on train alone: dev is for choosing.",
        ),
        (
            lambda train, dev, ks: _best(_losses(dev, train, ks)),
            OTHER_WAY_ROUND,
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
