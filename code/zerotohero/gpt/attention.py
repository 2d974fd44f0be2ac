"""Self-attention: one head, several of them, and the same computed at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .config import GPTConfig


class Head(nn.Module):
    """One head of causal self-attention, step by step."""

    tril: torch.Tensor

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.key = nn.Linear(config.n_embd, config.head_size, bias=False)
        self.query = nn.Linear(config.n_embd, config.head_size, bias=False)
        self.value = nn.Linear(config.n_embd, config.head_size, bias=False)
        # A buffer moves with the model to another device, but is not trained. It is the same
        # for every model of this block size, so a checkpoint does not need it.
        tril = torch.tril(torch.ones(config.block_size, config.block_size, dtype=torch.bool))
        self.register_buffer("tril", tril, persistent=False)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what every token gathers from its past: (B, T, C) -> (B, T, head_size)."""
        _, T, _ = x.shape
        q, k, v = self.query(x), self.key(x), self.value(x)  # each (B, T, head_size)
        scores = q @ k.mT * k.shape[-1] ** -0.5  # (B, T, T); scaled by the size of the head
        scores = scores.masked_fill(~self.tril[:T, :T], float("-inf"))  # no look ahead
        weights = self.dropout(scores.softmax(-1))  # (B, T, T); each row sums to 1
        return weights @ v  # (B, T, head_size)


class MultiHeadAttention(nn.Module):
    """Several heads, one after the other, and a projection that mixes what they found."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.heads = nn.ModuleList([Head(config) for _ in range(config.n_head)])
        self.proj = nn.Linear(config.n_embd, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, C) -> (B, T, C)."""
        gathered = torch.cat([head(x) for head in self.heads], dim=-1)
        return self.dropout(self.proj(gathered))


class KeysAndValues:
    """Keys and values of all tokens so far, in one block: what a new token looks at.

    There is room for a full context from the start, so that nothing has to move when a token
    is added.
    """

    def __init__(self, config: GPTConfig) -> None:
        self.room, self.length = config.block_size, 0
        self.kept: torch.Tensor | None = None  # (2, B, n_head, room, head_size)

    def append(self, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values, each (B, n_head, T, head_size), and return all so far.

        Raises
        ------
        ValueError
            If there is no room for so many.
        """
        start, end = self.length, self.length + k.shape[2]
        if end > self.room:
            raise ValueError(f"k must leave the context at {self.room} tokens, it would hold {end}")
        if self.kept is None:
            self.kept = k.new_empty(2, *k.shape[:2], self.room, k.shape[3])
        self.kept[0, :, :, start:end] = k
        self.kept[1, :, :, start:end] = v
        self.length = end
        return self.kept[0, :, :, :end], self.kept[1, :, :, :end]


class CausalSelfAttention(nn.Module):
    """The same as ``MultiHeadAttention``, with all heads computed at once.

    One matrix holds queries, keys and values of all heads; the heads are one more dimension
    of a tensor; and PyTorch's fused kernel does the rest. With a cache, keys and values of
    earlier tokens are not computed again.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head, self.p = config.n_head, config.dropout
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=False)
        self.proj = nn.Linear(config.n_embd, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)

    @classmethod
    def from_heads(cls, heads: MultiHeadAttention, config: GPTConfig) -> CausalSelfAttention:
        """Copy the weights of separate heads into the batched form."""
        made = cls(config)
        with torch.no_grad():
            parts = [
                getattr(head, part).weight
                for part in ("query", "key", "value")
                for head in heads.heads
            ]
            made.qkv.weight.copy_(torch.cat(parts))
            made.proj.load_state_dict(heads.proj.state_dict())
        return made

    def forward(self, x: torch.Tensor, cache: KeysAndValues | None = None) -> torch.Tensor:
        """(B, T, C) -> (B, T, C).

        With a cache, x holds the first tokens of all, or a single one that follows those in the
        cache; its keys and values are added there.
        """
        B, T, C = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.n_head, C // self.n_head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, n_head, T, head_size)
        if cache is not None:
            k, v = cache.append(k, v)
        # A single new token may look at everything before it; else the future is masked.
        out = _attend(q, k, v, is_causal=T > 1, p=self.p if self.training else 0.0)
        out = out.transpose(1, 2).reshape(B, T, C)  # heads side by side again
        return self.dropout(self.proj(out))


def _attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, is_causal: bool, p: float
) -> torch.Tensor:
    """Call PyTorch's fused attention, in the precision in which it is fast."""
    if q.dtype == torch.bfloat16 and q.device.type == "cpu" and q.requires_grad:
        # Backward, its kernel for processors is several times slower in bfloat16.
        with torch.autocast("cpu", enabled=False):
            q, k, v = q.float(), k.float(), v.float()
            return F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=is_causal)
    return F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=is_causal)
