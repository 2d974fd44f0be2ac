"""The loss on text that was not trained on, and samples."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zerotohero.gpt import GPT, Vocabulary

from .distributed import Group
from .precision import autocast
from .text import windows


def window_starts(ids: torch.Tensor, T: int, number: int | None = None) -> torch.Tensor:
    """Return starts of windows of T + 1 ids: side by side, or some of them, evenly spread."""
    starts = torch.arange(0, len(ids) - T, T)
    if number is None or number >= len(starts):
        return starts
    return starts[torch.arange(number) * len(starts) // number]


def loss_on(
    model: GPT,
    ids: torch.Tensor,
    starts: torch.Tensor,
    group: Group,
    *,
    dtype: str,
    rest: bool = False,
    at_once: int = 32,
) -> float:
    """Return the mean negative log likelihood over windows, in nats per token.

    The windows are shared out among the processes, ``at_once`` are computed together. ``rest``
    adds the ids after the last window, so that none is left out.
    """
    T, was_training = model.config.block_size, model.training
    batches = [windows(ids, some, T) for some in starts.split(at_once)]
    if rest and (end := int(starts[-1]) + T) < len(ids) - 1:
        batches.append((ids[None, end:-1], ids[None, end + 1 :]))
    total = torch.zeros(2, dtype=torch.float64)  # the sum, and of how many
    model.eval()
    with torch.no_grad(), autocast(dtype, ids.device):
        for idx, targets in batches[group.rank :: group.size]:
            logits, _ = model(idx)
            nll = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="sum")
            total += torch.tensor([nll.item(), targets.numel()], dtype=torch.float64)
    model.train(was_training)
    total = group.sum(total)
    return float(total[0] / total[1])


def whole_loss(model: GPT, ids: torch.Tensor, group: Group) -> float:
    """Return the loss over all ids, in windows side by side, in single precision.

    Every id but the first is predicted once, from at most ``block_size`` before it.
    """
    starts = window_starts(ids, model.config.block_size)
    return loss_on(model, ids, starts, group, dtype="float32", rest=True)


def sample(model: GPT, vocabulary: Vocabulary, tokens: int, seed: int) -> str:
    """Draw a text of so many tokens. It begins as if after a line end, where there is one."""
    device = next(model.parameters()).device
    first = vocabulary.encode("\n" if "\n" in vocabulary.characters else vocabulary.characters[0])
    generator = torch.Generator(device).manual_seed(seed)
    drawn = model.generate(first[None].to(device), tokens, generator=generator)
    return vocabulary.decode(drawn[0, 1:])
