"""The sizes of a GPT."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a GPT.

    Attributes
    ----------
    vocab_size : int
        Number of different tokens.
    block_size : int
        Longest context, in tokens.
    n_embd : int
        Numbers for each token, C.
    n_head : int
        Attention heads in a block; divides ``n_embd``.
    n_layer : int
        Blocks.
    dropout : float
        Share of numbers that are set to zero in training, from 0 to below 1.

    Raises
    ------
    TypeError
        If a size is not an int.
    ValueError
        If a size is below 1, ``n_head`` does not divide ``n_embd``, or ``dropout`` is out of
        range.
    """

    vocab_size: int
    block_size: int
    n_embd: int
    n_head: int
    n_layer: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "block_size", "n_embd", "n_head", "n_layer"):
            size = getattr(self, name)
            if isinstance(size, bool) or not isinstance(size, int):
                raise TypeError(f"{name} must be an int, got {size!r}")
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_head must divide n_embd, got n_head={self.n_head} and n_embd={self.n_embd}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, got {self.dropout}")

    @property
    def head_size(self) -> int:
        """Numbers in the query, key and value of one head."""
        return self.n_embd // self.n_head
