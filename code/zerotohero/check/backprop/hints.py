"""Mistakes that any gradient can have: sign, shape, a missing sum, a factor."""

from __future__ import annotations

from typing import Any

import torch

SIGN = "The sign is reversed."
UNSUMMED = "This value was broadcast forward, so add up the gradients of all its uses: a sum."
WRONG_DIMENSION = "That is the sum over the wrong dimension."
KEEP = "Keep the summed dimension: keepdim=True."
DROP = "This value has one dimension only: sum without keepdim."
SPREAD = "A sum forward is a broadcast backward: every entry that was added gets the gradient."
TRANSPOSED = "That is the transpose of what is asked for."
TIMES_N = "Too large by the factor n. Where does the mean over the examples enter?"
OVER_N = "Too small by the factor n. The mean is in the gradients from above already."


def usual_mistake(received: Any, right: torch.Tensor, n: int | None = None) -> str:
    """Return a hint if ``received`` is ``right`` with a usual mistake; else nothing.

    Parameters
    ----------
    received
        What the answer returned: anything.
    right : Tensor
        The right gradient.
    n : int, optional
        Number of examples, where a mean over them is part of the task.
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
    if not factor or not _same(wrong / factor, right):
        return ""
    known = {-1.0: SIGN} | ({float(n): TIMES_N, 1 / n: OVER_N} if n else {})
    for other, hint in known.items():
        if abs(factor / other - 1) < 1e-3:
            return hint
    return f"Every entry is {factor:.4g} times what it should be."


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and bool(torch.allclose(a, b, rtol=1e-4, atol=1e-5))
