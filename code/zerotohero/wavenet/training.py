"""Training in few, large steps, and evaluation in chunks."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..layers import Container
from ..layers.base import require_number, require_size
from ..training import Progress, one_cycle


def train_adamw(
    model: Container,
    X: torch.Tensor,
    Y: torch.Tensor,
    *,
    epochs: int,
    learning_rate: float,
    generator: torch.Generator,
    batch_size: int = 512,
    weight_decay: float = 0.01,
    progress: bool = True,
) -> list[float]:
    """Train in few, large steps: AdamW, and a learning rate that rises and falls.

    The model is switched to training mode, and stays in it.

    Parameters
    ----------
    model : Container
        Its parameters are changed in place.
    X, Y : Tensor
        Examples: inputs, and the ids of the right classes.
    epochs : int
        Passes through the examples, each in a new order. The last examples of a pass that fill
        no batch are left out of that pass.
    learning_rate : float
        The largest one, see ``one_cycle``.
    generator : torch.Generator
        Draws the orders.
    batch_size : int
        Examples in a minibatch.
    weight_decay : float
        How much of the matrices' weights fades in each step, times the learning rate. Gains,
        shifts and biases do not fade.
    progress : bool
        Write a line to standard error now and then.

    Returns
    -------
    list of float
        The loss of each minibatch, before its update.

    Raises
    ------
    ValueError
        If X and Y differ in length, a number is below its minimum, or there are fewer examples
        than a batch holds.
    FloatingPointError
        If the loss is no longer a number: the message names the step.

    Notes
    -----
    Source: Loshchilov and Hutter (2019), decoupled weight decay regularization.
    """
    require_size("epochs", epochs)
    require_size("batch_size", batch_size)
    for name, number in (("learning_rate", learning_rate), ("weight_decay", weight_decay)):
        require_number(name, number)
        if not number >= 0:
            raise ValueError(f"{name} must not be negative, got {number}")
    if len(X) != len(Y):
        raise ValueError(f"X and Y must have the same length, got {len(X)} and {len(Y)}")
    if len(X) < batch_size:
        raise ValueError(f"batch_size must be at most {len(X)}, the examples, got {batch_size}")
    steps_per_epoch = len(X) // batch_size
    steps = epochs * steps_per_epoch
    schedule = one_cycle(steps, learning_rate)
    parameters = model.parameters()
    before = [p.requires_grad for p in parameters]
    report = Progress(steps, progress)
    history = []
    model.train()
    try:
        for p in parameters:
            p.requires_grad_(True)
        matrices = [p for p in parameters if p.ndim > 1]
        others = [p for p in parameters if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            fused=True,  # one call for all parameters
        )
        for step in range(steps):
            if step % steps_per_epoch == 0:
                order = torch.randperm(len(X), generator=generator)
                batches = iter(order.split(batch_size))
            ix = next(batches)
            loss = F.cross_entropy(model(X[ix]), Y[ix])
            optimizer.zero_grad()
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
            optimizer.step()
            history.append(report(step, loss.item()))
    finally:
        for p, required in zip(parameters, before):
            p.requires_grad_(required)
            p.grad = None
    return history


def evaluate(model: Container, X: torch.Tensor, Y: torch.Tensor, chunk_size: int = 4096) -> float:
    """Return the average negative log likelihood in evaluation mode, in nats per character.

    The examples go through the network in chunks, so that it fits into a small memory. The mode
    of the model is restored.

    Raises
    ------
    ValueError
        If X and Y differ in length, there is no example, or ``chunk_size`` is below 1.
    """
    require_size("chunk_size", chunk_size)
    if len(X) != len(Y):
        raise ValueError(f"X and Y must have the same length, got {len(X)} and {len(Y)}")
    if len(X) == 0:
        raise ValueError("X must hold at least one example, got none")
    mode, total = model.training, 0.0
    model.eval()
    try:
        with torch.no_grad():
            for x, y in zip(X.split(chunk_size), Y.split(chunk_size)):
                total += float(F.cross_entropy(model(x), y, reduction="sum"))
    finally:
        model.train(mode)
    return total / len(X)
