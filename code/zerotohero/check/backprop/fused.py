"""Checks of gradients in one expression, for chapter 5: cross-entropy and normalization."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ...backprop import batchnorm_backward, layernorm_backward
from ...backprop.model import EPS
from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker, fail
from .hints import usual_mistake


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@checker
def cross_entropy(answer: Any) -> str:
    """Check a function ``(logits, Y)`` that returns the gradient of the mean cross-entropy."""
    for size in (1.0, 100.0):
        logits = size * torch.randn(6, 5, generator=_generator(5))
        Y = torch.tensor([0, 4, 2, 2, 1, 3])
        n, onehot, probs = len(Y), F.one_hot(Y, 5), logits.softmax(1)
        right = (probs - onehot) / n
        shown = "cross_entropy(logits, Y)" + (" with large logits" if size > 1 else "")
        mine = logits.clone()
        received = run(answer, mine, Y.clone(), shown=shown)
        if not torch.equal(mine, logits):
            fail(f"{shown} changed the logits that it was given.", "Work on a copy.")
        hint = usual_mistake(received, right, n)
        if isinstance(received, torch.Tensor) and bool(received.isnan().any()):
            hint = "exp of a large logit overflows. softmax(1) subtracts the largest one first."
        expect_tensor(
            received,
            right,
            shown,
            [
                (probs / n, "The right answer is missing: where does −log p pull?"),
                (probs, "The right answer is missing: where does −log p pull?"),
                (probs - onehot / n, "The whole difference is divided by n, the mean."),
                (
                    (logits.softmax(0) - onehot) / n,
                    "Each row has its own softmax: over dimension 1.",
                ),
                ((probs - 1) / n, "Subtract 1 only at the right answer of each row."),
                (probs / n * onehot - onehot / n, "The wrong answers have a gradient, too."),
            ],
            otherwise=hint,
        )
    return "Softmax minus one-hot, divided by n: eight lines in one."


@checker
def batchnorm(answer: Any) -> str:
    """Check a function ``(dhpreact, bngain, bnraw, bnvar_inv)`` that returns ``dhprebn``."""
    for n, H in ((6, 4), (9, 3)):
        g = _generator(n)
        x = torch.randn(n, H, generator=g) * 2 + 1
        d, bngain = torch.randn(n, H, generator=g), torch.randn(1, H, generator=g)
        inv = (x.var(0, keepdim=True) + EPS) ** -0.5
        raw = (x - x.mean(0, keepdim=True)) * inv
        right = batchnorm_backward(d, bngain, raw, inv)
        shown = f"batchnorm of a batch of {n}"
        given = [t.clone() for t in (d, bngain, raw, inv)]
        received = run(answer, *given, shown=shown)
        mean, along = d.mean(0, keepdim=True), (d * raw).sum(0, keepdim=True)
        third = raw * along / (n - 1)
        population = bngain * inv * (d - mean - raw * along / n)
        no_mean = "A change of one example moves the mean of all. That term is missing."
        no_variance = "A change of one example moves the variance of all. That term is missing."
        inside = "The mean of the gradients is over the n examples."
        expect_tensor(
            received,
            right,
            shown,
            [
                (population, "The variance divides by n − 1. That factor stays in the last term."),
                (bngain * inv * (d - third), no_mean),
                (bngain * inv * (d - mean), no_variance),
                (bngain * inv * d, "Every example moves the mean and the variance of all."),
                (bngain * inv * (d - mean + third), "The last term is subtracted."),
                (bngain * inv * (d + mean - third), "The mean is subtracted."),
                (inv * (d - mean - third), "The gradient passes through bngain first."),
                (bngain * (d - mean - third), "The factor bnvar_inv is missing."),
                (bngain * inv * (d - mean * n - raw * along), "Both sums are divided."),
                (bngain * inv * (d - mean * n / (n - 1) - third), inside),
                (bngain * inv * (d - mean - along / (n - 1)), "The last term has a factor bnraw."),
                (
                    bngain * inv * (d - mean - third.sum(1, keepdim=True)),
                    "That is the sum over the wrong dimension.",
                ),
            ],
            otherwise=usual_mistake(received, right, n),
        )
    return "Seven lines in one expression, Bessel's factor included."


@checker
def layernorm(answer: Any) -> str:
    """Check a function ``(dy, gain, raw, var_inv)``: the gradient of LayerNorm's input."""
    for n, width in ((4, 6), (3, 9)):
        g = _generator(width)
        x = torch.randn(n, width, generator=g) * 2 + 1
        d, gain = torch.randn(n, width, generator=g), torch.randn(width, generator=g)
        inv = (x.var(1, keepdim=True, correction=0) + EPS) ** -0.5
        raw = (x - x.mean(1, keepdim=True)) * inv
        right = layernorm_backward(d, gain, raw, inv)
        shown = f"layernorm of shape {(n, width)}"
        received = run(answer, *[t.clone() for t in (d, gain, raw, inv)], shown=shown)
        dg = d * gain
        mean, along = dg.mean(1, keepdim=True), (dg * raw).mean(1, keepdim=True)
        outside = d - d.mean(1, keepdim=True) - raw * (d * raw).mean(1, keepdim=True)
        columns = dg - dg.mean(0, keepdim=True) - raw * (dg * raw).mean(0, keepdim=True)
        bessel = dg - mean - raw * along * width / (width - 1)
        expect_tensor(
            received,
            right,
            shown,
            [
                (gain * inv * outside, "The gain differs along the row: it stays inside the sums."),
                (inv * columns, "A row is normalized by itself: the means are over dimension 1."),
                (inv * bessel, "LayerNorm's variance divides by the width: both terms are means."),
                (inv * (dg - mean), "Every number moves the variance of its row, too."),
                (inv * (dg - raw * along), "Every number moves the mean of its row, too."),
                (inv * outside, "The gradient passes through the gain first."),
            ],
            otherwise=usual_mistake(received, right, width),
        )
    return "The same three terms as for BatchNorm, along the row."
