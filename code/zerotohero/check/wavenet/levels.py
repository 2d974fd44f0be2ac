"""Checks of a level of the tree: it joins neighbors, normalizes them, and may have a gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any

import torch

from ..running import guarded
from ..tensors import expect_tensor
from ..verdict import checker, fail, stopped
from .calls import call


def _random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


SQUEEZED = "squeeze() drops every dimension of size 1. Name the one you mean."


@checker
def flatten(answer: Any) -> str:
    """Check a function ``(x, n)`` that puts n neighbors side by side, as FlattenConsecutive.

    T is never n times n, except for 1: there, n positions in a group look like n groups.
    """
    cases = [((2, 6, 3), 2), ((1, 12, 2), 3), ((3, 4, 2), 4), ((1, 2, 3), 2), ((4, 10, 3), 5)]
    cases += [((3, 1, 4), 1), ((2, 5, 1), 1)]  # nothing to join
    for seed, (shape, n) in enumerate(cases, 1):
        B, T, C = shape
        x = _random(*shape, seed=seed)
        groups = x.view(B, T // n, n, C)
        kept = groups.flatten(2)  # (B, T / n, n · C)
        right = kept.view(B, n * C) if n == T else kept
        shown = f"flatten(x, {n}), x of shape {shape}"
        far_apart = torch.cat(x.view(B, n, T // n, C).unbind(1), -1)
        expect_tensor(
            call(answer, x.clone(), n, shown=shown),
            right,
            shown,
            [
                (kept, "If one position is left, drop its dimension."),
                (
                    kept.squeeze(),
                    SQUEEZED,
                ),
                (far_apart.view(right.shape), "Join neighbors, not positions that are far apart."),
                (
                    groups.mT.reshape(right.shape),
                    "First all of one position, then all of the next.",
                ),
                (
                    groups.flip(2).reshape(right.shape),
                    "The neighbors keep their order: the oldest comes first.",
                ),
                (
                    x.view(B, n, T // n * C),
                    "n is how many positions come together, not how many groups there are.",
                ),
                (x.flatten(1), "Join n positions at a time, not all of them."),
                (
                    x.unfold(1, n, 1).mT.flatten(2),
                    "The groups don't overlap: each position is in one of them.",
                ),
            ],
        )
    return "Neighbors stand side by side, and a batch of one is still a batch."


LARGE_MEAN = "E[x²] − mean² loses digits when the mean is large: subtract the mean first."
LOSSY = 1e-3  # right ways differ by about 1e-4 where the mean is 1000, that one is off by 5e-2


def _normalized(
    x: torch.Tensor,
    gamma: torch.Tensor | float,
    beta: torch.Tensor | float,
    inside: float,
    dims: tuple[int, ...] = (0, 1),
    *,
    correction: int = 0,
    outside: float = 0.0,
) -> torch.Tensor:
    """Normalize over some dimensions, with an epsilon inside the root and one outside."""
    mean = x.mean(dims, keepdim=True)
    var = x.var(dims, correction=correction, keepdim=True)
    return gamma * (x - mean) / (torch.sqrt(var + inside) + outside) + beta


@checker
def normalize(answer: Any) -> str:
    """Check a function ``(x, gamma, beta, eps)``: BatchNorm in training, on (B, T, C)."""
    cases = [((5, 3, 4), 0.01), ((2, 4, 3), 0.5), ((3, 5, 2), 1e-5), ((3, 4, 4), 0.1)]
    cases += [((1, 5, 3), 0.02), ((6, 1, 2), 0.2), ((4, 3, 1), 0.05)]  # sizes of 1
    for seed, (shape, eps) in enumerate(cases):
        features = torch.linspace(0.5, 2, shape[2])  # each with a deviation of its own
        x = features * _random(*shape, seed=20 + seed) + torch.arange(shape[1])[:, None]
        gamma, beta = _random(shape[2], seed=30 + seed), _random(shape[2], seed=40 + seed)
        over = partial(_normalized, x, gamma, beta, eps)
        var = x.var((0, 1), correction=0)
        shown = f"normalize(x, gamma, beta, {eps:g}), x of shape {shape}"
        expect_tensor(
            call(answer, x.clone(), gamma.clone(), beta.clone(), eps, shown=shown),
            over(),
            shown,
            [
                (over((0,)), "That is the lecture's bug: each position has statistics of its own."),
                (over((1,)), "The examples of a batch belong together: dim 0, too."),
                (over((0, 1, 2)), "Each feature has its own mean: not over the last dimension."),
                (over((2,)), "That is a LayerNorm. Features are not mixed with each other."),
                (over(correction=1), "Divide by the number of values: correction=0."),
                (
                    gamma * (x - x.mean((0, 1))) / (var + eps) + beta,
                    "Divide by the square root of the variance plus eps.",
                ),
                (
                    _normalized(x, gamma, beta, 0.0, outside=eps),
                    "eps belongs inside the root: it is added to the variance.",
                ),
                (
                    _normalized(x, gamma, beta, 0.0, correction=1, outside=eps),
                    "std divides by one less than the number of values, and eps belongs inside "
                    "the root: it is added to the variance.",
                ),
                (
                    _normalized(x, gamma, beta, 0.0),
                    "eps is missing, or it is not the one that was passed. It is added to the "
                    "variance.",
                ),
                (_normalized(x, 1.0, beta, eps), "gamma is missing: it multiplies every feature."),
                (_normalized(x, gamma, 0.0, eps), "beta is missing: it is added in the end."),
                (_normalized(x, 1.0, 0.0, eps), "gamma and beta are missing."),
                (_normalized(x, beta, gamma, eps), "gamma multiplies, and beta is added."),
                (
                    gamma * x / torch.sqrt(var + eps) + beta,
                    "The mean is to be subtracted before the division.",
                ),
                (over().squeeze(), "The result has the shape of x: all dimensions stay."),
            ],
        )
    x, gamma, beta = _random(4, 5, 6, seed=95) + 1000, _random(6, seed=96), _random(6, seed=97)
    shown = "normalize(x, gamma, beta, 1e-05), x of shape (4, 5, 6) with means near 1000"
    received = call(answer, x.clone(), gamma.clone(), beta.clone(), 1e-5, shown=shown)
    right = _normalized(x.double(), gamma, beta, 1e-5)
    expect_tensor(received, right, shown, otherwise=LARGE_MEAN, tolerance=LOSSY)
    return "One mean and one variance for each feature, from all examples and all positions."


@checker
def gated(answer: Any) -> str:
    """Check a function ``(x, Wf, Wg, Wr)``: WaveNet's unit on pairs of neighbors."""
    cases = (((2, 8, 3), 5, 1), ((3, 2, 4), 6, 1), ((1, 6, 2), 7, 1), ((3, 10, 4), 4, 1))
    large = ((2, 4, 3), 8, 100)  # exp of such numbers is infinite
    for seed, (shape, width, scale) in enumerate((*cases, large)):
        C = shape[2]
        x = scale * _random(*shape, seed=50 + seed)
        Wf, Wg = (_random(2 * C, width, seed=60 + 10 * i + seed) / 2 for i in range(2))
        Wr = _random(width, C, seed=80 + seed)
        older, newer = x[:, ::2], x[:, 1::2]
        z = _gated(torch.cat([older, newer], 2), Wf, Wg)
        out = newer + z @ Wr
        shown = f"gated(x, Wf, Wg, Wr), x of shape {shape}"
        if scale > 1:
            shown += " with numbers in the hundreds"
        returned = call(answer, x.clone(), Wf.clone(), Wg.clone(), Wr.clone(), shown=shown)
        received = _pair(returned, shown)
        if _equal(received[0], z) and _equal(received[1], out):
            fail(
                f"{shown} should return out and z, received z and out.",
                "Return the output first, then z.",
            )
        mistakes = [*_mistakes_in_z(x, Wf, Wg), *_with_exp(x, Wf, Wg)]
        expect_tensor(received[1], z, f"z of {shown}", mistakes, tolerance=1e-4)
        expect_tensor(
            received[0],
            out,
            f"out of {shown}",
            [
                (z @ Wr, "The residual connection is missing: add the newer vector."),
                (older + z @ Wr, "Add the newer vector of each pair, not the older one."),
                (newer + older + z @ Wr, "Add the newer vector alone."),
                (newer * (z @ Wr), "The newer vector is added, not multiplied."),
                (out.squeeze(1), "A single pair keeps its dimension, of size 1."),
            ],
            tolerance=1e-4,
        )
    return "A filter, a gate, and a path around them."


