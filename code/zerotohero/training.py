"""Shared by all training loops: learning-rate schedules, minibatches, evaluation mode, progress.

Source: lectures 3 to 6 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from .arguments import require_int, require_number
from .console import say

Schedule = Callable[[int], float]
"""The learning rate of each step, counted from 0."""


class TrainingWarning(UserWarning):
    """The loss rose during training."""


def step_decay(learning_rate: float, after: int, factor: float = 0.1) -> Schedule:
    """Return a schedule: ``learning_rate``, and from step ``after`` on ``factor`` times that."""
    require_number(0, learning_rate=learning_rate, after=after, factor=factor)
    return lambda step: learning_rate if step < after else factor * learning_rate


def one_cycle(steps: int, peak: float, warmup: float = 0.05) -> Schedule:
    """Return a schedule: linear warmup to ``peak``, then cosine decay to 0.

    Parameters
    ----------
    steps : int
        Number of steps of the training run.
    peak : float
        The largest learning rate.
    warmup : float
        Fraction of the steps used for warmup, below 1.

    Raises
    ------
    ValueError
        If ``steps`` is below 1, ``peak`` negative, or ``warmup`` not from 0 to below 1.
    """
    require_int(1, steps=steps)
    require_number(0, peak=peak, warmup=warmup)
    if warmup >= 1:
        raise ValueError(f"warmup must be below 1, got {warmup}")

    def schedule(step: int) -> float:
        fraction = (step + 1) / (steps + 1)
        if fraction < warmup:
            return peak * fraction / warmup
        return peak * 0.5 * (1 + math.cos(math.pi * (fraction - warmup) / (1 - warmup)))

    return schedule


def as_schedule(learning_rate: float | Schedule) -> Schedule:
    """Return a schedule unchanged; turn a number into a constant schedule."""
    if callable(learning_rate):
        return learning_rate
    require_number(0, learning_rate=learning_rate)
    return lambda step: learning_rate


def require_examples(X: torch.Tensor, Y: torch.Tensor) -> None:
    """Raise ``ValueError`` unless X and Y are equally long and contain at least one example."""
    if len(X) != len(Y):
        raise ValueError(f"X and Y must have the same length, got {len(X)} and {len(Y)}")
    if len(X) == 0:
        raise ValueError("X must hold at least one example, got none")


def require_ids(
    name: str,
    ids: torch.Tensor,
    vocab_size: int | None = None,
    *,
    shape: Sequence[int] | None = None,
    ignored: int | None = None,
    dtypes: Sequence[torch.dtype] = (torch.int64, torch.int32),
) -> None:
    """Raise unless a tensor holds ids: integers from 0 to ``vocab_size - 1``.

    PyTorch would read -1 as the last row, and skip a target of -100.

    Parameters
    ----------
    name : str
        The argument, for the message.
    ids : Tensor
    vocab_size : int, optional
        Without it, the ids are not looked at. (For that, a GPU has to finish its work first.)
    shape : sequence of int, optional
        The shape that the tensor must have.
    ignored : int, optional
        May stand in place of ids, but not of all.
    dtypes : sequence of torch.dtype
        The allowed ones.

    Raises
    ------
    TypeError
        If ``ids`` is not a tensor, or of another dtype.
    ValueError
        If the shape is another one, an id is out of range, or all are ignored.
    """
    dtype = getattr(ids, "dtype", type(ids))
    if dtype not in dtypes:
        raise TypeError(f"{name} must be a tensor of int64 ids, got {dtype}")
    if shape is not None and ids.shape != tuple(shape):
        raise ValueError(f"{name} must have shape {tuple(shape)}, got {tuple(ids.shape)}")
    if vocab_size is None or not ids.numel():
        return
    if ignored is not None:
        ids = ids[ids != ignored]
        if not ids.numel():
            raise ValueError(f"{name} must hold a token to predict, got only {ignored}")
    low, high = (int(end) for end in ids.aminmax())
    if low < 0 or high >= vocab_size:
        wrong = low if low < 0 else high
        raise ValueError(f"{name} must hold ids from 0 to {vocab_size - 1}, got {wrong}")


def draw_batches(
    X: torch.Tensor, Y: torch.Tensor, steps: int, batch_size: int, generator: torch.Generator
) -> torch.Tensor:
    """Draw the examples of all minibatches, with replacement: ids of shape (steps, batch_size).

    Raises
    ------
    ValueError
        If X and Y differ in length or are empty, ``steps`` is negative, or ``batch_size`` is
        below 1.
    """
    require_examples(X, Y)
    require_int(0, steps=steps)
    require_int(1, batch_size=batch_size)
    # All at once: the same numbers as a draw in each step, without its cost in each step.
    return torch.randint(0, len(X), (steps, batch_size), generator=generator)


@contextmanager
def trainable(parameters: Iterable[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Let autograd track the parameters within a ``with``: gives each of them once.

    Afterwards, each requires a gradient or not as before, and their gradients are gone.
    """
    parameters = list({id(p): p for p in parameters}.values())  # tied weights are listed twice
    before = [p.requires_grad for p in parameters]
    try:
        for p in parameters:
            p.requires_grad_(True)
        yield parameters
    finally:
        for p, required in zip(parameters, before):
            p.requires_grad_(required)
            p.grad = None


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Put a model into evaluation mode within a ``with``, without autograd.

    BatchNorm layers use, and don't update, their running statistics. Afterwards, each layer is
    in its own mode again. The layers are found in a container, a ``torch.nn.Module``, or the
    list ``layers`` of any other model.
    """
    before = [(layer, layer.training) for layer in _layers(model) if hasattr(layer, "training")]
    try:
        if hasattr(model, "eval"):
            model.eval()
        for layer, _ in before:
            layer.training = False
        with torch.no_grad():
            yield
    finally:
        for layer, mode in before:
            layer.training = mode


def _layers(model: Any) -> Iterator[Any]:
    """Yield a model and all layers within, of PyTorch's kind or of ours."""
    yield model
    children = model.children() if hasattr(model, "children") else getattr(model, "layers", ())
    for child in children.values() if isinstance(children, dict) else children:
        yield from _layers(child)


