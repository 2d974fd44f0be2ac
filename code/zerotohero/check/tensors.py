"""Checks of a tensor: its shape, then its entries."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch

from .running import MOST_ITEMS
from .verdict import fail


def expect_tensor(
    received: Any,
    expected: torch.Tensor,
    shown: str,
    misconceptions: Sequence[tuple[torch.Tensor, str]] = (),
    otherwise: str = "",
    tolerance: float = 1e-5,
) -> None:
    """Stop unless ``received`` holds the expected numbers, in the expected shape.

    Parameters
    ----------
    received
        A tensor, an array, or nested lists of numbers or of those.
    expected : Tensor
        What is right.
    shown : str
        The call, for messages.
    misconceptions
        Pairs (tensor, hint): the first tensor that was received instead gives the hint. NaN
        stands for NaN.
    otherwise : str
        The hint where none fits.
    tolerance : float
        Allowed difference, relative to 1.
    """
    tensor = as_tensor(received, shown)
    if tensor.is_complex():  # double() would drop the imaginary part
        fail(f"{shown} should hold real numbers, received {tensor.dtype}.")
    tensor = tensor.double()
    right = expected.double()
    if _same(tensor, right, tolerance):
        return
    hint = next((text for wrong, text in misconceptions if _same(tensor, wrong, tolerance)), "")
    if tensor.shape != right.shape:
        fail(
            f"{shown} should have shape {tuple(right.shape)}, received {tuple(tensor.shape)}.",
            hint or otherwise,
        )
    off = ~torch.isclose(tensor, right, rtol=tolerance, atol=tolerance)
    position = tuple(off.nonzero()[0].tolist())
    where = f"entry {position} " if position else ""
    count = f" ({int(off.sum())} of {off.numel()} differ)" if off.numel() > 1 else ""
    fail(
        f"{shown}: {where}should be {right[position].item():.6g}, "
        f"received {tensor[position].item():.6g}{count}.",
        hint or otherwise,
    )


def as_tensor(received: Any, shown: str) -> torch.Tensor:
    """Return what an answer gave as a tensor: nested lists, too, also of tensors."""
    try:
        tensor = _joined(received).detach()
        return tensor.to_dense() if tensor.layout != torch.strided else tensor
    except (TypeError, ValueError, RuntimeError, OverflowError):
        fail(f"{shown} should be a tensor, received {reprlib.repr(received)}.")


def _joined(received: Any) -> torch.Tensor:
    if isinstance(received, Iterator):
        received = list(islice(received, MOST_ITEMS))
    if isinstance(received, (list, tuple)):
        inside = (list, tuple, torch.Tensor, np.ndarray, Iterator)
        if any(isinstance(item, inside) for item in received):
            return torch.stack([_joined(item) for item in received])
    if isinstance(received, np.ndarray):
        received = _taken_by_torch(received)
    return torch.as_tensor(received)


def _taken_by_torch(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the same numbers as torch takes them: no longer floats, and no steps backward."""
    if array.dtype == np.longdouble:
        return array.astype(np.float64)
    return array.copy() if any(stride < 0 for stride in array.strides) else array


def _same(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    if a.shape != b.shape:
        return False
    return bool(torch.allclose(a, b.double(), rtol=tolerance, atol=tolerance, equal_nan=True))
