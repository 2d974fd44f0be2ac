"""Checks of a list of token ids, for chapter 8."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from ..verdict import fail

Mistakes = Sequence[tuple[list[int], str]]


def expect_ids(
    received: Any, expected: list[int], shown: str, mistakes: Mistakes = (), otherwise: str = ""
) -> None:
    """Stop unless ``received`` holds the expected ids.

    ``mistakes`` are (ids, hint): the first ids that were received instead give the hint.
    Without any, the hint is ``otherwise``.
    """
    ids = _ids(received, 2 * len(expected) + 1000)
    if ids is None:
        fail(f"{shown} should return a list of whole numbers, received {reprlib.repr(received)}.")
    if ids == expected:
        return
    hints = (hint for wrong, hint in mistakes if ids == wrong and wrong != expected)
    fail(f"{shown} should be {expected}, received {ids}.", next(hints, otherwise))


def _ids(received: Any, most: int) -> list[int] | None:
    if isinstance(received, (str, bytes)) or not isinstance(received, Iterable):
        return None
    try:
        return [operator.index(idx) for idx in islice(received, most)]  # it may have no end
    except TypeError:
        return None
