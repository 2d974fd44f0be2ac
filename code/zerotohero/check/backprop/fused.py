"""Checks of gradients in one expression, for chapter 5: cross-entropy and normalization."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from ...backprop import batchnorm_backward, layernorm_backward
from ...backprop.model import EPS
from ...bigrams import V
from ..running import run
from ..tensors import as_tensor, expect_tensor
from ..verdict import checker, fail
from .hints import (
    PAGE_N,
    SIZES,
    SIZES_IN_ERROR,
    TYPED_IN,
    WRONG_DIMENSION,
    Mistakes,
    by_hand,
    expect_gradient,
    hinted,
)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _expect(
    received: Any,
    right: torch.Tensor,
    shown: str,
    mistakes: Callable[[], Mistakes],
    n: int | None = None,
) -> None:
    """Do as ``expect_gradient``, where one of the two dimensions may have size 1."""
    lost = [(right.squeeze(), SIZE_1)]
    expect_gradient(received, right, shown, lambda: [*lost, *mistakes()], n=n)


SIZE_1 = "A dimension of size 1 is missing: squeeze and an index remove it."

# -- cross-entropy ---------------------------------------------------------------------

NO_ONEHOT = "The right answer is missing: where does −log p pull?"
ONCE = "Divided by n twice: the loss is one mean."
WHOLE = "The whole difference is divided by n, the mean."
ROWS = "Each row has its own softmax: over dimension 1."
ONLY_RIGHT = "Subtract 1 only at the right answer of each row."
OTHERS = "The wrong answers have a gradient, too."
OVERFLOW = "exp of a large logit overflows. softmax(1) subtracts the largest one first."
SIMPLIFY = (
    "A probability can round to 0, and dividing by it gives NaN: simplify before you differentiate."
)
DTYPE = "The logits can be in double precision. zeros_like and new_zeros keep their dtype."
NOTHING_ADDED = (
    "Add no ε and use no clamp: a small probability counts, too, and should be right relative to "
    "its own size."
)
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


class _Case(NamedTuple):
    """Logits with their targets; ``kind`` names them, ``nan`` is the hint where NaN comes back."""

    kind: str
    logits: torch.Tensor
    Y: list[int]
    nan: str = ""


def _cases() -> list[_Case]:
    normal = [torch.randn(n, c, generator=_generator(n)) for n, c in ((6, 5), (7, 3), (1, 6))]
    large = 950 + 3 * torch.randn(9, 7, generator=_generator(8))
    offset = torch.tensor([[900.0], [-900.0], [0.0], [-300.0]])
    rows = offset + torch.randn(4, 6, generator=_generator(9))
    mixed = 2000 * torch.rand(5, 8, generator=_generator(10)) - 1000
    below = mixed / 2 - mixed.amax(1, keepdim=True) / 2  # from 0 down: no exp overflows
    tiny = -40 * torch.rand(6, 7, generator=_generator(11), dtype=torch.float64)
    apart = -100 - 600 * torch.rand(5, 9, generator=_generator(12), dtype=torch.float64)
    apart[range(5), [3, 0, 8, 3, 6]] = 0
    apart += torch.tensor([[-200.0], [900], [0], [550], [1000]])
    return [
        _Case("", normal[0], [1, 3, 2, 2, 1, 3]),
        _Case("", normal[1], [0, 2, 0, 1, 0, 2, 2]),
        _Case(" for one example", normal[2], [4]),
        _Case(" with tiny probabilities", below, [2, 6, 1, 1, 0], SIMPLIFY),
        _Case(" with large logits", large, [6, 0, 6, 2, 4, 4, 1, 0, 6], OVERFLOW),
        _Case(" with rows of large and small logits", rows, [5, 0, 3, 3], UNDERFLOW),
        _Case(" with large and small logits in a row", mixed, [3, 5, 2, 2, 1], OVERFLOW),
        _Case(" in double precision", tiny, tiny.argmin(1).tolist()),
        _Case(" in double precision, with logits far apart", apart, [2, 7, 1, 8, 1]),
    ]


@checker
def cross_entropy(answer: Any) -> str:
    """Check a function ``(logits, Y)`` that returns the gradient of the mean cross-entropy."""
    for case in _cases():
        logits, Y = case.logits, torch.tensor(case.Y)
        right = (logits.softmax(1) - F.one_hot(Y, logits.shape[1])) / len(Y)
        shown = f"cross_entropy(logits, Y){case.kind}"
        most = max(case.Y) + 1  # so many columns has F.one_hot(Y)
        with hinted(
            (rf"\b({PAGE_N})\b", TYPED_IN),
            (rf"\b({V})\b", CHARACTERS),
            (rf"tensor a \({logits.shape[1]}\) must match .* tensor b \({most}\)", CLASSES),
            *([("dtype|Double", DTYPE)] if logits.dtype == torch.float64 else []),
        ):
            received = run(by_hand(answer), logits.clone(), Y.clone(), shown=shown)
        numbers = as_tensor(received, shown)
        finite = numbers.isfinite()
        if case.nan and not bool(finite.all()):
            # Dividing by a probability spoils its whole row; an exp that overflows, only itself.
            itself = numbers.ndim == 2 and bool((finite.any(1) & ~finite.all(1)).any())
            hint = OVERFLOW if itself and case.nan == SIMPLIFY else case.nan
            expect_tensor(received, right, shown, otherwise=hint)
        _expect(
            received,
            right,
            shown,
            partial(_mistakes_of_cross_entropy, logits, Y),
            n=len(Y),
        )
        if logits.dtype == torch.float64:
            _expect_small_ones(received, logits, right, shown)
    return "Softmax minus one-hot, divided by n: eight lines in one."


def _expect_small_ones(
    received: Any, logits: torch.Tensor, right: torch.Tensor, shown: str
) -> None:
    """Stop unless each number is right relative to its own size, however small it is."""
    numbers, single = _in_double(received, shown)
    # The difference of two logits is rounded: by 1e-16 of its size, which exp makes relative.
    apart = float((logits.amax(1) - logits.amin(1)).max())
    tolerance = 5e-6 if single else 1e-13 if apart < 50 else 2e-12
    wrong = (numbers - right).abs() > tolerance * right.abs()
    if single:  # smaller numbers than these have fewer digits there, or none
        wrong &= right.abs() > 1e-37
    if not bool(wrong.any()):
        return
    position = tuple(wrong.nonzero()[0].tolist())
    fail(
        f"{shown}: entry {position} should be {right[position].item():.17g}, "
        f"received {numbers[position].item():.17g}.",
        NOTHING_ADDED if _added_or_cut(numbers, logits, right, wrong) else "",
    )


def _in_double(received: Any, shown: str) -> tuple[torch.Tensor, bool]:
    """Return the numbers in double precision, and whether they come from single precision."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # for lists: else their numbers are rounded
    try:
        numbers = as_tensor(received, shown)
    finally:
        torch.set_default_dtype(default)
    given = isinstance(received, torch.Tensor) or hasattr(received, "dtype")
    rounded = torch.equal(numbers.float().to(numbers), numbers)
    return numbers.double(), numbers.dtype != torch.float64 or (not given and rounded)


