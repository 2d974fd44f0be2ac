"""The checks of chapter 5: sums."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from check_answers import outcome

from zerotohero.check import backprop, running

Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("one_thread")


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


def one_of_several(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Stop after the first dimension that was stretched."""
    while grad.ndim > len(shape):
        grad = grad.sum(0)
    for dim, size in enumerate(shape):
        if size == 1 and grad.shape[dim] > 1:
            return grad.sum(dim, keepdim=True)
    return grad


def only_missing(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    missing = grad.ndim - len(shape)
    return grad.sum(tuple(range(missing))) if missing else unbroadcast(grad, shape)


def aligned_at_the_left(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    for dim, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(dim, keepdim=True)
    while grad.ndim > len(shape):
        grad = grad.sum(0)
    return grad


def in_place(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    total = unbroadcast(grad, shape)
    grad.zero_()
    return total


def by_autograd(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    value = torch.zeros(shape, requires_grad=True)
    return torch.autograd.grad(value.expand(grad.shape), value, grad)[0]


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            one_of_several,
            ["(4, 3), (1, 1)) should have shape (1, 1), received (1, 3)"],
            "Several dimensions can be stretched at once: sum over each of them.",
        ),
        (
            only_missing,
            ["(2, 4, 3), (4, 1)) should have shape (4, 1), received (4, 3)"],
            "Several dimensions can be stretched at once: sum over each of them.",
        ),
        (
            aligned_at_the_left,
            ["(2, 4, 3), (4, 1)) should have shape (4, 1), received (1, 3)"],
            "Shapes are aligned at the right end: a missing dimension is missing on the left.",
        ),
        (
            in_place,
            ["changed grad, which it was given."],
            "+=, an index on the left of =, and methods that end in _ change the tensor itself.",
        ),
        (
            by_autograd,
            ["grad is ruled out in this exercise."],
            "Autograd is ruled out in this chapter's exercises: write the backward pass by hand.",
        ),
    ],
)
def test_unbroadcast_wrong_in_other_ways(answer: Answer, words: list[str], hint: str) -> None:
    outcome(backprop.unbroadcast(answer), *words, hint=hint)


def test_unbroadcast_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def keeps(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        while grad.ndim > len(shape):
            grad = grad.sum(0, keepdim=True)
        return unbroadcast(grad, shape)

    monkeypatch.setattr(running, "SECONDS", 0.2)
    hint = "Does the gradient lose a dimension in each round of the loop?"
    outcome(backprop.unbroadcast(keeps), "(4, 3), (3,)) was stopped", hint=hint)
