"""Checks of what norms compute: over the examples, over the features, and along the way."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch

from ... import layers
from ..rules import NORMALIZATION, Watch, forbid
from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker, fail

Mistakes = list[tuple[torch.Tensor, str]]

BY_HAND = (
    "Write the formula out, with means and variances. Ready-made normalization is not allowed."
)
READY_MADE = (
    *NORMALIZATION,
    *(f"native_{name}" for name in NORMALIZATION),
    *("_native_batch_norm_legit", "_native_batch_norm_legit_functional"),
    *("_native_batch_norm_legit_no_training", "_batch_norm_impl_index", "_batch_norm_no_update"),
    *("_batch_norm_with_update", "_batch_norm_with_update_functional", "_fused_rms_norm"),
    *("batch_norm_stats", "batch_norm_elemt", "batch_norm_update_stats"),
    *("batch_norm_gather_stats", "batch_norm_gather_stats_with_counts"),
    *("cudnn_batch_norm", "miopen_batch_norm", "quantized_batch_norm"),
)
LAYERS = (layers.BatchNorm1d, layers.LayerNorm, layers.RMSNorm, layers.GroupNorm)
TYPED_IN = (1e-5, 1e-8, 1e-6, 1e-3)  # the values of eps that readers type in


def random_tensor(*shape: int, seed: int) -> torch.Tensor:
    """Return normal numbers, the same ones for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@contextmanager
def _by_hand() -> Iterator[None]:
    """End the check if a norm is used that PyTorch or the package has ready."""

    def refusing(name: str) -> Callable[..., None]:
        def refuse(*_: Any, **__: Any) -> None:
            fail(f"{name} is ruled out in this exercise.", BY_HAND)

        return refuse

    with ExitStack() as stack:
        for layer in LAYERS:
            stack.enter_context(patch.object(layer, "__init__", refusing(layer.__name__)))
            stack.enter_context(patch.object(layer, "__call__", refusing(layer.__name__)))
        stack.enter_context(Watch(forbid((READY_MADE, BY_HAND))))
        yield


def _input(*shape: int, seed: int) -> torch.Tensor:
    """Return an input with one column so small that eps matters, whatever it is."""
    x = 2 * random_tensor(*shape, seed=seed) + 1
    x[..., 1 % shape[-1]] *= 1e-3
    return x


def _normalized(
    x: torch.Tensor,
    gamma: torch.Tensor,
    beta: torch.Tensor,
    eps: float,
    dim: int | tuple[int, ...],
    correction: int = 0,
) -> torch.Tensor:
    var = x.var(dim, correction=correction, keepdim=True)
    return gamma * (x - x.mean(dim, keepdim=True)) / torch.sqrt(var + eps) + beta


def _mistakes(
    x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, eps: float, dim: int
) -> Mistakes:
    """List what normalizing over ``dim``, the right one, gives with one mistake, and its hint."""
    centered = x - x.mean(dim, keepdim=True)
    var, unbiased = x.var(dim, correction=0, keepdim=True), x.var(dim, keepdim=True)
    mean_square = x.square().mean(dim, keepdim=True)
    xhat = centered / torch.sqrt(var + eps)
    one_less = "Divide the sum of squares by the count, not by one less: correction=0."
    not_centered = "Subtract the mean from x first."
    return [
        (gamma * centered / torch.sqrt(unbiased + eps) + beta, one_less),
        (gamma * centered / (torch.sqrt(unbiased) + eps) + beta, one_less),
        (gamma * centered / torch.sqrt(unbiased) + beta, one_less),
        (
            gamma * centered / (torch.sqrt(var) + eps) + beta,
            "eps belongs under the root, next to the variance.",
        ),
        (gamma * centered / torch.sqrt(var) + beta, "eps goes unused."),
        *(
            (
                gamma * centered / torch.sqrt(var + number) + beta,
                "eps is an argument. Use it in place of a number that is typed in.",
            )
            for number in TYPED_IN
        ),
        (
            gamma * centered / torch.sqrt(mean_square + eps) + beta,
            "The variance is the mean square of the deviations from the mean, not of x.",
        ),
        (gamma * centered / (var + eps) + beta, "Divide by the root of the variance."),
        (gamma * x / torch.sqrt(var + eps) + beta, not_centered),
        (gamma * x / torch.sqrt(mean_square + eps) + beta, not_centered),
        (xhat, "gamma and beta go unused."),
        (gamma * xhat, "beta goes unused."),
        (xhat + beta, "gamma goes unused."),
        (beta * xhat + gamma, "gamma and beta are swapped: gamma scales, beta shifts."),
        (gamma * (xhat + beta), "First times gamma, then plus beta."),
    ]


