"""The network that merges neighbors level by level, and a BatchNorm in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from ..bigrams import V
from ..layers import (
    BatchNorm1d,
    Embedding,
    FlattenConsecutive,
    Layer,
    Linear,
    Sequential,
    Tanh,
)
from ..layers.base import require_features


class FusedBatchNorm1d(BatchNorm1d):
    """``BatchNorm1d`` in a single call of PyTorch: the same numbers, less time.

    Our own formula makes about ten passes over the data and as many calls, and autograd repeats
    them backwards. ``torch.nn.functional.batch_norm`` does all of it at once.
    """

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized input, with the shape of x: (N, C) or (B, T, C)."""
        require_features(x, self.dim, "FusedBatchNorm1d", dims=2)
        examples = x.reshape(-1, self.dim)  # (N, C)
        if self.training and len(examples) < 2:
            return super().__call__(x)  # raises, and says why
        out = F.batch_norm(
            examples,
            self.running_mean,
            self.running_var,
            self.gamma,
            self.beta,
            self.training,
            self.momentum,
            self.eps,
        )
        return out.view(x.shape)


def hierarchical(
    generator: torch.Generator,
    *,
    factors: Sequence[int] = (2, 2, 2),
    n_embd: int = 24,
    n_hidden: int = 128,
    norm: Callable[[int], Layer] = FusedBatchNorm1d,
) -> Sequential:
    """Build a network that merges neighbors level by level.

    Each level is a ``FlattenConsecutive``, a linear layer without bias, a norm and a tanh. The
    output layer starts ten times smaller than the others.

    Parameters
    ----------
    generator : torch.Generator
        Draws all weights.
    factors : sequence of int
        How many neighbors each level merges. The context is their product: 8 for (2, 2, 2), and
        (8,) is the flat network that takes all eight at once.
    n_embd : int
        Numbers in the vector of a character.
    n_hidden : int
        Neurons in each level.
    norm : callable
        Makes the normalization layer for a number of features.

    Raises
    ------
    ValueError
        If there is no level, or a number is below 1.
    TypeError
        If a number is no int.
    """
    if not factors:
        raise ValueError("factors must hold at least one number, got none")
    layers: list[Layer] = [Embedding(V, n_embd, generator=generator)]
    width = n_embd
    for n in factors:
        layers += [
            FlattenConsecutive(n),
            Linear(n * width, n_hidden, bias=False, generator=generator),
            norm(n_hidden),
            Tanh(),
        ]
        width = n_hidden
    layers.append(Linear(width, V, gain=0.1, generator=generator))
    return Sequential(layers)
