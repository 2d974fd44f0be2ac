"""Chapter 5: one training step with batch normalization, by autograd and by hand, on one thread."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F

from zerotohero.backprop import BatchNormMLP, steps, train_by_hand
from zerotohero.backprop.fused import forward
from zerotohero.backprop.model import EPS
from zerotohero.mlp import build_contexts, split_words

NAMES = Path(__file__).resolve().parents[1] / "zerotohero" / "data" / "names-ssa-2018.txt"
BATCH_SIZE, STEPS, REPEATS, RATE = 32, 500, 11, 0.1

Loss = Callable[[BatchNormMLP, torch.Tensor, torch.Tensor], torch.Tensor]
Loop = Callable[[BatchNormMLP, torch.Tensor, torch.Tensor, torch.Generator, int], list[float]]


class Step(NamedTuple):
    """One way to write the step; median time in microseconds."""

    form: str
    microseconds: float


def _native_loss(model: BatchNormMLP, X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """Use torch's own batch normalization. Its variance divides by n: the gain makes up for it.

    Epsilon, too, has to shrink with the variance.
    """
    shrink = (len(X) - 1) / len(X)
    pre = model.C[X].flatten(1) @ model.W1 + model.b1
    gain = model.bngain[0] * math.sqrt(shrink)
    pre = F.batch_norm(pre, None, None, gain, model.bnbias[0], training=True, eps=EPS * shrink)
    return F.cross_entropy(torch.tanh(pre) @ model.W2 + model.b2, Y)


def _with_autograd(loss_of: Loss) -> Loop:
    def loop(
        model: BatchNormMLP, X: torch.Tensor, Y: torch.Tensor, g: torch.Generator, n: int
    ) -> list[float]:
        parameters = [p.requires_grad_(True) for p in model.parameters()]
        history = []
        for ix in torch.randint(0, len(X), (n, BATCH_SIZE), generator=g):
            loss = loss_of(model, X[ix], Y[ix])
            grads = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for p, grad in zip(parameters, grads):
                    p.sub_(grad, alpha=RATE)
            history.append(loss.item())
        return history

    return loop


def _by_hand(
    model: BatchNormMLP, X: torch.Tensor, Y: torch.Tensor, g: torch.Generator, n: int
) -> list[float]:
    return train_by_hand(
        model,
        X,
        Y,
        steps=n,
        learning_rate=RATE,
        generator=g,
        batch_size=BATCH_SIZE,
        progress=False,
    )


LOOPS: dict[str, Loop] = {
    "autograd, twenty steps": _with_autograd(lambda m, X, Y: steps.forward(m, X, Y).loss),
    "autograd, fused cross-entropy": _with_autograd(lambda m, X, Y: forward(m, X, Y).loss),
    "autograd, torch's own BatchNorm": _with_autograd(_native_loss),
    "by hand (train_by_hand)": _by_hand,
}


def measure() -> list[Step]:
    """Measure all forms in turns, after checking that they give the same losses.

    They are compared over twenty steps: rounding differs, and training makes it grow.
    """
    words, _, _ = split_words(NAMES.read_text(encoding="utf-8").split())
    X, Y = build_contexts(words)

    def run(loop: Loop, n: int) -> tuple[list[float], float]:
        model = BatchNormMLP(torch.Generator().manual_seed(2147483647))
        generator = torch.Generator().manual_seed(1)
        gc.collect()
        start = time.perf_counter()
        history = loop(model, X, Y, generator, n)
        return history, 1e6 * (time.perf_counter() - start) / n

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        losses = [run(loop, 20)[0] for loop in LOOPS.values()]
        for other in losses[1:]:
            for a, b in zip(losses[0], other, strict=True):
                assert math.isclose(a, b, rel_tol=1e-3), f"the losses differ: {a} and {b}"
        times: dict[str, list[float]] = {form: [] for form in LOOPS}
        for _ in range(REPEATS):
            for form, loop in LOOPS.items():
                times[form].append(run(loop, STEPS)[1])
    finally:
        torch.set_num_threads(threads)
    return [Step(form, statistics.median(record)) for form, record in times.items()]
