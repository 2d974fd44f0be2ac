"""The check of the first exercise of chapter 5: what was broadcast forward is summed backward."""

from __future__ import annotations

import random
from functools import partial
from itertools import combinations
from typing import Any

import torch

from ..running import run
from ..verdict import checker
from .hints import (
    NO_MEAN,
    WRONG_DIMENSION,
    Mistakes,
    by_hand,
    expect_gradient,
    hinted,
    subsets,
)

Shape = tuple[int, ...]

STRETCHED = "Sum only over the dimensions that were stretched."
NOTHING = "Nothing was summed: which dimensions had to be stretched, or were missing?"
SEVERAL = "Several dimensions can be stretched at once: sum over each of them."
RIGHT_END = "Shapes are aligned at the right end: a missing dimension is missing on the left."
STRIDES = "grad can be a transpose, which view can't read in order: use reshape."
LEFT_OVER = (
    "The numbers that are left do not fit this shape. Shapes are aligned at the right end: sum "
    "over each dimension that is missing on the left, and over each one that was stretched."
)
ROUNDS = "Does the gradient lose a dimension in each round of the loop?"

CASES: list[tuple[Shape, Shape]] = [
    ((4, 3), (1, 3)),
    ((4, 3), (4, 1)),
    ((4, 3), (3,)),
    ((4, 3), ()),
    ((2, 4, 3), (4, 1)),
    ((4, 3), (1, 1)),
    ((2, 4, 3), (1, 4, 1)),
    ((5, 2, 4, 3), (2, 1, 1)),
    ((5, 2, 4, 3), (1, 3)),
    ((2, 5), (1, 5)),
    ((5, 2), (5, 1)),
    ((4, 3), (4, 3)),
    ((1, 3), (1, 3)),  # a dimension of size 1 that was not stretched
    ((2, 1, 3), (1, 1)),
    ((1, 4), (4,)),  # a missing dimension of size 1
    # Equal sizes: here the shapes do not tell which dimension is which.
    ((3, 3), (3,)),
    ((3, 3), (1, 3)),
    ((3, 3), (3, 1)),
    ((2, 2, 3), (2, 3)),
    ((2, 3, 2), (3, 1)),
    ((3, 3, 3), (1, 3)),
    ((3, 3, 3), (3, 1)),
]


def _random_cases(count: int) -> list[tuple[Shape, Shape]]:
    """Return pairs of shapes: some dimensions missing, some stretched, all of other sizes."""
    rng = random.Random(5)
    cases = []
    for _ in range(count):
        full = tuple(rng.sample((1, 2, 3, 4, 5), rng.randint(1, 4)))
        kept = full[rng.randint(0, len(full)) :]
        cases.append((full, tuple(rng.choice((1, size)) for size in kept)))
    return cases


@checker
def unbroadcast(answer: Any) -> str:
    """Check a function ``(grad, shape)`` that sums a gradient down to the shape of its value."""
    for seed, (full, shape) in enumerate([*CASES, *_random_cases(24)]):
        g = torch.Generator().manual_seed(seed)
        grad = torch.randn(full, generator=g)
        if seed >= len(CASES):  # as a transpose: other strides
            grad = torch.randn(full[::-1], generator=g).permute(*reversed(range(len(full))))
        right = grad.sum_to_size(shape)
        shown = f"unbroadcast(grad of shape {full}, {shape})"
        with hinted(
            ("view size is not compatible", STRIDES),
            ("is invalid for input of size|cannot reshape array of size", LEFT_OVER),
        ):
            received = run(by_hand(answer), grad.clone(), shape, shown=shown, endless=ROUNDS)
        expect_gradient(received, right, shown, partial(_mistakes, grad, shape))
    return "Where a value was broadcast, its gradient is the sum over all its copies."


def _mistakes(grad: torch.Tensor, shape: Shape) -> Mistakes:
    full, missing = grad.shape, grad.ndim - len(shape)
    stretched = [i for i in range(grad.ndim) if i < missing or shape[i - missing] < full[i]]
    if not stretched:
        return [(grad.sum().expand(shape), STRETCHED), (grad.sum(), STRETCHED)]
    found = [
        (grad.mean(stretched).view(shape), NO_MEAN),
        (grad.sum().expand(shape), STRETCHED),
        (grad.sum(), STRETCHED),
        (grad, NOTHING),
    ]
    left = [i for i, size in enumerate(shape) if size == 1]
    if missing and left:
        total = grad.sum(left, keepdim=True)
        found.append((total.sum(tuple(range(missing))), RIGHT_END))
    found += [(grad.sum(dims), SEVERAL) for dims in subsets(stretched)]
    found += [(grad.sum(dims, keepdim=True), SEVERAL) for dims in subsets(stretched)]
    for dims in combinations(range(grad.ndim), len(stretched)):
        total = grad.sum(dims)
        if list(dims) != stretched and total.numel() == torch.Size(shape).numel():
            found.append((total.reshape(shape), RIGHT_END if missing else WRONG_DIMENSION))
    return found
