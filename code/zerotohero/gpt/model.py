"""The transformer: a block of attention and feed-forward, and the model built from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from .attention import CausalSelfAttention, KeysAndValues, MultiHeadAttention
from .config import GPTConfig


class FeedForward(nn.Module):
    """Two linear layers with a ReLU between them: each token by itself thinks it over."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(config.n_embd, 4 * config.n_embd),
            nn.ReLU(),
            nn.Linear(4 * config.n_embd, config.n_embd),
            nn.Dropout(config.dropout),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, C) -> (B, T, C)."""
        out: torch.Tensor = self.net(x)
        return out


class Block(nn.Module):
    """Communication, then computation, each beside a residual path that leads straight on."""

    def __init__(self, config: GPTConfig, *, batched: bool = True) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(config.n_embd)
        self.attention: nn.Module
        self.attention = CausalSelfAttention(config) if batched else MultiHeadAttention(config)
        self.ln2 = nn.LayerNorm(config.n_embd)
        self.feed_forward = FeedForward(config)

    def forward(self, x: torch.Tensor, cache: KeysAndValues | None = None) -> torch.Tensor:
        """(B, T, C) -> (B, T, C)."""
        if cache is None:
            x = x + self.attention(self.ln1(x))
        else:  # only the batched form has one
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
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_embedding = nn.Embedding(config.block_size, config.n_embd)
        self.batched = attention == "batched"
        self.blocks = nn.ModuleList(
            [Block(config, batched=self.batched) for _ in range(config.n_layer)]
        )
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02, generator=generator)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(
        self, idx: torch.Tensor, targets: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the logits of the next token at every place, and the loss.

        Parameters
        ----------
        idx : Tensor of int64, shape (B, T)
            Ids of the tokens, T at most ``block_size``.
        targets : Tensor of int64, shape (B, T), optional
            The right next tokens. Places with −100 do not count.

        Returns
        -------
        logits : Tensor, shape (B, T, vocab_size)
        loss : scalar Tensor, or None without targets
            Mean negative log likelihood, in nats per token.

        Raises
        ------
        TypeError
            If idx does not hold whole numbers.
        ValueError
            If idx is empty, longer than the block size, or of another shape than targets, or
            (on the CPU) holds an unknown id.
        """
        self._check(idx)
        logits = self._logits(idx)
        if targets is None:
            return logits, None
        if targets.shape != idx.shape:
            raise ValueError(
                f"targets must have the shape of idx, {tuple(idx.shape)}, "
                f"got {tuple(targets.shape)}"
            )
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def _check(self, idx: torch.Tensor) -> None:
        """Raise unless idx holds ids of tokens."""
        if idx.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"idx must hold ids of type int64, got {idx.dtype}")
        # A GPU would have to wait for the answer; there, PyTorch's own check must do.
        if idx.device.type != "cpu" or not idx.numel():
            return
        low, high = idx.min().item(), idx.max().item()
        if low < 0 or high >= self.config.vocab_size:
            raise ValueError(
                f"idx must hold ids from 0 to {self.config.vocab_size - 1}, "
                f"got {low if low < 0 else high}"
            )

    def _logits(self, idx: torch.Tensor, caches: Sequence[KeysAndValues] = ()) -> torch.Tensor:
        """Return logits for the tokens idx, which follow those in the caches of the blocks."""
        if idx.ndim != 2 or not idx.numel():
            raise ValueError(f"idx must have shape (B, T), not empty, got {tuple(idx.shape)}")
        past = caches[0].length if caches else 0
        T = past + idx.shape[1]
        if self.config.block_size < T:
            raise ValueError(
                f"idx must hold at most block_size = {self.config.block_size} tokens, got {T}"
            )
        places = torch.arange(past, T, device=idx.device)
        x = self.token_embedding(idx) + self.position_embedding(places)  # (B, T, C)
        for i, block in enumerate(self.blocks):
            x = block(x, caches[i] if caches else None)
        logits: torch.Tensor = self.lm_head(self.ln_f(x))
        return logits

    @torch.no_grad()
    def generate(
        self,
        idx: torch.Tensor,
        max_new_tokens: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
        use_cache: bool = True,
    ) -> torch.Tensor:
        """Continue each sequence, token by token.

        The model sees the last ``block_size`` tokens. Once the context is full, the window
        slides with each new token. Then every token has a new place, and with learned
        positions all keys and values change. So they are computed anew, with or without cache.

        Parameters
        ----------
        idx : Tensor of int64, shape (B, T)
            The beginning; at least one token. It may be longer than the block size.
        max_new_tokens : int
            How many to add.
        temperature : float
            Divides the logits: below 1 plays safe, above 1 takes risks.
        top_k : int, optional
            Draw only from the k most probable tokens.
        generator : torch.Generator, optional
            Draws the tokens; on the device of the model.
        use_cache : bool
            Keep keys and values of earlier tokens. The result is the same.

        Returns
        -------
        Tensor of int64, shape (B, T + max_new_tokens)

        Raises
        ------
        ValueError
            If idx is empty or holds an unknown id, ``max_new_tokens`` is negative,
            ``temperature`` is not above 0, or ``top_k`` is below 1.
        """
        if idx.ndim != 2 or not idx.numel():
            raise ValueError(f"idx must hold at least one token, got shape {tuple(idx.shape)}")
        if idx.min() < 0 or idx.max() >= self.config.vocab_size:
            raise ValueError(f"idx must hold ids from 0 to {self.config.vocab_size - 1}, got {idx}")
        if max_new_tokens < 0:
            raise ValueError(f"max_new_tokens must not be negative, got {max_new_tokens}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {top_k}")
        was_training = self.training
        self.eval()
        try:
            return self._continue(idx, max_new_tokens, temperature, top_k, generator, use_cache)
        finally:
            self.train(was_training)

    def _continue(
        self,
        idx: torch.Tensor,
        max_new_tokens: int,
        temperature: float,
        top_k: int | None,
        generator: torch.Generator | None,
        use_cache: bool,
    ) -> torch.Tensor:
        """Do the work of ``generate``, with arguments that are checked, in evaluation mode."""
        block_size = self.config.block_size
        use_cache = use_cache and self.batched
        caches = [KeysAndValues(self.config) for _ in self.blocks] if use_cache else []
        for _ in range(max_new_tokens):
            if idx.shape[1] > block_size:  # the window slides: nothing that is kept fits any more
                caches = []
            known = caches[0].length if caches else 0
            logits = self._logits(idx[:, known:][:, -block_size:], caches)
            logits = logits[:, -1] / temperature  # (B, vocab_size): only the last place counts
            if top_k is not None:
                smallest = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
                logits = logits.masked_fill(logits < smallest, float("-inf"))
            new = torch.multinomial(logits.softmax(-1), 1, generator=generator)  # (B, 1)
            idx = torch.cat([idx, new], dim=1)
        return idx
