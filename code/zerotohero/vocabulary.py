"""Characters as tokens: the id of each is its position in a list that comes from the data.

Source: lectures 2 and 7 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

import torch


class Vocabulary:
    """The characters of a text, sorted; the id of each is its position.

    Parameters
    ----------
    text : str
        The text, or just its characters.

    Attributes
    ----------
    characters : str
        All characters, in the order of their ids.

    Raises
    ------
    ValueError
        If the text is empty.
    """

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError("text must hold at least one character, got none")
        self._set("".join(sorted(set(text))))

    def _set(self, characters: str) -> None:
        self.characters = characters
        self._ids = {character: i for i, character in enumerate(characters)}

    @classmethod
    def of_words(cls, words: Sequence[str], boundary: str = ".") -> Vocabulary:
        """Return the vocabulary of words: the boundary has id 0; their letters follow, sorted.

        Raises
        ------
        TypeError
            If ``words`` is a single text, or holds anything but texts.
        ValueError
            If there is no letter, or a word holds the boundary.
        """
        if isinstance(words, str):
            raise TypeError(
                f"words must be a list of words, got the text {words!r}: write [{words!r}]"
            )
        letters = set().union(*words)
        if not letters:
            raise ValueError("words must hold at least one letter, got none")
        if boundary in letters:
            word = next(word for word in words if boundary in word)
            raise ValueError(
                f"words must not hold {boundary!r}, which marks where a word ends, got {word!r}"
            )
        vocabulary = cls.__new__(cls)
        vocabulary._set(boundary + "".join(sorted(letters)))
        return vocabulary

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> torch.Tensor:
        """Return the ids of a text's characters, an int64 tensor of shape (len(text),).

        Raises
        ------
        ValueError
            If a character is unknown: the message names it, and its position.
        """
        try:
            return torch.tensor([self._ids[character] for character in text], dtype=torch.int64)
        except KeyError:
            position = next(i for i, character in enumerate(text) if character not in self._ids)
            raise ValueError(
                f"text has a character that is not in the vocabulary: {text[position]!r} "
                f"at position {position}"
            ) from None

    def decode(self, ids: Iterable[int] | torch.Tensor) -> str:
        """Return the text of a sequence of ids.

        Raises
        ------
        TypeError
            If an id is not an integer.
        ValueError
            If an id is out of range.
        """
        if isinstance(ids, (str, bytes)):
            raise TypeError(f"ids must be a sequence of integers, got {ids!r}")
        numbers = [operator.index(i) for i in ids]
        for number in numbers:
            if not 0 <= number < len(self):
                raise ValueError(f"ids must be from 0 to {len(self) - 1}, got {number}")
        return "".join(self.characters[number] for number in numbers)
