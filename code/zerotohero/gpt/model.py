"""Chapter 7: a decoder-only transformer, from one attention head to the whole model.

Shapes: B sequences in a batch, T tokens in each, C = ``n_embd`` channels for each token, and
``head_size`` = C / ``n_head`` of them in a head.

Source: lecture 7 of *Neural Networks: Zero to Hero*; Vaswani et al. (2017); Radford et al. (2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import require_int, require_number
from ..training import evaluating, require_ids

IGNORED = -100
"""A target that is ignored, as in PyTorch's cross-entropy."""


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
        Embedding dimension, C.
    n_head : int
        Attention heads in a block; divides ``n_embd``.
    n_layer : int
        Blocks.
    dropout : float
        Fraction of the numbers that are set to zero in training, from 0 to below 1.

    Raises
    ------
    TypeError
        If a size is not an int, or ``dropout`` not a number.
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
        require_int(1, vocab_size=self.vocab_size, block_size=self.block_size)
        require_int(1, n_embd=self.n_embd, n_head=self.n_head, n_layer=self.n_layer)
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_head must divide n_embd, got n_head={self.n_head} and n_embd={self.n_embd}"
            )
        require_number(0, dropout=self.dropout)
        if self.dropout >= 1:
            raise ValueError(f"dropout must be below 1, got {self.dropout}")

    @property
    def head_size(self) -> int:
        """Dimension of the query, key and value of one head."""
        return self.n_embd // self.n_head


class Head(nn.Module):
    """One head of causal self-attention, step by step."""

    tril: Tensor

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

    def forward(self, x: Tensor) -> Tensor:
        """Return what each token gathers from its past: (B, T, C) -> (B, T, head_size)."""
        _, T, _ = x.shape
        require_int(1, len(self.tril), T=T)
        q, k, v = self.query(x), self.key(x), self.value(x)  # each (B, T, head_size)
        scores = q @ k.mT * k.shape[-1] ** -0.5  # (B, T, T); scaled by the size of the head
        scores = scores.masked_fill(~self.tril[:T, :T], float("-inf"))  # no look ahead
        weights = self.dropout(scores.softmax(-1))  # (B, T, T); each row sums to 1
        return weights @ v  # (B, T, head_size)


class MultiHeadAttention(nn.Module):
    """Several heads in parallel, concatenated, then a projection."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.heads = nn.ModuleList([Head(config) for _ in range(config.n_head)])
        self.proj = nn.Linear(config.n_embd, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        """(B, T, C) -> (B, T, C). It takes no cache."""
        if cache is not None:
            raise ValueError("MultiHeadAttention takes no cache: CausalSelfAttention does")
        gathered = torch.cat([head(x) for head in self.heads], dim=-1)
        return self.dropout(self.proj(gathered))


class KVCache:
    """Keys and values of all tokens so far: what a new token attends to in one block.

    There is room for a full context from the start, so that nothing moves when a token is added.
    After one call with gradients on, they are right. The next one writes into the same tensors, so
    PyTorch refuses to go backward through the first.

    Attributes
    ----------
    length : int
        Number of tokens so far.
    """

    def __init__(self, config: GPTConfig) -> None:
        self.block_size, self.length = config.block_size, 0
        self.k: Tensor | None = None  # (B, n_head, block_size, head_size)
        self.v: Tensor | None = None

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and values, each (B, n_head, T, head_size), and return all so far.

        Raises
        ------
        ValueError
            If the context would be longer than ``block_size``, or the keys differ from the earlier
            ones in dtype or in a dimension other than T.
        """
        B, n_head, T, head_size = k.shape
        start, end = self.length, self.length + T
        if end > self.block_size:
            raise ValueError(f"k must fit into {self.block_size} positions, got {T} after {start}")
        if self.k is None or self.v is None:
            self.k, self.v = (k.new_empty(B, n_head, self.block_size, head_size) for _ in range(2))
        room = self.k[:, :, start:end]
        if k.shape != room.shape or k.dtype != room.dtype:
            expected, given = (f"{tuple(t.shape)}, {t.dtype}" for t in (room, k))
            raise ValueError(f"k must be {expected}, like the earlier keys, got {given}")
        self.k[:, :, start:end], self.v[:, :, start:end] = k, v
        self.length = end
        return self.k[:, :, :end], self.v[:, :, :end]


