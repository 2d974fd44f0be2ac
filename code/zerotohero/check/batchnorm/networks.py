"""Checks for the exercises of chapter 4."""

from __future__ import annotations

import math
import reprlib
from itertools import combinations
from typing import Any

import torch
import torch.nn.functional as F

from ...bigrams import V
from ...layers import BatchNorm1d, Linear
from ..numbers import close
from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker, fail
from .norms import Mistakes, random_tensor

SHAPES = {"C": (V, 10), "W1": (30, 200), "b1": (200,), "W2": (200, V), "b2": (V,)}


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@checker
def zero_start(answer: Any) -> str:
    """Check a function ``(X, Y)`` that returns the gradients of an all-zero ``MLP`` by name."""
    for targets in ([0, 0, 1, 5, 5, 5], [13, 1, 26, 1]):
        Y = torch.tensor(targets)
        X = torch.randint(0, V, (len(Y), 3), generator=_generator(1))
        shown = f"zero_start(X, {targets})"
        received = run(answer, X, Y.clone(), shown=shown)
        if not isinstance(received, dict) or set(received) != set(SHAPES):
            what = list(received) if isinstance(received, dict) else received
            fail(
                f"{shown} should return a dictionary with the keys {', '.join(SHAPES)}, "
                f"received {reprlib.repr(what)}."
            )
        for name, shape in SHAPES.items():
            if name != "b2":
                has_shape = "A gradient has the shape of its tensor."
                expect_tensor(
                    received[name],
                    torch.zeros(shape),
                    f"the gradient of {name} in {shown}",
                    [(torch.zeros(wrong), has_shape) for wrong in ((), (1,), shape[::-1])],
                    otherwise="Which factor of this gradient is zero: h, W2 or W1?",
                )
        answers = F.one_hot(Y, V)
        dlogits = (1 / V - answers) / len(Y)
        expect_tensor(
            received["b2"],
            dlogits.sum(0),
            f"the gradient of b2 in {shown}",
            [
                (-dlogits.sum(0), "The sign is reversed: probability minus answer."),
                (len(Y) * dlogits.sum(0), "The loss is a mean: divide by the examples."),
                (dlogits.mean(0), "Divide by the number of examples only once."),
                (dlogits, "One bias serves all examples: add up their gradients."),
                (torch.full((V,), 1 / V), "Subtract 1 where the right answer is."),
                (torch.zeros(V), "b2 does learn: all probabilities are 1/27, the answers are not."),
                (
                    1 / V - answers.amax(0) / len(Y),
                    "An answer that occurs twice counts twice. With [Y] -= it counts once.",
                ),
            ],
        )
    return "Only the output bias gets a gradient. It learns how frequent each character is."


@checker
def learns(answer: Any) -> str:
    """Check a function ``(nonzero)``: whether an ``MLP`` learns about contexts from that start."""
    for size in range(len(SHAPES) + 1):
        for chosen in combinations(SHAPES, size):
            nonzero = set(chosen)
            shown = f"learns({{{', '.join(map(repr, chosen))}}})" if chosen else "learns(set())"
            received = run(answer, set(nonzero), shown=shown)
            if not isinstance(received, bool):
                fail(f"{shown} should return True or False, received {reprlib.repr(received)}.")
            table, starter = nonzero & {"C", "W1"}, nonzero & {"W2", "b1"}
            expected = len(table) + bool(starter) >= 2
            if received == expected:
                continue
            if not table:
                hint = "The gradient of C needs W1, and that of W1 needs C: both stay zero."
            elif not expected:
                hint = "With b1 and W2 zero, h needs both C and W1, and nothing else is there."
            elif len(table) == 2:
                hint = "With C and W1, h is not zero, so W2 gets a gradient in the first step."
            elif "W2" in nonzero:
                hint = "With W2, a gradient gets past the output layer: follow it to C and W1."
            else:
                hint = "With b1, h is not zero, so W2 gets a gradient in the first step."
            fail(f"{shown} should be {expected}, received {received}.", hint)
    return "Two of C, W1 and W2 bring the third to life, and b1 can stand in for W2."


@checker
def gain(answer: Any) -> str:
    """Check a function ``(f, z)`` that returns the gain for a nonlinearity f."""
    z = random_tensor(100_000, seed=2)
    functions = {
        "relu": torch.relu,
        "tanh": torch.tanh,
        "leaky_relu": F.leaky_relu,
        "sigmoid": torch.sigmoid,
    }
    for name, f in functions.items():
        shown = f"gain({name}, z)"
        received = run(answer, f, z.clone(), shown=shown)
        mean_square = f(z).double().square().mean().item()
        if close(received, mean_square**-0.5, 0.01):
            continue
        shrinks = "That is how much f shrinks. The gain makes up for it."
        misconceptions = [
            (
                1 / f(z).double().std().item(),
                "The mean square, not the variance: E[x²] has to be 1.",
            ),
            (math.sqrt(mean_square), shrinks),
            (mean_square, shrinks),
            (1 / mean_square, "A factor g changes the mean square by g²."),
            (5 / 3, "5/3 comes from PyTorch's table. Compute the gain from f and z."),
        ]
        hint = next((text for wrong, text in misconceptions if close(received, wrong, 0.01)), "")
        fail(
            f"{shown} should be near {mean_square**-0.5:.4f}, received {reprlib.repr(received)}.",
            hint,
        )
    return "The gain makes up for what the nonlinearity takes away."


def _mix(old: torch.Tensor, new: torch.Tensor, share: float) -> torch.Tensor:
    return (1 - share) * old + share * new


