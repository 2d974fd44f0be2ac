"""The checks of chapter 5: sums."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from check_answers import outcome

from zerotohero.check import backprop

Answer = Callable[..., Any]


# -- sum and broadcast ---------------------------------------------------------------------


def unbroadcast(grad: torch.Tensor, shape: tuple[int, ...], **changes: Any) -> torch.Tensor:
    """Sum dimension by dimension, perhaps with a mistake."""
    while changes.get("leading", True) and grad.ndim > len(shape):
        grad = grad.sum(0)
    for dim, size in enumerate(shape):
        if size == 1 and grad.shape[dim] > 1:
            grad = grad.sum(dim, keepdim=changes.get("keepdim", True))
    return grad


@pytest.mark.parametrize(
    "answer",
    [
        unbroadcast,
        lambda grad, shape: grad.sum_to_size(shape),
        lambda grad, shape: grad.sum_to_size(shape).tolist(),
    ],
)
def test_unbroadcast_right(answer: Answer) -> None:
    verdict = backprop.unbroadcast(answer)
    assert verdict, verdict.message
    assert "sum over all its copies" in verdict.message


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda grad, shape: unbroadcast(grad, shape, keepdim=False),
            ["(4, 3), (1, 3)) should have shape (1, 3), received (3,)"],
            "Keep the summed dimension: keepdim=True.",
        ),
        (
            lambda grad, shape: unbroadcast(grad, shape, leading=False),
            ["(4, 3), (3,)) should have shape (3,), received (4, 3)"],
            "Nothing was summed: which dimensions had to be stretched, or were missing?",
        ),
        (
            lambda grad, shape: grad,
            ["should have shape (1, 3), received (4, 3)"],
            "Nothing was summed: which dimensions had to be stretched, or were missing?",
        ),
        (
            lambda grad, shape: unbroadcast(grad, shape) * grad.sum_to_size(shape).numel() / 12,
            ["should be", "received"],
            "A sum, not a mean: each use counts in full.",
        ),
        (
            lambda grad, shape: grad.sum().expand(shape),
            ["entry (0, 0) should be"],
            "Sum only over the dimensions that were stretched.",
        ),
        (
            lambda grad, shape: grad.sum(),
            ["should have shape (1, 3), received ()"],
            "Sum only over the dimensions that were stretched.",
        ),
        (
            lambda grad, shape: -unbroadcast(grad, shape),
            ["entry (0, 0) should be"],
            "The sign is reversed.",
        ),
        (
            lambda grad, shape: grad.sum(0, keepdim=True),
            ["(4, 3), (4, 1)) should have shape (4, 1), received (1, 3)"],
            "",
        ),
        (
            lambda grad, shape: grad.sum(0, keepdim=True) if len(shape) == 1 else
            unbroadcast(grad, shape),
            ["(4, 3), (3,)) should have shape (3,), received (1, 3)"],
            "This value has one dimension only: sum without keepdim.",
        ),
    ],
)  # fmt: skip
def test_unbroadcast_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(backprop.unbroadcast(answer), *words, hint=hint)
