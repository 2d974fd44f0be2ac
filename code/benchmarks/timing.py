"""Time two functions in turns, so that a change of the machine's speed hits both."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One comparison; medians in milliseconds."""

    what: str
    ours: float
    theirs: float


def compare(
    what: str, ours: Callable[[], object], theirs: Callable[[], object], repeats: int = 15
) -> Row:
    """Run both functions ``repeats`` times in turns, after one warm-up, and return medians.

    Garbage of the run before is collected outside the measured time. Collections that a
    function itself causes are part of its time.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 1):
        for function, record in zip((ours, theirs), times):
            gc.collect()
            start = time.perf_counter()
            result = function()
            elapsed = time.perf_counter() - start
            del result
            if repeat:
                record.append(1e3 * elapsed)
    return Row(what, statistics.median(times[0]), statistics.median(times[1]))
