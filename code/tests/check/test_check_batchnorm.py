"""The checks of chapter 4: the gradients of all zeros."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.check import batchnorm
from zerotohero.check.verdict import Verdict
from zerotohero.mlp import MLP

Answer = Callable[..., Any]


# -- exercise 1: all zeros -----------------------------------------------------------------

SHAPES = {"C": (27, 10), "W1": (30, 200), "b1": (200,), "W2": (200, 27), "b2": (27,)}


def zero_start(Y: torch.Tensor, **changes: Any) -> dict[str, Any]:
    """Return the right gradients, perhaps with some of them changed."""
    b2 = [1 / 27 - Y.tolist().count(c) / len(Y) for c in range(27)]
    zeros = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    return {**zeros, "b2": torch.tensor(b2), **changes}


def by_autograd(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
    model = MLP(torch.Generator())
    for p in model.parameters():
        p.requires_grad_(False).zero_().requires_grad_()
    F.cross_entropy(model(X), Y).backward()
    return {name: getattr(model, name).grad for name in SHAPES}


def by_hand(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
    """Go through the whole backward pass, in NumPy, with its zeros."""
    p: dict[str, Any] = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    ix = X.numpy()
    h = np.tanh(p["C"][ix].reshape(len(ix), -1) @ p["W1"] + p["b1"])
    dlogits = (np.full((len(ix), 27), 1 / 27) - np.eye(27)[Y.numpy()]) / len(ix)
    dpre = dlogits @ p["W2"].T * (1 - h**2)
    dC = np.zeros((27, 10))
    np.add.at(dC, ix, (dpre @ p["W1"].T).reshape(len(ix), 3, 10))
    emb = p["C"][ix].reshape(len(ix), -1)
    dW1, dW2 = emb.T @ dpre, h.T @ dlogits
    return {"C": dC, "W1": dW1, "b1": dpre.sum(0), "W2": dW2, "b2": dlogits.sum(0)}


def in_place(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
    answer = {name: value.tolist() for name, value in zero_start(Y).items()}
    X.zero_()
    Y.zero_()
    return answer


@pytest.mark.parametrize("answer", [lambda X, Y: zero_start(Y), by_autograd, by_hand, in_place])
def test_zero_start_right(answer: Answer) -> None:
    verdict = batchnorm.zero_start(answer)
    assert verdict, verdict.message
    assert "Only the output bias" in verdict.message


def dlogits(Y: torch.Tensor) -> torch.Tensor:
    return (1 / 27 - F.one_hot(Y, 27)) / len(Y)


def once_each(Y: torch.Tensor) -> torch.Tensor:
    b2 = torch.full((27,), 1 / 27)
    b2[Y] -= 1 / len(Y)
    return b2


SUMMED = "One bias serves all examples: add up their gradients."
LEARNS = "b2 does learn: all probabilities are 1/27, the answers are not."


@pytest.mark.parametrize(
    ("b2", "words", "hint"),
    [
        (
            lambda Y: -dlogits(Y).sum(0),
            ["the gradient of b2 in zero_start(X, [0, 0, 1, 5, 5, 5])", "(27 of 27 differ)"],
            "The sign is reversed: probability minus answer.",
        ),
        (
            lambda Y: (1 / 27 - F.one_hot(Y, 27)).sum(0),
            ["(27 of 27 differ)"],
            "The loss is a mean: divide by the examples.",
        ),
        (
            lambda Y: dlogits(Y).mean(0),
            ["(27 of 27 differ)"],
            "Divide by the number of examples only once.",
        ),
        (dlogits, ["should have shape (27,), received (6, 27)"], SUMMED),
        (
            lambda Y: torch.ones(27) / 27,
            ["(3 of 27 differ)"],
            "Subtract 1 where the right answer is.",
        ),
        (lambda Y: torch.zeros(27), ["entry (0,)", "received 0 (27 of 27"], LEARNS),
        (
            once_each,
            ["(2 of 27 differ)"],
            "An answer that occurs twice counts twice. With [Y] -= it counts once.",
        ),
        (lambda Y: 1 / 27 - torch.bincount(Y) / len(Y), ["(27,), received (6,)"], ""),
        (lambda Y: dlogits(Y).sum(0) * len(Y) / 6, ["[13, 1, 26, 1]", "(27 of 27 differ)"], ""),
        (lambda Y: dlogits(Y).sum(0)[None], ["(27,), received (1, 27)"], ""),
        (lambda Y: dlogits(Y).sum(0) * math.nan, ["received nan"], ""),
        (lambda Y: dlogits(Y).sum(0) + 0j, ["real numbers, received torch.complex64"], ""),
        (lambda Y: None, ["the gradient of b2", "return a tensor, received None"], ""),
    ],
)
def test_zero_start_wrong_for_the_bias(b2: Answer, words: list[str], hint: str) -> None:
    outcome(batchnorm.zero_start(lambda X, Y: zero_start(Y, b2=b2(Y))), *words, hint=hint)


FACTOR = "Which factor of this gradient is zero: h, W2 or W1?"
SHAPE = "A gradient has the shape of its tensor."


@pytest.mark.parametrize("name", ["C", "W1", "b1", "W2"])
def test_zero_start_wrong_for_the_others(name: str) -> None:
    def wrong(value: Any) -> Verdict:
        return batchnorm.zero_start(lambda X, Y: zero_start(Y, **{name: value}))

    where, shape = f"the gradient of {name} in zero_start(X, [0, 0, 1", SHAPES[name]
    outcome(wrong(torch.full(shape, 0.1)), where, "should be 0, received 0.1", hint=FACTOR)
    for zeros in (0, 0.0, torch.zeros(1)):
        outcome(wrong(zeros), where, f"should have shape {shape}, received (", hint=SHAPE)
    if len(shape) == 2:
        outcome(wrong(torch.zeros(shape).T), where, f"shape {shape}, received", hint=SHAPE)
    outcome(wrong(torch.full(shape, math.nan)), where, "received nan", hint=FACTOR)
    outcome(wrong(None), where, "should return a tensor, received None")


def test_zero_start_with_a_hidden_layer_that_is_not_zero() -> None:
    h = torch.randn(6, 200, generator=torch.Generator().manual_seed(1)).tanh()
    dW2 = h.T @ dlogits(torch.tensor([0, 0, 1, 5, 5, 5]))
    outcome(
        batchnorm.zero_start(lambda X, Y: zero_start(Y, W2=dW2)), "the gradient of W2", hint=FACTOR
    )


def test_zero_start_without_the_names() -> None:
    keys = "should return a dictionary with the keys C, W1, b1, W2, b2, received "
    for wrong, received in [
        (lambda X, Y: {"b2": zero_start(Y)["b2"]}, "['b2']."),
        (lambda X, Y: zero_start(Y, b=0), "['C', 'W1', 'b1', 'W2', 'b2', 'b']."),
        (lambda X, Y: list(zero_start(Y).values()), "[tensor("),
        (lambda X, Y: dlogits(Y).sum(0), "tensor("),
    ]:
        outcome(batchnorm.zero_start(wrong), keys + received)
    assert len(batchnorm.zero_start(lambda X, Y: [0] * 10_000).message) < 300
