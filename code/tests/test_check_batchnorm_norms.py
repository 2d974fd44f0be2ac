"""The checks of chapter 4's normalizations: right answers of several kinds, and known mistakes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_check_micrograd import outcome
from torch import nn

from zerotohero import check
from zerotohero.layers import BatchNorm1d, LayerNorm

batchnorm = check.batchnorm
Answer = Callable[..., Any]
T = torch.Tensor


# -- exercises 3 and 6: BatchNorm, LayerNorm -----------------------------------------------


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


def every_vector(x: T, gamma: T, beta: T, eps: float) -> T:
    if x.ndim > 1:
        return torch.stack([every_vector(row, gamma, beta, eps) for row in x])
    return gamma * (x - x.mean()) / (x.var(correction=0) + eps).sqrt() + beta


@pytest.mark.parametrize(
    "answer",
    [
        along(-1),
        overwrites(-1),
        in_numpy(-1),
        with_layer(LayerNorm),
        every_vector,
        lambda x, gamma, beta, eps: F.layer_norm(x, x.shape[-1:], gamma, beta, eps),
    ],
)
def test_layernorm_right(answer: Answer) -> None:
    verdict = batchnorm.layernorm(answer)
    assert verdict, verdict.message
    assert "Every row by itself" in verdict.message


ONE_LESS = "Divide the sum of squares by the count, not by one less: correction=0."


@pytest.mark.parametrize(
    ("name", "dim"), [("normalize", 0), ("layernorm", -1)], ids=["normalize", "layernorm"]
)
@pytest.mark.parametrize(
    ("mistake", "words", "hint"),
    [
        ("of the lecture", ["entry (0, 0", "should be", "received"], ONE_LESS),
        ("eps beside a wrong std", ["differ)"], ONE_LESS),
        ("eps outside", ["differ)"], "eps belongs under the root, beside the variance."),
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
def test_a_mistake_in_normalizing(
    name: str, dim: int, mistake: str, words: list[str], hint: str
) -> None:
    verdict = getattr(batchnorm, name)(with_mistake(mistake, dim))
    outcome(verdict, f"{name}(x, gamma, beta, ", "x of shape (", *words, hint=hint)


def test_the_unbiased_variance_with_the_right_eps() -> None:
    outcome(batchnorm.normalize(along(0, 1)), "1e-05), x of shape (8, 5)", hint=ONE_LESS)
    outcome(batchnorm.layernorm(along(-1, 1)), "0.001), x of shape (4, 6)", hint=ONE_LESS)


def test_an_eps_of_its_own() -> None:
    shown = "normalize(x, gamma, beta, 0.5), x of shape (3, 4)"
    outcome(batchnorm.normalize(lambda *args: along(0)(*args[:3], 1e-5)), shown)
    wrong = batchnorm.layernorm(lambda *args: along(-1)(*args[:3], 1e-6))
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


ITSELF = "Every vector of the last dimension is normalized by itself."


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize(
    ("dim", "shape", "hint"),
    [
        (0, (4, 6), "Those are the columns. Each row is normalized by itself."),
        ((0, 1), (4, 6), ITSELF),
        (1, (2, 3, 5), "With three dimensions, the features are the last: dim −1."),
        ((1, 2), (2, 3, 5), ITSELF),
        ((0, 1, 2), (2, 3, 5), ITSELF),
    ],
)
def test_layernorm_over_another_dimension(
    dim: Any, shape: tuple[int, ...], hint: str, correction: int
) -> None:
    def answer(x: T, *args: Any) -> T:  # right for the other shape
        return along(dim, correction)(x, *args) if x.shape == shape else along(-1)(x, *args)

    where = f"layernorm(x, gamma, beta, 0.001), x of shape {shape}: entry (0, 0"
    outcome(batchnorm.layernorm(answer), where, hint=hint)


def test_layernorm_right_for_one_shape_only() -> None:
    def with_none(x: T, gamma: T, beta: T, eps: float) -> T:
        var = x.var(-1, correction=0)
        return gamma * (x - x.mean(-1)[:, None]) / (var[:, None] + eps).sqrt() + beta

    outcome(batchnorm.layernorm(with_none), "x of shape (2, 3, 5) raised RuntimeError")
    hint = "With three dimensions, the features are the last: dim −1."
    outcome(batchnorm.layernorm(along(1)), "(2, 3, 5): entry (0, 0, 0)", hint=hint)
    outcome(batchnorm.layernorm(along((1, 2))), "(4, 6) raised IndexError")
    outcome(batchnorm.layernorm(lambda x, gamma, *_: x - x.mean(-1)), "raised RuntimeError")
    flat = batchnorm.layernorm(lambda x, *args: along(-1)(x.reshape(-1, x.shape[-1]), *args))
    outcome(flat, "should have shape (2, 3, 5), received (6, 5)")
