"""The checks of chapter 5 for one expression: cross-entropy, BatchNorm and LayerNorm."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.backprop import batchnorm_backward, cross_entropy_backward, layernorm_backward
from zerotohero.check import backprop

Answer = Callable[..., Any]
SIGN = "The sign is reversed."
TIMES_N = "Too large by the factor n. Where does the mean over the examples enter?"
WRONG_DIMENSION = "That is the sum over the wrong dimension."


# -- cross-entropy -------------------------------------------------------------------------


def in_place(logits: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    d = F.softmax(logits, 1)
    d[range(len(Y)), Y] -= 1
    d /= len(Y)
    return d


@pytest.mark.parametrize(
    "answer",
    [
        in_place,
        cross_entropy_backward,
        lambda z, Y: torch.func.grad(lambda x: F.cross_entropy(x, Y))(z),
        lambda z, Y: in_place(z, Y).tolist(),
    ],
)
def test_cross_entropy_right(answer: Answer) -> None:
    verdict = backprop.cross_entropy(answer)
    assert verdict, verdict
    assert "eight lines in one" in verdict.message


def onehot(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    return F.one_hot(Y, z.shape[1])


def naive(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    counts = z.exp()
    return (counts / counts.sum(1, keepdim=True) - onehot(z, Y)) / len(Y)


def spoils(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    z -= z.max(1, keepdim=True).values
    return naive(z, Y)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda z, Y: z.softmax(1) - onehot(z, Y), TIMES_N),
        (lambda z, Y: (onehot(z, Y) - z.softmax(1)) / 6, SIGN),
        (
            lambda z, Y: in_place(z, Y) / 6,
            "Too small by the factor n. The mean is in the gradients from above already.",
        ),
        (
            lambda z, Y: z.softmax(1) / 6,
            "The right answer is missing: where does −log p pull?",
        ),
        (lambda z, Y: z.softmax(1), "The right answer is missing: where does −log p pull?"),
        (
            lambda z, Y: z.softmax(1) - onehot(z, Y) / 6,
            "The whole difference is divided by n, the mean.",
        ),
        (
            lambda z, Y: (z.softmax(0) - onehot(z, Y)) / 6,
            "Each row has its own softmax: over dimension 1.",
        ),
        (
            lambda z, Y: (z.softmax(1) - 1) / 6,
            "Subtract 1 only at the right answer of each row.",
        ),
        (
            lambda z, Y: (z.softmax(1) - 1) * onehot(z, Y) / 6,
            "The wrong answers have a gradient, too.",
        ),
        (lambda z, Y: in_place(z, Y).T, "That is the transpose of what is asked for."),
        (lambda z, Y: in_place(z, Y) / 5, "Every entry is 0.2 times what it should be."),
        (lambda z, Y: z, ""),
    ],
)
def test_cross_entropy_wrong(answer: Answer, hint: str) -> None:
    outcome(backprop.cross_entropy(answer), "cross_entropy(logits, Y)", hint=hint)


def test_cross_entropy_of_large_logits() -> None:
    outcome(
        backprop.cross_entropy(naive),
        "with large logits: entry",
        "received nan",
        hint="exp of a large logit overflows. softmax(1) subtracts the largest one first.",
    )
    outcome(backprop.cross_entropy(spoils), "changed the logits", hint="Work on a copy.")


# -- batch normalization -------------------------------------------------------------------


def batchnorm(
    d: torch.Tensor, gain: torch.Tensor, raw: torch.Tensor, inv: torch.Tensor, **changes: Any
) -> torch.Tensor:
    """Compute the lecture's grouping of the expression, perhaps with a mistake."""
    n, dim = len(d), changes.get("dim", 0)
    first = n * d
    second = changes.get("second", 1) * d.sum(0)
    if changes.get("inside"):
        second = second * n / (n - 1)
    third = raw * (d * raw).sum(0) if changes.get("factor", True) else (d * raw).sum(0)
    third = changes.get("third", 1) * third * n / (n - changes.get("correction", 1))
    if dim:
        third = third.sum(dim, keepdim=True)
    gain = gain if changes.get("scaled", True) else torch.ones_like(gain)
    inv = inv if changes.get("divided", True) else torch.ones_like(inv)
    return gain * inv / changes.get("divisor", n) * (first - second - third)


