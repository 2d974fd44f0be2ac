"""The check of the second step of chapter 8: a tokenizer that splits first."""

from typing import Any

import pytest
from check_answers import outcome
from test_check_tokenizer import Plain, Strict

from zerotohero.check import tokenizer
from zerotohero.tokenizer import RegexTokenizer, naive


@pytest.mark.parametrize("answer", [Plain, RegexTokenizer])
def test_regex_right(answer: Any) -> None:
    verdict = tokenizer.regex(answer)
    assert verdict, verdict.message
    assert "reaches over a split" in verdict.message


class Unsplit(Plain):
    def split(self, text: str) -> list[str]:
        return [text]


class TrainedUnsplit(Plain):
    def train(self, text: str, vocab_size: int) -> None:
        self.merges = naive.train([text.encode()], vocab_size - 256)


class EncodesUnsplit(Plain):
    def encode(self, text: str) -> list[int]:
        return naive.encode(text.encode(), self.merges)


class CountsOnce(Plain):
    def train(self, text: str, vocab_size: int) -> None:
        chunks = dict.fromkeys(chunk.encode() for chunk in self.split(text))
        self.merges = naive.train(chunks, vocab_size - 256)


class StrictRegex(Strict):
    """The decoding of a text is checked here as well."""


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (Unsplit, "No token may reach over a split: split."),
        (TrainedUnsplit, "train has to split, too."),
        (EncodesUnsplit, "encode has to split, too."),
        (CountsOnce, "A chunk counts each time that it occurs."),
        (StrictRegex, 'Not all bytes are valid UTF-8: decode with errors="replace".'),
    ],
)
def test_regex_wrong(answer: Any, hint: str) -> None:
    outcome(tokenizer.regex(answer), hint=hint)
