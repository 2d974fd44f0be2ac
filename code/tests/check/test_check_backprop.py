"""The checks of chapter 5: sums."""

from collections.abc import Callable
from typing import Any

import numpy as np
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


LEFT_OVER = (
    "The numbers that are left do not fit this shape. Shapes are aligned at the right end: sum "
    "over each dimension that is missing on the left, and over each one that was stretched."
)


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


def aligned_at_the_left_and_reshaped(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    for dim, (size, wanted) in enumerate(zip(grad.shape, shape)):
        if size != wanted:
            grad = grad.sum(dim, keepdim=True)
    return grad.reshape(shape)


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
            aligned_at_the_left_and_reshaped,
            ["(4, 3), ()) raised RuntimeError"],
            LEFT_OVER,
        ),
        (
            lambda grad, shape: np.asarray(grad).reshape(shape),
            ["(4, 3), (1, 3)) raised ValueError"],
            LEFT_OVER,
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


def not_in_shape(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    dims = [i for i, size in enumerate(grad.shape) if size not in shape]
    return (grad.sum(dims) if dims else grad).reshape(shape)


def by_index(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    keep = [list(grad.shape).index(size) for size in shape if size != 1]
    dims = [i for i in range(grad.ndim) if i not in keep]
    return (grad.sum(dims) if dims else grad).reshape(shape)


def greedy_from_the_left(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    wanted, dims = [size for size in shape if size != 1], []
    for i, size in enumerate(grad.shape):
        if wanted and size == wanted[0]:
            wanted.pop(0)
        else:
            dims.append(i)
    return (grad.sum(dims) if dims else grad).reshape(shape)


RIGHT_END = "Shapes are aligned at the right end: a missing dimension is missing on the left."


def test_unbroadcast_with_equal_sizes() -> None:
    for answer in (by_index, greedy_from_the_left):
        words = "unbroadcast(grad of shape (3, 3), (3,)): entry (0,) should be"
        outcome(backprop.unbroadcast(answer), words, hint=RIGHT_END)
    outcome(backprop.unbroadcast(not_in_shape), "unbroadcast(grad of shape", hint=LEFT_OVER)

    def without_missing(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        return (unbroadcast if grad.ndim > len(shape) else by_index)(grad, shape)

    words = "unbroadcast(grad of shape (3, 3), (1, 3)): entry (0, 0) should be"
    hint = "That is the sum over the wrong dimension."
    outcome(backprop.unbroadcast(without_missing), words, hint=hint)


def test_unbroadcast_of_a_transpose() -> None:
    def views(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        return unbroadcast(grad.view(-1).view(grad.shape), shape)

    hint = "grad can be a transpose, which view can't read in order: use reshape."
    outcome(backprop.unbroadcast(views), "raised RuntimeError: view size", hint=hint)


def test_no_factor_of_a_single_number() -> None:
    """Nor of 1: whatever is wrong with the number, some factor brings it back."""

    def off(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        return unbroadcast(grad, shape) + (0 if shape else 1)

    outcome(backprop.unbroadcast(off), "(4, 3), ()): should be")
    outcome(backprop.unbroadcast(lambda g, s: unbroadcast(g, s) * 1.001), "(4, 3), (1, 3))")
    hint = "Every entry is 1.5 times what it should be."
    outcome(backprop.unbroadcast(lambda g, s: unbroadcast(g, s) * 1.5), hint=hint)


def test_unbroadcast_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def keeps(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        while grad.ndim > len(shape):
            grad = grad.sum(0, keepdim=True)
        return unbroadcast(grad, shape)

    monkeypatch.setattr(running, "SECONDS", 0.2)
    hint = "Does the gradient lose a dimension in each round of the loop?"
    outcome(backprop.unbroadcast(keeps), "(4, 3), (3,)) was stopped", hint=hint)
