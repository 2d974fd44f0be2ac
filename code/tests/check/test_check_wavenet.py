"""The checks of chapter 6: right answers of several kinds, and known mistakes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from check_answers import outcome
from torch import nn

from zerotohero.check import wavenet
from zerotohero.layers import FlattenConsecutive
from zerotohero.wavenet import CausalConv1d

Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("embedded_names")


# -- neighbors side by side ----------------------------------------------------------------


def by_slices(x: torch.Tensor, n: int) -> torch.Tensor:
    out = torch.cat([x[:, i::n] for i in range(n)], 2)
    return out[:, 0] if out.shape[1] == 1 else out


def by_numpy(x: torch.Tensor, n: int) -> np.ndarray:
    B, T, C = x.shape
    return x.numpy().reshape((B, n * C) if n == T else (B, T // n, n * C))


@pytest.mark.parametrize("answer", [by_slices, by_numpy, lambda x, n: FlattenConsecutive(n)(x)])
def test_flatten_right(answer: Answer) -> None:
    verdict = wavenet.flatten(answer)
    assert verdict, verdict.message


def grouped(x: torch.Tensor, n: int) -> torch.Tensor:
    return x.reshape(len(x), x.shape[1] // n, n * x.shape[2])


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            grouped,
            ["flatten(x, 4), x of shape (3, 4, 2)", "shape (3, 8), received (3, 1, 8)"],
            "If one position is left, drop its dimension.",
        ),
        (
            lambda x, n: grouped(x, n).squeeze(),
            ["x of shape (1, 4, 2)", "shape (1, 2, 4), received (2, 4)"],
            "squeeze() drops every dimension of size 1, also the batch's.",
        ),
        (
            lambda x, n: torch.cat(x.chunk(n, 1), -1),
            ["x of shape (2, 6, 3)", "entry (0, 0, 3)"],
            "Join neighbors, not positions that are far apart.",
        ),
        (
            lambda x, n: grouped(x, n).unflatten(-1, (n, -1)).mT.flatten(2),
            ["x of shape (2, 6, 3)", "entry (0, 0, 1)"],
            "First all of one position, then all of the next.",
        ),
        (lambda x, n: x.flatten(1), ["shape (2, 3, 6), received (2, 18)"], ""),
    ],
)
def test_flatten_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(wavenet.flatten(answer), *words, hint=hint)


# -- BatchNorm over examples and places ----------------------------------------------------


def normalized(dims: Any, correction: int = 0) -> Answer:
    def answer(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
        mean = x.mean(dims, keepdim=True)
        var = x.var(dims, correction=correction, keepdim=True)
        return gamma * (x - mean) / torch.sqrt(var + eps) + beta

    return answer


def by_torch(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
    flat = nn.functional.batch_norm(x.flatten(0, 1), None, None, gamma, beta, True, 0.1, eps)
    return flat.view(x.shape)


@pytest.mark.parametrize("answer", [by_torch, normalized((0, 1)), normalized((-3, -2))])
def test_normalize_right(answer: Answer) -> None:
    verdict = wavenet.normalize(answer)
    assert verdict, verdict.message


@pytest.mark.parametrize(
    ("dims", "correction", "hint"),
    [
        (0, 0, "That is the lecture's bug: each position has statistics of its own."),
        (1, 0, "The examples of a batch belong together: dim 0, too."),
        ((0, 1, 2), 0, "Each feature has its own mean: not over the last dimension."),
        (2, 0, "That is a LayerNorm. Features are not mixed with each other."),
        ((0, 1), 1, "Divide by the number of values: correction=0."),
        ((0, 2), 0, ""),
    ],
)
def test_normalize_wrong(dims: Any, correction: int, hint: str) -> None:
    outcome(wavenet.normalize(normalized(dims, correction)), "x of shape (5, 3, 4)", hint=hint)


# -- the dilated convolution ---------------------------------------------------------------


def by_conv1d(x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
    kernel = weight.view(2, x.shape[2], -1).permute(2, 1, 0)
    return nn.functional.conv1d(x.mT, kernel, dilation=dilation).mT


def by_our_layer(x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
    layer = CausalConv1d(x.shape[2], weight.shape[1], 2, dilation, bias=False)
    layer.weight = weight
    return layer(x)


def by_loops(x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
    pairs = [torch.cat([x[:, t - dilation], x[:, t]], 1) for t in range(dilation, x.shape[1])]
    return torch.stack([pair @ weight for pair in pairs], 1)


@pytest.mark.parametrize("answer", [by_conv1d, by_our_layer, by_loops])
def test_dilated_right(answer: Answer) -> None:
    verdict = wavenet.dilated(answer)
    assert verdict, verdict.message


def swapped(x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
    return by_loops(x, torch.cat([weight[x.shape[2] :], weight[: x.shape[2]]]), dilation)


def zeros(x: torch.Tensor, dilation: int) -> torch.Tensor:
    return torch.zeros(len(x), dilation, x.shape[2])


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (swapped, "The first half of the weight belongs to the older position."),
        (lambda x, w, d: by_loops(x, w, 1), "The two positions are dilation apart."),
        (
            lambda x, w, d: by_loops(torch.cat([zeros(x, d), x], 1), w, d),
            "No zeros in front: begin where both positions exist.",
        ),
        (
            lambda x, w, d: torch.cat([y := by_loops(x, w, d), zeros(y, d)], 1),
            "No zeros at the end: the output is shorter than the input.",
        ),
        (lambda x, w, d: x[:, d:] @ w[x.shape[2] :], "The older position is missing."),
        (lambda x, w, d: 2 * by_loops(x, w, d), ""),
    ],
)
def test_dilated_wrong(answer: Answer, hint: str) -> None:
    outcome(wavenet.dilated(answer), "dilated(x, weight, ", hint=hint)
