"""The check of folding BatchNorm away: right answers of several kinds, and known mistakes."""

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


def by_probing(linear: Linear, bn: BatchNorm1d) -> Linear:
    """Find out what both do to nothing, and to every unit vector."""
    fan_in = len(linear.weight)
    bias = bn(linear(torch.zeros(1, fan_in)))[0]
    return layer(bn(linear(torch.eye(fan_in))) - bias, bias)


def by_torch(linear: Linear, bn: BatchNorm1d) -> Linear:
    """Let PyTorch fold."""
    W = linear.weight.T.contiguous()
    weight, bias = nn.utils.fusion.fuse_linear_bn_weights(
        W, linear.bias, bn.running_mean, bn.running_var, bn.eps, bn.gamma, bn.beta
    )
    return layer(weight.T, bias)


def by_copying(linear: Linear, bn: BatchNorm1d) -> Linear:
    _, b, mean, beta, scale = parts(linear, bn)
    made = copy.deepcopy(linear)
    made.weight *= scale
    made.bias = b * scale + (beta - mean * scale)
    return made


def into_a_layer_of_that_size(linear: Linear, bn: BatchNorm1d) -> Linear:
    made = Linear(*linear.weight.shape)
    for ours, new in zip(made.parameters(), folded(linear, bn).parameters(), strict=True):
        ours.copy_(new)
    return made


def in_double(linear: Linear, bn: BatchNorm1d) -> Linear:
    W, b, mean, beta, scale = (part.double() for part in parts(linear, bn))
    made = layer((W @ torch.diag(scale)).float(), (torch.addcmul(beta, b - mean, scale)).float())
    for p in made.parameters():
        p.requires_grad_()
    return made


@pytest.mark.parametrize(
    "answer",
    [folded, by_probing, by_torch, by_copying, into_a_layer_of_that_size, in_double],
)
def test_fold_right(answer: Answer) -> None:
    verdict = fold(answer)
    assert verdict, verdict.message
    assert "One linear layer" in verdict.message


def test_fold_right_with_a_layer_of_a_class_of_its_own() -> None:
    class Folded(Linear):
        def __init__(self, linear: Linear, bn: BatchNorm1d) -> None:
            self.weight, self.bias = folded(linear, bn).parameters()

    assert fold(Folded)


WITHOUT = "the output of fold(linear, bn), the linear layer without a bias: entry (0, 0)"
WITH = "the output of fold(linear, bn), the linear layer with a bias: entry (0, 0)"


@pytest.mark.parametrize(
    ("wrong", "where", "hint"),
    [
        (
            lambda W, b, mean, beta, a: (W * a, -mean * a + beta),
            WITH,
            "The linear layer has a bias of its own: it belongs into the new bias.",
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
            "The new layer needs a bias, also where the old one has none.",
        ),
        (
            lambda W, b, mean, beta, a: (W * a, torch.zeros(6)),
            WITHOUT,
            "The new layer needs a bias, also where the old one has none.",
        ),
        (lambda W, b, mean, beta, a: (W / a, (b - mean) / a + beta), WITHOUT, ""),
        (lambda W, b, mean, beta, a: (W * a, (b + mean) * a + beta), WITHOUT, ""),
        (lambda W, b, mean, beta, a: (W * a, (b - mean + beta) * a), WITHOUT, ""),
        (lambda W, b, mean, beta, a: (-W * a, (b - mean) * a + beta), WITHOUT, ""),
        (lambda W, b, mean, beta, a: (W * math.nan, beta), WITHOUT + " should be", ""),
        (lambda W, b, mean, beta, a: (W * a, (beta - mean * a)[0]), "(45 of 54 differ)", ""),
        (lambda W, b, mean, beta, a: (W[:, :1] * a[:1], beta[:1]), "received (9, 1)", ""),
        (lambda W, b, mean, beta, a: (W[:3], beta), "the folded layer raised ValueError", ""),
        (lambda W, b, mean, beta, a: (W.tolist(), beta), "the folded layer raised", ""),
        (lambda W, b, mean, beta, a: (W * a, 1j * a), "should return real numbers", ""),
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
        (lambda bn: bn.gamma / bn.running_var.sqrt(), "eps is added to the running variance."),
        (lambda bn: bn.gamma / (bn.running_var + bn.eps), "Divide by the root of the variance."),
        (lambda bn: 1 / (bn.running_var + bn.eps).sqrt(), "gamma is missing."),
        (lambda bn: bn.gamma / (bn.running_var + 1e-5).sqrt(), ""),
        (lambda bn: bn.gamma / (bn.running_var.sqrt() + bn.eps), ""),
        (lambda bn: bn.gamma * (bn.running_var + bn.eps).sqrt(), ""),
    ]:
        outcome(fold(with_scale(make)), WITHOUT, "should be", "received", hint=hint)


def test_fold_right_for_one_layer_only() -> None:
    def into_a_turned_layer(linear: Linear, bn: BatchNorm1d) -> Linear:
        made, new = Linear(*reversed(linear.weight.shape)), folded(linear, bn)
        made.weight.copy_(new.weight)
        made.bias = new.bias
        return made

    def with_its_bias(linear: Linear, bn: BatchNorm1d) -> Linear:
        return layer(folded(linear, bn).weight, linear.bias - bn.running_mean)

    outcome(fold(into_a_turned_layer), "the linear layer with a bias raised RuntimeError")
    outcome(fold(with_its_bias), "the linear layer without a bias raised TypeError")


# -- layers that were given, and changed ---------------------------------------------------


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


def back_to_training(linear: Linear, bn: BatchNorm1d) -> Linear:
    new = folded(linear, bn)
    bn.train()
    return new


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
        in_beta,
        in_gamma,
        back_to_training,
        the_batchnorm_does_nothing_now,
        lambda linear, bn: linear,
    ],
)
def test_fold_changes_what_it_was_given(answer: Answer) -> None:
    hint = "Make a new Linear, with tensors of its own."
    outcome(fold(answer), "fold(linear, bn)", "changed a layer that it was given.", hint=hint)


# -- no Linear at all ----------------------------------------------------------------------


def test_fold_returns_no_linear_of_ours() -> None:
    def torch_linear(linear: Linear, bn: BatchNorm1d) -> nn.Linear:
        return nn.Linear(*linear.weight.shape)

    shown = "without a bias should return a Linear of zerotohero.layers, received "
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

    outcome(fold(breaks), "The answer cannot be checked: AttributeError")
