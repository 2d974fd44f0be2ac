"""Chapter 3: one training step of the lecture's model, by autograd and by hand, on one thread."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from zerotohero.backprop import train_in_numpy
from zerotohero.mlp import MLP, build_contexts, split_words, train

NAMES = Path(__file__).resolve().parents[1] / "zerotohero" / "data" / "names-ssa-2018.txt"
BATCH_SIZE, STEPS, REPEATS, RATE = 32, 500, 11, 0.1

Loop = Callable[[MLP, torch.Generator, int], list[float]]


class Step(NamedTuple):
    """One way to write the step; median time in microseconds."""

    form: str
    microseconds: float


def _loops() -> dict[str, Loop]:
    """List the forms: each trains a model on the train split of the embedded names."""
    words, _, _ = split_words(NAMES.read_text(encoding="utf-8").split())
    X, Y = build_contexts(words)

    def package(loop: Callable[..., list[float]]) -> Loop:
        return lambda model, generator, steps: loop(
            model,
            X,
            Y,
            steps=steps,
            learning_rate=RATE,
            generator=generator,
            batch_size=BATCH_SIZE,
            progress=False,
        )

    return {
        "autograd (train)": package(train),
        "NumPy by hand (train_in_numpy)": package(train_in_numpy),
    }


def _run(loop: Loop, steps: int) -> tuple[list[float], float]:
    """Train a fresh model; return the losses, and microseconds a step."""
    model = MLP(torch.Generator().manual_seed(2147483647))
    generator = torch.Generator().manual_seed(1)
    gc.collect()
    start = time.perf_counter()
    history = loop(model, generator, steps)
    return history, 1e6 * (time.perf_counter() - start) / steps


def steps() -> list[Step]:
    """Measure the forms in turns, after checking that all give the same losses.

    They are compared over fifty steps: rounding differs, and training makes it grow.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        loops = _loops()
        losses = [_run(loop, 50)[0] for loop in loops.values()]
        for other in losses[1:]:
            for a, b in zip(losses[0], other, strict=True):
                assert math.isclose(a, b, rel_tol=1e-3), f"the losses differ: {a} and {b}"
        times: dict[str, list[float]] = {form: [] for form in loops}
        for _ in range(REPEATS):
            for form, loop in loops.items():
                times[form].append(_run(loop, STEPS)[1])
    finally:
        torch.set_num_threads(threads)
    return [Step(form, statistics.median(record)) for form, record in times.items()]
