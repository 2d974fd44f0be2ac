"""Checks for the exercises of chapter 4."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..bigrams import V
from ..layers import BatchNorm1d, Linear
from .tensors import expect_tensor
from .verdict import checker, close, fail, run

SHAPES = {"C": (V, 10), "W1": (30, 200), "b1": (200,), "W2": (200, V), "b2": (V,)}


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=_generator(seed))


@checker
def zero_start(answer: Any) -> str:
    """Check a function ``(X, Y)`` that returns the gradients of an all-zero ``MLP`` by name."""
    X = torch.randint(0, V, (6, 3), generator=_generator(1))
    for Y in (torch.tensor([0, 0, 1, 5, 5, 5]), torch.tensor([13, 1, 26, 0, 1, 1])):
        shown = f"zero_start(X, {Y.tolist()})"
        received = run(answer, X.clone(), Y.clone(), shown=shown)
        if not isinstance(received, dict) or set(received) != set(SHAPES):
            names = ", ".join(SHAPES)
            fail(f"{shown} should return a dictionary with the keys {names}.")
        share = torch.bincount(Y, minlength=V) / len(Y)
        probability = torch.full((V,), 1 / V)
        for name, shape in SHAPES.items():
            if name != "b2":
                expect_tensor(
                    received[name],
                    torch.zeros(shape),
                    f"the gradient of {name} in {shown}",
                    otherwise="Which factor of this gradient is zero: h, W2 or W1?",
                )
        expect_tensor(
            received["b2"],
            probability - share,
            f"the gradient of b2 in {shown}",
            [
                (share - probability, "The sign is turned around: probability minus answer."),
                (len(Y) * (probability - share), "The loss is a mean: divide by the examples."),
                (probability, "Subtract 1 where the right answer is."),
                (torch.zeros(V), "b2 does learn: all probabilities are 1/27, the answers are not."),
            ],
        )
    return "Only the output bias gets a gradient. It learns how frequent each character is."


@checker
def gain(answer: Any) -> str:
    """Check a function ``(f, z)`` that returns the gain for a nonlinearity f."""
    z = _random(100_000, seed=2)
    functions = {
        "relu": torch.relu,
        "tanh": torch.tanh,
        "leaky_relu": torch.nn.functional.leaky_relu,
        "sigmoid": torch.sigmoid,
    }
    for name, f in functions.items():
        shown = f"gain({name}, z)"
        received = run(answer, f, z.clone(), shown=shown)
        mean_square = f(z).double().square().mean().item()
        if close(received, mean_square**-0.5, 0.01):
            continue
        misconceptions = [
            (
                1 / f(z).double().std().item(),
                "The mean square, not the variance: E[x²] has to be 1.",
            ),
            (math.sqrt(mean_square), "That is how much f shrinks. The gain makes up for it."),
            (1 / mean_square, "A factor g changes the mean square by g²."),
        ]
        hint = next((text for wrong, text in misconceptions if close(received, wrong, 0.01)), "")
        fail(f"{shown} should be near {mean_square**-0.5:.4f}, received {received!r}.", hint)
    return "The gain makes up for what the nonlinearity takes away."


@checker
def normalize(answer: Any) -> str:
    """Check a function ``(x, gamma, beta, eps)``: BatchNorm in training."""
    for shape, eps in (((8, 5), 1e-5), ((3, 4), 0.5)):
        x = 2 * _random(*shape, seed=3) + 1
        gamma, beta = _random(shape[1], seed=4), _random(shape[1], seed=5)
        shown = f"normalize(x, gamma, beta, {eps}), x of shape {shape}"
        received = run(answer, x.clone(), gamma.clone(), beta.clone(), eps, shown=shown)
        centered = x - x.mean(0)
        var, unbiased = x.var(0, correction=0), x.var(0)
        across = (x - x.mean(1, keepdim=True)) / torch.sqrt(
            x.var(1, correction=0, keepdim=True) + eps
        )
        expect_tensor(
            received,
            gamma * centered / torch.sqrt(var + eps) + beta,
            shown,
            [
                (
                    gamma * centered / torch.sqrt(unbiased + eps) + beta,
                    "Divide the sum of squares by N, not N − 1: var(0, correction=0).",
                ),
                (
                    gamma * centered / (torch.sqrt(var) + eps) + beta,
                    "eps belongs under the root, beside the variance.",
                ),
                (gamma * centered / torch.sqrt(var) + beta, "eps goes unused."),
                (gamma * centered / (var + eps) + beta, "Divide by the root of the variance."),
                (gamma * across + beta, "Each column is normalized over the examples: dim 0."),
                (centered / torch.sqrt(var + eps), "gamma and beta go unused."),
                (
                    gamma * (centered / torch.sqrt(var + eps) + beta),
                    "First times gamma, then plus beta.",
                ),
            ],
        )
    return "Every column is centered, scaled, and handed to gamma and beta."


@checker
def running(answer: Any) -> str:
    """Check a function ``(running_mean, running_var, x, momentum)`` that returns new averages."""
    for shape, momentum in (((4, 3), 0.1), ((16, 2), 0.01)):
        x = _random(*shape, seed=6) + 2
        mean, var = _random(shape[1], seed=7), _random(shape[1], seed=8).square()
        shown = f"running(running_mean, running_var, x, {momentum})"
        received = run(answer, mean.clone(), var.clone(), x.clone(), momentum, shown=shown)
        if not isinstance(received, (tuple, list)) or len(received) != 2:
            fail(f"{shown} should return a mean and a variance, received {received!r}.")
        turned = "momentum is the share of the new batch, 1 − momentum that of the old average."
        parts = (("mean", mean, x.mean(0)), ("variance", var, x.var(0)))
        for (what, old, new), ours in zip(parts, received):
            biased = (1 - momentum) * old + momentum * x.var(0, correction=0)
            expect_tensor(
                ours,
                (1 - momentum) * old + momentum * new,
                f"the {what} of {shown}",
                [
                    (momentum * old + (1 - momentum) * new, turned),
                    (new, "Mix the new value with the old average."),
                    (old + momentum * new, "The old average keeps a share of 1 − momentum."),
                    (biased, "The running variance takes the unbiased one, divided by N − 1."),
                ],
            )
    return "The averages follow the batches slowly, and the variance is the unbiased one."


def _pair(seed: int, bias: bool) -> tuple[Linear, BatchNorm1d]:
    """Make a linear layer and a BatchNorm behind it, with nothing at its starting value."""
    linear = Linear(6, 6, bias, generator=_generator(seed))
    if linear.bias is not None:
        linear.bias += _random(6, seed=seed + 1)
    bn = BatchNorm1d(6, eps=0.01)
    bn.gamma, bn.beta = 1 + _random(6, seed=seed + 2).square(), _random(6, seed=seed + 3)
    bn.running_mean = _random(6, seed=seed + 4)
    bn.running_var = 0.1 + _random(6, seed=seed + 5).square()
    bn.eval()
    return linear, bn


@checker
def fold(answer: Any) -> str:
    """Check a function ``(linear, bn)`` that returns one ``Linear`` in place of the two."""
    for seed, bias in ((10, False), (20, True)):
        shown = f"fold(linear, bn), the linear layer {'with' if bias else 'without'} a bias"
        linear, bn = _pair(seed, bias)  # our own: an answer may change the ones that it gets
        given, given_bn = _pair(seed, bias)
        received = run(answer, given, given_bn, shown=shown)
        if not isinstance(received, Linear):
            fail(f"{shown} should return a Linear, received {type(received).__name__}.")
        if received is given or not torch.equal(linear.weight, given.weight):
            fail(f"{shown} changed the layer that it was given.", "Make a new Linear.")

        x = _random(9, 6, seed=seed + 6)
        W, mean, beta = linear.weight, bn.running_mean, bn.beta
        b = torch.zeros(6) if linear.bias is None else linear.bias
        std = torch.sqrt(bn.running_var + bn.eps)
        scale, no_eps = bn.gamma / std, bn.gamma / torch.sqrt(bn.running_var)
        squared = bn.gamma / (bn.running_var + bn.eps)
        expect_tensor(
            run(received, x, shown="the folded layer"),
            bn(linear(x)),
            f"the output of {shown}",
            [
                (
                    x @ (W * no_eps) + (b - mean) * no_eps + beta,
                    "eps is added to the running variance.",
                ),
                (
                    x @ (W * squared) + (b - mean) * squared + beta,
                    "Divide by the root of the variance.",
                ),
                (
                    x @ (W * scale) - mean * scale + beta,
                    "The linear layer has a bias of its own: it belongs into the new bias.",
                ),
                (
                    x @ (W * scale) + b - mean * scale + beta,
                    "The linear layer's bias has to be scaled like its weight.",
                ),
                (
                    x @ (W * scale[:, None]) + (b - mean) * scale + beta,
                    "The scale belongs to the columns of the weight, one for each output.",
                ),
                (x @ (W * scale) + (b - mean) * scale, "beta is missing."),
                (x @ (W * scale) + b * scale + beta, "The running mean is missing."),
            ],
        )
    return "One linear layer does the work of both."


def _layernorm(
    x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, eps: float, dim: int, correction: int
) -> torch.Tensor:
    var = x.var(dim, correction=correction, keepdim=True)
    return gamma * (x - x.mean(dim, keepdim=True)) / torch.sqrt(var + eps) + beta


@checker
def layernorm(answer: Any) -> str:
    """Check a function ``(x, gamma, beta, eps)``: LayerNorm over the last dimension."""
    for shape in ((4, 6), (2, 3, 5)):
        x = 2 * _random(*shape, seed=30) + 1
        gamma, beta = _random(shape[-1], seed=31), _random(shape[-1], seed=32)
        shown = f"layernorm(x, gamma, beta, 0.001), x of shape {shape}"
        received = run(answer, x.clone(), gamma.clone(), beta.clone(), 1e-3, shown=shown)
        mistakes = (
            (0, 0, "Those are the columns. Each row is normalized by itself."),
            (1, 0, "With three dimensions, the features are the last: dim −1."),
            (-1, 1, "Divide by the number of features: correction=0."),
        )
        expect_tensor(
            received,
            _layernorm(x, gamma, beta, 1e-3, -1, 0),
            shown,
            [(_layernorm(x, gamma, beta, 1e-3, dim, c), hint) for dim, c, hint in mistakes],
        )
    return "Every row by itself: no batch, no running averages, no modes."