def require_finite(step: int, loss: float, parameters: Iterable[torch.Tensor] = ()) -> None:
    """Raise ``FloatingPointError`` unless the loss of a step, and all parameters, are finite."""
    what = f"the loss is {loss} in"
    if math.isfinite(loss):
        if all(p.isfinite().all() for p in parameters):
            return
        what = "a parameter is not finite after"
    raise FloatingPointError(f"{what} step {step}: is the learning rate too large?")


def warn_if_risen(losses: Sequence[float]) -> None:
    """Warn if the loss rose by more than noise.

    Warns
    -----
    TrainingWarning
        If the mean of the last tenth of the losses is more than 10% above the mean of the first
        tenth, or above the first loss, even if it were three standard deviations lower. Fewer
        than 50 losses don't show their noise: then, if it is more than three times the first loss.
    """
    if not losses:
        return
    tenth = max(1, len(losses) // 10)
    first, last = statistics.fmean(losses[:tenth]), statistics.fmean(losses[-tenth:])
    if len(losses) < 50 or last <= 0:
        risen = last > 3 * losses[0]
    else:
        noise = statistics.stdev(losses[-tenth:]) / last  # of one loss, as a fraction of it
        noise_of_means = noise * math.sqrt(2 / tenth)  # of a difference between two means
        lowest, lowest_mean = last * math.exp(-3 * noise), last * math.exp(-3 * noise_of_means)
        risen = lowest > 1.1 * losses[0] or lowest_mean > 1.1 * first
    if risen:
        warnings.warn(
            f"the loss rose: it was {losses[0]:.4g} in the first step and {first:.4g} in the first "
            f"{tenth} steps, but {last:.4g} in the last {tenth}: is the learning rate too large?",
            TrainingWarning,
            stacklevel=4,
        )


class Progress:
    """Records the losses of a training run, and writes up to ten lines to standard error.

    Parameters
    ----------
    steps : int
        Number of steps of the training run.
    shown : bool
        Whether to write the lines.
    parameters : list of Tensor
        What must be finite after the last step, whose loss was computed before its update.

    Attributes
    ----------
    losses : list of float
        The loss of every step so far.
    """

    def __init__(self, steps: int, shown: bool, parameters: Sequence[torch.Tensor] = ()) -> None:
        self.steps, self.shown, self.parameters = steps, shown, parameters
        self.every = max(1, (steps + 9) // 10)
        self.start = time.perf_counter()
        self.losses: list[float] = []

    def __call__(self, step: int, loss: float) -> float:
        """Record the loss of a step, counted from 0, and return it.

        Raises
        ------
        FloatingPointError
            If the loss is not finite, or a parameter after the last step.

        Warns
        -----
        TrainingWarning
            After the last step, as ``warn_if_risen``.
        """
        last = step + 1 == self.steps
        require_finite(step, loss, self.parameters if last else ())
        self.losses.append(loss)
        if self.shown and (step + 1) % self.every == 0:
            left = (time.perf_counter() - self.start) * (self.steps / (step + 1) - 1)
            say(f"step {step + 1:,} of {self.steps:,}: loss {loss:.4f}, {left:.0f} s left")
        if last:
            warn_if_risen(self.losses)
        return loss
