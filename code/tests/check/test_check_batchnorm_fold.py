"""The check of folding BatchNorm away: known mistakes, changed layers, other types."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from check_answers import outcome
from torch import nn

from zerotohero.check.batchnorm import fold
from zerotohero.layers import BatchNorm1d, Linear

Answer = Callable[[Linear, BatchNorm1d], Any]


def layer(weight: Any, bias: Any) -> Linear:
    made = Linear(1, 1)
    made.weight, made.bias = weight, bias
    return made


def parts(linear: Linear, bn: BatchNorm1d) -> tuple[torch.Tensor, ...]:
    """Return what an answer is made of: W, b, mean, beta, and the scale."""
    b = torch.zeros(bn.dim) if linear.bias is None else linear.bias
    scale = bn.gamma / (bn.running_var + bn.eps).sqrt()
    return linear.weight, b, bn.running_mean, bn.beta, scale


def folded(linear: Linear, bn: BatchNorm1d) -> Linear:
    W, b, mean, beta, scale = parts(linear, bn)
    return layer(W * scale, (b - mean) * scale + beta)


SQUARE = "fold(linear, bn), linear of shape (6, 6) where linear.bias is None"
WITHOUT = f"The output of {SQUARE}: entry (0, "
OTHER = "fold(linear, bn), linear of shape (4, 7) with a bias"
WITH = f"The output of {OTHER}: entry (0, "


@pytest.mark.parametrize(
    ("wrong", "where", "hint"),
    [
        (
            lambda W, b, mean, beta, a: (W * a, -mean * a + beta),
            WITH,
            "The linear layer has a bias of its own, which goes into the new bias, too.",
        ),
        (
            lambda W, b, mean, beta, a: (W * a, b - mean * a + beta),
            WITH,
            "The linear layer's bias has to be scaled like its weight.",
        ),
        (
            lambda W, b, mean, beta, a: (W * a[:, None], (b - mean) * a + beta),
            WITHOUT,
            "The scale belongs to the columns of the weight, one for each output.",
        ),
        (
            lambda W, b, mean, beta, a: (torch.diag(a) @ W, (b - mean) * a + beta),
            WITHOUT,
            "The scale belongs to the columns of the weight, one for each output.",
        ),
        (
            lambda W, b, mean, beta, a: (W, (b - mean) * a + beta),
            WITHOUT,
            "The weight has to be scaled, too.",
        ),
        (
            lambda W, b, mean, beta, a: (W * a, b * a - mean + beta),
            WITHOUT,
            "The running mean has to be scaled, too.",
        ),
        (lambda W, b, mean, beta, a: (W * a, (b - mean) * a), WITHOUT, "beta is missing."),
        (
            lambda W, b, mean, beta, a: (W * a, b * a + beta),
            WITHOUT,
            "The running mean is missing.",
        ),
        (
            lambda W, b, mean, beta, a: (W * a, None),
            WITHOUT,
            "The new layer needs a bias, even where the old one has none.",
        ),
        (
            lambda W, b, mean, beta, a: (W * a, torch.zeros(6)),
            WITHOUT,
            "The new layer needs a bias, even where the old one has none.",
        ),
        (lambda W, b, mean, beta, a: (W / a, (b - mean) / a + beta), WITHOUT, ""),
        (lambda W, b, mean, beta, a: (W * a, (b + mean) * a + beta), WITHOUT, ""),
        (lambda W, b, mean, beta, a: (W * a, (b - mean + beta) * a), WITHOUT, ""),
        (lambda W, b, mean, beta, a: (-W * a, (b - mean) * a + beta), WITHOUT, ""),
        (lambda W, b, mean, beta, a: (W * math.nan, beta), "should be", ""),
        (lambda W, b, mean, beta, a: (W * a, (beta - mean * a)[0]), "(60 of 72 differ)", ""),
        (lambda W, b, mean, beta, a: (W[:, :1] * a[:1], beta[:1]), "received (12, 1)", ""),
        (
            lambda W, b, mean, beta, a: (W[:3], beta),
            f"Calling the layer that {SQUARE} returned raised ValueError",
            "",
        ),
        (
            lambda W, b, mean, beta, a: (W.tolist(), beta),
            f"{SQUARE}: the weight of the new layer should be a tensor, received list.",
            "",
        ),
        (lambda W, b, mean, beta, a: (W * a, 1j * a), "hold torch.float32, as linear does", ""),
    ],
)
def test_fold_wrong(wrong: Callable[..., Any], where: str, hint: str) -> None:
    outcome(fold(lambda linear, bn: layer(*wrong(*parts(linear, bn)))), where, hint=hint)


def test_fold_with_a_wrong_scale() -> None:
    def with_scale(make: Callable[[BatchNorm1d], torch.Tensor]) -> Answer:
        def answer(linear: Linear, bn: BatchNorm1d) -> Linear:
            W, b, mean, beta, _ = parts(linear, bn)
            return layer(W * make(bn), (b - mean) * make(bn) + beta)

        return answer

    for make, hint in [
        (
            lambda bn: bn.gamma / bn.running_var.sqrt(),
            "eps is missing. It is added to the running variance.",
        ),
        (lambda bn: bn.gamma / (bn.running_var + bn.eps), "Divide by the root of the variance."),
        (lambda bn: 1 / (bn.running_var + bn.eps).sqrt(), "gamma is missing."),
        (
            lambda bn: bn.gamma / (bn.running_var + 1e-5).sqrt(),
            "eps is bn.eps, not a number that is typed in.",
        ),
        (
            lambda bn: bn.gamma / (bn.running_var.sqrt() + bn.eps),
            "eps belongs under the root, next to the running variance.",
        ),
        (lambda bn: bn.gamma / (bn.running_var + 0.01).sqrt(), None),
        (lambda bn: bn.gamma.abs() / (bn.running_var + bn.eps).sqrt(), ""),
        (lambda bn: bn.gamma * (bn.running_var + bn.eps).sqrt(), ""),
    ]:
        where = WITHOUT if hint is not None else WITH
        outcome(fold(with_scale(make)), where, "should be", "received", hint=hint or "")


def test_fold_right_for_one_layer_only() -> None:
    def into_a_turned_layer(linear: Linear, bn: BatchNorm1d) -> Linear:
        made, new = Linear(*reversed(linear.weight.shape)), folded(linear, bn)
        made.weight.copy_(new.weight)
        made.bias = new.bias
        return made

    def with_its_bias(linear: Linear, bn: BatchNorm1d) -> Linear:
        return layer(folded(linear, bn).weight, linear.bias - bn.running_mean)

    outcome(fold(into_a_turned_layer), f"{OTHER} raised RuntimeError")

    def with_a_row_as_its_bias(linear: Linear, bn: BatchNorm1d) -> Linear:
        new = folded(linear, bn)
        return layer(new.weight, new.bias[None])

    shape = f"{SQUARE}: the bias of the new layer should have shape (6,)."
    outcome(fold(with_a_row_as_its_bias), shape)


MISSING = "A Linear without a bias has None there. Take zero instead."


def test_fold_without_a_thought_of_a_missing_bias() -> None:
    def minus(linear: Linear, bn: BatchNorm1d) -> Linear:
        return layer(folded(linear, bn).weight, linear.bias - bn.running_mean)

    def method(linear: Linear, bn: BatchNorm1d) -> Linear:
        return layer(folded(linear, bn).weight, linear.bias.clone())

    outcome(fold(minus), f"{SQUARE} raised TypeError", hint=MISSING)
    outcome(fold(method), f"{SQUARE} raised AttributeError", hint=MISSING)

    def another(linear: Linear, bn: BatchNorm1d) -> Linear:
        raise TypeError("something else")

    outcome(fold(another), f"{SQUARE} raised TypeError: something else")

    def of_another_none(linear: Linear, bn: BatchNorm1d) -> Linear:
        return layer(folded(linear, bn).weight, bn.train() + bn.beta)  # type: ignore[func-returns-value,operator]

    outcome(fold(of_another_none), f"{SQUARE} raised TypeError")


# -- layers that were given, and changed -----------------------------------------------

NEW = "Make a new Linear, with tensors of its own."


def in_the_given_layer(linear: Linear, bn: BatchNorm1d) -> Linear:
    new = folded(linear, bn)
    linear.weight, linear.bias = new.weight, new.bias
    return linear


def in_the_given_weight(linear: Linear, bn: BatchNorm1d) -> Linear:
    _, b, mean, beta, scale = parts(linear, bn)
    linear.weight *= scale
    return layer(linear.weight, (b - mean) * scale + beta)


def in_a_shallow_copy(linear: Linear, bn: BatchNorm1d) -> Linear:
    made = copy.copy(linear)
    made.bias = folded(linear, bn).bias
    made.weight *= parts(linear, bn)[-1]
    return made


def in_the_given_bias(linear: Linear, bn: BatchNorm1d) -> Linear:
    new = folded(linear, bn)
    if linear.bias is not None:
        linear.bias.copy_(new.bias)
        new.bias = linear.bias
    return new


def in_beta(linear: Linear, bn: BatchNorm1d) -> Linear:
    new = folded(linear, bn)
    bn.beta += new.bias - bn.beta
    return layer(new.weight, bn.beta)


def in_gamma(linear: Linear, bn: BatchNorm1d) -> Linear:
    _, b, mean, beta, _ = parts(linear, bn)
    bn.gamma /= (bn.running_var + bn.eps).sqrt()
    return layer(linear.weight * bn.gamma, (b - mean) * bn.gamma + beta)


def the_batchnorm_does_nothing_now(linear: Linear, bn: BatchNorm1d) -> Linear:
    """Fold in place, such that both layers one after the other still do the same."""
    new = copy.copy(in_the_given_layer(linear, bn))
    bn.gamma, bn.beta = torch.ones(6), torch.zeros(6)
    bn.running_mean, bn.running_var = torch.zeros(6), torch.full((6,), 1 - bn.eps)
    return new


@pytest.mark.parametrize(
    "answer",
    [
        in_the_given_layer,
        in_the_given_weight,
        in_a_shallow_copy,
        in_the_given_bias,
        the_batchnorm_does_nothing_now,
    ],
)
def test_fold_changes_what_it_was_given(answer: Answer) -> None:
    outcome(fold(answer), "fold(linear, bn)", "which it was given.", hint=NEW)


BN_KEPT = "+= changes bn's own tensors, and a call in training mode changes its averages."


def called_in_training(linear: Linear, bn: BatchNorm1d) -> Linear:
    new = folded(linear, bn)
    bn.train()
    bn(linear(torch.randn(5, len(linear.weight))))
    bn.eval()
    return new


@pytest.mark.parametrize("answer", [in_beta, in_gamma, called_in_training])
def test_fold_changes_the_batchnorm(answer: Answer) -> None:
    outcome(fold(answer), "changed bn, which it was given.", hint=BN_KEPT)


TRAINING = "bn has to stay in evaluation mode: a call in training mode changes its averages."


@pytest.mark.parametrize("calls", [0, 1])
def test_fold_puts_the_batchnorm_into_training(calls: int) -> None:
    def back_to_training(linear: Linear, bn: BatchNorm1d) -> Linear:
        new = folded(linear, bn)
        bn.train()
        for _ in range(calls):
            bn(torch.randn(5, bn.dim))
        return new

    outcome(fold(back_to_training), "changed bn, which it was given.", hint=TRAINING)


def test_fold_returns_what_it_was_given() -> None:
    outcome(
        fold(lambda linear, bn: linear), f"{SQUARE} returned the layer that it was given.", hint=NEW
    )


# -- layers that do not take what the old one takes ----------------------------------------


def double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double()


@pytest.mark.parametrize(
    ("of_weight", "of_bias", "words"),
    [
        (double, double, "the weight of the new layer should hold torch.float32, as linear does"),
        (double, torch.clone, "weight of the new layer should hold torch.float32, as linear does"),
        (torch.clone, double, "the bias of the new layer should hold torch.float32, as linear"),
        (torch.Tensor.numpy, torch.clone, "the weight of the new layer should be a tensor, rec"),
        (torch.Tensor.numpy, torch.clone, "received ndarray."),
        (torch.clone, torch.Tensor.tolist, "bias of the new layer should be a tensor, received l"),
        (lambda weight: None, torch.clone, "weight of the new layer should be a tensor, received"),
    ],
)
def test_fold_of_another_type(of_weight: Answer, of_bias: Answer, words: str) -> None:
    def answer(linear: Linear, bn: BatchNorm1d) -> Linear:
        new = folded(linear, bn)
        return layer(of_weight(new.weight), of_bias(new.bias))

    outcome(fold(answer), f"{SQUARE}: the ", words)


def test_fold_in_a_layer_that_calls_both() -> None:
    def keeps_both(weight: Callable[[Linear], torch.Tensor]) -> Answer:
        def answer(linear: Linear, bn: BatchNorm1d) -> Linear:
            class Both(Linear):
                def __call__(self, x: torch.Tensor) -> torch.Tensor:
                    return bn(linear(x))

            both = Both(*linear.weight.shape)
            both.weight = weight(both)
            return both

        return answer

    outcome(
        fold(keeps_both(lambda both: both.weight)),
        f"x @ weight + bias of the layer from {SQUARE}: entry (0, 0) should be",
    )
    outcome(
        fold(keeps_both(lambda both: both.weight[:3])),
        f"{SQUARE}: the weight of the new layer should have shape (6, 6).",
    )


def test_fold_right_but_for_a_few_layers() -> None:
    def an_eps_of_1e_2_or_more(linear: Linear, bn: BatchNorm1d) -> Linear:
        other = copy.copy(bn)
        other.eps = max(bn.eps, 1e-2)
        return folded(linear, other)

    def squeezed(linear: Linear, bn: BatchNorm1d) -> Linear:
        new = folded(linear, bn)
        return layer(new.weight.squeeze(), new.bias.squeeze())

    for answer in (an_eps_of_1e_2_or_more, squeezed):
        outcome(fold(answer), "linear of shape (5, 1) with a bias")

    known: dict[Any, Linear] = {}

    def by_shape(linear: Linear, bn: BatchNorm1d) -> Linear:
        return known.setdefault(linear.weight.shape, folded(linear, bn))

    outcome(fold(by_shape), "linear of shape (9, 5) with a bias")


# -- no Linear at all ------------------------------------------------------------------


def test_fold_returns_no_linear_of_ours() -> None:
    def torch_linear(linear: Linear, bn: BatchNorm1d) -> nn.Linear:
        return nn.Linear(*linear.weight.shape)

    shown = "should return a Linear of zerotohero.layers, received "
    hint = "That one is of torch.nn, which keeps the weight transposed."
    outcome(fold(torch_linear), shown + "Linear.", hint=hint)
    outcome(fold(lambda linear, bn: folded(linear, bn).parameters()), shown + "list.")
    outcome(fold(lambda linear, bn: lambda x: bn(linear(x))), shown + "function.")
    outcome(fold(lambda linear, bn: bn), shown + "BatchNorm1d.")
    outcome(fold(lambda linear, bn: Linear), shown + "type.")


def test_fold_breaks_what_it_was_given() -> None:
    def breaks(linear: Linear, bn: BatchNorm1d) -> Linear:
        new = folded(linear, bn)
        del linear.weight
        return new

    outcome(fold(breaks), f"{SQUARE} changed linear, which it was given.", hint=NEW)
