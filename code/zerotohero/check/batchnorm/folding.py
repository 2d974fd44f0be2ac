"""The check of folding a BatchNorm into the linear layer before it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from ...layers import BatchNorm1d, Linear
from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker, fail, stop, stopped
from .norms import Mistakes, random_tensor

# Seed, fan_in, fan_out, whether the linear layer has a bias, eps.
CASES = (
    (10, 6, 6, False, 0.01),
    (20, 4, 7, True, 0.2),
    (30, 9, 5, True, 0.05),
    (40, 4, 3, False, 0.1),
    (50, 5, 1, True, 1e-5),
    (60, 9, 5, True, 0.3),  # a shape for the second time
)
MISSING = "A Linear without a bias has None there. Take zero instead."
NEW = "Make a new Linear, with tensors of its own."
BN_KEPT = "+= changes bn's own tensors, and a call in training mode changes its averages."
TRAINING = "bn has to stay in evaluation mode: a call in training mode changes its averages."


def _pair(
    seed: int, fan_in: int, fan_out: int, bias: bool, eps: float
) -> tuple[Linear, BatchNorm1d]:
    """Make a linear layer and a BatchNorm after it, with nothing at its starting value."""
    linear = Linear(fan_in, fan_out, bias, generator=torch.Generator().manual_seed(seed))
    if linear.bias is not None:
        linear.bias = random_tensor(fan_out, seed=seed + 1)
    bn = BatchNorm1d(fan_out, eps)
    bn.gamma, bn.beta, bn.running_mean = (random_tensor(fan_out, seed=seed + i) for i in (2, 3, 4))
    bn.running_var = 0.1 + random_tensor(fan_out, seed=seed + 5).square()
    bn.running_var[0] = 1e-4  # so small that eps matters, whatever it is
    bn.eval()
    return linear, bn


def _mistakes(linear: Linear, bn: BatchNorm1d, x: torch.Tensor) -> Mistakes:
    """List what layers with one mistake make of ``x``, and the hints."""
    W, mean, beta, var = linear.weight, bn.running_mean, bn.beta, bn.running_var
    b = torch.zeros(bn.dim) if linear.bias is None else linear.bias
    std = torch.sqrt(var + bn.eps)
    a = bn.gamma / std

    def folded(scale: torch.Tensor) -> torch.Tensor:
        return x @ (W * scale) + (b - mean) * scale + beta

    # An answer that scales the rows of a weight that is not square raises.
    rows = W * a[:, None] if len(W) == len(a) else W * math.nan
    return [
        (folded(bn.gamma / var.sqrt()), "eps is missing. It is added to the running variance."),
        (folded(bn.gamma / (var + 1e-5).sqrt()), "eps is bn.eps, not a number that is typed in."),
        (
            folded(bn.gamma / (var.sqrt() + bn.eps)),
            "eps belongs under the root, next to the running variance.",
        ),
        (folded(bn.gamma / std.square()), "Divide by the root of the variance."),
        (folded(1 / std), "gamma is missing."),
        (
            x @ (W * a) - mean * a + beta,
            "The linear layer has a bias of its own, which goes into the new bias, too.",
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
        (x @ (W * a), "The new layer needs a bias, even where the old one has none."),
    ]


@checker
def fold(answer: Any) -> str:
    """Check a function ``(linear, bn)`` that returns one ``Linear`` in place of the two."""
    for seed, fan_in, fan_out, bias, eps in CASES:
        has_bias = "with a bias" if bias else "where linear.bias is None"
        shown = f"fold(linear, bn), linear of shape ({fan_in}, {fan_out}) {has_bias}"
        given, given_bn = _pair(seed, fan_in, fan_out, bias, eps)
        call = _call if bias else _call_without_bias
        received = call(answer, given, given_bn, shown)
        linear, bn = _pair(
            seed, fan_in, fan_out, bias, eps
        )  # as they were, whatever became of them
        for name, old, now in (("linear", linear, given), ("bn", bn, given_bn)):
            if not _equal(old, now):
                of_bn = TRAINING if given_bn.training else BN_KEPT
                hint = of_bn if name == "bn" else NEW
                fail(f"{shown} changed {name}, which it was given.", hint)
        if received is given:
            fail(f"{shown} returned the layer that it was given.", NEW)
        if not isinstance(received, Linear):
            other = "That one is of torch.nn, which keeps the weight transposed."
            fail(
                f"{shown} should return a Linear of zerotohero.layers, "
                f"received {type(received).__name__}.",
                other if isinstance(received, torch.nn.Linear) else "",
            )
        x = random_tensor(12, fan_in, seed=seed + 6)
        expected, mistakes = bn(linear(x)), _mistakes(linear, bn, x)
        _expect_tensors(received, shown)
        ours = run(received, x.clone(), shown=f"Calling the layer that {shown} returned")
        expect_tensor(ours, expected, f"The output of {shown}", mistakes)
        for name, shape in (("weight", (fan_in, fan_out)), ("bias", (fan_out,))):
            if getattr(getattr(received, name), "shape", None) != shape:
                fail(f"{shown}: the {name} of the new layer should have shape {shape}.")
        ours = x @ received.weight + received.bias  # a subclass may compute something else
        expect_tensor(ours, expected, f"x @ weight + bias of the layer from {shown}", mistakes)
    return "One linear layer does the work of both."


def _call(answer: Any, linear: Linear, bn: BatchNorm1d, shown: str) -> Any:
    # What it changes is compared afterwards: a BatchNorm holds more than parameters.
    return run(answer, linear, bn, shown=shown, may_change=(0, 1))


def _call_without_bias(answer: Any, linear: Linear, bn: BatchNorm1d, shown: str) -> Any:
    """Call the answer; an exception that only None as a bias brings has a hint about it."""
    received: list[Any] = []
    found = stopped(lambda: received.append(_call(answer, linear, bn, shown)))
    if found is not None:
        if "NoneType" in found.message:
            with_bias = _pair(50, len(linear.weight), bn.dim, True, bn.eps)
            if stopped(lambda: _call(answer, *with_bias, shown)) is None:
                found = replace(found, hint=MISSING)
        stop(found)
    return received[0]


def _expect_tensors(new: Linear, shown: str) -> None:
    """Stop unless the weight and the bias are tensors that take what the old layer takes."""
    for name in ("weight", "bias"):
        value = getattr(new, name, None)
        if name == "bias" and value is None:
            continue  # the output is off, which has a hint of its own
        if not isinstance(value, torch.Tensor):
            received = type(value).__name__
            fail(f"{shown}: the {name} of the new layer should be a tensor, received {received}.")
        if value.dtype != torch.float32:
            fail(
                f"{shown}: the {name} of the new layer should hold torch.float32, "
                f"as linear does, received {value.dtype}."
            )


def _equal(old: Linear | BatchNorm1d, now: Linear | BatchNorm1d) -> bool:
    """Whether two layers hold the same tensors and are in the same mode."""
    before, after = vars(old), vars(now)
    return before.keys() == after.keys() and all(
        _same(value, after[name]) for name, value in before.items()
    )


def _same(old: Any, now: Any) -> bool:
    if isinstance(old, torch.Tensor) and isinstance(now, torch.Tensor):
        return bool(old.dtype == now.dtype and torch.equal(old, now))
    return old is now or (type(old) is type(now) and bool(old == now))