def _added_or_cut(
    numbers: torch.Tensor, logits: torch.Tensor, right: torch.Tensor, wrong: torch.Tensor
) -> bool:
    """Tell what an epsilon or a clamp makes of probabilities from all other inaccuracies."""
    sums = (logits - logits.amax(1, keepdim=True)).exp().sum(1, keepdim=True)
    excess = numbers - right
    others = right > 0  # not at the right answers, where 1 is subtracted
    in_sum = (-excess / right * sums)[others]  # p changes by the factor 1 - epsilon / sum
    if _alike(in_sum, 5e-14):
        return True
    wrong = wrong & others
    received, excess = numbers[wrong], excess[wrong]
    if not len(received):
        return False
    least = numbers.masked_fill(~wrong, torch.inf).amin(1, keepdim=True)  # of each row
    clamped = bool((excess > 0).all()) and bool((numbers <= least * 1.001)[wrong].all())
    return clamped or not received.any() or _alike(excess)


def _alike(numbers: torch.Tensor, rounding: float = 0.0) -> bool:
    """Return whether all are the same positive number, up to rounding."""
    middle = numbers.median()
    off = (numbers - middle).abs()
    return bool(middle > 0) and bool((off <= 0.05 * middle + rounding).all())


def _mistakes_of_cross_entropy(logits: torch.Tensor, Y: torch.Tensor) -> Mistakes:
    n, onehot, probs = len(Y), F.one_hot(Y, logits.shape[1]), logits.softmax(1)
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
LENGTH = "Divide by n − 1. The squared length of bnraw differs from it: ε is in the variance."
SQUARED = "There is one factor bnvar_inv too many. bnraw contains another."


