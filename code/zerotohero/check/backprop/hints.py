"""Mistakes that any gradient can have: sign, shape, a missing sum, a factor, a typed-in size."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch

from ..rules import AUTOGRAD, Watch, forbid
from ..tensors import expect_tensor
from ..verdict import Found, fail, stop, stopped

Mistakes = list[tuple[torch.Tensor, str]]
"""Wrong results, each with its hint."""

BY_HAND = "Autograd is ruled out in this chapter's exercises: write the backward pass by hand."
SIGN = "The sign is reversed."
UNSUMMED = "This value was broadcast forward, so add up the gradients of all its uses: a sum."
NO_MEAN = "A sum, not a mean: each use counts in full."
WRONG_DIMENSION = "That is the sum over the wrong dimension."
KEEP = "Keep the summed dimension: keepdim=True."
DROP = "This value has one dimension only: sum without keepdim."
SPREAD = "A sum forward is a broadcast backward: every entry that was added gets the gradient."
TRANSPOSED = "That is the transpose of what is asked for."
TIMES_N = "Too large by the factor n. Where does the mean over the examples enter?"
OVER_N = "Too small by the factor n. The mean is in the gradients from above already."
PAGE_N = 32
TYPED_IN = (
    "32 is the size of the batch on this page. The check uses others: take the number of "
    "examples from what you are given."
)
PAGE_SIZES = (10, 30, 64)
SIZES = (
    "10, 30 and 64 are sizes of this page's network. The check uses others: take the sizes from "
    "what you are given."
)
SIZES_IN_ERROR = (rf"[\[(,] ?({'|'.join(map(str, PAGE_SIZES))})\b", SIZES)
"""For ``hinted``: one of the sizes as an argument, or in a shape."""


def by_hand(answer: Any) -> Any:
    """Return the answer, watched: it may not call autograd, nor prepare for it."""
    if not callable(answer):
        return answer
    watched = _ByHand(forbid((AUTOGRAD, BY_HAND))).watched(answer)

    @functools.wraps(answer)
    def called(*args: Any) -> Any:
        default = torch.get_default_dtype()
        try:
            result = watched(*args)
            if torch.get_default_dtype() != default:
                fail("The answer changed PyTorch's default dtype.")
        finally:
            torch.set_default_dtype(default)
        for arg in args:
            given = vars(arg).values() if isinstance(arg, SimpleNamespace) else [arg]
            if any(isinstance(t, torch.Tensor) and t.requires_grad for t in given):
                fail("The answer set requires_grad of what it was given.", BY_HAND)
        return result

    return called


class _ByHand(Watch):
    """Knows the one way around a name: each step of a graph can be asked for its gradient."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func == torch.Tensor.grad_fn.__get__:
            fail("grad_fn is ruled out in this exercise.", BY_HAND)
        return super().__torch_function__(func, types, args, kwargs)


@contextmanager
def hinted(*hints: tuple[str, str]) -> Iterator[None]:
    """Give the first hint that fits to an exception of the answer.

    ``hints`` are pairs (pattern, hint). A pattern is looked for in the message, which also holds
    the line that raised the exception.
    """
    try:
        yield
    except Found as found:
        if " raised " in found.verdict.message:
            for pattern, hint in hints:
                if re.search(pattern, found.verdict.message):
                    stop(replace(found.verdict, hint=hint))
        raise


def expect_gradient(
    received: Any,
    right: torch.Tensor,
    shown: str,
    mistakes: Callable[[], Mistakes] = list,
    n: int | None = None,
    otherwise: str = "",
) -> None:
    """Stop unless ``received`` is the right gradient.

    Parameters
    ----------
    received
        What the answer returned.
    right : Tensor
        The right gradient.
    shown : str
        The call, for messages.
    mistakes : callable
        Returns wrong results with their hints. Only a wrong answer needs them.
    n : int, optional
        Number of examples, where it is part of the task.
    otherwise : str
        The hint where none fits.
    """
    if stopped(partial(expect_tensor, received, right, shown)) is not None:
        hint = usual_mistake(received, right, n) or otherwise
        expect_tensor(received, right, shown, mistakes(), otherwise=hint)


def usual_mistake(received: Any, right: torch.Tensor, n: int | None = None) -> str:
    """Return a hint if ``received`` is ``right`` with a usual mistake; else nothing.

    Parameters
    ----------
    received
        What the answer returned: anything.
    right : Tensor
        The right gradient.
    n : int, optional
        Number of examples, where it is part of the task.
    """
    try:
        wrong = torch.as_tensor(received).detach()
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return ""
    if wrong.is_complex():
        return ""
    wrong, right = wrong.double(), right.double()
    if wrong.shape == right.shape:
        return _factor(wrong, right, n)
    if n is not None and PAGE_N in wrong.shape:
        return TYPED_IN
    if n is not None and set(PAGE_SIZES) & set(wrong.shape):
        return SIZES
    if wrong.numel() == right.numel():
        if right.ndim == 2 and 1 not in right.shape and _same(wrong, right.T):
            return TRANSPOSED
        if _same(wrong.flatten(), right.flatten()):
            return KEEP if wrong.ndim < right.ndim else DROP if right.ndim == 1 else ""
    for dim in range(wrong.ndim):
        total = wrong.sum(dim)
        if wrong.numel() > right.numel() and _same(total.flatten(), right.flatten()):
            return UNSUMMED
    if wrong.numel() < right.numel():
        try:
            if _same(wrong.expand_as(right), right):
                return SPREAD
        except RuntimeError:
            return ""
    return ""


def _factor(wrong: torch.Tensor, right: torch.Tensor, n: int | None = None) -> str:
    """Return a hint if all entries are off by the same factor."""
    size = right.square().sum()
    if not size > 0:
        return ""
    factor = ((wrong * right).sum() / size).item()
    if not factor or abs(factor - 1) < 0.01 or not _same(wrong / factor, right):
        return ""
    known = {-1.0: SIGN}
    if n:
        known |= {float(n): TIMES_N, 1 / n: OVER_N, n / PAGE_N: TYPED_IN}
    for other, hint in known.items():
        if abs(factor / other - 1) < 1e-3:
            return hint
    if int(right.count_nonzero()) < 2:  # a single number has a factor, whatever is wrong
        return ""
    return f"Every entry is {factor:.4g} times what it should be."


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and bool(torch.allclose(a, b, rtol=1e-4, atol=1e-5))


def subsets(dims: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield every selection of some dimensions, but not of all, and not of none."""
    for chosen in range(1, 2 ** len(dims) - 1):
        yield tuple(dim for i, dim in enumerate(dims) if chosen >> i & 1)
