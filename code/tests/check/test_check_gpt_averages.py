"""The checks of chapter 7's averages and squared ReLU: right answers, and known mistakes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.check import gpt

T = torch.Tensor
Answer = Callable[[T], Any]


# -- exercise 1: averages ------------------------------------------------------------------


def tril(x: T, diagonal: int = 0) -> T:
    return torch.ones(x.shape[1], x.shape[1]).tril(diagonal)


def by_softmax(x: T) -> T:
    scores = torch.zeros(x.shape[1], x.shape[1])
    return scores.masked_fill(tril(x) == 0, float("-inf")).softmax(-1) @ x


def by_two_loops(x: T) -> T:
    means = torch.zeros_like(x)
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            means[b, t] = x[b, : t + 1].mean(0)
    return means


def in_numpy(x: T) -> np.ndarray:
    a = x.numpy().astype(float)
    return np.cumsum(a, 1) / np.arange(1, a.shape[1] + 1)[:, None]


def in_place(x: T) -> list[Any]:
    means = (x.cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]).tolist()
    x.zero_()
    return means


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: tril(x) / tril(x).sum(1, keepdim=True) @ x,
        lambda x: torch.einsum("ts,bsc->btc", F.normalize(tril(x), p=1, dim=1), x),
        lambda x: (tril(x).double() / tril(x).sum(1)[:, None]) @ x.double().requires_grad_(),
        by_softmax,
        by_two_loops,
        in_numpy,
        in_place,
    ],
)
def test_averages_right(answer: Answer) -> None:
    verdict = gpt.averages(answer)
    assert verdict, verdict.message
    assert "averages the past" in verdict.message


ITSELF = "A token also hears itself."


def strict_with_zeros(x: T) -> T:
    weights = tril(x, -1)
    return weights / weights.sum(1, keepdim=True).clamp(min=1) @ x


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda x: tril(x) @ x,
            ["entry (0, 1, 0)", "(24 of 30 differ)"],
            "Those are sums. Each row of the matrix has to add up to 1.",
        ),
        (
            lambda x: tril(x) / x.shape[1] @ x,
            ["entry (0, 0, 0)"],
            "Each token has its own number of predecessors: divide row by row.",
        ),
        (
            lambda x: x.cumsum(1) / x.shape[1],
            ["entry (0, 0, 0)"],
            "Each token has its own number of predecessors: divide row by row.",
        ),
        (
            lambda x: tril(x) / tril(x).sum(1) @ x,
            ["entry (0, 1, 0)"],
            "Those sums belong to the rows: keepdim=True.",
        ),
        (
            lambda x: tril(x) / tril(x).sum(0, keepdim=True) @ x,
            ["entry (0, 0, 0)"],
            "Its rows have to add up to 1, not its columns.",
        ),
        (
            lambda x: tril(x).softmax(-1) @ x,
            ["entry (0, 0, 0)"],
            "In a softmax a score of 0 counts. Mask with −∞.",
        ),
        (
            lambda x: x.mean(1, keepdim=True).expand(x.shape),
            ["entry (0, 0, 0)"],
            "The future is in it. Use tril.",
        ),
        (
            lambda x: torch.ones(x.shape[1], x.shape[1]) / x.shape[1] @ x,
            ["entry (0, 0, 0)"],
            "The future is in it. Use tril.",
        ),
        (
            lambda x: tril(x).T / tril(x).T.sum(1, keepdim=True) @ x,
            ["entry (0, 0, 0)"],
            "That is the mean of the future: the triangle is the wrong one.",
        ),
        (
            lambda x: tril(x, -1) / tril(x, -1).sum(1, keepdim=True) @ x,
            ["entry (0, 0, 0)", "received nan"],
            ITSELF,
        ),
        (strict_with_zeros, ["entry (0, 0, 0)", "received 0"], ITSELF),
        (lambda x: x.mean(1), ["should have shape (2, 5, 3), received (2, 3)"], ""),
        (lambda x: by_softmax(x)[0], ["received (5, 3)"], ""),
        (lambda x: by_softmax(x).mT, ["received (2, 3, 5)"], ""),
        (lambda x: -by_softmax(x), ["(30 of 30 differ)"], ""),
        (lambda x: by_softmax(x) * math.nan, ["received nan"], ""),
        (lambda x: by_softmax(x) + 0j, ["real numbers, received torch.complex64"], ""),
        (lambda x: (by_softmax(x), tril(x)), ["should return a tensor"], ""),
        (lambda x: x @ tril(x), ["averages(x), x of shape (2, 5, 3) raised RuntimeError"], ""),
        (lambda x: torch.ones(5, 5).tril() @ x, ["(24 of 30"], "Those are sums. Each row of the "
         "matrix has to add up to 1."),
    ],
)  # fmt: skip
def test_averages_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(gpt.averages(answer), "averages(x), x of shape (2, 5, 3)", *words, hint=hint)


def test_averages_right_for_one_shape_only() -> None:
    def of_five(x: T) -> T:
        return torch.ones(5, 5).tril() / torch.arange(1, 6)[:, None] @ x

    def of_pairs(x: T) -> T:
        return torch.stack([by_softmax(x[i : i + 1])[0] for i in range(2)])

    outcome(gpt.averages(of_five), "averages(x), x of shape (1, 4, 4) raised RuntimeError")
    outcome(gpt.averages(of_pairs), "averages(x), x of shape (1, 4, 4) raised IndexError")


# -- exercise 5: the squared ReLU ----------------------------------------------------------


def by_entry(x: T) -> Any:
    if x.ndim:
        return [by_entry(part) for part in x]
    return max(0.0, x.item()) ** 2


def overwrites(x: T) -> T:
    return x.clamp_(min=0).mul_(x)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: torch.relu(x).square(),
        lambda x: F.relu(x) ** 2,
        lambda x: x * F.relu(x),
        lambda x: torch.where(x > 0, x**2, 0),
        lambda x: (x > 0) * x * x,
        lambda x: np.maximum(x.numpy(), 0) ** 2,
        by_entry,
        overwrites,
    ],
)
def test_squared_relu_right(answer: Answer) -> None:
    verdict = gpt.squared_relu(answer)
    assert verdict, verdict.message
    assert "a parabola" in verdict.message


NEGATIVE = "Negative inputs give 0: first the ReLU, then the square."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (torch.relu, ["entry (0, 3) should be 0.25, received 0.5"], "That is the ReLU. Square it."),
        (lambda x: 2 * F.relu(x), ["(0, 3)", "received 1"], "The square, not the double."),
        (lambda x: F.relu(x).sqrt(), ["(0, 3)"], "The square, not the root."),
        (lambda x: F.relu(x) ** 0.5, ["(0, 3)"], "The square, not the root."),
        (lambda x: x**2, ["entry (0, 0) should be 0, received 4"], NEGATIVE),
        (lambda x: F.relu(x**2), ["entry (0, 0) should be 0, received 4"], NEGATIVE),
        (lambda x: x * x.abs(), ["entry (0, 0) should be 0, received -4"], NEGATIVE),
        (lambda x: F.relu(x) ** 3, ["should be 0.25, received 0.125"], ""),
        (lambda x: F.gelu(x).square(), ["entry (0, 0)"], ""),
        (lambda x: -torch.relu(x).square(), ["received -0.25"], ""),
        (lambda x: torch.relu(x).square().sum(), ["shape (2, 4), received ()"], ""),
        (lambda x: torch.relu(x).square().T, ["shape (2, 4), received (4, 2)"], ""),
        (lambda x: torch.relu(x).square() + math.nan, ["received nan"], ""),
        (lambda x: max(0, x) ** 2, ["raised RuntimeError"], ""),
        (lambda x: x.relu().squared(), ["raised AttributeError"], ""),
    ],
)
def test_squared_relu_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(gpt.squared_relu(answer), "squared_relu(x), x of shape (2, 4)", *words, hint=hint)


def test_squared_relu_right_for_a_matrix_only() -> None:
    def by_rows(x: T) -> T:
        return torch.tensor([[max(0.0, float(entry)) ** 2 for entry in row] for row in x])

    outcome(gpt.squared_relu(by_rows), "squared_relu(x), x of shape (2, 3, 4) raised")