class CausalSelfAttention(nn.Module):
    """The same as ``MultiHeadAttention``, with all heads computed at once.

    One matrix holds queries, keys and values of all heads; the heads are one more dimension
    of a tensor; and PyTorch's fused kernel does the rest. With a cache, keys and values of
    earlier tokens are not computed again.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head, self.dropout_p = config.n_head, config.dropout
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=False)
        self.proj = nn.Linear(config.n_embd, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)

    @classmethod
    def from_heads(cls, heads: MultiHeadAttention, config: GPTConfig) -> CausalSelfAttention:
        """Copy the weights of separate heads of the same sizes into the batched form."""
        sizes = len(heads.heads), heads.proj.in_features
        if sizes != (config.n_head, config.n_embd):
            expected = config.n_head, config.n_embd
            raise ValueError(f"heads must have n_head, n_embd = {expected}, got {sizes}")
        attention = cls(config)
        attention.to(heads.proj.weight)  # the same device and dtype
        with torch.no_grad():
            names = ("query", "key", "value")
            parts = [getattr(head, name).weight for name in names for head in heads.heads]
            attention.qkv.weight.copy_(torch.cat(parts))
            attention.proj.load_state_dict(heads.proj.state_dict())
        return attention

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        """(B, T, C) -> (B, T, C).

        With a cache, x follows the tokens in it, and its keys and values are added there.
        """
        B, T, C = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.n_head, C // self.n_head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, n_head, T, head_size)
        if cache is not None:
            k, v = cache.append(k, v)  # each (B, n_head, all so far, head_size)
        out = _attend(q, k, v, self.dropout_p if self.training else 0.0)
        out = out.transpose(1, 2).reshape(B, T, C)  # heads side by side again
        return self.dropout(self.proj(out))


def _attend(q: Tensor, k: Tensor, v: Tensor, dropout_p: float) -> Tensor:
    """Call PyTorch's fused attention; the queries are those of the last positions."""
    if q.dtype == torch.bfloat16 and q.device.type == "cpu" and q.requires_grad:
        # In the backward pass, the kernel for CPUs is several times slower in bfloat16.
        with torch.autocast("cpu", enabled=False):
            return _attend(q.float(), k.float(), v.float(), dropout_p).to(q.dtype)
    T, past = q.shape[2], k.shape[2] - q.shape[2]
    if past and T > 1:  # query i sees itself and the past + i keys before it
        mask = torch.ones(T, past + T, dtype=torch.bool, device=q.device).tril(past)
        return F.scaled_dot_product_attention(q, k, v, mask, dropout_p)
    return F.scaled_dot_product_attention(q, k, v, None, dropout_p, is_causal=T > 1)