def _pair(returned: Any, shown: str) -> list[Any]:
    """Return the two things that were returned, in whatever they came, or stop.

    Not in a tensor: out and z don't have the same shape.
    """
    wanted = f"{shown} should return out and z"
    numbers = hasattr(returned, "dtype") and str(returned.dtype) != "object"
    if numbers or not isinstance(returned, Iterable) or isinstance(returned, (Mapping, str)):
        fail(f"{wanted}, received {type(returned).__name__}.")
    items: list[Any] = guarded(lambda: list(islice(returned, 100)), shown)
    if len(items) != 2:
        values = "1 value" if len(items) == 1 else f"{len(items)} values"
        fail(f"{wanted}, received {values}.")
    return items


def _gated(pairs: torch.Tensor, Wf: torch.Tensor, Wg: torch.Tensor) -> torch.Tensor:
    return torch.tanh(pairs @ Wf) * torch.sigmoid(pairs @ Wg)


def _mistakes_in_z(
    x: torch.Tensor, Wf: torch.Tensor, Wg: torch.Tensor
) -> list[tuple[torch.Tensor, str]]:
    """Return what a known mistake gives for z, and its hint."""
    older, newer = x[:, ::2], x[:, 1::2]
    pairs = torch.cat([older, newer], 2)
    f, g = pairs @ Wf, pairs @ Wg
    far_apart = torch.cat(x.chunk(2, 1), 2)
    return [
        (_gated(pairs, Wg, Wf), "Wf goes into tanh, Wg into the sigmoid."),
        (torch.tanh(f) * torch.tanh(g), "The gate goes through the sigmoid, not through tanh."),
        (torch.tanh(f) * g, "The gate goes through the sigmoid."),
        (torch.tanh(f) + torch.sigmoid(g), "The gate multiplies."),
        (torch.tanh(f), "The gate is missing."),
        (f * torch.sigmoid(g), "The filter goes through tanh."),
        (torch.sigmoid(f) * torch.sigmoid(g), "The filter goes through tanh."),
        (torch.sigmoid(g), "The filter is missing: it is multiplied by the gate."),
        (_gated(torch.cat([newer, older], 2), Wf, Wg), "In a pair, the older vector comes first."),
        (_gated(far_apart, Wf, Wg), "Join neighbors, not positions that are far apart."),
        (_gated(pairs, Wf, Wg).squeeze(1), "A single pair keeps its dimension, of size 1."),
    ]


def _with_exp(
    x: torch.Tensor, Wf: torch.Tensor, Wg: torch.Tensor
) -> list[tuple[torch.Tensor, str]]:
    """Return what formulas that divide infinity by infinity give for z, and the hint.

    For small numbers, these are right, and so no mistakes.
    """
    hint = (
        "exp of a large number is infinite, and inf / inf is NaN. torch.tanh and torch.sigmoid "
        "know how to avoid that."
    )
    pairs = x.unflatten(1, (-1, 2)).flatten(2)
    f, g = pairs @ Wf, pairs @ Wg
    sigmoid = g.exp() / (1 + g.exp())
    tanh = (f.exp() - (-f).exp()) / (f.exp() + (-f).exp())
    of_double = ((2 * f).exp() - 1) / ((2 * f).exp() + 1)
    products = [a * b for a in (f.tanh(), tanh, of_double) for b in (g.sigmoid(), sigmoid)]
    return [(product, hint) for product in products[1:]]


def _equal(received: Any, expected: torch.Tensor) -> bool:
    return stopped(lambda: expect_tensor(received, expected, "", tolerance=1e-4)) is None
