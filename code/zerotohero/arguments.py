"""Checks of arguments, in one line each: ``require_int(1, steps=steps)``."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any


def require_int(low: int, high: float = math.inf, /, **given: Any) -> None:
    """Raise unless every argument is an integer in a range.

    Parameters
    ----------
    low, high : int
        The range; both ends belong to it.
    **given
        The arguments, by name: ``require_int(1, fan_in=fan_in, fan_out=fan_out)``.

    Raises
    ------
    TypeError
        If one is not an int. True and False are not.
    ValueError
        If one is out of range.
    """
    for name, number in given.items():
        if isinstance(number, bool) or not isinstance(number, Integral):
            raise TypeError(f"{name} must be an int, got {number!r}")
        _require_range(name, number, low, high)


def require_number(low: float = -math.inf, high: float = math.inf, /, **given: Any) -> None:
    """Raise unless every argument is a finite real number in a range.

    Arguments and errors are those of ``require_int``, with any kind of real number.
    """
    for name, number in given.items():
        if isinstance(number, bool) or not isinstance(number, Real):
            raise TypeError(f"{name} must be a number, got {number!r}")
        try:
            finite = math.isfinite(number)
        except OverflowError:  # an integer larger than every float
            finite = False
        if not finite:
            raise ValueError(f"{name} must be finite, got {number}")
        _require_range(name, number, low, high)


def require_string(**given: Any) -> None:
    """Raise ``TypeError`` unless every argument is a string."""
    for name, string in given.items():
        if not isinstance(string, str):
            raise TypeError(f"{name} must be a string, got {type(string).__name__}")


def _require_range(name: str, number: Any, low: float, high: float) -> None:
    if low <= number <= high:
        return
    if high == math.inf and low == 0:
        raise ValueError(f"{name} must not be negative, got {number}")
    expected = f"at least {low}" if high == math.inf else f"from {low} to {high}"
    raise ValueError(f"{name} must be {expected}, got {number}")
