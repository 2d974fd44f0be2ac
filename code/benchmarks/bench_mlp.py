"""Chapter 3: one training step of the lecture's model, written in three ways, on one thread."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from zerotohero.mlp import MLP, build_contexts, split_words, train, train_in_numpy

NAMES = Path(__file__).resolve().parents[1] / "zerotohero" / "data" / "names-ssa-2018.txt"
BATCH_SIZE, STEPS, REPEATS, RATE = 32, 500, 11, 0.1

Loop = Callable[[MLP, torch.Generator, int], list[float]]


class Step(NamedTuple):
    """One way to write the step; median time in microseconds."""

    form: str
    microseconds: float


def _torch_by_hand(
    model: MLP, X: torch.Tensor, Y: torch.Tensor, generator: torch.Generator, steps: int
) -> list[float]:
    """Train with the backward pass of ``train_in_numpy``, in torch."""
    C, W1, b1, W2, b2 = model.parameters()
    rows = torch.arange(BATCH_SIZE)
    history = []
    for ix in torch.randint(0, len(X), (steps, BATCH_SIZE), generator=generator):
        xb, yb = X[ix], Y[ix]
        # forward
        emb = C[xb].view(BATCH_SIZE, -1)
        h = torch.tanh(emb @ W1 + b1)
        log_probs = (h @ W2 + b2).log_softmax(1)
        loss = -log_probs[rows, yb].mean()
        # backward
        dlogits = log_probs.exp_()
        dlogits[rows, yb] -= 1
        dlogits /= BATCH_SIZE
        dhpreact = (dlogits @ W2.T) * (1 - h * h)
        demb = dhpreact @ W1.T
        # update
        W2 -= RATE * (h.T @ dlogits)
        b2 -= RATE * dlogits.sum(0)
        W1 -= RATE * (emb.T @ dhpreact)
        b1 -= RATE * dhpreact.sum(0)
        C.index_add_(0, xb.flatten(), demb.view(-1, C.shape[1]), alpha=-RATE)
        history.append(loss.item())
    return history


def _loops() -> dict[str, Loop]:
    """List the three forms: each trains a model on the train split of the embedded names."""
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
        "torch by hand": lambda model, generator, steps: _torch_by_hand(
            model, X, Y, generator, steps
        ),
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
    """Measure the three forms in turns, after checking that all give the same losses.

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
