"""The checks of chapter 4's normalizations: right answers of several kinds, and known mistakes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome
from torch import nn

from zerotohero.check import batchnorm
from zerotohero.layers import BatchNorm1d, GroupNorm

Answer = Callable[..., Any]
T = torch.Tensor


# -- exercises on norms: BatchNorm, GroupNorm -----------------------------------------------


def along(dim: Any, correction: int = 0) -> Answer:
    """Return a normalization over a dimension, or several."""

    def answer(x: T, gamma: T, beta: T, eps: float) -> T:
        var = x.var(dim, correction=correction, keepdim=True)
        return gamma * (x - x.mean(dim, keepdim=True)) / torch.sqrt(var + eps) + beta

    return answer


def with_mistake(name: str, dim: int) -> Answer:
    """Return a normalization over the right dimension with a mistake."""

    def answer(x: T, gamma: T, beta: T, eps: float) -> T:
        centered = x - x.mean(dim, keepdim=True)
        var = centered.square().mean(dim, keepdim=True)
        std = x.std(dim, keepdim=True)
        xhat = centered / (var + eps).sqrt()
        return {
            "of the lecture": lambda: gamma * centered / std + beta,
            "eps beside a wrong std": lambda: gamma * centered / (std + eps) + beta,
            "eps outside": lambda: gamma * centered / (var.sqrt() + eps) + beta,
            "no eps": lambda: gamma * centered / var.sqrt() + beta,
            "no root": lambda: gamma * centered / (var + eps) + beta,
            "only xhat": lambda: xhat,
            "no beta": lambda: gamma * xhat,
            "no gamma": lambda: xhat + beta,
            "beta first": lambda: gamma * (xhat + beta),
            "minus beta": lambda: gamma * xhat - beta,
            "not centered": lambda: gamma * x / (var + eps).sqrt() + beta,
            "times": lambda: gamma * centered * (var + eps).sqrt() + beta,
            "no numbers": lambda: xhat * math.nan,
            "complex": lambda: xhat + 0j,
            "turned": lambda: (gamma * xhat + beta).mT,
            "with more": lambda: (gamma * xhat + beta, var),
        }[name]()

    return answer


def overwrites(dim: int) -> Answer:
    """Return a right normalization that leaves nothing of its arguments."""

    def answer(x: T, gamma: T, beta: T, eps: float) -> list[Any]:
        x -= x.mean(dim, keepdim=True)
        x /= (x.square().mean(dim, keepdim=True) + eps).sqrt_()
        result = x.mul_(gamma).add_(beta).tolist()
        for argument in (x, gamma, beta):
            argument.zero_()
        return result

    return answer


def in_numpy(dim: int) -> Answer:
    def answer(x: T, gamma: T, beta: T, eps: float) -> np.ndarray:
        a = x.numpy().astype(float)
        var = (a**2).mean(dim, keepdims=True) - a.mean(dim, keepdims=True) ** 2
        xhat = (a - a.mean(dim, keepdims=True)) / np.sqrt(var + eps)
        return gamma.numpy() * xhat + beta.numpy()

    return answer


def with_layer(make: Answer) -> Answer:
    def answer(x: T, gamma: T, beta: T, eps: float) -> T:
        layer = make(x.shape[-1], eps=eps)
        layer.gamma, layer.beta = gamma, beta
        return layer(x)

    return answer


def by_torch_batch_norm(x: T, gamma: T, beta: T, eps: float) -> T:
    layer = nn.BatchNorm1d(len(gamma), eps=eps)
    layer.weight, layer.bias = nn.Parameter(gamma), nn.Parameter(beta)
    return layer(x)


@pytest.mark.parametrize(
    "answer",
    [
        along(0),
        along(-2),
        overwrites(0),
        in_numpy(0),
        with_layer(BatchNorm1d),
        by_torch_batch_norm,
        lambda x, gamma, beta, eps: F.batch_norm(x, None, None, gamma, beta, True, eps=eps),
    ],
)
def test_normalize_right(answer: Answer) -> None:
    verdict = batchnorm.normalize(answer)
    assert verdict, verdict.message
    assert "Every column is centered" in verdict.message


def in_groups(answer: Answer, shape: str = "groups first") -> Answer:
    """Turn a normalization ``(x, gamma, beta, eps)`` into one of groups."""

    def grouped(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> T:
        apart = (num_groups, -1) if shape == "groups first" else (-1, num_groups)
        split = [tensor.unflatten(-1, apart) for tensor in (x, gamma, beta)]
        out = answer(*split, eps)
        return out.flatten(-2) if isinstance(out, T) else out

    return grouped


def without_groups(answer: Answer) -> Answer:
    return lambda x, num_groups, *args: answer(x, *args)


def with_group_layer(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> T:
    layer = GroupNorm(num_groups, len(gamma), eps=eps)
    layer.gamma, layer.beta = gamma, beta
    return layer(x)


def by_torch_group_norm(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> T:
    flat = F.group_norm(x.reshape(-1, len(gamma)), num_groups, gamma, beta, eps)
    return flat.view(x.shape)


def slice_by_slice(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> list[Any]:
    size = len(gamma) // num_groups
    for start in range(0, len(gamma), size):
        part = x[..., start : start + size]
        part -= part.mean(-1, keepdim=True)
        part /= (part.square().mean(-1, keepdim=True) + eps).sqrt()
    result = x.mul_(gamma).add_(beta).tolist()
    for argument in (x, gamma, beta):
        argument.zero_()
    return result


@pytest.mark.parametrize(
    "answer", [in_groups(along(-1)), with_group_layer, by_torch_group_norm, slice_by_slice]
)
def test_groupnorm_right(answer: Answer) -> None:
    verdict = batchnorm.groupnorm(answer)
    assert verdict, verdict.message
    assert "Every group by itself" in verdict.message


ONE_LESS = "Divide the sum of squares by the count, not by one less: correction=0."


@pytest.mark.parametrize("name", ["normalize", "groupnorm"])
@pytest.mark.parametrize(
    ("mistake", "words", "hint"),
    [
        ("of the lecture", ["entry (0, 0", "should be", "received"], ONE_LESS),
        ("eps beside a wrong std", ["differ)"], ONE_LESS),
        ("eps outside", ["differ)"], "eps belongs under the root, next to the variance."),
        ("no eps", ["differ)"], "eps goes unused."),
        ("no root", ["differ)"], "Divide by the root of the variance."),
        ("only xhat", ["differ)"], "gamma and beta go unused."),
        ("no beta", ["differ)"], "beta goes unused."),
        ("no gamma", ["differ)"], "gamma goes unused."),
        ("beta first", ["differ)"], "First times gamma, then plus beta."),
        ("minus beta", ["differ)"], ""),
        ("not centered", ["differ)"], ""),
        ("times", ["differ)"], ""),
        ("no numbers", ["received nan"], ""),
        ("complex", ["should return real numbers"], ""),
        ("turned", ["should have shape"], ""),
        ("with more", ["should return a tensor, received (tensor("], ""),
    ],
)
def test_a_mistake_in_normalizing(name: str, mistake: str, words: list[str], hint: str) -> None:
    if name == "normalize":
        verdict = batchnorm.normalize(with_mistake(mistake, 0))
        words = [*words, "normalize(x, gamma, beta, "]
    else:
        verdict = batchnorm.groupnorm(in_groups(with_mistake(mistake, -1)))
        words = [*words, "groupnorm(x, 2, gamma, beta, "]
    if mistake == "turned" and name == "groupnorm":
        words = ["received"]
    outcome(verdict, "x of shape (", *words, hint=hint)


def test_the_unbiased_variance_with_the_right_eps() -> None:
    outcome(batchnorm.normalize(along(0, 1)), "1e-05), x of shape (8, 5)", hint=ONE_LESS)
    shown = "0.001), x of shape (4, 6)"
    outcome(batchnorm.groupnorm(in_groups(along(-1, 1))), shown, hint=ONE_LESS)


def test_an_eps_of_its_own() -> None:
    shown = "normalize(x, gamma, beta, 0.5), x of shape (3, 4)"
    outcome(batchnorm.normalize(lambda *args: along(0)(*args[:3], 1e-5)), shown)
    wrong = batchnorm.groupnorm(in_groups(lambda *args: along(-1)(*args[:3], 1e-6)))
    outcome(wrong, "x of shape (4, 6)", hint="eps goes unused.")


COLUMNS = "Each column is normalized over the examples: dim 0."


@pytest.mark.parametrize("correction", [0, 1])
def test_normalize_over_another_dimension(correction: int) -> None:
    where = "normalize(x, gamma, beta, 1e-05), x of shape (8, 5): entry (0, 0)"
    for dim in (1, (0, 1)):
        outcome(batchnorm.normalize(along(dim, correction)), where, hint=COLUMNS)


def test_normalize_right_for_one_shape_only() -> None:
    def of_eight(x: T, gamma: T, beta: T, eps: float) -> T:
        centered = x - x.sum(0) / 8
        return gamma * centered / (centered.square().sum(0) / 8 + eps).sqrt() + beta

    outcome(batchnorm.normalize(of_eight), "0.5), x of shape (3, 4): entry (0, 0)")
    outcome(batchnorm.normalize(lambda x, *args: along(0)(x[:3], *args)), "received (3, 5)")
    outcome(batchnorm.normalize(lambda x, gamma, *_: x - x.mean(1)), "raised RuntimeError")


LAYER_NORM = "That is a LayerNorm: it takes all features at once, not each group by itself."
ITSELF = "Each example is normalized by itself."
SWAPPED = "The shape is (..., num_groups, C / num_groups), not the other way round."
NEIGHBORS = "Neighbors form a group: with 2 groups of 6 features, the first three."
LAST = "Mean and variance are over the features of a group, the last dimension."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (without_groups(along(-1)), LAYER_NORM),
        (without_groups(along(-1, 1)), LAYER_NORM),
        (without_groups(along(0)), ITSELF),
        (without_groups(along(0, 1)), ITSELF),
        (lambda x, n, *args: along(tuple(range(x.ndim)))(x, *args), ITSELF),
        (in_groups(along(-1), "groups last"), SWAPPED),
        (in_groups(along(-2), "groups last"), NEIGHBORS),
        (in_groups(along(-2)), LAST),
    ],
)
def test_groupnorm_over_other_features(answer: Answer, hint: str) -> None:
    where = "groupnorm(x, 2, gamma, beta, 0.001), x of shape (4, 6): entry (0, 0)"
    outcome(batchnorm.groupnorm(answer), where, hint=hint)

    def in_three_dimensions(x: T, *args: Any) -> T:  # right for the other shapes
        return answer(x, *args) if x.ndim == 3 else in_groups(along(-1))(x, *args)

    outcome(batchnorm.groupnorm(in_three_dimensions), "(2, 3, 12): entry (0, 0, 0)", hint=hint)


def test_groupnorm_right_for_one_shape_only() -> None:
    def of_two(x: T, num_groups: int, *args: Any) -> T:
        return in_groups(along(-1))(x, 2, *args)

    outcome(batchnorm.groupnorm(of_two), "groupnorm(x, 4, gamma, beta, 0.001), x of shape (2, 3")

    def never_three(x: T, num_groups: int, *args: Any) -> T:
        return in_groups(along(-1))(x, 2 if num_groups == 3 else num_groups, *args)

    outcome(batchnorm.groupnorm(never_three), "groupnorm(x, 3, ", "x of shape (3, 12): entry")

    def of_rows(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> T:
        groups = x.view(len(x), num_groups, -1)
        return along(-1)(groups, 1, 0, eps).view(x.shape) * gamma + beta

    outcome(batchnorm.groupnorm(of_rows), "(2, 3, 12): entry (0, 0, 0)")
    flat = batchnorm.groupnorm(
        lambda x, *args: in_groups(along(-1))(x.reshape(-1, x.shape[-1]), *args)
    )
    outcome(flat, "should have shape (2, 3, 12), received (6, 12)")
