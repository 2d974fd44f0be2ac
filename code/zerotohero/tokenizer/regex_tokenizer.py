"""A tokenizer that splits a text by a regular expression first.

No token reaches from one chunk into the next. So a word does not come in one version with a
comma, one with a full stop, and one with a question mark.

Source: Radford et al. (2019), *Language Models are Unsupervised Multitask Learners*, section
2.2, and the code of GPT-2; the patterns as in tiktoken.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

import regex

from .base import Tokenizer

GPT2_SPLIT_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
GPT4_SPLIT_PATTERN = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}"""
    r"""| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"""
)


class RegexTokenizer(Tokenizer):
    r"""Byte-pair encoding within the chunks of a text.

    Parameters
    ----------
    pattern : str, optional
        Each match is a chunk, and the matches must cover every text; by default GPT-4's
        pattern. Of the PyPI package ``regex``, which knows classes such as ``\p{L}``.

    Raises
    ------
    ValueError
        If the pattern is empty, or no regular expression. ``train`` and ``encode`` raise it
        when the pattern leaves part of a text out.
    """

    def __init__(self, pattern: str | None = None) -> None:
        super().__init__()
        self._use_pattern(GPT4_SPLIT_PATTERN if pattern is None else pattern)

    def _use_pattern(self, pattern: str) -> None:
        if not pattern:
            raise ValueError("there is no pattern to split by: use a BasicTokenizer")
        try:
            self.compiled_pattern = regex.compile(pattern)
        except regex.error as error:
            raise ValueError(f"pattern {pattern!r} is no regular expression: {error}") from None
        self.pattern = pattern

    def _split(self, text: str) -> Iterator[str]:
        length = 0
        for chunk in map(itemgetter(0), self.compiled_pattern.finditer(text)):
            length += len(chunk)
            yield chunk
        if length != len(text):
            self._explain_gap(text)

    def _explain_gap(self, text: str) -> None:
        end = 0
        for match in self.compiled_pattern.finditer(text):
            if match.start() > end:
                break
            end = match.end()
        raise ValueError(
            f"the pattern {self.pattern!r} leaves out {text[end]!r}, character {end} of the text: "
            "its matches must cover every text"
        )
