"""Training without autograd."""

from __future__ import annotations

import torch

from ..training import Progress, Schedule, as_schedule, draw_batches
from . import fused
from .model import PARAMETERS, BatchNormMLP


def train_by_hand(
    model: BatchNormMLP,
    X: torch.Tensor,
    Y: torch.Tensor,
    *,
    steps: int,
    learning_rate: float | Schedule,
    generator: torch.Generator,
    batch_size: int = 32,
    progress: bool = True,
) -> list[float]:
    """Train with minibatches and stochastic gradient descent, every gradient by hand.

    Arguments, minibatches, returned losses and errors are those of ``zerotohero.mlp.train``.
    In addition, a ``ValueError`` says so if ``batch_size`` is 1. The statistics of an earlier
    ``calibrate`` no longer fit the weights and are dropped.
    """
    batches = draw_batches(X, Y, steps, batch_size, generator)
    schedule = as_schedule(learning_rate)
    model.bnmean = model.bnvar = None
    report = Progress(steps, progress)
    history = []
    with torch.no_grad():  # nothing is recorded: there is no graph to walk back through
        for step in range(steps):
            ix = batches[step]
            v = fused.forward(model, X[ix], Y[ix])
            d = fused.backward(v)
            lr = float(schedule(step))
            for name in PARAMETERS:
                getattr(model, name).sub_(getattr(d, name), alpha=lr)
            history.append(report(step, v.loss.item()))
    return history