# Shape of x, eps. A mistake shows in the first cases, and has its hint there.
NORMALIZE_CASES = (((8, 5), 0.1), ((3, 4), 0.5), ((7, 4), 0.02))
# Two examples, a single column, a shape for the second time, many columns, a tiny eps.
NORMALIZE_EDGES = (((2, 3), 0.05), ((6, 1), 0.2), ((3, 4), 0.3), ((4, 12), 1e-5), ((2, 1), 0.01))


# An eps, and how large x is: numbers so small that a bound for eps or for the variance shows, and
# an eps beyond 1.
EXTREMES = ((1e-8, 1e-3), (3.0, 1.0))
NO_BOUNDS = "eps is any positive number. Put no bounds on it, nor on the variance."


def _bounded(
    x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, eps: float, dim: int
) -> Mistakes:
    """List what comes out with a bound for eps, or for the variance, and the hint."""
    centered, var = x - x.mean(dim, keepdim=True), x.var(dim, correction=0, keepdim=True)
    sums = [var + min(eps, 1.0), *(var + max(eps, least) for least in TYPED_IN)]
    sums += [var.clamp(min=least) + eps for least in TYPED_IN]
    sums += [(var + eps).clamp(min=least) for least in TYPED_IN]
    return [(gamma * centered / root + beta, NO_BOUNDS) for root in map(torch.sqrt, sums)]


CONSTANT = 0.15  # the eps of the cases with constant columns
CONSTANT_STAYS = "In a constant column, x minus the mean is zero. Only beta is left."

LARGE_MEAN = "E[x²] − mean² loses digits when the mean is large: subtract the mean first."
LOSSY = 1e-3  # right ways differ by about 1e-4 where the mean is 1000, that one is off by 5e-2


def _far_from_zero(*shape: int, seed: int) -> torch.Tensor:
    """Return numbers with a mean near 1000 and a standard deviation near 1."""
    return 1000 + random_tensor(*shape, seed=seed)


@checker
def normalize(answer: Any) -> str:
    """Check a function ``(x, gamma, beta, eps)``: BatchNorm in training."""
    for seed, (shape, eps) in enumerate((*NORMALIZE_CASES, *NORMALIZE_EDGES)):
        x = _input(*shape, seed=3 + 10 * seed)
        gamma, beta = (random_tensor(shape[1], seed=i + 10 * seed) for i in (4, 5))
        shown = f"normalize(x, gamma, beta, {eps}), x of shape {shape}"
        with _by_hand():
            received = run(answer, x.clone(), gamma.clone(), beta.clone(), eps, shown=shown)
        mistakes: Mistakes = []
        if (shape, eps) in NORMALIZE_CASES:
            columns = "Each column is normalized over the examples: dim 0."
            mistakes = _mistakes(x, gamma, beta, eps, 0)
            mistakes += [
                (_normalized(x, gamma, beta, eps, dim, correction), columns)
                for dim in (1, (0, 1))
                for correction in (0, 1)
            ]
        expect_tensor(received, _normalized(x, gamma, beta, eps, 0), shown, mistakes)
    for seed, (eps, scale) in enumerate(EXTREMES, 98):
        x = scale * _input(6, 4, seed=seed)
        gamma, beta = (random_tensor(4, seed=i + seed) for i in (10, 20))
        shown = f"normalize(x, gamma, beta, {eps}), x of shape (6, 4)"
        with _by_hand():
            received = run(answer, x.clone(), gamma.clone(), beta.clone(), eps, shown=shown)
        right = _normalized(x, gamma, beta, eps, 0)
        expect_tensor(received, right, shown, _bounded(x, gamma, beta, eps, 0))
    for constant in (slice(1, 2), slice(None)):
        _normalize_constant_columns(answer, constant)
    x, gamma, beta = _far_from_zero(8, 5, seed=95), *(random_tensor(5, seed=i) for i in (96, 97))
    shown = "normalize(x, gamma, beta, 1e-05), x of shape (8, 5) with means near 1000"
    with _by_hand():
        received = run(answer, x.clone(), gamma.clone(), beta.clone(), 1e-5, shown=shown)
    right = _normalized(x.double(), gamma, beta, 1e-5, 0)
    expect_tensor(received, right, shown, otherwise=LARGE_MEAN, tolerance=LOSSY)
    return "Every column is centered, scaled, and handed to gamma and beta."