class FeedForward(nn.Module):
    """Two linear layers with a ReLU between them, applied to each token independently."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(config.n_embd, 4 * config.n_embd),
            nn.ReLU(),
            nn.Linear(4 * config.n_embd, config.n_embd),
            nn.Dropout(config.dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return self.net(x)


class Block(nn.Module):
    """Communication, then computation, each with a residual connection."""

    def __init__(self, config: GPTConfig, *, batched: bool = True) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(config.n_embd)
        self.attention: nn.Module
        self.attention = CausalSelfAttention(config) if batched else MultiHeadAttention(config)
        self.ln2 = nn.LayerNorm(config.n_embd)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        x = x + self.attention(self.ln1(x), cache)
        return x + self.feed_forward(self.ln2(x))


class GPT(nn.Module):
    """A decoder-only transformer language model.

    Parameters
    ----------
    config : GPTConfig
        Its sizes.
    attention : str
        ``"batched"`` computes all heads at once. ``"heads"`` loops over them, as the lecture
        does: the same numbers, slower, and without a cache.
    generator : torch.Generator, optional
        Draws the weights, on the CPU; without one, PyTorch's own.

    Notes
    -----
    Weights start from a normal distribution with standard deviation 0.02, biases at zero.
    """

    def __init__(
        self,
        config: GPTConfig,
        *,
        attention: Literal["batched", "heads"] = "batched",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if attention not in ("batched", "heads"):
            raise ValueError(f'attention must be "batched" or "heads", got {attention!r}')
        self.config, self.batched = config, attention == "batched"
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_embedding = nn.Embedding(config.block_size, config.n_embd)
        blocks = [Block(config, batched=self.batched) for _ in range(config.n_layer)]
        self.blocks = nn.ModuleList(blocks)
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02, generator=generator)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(
        self, idx: Tensor, targets: Tensor | None = None, caches: Sequence[KVCache] = ()
    ) -> tuple[Tensor, Tensor | None]:
        """Return the logits of the next token at every position, and the loss.

        Parameters
        ----------
        idx : Tensor of int64, shape (B, T)
            Ids of the tokens.
        targets : Tensor of int64, shape (B, T), optional
            The right next tokens. Positions with −100 are ignored.
        caches : sequence of KVCache
            One for each block; idx continues the tokens in them and is added to them.

        Returns
        -------
        logits : Tensor, shape (B, T, vocab_size)
        loss : scalar Tensor, or None without targets
            Mean negative log-likelihood, in nats per token.

        Raises
        ------
        TypeError
            If idx or targets are not ids.
        ValueError
            If idx is empty, or longer than ``block_size`` together with the tokens in the caches;
            if targets have another shape; if the caches do not fit the model; or (on the CPU) if
            an id is unknown, or all targets are ignored.
        """
        past = self._check(idx, targets, caches)
        positions = torch.arange(past, past + idx.shape[1], device=idx.device)
        x = self.token_embedding(idx) + self.position_embedding(positions)  # (B, T, C)
        for i, block in enumerate(self.blocks):
            x = block(x, caches[i] if caches else None)
        logits = self.lm_head(self.ln_f(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten().long())

    def _check(self, idx: Tensor, targets: Tensor | None, caches: Sequence[KVCache]) -> int:
        """Raise unless these are arguments for ``forward``; return the length of the caches."""
        on_cpu = self.lm_head.weight.device.type == "cpu"  # a GPU would have to finish its work
        vocab_size = self.config.vocab_size if on_cpu else None
        self._check_idx(idx, vocab_size)
        if targets is not None:
            require_ids("targets", targets, vocab_size, shape=idx.shape, ignored=IGNORED)
        if caches and not self.batched:
            raise ValueError(f'attention="heads" takes no caches, got {len(caches)}')
        lengths, n = [cache.length for cache in caches], len(self.blocks)
        if caches and (not len(caches) == len(set(caches)) == n or len(set(lengths)) > 1):
            raise ValueError(
                f"caches must be {n} different ones, one for each block, all of the same length, "
                f"got {len(caches)} ({len(set(caches))} different) of lengths {lengths}"
            )
        past = lengths[0] if caches else 0
        total, most = past + idx.shape[1], self.config.block_size
        if total > most:
            raise ValueError(f"idx must hold at most block_size = {most} tokens, got {total}")
        return past

    def _check_idx(self, idx: Tensor, vocab_size: int | None) -> None:
        require_ids("idx", idx, vocab_size)
        if idx.ndim != 2 or not idx.numel():
            raise ValueError(f"idx must have shape (B, T), not empty, got {tuple(idx.shape)}")

    def generate(
        self,
        idx: Tensor,
        max_new_tokens: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
        use_cache: bool = True,
    ) -> Tensor:
        """Continue each sequence, token by token.

        The model sees the last ``block_size`` tokens. Once the context is full, the window
        slides. From then on every token's position changes with each step, so keys and values
        are recomputed, with or without a cache.

        Parameters
        ----------
        idx : Tensor of int64, shape (B, T)
            The beginning; at least one token. It may be longer than the block size.
        max_new_tokens : int
            How many to add.
        temperature : float
            Divides the logits: below 1 makes the distribution sharper, above 1 flatter. 0 is
            greedy: it always takes the most probable token, like ``top_k=1``.
        top_k : int, optional
            Draw only from the k most probable tokens; of equally probable ones, those with the
            lower ids. Above ``vocab_size`` it means all.
        generator : torch.Generator, optional
            Draws the tokens; on the device of the model.
        use_cache : bool
            Keep keys and values of earlier tokens. The result is the same.

        Returns
        -------
        Tensor of int64, shape (B, T + max_new_tokens)

        Raises
        ------
        TypeError
            If idx does not hold ids, or another argument has the wrong type.
        ValueError
            If idx is empty or holds an unknown id, or another argument is out of range.
        FloatingPointError
            If the model gives logits that are NaN or infinite.
        """
        self._check_idx(idx, self.config.vocab_size)
        require_int(0, max_new_tokens=max_new_tokens)
        require_number(0, temperature=temperature)
        if top_k is not None:
            require_int(1, top_k=top_k)
        if temperature < torch.finfo(torch.float32).tiny:  # 0, or as good as that: greedy
            temperature, top_k = 1.0, 1
        idx, block_size = idx.to(torch.int64, copy=True), self.config.block_size
        caches = [KVCache(self.config) for _ in self.blocks] if use_cache and self.batched else []
        with evaluating(self):
            for _ in range(max_new_tokens):
                if idx.shape[1] > block_size:  # the window slides: what is kept no longer fits
                    caches = []
                known = caches[0].length if caches else 0
                logits, _ = self(idx[:, known:][:, -block_size:], caches=caches)
                logits = logits[:, -1]  # (B, vocab_size): only the last position counts
                largest = logits.amax(-1, keepdim=True)  # (B, 1); NaN if there is one
                if not math.isfinite(largest.abs().max()):
                    raise FloatingPointError("logits must be finite: has the training diverged?")
                scores = (logits - largest) / temperature  # at most 0: nothing overflows
                if top_k is not None:
                    order = logits.argsort(dim=-1, descending=True, stable=True)
                    scores = scores.scatter(-1, order[:, top_k:], float("-inf"))
                new = torch.multinomial(scores.softmax(-1), 1, generator=generator)  # (B, 1)
                idx = torch.cat([idx, new], dim=1)
        return idx
