"""The checks of chapter 4: the gradients of all zeros."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.backprop import mlp_gradients
from zerotohero.check import batchnorm
from zerotohero.check.verdict import Verdict
from zerotohero.micrograd import Value
from zerotohero.mlp import MLP, train

Answer = Callable[..., Any]


# -- exercise 1: all zeros -----------------------------------------------------------------

SHAPES = {"C": (27, 10), "W1": (30, 200), "b1": (200,), "W2": (200, 27), "b2": (27,)}


def zero_start(Y: torch.Tensor, **changes: Any) -> dict[str, Any]:
    """Return the right gradients, perhaps with some of them changed."""
    b2 = [1 / 27 - Y.tolist().count(c) / len(Y) for c in range(27)]
    zeros = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    return {**zeros, "b2": torch.tensor(b2), **changes}


def test_the_whole_backward_pass() -> None:
    """Go through all of it, in NumPy, with its zeros."""

    def answer(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
        parameters = [np.zeros((1, *shape)) for shape in SHAPES.values()]
        parameters = [p[:, None] if p.ndim == 2 else p for p in parameters]
        gradients = mlp_gradients(*parameters, X.numpy(), Y.numpy())[1]
        return {name: g.reshape(SHAPES[name]) for name, g in zip(SHAPES, gradients)}

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
SHAPE = "A gradient has the shape of its tensor."
EVERYWHERE = "The probability is 1/27 for every character, whether it occurs in Y or not."


@pytest.mark.parametrize(
    ("b2", "words", "hint"),
    [
        (
            lambda Y: -dlogits(Y).sum(0),
            ["The gradient of b2 in zero_start(X, [0, 0, 1, 5, 5, 5])", "(27 of 27 differ)"],
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
        (lambda Y: -F.one_hot(Y, 27).float().mean(0), ["(27 of 27 differ)"], EVERYWHERE),
        (lambda Y: -torch.bincount(Y, minlength=27), ["(27 of 27 differ)"], EVERYWHERE),
        (lambda Y: 1 / 27 - torch.bincount(Y) / len(Y), ["(27,), received (6,)"], SHAPE),
        (lambda Y: dlogits(Y).sum(0) * len(Y) / 6, ["[13, 1, 26, 1]", "(27 of 27 differ)"], ""),
        (lambda Y: dlogits(Y).sum(0)[None], ["(27,), received (1, 27)"], SHAPE),
        (lambda Y: dlogits(Y).sum(0) * math.nan, ["received nan"], ""),
        (lambda Y: dlogits(Y).sum(0) + 0j, ["real numbers, received torch.complex64"], ""),
        (lambda Y: None, ["The gradient of b2", "be a tensor, received None"], ""),
    ],
)
def test_zero_start_wrong_for_the_bias(b2: Answer, words: list[str], hint: str) -> None:
    outcome(batchnorm.zero_start(lambda X, Y: zero_start(Y, b2=b2(Y))), *words, hint=hint)


FACTOR = "Which factor of this gradient is zero: h, W2 or W1?"


@pytest.mark.parametrize("name", ["C", "W1", "b1", "W2"])
def test_zero_start_wrong_for_the_others(name: str) -> None:
    def wrong(value: Any) -> Verdict:
        return batchnorm.zero_start(lambda X, Y: zero_start(Y, **{name: value}))

    where, shape = f"The gradient of {name} in zero_start(X, [0, 0, 1", SHAPES[name]
    outcome(wrong(torch.full(shape, 0.1)), where, "should be 0, received 0.1", hint=FACTOR)
    for zeros in (0, 0.0, torch.zeros(1), torch.zeros(6), torch.zeros(6, *shape), [[0.0]]):
        outcome(wrong(zeros), where, f"should have shape {shape}, received (", hint=SHAPE)
    if len(shape) == 2:
        outcome(wrong(torch.zeros(shape).T), where, f"shape {shape}, received", hint=SHAPE)
    outcome(wrong(torch.full(shape, math.nan)), where, "received nan", hint=FACTOR)
    outcome(wrong(None), where, "should be a tensor, received None")


def test_zero_start_with_a_hidden_layer_that_is_not_zero() -> None:
    h = torch.randn(6, 200, generator=torch.Generator().manual_seed(1)).tanh()
    dW2 = h.T @ dlogits(torch.tensor([0, 0, 1, 5, 5, 5]))
    outcome(
        batchnorm.zero_start(lambda X, Y: zero_start(Y, W2=dW2)), "The gradient of W2", hint=FACTOR
    )


def test_zero_start_with_known_numbers_of_examples() -> None:
    known: dict[int, torch.Tensor] = {}

    def by_length(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
        return zero_start(Y, b2=known.setdefault(len(Y), zero_start(Y)["b2"]))

    outcome(batchnorm.zero_start(by_length), "zero_start(X, [2, 9, 9, 14])", "(6 of 27 differ)")


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


def test_zero_start_keeps_what_it_is_given() -> None:
    def in_place(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
        answer = zero_start(Y)
        X.zero_()
        return answer

    hint = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
    outcome(batchnorm.zero_start(in_place), "changed X, which it was given.", hint=hint)


# -- no autograd -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch_func() -> None:
    """Import what PyTorch imports at the first use of torch.func: that takes seconds."""
    torch.func.grad(torch.sin)(torch.ones(()))


def loss(b2: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(b2.expand(len(Y), 27), Y)


def by_a_backward_pass(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
    model = MLP(torch.Generator())
    for p in model.parameters():
        p.requires_grad_(False).zero_().requires_grad_()
    F.cross_entropy(model(X), Y).backward()
    return {name: getattr(model, name).grad for name in SHAPES}


def backward_of_a_module(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
    b2 = torch.zeros(27, requires_grad=True)
    torch.autograd.backward(loss(b2, Y))
    return zero_start(Y, b2=b2.grad)


def with_autograd_grad(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
    b2 = torch.zeros(27, requires_grad=True)
    return zero_start(Y, b2=torch.autograd.grad(loss(b2, Y), b2)[0])


def with_func(transform: Answer) -> Answer:
    return lambda X, Y: zero_start(Y, b2=transform(lambda b2: loss(b2, Y))(torch.zeros(27)))


def with_micrograd(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
    b2 = [Value(0.0) for _ in range(27)]
    normalizer = sum((logit.exp() for logit in b2), Value(0.0)).log()
    losses = sum((normalizer - b2[y] for y in Y.tolist()), Value(0.0))
    (losses / len(Y)).backward()
    return zero_start(Y, b2=[logit.grad for logit in b2])


def by_training(X: torch.Tensor, Y: torch.Tensor) -> dict[str, Any]:
    model = MLP(torch.Generator())
    for p in model.parameters():
        p.zero_()
    train(model, X, Y, steps=1, learning_rate=1.0, generator=torch.Generator(), progress=False)
    return zero_start(Y, b2=-model.b2)


@pytest.mark.parametrize(
    "answer",
    [
        by_a_backward_pass,
        backward_of_a_module,
        with_autograd_grad,
        by_training,
        with_func(torch.func.grad),
        with_func(torch.func.jacrev),
        with_func(torch.func.jacfwd),
        with_func(lambda f: lambda b2: torch.func.vjp(f, b2)[1](torch.ones(()))[0]),
        with_func(lambda f: lambda b2: torch.autograd.functional.jacobian(f, b2)),
    ],
)
@pytest.mark.usefixtures("torch_func")
def test_zero_start_without_autograd(answer: Answer) -> None:
    hint = "The exercise is to find the gradients by thinking, without autograd."
    outcome(batchnorm.zero_start(answer), "is ruled out in this exercise.", hint=hint)


def test_zero_start_without_micrograd() -> None:
    hint = "The exercise is to find the gradients by thinking, without autograd."
    verdict = batchnorm.zero_start(with_micrograd)
    outcome(verdict, "backward is ruled out in this exercise.", hint=hint)
    b2 = Value(1.0)
    (b2 * b2).backward()  # it works again after the check
    assert b2.grad == 2
