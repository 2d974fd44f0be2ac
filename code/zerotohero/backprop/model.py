"""The network of lecture 5: an MLP with batch normalization before tanh."""

from __future__ import annotations

import math

import torch

from ..arguments import require_int
from ..bigrams import V
from ..mlp import MLP, sample
from ..training import require_ids

PARAMETERS = ("C", "W1", "b1", "W2", "b2", "bngain", "bnbias")
EPS = 1e-5
"""Added to a variance before its root is taken: no division by zero."""


class BatchNormMLP:
    """The MLP of chapter 3 with batch normalization before tanh.

    All weights are drawn from a normal distribution and scaled: W1 by 5/3 / sqrt(fan-in), the
    others, except C, by 0.1 (bngain around 1, the rest around 0). None starts at zero or one,
    because such a value hides mistakes in a gradient.

    Parameters
    ----------
    generator : torch.Generator
        Draws C, W1, b1, W2, b2, in this order.
    block_size, n_embd, n_hidden : int
        Context length, embedding size, neurons of the hidden layer.
    vocab_size : int
        Number of characters.
    bn_generator : torch.Generator, optional
        Draws bngain and bnbias. By default ``generator`` does, after the others. The lecture
        takes a generator there that it does not seed.

    Attributes
    ----------
    C : Tensor, shape (vocab_size, n_embd)
    W1 : Tensor, shape (block_size * n_embd, n_hidden)
    b1 : Tensor, shape (n_hidden,)
    W2 : Tensor, shape (n_hidden, vocab_size)
    b2 : Tensor, shape (vocab_size,)
    bngain, bnbias : Tensor, shape (1, n_hidden)
    bnmean, bnvar : Tensor, shape (1, n_hidden), or None
        Statistics for prediction. ``calibrate`` sets them.

    Raises
    ------
    ValueError, TypeError
        If a size is not an int of at least 1.

    Notes
    -----
    Sources: lecture 5 of *Neural Networks: Zero to Hero*; Ioffe and Szegedy (2015).
    """

    def __init__(
        self,
        generator: torch.Generator,
        block_size: int = 3,
        n_embd: int = 10,
        n_hidden: int = 200,
        *,
        vocab_size: int = V,
        bn_generator: torch.Generator | None = None,
    ) -> None:
        require_int(
            1, block_size=block_size, n_embd=n_embd, n_hidden=n_hidden, vocab_size=vocab_size
        )
        self.block_size = block_size
        fan_in = block_size * n_embd
        g = generator
        self.C = torch.randn((vocab_size, n_embd), generator=g)
        self.W1 = torch.randn((fan_in, n_hidden), generator=g) * (5 / 3) / math.sqrt(fan_in)
        self.b1 = torch.randn(n_hidden, generator=g) * 0.1
        self.W2 = torch.randn((n_hidden, vocab_size), generator=g) * 0.1
        self.b2 = torch.randn(vocab_size, generator=g) * 0.1
        g = generator if bn_generator is None else bn_generator
        self.bngain = torch.randn((1, n_hidden), generator=g) * 0.1 + 1.0
        self.bnbias = torch.randn((1, n_hidden), generator=g) * 0.1
        self.bnmean: torch.Tensor | None = None
        self.bnvar: torch.Tensor | None = None

    def named_parameters(self) -> dict[str, torch.Tensor]:
        """Return the seven parameters by name."""
        return {name: getattr(self, name) for name in PARAMETERS}

    def parameters(self) -> list[torch.Tensor]:
        """List C, W1, b1, W2, b2, bngain and bnbias."""
        return list(self.named_parameters().values())

    def to(self, dtype: torch.dtype) -> BatchNormMLP:
        """Turn all tensors into ``dtype``: the same numbers in another precision."""
        for name in (*PARAMETERS, "bnmean", "bnvar"):
            tensor = getattr(self, name)
            if tensor is not None:
                setattr(self, name, tensor.to(dtype))
        return self

    def calibrate(self, X: torch.Tensor) -> None:
        """Set ``bnmean`` and ``bnvar`` to mean and sample variance over all contexts ``X``.

        Parameters
        ----------
        X : Tensor of int64, shape (N, block_size)
            The whole training set. A ``ValueError`` says so if it has fewer than 2 rows.
        """
        require_batch(self, X)
        with torch.no_grad():
            hprebn = self.C[X].flatten(1) @ self.W1 + self.b1  # (N, n_hidden)
            self.bnmean = hprebn.mean(0, keepdim=True)
            self.bnvar = hprebn.var(0, keepdim=True)  # divides by N - 1

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (N, vocab_size), for contexts (N, block_size).

        Uses the statistics of ``calibrate``, so that a context's logits do not depend on the
        other contexts. Without them, a ``RuntimeError`` says so.
        """
        if self.bnmean is None or self.bnvar is None:
            raise RuntimeError("the model has no statistics yet: call calibrate(X) first")
        require_batch(self, X, least=0)
        hprebn = self.C[X].flatten(1) @ self.W1 + self.b1  # (N, n_hidden)
        bnraw = (hprebn - self.bnmean) * (self.bnvar + EPS) ** -0.5
        return torch.tanh(self.bngain * bnraw + self.bnbias) @ self.W2 + self.b2

    def sample(self, n: int, generator: torch.Generator) -> list[str]:
        """Draw ``n`` words, character by character, with the given generator."""
        return sample(self, n, self.block_size, generator)


def require_batch(
    model: BatchNormMLP | MLP, X: torch.Tensor, Y: torch.Tensor | None = None, *, least: int = 2
) -> None:
    """Raise ``ValueError`` or ``TypeError`` unless X and Y are contexts and their targets.

    Batch normalization needs at least two examples.
    """
    n, vocab_size = len(X) if X.ndim else 0, len(model.C)
    int64 = (torch.int64,)  # what cross-entropy takes
    require_ids("X", X, vocab_size, shape=(n, model.block_size), dtypes=int64)
    if n < least:
        raise ValueError(f"X must hold at least {least} examples, got {n}")
    if Y is not None:
        require_ids("Y", Y, vocab_size, shape=(n,), dtypes=int64)


def require_shapes(**given: tuple[torch.Tensor, tuple[int, ...]]) -> None:
    """Raise ``ValueError`` unless every tensor, given by name, has the shape given with it."""
    for name, (tensor, shape) in given.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
