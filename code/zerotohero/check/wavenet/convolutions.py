"""Checks for the exercises of chapter 6."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from ...bigrams import V
from ...data import names
from ...mlp import build_contexts, split_words
from ..numbers import expect_numbers
from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker, fail


def _random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@checker
def flatten(answer: Any) -> str:
    """Check a function ``(x, n)`` that puts n neighbors side by side, as FlattenConsecutive."""
    for shape, n in (((2, 6, 3), 2), ((1, 4, 2), 2), ((3, 4, 2), 4), ((1, 2, 3), 2)):
        B, T, C = shape
        x = _random(*shape, seed=1)
        shown = f"flatten(x, {n}), x of shape {shape}"
        received = run(answer, x.clone(), n, shown=shown)
        kept = x.view(B, T // n, n * C)
        right = kept.view(B, n * C) if n == T else kept
        halves = torch.cat(x.chunk(n, 1), -1)
        features = x.view(B, T // n, n, C).transpose(2, 3).reshape(B, T // n, n * C)
        expect_tensor(
            received,
            right,
            shown,
            [
                (kept, "If one position is left, drop its dimension."),
                (kept.squeeze(), "squeeze() drops every dimension of size 1, also the batch's."),
                (halves.view(right.shape), "Join neighbors, not positions that are far apart."),
                (features.reshape(right.shape), "First all of one position, then all of the next."),
            ],
        )
    return "Neighbors stand side by side, and a batch of one is still a batch."


def _normalized(
    x: torch.Tensor,
    gamma: torch.Tensor,
    beta: torch.Tensor,
    dims: tuple[int, ...],
    correction: int = 0,
) -> torch.Tensor:
    mean = x.mean(dims, keepdim=True)
    var = x.var(dims, correction=correction, keepdim=True)
    return gamma * (x - mean) / torch.sqrt(var + 1e-3) + beta


@checker
def normalize(answer: Any) -> str:
    """Check a function ``(x, gamma, beta, eps)``: BatchNorm in training, on (B, T, C)."""
    for shape in ((5, 3, 4), (2, 4, 3)):
        x = 2 * _random(*shape, seed=2) + torch.arange(shape[1])[:, None]
        gamma, beta = _random(shape[2], seed=3), _random(shape[2], seed=4)

        over = partial(_normalized, x, gamma, beta)
        shown = f"normalize(x, gamma, beta, 0.001), x of shape {shape}"
        received = run(answer, x.clone(), gamma.clone(), beta.clone(), 1e-3, shown=shown)
        expect_tensor(
            received,
            over((0, 1)),
            shown,
            [
                (over((0,)), "That is the lecture's bug: each position has statistics of its own."),
                (over((1,)), "The examples of a batch belong together: dim 0, too."),
                (over((0, 1, 2)), "Each feature has its own mean: not over the last dimension."),
                (over((2,)), "That is a LayerNorm. Features are not mixed with each other."),
                (over((0, 1), 1), "Divide by the number of values: correction=0."),
            ],
        )
    return "One mean and one variance for each feature, from all examples and all positions."


def _tree(contexts: int, levels: int, n_embd: int, n_hidden: int) -> int:
    first, later = 2 * n_embd * n_hidden, 2 * n_hidden**2
    nodes = 2 ** (levels - 1)
    return int(contexts * (nodes * first + (nodes - 1) * later + n_hidden * V))


@checker
def multiplications(answer: Any) -> str:
    """Check a function ``(contexts, levels, n_embd, n_hidden)`` that counts for both forms."""
    for contexts, levels, n_embd, n_hidden in ((5, 3, 24, 128), (1, 2, 3, 4), (9, 4, 5, 6)):
        first, later, output = 2 * n_embd * n_hidden, 2 * n_hidden**2, n_hidden * V
        tree = _tree(contexts, levels, n_embd, n_hidden)
        lengths = [contexts + 2**levels - 2**level for level in range(1, levels + 1)]
        slid = lengths[0] * first + sum(lengths[1:]) * later + contexts * output
        short = contexts * (first + (levels - 1) * later + output)
        shown = f"multiplications({contexts}, {levels}, {n_embd}, {n_hidden})"
        expect_numbers(
            run(answer, contexts, levels, n_embd, n_hidden, shown=shown),
            [float(tree), float(slid)],
            shown,
            [
                (0, float(tree - contexts * output), "The output layer multiplies, too."),
                (0, float(tree // contexts), "That is one context. There are several."),
                (
                    0,
                    float(contexts * (first + (levels - 1) * later + output)),
                    "A level has many nodes: half as many as the level below.",
                ),
                (1, float(short), "The lower levels are longer: they reach into the dots."),
            ],
        )
    return "The tree repeats itself, and the convolution does not."


@checker
def dilated(answer: Any) -> str:
    """Check a function ``(x, weight, dilation)``: a causal convolution of kernel size 2."""
    for shape, dilation in (((2, 6, 3), 1), ((1, 7, 2), 2), ((3, 9, 2), 4)):
        B, _, C = shape
        x, weight = _random(*shape, seed=5), _random(2 * C, 5, seed=6)
        old, new = weight[:C], weight[C:]
        right = x[:, :-dilation] @ old + x[:, dilation:] @ new
        padded = torch.cat([torch.zeros(B, dilation, C), x], 1)
        zeros = padded[:, :-dilation] @ old + x @ new
        ahead = torch.cat([right, torch.zeros(B, dilation, 5)], 1)
        shown = f"dilated(x, weight, {dilation}), x of shape {shape}"
        received = run(answer, x.clone(), weight.clone(), dilation, shown=shown)
        expect_tensor(
            received,
            right,
            shown,
            [
                (
                    x[:, :-dilation] @ new + x[:, dilation:] @ old,
                    "The first half of the weight belongs to the older position.",
                ),
                (x[:, :-1] @ old + x[:, 1:] @ new, "The two positions are dilation apart."),
                (zeros, "No zeros in front: begin where both positions exist."),
                (ahead, "No zeros at the end: the output is shorter than the input."),
                (x[:, dilation:] @ new, "The older position is missing."),
            ],
            tolerance=1e-4,
        )
    return "The same matrix at every position, and it never looks ahead."


@checker
def gated(answer: Any) -> str:
    """Check a function ``(x, Wf, Wg, Wr)``: WaveNet's unit on pairs of neighbors."""
    for shape in ((2, 4, 3), (3, 2, 2)):
        B, T, C = shape
        x = _random(*shape, seed=7)
        Wf, Wg, Wr = _random(2 * C, 5, seed=8), _random(2 * C, 5, seed=9), _random(5, C, seed=10)
        pairs, newer, older = x.view(B, T // 2, 2 * C), x[:, 1::2], x[:, ::2]
        f, g = pairs @ Wf, pairs @ Wg
        z = torch.tanh(f) * torch.sigmoid(g)
        shown = f"gated(x, Wf, Wg, Wr), x of shape {shape}"
        received = run(answer, x.clone(), Wf.clone(), Wg.clone(), Wr.clone(), shown=shown)
        if not isinstance(received, (tuple, list)) or len(received) != 2:
            fail(f"{shown} should return out and z, received {type(received).__name__}.")
        expect_tensor(
            received[1],
            z,
            f"z of {shown}",
            [
                (torch.tanh(g) * torch.sigmoid(f), "Wf goes into tanh, Wg into the sigmoid."),
                (torch.tanh(f) + torch.sigmoid(g), "The gate multiplies."),
                (torch.tanh(f), "The gate is missing."),
                (f * torch.sigmoid(g), "The filter goes through tanh."),
            ],
            tolerance=1e-4,
        )
        expect_tensor(
            received[0],
            newer + z @ Wr,
            f"out of {shown}",
            [
                (z @ Wr, "The residual connection is missing: add the newer vector."),
                (older + z @ Wr, "Add the newer vector of each pair, not the older one."),
                (newer + older + z @ Wr, "Add the newer vector alone."),
            ],
            tolerance=1e-4,
        )
    return "A filter, a gate, and a path around them."


@checker
def beat_the_lecture(answer: Any) -> str:
    """Check a model, a function from contexts of 8 characters to logits, by its dev loss."""
    if getattr(answer, "training", False):
        fail("The model is in training mode.", "Call model.eval() before it is judged.")
    _, dev, _ = split_words(names())
    X, Y = build_contexts(dev, 8)
    total = 0.0
    for x, y in zip(X.split(4096), Y.split(4096)):
        with torch.no_grad():
            logits = run(answer, x, shown="model(X_dev)")
        if not isinstance(logits, torch.Tensor):
            fail(f"model(X_dev) should be a tensor, received {type(logits).__name__}.")
        if logits.shape != (len(x), V):
            fail(f"model(X_dev) should have shape {(len(x), V)}, received {tuple(logits.shape)}.")
        total += F.cross_entropy(logits, y, reduction="sum").item()
    loss = total / len(X)
    if not loss < 1.993:
        fail(
            f"The dev loss should be below 1.993, received {loss:.4f}.", "Is it trained to the end?"
        )
    return f"The dev loss is {loss:.4f}, below the 1.993 of the lecture."
