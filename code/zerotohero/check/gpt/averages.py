"""The check of chapter 7's averages of the past, with what known mistakes compute."""

from __future__ import annotations

from typing import Any

import torch

from ..tensors import expect_tensor
from ..verdict import checker
from .attention import Mistakes, random_tensor
from .steps import Steps, expect_no_loop, run_counted

SHAPES = (
    *((2, 5, 3), (4, 11, 6), (6, 3, 7)),
    *((1, 4, 3), (3, 1, 2), (2, 3, 1), (1, 1, 1)),
    *((5, 12, 4), (25, 40, 22)),  # the last is much larger than the one before, in every way
)
BAN = "A loop is ruled out in this exercise."
HINT = "All sequences and tokens at once: a triangular matrix (T, T) times x gives every average."


@checker
def averages(answer: Any) -> str:
    """Check a function ``(x)`` that returns the mean of every token and all before it."""
    counts: list[tuple[str, Steps]] = []
    for case, shape in enumerate(SHAPES):
        shown = f"averages(x), x of shape {shape}"
        for again in (0, 1):
            x = random_tensor(*shape, seed=case + 100 * again)
            received, steps = run_counted(answer, x, shown=shown)
            tril = torch.ones(shape[1], shape[1]).tril()
            right = tril / tril.sum(1, keepdim=True) @ x
            # Next to a size of 1, a mistake may be another one, too.
            expect_tensor(received, right, shown, [] if 1 in shape else _mistakes(x, tril))
        counts.append((shown, steps))  # of the second run: what is prepared once, is there
    expect_no_loop(counts[-2], counts[-1], BAN, HINT)
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