def by_lines(
    d: torch.Tensor, gain: torch.Tensor, raw: torch.Tensor, inv: torch.Tensor
) -> torch.Tensor:
    n, draw, diff = len(d), d * gain, raw / inv
    dvar = -0.5 * inv**3 * (draw * diff).sum(0, keepdim=True)
    ddiff = draw * inv + 2 / (n - 1) * diff * dvar
    return ddiff - ddiff.mean(0)


@pytest.mark.parametrize("answer", [batchnorm, by_lines, batchnorm_backward])
def test_batchnorm_right(answer: Answer) -> None:
    verdict = backprop.batchnorm(answer)
    assert verdict, verdict
    assert "Bessel's factor included" in verdict.message


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        (
            {"correction": 0},
            "The variance divides by n − 1. That factor stays in the last term.",
        ),
        (
            {"second": 0},
            "A change of one example moves the mean of all. That term is missing.",
        ),
        (
            {"third": 0},
            "A change of one example moves the variance of all. That term is missing.",
        ),
        (
            {"second": 0, "third": 0},
            "Every example moves the mean and the variance of all.",
        ),
        ({"third": -1}, "The last term is subtracted."),
        ({"second": -1}, "The mean is subtracted."),
        ({"scaled": False}, "The gradient passes through bngain first."),
        ({"divided": False}, "The factor bnvar_inv is missing."),
        ({"inside": True}, "The mean of the gradients is over the n examples."),
        ({"factor": False}, "The last term has a factor bnraw."),
        ({"dim": 1}, WRONG_DIMENSION),
        ({"divisor": 1}, TIMES_N),
    ],
)
def test_batchnorm_wrong(changes: dict[str, Any], hint: str) -> None:
    verdict = backprop.batchnorm(lambda *args: batchnorm(*args, **changes))
    outcome(verdict, "batchnorm of a batch of 6: entry (0, 0) should be", hint=hint)


def test_batchnorm_wrong_in_other_ways() -> None:
    def undivided(d: Any, gain: Any, raw: Any, inv: Any) -> torch.Tensor:
        return gain * inv * (d - d.sum(0) - raw * (d * raw).sum(0))

    outcome(backprop.batchnorm(undivided), "batch of 6", hint="Both sums are divided.")
    outcome(backprop.batchnorm(lambda *args: -batchnorm(*args)), "batch of 6", hint=SIGN)

    def for_six(d: Any, gain: Any, raw: Any, inv: Any) -> torch.Tensor:
        return gain * inv / 6 * (6 * d - d.sum(0) - 6 / 5 * raw * (d * raw).sum(0))

    outcome(backprop.batchnorm(for_six), "batchnorm of a batch of 9")


# -- layer normalization -------------------------------------------------------------------


def layernorm(
    d: torch.Tensor, gain: torch.Tensor, raw: torch.Tensor, inv: torch.Tensor, **changes: Any
) -> torch.Tensor:
    dim, width = changes.get("dim", 1), d.shape[1]
    bessel = width / (width - changes.get("correction", 0))
    if not changes.get("outside"):
        d = d * gain
    mean, along = d.mean(dim, keepdim=True), (d * raw).mean(dim, keepdim=True)
    out = d - changes.get("second", 1) * mean - changes.get("third", 1) * raw * along * bessel
    return inv * (gain * out if changes.get("outside") == "gain" else out)


@pytest.mark.parametrize("answer", [layernorm, layernorm_backward])
def test_layernorm_right(answer: Answer) -> None:
    verdict = backprop.layernorm(answer)
    assert verdict, verdict
    assert "along the row" in verdict.message


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"outside": "gain"}, "The gain differs along the row: it stays inside the sums."),
        ({"outside": "lost"}, "The gradient passes through the gain first."),
        ({"dim": 0}, "A row is normalized by itself: the means are over dimension 1."),
        (
            {"correction": 1},
            "LayerNorm's variance divides by the width: both terms are means.",
        ),
        ({"third": 0}, "Every number moves the variance of its row, too."),
        ({"second": 0}, "Every number moves the mean of its row, too."),
    ],
)
def test_layernorm_wrong(changes: dict[str, Any], hint: str) -> None:
    verdict = backprop.layernorm(lambda *args: layernorm(*args, **changes))
    outcome(verdict, "layernorm of shape (4, 6): entry (0, 0) should be", hint=hint)
