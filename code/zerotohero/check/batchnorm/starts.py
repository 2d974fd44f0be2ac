"""Checks of how a network starts: which tensors may be zero, and how large the others are."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from itertools import combinations
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F

from ...bigrams import V
from ...micrograd.engine import Value
from ..numbers import close
from ..rules import AUTOGRAD, Watch, forbid
from ..running import run
from ..tensors import as_tensor, expect_tensor
from ..verdict import checker, fail
from .norms import Mistakes

SHAPES = {"C": (V, 10), "W1": (30, 200), "b1": (200,), "W2": (200, V), "b2": (V,)}
TARGETS = ([0, 0, 1, 5, 5, 5], [13, 1, 26, 1], [7], [20, 3, 3, 11, 20, 0, 3, 8, 25], [2, 9, 9, 14])
NO_AUTOGRAD = "The exercise is to find the gradients by thinking, without autograd."


@checker
def zero_start(answer: Any) -> str:
    """Check a function ``(X, Y)`` that returns the gradients of an all-zero ``MLP`` by name."""
    rule = forbid(((*AUTOGRAD, "_make_dual"), NO_AUTOGRAD))  # the last is of the forward mode
    for seed, targets in enumerate(TARGETS):
        Y = torch.tensor(targets)
        X = torch.randint(0, V, (len(Y), 3), generator=torch.Generator().manual_seed(seed))
        shown = f"zero_start(X, {targets})"
        with patch.object(Value, "backward", _refuse_backward), Watch(rule):
            received = run(answer, X, Y.clone(), shown=shown)
        if not isinstance(received, Mapping) or set(received) != set(SHAPES):
            what = list(received) if isinstance(received, Mapping) else received
            fail(
                f"{shown} should return a dictionary with the keys {', '.join(SHAPES)}, "
                f"received {reprlib.repr(what)}."
            )
        for name in (*(name for name in SHAPES if name != "b2"), "b2"):
            _expect_gradient(received[name], name, Y, f"The gradient of {name} in {shown}")
    return "Only the output bias gets a gradient. It learns how frequent each character is."


def _expect_gradient(received: Any, name: str, Y: torch.Tensor, shown: str) -> None:
    gradient, right, mistakes = as_tensor(received, shown), torch.zeros(SHAPES[name]), []
    hint = "Which factor of this gradient is zero: h, W2 or W1?"
    if name == "b2":
        right, mistakes, hint = (1 / V - F.one_hot(Y, V)).mean(0), _mistakes_of_b2(Y), ""
    if gradient.shape != SHAPES[name]:
        hint = "A gradient has the shape of its tensor."
    expect_tensor(gradient, right, shown, mistakes, otherwise=hint)


def _refuse_backward(_: Value) -> None:
    fail("backward is ruled out in this exercise.", NO_AUTOGRAD)


def _mistakes_of_b2(Y: torch.Tensor) -> Mistakes:
    answers, n = F.one_hot(Y, V), len(Y)
    dlogits = (1 / V - answers) / n
    everywhere = "The probability is 1/27 for every character, whether it occurs in Y or not."
    return [
        (-dlogits.sum(0), "The sign is reversed: probability minus answer."),
        (n * dlogits.sum(0), "The loss is a mean: divide by the examples."),
        (dlogits.mean(0), "Divide by the number of examples only once."),
        (dlogits, "One bias serves all examples: add up their gradients."),
        (torch.full((V,), 1 / V), "Subtract 1 where the right answer is."),
        (-answers.sum(0) / n, everywhere),
        (-answers.sum(0).double(), everywhere),
        (torch.zeros(V), "b2 does learn: all probabilities are 1/27, the answers are not."),
        (
            1 / V - answers.amax(0) / n,
            "An answer that occurs twice counts twice. With [Y] -= it counts once.",
        ),
    ]


@checker
def learns(answer: Any) -> str:
    """Check a function ``(nonzero)``: whether an ``MLP`` learns about contexts from that start."""
    for size in range(len(SHAPES) + 1):
        for chosen in combinations(SHAPES, size):
            nonzero = set(chosen)
            shown = f"learns({{{', '.join(map(repr, chosen))}}})" if chosen else "learns(set())"
            given = set(nonzero)
            received = run(answer, given, shown=shown, may_change=(0,))
            if given != nonzero:
                fail(f"{shown} changed the set it was given.", "Work on a copy: set(nonzero).")
            if not (close(received, 1) or close(received, 0)):
                fail(f"{shown} should return True or False, received {reprlib.repr(received)}.")
            table, starter = nonzero & {"C", "W1"}, nonzero & {"W2", "b1"}
            expected = len(table) + bool(starter) >= 2
            if close(received, expected):
                continue
            if "b2" in nonzero:  # the set without it came earlier, and was right
                hint = "b2 makes no difference: compare with the same set without it."
            elif not table:
                hint = "The gradient of C needs W1, and that of W1 needs C: both stay zero."
            elif not expected:
                hint = "With b1 and W2 zero, h stays zero unless both C and W1 are nonzero."
            elif len(table) == 2:
                hint = "With C and W1, h is not zero, so W2 gets a gradient in the first step."
            elif "W2" in nonzero:
                hint = "With W2, a gradient gets past the output layer: follow it to C and W1."
            else:
                hint = "With b1, h is not zero, so W2 gets a gradient in the first step."
            fail(f"{shown} should be {expected}, received {not expected}.", hint)
    return "Two of C, W1 and W2 bring the third to life, and b1 can stand in for W2."


FUNCTIONS = {
    "tanh": torch.tanh,  # first: here, the usual mistakes have results of their own
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
    "softplus": F.softplus,
    "sin": torch.sin,
    "lambda x: 3 * x": lambda x: 3 * x,
    "lambda x: 0.01 * x.tanh()": lambda x: 0.01 * x.tanh(),
    "lambda x: x": lambda x: x,  # its output is z itself, and may not be overwritten
}


@checker
def gain(answer: Any) -> str:
    """Check a function ``(f, z)`` that returns the gain for a nonlinearity f."""
    for seed, (name, f) in enumerate(FUNCTIONS.items()):
        shown, z = f"gain({name}, z)", _normal_numbers(5_000 + 700 * seed, seed)
        received = run(answer, f, z.clone(), shown=shown)
        if not _is_one_number(received):
            fail(f"{shown} should return one number, received {reprlib.repr(received)}.")
        mean_square = f(z).double().square().mean().item()
        if _within_1_percent(received, mean_square**-0.5):
            continue
        hints = (
            text
            for wrong, text in _mistakes_of_gain(name, f(z).double())
            if _within_1_percent(received, wrong)
        )
        fail(
            f"{shown} should be near {mean_square**-0.5:.4f}, received {reprlib.repr(received)}.",
            next(hints, ""),
        )
    return "The gain makes up for what the nonlinearity takes away."


def _is_one_number(received: Any) -> bool:
    """Whether a result is a number: of Python, of NumPy, or a tensor with one entry; or NaN."""
    if isinstance(received, (str, bytes)):
        return False
    try:
        float(received.detach() if isinstance(received, torch.Tensor) else received)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return False
    return True


def _within_1_percent(received: Any, expected: float) -> bool:
    return close(received, expected, 0.01 * min(1.0, expected))  # close is relative to 1 or more


def _normal_numbers(count: int, seed: int) -> torch.Tensor:
    """Return normal numbers whose mean square, unlike that of drawn ones, is hardly off."""
    evenly = (torch.arange(count) + 0.5) / count
    shuffled = evenly[torch.randperm(count, generator=torch.Generator().manual_seed(seed))]
    return torch.special.ndtri(shuffled)


def _mistakes_of_gain(name: str, out: torch.Tensor) -> list[tuple[float, str]]:
    mean_square, variance = out.square().mean().item(), out.var().item()
    shrinks = "That is how much f shrinks. The gain makes up for it."
    known = "5/3 comes from PyTorch's table. Compute the gain from f and z."
    mistakes = [
        (variance**-0.5, "The mean square, not the variance: E[x²] has to be 1."),
        (math.sqrt(mean_square), shrinks),
        (mean_square, shrinks),
        (1 / mean_square, "A factor g changes the mean square by g²."),
        (5 / 3, known),
    ]
    if name != "relu":
        mistakes.append((math.sqrt(2), "√2 is the gain for ReLU. Compute it from f and z."))
    return mistakes