def _normalize_constant_columns(answer: Any, constant: slice) -> None:
    """Check what becomes of columns without a spread: beta."""
    x = _input(5, 3, seed=91)
    x[:, constant] = x[0, constant]
    gamma, beta = random_tensor(3, seed=92), random_tensor(3, seed=93)
    columns = "constant columns" if constant == slice(None) else "a constant column"
    shown = f"normalize(x, gamma, beta, {CONSTANT}), x of shape (5, 3) with {columns}"
    with _by_hand():
        received = run(answer, x.clone(), gamma.clone(), beta.clone(), CONSTANT, shown=shown)
    right = _normalized(x, gamma, beta, CONSTANT, 0)
    mistakes: Mistakes = []
    for kept in (torch.zeros_like(x), x, torch.full_like(x, math.nan)):
        wrong = right.clone()
        wrong[:, constant] = kept[:, constant]
        mistakes.append((wrong, CONSTANT_STAYS))
    expect_tensor(received, right, shown, mistakes)


# -- the running averages --------------------------------------------------------------


def _mix(old: torch.Tensor, new: torch.Tensor, share: float) -> torch.Tensor:
    return (1 - share) * old + share * new


def _around(center: torch.Tensor, x: torch.Tensor, correction: int) -> torch.Tensor:
    return (x - center).square().sum(0) / (len(x) - correction)


# Shape of x, momentum. A mistake shows in the first cases, and has its hint there.
RUNNING_CASES = (((4, 3), 0.1), ((16, 2), 0.01), ((5, 2), 0.3))
# Two examples, a single column, a shape for the second time, many columns, the extremes.
RUNNING_EDGES = (
    *(((2, 3), 0.8), ((6, 1), 0.2), ((5, 2), 0.6)),
    *(((6, 11), 0.4), ((4, 5), 0.0), ((3, 4), 1.0)),
)
FROM_THE_START = ((7, 3), 0.05)  # the averages are zeros and ones, as in a new layer


@checker
def running(answer: Any) -> str:
    """Check a function ``(running_mean, running_var, x, momentum)`` that returns new averages."""
    for seed, case in enumerate((*RUNNING_CASES, *RUNNING_EDGES, FROM_THE_START)):
        shape, momentum = case
        x = random_tensor(*shape, seed=6 + 10 * seed) + 2
        mean = random_tensor(shape[1], seed=7 + 10 * seed)
        var = random_tensor(shape[1], seed=8 + 10 * seed).square()
        start = ""
        if case == FROM_THE_START:
            mean, var = torch.zeros(shape[1]), torch.ones(shape[1])
            start = ", old averages of zeros and ones"
        shown = f"running(running_mean, running_var, x, {momentum}), x of shape {shape}{start}"
        with _by_hand():
            received = run(answer, mean.clone(), var.clone(), x.clone(), momentum, shown=shown)
        _expect_pair(received, shown)
        mistakes: dict[str, Mistakes] = {"mean": [], "variance": []}
        if case in RUNNING_CASES:
            mistakes = _running_mistakes(mean, var, x, momentum)
        parts = (("mean", mean, x.mean(0)), ("variance", var, x.var(0)))
        for (what, old, new), ours in zip(parts, received):
            right = _mix(old, new, momentum)
            expect_tensor(ours, right, f"The {what} of {shown}", mistakes[what])
    _running_far_from_zero(answer)
    return "The averages follow the batches slowly, and the variance is the unbiased one."


