"""Characters as tokens: the id of each is its position in a list that comes from the data.

Source: lectures 2 and 7 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from .arguments import require_string


class Vocabulary:
    """The characters of a text, sorted; the id of each is its position.

    Parameters
    ----------
    text : str
        The text, or just its characters.
    boundary : str, optional
        A character that gets id 0, before the sorted ones: in a list of words, it marks where a
        word starts and where it ends.

    Attributes
    ----------
    characters : str
        All characters, in the order of their ids.
    boundary : str or None

    Raises
    ------
    TypeError
        If the text or the boundary is not a string.
    ValueError
        If the text is empty, or the boundary is not one character.
    """

    def __init__(self, text: str, boundary: str | None = None) -> None:
        require_string(text=text)
        if not text:
            raise ValueError("text must hold at least one character, got none")
        if boundary is not None:
            require_string(boundary=boundary)
            if len(boundary) != 1:
                raise ValueError(f"boundary must be one character, got {boundary!r}")
        self.boundary = boundary
        self.characters = (boundary or "") + "".join(sorted(set(text) - {boundary}))
        points = _code_points(self.characters)
        self._id_of = np.full(int(points.max()) + 1, -1)  # for each code point its id, or -1
        self._id_of[points] = range(len(points))

    @classmethod
    def of_words(cls, words: Sequence[str], boundary: str = ".") -> Vocabulary:
        """Return the vocabulary of words: the boundary has id 0; their letters follow, sorted.

        Raises
        ------
        TypeError
            If ``words`` is a single string, or contains anything but strings.
        ValueError
            If there is no word, a word is empty or contains the boundary, or the boundary is not
            one character.
        """
        words = require_words(words)
        vocabulary = cls("".join(words), boundary)
        require_words(words, boundary)
        return vocabulary

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> torch.Tensor:
        """Return the ids of a text's characters, an int64 tensor of shape (len(text),).

        Raises
        ------
        TypeError
            If the text is not a string.
        ValueError
            If a character is unknown: the message names it, and its position.
        """
        try:
            ids = self._id_of[_code_points(text)]
        except IndexError:  # a code point above all that are known
            ids = np.array([-1])
        if ids.size and ids.min() < 0:
            position = next(i for i, c in enumerate(text) if c not in self.characters)
            raise ValueError(
                f"text has a character that is not in the vocabulary: {text[position]!r} "
                f"at position {position}"
            )
        return torch.from_numpy(ids)

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
    """Return the Unicode code points of a string."""
    require_string(text=text)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def require_words(words: Sequence[str], boundary: str | None = None) -> list[str]:
    """Return the words as a list; raise unless there is at least one and none is empty.

    Raises
    ------
    TypeError
        If ``words`` is a single string, or contains anything but strings.
    ValueError
        If there is no word, or a word is empty or contains the boundary.
    """
    if isinstance(words, str):
        raise TypeError(f"words must be a list of words, got the string {words!r}")
    words = list(words)
    if not words:
        raise ValueError("words must hold at least one word, got none")
    try:
        letters = "".join(words)
    except TypeError:
        i, odd = next((i, odd) for i, odd in enumerate(words) if not isinstance(odd, str))
        raise TypeError(f"words[{i}] must be a string, got {type(odd).__name__}") from None
    if not all(words):
        raise ValueError(f"words[{words.index('')}] is empty; every word needs at least one letter")
    if boundary is not None and boundary in letters:
        i, word = next((i, word) for i, word in enumerate(words) if boundary in word)
        raise ValueError(
            f"words[{i}] is {word!r}: {boundary!r} is the boundary, which marks where words start "
            "and end; choose another, vocabulary=Vocabulary.of_words(words, boundary=...)"
        )
    return words
