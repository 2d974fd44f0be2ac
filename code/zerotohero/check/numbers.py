"""Checks of numbers: one, or a few in a row."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from itertools import islice
from typing import Any

from .verdict import fail


def close(received: Any, expected: float, tolerance: float = 1e-6) -> bool:
    """Whether a received number equals the expected one, up to ``tolerance`` relative to 1."""
    number = _number(received)
    return number is not None and abs(number - expected) <= tolerance * max(1.0, abs(expected))


def expect_numbers(
    received: Any,
    expected: list[float],
    shown: str,
    misconceptions: Sequence[tuple[int, float, str]] = (),
    otherwise: str = "",
    names: Sequence[str] = (),
) -> None:
    """Stop unless ``received`` holds the expected numbers.

    ``misconceptions`` are (entry, number, hint): the first whose number was received at its
    entry, instead of the right one, gives the hint. Without any, the hint is ``otherwise``.
    ``names`` say what the entries are.
    """
    wanted = "1 number" if len(expected) == 1 else f"{len(expected)} numbers"
    if isinstance(received, (set, frozenset)) and len(expected) > 1:
        fail(f"{shown} should return {wanted}, received a set.", "A set has no order.")
    try:
        items = list(islice(received, len(expected) + 1))  # an iterator may have no end
    except TypeError:
        fail(f"{shown} should return {wanted}, received {received!r}.")
    numbers = [_number(item) for item in items]
    if len(items) != len(expected) or None in numbers:
        fail(f"{shown} should return {wanted}, received {reprlib.repr(received)}.")
    floats = [number for number in numbers if number is not None]
    for i, (ours, right) in enumerate(zip(floats, expected)):
        if not close(ours, right):
            hints = (
                hint
                for j, wrong, hint in misconceptions
                if close(floats[j], wrong) and not close(floats[j], expected[j])
            )
            entry = f"entry {i} ({names[i]})" if names else f"entry {i}"
            fail(
                f"{shown}: {entry} should be {written(right)}, received {written(ours)}.",
                next(hints, otherwise),
            )


def written(number: Any) -> str:
    """Write a number for a message, with 8 digits: -0.0 as 0, what is no float as it is."""
    return f"{number + 0.0:.8g}" if isinstance(number, float) else repr(number)


def _number(item: Any) -> float | None:
    if isinstance(item, (str, bytes)):  # float would read "1.5" as a number
        return None
    try:
        number = float(item.detach() if hasattr(item, "detach") else item)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    return number if not math.isnan(number) else None
