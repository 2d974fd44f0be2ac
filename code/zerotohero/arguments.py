"""Checks of arguments, in one line each: ``require_int(1, steps=steps)``."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any


def require_int(least: int, most: float = math.inf, /, **given: Any) -> None:
    """Raise unless every argument is a whole number in a range.

    Parameters
    ----------
    least, most : int
        The range, with its ends.
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
        _require_range(name, number, least, most)


def require_number(least: float = -math.inf, most: float = math.inf, /, **given: Any) -> None:
    """Raise unless every argument is a finite real number in a range.

    Arguments and errors are those of ``require_int``, with any kind of real number.
    """
    for name, number in given.items():
        if isinstance(number, bool) or not isinstance(number, Real):
            raise TypeError(f"{name} must be a number, got {number!r}")
        if not math.isfinite(number):
            raise ValueError(f"{name} must be finite, got {number}")
        _require_range(name, number, least, most)


def _require_range(name: str, number: Any, least: float, most: float) -> None:
    if least <= number <= most:
        return
    if most == math.inf and least == 0:
        raise ValueError(f"{name} must not be negative, got {number}")
    expected = f"at least {least}" if most == math.inf else f"from {least} to {most}"
    raise ValueError(f"{name} must be {expected}, got {number}")
