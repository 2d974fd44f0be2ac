"""Tells a loop from work on whole tensors: counts what an answer does, for two sizes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from types import FrameType
from typing import Any

import torch

from ..rules import Watch
from ..running import of_library, run
from ..verdict import fail

MOST_ITEMS = 1000
MARGIN = 10  # a branch for large inputs, say, is no loop


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


def run_counted(answer: Any, *args: Any, shown: str) -> tuple[Any, Steps]:
    """Run an answer, and return its result and its steps."""
    if has_script(answer):
        fail(f"{shown} is compiled by torch.jit.script: the check can't look for loops there.")
    steps = Steps()
    return run(steps.counted(answer), *args, shown=shown), steps


def has_script(answer: Any) -> bool:
    """Whether a function is a script of PyTorch, or names one."""
    code = getattr(answer, "__code__", None)
    named = [answer.__globals__.get(name) for name in code.co_names] if code else []
    return any(isinstance(item, torch.jit.ScriptFunction) for item in [answer, *named])


def expect_no_loop(small: tuple[str, Steps], large: tuple[str, Steps], ban: str, hint: str) -> None:
    """Stop if a larger input takes an answer many more steps than a small one.

    The sizes that a loop may not go over should differ by more than ``MARGIN``. The sentence
    ``ban`` says which rule is broken.
    """
    (shown, few), (shown_large, many) = small, large
    if many.taken > few.taken + MARGIN:
        fail(
            f"{ban} {shown} runs {few.taken} lines and calls, {shown_large} runs {many.taken}.",
            hint,
        )
