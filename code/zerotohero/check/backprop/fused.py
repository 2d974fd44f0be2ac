"""Checks of gradients in one expression, for chapter 5: cross-entropy and normalization."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from ...backprop import batchnorm_backward, layernorm_backward
from ...backprop.model import EPS
from ...bigrams import V
from ..running import run
from ..tensors import as_tensor
from ..verdict import checker
from .hints import (
    PAGE_N,
    TYPED_IN,
    WRONG_DIMENSION,
    Mistakes,
    by_hand,
    expect_gradient,
    hinted,
)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- cross-entropy ---------------------------------------------------------------------

NO_ONEHOT = "The right answer is missing: where does −log p pull?"
ONCE = "Divided by n twice: the loss is one mean."
WHOLE = "The whole difference is divided by n, the mean."
ROWS = "Each row has its own softmax: over dimension 1."
ONLY_RIGHT = "Subtract 1 only at the right answer of each row."
OTHERS = "The wrong answers have a gradient, too."
OVERFLOW = "exp of a large logit overflows. softmax(1) subtracts the largest one first."
UNDERFLOW = (
    "exp of a very negative logit is 0, and a row of zeros can't be normalized. Subtract from each "
    "row its own largest logit."
)
CHARACTERS = (
    "27 is the number of characters on this page. The number of classes is logits.shape[1]."
)
CLASSES = (
    "Without a number of classes, F.one_hot goes up to the largest one in Y. The number of "
    "classes is logits.shape[1]."
)


@checker
def cross_entropy(answer: Any) -> str:
    """Check a function ``(logits, Y)`` that returns the gradient of the mean cross-entropy."""
    spread = torch.tensor([[900.0], [-900.0], [0.0], [-300.0]])
    for kind, logits, Y, overflow in (
        ("", torch.randn(6, 5, generator=_generator(5)), [1, 3, 2, 2, 1, 3], ""),
        ("", torch.randn(7, 3, generator=_generator(6)), [0, 2, 0, 1, 0, 2, 2], ""),
        (
            " with large logits",
            950 + 3 * torch.randn(9, 7, generator=_generator(7)),
            [6, 0, 6, 2, 4, 4, 1, 0, 6],
            OVERFLOW,
        ),
        (
            " with rows of large and small logits",
            spread + torch.randn(4, 6, generator=_generator(8)),
            [5, 0, 3, 3],
            UNDERFLOW,
        ),
        (
            " with large and small logits in a row",
            2000 * torch.rand(5, 8, generator=_generator(9)) - 1000,
            [2, 6, 1, 1, 0],
            OVERFLOW,
        ),
    ):
        targets = torch.tensor(Y)
        right = (logits.softmax(1) - F.one_hot(targets, logits.shape[1])) / len(Y)
        shown = f"cross_entropy(logits, Y){kind}"
        most = max(Y) + 1  # so many columns has F.one_hot(Y)
        with hinted(
            (rf"\b({PAGE_N})\b", TYPED_IN),
            (rf"\b({V})\b", CHARACTERS),
            (rf"tensor a \({logits.shape[1]}\) must match .* tensor b \({most}\)", CLASSES),
        ):
            received = run(by_hand(answer), logits.clone(), targets.clone(), shown=shown)
        if overflow and not bool(as_tensor(received, shown).isnan().any()):
            overflow = ""
        expect_gradient(
            received,
            right,
            shown,
            partial(_mistakes_of_cross_entropy, logits, targets, overflow, received),
            n=len(Y),
        )
    return "Softmax minus one-hot, divided by n: eight lines in one."


def _mistakes_of_cross_entropy(
    logits: torch.Tensor, Y: torch.Tensor, overflow: str, received: Any
) -> Mistakes:
    n, onehot, probs = len(Y), F.one_hot(Y, logits.shape[1]), logits.softmax(1)
    if overflow:
        return [(as_tensor(received, "").double(), overflow)]
    return [
        (probs / n, NO_ONEHOT),
        (probs, NO_ONEHOT),
        ((probs - onehot) / n**2, ONCE),
        (probs - onehot / n, WHOLE),
        (probs / n - onehot, WHOLE),
        ((logits.softmax(0) - onehot) / n, ROWS),
        (logits.softmax(0) - onehot, ROWS),
        ((probs - 1) / n, ONLY_RIGHT),
        ((probs - onehot.amax(0)) / n, ONLY_RIGHT),  # d[:, Y] -= 1
        (probs / n * onehot - onehot / n, OTHERS),
    ]


# -- batch normalization ---------------------------------------------------------------

BESSEL = "The variance divides by n − 1. That factor stays in the last term."
NO_MEAN = "A change of one example moves the mean of all. That term is missing."
NO_VARIANCE = "A change of one example moves the variance of all. That term is missing."
NEITHER = "Every example moves the mean and the variance of all."
MINUS_LAST = "The last term is subtracted."
MINUS_MEAN = "The mean is subtracted."
BNGAIN = "The gradient passes through bngain first."
BNVAR_INV = "The factor bnvar_inv is missing."
DIVIDED = "Both sums are divided."
MEAN_OF_N = "The mean of the gradients is over the n examples."
BNRAW = "The last term has a factor bnraw."
OVER_EXAMPLES = "Both sums run over the examples, dimension 0: each neuron has its own."
WHICH = "Compare the shapes: which dimension holds the examples?"
SQUARED = "There is one factor bnvar_inv too many. bnraw contains another."


@checker
def batchnorm(answer: Any) -> str:
    """Check a function ``(dhpreact, bngain, bnraw, bnvar_inv)`` that returns ``dhprebn``."""
    for n, H in ((6, 4), (9, 3), (5, 7)):
        g = _generator(n)
        x = torch.randn(n, H, generator=g) * 2 + 1
        d, bngain = torch.randn(n, H, generator=g), torch.randn(1, H, generator=g)
        inv = (x.var(0, keepdim=True) + EPS) ** -0.5
        raw = (x - x.mean(0, keepdim=True)) * inv
        right = batchnorm_backward(d, bngain, raw, inv)
        shown = f"batchnorm of a batch of {n}"
        with hinted(
            (rf"\b({PAGE_N}|{PAGE_N - 1})\b", TYPED_IN),
            (rf"tensor . \(({n}|{H})\) must match .* tensor . \(({n}|{H})\)", WHICH),
        ):
            given = [t.clone() for t in (d, bngain, raw, inv)]
            received = run(by_hand(answer), *given, shown=shown)
        expect_gradient(
            received, right, shown, partial(batchnorm_mistakes, d, bngain, raw, inv), n=n
        )
    return "Seven lines in one expression, Bessel's factor included."


def batchnorm_mistakes(
    d: torch.Tensor, gain: torch.Tensor, raw: torch.Tensor, inv: torch.Tensor
) -> Mistakes:
    """Return what mistakes make of the expression, the likeliest first."""
    n, H = d.shape
    total, along = d.sum(0, keepdim=True), (d * raw).sum(0, keepdim=True)
    mean, third = total / n, raw * along / (n - 1)
    brackets = [
        (d - mean - raw * along / n, BESSEL),
        (d - total / (n - 1) - third, MEAN_OF_N),
        (d - total / (n - 1) - raw * along / n, MEAN_OF_N),
        (d - third, NO_MEAN),
        (d - raw * along / n, NO_MEAN),
        (d - mean, NO_VARIANCE),
        (d, NEITHER),
        (d - mean + third, MINUS_LAST),
        (d + mean - third, MINUS_MEAN),
        (d + mean + third, MINUS_MEAN),
        (d - total - raw * along, DIVIDED),
        (d - mean - raw * along, DIVIDED),
        (d - total - third, DIVIDED),
        (d - mean - along / (n - 1), BNRAW),
        (d - mean - third.sum(1, keepdim=True), WRONG_DIMENSION),
        (d - mean - third * inv, SQUARED),
        (d - total / PAGE_N - raw * along / (PAGE_N - 1), TYPED_IN),
        (d - mean - raw * along / (PAGE_N - 1), TYPED_IN),
        (d - total / PAGE_N - third, TYPED_IN),
    ]
    # One of the sums, or both, along the row: divided by anything.
    row, row_along = d.sum(1, keepdim=True), (d * raw).sum(1, keepdim=True)
    means = [mean, row / H, row / n, row / (n - 1)]
    lasts = [third, *(raw * row_along / size for size in (H - 1, H, n - 1, n))]
    for first in means:
        for last in lasts:
            if (first is mean) + (last is third) < 2:
                brackets.append((d - first - last, OVER_EXAMPLES))
    found = [(gain * inv * bracket, hint) for bracket, hint in brackets]
    found += [
        (inv * (d - mean - third), BNGAIN),
        (gain * (d - mean - third), BNVAR_INV),
        (gain * inv**2 * (d - mean - third), SQUARED),
    ]
    return found


# -- layer normalization ---------------------------------------------------------------

UNCHANGED = (
    "That is the expression for BatchNorm, as it was. Which entries share a mean and a variance "
    "here?"
)
BY_ROW = "A row is normalized by itself: the means are over dimension 1."
GAIN_INSIDE = "The gain differs along the row: it stays inside the sums."
GAIN_FIRST = "The gradient passes through the gain first."
WIDTH = "The means run along the row, so divide by its width, not by n."
BY_WIDTH = "LayerNorm's variance divides by the width: both terms are means."
ROW_VARIANCE = "Every number moves the variance of its row, too."
ROW_MEAN = "Every number moves the mean of its row, too."
ROWS_KEEP = "Compare the shapes: a mean over each row needs keepdim=True."
VAR_INV = "The factor var_inv is missing."


@checker
def layernorm(answer: Any) -> str:
    """Check a function ``(dy, gain, raw, var_inv)``: the gradient of LayerNorm's input."""
    for n, width in ((4, 6), (3, 9), (7, 5)):
        g = _generator(width)
        x = torch.randn(n, width, generator=g) * 2 + 1
        d, gain = torch.randn(n, width, generator=g), torch.randn(width, generator=g)
        inv = (x.var(1, keepdim=True, correction=0) + EPS) ** -0.5
        raw = (x - x.mean(1, keepdim=True)) * inv
        right = layernorm_backward(d, gain, raw, inv)
        shown = f"layernorm of shape {(n, width)}"
        with hinted(
            (rf"tensor . \(({n}|{width})\) must match .* tensor . \(({n}|{width})\)", ROWS_KEEP)
        ):
            given = [t.clone() for t in (d, gain, raw, inv)]
            received = run(by_hand(answer), *given, shown=shown)
        mistakes = partial(_mistakes_of_layernorm, d, gain, raw, inv)
        expect_gradient(received, right, shown, mistakes)
    return "The same three terms as for BatchNorm, along the row."