@checker
def batchnorm(answer: Any) -> str:
    """Check a function ``(dhpreact, bngain, bnraw, bnvar_inv)`` that returns ``dhprebn``."""
    for n, H in ((6, 4), (9, 3), (5, 7), (4, 1), (2, 5)):
        g = _generator(n)
        x = torch.randn(n, H, generator=g) * 2 + 1
        d, bngain = torch.randn(n, H, generator=g), torch.randn(1, H, generator=g)
        if H > 1:  # one neuron of tiny variance, so that epsilon can be seen
            x[:, 1] *= 0.001
            d[:, 1] *= 0.01  # its large factor would make it less exact
        inv = (x.var(0, keepdim=True) + EPS) ** -0.5
        raw = (x - x.mean(0, keepdim=True)) * inv
        right = batchnorm_backward(*(t.double() for t in (d, bngain, raw, inv)))
        shown = f"batchnorm of a batch of {n}"
        with hinted(
            (rf"\b({PAGE_N}|{PAGE_N - 1})\b", TYPED_IN),
            (rf"tensor . \(({n}|{H})\) must match .* tensor . \(({n}|{H})\)", WHICH),
        ):
            given = [t.clone() for t in (d, bngain, raw, inv)]
            received = run(by_hand(answer), *given, shown=shown)
        _expect(received, right, shown, partial(batchnorm_mistakes, d, bngain, raw, inv), n=n)
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
        (d - mean - raw * along / raw.square().sum(0), LENGTH),
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
GAIN_SHAPE = "gain has the shape (H,): it needs no new dimension."
SHAPES = (
    "Compare the shapes: a mean over each row has the shape (n, 1), and gain is a single row, (H,)."
)
VAR_INV = "The factor var_inv is missing."
ROW_LENGTH = (
    "Divide by H. The squared length of a row of raw differs from it: ε is in the variance."
)


@checker
def layernorm(answer: Any) -> str:
    """Check a function ``(dy, gain, raw, var_inv)``: the gradient of LayerNorm's input."""
    for n, width in ((4, 7), (3, 9), (7, 5), (1, 8), (3, 1)):
        g = _generator(width)
        x = torch.randn(n, width, generator=g) * 2 + 1
        d, gain = torch.randn(n, width, generator=g), torch.randn(width, generator=g)
        if n > 1:  # one row of tiny variance, so that epsilon can be seen
            x[1] *= 0.001
            d[1] *= 0.01  # its large factor would make it less exact
        inv = (x.var(1, keepdim=True, correction=0) + EPS) ** -0.5
        raw = (x - x.mean(1, keepdim=True)) * inv
        right = layernorm_backward(*(t.double() for t in (d, gain, raw, inv)))
        shown = f"layernorm of shape {(n, width)}"
        sizes = rf"tensor . \(({n}|{width})\) must match .* tensor . \(({n}|{width})\)"
        with hinted(
            (rf"{sizes}[\s\S]*\bgain(\[:, *None|\.unsqueeze|\.view|\.reshape)", GAIN_SHAPE),
            (rf"{sizes}[\s\S]*(mean|sum)\(([^()]+, *)?(dim=|axis=)?-?1\)", ROWS_KEEP),
            (sizes, SHAPES),
            SIZES_IN_ERROR,
        ):
            given = [t.clone() for t in (d, gain, raw, inv)]
            received = run(by_hand(answer), *given, shown=shown)
        mistakes = partial(_mistakes_of_layernorm, d, gain, raw, inv)
        _expect(received, right, shown, mistakes)
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
        (inv * (dg - mean - raw * along * width / raw.square().sum(1, keepdim=True)), ROW_LENGTH),
    ]
    # The gain taken out of one of the sums, or a size of this page in one, or in both.
    outside, along_outside = gain * d.mean(1, keepdim=True), gain * (d * raw).mean(1, keepdim=True)
    found += [
        (inv * (dg - outside - raw * along), GAIN_INSIDE),
        (inv * (dg - mean - raw * along_outside), GAIN_INSIDE),
    ]
    # The gain lost on some of the three paths.
    for first, second, third in product((dg, d), repeat=3):
        lost = first - second.mean(1, keepdim=True) - raw * (third * raw).mean(1, keepdim=True)
        if not first is second is third is dg:
            found.append((inv * lost, GAIN_FIRST))
    for first in (width, 64):
        for last in (width, 64, 63):
            bracket = dg - mean * width / first - raw * along * width / last
            found.append((inv * bracket, SIZES if (first, last) != (width, width) else ""))
    return found
