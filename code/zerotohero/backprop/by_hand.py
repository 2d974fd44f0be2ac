"""Training without autograd: chapter 3's network in NumPy, and the one with batch normalization.

``mlp_gradients`` computes the forward and backward pass of the ``MLP`` of chapter 3, for several
networks at once. ``train_in_numpy`` trains one of them with it, ``train_together`` several of the
same shape: one call multiplies the matrices of all. For such small arrays, most of the time goes
into calls, and NumPy's are cheaper than torch's.

Source: lectures 3 to 5 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..arguments import require_int
from ..mlp import MLP
from ..training import Progress, Schedule, as_schedule, draw_batches
from . import fused
from .model import PARAMETERS, BatchNormMLP, require_batch


def mlp_gradients(
    C: np.ndarray,
    W1: np.ndarray,
    b1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    X: np.ndarray,
    Y: np.ndarray,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the loss of a minibatch, and its gradients with respect to the five parameters.

    Parameters
    ----------
    C, W1, b1, W2, b2 : array
        The parameters of K networks, of shapes (K, vocab_size, n_embd),
        (K, block_size * n_embd, n_hidden), (K, 1, n_hidden), (K, n_hidden, vocab_size) and
        (K, 1, vocab_size).
    X : array of int64, shape (B, block_size)
        Contexts, the same for all networks.
    Y : array of int64, shape (B,)
        The characters that follow them.

    Returns
    -------
    loss : array, shape (K,)
    gradients : list of array
        In the order and the shapes of the parameters.
    """
    K, vocab_size, n_embd = C.shape
    B = len(Y)
    rows = np.arange(B)
    # forward
    emb = C.take(X, axis=1).reshape(K, B, -1)  # (K, B, block_size * n_embd)
    h = np.tanh(emb @ W1 + b1)  # (K, B, n_hidden)
    logits = h @ W2 + b2  # (K, B, vocab_size)
    logits -= logits.max(2, keepdims=True)  # no overflow in exp
    counts = np.exp(logits)
    total = counts.sum(2, keepdims=True)  # (K, B, 1)
    # Not -log of the probability: that can round to 0 while the loss is finite.
    losses = np.log(total[:, :, 0]) - logits[:, rows, Y]  # (K, B)
    # backward
    dlogits = counts / total  # (K, B, vocab_size): the probabilities ...
    dlogits[:, rows, Y] -= 1  # ... minus one-hot
    dlogits /= B
    dhpreact = (dlogits @ W2.swapaxes(1, 2)) * (1 - h * h)  # (K, B, n_hidden)
    demb = (dhpreact @ W1.swapaxes(1, 2)).reshape(K, -1, n_embd)  # (K, B * block_size, n_embd)
    one_hot = np.eye(vocab_size, dtype=C.dtype)[X.ravel()]  # (B * block_size, vocab_size)
    gradients = [
        one_hot.T @ demb,  # a lookup is a product with one-hot rows
        emb.swapaxes(1, 2) @ dhpreact,
        dhpreact.sum(1, keepdims=True),
        h.swapaxes(1, 2) @ dlogits,
        dlogits.sum(1, keepdims=True),
    ]
    return losses.sum(1) / B, gradients


def train_together(
    models: Sequence[MLP],
    X: torch.Tensor,
    Y: torch.Tensor,
    *,
    steps: int,
    learning_rate: float | Schedule,
    generator: torch.Generator,
    batch_size: int = 32,
    progress: bool = True,
) -> torch.Tensor:
    """Train networks of the same shape at once, on the same minibatches.

    The steps are those of ``zerotohero.mlp.train`` for each model by itself, up to rounding.

    Parameters
    ----------
    models : sequence of zerotohero.mlp.MLP
        K networks with parameters of the same shapes and dtypes. They are changed in place, at the
        end.
    X, Y, steps, learning_rate, generator, batch_size, progress
        As for ``zerotohero.mlp.train``. The progress shows the mean loss.

    Returns
    -------
    Tensor, shape (steps, K)
        The loss of each minibatch, before its update.

    Raises
    ------
    ValueError
        If there is no model, their shapes or dtypes differ, an id is out of range, or an argument
        is bad as for ``train``.
    TypeError
        If a model is not an ``MLP``, or X or Y does not hold int64 ids.
    FloatingPointError
        If a loss or, at the end, a parameter is not finite. The models are then as they were.
    """
    if not models:
        raise ValueError("models must hold at least one model, got none")
    for model in models:
        if not isinstance(model, MLP):
            raise TypeError(f"models must hold only MLPs, got {type(model).__name__}")
    kinds = [[(tuple(p.shape), p.dtype) for p in model.parameters()] for model in models]
    if any(kind != kinds[0] for kind in kinds):
        raise ValueError(f"models must have tensors of the same shapes and dtypes, got {kinds}")
    batches = draw_batches(X, Y, steps, batch_size, generator).numpy()
    require_batch(models[0], X, Y, least=0)
    schedule = as_schedule(learning_rate)
    stacks = [torch.stack(ps).detach() for ps in zip(*(model.parameters() for model in models))]
    C, W1, b1, W2, b2 = (stack.numpy() for stack in stacks)  # each shares the memory of its stack
    parameters = C, W1, b1[:, None], W2, b2[:, None]
    contexts, targets = X.numpy(), Y.numpy()
    report = Progress(steps, progress, stacks)
    history = np.empty((steps, len(models)), C.dtype)
    for step, ix in enumerate(batches):
        history[step], gradients = mlp_gradients(*parameters, contexts[ix], targets[ix])
        lr = float(schedule(step))
        for p, gradient in zip(parameters, gradients):
            p -= lr * gradient
        report(step, float(history[step].sum()) / len(models))
    with torch.no_grad():
        for k, model in enumerate(models):
            for p, stack in zip(model.parameters(), stacks):
                p.copy_(stack[k])
    return torch.from_numpy(history)


def train_in_numpy(model: MLP, X: torch.Tensor, Y: torch.Tensor, **options: Any) -> list[float]:
    """Train an ``MLP`` with the steps of ``zerotohero.mlp.train``, written by hand in NumPy.

    Same arguments, same minibatches, and the same losses up to rounding, but faster. Errors are
    those of ``train_together``: if one is raised, the model is as it was.
    """
    losses: list[float] = train_together([model], X, Y, **options)[:, 0].tolist()
    return losses


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

    Arguments, minibatches, returned losses and errors are those of ``zerotohero.mlp.train``, but
    ``batch_size`` must be at least 2, and an id that is out of range is a ``ValueError``. The
    statistics of an earlier ``calibrate`` no longer fit the weights and are dropped. After a
    ``FloatingPointError`` the model stays as its step left it: the parameters may be NaN.
    """
    require_int(2, batch_size=batch_size)
    batches = draw_batches(X, Y, steps, batch_size, generator)
    require_batch(model, X, Y, least=0)
    schedule = as_schedule(learning_rate)
    model.bnmean = model.bnvar = None
    report = Progress(steps, progress, model.parameters())
    history = []
    with torch.no_grad():  # no autograd graph is needed
        for step, ix in enumerate(batches):
            v = fused.forward(model, X[ix], Y[ix], checked=True)
            d = fused.backward(v)
            lr = float(schedule(step))
            for name in PARAMETERS:
                getattr(model, name).sub_(getattr(d, name), alpha=lr)
            history.append(report(step, v.loss.item()))
    return history