def _mistakes_of_layernorm(
    d: torch.Tensor, gain: torch.Tensor, raw: torch.Tensor, inv: torch.Tensor
) -> Mistakes:
    """Return what is left of BatchNorm's expression, in any mix, and other mistakes."""
    n, width = d.shape
    dg = d * gain

    def three_terms(d: torch.Tensor, dim: int, first: int, last: int) -> torch.Tensor:
        total, along = d.sum(dim, keepdim=True), (d * raw).sum(dim, keepdim=True)
        return inv * (d - total / first - raw * along / last)

    found = [(gain * three_terms(d, 0, n, n - 1), UNCHANGED)]
    sizes = [(size, last) for size in (width, n) for last in (size, size - 1)]
    for first, last in [*sizes, (width - 1, width - 1), (width, n), (width, n - 1), (n, width)]:
        for dim in (0, 1):
            hints = [
                BY_ROW if dim == 0 else "",
                WIDTH if {first, last} & {n, n - 1} else "",
                BY_WIDTH if (first, last) != (width, width) else "",
            ]
            hint = next(filter(None, hints), "")
            found.append((three_terms(dg, dim, first, last), hint))
            found.append((gain * three_terms(d, dim, first, last), hint or GAIN_INSIDE))
            found.append((three_terms(d, dim, first, last), hint or GAIN_FIRST))
    mean, along = dg.mean(1, keepdim=True), (dg * raw).mean(1, keepdim=True)
    found += [
        (inv * (dg - mean), ROW_VARIANCE),
        (inv * (dg - raw * along), ROW_MEAN),
        (dg - mean - raw * along, VAR_INV),
    ]
    return found
