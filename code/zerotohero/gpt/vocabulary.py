"""Chapter 7: a text's characters as tokens."""

from __future__ import annotations

from collections.abc import Iterable

import torch


class Vocabulary:
    """The characters of a text, sorted; the id of each is its place.

    Parameters
    ----------
    text : str
        The text, or just its characters.

    Attributes
    ----------
    characters : str
        All characters, sorted.

    Raises
    ------
    ValueError
        If the text is empty.
    """

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError("text must hold at least one character, got none")
        self.characters = "".join(sorted(set(text)))
        self._ids = {character: i for i, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> torch.Tensor:
        """Return the ids of a text's characters, an int64 tensor of shape (len(text),).

        Raises
        ------
        ValueError
            If a character is unknown: the message names it, and its place.
        """
        try:
            return torch.tensor([self._ids[character] for character in text], dtype=torch.int64)
        except KeyError:
            place = next(i for i, character in enumerate(text) if character not in self._ids)
            raise ValueError(
                f"text has a character that is not in the vocabulary: {text[place]!r} "
                f"at place {place}"
            ) from None

    def decode(self, ids: Iterable[int] | torch.Tensor) -> str:
        """Return the text of a sequence of ids.

        Raises
        ------
        ValueError
            If an id is out of range.
        """
        numbers = [int(i) for i in ids]
        for number in numbers:
            if not 0 <= number < len(self):
                raise ValueError(f"ids must be from 0 to {len(self) - 1}, got {number}")
        return "".join(self.characters[number] for number in numbers)
