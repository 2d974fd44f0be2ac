"""Checks of normalizations, for chapter 4: over the examples, and over the features."""

from __future__ import annotations

from typing import Any

import torch

from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker

Mistakes = list[tuple[torch.Tensor, str]]


def random_tensor(*shape: int, seed: int) -> torch.Tensor:
    """Return normal numbers, the same ones for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


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
    xhat = centered / torch.sqrt(var + eps)
    one_less = "Divide the sum of squares by the count, not by one less: correction=0."
    return [
        (gamma * centered / torch.sqrt(unbiased + eps) + beta, one_less),
        (gamma * centered / (torch.sqrt(unbiased) + eps) + beta, one_less),
        (gamma * centered / torch.sqrt(unbiased) + beta, one_less),
        (
            gamma * centered / (torch.sqrt(var) + eps) + beta,
            "eps belongs under the root, next to the variance.",
        ),
        (gamma * centered / torch.sqrt(var) + beta, "eps goes unused."),
        (gamma * centered / (var + eps) + beta, "Divide by the root of the variance."),
        (xhat, "gamma and beta go unused."),
        (gamma * xhat, "beta goes unused."),
        (xhat + beta, "gamma goes unused."),
        (gamma * (xhat + beta), "First times gamma, then plus beta."),
    ]


@checker
def normalize(answer: Any) -> str:
    """Check a function ``(x, gamma, beta, eps)``: BatchNorm in training."""
    for shape, eps in (((8, 5), 1e-5), ((3, 4), 0.5)):
        x = 2 * random_tensor(*shape, seed=3) + 1
        gamma, beta = random_tensor(shape[1], seed=4), random_tensor(shape[1], seed=5)
        shown = f"normalize(x, gamma, beta, {eps}), x of shape {shape}"
        received = run(answer, x.clone(), gamma.clone(), beta.clone(), eps, shown=shown)
        columns = "Each column is normalized over the examples: dim 0."
        wrong_dims: Mistakes = [
            (_normalized(x, gamma, beta, eps, dim, correction), columns)
            for dim in (1, (0, 1))
            for correction in (0, 1)
        ]
        expect_tensor(
            received,
            _normalized(x, gamma, beta, eps, 0),
            shown,
            [*_mistakes(x, gamma, beta, eps, 0), *wrong_dims],
        )
    return "Every column is centered, scaled, and handed to gamma and beta."


@checker
def groupnorm(answer: Any) -> str:
    """Check a function ``(x, num_groups, gamma, beta, eps)``: GroupNorm on the last dimension."""
    eps = 1e-3
    for shape, groups in (((4, 6), 2), ((2, 3, 12), 4), ((3, 12), 3)):
        x = 2 * random_tensor(*shape, seed=30) + 1
        gamma, beta = random_tensor(shape[-1], seed=31), random_tensor(shape[-1], seed=32)
        shown = f"groupnorm(x, {groups}, gamma, beta, {eps}), x of shape {shape}"
        received = run(answer, x.clone(), groups, gamma.clone(), beta.clone(), eps, shown=shown)
        apart = (groups, -1)
        xs, gammas, betas = (tensor.unflatten(-1, apart) for tensor in (x, gamma, beta))
        itself = "Each example is normalized by itself."
        dims: list[tuple[int | tuple[int, ...], str]] = [
            (-1, "That is a LayerNorm: it takes all features at once, not each group by itself."),
            (0, itself),
            (tuple(range(len(shape))), itself),
        ]
        wrong_dims: Mistakes = [
            (_normalized(x, gamma, beta, eps, dim, correction), hint)
            for dim, hint in dims
            for correction in (0, 1)
        ]
        last = (-1, groups)
        xt, gammat, betat = (tensor.unflatten(-1, last) for tensor in (x, gamma, beta))
        swapped = "The shape is (..., num_groups, C / num_groups), not the other way round."
        wrong_groups: Mistakes = [
            (_normalized(xt, gammat, betat, eps, -1).flatten(-2), swapped),
            (
                _normalized(xt, gammat, betat, eps, -2).flatten(-2),
                "Neighbors form a group: with 2 groups of 6 features, the first three.",
            ),
            (
                _normalized(xs, gammas, betas, eps, -2).flatten(-2),
                "Mean and variance are over the features of a group, the last dimension.",
            ),
        ]
        expect_tensor(
            received,
            _normalized(xs, gammas, betas, eps, -1).flatten(-2),
            shown,
            [
                *(
                    (wrong.flatten(-2), hint)
                    for wrong, hint in _mistakes(xs, gammas, betas, eps, -1)
                ),
                *wrong_dims,
                *wrong_groups,
            ],
        )
    return "Every group by itself: no batch, no running averages, no modes."
