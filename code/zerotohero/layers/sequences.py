"""Layers for sequences: ids to vectors, and neighbors side by side."""

from __future__ import annotations

import torch

from .base import Layer, require_size


class Embedding(Layer):
    """A table with a vector for each id: ``weight[ids]``.

    The vectors are drawn from a standard normal distribution, as in ``torch.nn.Embedding``.

    Parameters
    ----------
    num_embeddings : int
        Number of ids; they count from 0.
    embedding_dim : int
        Numbers in each vector.
    generator : torch.Generator, optional
        Draws the table; without one, PyTorch's own, which ``torch.manual_seed`` seeds.
    device : str
        Where the layer computes. The table is drawn on the CPU: a seed gives the same one on
        every device.

    Attributes
    ----------
    weight : Tensor, shape (num_embeddings, embedding_dim)

    Raises
    ------
    ValueError
        If a size is below 1.
    TypeError
        If a size is no int; when called, if the ids are no tensor of int32 or int64.
    IndexError
        When called, if an id is negative or not in the table.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        generator: torch.Generator | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        require_size("num_embeddings", num_embeddings)
        require_size("embedding_dim", embedding_dim)
        weight = torch.randn((num_embeddings, embedding_dim), generator=generator)
        self.weight = weight.to(device)

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors, shape (..., embedding_dim), of ids of shape (...)."""
        if not isinstance(ids, torch.Tensor):
            raise TypeError(f"Embedding: ids must be a tensor, got {type(ids).__name__}")
        if ids.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"Embedding: ids must hold int64 or int32, got {ids.dtype}")
        try:  # embedding is weight[ids], but fast backwards, and -1 is not the last row
            return torch.nn.functional.embedding(ids, self.weight)
        except IndexError:
            raise IndexError(
                f"Embedding: ids must be from 0 to {len(self.weight) - 1}, "
                f"got {int(ids.min())} to {int(ids.max())}"
            ) from None

    def parameters(self) -> list[torch.Tensor]:
        """List the table."""
        return [self.weight]


class FlattenConsecutive(Layer):
    """Put ``n`` neighboring places side by side: (B, T, C) becomes (B, T // n, C * n).

    If only one place is left, its dimension is dropped: (B, C * n). With n = T this is
    ``torch.nn.Flatten``.

    Parameters
    ----------
    n : int
        How many neighbors become one.

    Raises
    ------
    ValueError
        If n is below 1; when called, if x does not have the shape (B, T, C), or n does not
        divide T.
    TypeError
        If n is no int; when called, if x is no tensor.

    Notes
    -----
    Source: lecture 6.
    """

    def __init__(self, n: int) -> None:
        require_size("n", n)
        self.n = n

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return x with n places in one: (B, T // n, C * n), or (B, C * n) for T = n."""
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"FlattenConsecutive: x must be a tensor, got {type(x).__name__}")
        if x.ndim != 3:
            raise ValueError(
                f"FlattenConsecutive: x must have shape (B, T, C), got {tuple(x.shape)}"
            )
        B, T, C = x.shape
        if T == 0 or T % self.n:
            raise ValueError(f"FlattenConsecutive: {self.n} must divide T, got T = {T}")
        x = x.reshape(B, T // self.n, C * self.n)
        return x.squeeze(1) if self.n == T else x  # only dim 1: a batch of one keeps its dim 0