def _running_mistakes(
    mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor, momentum: float
) -> dict[str, Mistakes]:
    """List what the two averages are with one mistake, and the hints."""
    turned = "momentum is the weight of the new batch, 1 − momentum that of the old average."
    biased = "The batch variance that goes into running_var is divided by N − 1, not by N."
    around = "Take the deviations from the mean of the batch, not from a running mean."
    std = "Average the variances, not the standard deviations."

    def mixing(old: torch.Tensor, new: torch.Tensor) -> Mistakes:
        return [
            (_mix(old, new, 1 - momentum), turned),
            (new, "Mix the new value with the old average."),
            (old + momentum * new, "The old average keeps a weight of 1 − momentum."),
        ]

    return {
        "mean": [
            *mixing(mean, x.mean(0)),
            (_mix(var, x.var(0), momentum), "The mean comes first, then the variance."),
        ],
        "variance": [
            *mixing(var, x.var(0)),
            (_mix(var, x.var(0, correction=0), momentum), biased),
            (_mix(var, x.std(0), momentum), std),
            *(
                (_mix(var, _around(center, x, correction), momentum), around)
                for center in (mean, _mix(mean, x.mean(0), momentum))
                for correction in (0, 1)
            ),
        ],
    }


def _running_far_from_zero(answer: Any) -> None:
    """Check with means near 1000, where only some formulas for the variance keep their digits.

    What is subtracted has to be near each column of the batch: the old averages may be those of a
    new layer, and the columns may be far apart.
    """
    apart = torch.tensor([1000.0, 0.0, -1000.0, 500.0, 1000.0])
    cases = (
        (_far_from_zero(4, seed=101), _far_from_zero(6, 4, seed=103), 0.9, "near 1000"),
        (
            torch.zeros(3),
            _far_from_zero(7, 3, seed=104),
            0.8,
            "near 1000, an old mean of zeros",
        ),
        (
            random_tensor(5, seed=105),
            apart + random_tensor(9, 5, seed=106),
            0.7,
            "with columns between -1000 and 1000",
        ),
    )
    for mean, x, momentum, how in cases:
        var = random_tensor(len(mean), seed=102).square()
        shape = tuple(x.shape)
        shown = f"running(running_mean, running_var, x, {momentum}), x of shape {shape} {how}"
        with _by_hand():
            received = run(answer, mean.clone(), var.clone(), x.clone(), momentum, shown=shown)
        _expect_pair(received, shown)
        new_mean, new_var = received
        right_mean = _mix(mean.double(), x.double().mean(0), momentum)
        right_var = _mix(var.double(), x.double().var(0), momentum)
        expect_tensor(new_mean, right_mean, f"The mean of {shown}")
        what = f"The variance of {shown}"
        expect_tensor(new_var, right_var, what, otherwise=LARGE_MEAN, tolerance=LOSSY)


def _expect_pair(received: Any, shown: str) -> None:
    if not _is_pair(received):
        fail(f"{shown} should return a mean and a variance, received {reprlib.repr(received)}.")


def _is_pair(received: Any) -> bool:
    """Whether an answer returned two things: in a list or tuple, or as the rows of one tensor."""
    if isinstance(received, (tuple, list)):
        return len(received) == 2
    return getattr(received, "ndim", 0) == 2 and len(received) == 2


# -- GroupNorm -------------------------------------------------------------------------


# Shape of x, groups, eps. A mistake shows in the first cases, and has its hint there.
# In the first, no other number or size of groups that a reader may type in is like the swapped
# one: 5 groups of 2.
GROUP_CASES = (((4, 10), 2, 0.1), ((2, 3, 12), 4, 0.5), ((5, 12), 3, 0.02))
# One group, groups of one feature, one example, a shape for the second time, a tiny eps.
GROUP_EDGES = (
    *(((3, 8), 1, 0.05), ((2, 5), 5, 0.2), ((1, 6), 3, 0.3), ((4, 10), 2, 0.01)),
    *(((1, 3, 4), 4, 0.15), ((3, 1, 9), 1, 0.4), ((6, 10), 2, 1e-5)),
)


