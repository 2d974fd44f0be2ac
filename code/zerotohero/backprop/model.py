"""The network of lecture 5: an MLP with batch normalization in front of tanh."""

from __future__ import annotations

import math

import torch

from ..bigrams import V
from ..mlp import sample

PARAMETERS = ("C", "W1", "b1", "W2", "b2", "bngain", "bnbias")
EPS = 1e-5
"""Added to a variance before its root is taken: no division by zero."""


class BatchNormMLP:
    """The MLP of chapter 3 with batch normalization in front of tanh.

    All weights are normal numbers, scaled: W1 by 5/3 / sqrt(fan-in), every other one but C by
    0.1 (bngain around 1, the rest around 0). None starts at zero or one, because such a value
    hides mistakes in a gradient.

    Parameters
    ----------
    generator : torch.Generator
        Draws C, W1, b1, W2, b2, in this order.
    block_size : int
        Characters of context.
    n_embd : int
        Numbers in the vector of a character.
    n_hidden : int
        Neurons in the hidden layer.
    bn_generator : torch.Generator, optional
        Draws bngain and bnbias. By default ``generator`` does, after the others. The lecture
        takes a generator there that it does not seed.

    Attributes
    ----------
    C : Tensor, shape (27, n_embd)
    W1 : Tensor, shape (block_size * n_embd, n_hidden)
    b1 : Tensor, shape (n_hidden,)
    W2 : Tensor, shape (n_hidden, 27)
    b2 : Tensor, shape (27,)
    bngain, bnbias : Tensor, shape (1, n_hidden)
    bnmean, bnvar : Tensor, shape (1, n_hidden), or None
        Statistics for prediction. ``calibrate`` sets them.

    Raises
    ------
    ValueError
        If a size is below 1.

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
        bn_generator: torch.Generator | None = None,
    ) -> None:
        for name, size in (
            ("block_size", block_size),
            ("n_embd", n_embd),
            ("n_hidden", n_hidden),
        ):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        self.block_size = block_size
        fan_in = block_size * n_embd
        self.C = torch.randn((V, n_embd), generator=generator)
        self.W1 = torch.randn((fan_in, n_hidden), generator=generator) * (5 / 3) / math.sqrt(fan_in)
        self.b1 = torch.randn(n_hidden, generator=generator) * 0.1
        self.W2 = torch.randn((n_hidden, V), generator=generator) * 0.1
        self.b2 = torch.randn(V, generator=generator) * 0.1
        bn_generator = generator if bn_generator is None else bn_generator
        self.bngain = torch.randn((1, n_hidden), generator=bn_generator) * 0.1 + 1.0
        self.bnbias = torch.randn((1, n_hidden), generator=bn_generator) * 0.1
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
        require_batch(X, None, self.block_size)
        with torch.no_grad():
            hprebn = self.C[X].flatten(1) @ self.W1 + self.b1  # (N, n_hidden)
            self.bnmean = hprebn.mean(0, keepdim=True)
            self.bnvar = hprebn.var(0, keepdim=True)  # divides by N - 1

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits of the next character, shape (N, 27), for contexts (N, block_size).

        Uses the statistics of ``calibrate``, so that a context's answer does not depend on the
        other contexts. Without them, a ``RuntimeError`` says so.
        """
        if self.bnmean is None or self.bnvar is None:
            raise RuntimeError("the model has no statistics yet: call calibrate(X) first")
        hprebn = self.C[X].flatten(1) @ self.W1 + self.b1  # (N, n_hidden)
        bnraw = (hprebn - self.bnmean) * (self.bnvar + EPS) ** -0.5
        return torch.tanh(self.bngain * bnraw + self.bnbias) @ self.W2 + self.b2

    def sample(self, n: int, generator: torch.Generator) -> list[str]:
        """Draw ``n`` words, character by character, with the given generator."""
        return sample(self, n, self.block_size, generator)


def require_batch(X: torch.Tensor, Y: torch.Tensor | None, block_size: int) -> None:
    """Raise a ``ValueError`` or ``TypeError`` unless X and Y are a batch that can be normalized."""
    if X.ndim != 2 or X.shape[1] != block_size:
        raise ValueError(f"X must have shape (n, {block_size}), got {tuple(X.shape)}")
    if len(X) < 2:
        raise ValueError(
            f"BatchNorm needs at least 2 examples in a batch, got {len(X)}: "
            "the variance of a single number is not defined"
        )
    if Y is not None and Y.shape != (len(X),):
        raise ValueError(f"Y must have shape ({len(X)},), got {tuple(Y.shape)}")
    for name, ids in (("X", X), ("Y", Y)):
        if ids is not None and ids.dtype != torch.int64:
            raise TypeError(f"{name} must hold int64 ids, got {ids.dtype}")
