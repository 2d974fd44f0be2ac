"""The check of the second step of chapter 8: a tokenizer that splits first."""

import re
from typing import Any

import pytest
import regex
from check_answers import outcome
from test_check_tokenizer import HighestRankFirst, LastOfEquals, OneMore, Plain, Strict

from zerotohero.check import tokenizer
from zerotohero.check.tokenizer.bpe import REGEX
from zerotohero.tokenizer import GPT4_SPLIT_PATTERN, naive


class Splitting(Plain):
    """As in the chapter; mistakes are made by overriding."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def split(self, text: str) -> list[str]:
        return re.findall(self.pattern, text)

    def sequences(self, text: str) -> list[list[int]]:
        return [self.symbols(chunk) for chunk in self.split(text)]


def test_what_the_chapter_shows_is_right() -> None:
    verdict = tokenizer.regex(Splitting)
    assert verdict, verdict.message
    assert "reaches across a split" in verdict.message


def test_the_patterns_match_the_same_for_both_modules_and_all_of_the_text() -> None:
    for training in REGEX:
        for text in (training.text, *training.encoded):
            chunks = re.findall(training.pattern, text)
            assert chunks == regex.findall(training.pattern, text)
            assert "".join(chunks) == text


class Unsplit(Splitting):
    def split(self, text: str) -> list[str]:
        return [text]


class TrainedUnsplit(Splitting):
    def train(self, text: str, vocab_size: int) -> None:
        self.merges = naive.train([text.encode()], vocab_size - 256)


class EncodesUnsplit(Splitting):
    def encode(self, text: str) -> list[int]:
        return naive.encode(text.encode(), self.merges)


class CountsOnce(Splitting):
    def train(self, text: str, vocab_size: int) -> None:
        chunks = dict.fromkeys(chunk.encode() for chunk in self.split(text))
        self.merges = naive.train(chunks, vocab_size - 256)


class Between(Splitting):
    def split(self, text: str) -> list[str]:
        return re.split(self.pattern, text)


class Nested(Splitting):
    def encode(self, text: str) -> list[list[int]]:
        return [naive.encode(chunk.encode(), self.merges) for chunk in self.split(text)]


class OfGPT4(Splitting):
    """Does not use its pattern."""

    def split(self, text: str) -> list[str]:
        return regex.findall(GPT4_SPLIT_PATTERN, text)


class ByWords(Splitting):
    """Does not use its pattern, but the first one of the check."""

    def split(self, text: str) -> list[str]:
        return re.findall(r" ?\w+|[^\w\s]+|\s+", text)


class TrainedByGPT4(Splitting):
    def train(self, text: str, vocab_size: int) -> None:
        tokenizer = OfGPT4("")
        tokenizer.train(text, vocab_size)
        self.merges = tokenizer.merges


class EncodesByWords(Splitting):
    def encode(self, text: str) -> list[int]:
        tokenizer = ByWords("")
        tokenizer.merges = self.merges
        return list(tokenizer.encode(text))


class SharedPattern(Splitting):
    """Remembers the pattern for all objects."""

    def __init__(self, pattern: str) -> None:
        type(self).pattern = pattern


class StrictRegex(Splitting):
    """The decoding of a text is checked here as well."""

    decode = Strict.decode


class LastOfEqualsRegex(Splitting):
    choose = LastOfEquals.choose


class HighestRankFirstRegex(Splitting):
    next_pair = HighestRankFirst.next_pair


class OneMoreRegex(Splitting):
    numbers = OneMore.numbers


NO_DIFFERENCE = "The pattern makes no difference: split by the one that MyRegex is made with."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (Unsplit, "No token may reach across a split: split the text."),
        (TrainedUnsplit, "train has to split, too."),
        (EncodesUnsplit, "encode has to split, too."),
        (CountsOnce, "A chunk counts each time that it occurs."),
        (
            Between,
            "re.split returns what lies between the matches. re.findall returns the matches.",
        ),
        (Nested, "Return one flat list: join the lists of ids."),
        (OfGPT4, NO_DIFFERENCE),
        (ByWords, NO_DIFFERENCE),
        (SharedPattern, "encode has to split by the pattern of its own object."),
        (TrainedByGPT4, "train has to split by the pattern of its own object."),
        (EncodesByWords, "encode has to split by the pattern of its own object."),
        (StrictRegex, 'Not all bytes are valid UTF-8: decode with errors="replace".'),
        (
            LastOfEqualsRegex,
            "Two pairs occur equally often: take the one that occurs first.",
        ),
        (
            HighestRankFirstRegex,
            "Merge the pair that was learned first, not the one that was learned last.",
        ),
        (
            OneMoreRegex,
            "The first new id is 256, the last one vocab_size - 1: vocab_size - 256 merges.",
        ),
    ],
)
def test_regex_wrong(answer: Any, hint: str) -> None:
    outcome(tokenizer.regex(answer), hint=hint)