@checker
def groupnorm(answer: Any) -> str:
    """Check a function ``(x, num_groups, gamma, beta, eps)``: GroupNorm on the last dimension."""
    for seed, (shape, groups, eps) in enumerate((*GROUP_CASES, *GROUP_EDGES)):
        x = _input(*shape, seed=30 + 10 * seed)
        x[0, ..., : shape[-1] // groups] *= 1e-3  # a group so small that eps matters
        gamma, beta = (random_tensor(shape[-1], seed=i + 10 * seed) for i in (31, 32))
        shown = f"groupnorm(x, {groups}, gamma, beta, {eps}), x of shape {shape}"
        with _by_hand():
            received = run(answer, x.clone(), groups, gamma.clone(), beta.clone(), eps, shown=shown)
        xs, gammas, betas = (t.unflatten(-1, (groups, -1)) for t in (x, gamma, beta))
        mistakes: Mistakes = []
        if (shape, groups, eps) in GROUP_CASES:
            in_groups = _mistakes(xs, gammas, betas, eps, -1)
            mistakes = [(wrong.flatten(-2), hint) for wrong, hint in in_groups]
            mistakes += _over_others(x, groups, gamma, beta, eps)
        right = _normalized(xs, gammas, betas, eps, -1).flatten(-2)
        expect_tensor(received, right, shown, mistakes)
    for seed, (eps, scale) in enumerate(EXTREMES, 151):
        x = scale * _input(3, 10, seed=seed)
        gamma, beta = (random_tensor(10, seed=i + seed) for i in (10, 20))
        shown = f"groupnorm(x, 2, gamma, beta, {eps}), x of shape (3, 10)"
        with _by_hand():
            received = run(answer, x.clone(), 2, gamma.clone(), beta.clone(), eps, shown=shown)
        xs, gammas, betas = (t.unflatten(-1, (2, -1)) for t in (x, gamma, beta))
        mistakes = [
            (wrong.flatten(-2), hint) for wrong, hint in _bounded(xs, gammas, betas, eps, -1)
        ]
        right = _normalized(xs, gammas, betas, eps, -1).flatten(-2)
        expect_tensor(received, right, shown, mistakes)
    _groupnorm_far_from_zero(answer)
    return "Every group by itself: no batch, no running averages, no modes."


def _groupnorm_far_from_zero(answer: Any) -> None:
    x, gamma, beta = _far_from_zero(3, 2, 8, seed=161), *(random_tensor(8, seed=i) for i in (2, 3))
    shown = "groupnorm(x, 2, gamma, beta, 1e-05), x of shape (3, 2, 8) with means near 1000"
    with _by_hand():
        received = run(answer, x.clone(), 2, gamma.clone(), beta.clone(), 1e-5, shown=shown)
    xs, gammas, betas = (t.double().unflatten(-1, (2, -1)) for t in (x, gamma, beta))
    right = _normalized(xs, gammas, betas, 1e-5, -1).flatten(-2)
    expect_tensor(received, right, shown, otherwise=LARGE_MEAN, tolerance=LOSSY)


def _over_others(
    x: torch.Tensor, groups: int, gamma: torch.Tensor, beta: torch.Tensor, eps: float
) -> Mistakes:
    """List what comes out if other numbers are normalized together than those of a group."""
    itself = "Each example is normalized by itself."
    positions = "Each position of a text is normalized by itself: no mean over T."
    viewed = "In view(x.shape[0], num_groups, -1), a group holds several positions. Keep B and T."
    swapped = "The shape is (..., num_groups, C / num_groups), not the other way round."
    neighbors = "Neighbors form a group: of 6 features in 2 groups, the first three."
    last = "Mean and variance are over the features of a group, the last dimension."
    layer_norm = "That is a LayerNorm: it takes all features at once, not each group by itself."

    def normalized(dim: int | tuple[int, ...], correction: int) -> torch.Tensor:
        return _normalized(x, gamma, beta, eps, dim, correction)

    def split(apart: tuple[int, int], dim: int | tuple[int, ...], correction: int) -> torch.Tensor:
        xs, gammas, betas = (tensor.unflatten(-1, apart) for tensor in (x, gamma, beta))
        return _normalized(xs, gammas, betas, eps, dim, correction).flatten(-2)

    first, batch = (groups, -1), tuple(range(x.ndim - 1))
    one, zero = torch.ones(()), torch.zeros(())
    mistakes: Mistakes = []
    for correction in (0, 1):
        flat = _normalized(x.reshape(len(x), groups, -1), one, zero, eps, -1, correction)
        mistakes += [
            (normalized(-1, correction), layer_norm),
            (normalized(0, correction), itself),
            (normalized((*batch, -1), correction), itself),
            (split(first, (*batch, -1), correction), itself),
            (split(first, (0, -1), correction), itself),
            (flat.reshape(x.shape) * gamma + beta, viewed),
            (split((-1, groups), -1, correction), swapped),
            (split((-1, groups), -2, correction), neighbors),
            (split(first, -2, correction), last),
        ]
        if x.ndim == 3:
            mistakes.append((split(first, (1, -1), correction), positions))
    return mistakes