@checker
def running(answer: Any) -> str:
    """Check a function ``(running_mean, running_var, x, momentum)`` that returns new averages."""
    for shape, momentum in (((4, 3), 0.1), ((16, 2), 0.01)):
        x = random_tensor(*shape, seed=6) + 2
        mean, var = random_tensor(shape[1], seed=7), random_tensor(shape[1], seed=8).square()
        shown = f"running(running_mean, running_var, x, {momentum})"
        received = run(answer, mean.clone(), var.clone(), x.clone(), momentum, shown=shown)
        if not isinstance(received, (tuple, list)) or len(received) != 2:
            fail(f"{shown} should return a mean and a variance, received {reprlib.repr(received)}.")

        turned = "momentum is the weight of the new batch, 1 − momentum that of the old average."
        biased = "The running variance takes the unbiased one, divided by N − 1."
        special: dict[str, Mistakes] = {
            "mean": [(_mix(var, x.var(0), momentum), "The mean comes first, then the variance.")],
            "variance": [
                (_mix(var, x.var(0, correction=0), momentum), biased),
                (
                    _mix(var, x.std(0), momentum),
                    "Average the variances, not the standard deviations.",
                ),
            ],
        }
        parts = (("mean", mean, x.mean(0)), ("variance", var, x.var(0)))
        for (what, old, new), ours in zip(parts, received):
            expect_tensor(
                ours,
                _mix(old, new, momentum),
                f"the {what} of {shown}",
                [
                    (_mix(old, new, 1 - momentum), turned),
                    (new, "Mix the new value with the old average."),
                    (old + momentum * new, "The old average keeps a weight of 1 − momentum."),
                    *special[what],
                ],
            )
    return "The averages follow the batches slowly, and the variance is the unbiased one."


def _pair(seed: int, fan_in: int, bias: bool) -> tuple[Linear, BatchNorm1d]:
    """Make a linear layer and a BatchNorm after it, with nothing at its starting value."""
    linear = Linear(fan_in, 6, bias, generator=_generator(seed))
    if linear.bias is not None:
        linear.bias += random_tensor(6, seed=seed + 1)
    bn = BatchNorm1d(6, eps=0.01)
    bn.gamma, bn.beta = (
        1 + random_tensor(6, seed=seed + 2).square(),
        random_tensor(6, seed=seed + 3),
    )
    bn.running_mean = random_tensor(6, seed=seed + 4)
    bn.running_var = 0.1 + random_tensor(6, seed=seed + 5).square()
    bn.eval()
    return linear, bn


def _folded_with_a_mistake(linear: Linear, bn: BatchNorm1d, x: torch.Tensor) -> Mistakes:
    """List what layers with one mistake make of ``x``, and the hints."""
    W, mean, beta = linear.weight, bn.running_mean, bn.beta
    b = torch.zeros(bn.dim) if linear.bias is None else linear.bias
    std = torch.sqrt(bn.running_var + bn.eps)
    a = bn.gamma / std

    def folded(scale: torch.Tensor) -> torch.Tensor:
        return x @ (W * scale) + (b - mean) * scale + beta

    rows = W * a[: len(W), None]  # an answer that does this with a W that is not square raises
    return [
        (folded(bn.gamma / bn.running_var.sqrt()), "eps is added to the running variance."),
        (folded(bn.gamma / std.square()), "Divide by the root of the variance."),
        (folded(1 / std), "gamma is missing."),
        (
            x @ (W * a) - mean * a + beta,
            "The linear layer has a bias of its own: it belongs into the new bias.",
        ),
        (
            x @ (W * a) + b - mean * a + beta,
            "The linear layer's bias has to be scaled like its weight.",
        ),
        (
            x @ rows + (b - mean) * a + beta,
            "The scale belongs to the columns of the weight, one for each output.",
        ),
        (x @ W + (b - mean) * a + beta, "The weight has to be scaled, too."),
        (x @ (W * a) + b * a - mean + beta, "The running mean has to be scaled, too."),
        (x @ (W * a) + (b - mean) * a, "beta is missing."),
        (x @ (W * a) + b * a + beta, "The running mean is missing."),
        (x @ (W * a), "The new layer needs a bias, also where the old one has none."),
    ]


@checker
def fold(answer: Any) -> str:
    """Check a function ``(linear, bn)`` that returns one ``Linear`` in place of the two."""
    for seed, fan_in, bias in ((10, 6, False), (20, 4, True)):
        shown = f"fold(linear, bn), the linear layer {'with' if bias else 'without'} a bias"
        linear, bn = _pair(seed, fan_in, bias)  # our own: an answer may change those it gets
        given, given_bn = _pair(seed, fan_in, bias)
        received = run(answer, given, given_bn, shown=shown)
        if not isinstance(received, Linear):
            other = "That one is of torch.nn, which keeps the weight transposed."
            fail(
                f"{shown} should return a Linear of zerotohero.layers, "
                f"received {type(received).__name__}.",
                other if isinstance(received, torch.nn.Linear) else "",
            )
        x, h = random_tensor(9, fan_in, seed=seed + 6), random_tensor(9, 6, seed=seed + 7)
        kept = torch.equal(given(x), linear(x)) and torch.equal(given_bn(h), bn(h))
        if received is given or not kept:
            fail(
                f"{shown} changed a layer that it was given.",
                "Make a new Linear, with tensors of its own.",
            )

        expect_tensor(
            run(received, x, shown="the folded layer"),
            bn(linear(x)),
            f"the output of {shown}",
            _folded_with_a_mistake(linear, bn, x),
        )
    return "One linear layer does the work of both."
