"""The text: batches to train on, the loss on what is not trained on, and samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from zerotohero.files import read_limited
from zerotohero.gpt import GPT, Vocabulary
from zerotohero.training import evaluating

from .distributed import Group, autocast

MOST_BYTES = 10**9


def read(file: Path) -> str:
    """Return the text of a file, with its line ends as they are, without a byte order mark.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is not UTF-8, larger than 1 GB, or not a regular file.
    """
    try:
        return read_limited(file, MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"text must be UTF-8: {file}: {error}") from error


def sha256_of(text: str) -> str:
    """Return a checksum, by which to know a text again."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


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
        """Encode a text and cut it. Without a vocabulary, it is that of the text.

        Raises
        ------
        ValueError
            If a part is too short, as each needs ``block_size + 1`` characters, or a character
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


# -- batches -----------------------------------------------------------------------------------


def seed_of(seed: int, step: int, use: int) -> int:
    """Mix the seed of a run, a step and what it is for into one seed.

    Every step starts random generators of its own. So there is no state of theirs to save, and
    a resumed run draws what the uninterrupted one would have drawn.
    """
    return int(np.random.SeedSequence([seed, step, use]).generate_state(1)[0])


def windows(ids: torch.Tensor, starts: torch.Tensor, T: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return T ids from each start, and the T ids one position later: both (B, T)."""
    positions = starts.to(ids.device)[:, None] + torch.arange(T + 1, device=ids.device)
    both = ids[positions]  # (B, T + 1)
    return both[:, :-1], both[:, 1:]


def batch_starts(ids: torch.Tensor, B: int, T: int, seed: int) -> torch.Tensor:
    """Draw where the B sequences of a batch start, with replacement."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, len(ids) - T, (B,), generator=generator)


# -- evaluation --------------------------------------------------------------------------------


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
    note: Callable[[int, int], None] = lambda done, of: None,
) -> float:
    """Return the mean negative log likelihood over windows, in nats per token.

    The windows are distributed among the processes, and ``at_once`` are computed together.
    ``rest`` adds the ids after the last window, so that none is left out. ``note`` is told
    after every batch how many are done, and of how many.
    """
    T = model.config.block_size
    batches = [windows(ids, some, T) for some in starts.split(at_once)]
    if rest and (end := int(starts[-1]) + T) < len(ids) - 1:
        batches.append((ids[None, end:-1], ids[None, end + 1 :]))
    total = torch.zeros(2, dtype=torch.float64)  # the sum, and of how many
    own = batches[group.rank :: group.size]
    with evaluating(model), autocast(dtype, ids.device):
        for i, (idx, targets) in enumerate(own):
            logits, _ = model(idx)
            nll = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="sum")
            total += torch.tensor([nll.item(), targets.numel()], dtype=torch.float64)
            note(i + 1, len(own))
    total = group.sum(total)
    return float(total[0] / total[1])


def whole_loss(
    model: GPT,
    ids: torch.Tensor,
    group: Group,
    note: Callable[[int, int], None] = lambda done, of: None,
) -> float:
    """Return the loss over all ids, in windows side by side, in single precision.

    Every id but the first is predicted once, from at most ``block_size`` before it.
    """
    starts = window_starts(ids, model.config.block_size)
    return loss_on(model, ids, starts, group, dtype="float32", rest=True, note=note)


def sample(model: GPT, vocabulary: Vocabulary, tokens: int, seed: int) -> str:
    """Draw a text of so many tokens. It begins as if after a line end, where there is one."""
    device = next(model.parameters()).device
    first = vocabulary.encode("\n" if "\n" in vocabulary.characters else vocabulary.characters[0])
    generator = torch.Generator(device).manual_seed(seed)
    drawn = model.generate(first[None].to(device), tokens, generator=generator)
    return vocabulary.decode(drawn[0, 1:])
