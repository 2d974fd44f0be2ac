"""The check of chapter 4's question which tensors may start at zero."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from check_answers import outcome

from zerotohero.check.batchnorm import learns
from zerotohero.mlp import MLP, train

NAMES = ("C", "W1", "b1", "W2", "b2")
Rule = Callable[[set[str]], Any]


def by_training(nonzero: set[str]) -> bool:
    """Train for a few steps, and see whether the logits depend on the context."""
    net = MLP(torch.Generator().manual_seed(1))
    for name in NAMES:
        getattr(net, name).mul_(0.1 if name in nonzero else 0)
    gen = torch.Generator().manual_seed(2)
    X = torch.randint(0, 27, (64, 3), generator=gen)
    train(net, X, X[:, 0], steps=10, learning_rate=0.5, generator=gen, progress=False)
    return bool(net(X).std(0).max() > 0)


@pytest.mark.usefixtures("one_thread")
def test_training_says_the_same() -> None:
    verdict = learns(by_training)
    assert verdict, verdict.message
    assert "b1 can stand in for W2" in verdict.message


def by_rule(nonzero: set[str]) -> bool:
    return ("C" in nonzero) + ("W1" in nonzero) + ("W2" in nonzero or "b1" in nonzero) >= 2


STAY = "The gradient of C needs W1, and that of W1 needs C: both stay zero."
NOTHING = "With b1 and W2 zero, h stays zero unless both C and W1 are nonzero."
FIRST = "With C and W1, h is not zero, so W2 gets a gradient in the first step."
PAST = "With W2, a gradient gets past the output layer: follow it to C and W1."
NO_DIFFERENCE = "b2 makes no difference: compare with the same set without it."
STANDS_IN = "With b1, h is not zero, so W2 gets a gradient in the first step."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (lambda s: True, "learns(set()) should be False, received True.", STAY),
        (lambda s: bool(s), "learns({'C'}) should be False, received True.", NOTHING),
        (lambda s: "W1" in s, "learns({'W1'}) should be False, received True.", NOTHING),
        (lambda s: "W2" in s, "learns({'W2'}) should be False, received True.", STAY),
        (lambda s: {"W1", "W2"} <= s, "learns({'C', 'W1'}) should be True", FIRST),
        (lambda s: {"C", "W1"} <= s, "learns({'C', 'b1'}) should be True", STANDS_IN),
        (
            lambda s: {"C", "W1"} <= s or {"C", "b1"} <= s,
            "learns({'C', 'W2'}) should be True, received False.",
            PAST,
        ),
        (
            lambda s: len(s & {"C", "W1", "W2"}) >= 2,
            "learns({'C', 'b1'}) should be True, received False.",
            STANDS_IN,
        ),
        (
            lambda s: len(s & {"C", "W1", "W2", "b1"}) >= 2,
            "learns({'b1', 'W2'}) should be False, received True.",
            STAY,
        ),
        (lambda s: by_rule(s) and "b2" not in s, "'b2'}) should be True", NO_DIFFERENCE),
        (
            lambda s: by_rule(s) or {"C", "b2"} <= s,
            "learns({'C', 'b2'}) should be False, received True.",
            NO_DIFFERENCE,
        ),
        (lambda s: int(not by_rule(s)), "learns(set()) should be False, received True.", STAY),
    ],
)
def test_learns_wrong(answer: Rule, words: str, hint: str) -> None:
    outcome(learns(answer), words, hint=hint)


@pytest.mark.parametrize("junk", [2, -1, 0.5, "True", "", {"C"}, [], [True], torch.zeros(2)])
def test_learns_wants_true_or_false(junk: Any) -> None:
    outcome(learns(lambda s: junk), "learns(set()) should return True or False, received ")


@pytest.mark.parametrize("dress", [bool, int, float, np.bool_, np.int64, torch.tensor, np.array])
def test_learns_takes_any_yes_and_no(dress: Callable[[bool], Any]) -> None:
    assert learns(lambda s: dress(by_rule(s)))


def test_learns_keeps_what_it_is_given() -> None:
    def taking_out(nonzero: set[str]) -> bool:
        answer = by_rule(nonzero)
        nonzero.clear()
        return answer

    outcome(
        learns(taking_out), "changed the set it was given.", hint="Work on a copy: set(nonzero)."
    )
