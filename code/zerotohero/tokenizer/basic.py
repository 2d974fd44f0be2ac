"""A tokenizer that takes the whole text as one chunk."""

from __future__ import annotations

from collections.abc import Iterator

from .base import Tokenizer


class BasicTokenizer(Tokenizer):
    """Byte-pair encoding without splitting: tokens may reach over words and punctuation."""

    def _split(self, text: str) -> Iterator[str]:
        yield text

    def _use_pattern(self, pattern: str) -> None:
        if pattern:
            raise ValueError(
                "a BasicTokenizer does not split, but this file has a pattern: "
                "load it with a RegexTokenizer"
            )
