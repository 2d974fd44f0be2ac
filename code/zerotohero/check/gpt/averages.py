"""The check of chapter 7's averages of the past, with what known mistakes compute."""

from __future__ import annotations

from typing import Any

import torch

from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker
from .attention import Mistakes, random_tensor
from .steps import Steps, expect_no_loop

SHAPES = (2, 5, 3), (4, 11, 6), (6, 3, 7)  # the second is larger than the first in every way
BAN = "A loop is ruled out in this exercise."
HINT = "All tokens at once: a triangular matrix (T, T) times x gives every average."


@checker
def averages(answer: Any) -> str:
    """Check a function ``(x)`` that returns the mean of every token and all before it."""
    counts = []
    for seed, shape in enumerate(SHAPES):
        x = random_tensor(*shape, seed=seed)
        shown = f"averages(x), x of shape {shape}"
        counts.append((shown, steps := Steps()))
        received = run(steps.counted(answer), x, shown=shown)
        tril = torch.ones(shape[1], shape[1]).tril()
        right = tril / tril.sum(1, keepdim=True) @ x
        expect_tensor(received, right, shown, _mistakes(x, tril))
    expect_no_loop(counts[0], counts[1], BAN, HINT)
    return "Every token averages its past, all of them at once."


def _mistakes(x: torch.Tensor, tril: torch.Tensor) -> Mistakes:
    T, triu = len(tril), tril.T
    before = tril.tril(-1) / tril.tril(-1).sum(1, keepdim=True)  # the first row is NaN
    after = triu / triu.sum(1, keepdim=True)
    itself = "A token's own vector is part of its average."
    return [
        (tril @ x, "Those are sums. Each row of the matrix has to add up to 1."),
        (tril / T @ x, "Each token has its own number of predecessors: divide row by row."),
        (tril / tril.sum(1) @ x, "Those sums belong to the rows: keepdim=True."),
        (tril / tril.sum(0) @ x, "Its rows have to add up to 1, not its columns."),
        (tril.softmax(1) @ x, "In a softmax a score of 0 counts. Mask with −∞."),
        (x.mean(1, keepdim=True).expand(x.shape), "The future is in it. Use tril."),
        (after @ x, "That is the mean of the future: the triangle is the wrong one."),
        (before @ x, itself),
        (before.nan_to_num() @ x, itself),
    ]
