"""Characters as tokens: the id of each is its position in a list that comes from the data.

Source: lectures 2 and 7 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
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
        points = _code_points(characters)
        # The id of each code point; the last entry, -1, stands for all that are larger.
        self._id_of = np.full(int(points.max()) + 2, -1, dtype=np.int32)
        self._id_of[points] = range(len(characters))

    @classmethod
    def of_words(cls, words: Sequence[str], boundary: str = ".") -> Vocabulary:
        """Return the vocabulary of words: the boundary has id 0; their letters follow, sorted.

        The boundary is the character that marks where a word starts and where it ends.

        Raises
        ------
        TypeError
            If ``words`` is a single string, or holds anything but strings.
        ValueError
            If there is no word, a word is empty or holds the boundary, or the boundary is not
            one character.
        """
        if len(boundary) != 1:
            raise ValueError(f"boundary must be one character, got {boundary!r}")
        words = require_words(words)
        letters = set("".join(words))
        if boundary in letters:
            i, word = next((i, word) for i, word in enumerate(words) if boundary in word)
            raise ValueError(
                f"words[{i}] is {word!r}, but {boundary!r} marks where a word starts and ends: "
                "pass another character as boundary"
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
        ids = self._id_of[np.minimum(_code_points(text), len(self._id_of) - 1)]
        if (ids < 0).any():
            position = int((ids < 0).argmax())
            raise ValueError(
                f"text has a character that is not in the vocabulary: {text[position]!r} "
                f"at position {position}"
            )
        return torch.from_numpy(ids.astype(np.int64))

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
        numbers = ids.tolist() if isinstance(ids, (torch.Tensor, np.ndarray)) else list(ids)
        for position, number in enumerate(numbers):
            if isinstance(number, (torch.Tensor, np.generic)):
                number = numbers[position] = number.item()
            if type(number) is not int:  # a bool is not an id
                raise TypeError(f"ids must be integers, got {number!r}")
            if not 0 <= number < len(self):
                raise ValueError(f"ids must be from 0 to {len(self) - 1}, got {number}")
        return "".join(map(self.characters.__getitem__, numbers))


def _code_points(text: str) -> np.ndarray:
    """Return the numbers that Unicode gives to the characters of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def require_words(words: Sequence[str]) -> list[str]:
    """Return the words as a list, if they are one: at least one word, and none of them empty.

    Raises
    ------
    TypeError
        If ``words`` is a single string.
    ValueError
        If there is no word, or a word is empty.
    """
    if isinstance(words, str):
        raise TypeError(f"words must be a list of words, got the string {words!r}")
    words = list(words)
    if not words:
        raise ValueError("words must hold at least one word, got none")
    if not all(words):
        raise ValueError(f"words[{words.index('')}] is empty; a word needs a letter")
    return words
