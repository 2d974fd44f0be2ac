"""Progress of a training, on standard error."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Writes up to ten lines in the course of a training, and stops it when the loss is lost.

    Parameters
    ----------
    steps : int
        Number of steps that the training will make.
    shown : bool
        Whether to write at all.
    stream : file, optional
        Where to; standard error by default.
    """

    def __init__(self, steps: int, shown: bool, stream: TextIO | None = None) -> None:
        self.steps, self.shown, self.stream = steps, shown, stream
        self.every = max(1, (steps + 9) // 10)
        self.start = time.perf_counter()

    def __call__(self, step: int, loss: float) -> float:
        """Note the loss of a step, and return it. ``FloatingPointError`` if it is no number."""
        if not loss < float("inf"):  # also true for nan
            raise FloatingPointError(
                f"the loss is {loss} in step {step}: is the learning rate too large?"
            )
        if self.shown and (step + 1) % self.every == 0:
            left = (time.perf_counter() - self.start) * (self.steps / (step + 1) - 1)
            print(
                f"step {step + 1:,} of {self.steps:,}: loss {loss:.4f}, {left:.0f} s left",
                file=self.stream or sys.stderr,
            )
        return loss
