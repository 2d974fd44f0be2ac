"""The text: cut into training and validation, and into batches."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from zerotohero.gpt import Vocabulary


@dataclass(frozen=True)
class Corpus:
    """A text as ids: the first 90 % to train on, the rest to validate.

    Attributes
    ----------
    vocabulary : Vocabulary
        Of the whole text.
    train, val : Tensor of int64, one-dimensional
    sha256 : str
        Of the text, to know it again.
    """

    vocabulary: Vocabulary
    train: torch.Tensor
    val: torch.Tensor
    sha256: str

    @classmethod
    def from_text(cls, text: str, block_size: int, device: torch.device) -> Corpus:
        """Encode a text and cut it.

        Raises
        ------
        ValueError
            If a part is too short: each needs ``block_size + 1`` characters.
        """
        vocabulary = Vocabulary(text)
        ids = vocabulary.encode(text).to(device)
        n = int(0.9 * len(ids))
        shortest = min(n, len(ids) - n)
        if shortest <= block_size:
            raise ValueError(
                f"text must be longer for block_size = {block_size}: its first 90 % and its "
                f"last 10 % need {block_size + 1} characters each, got {n} and {len(ids) - n}"
            )
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        return cls(vocabulary, ids[:n], ids[n:], digest)


def seed_of(seed: int, step: int, use: int) -> int:
    """Mix the seed of a run, a step and what it is for into one seed.

    Every step starts random generators of its own. So there is no state of theirs to save, and
    a resumed run draws what the uninterrupted one would have drawn.
    """
    return int(np.random.SeedSequence([seed, step, use]).generate_state(1)[0])


def windows(ids: torch.Tensor, starts: torch.Tensor, T: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return T ids from each start, and the T ids that follow one place later: both (B, T)."""
    places = starts.to(ids.device)[:, None] + torch.arange(T + 1, device=ids.device)  # (B, T + 1)
    both = ids[places]
    return both[:, :-1], both[:, 1:]


def batch_starts(ids: torch.Tensor, B: int, T: int, seed: int) -> torch.Tensor:
    """Draw where the B sequences of a batch start, with replacement."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, len(ids) - T, (B,), generator=generator)
