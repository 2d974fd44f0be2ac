"""What the tokenizers of GPT-2 and GPT-4 share: their vocabulary is given."""

from __future__ import annotations

from os import PathLike

from . import files
from .ranks import Vocabulary
from .regex_tokenizer import RegexTokenizer


class PublishedTokenizer(RegexTokenizer):
    """A tokenizer whose vocabulary is given; it cannot be trained, and has no model file.

    Parameters
    ----------
    pattern : str
    vocabulary : Vocabulary
    """

    def __init__(self, pattern: str, vocabulary: Vocabulary) -> None:
        super().__init__(pattern)
        self.byte_shuffle = vocabulary.byte_shuffle
        self._adopt(vocabulary.merges, {})
        self.register_special_tokens(vocabulary.special_tokens)

    def train(self, *_: object, **__: object) -> None:
        """Refuse: ``NotImplementedError``."""
        raise NotImplementedError(f"{type(self).__name__} is given: it cannot be trained")

    def save(self, file_prefix: str | PathLike[str]) -> None:
        """Refuse: ``NotImplementedError``. A model file does not hold the order of the bytes."""
        raise NotImplementedError(
            f"{type(self).__name__} cannot be saved; save_vocab writes a file to look at"
        )

    def load(self, model_file: str | PathLike[str]) -> None:
        """Refuse: ``NotImplementedError``."""
        raise NotImplementedError(f"{type(self).__name__} is given: it cannot be loaded")

    def save_vocab(self, vocab_file: str | PathLike[str]) -> None:
        """Write the vocabulary to a file to look at. ``OSError`` if that fails."""
        files.write_vocab(vocab_file, self.vocab, self.merges)
