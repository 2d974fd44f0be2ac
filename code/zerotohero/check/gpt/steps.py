"""Tells a loop from work on whole tensors: counts what an answer does, for two sizes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from types import FrameType
from typing import Any

from ..rules import Watch
from ..running import of_library
from ..verdict import fail

MOST_ITEMS = 1000


class Steps:
    """Counts the lines of an answer that run, and its calls of functions.

    A loop runs its lines again and again, whatever it loops with: PyTorch, NumPy or lists. So the
    number tells it, where it grows with the input.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.watch = Watch()

    @property
    def taken(self) -> int:
        """Lines and calls so far."""
        return self.lines + self.watch.calls.total()

    def counted(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        """Return the answer, counted."""
        if not callable(answer):
            return answer

        @functools.wraps(answer)
        def counted(*args: Any) -> Any:
            before = sys.gettrace()
            sys.settrace(self._trace)
            try:
                with self.watch:
                    result = answer(*args)
                    # A generator does its work only now.
                    lazy = isinstance(result, Iterator)
                    return list(islice(result, MOST_ITEMS)) if lazy else result
            finally:
                sys.settrace(before)

        return counted

    def _trace(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        library = of_library(frame.f_code.co_filename)
        caller = frame.f_back
        if not library or (caller and not of_library(caller.f_code.co_filename)):
            self.lines += 1  # a line of the answer, or a call of a library from there
        return None if library else self._trace


def expect_no_loop(small: tuple[str, Steps], large: tuple[str, Steps], ban: str, hint: str) -> None:
    """Stop if a larger input takes an answer more steps; ``ban`` says which rule that breaks."""
    (shown, few), (shown_large, many) = small, large
    if many.taken > few.taken:
        fail(
            f"{ban} {shown} takes {few.taken} steps, {shown_large} takes {many.taken}.",
            hint,
        )
