"""The text as a training sees it: batches, estimates of the loss, and samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from zerotohero.gpt import GPT, Vocabulary
from zerotohero.training import evaluating

from .distributed import Group, autocast
from .settings import Settings

# Uses of the seed; each process adds its rank to DROPOUT.
WEIGHTS, BATCH, SAMPLE, DROPOUT = range(4)


def seed_of(seed: int, step: int, use: int) -> int:
    """Mix the seed of a run, a step and a use into one seed.

    Every step starts its own random generators, so there is no generator state to save, and a
    resumed run draws what the uninterrupted one would have drawn.
    """
    return int(np.random.SeedSequence([seed, step, use]).generate_state(1)[0])


def windows(ids: torch.Tensor, starts: torch.Tensor, T: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return T ids from each start, and the T ids one position later: both (B, T)."""
    positions = starts.to(ids.device)[:, None] + torch.arange(T + 1, device=ids.device)
    both = ids[positions]  # (B, T + 1)
    return both[:, :-1], both[:, 1:]


@dataclass(frozen=True)
class Corpus:
    """A text as ids: the first 90 % to train on, the rest to validate.

    Attributes
    ----------
    vocabulary : Vocabulary
    train, val : Tensor of int64, one-dimensional
    """

    vocabulary: Vocabulary
    train: torch.Tensor
    val: torch.Tensor

    @classmethod
    def from_text(
        cls, text: str, block_size: int, device: torch.device, vocabulary: Vocabulary | None = None
    ) -> Corpus:
        """Encode a text and split it. Without a vocabulary, the text's own is used.

        Raises
        ------
        ValueError
            If a split is too short, as each needs ``block_size + 1`` characters, or a character
            is not in the vocabulary.
        """
        vocabulary = Vocabulary(text) if vocabulary is None else vocabulary
        n = int(0.9 * len(text))
        if min(n, len(text) - n) <= block_size:
            raise ValueError(
                f"text must be longer for block_size = {block_size}: its first 90 % and its "
                f"last 10 % need {block_size + 1} characters each, got {n} and {len(text) - n}"
            )
        ids = vocabulary.encode(text).to(device)
        return cls(vocabulary, ids[:n], ids[n:])

    def batch(
        self, step: int, settings: Settings, group: Group
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Draw the batch of a step, and return this process's micro-batches of it.

        The sequences start anywhere in the training split, with replacement. Each micro-batch
        has ids and targets, both (batch_size / processes / accumulate, block_size).
        """
        s = settings
        generator = torch.Generator().manual_seed(seed_of(s.seed, step, BATCH))
        end = len(self.train) - s.block_size
        starts = torch.randint(0, end, (s.batch_size,), generator=generator)
        micro_batches = group.shard(starts).chunk(s.accumulate)
        return [windows(self.train, some, s.block_size) for some in micro_batches]


# -- evaluation --------------------------------------------------------------------------------


def window_starts(ids: torch.Tensor, T: int, number: int | None = None) -> torch.Tensor:
    """Return the starts of consecutive windows, or of ``number`` of them, evenly spread."""
    starts = torch.arange(0, len(ids) - T, T)
    if number is None or number >= len(starts):
        return starts
    return starts[torch.arange(number) * len(starts) // number]


def estimate_loss(
    model: GPT,
    ids: torch.Tensor,
    group: Group,
    number: int | None = None,
    *,
    dtype: str = "float32",
    at_once: int = 32,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> float:
    """Return the mean negative log-likelihood, in nats per token, over a number of windows.

    Without ``number``, it is over all ids: every id except the first is predicted once, from at
    most ``block_size`` ids before it. The windows are distributed over the processes, and each
    computes ``at_once`` of them together. ``progress(done, of)`` is called after every batch.
    """
    T = model.config.block_size
    starts = window_starts(ids, T, number)
    batches = [windows(ids, some, T) for some in starts.split(at_once)]
    if number is None and (end := int(starts[-1]) + T) < len(ids) - 1:  # the ids that are left
        batches.append((ids[None, end:-1], ids[None, end + 1 :]))
    total = torch.zeros(2, dtype=torch.float64)  # sum and count
    own = batches[group.rank :: group.size]
    with evaluating(model), autocast(dtype, ids.device):
        for i, (idx, targets) in enumerate(own):
            logits, _ = model(idx)
            nll = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="sum")
            total += torch.tensor([nll.item(), targets.numel()], dtype=torch.float64)
            progress(i + 1, len(own))
    total = group.sum(total)
    return float(total[0] / total[1])


def sample(model: GPT, vocabulary: Vocabulary, tokens: int, seed: int) -> str:
    """Sample so many tokens. They begin as if after a line end, if the vocabulary has one."""
    device = next(model.parameters()).device
    first = vocabulary.encode("\n" if "\n" in vocabulary.characters else vocabulary.characters[0])
    generator = torch.Generator(device).manual_seed(seed)
    drawn = model.generate(first[None].to(device), tokens, generator=generator)
    return vocabulary.decode(drawn[0, 1:])
