"""The check of the second step of chapter 8: a tokenizer that splits first."""

import functools
import re
from typing import Any

import pytest
import regex
from check_answers import outcome
from test_check_tokenizer import (
    AGAIN,
    LEFT_TO_RIGHT,
    LINE,
    TIE,
    CountsApart,
    FromRight,
    HighestRankFirst,
    LastOfEquals,
    LeftmostFirst,
    OneMore,
    Plain,
    Strict,
)

from zerotohero.check import tokenizer
from zerotohero.check.tokenizer.bpe import REGEX, REGEX_USED_UP
from zerotohero.tokenizer import GPT4_SPLIT_PATTERN, RegexTokenizer, naive


class Splitting(Plain):
    """As in the chapter; mistakes are made by overriding."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def split(self, text: str) -> list[str]:
        return regex.findall(self.pattern, text)

    def sequences(self, text: str) -> list[list[int]]:
        return [self.symbols(chunk) for chunk in self.split(text)]


def test_what_the_chapter_shows_is_right() -> None:
    verdict = tokenizer.regex(Splitting)
    assert verdict, verdict.message
    assert "reaches across a split" in verdict.message


def test_the_patterns_match_all_of_the_text() -> None:
    for training in (*REGEX, *REGEX_USED_UP):
        for text in (training.text, *training.encoded):
            assert "".join(regex.findall(training.pattern, text)) == text


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
        return regex.split(self.pattern, text)


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


class OfLibraryRe(Splitting):
    def split(self, text: str) -> list[str]:
        return re.findall(self.pattern, text)


class CompiledByRe(Splitting):
    def __init__(self, pattern: str) -> None:
        self.split = re.compile(pattern).findall  # type: ignore[method-assign]


class LinesFirst(Splitting):
    def split(self, text: str) -> list[str]:
        return [
            chunk for line in text.splitlines(True) for chunk in super(LinesFirst, self).split(line)
        ]


class TrainedByLines(Splitting):
    def train(self, text: str, vocab_size: int) -> None:
        tokenizer = LinesFirst(self.pattern)
        tokenizer.train(text, vocab_size)
        self.merges = tokenizer.merges


class TrainedWithoutSpace(Splitting):
    def train(self, text: str, vocab_size: int) -> None:
        chunks = [chunk.encode() for chunk in self.split(text) if chunk.strip()]
        self.merges = naive.train(chunks, vocab_size - 256)


class WithoutSpace(Splitting):
    def split(self, text: str) -> list[str]:
        return [chunk for chunk in super().split(text) if chunk.strip()]


class DotMatchesAll(Splitting):
    def split(self, text: str) -> list[str]:
        return regex.findall(self.pattern, text, regex.DOTALL)


class InEachLine(Splitting):
    def split(self, text: str) -> list[str]:
        return regex.findall(self.pattern, text, regex.MULTILINE)


class OfAnyCase(Splitting):
    def split(self, text: str) -> list[str]:
        return regex.findall(self.pattern, text, regex.IGNORECASE)


class LongestOfChunk(Splitting):
    def encode(self, text: str) -> list[int]:
        vocab = naive.build_vocab(self.merges)
        ids = []
        for chunk in self.split(text):
            rest = chunk.encode()
            while rest:
                idx = max(
                    (i for i in vocab if rest.startswith(vocab[i])), key=lambda i: len(vocab[i])
                )
                ids.append(idx)
                rest = rest[len(vocab[idx]) :]
        return ids


class CountsApartRegex(Splitting):
    count = CountsApart.count


class FromRightRegex(Splitting):
    merge = FromRight.merge


class EncodesFromRightRegex(FromRightRegex):
    def train(self, text: str, vocab_size: int) -> None:
        chunks = [chunk.encode() for chunk in self.split(text)]
        self.merges = naive.train(chunks, vocab_size - 256)


class LeftmostFirstRegex(Splitting):
    next_pair = LeftmostFirst.next_pair


class LeftmostAloneRegex(Splitting):
    def encode(self, text: str) -> list[int]:
        found = []
        for ids in self.sequences(text):
            while known := [i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) in self.merges]:
                i = known[0]
                ids[i : i + 2] = [self.merges[ids[i], ids[i + 1]]]
            found += ids
        return found


class TrainedOnJoined(Splitting):
    """Puts the ids of all chunks into one list."""

    def train(self, text: str, vocab_size: int) -> None:
        joined = b"".join(chunk.encode() for chunk in self.split(text))
        self.merges = naive.train([joined], vocab_size - 256)


class TrainedOnJoinedChunksWithSpaces(Splitting):
    """Joins them with something in between."""

    def train(self, text: str, vocab_size: int) -> None:
        self.merges = naive.train([" ".join(self.split(text)).encode()], vocab_size - 256)


class NothingForNothing(Splitting):
    def encode(self, text: str) -> list[int]:
        first, *others = self.split(text)
        return [
            idx for chunk in (first, *others) for idx in naive.encode(chunk.encode(), self.merges)
        ]


class OneMoreRegex(Splitting):
    numbers = OneMore.numbers


class NeverForgetsRegex(Splitting):
    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self.learned: dict[tuple[int, int], int] = {}

    def train(self, text: str, vocab_size: int) -> None:
        super().train(text, vocab_size)
        self.learned |= self.merges
        self.merges = self.learned


class CachedRegex(Splitting):
    """Keeps the ids of each chunk, whatever is learned afterwards."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self.cache: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        found: list[int] = []
        for chunk in self.split(text):
            if chunk not in self.cache:
                self.cache[chunk] = naive.encode(chunk.encode(), self.merges)
            found += self.cache[chunk]
        return found


class CachedByTheLibraryRegex(Splitting):
    encode = functools.lru_cache(Splitting.encode)


class WithoutReturns(Splitting):
    def split(self, text: str) -> list[str]:
        return super().split(text.replace("\r", ""))


class UpToNull(Splitting):
    def split(self, text: str) -> list[str]:
        return super().split(text.partition("\0")[0])


class WithoutMark(Splitting):
    def split(self, text: str) -> list[str]:
        return super().split(text.removeprefix("\ufeff"))


class OfTheBeginning(Splitting):
    def train(self, text: str, vocab_size: int) -> None:
        super().train(text[:1000], vocab_size)


LIBRARY = "The patterns are those of the library regex: regex.findall, not re.findall."
SPACE = "Chunks of white space count, too."
LEFTMOST = "Merge the pair that was learned first, wherever it is in the text."
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
            "split returns what lies between the matches, findall returns the matches.",
        ),
        (OfLibraryRe, LIBRARY),
        (CompiledByRe, LIBRARY),
        (LinesFirst, LINE),
        (WithoutReturns, ""),
        (UpToNull, ""),
        (WithoutMark, ""),
        (OfTheBeginning, ""),
        (NeverForgetsRegex, AGAIN),
        (CachedRegex, AGAIN),
        (CachedByTheLibraryRegex, AGAIN),
        (TrainedByLines, LINE),
        (TrainedWithoutSpace, SPACE),
        (WithoutSpace, SPACE),
        (DotMatchesAll, ""),
        (InEachLine, ""),
        (OfAnyCase, ""),
        (LongestOfChunk, "Not the longest token from the left: the pair that was learned first."),
        (
            CountsApartRegex,
            "Pairs that overlap all count: in aaa, the pair of two a's occurs twice.",
        ),
        (FromRightRegex, LEFT_TO_RIGHT),
        (EncodesFromRightRegex, LEFT_TO_RIGHT),
        (LeftmostFirstRegex, LEFTMOST),
        (LeftmostAloneRegex, LEFTMOST),
        (TrainedOnJoined, "train has to split, too."),
        (TrainedOnJoinedChunksWithSpaces, ""),
        (NothingForNothing, "An empty text has no chunks: return an empty list."),
        (Nested, "Return one flat list: join the lists of ids."),
        (OfGPT4, NO_DIFFERENCE),
        (ByWords, NO_DIFFERENCE),
        (SharedPattern, "encode has to split by the pattern of its own object."),
        (TrainedByGPT4, "train has to split by the pattern of its own object."),
        (EncodesByWords, "encode has to split by the pattern of its own object."),
        (StrictRegex, 'Not all bytes are valid UTF-8: decode with errors="replace".'),
        (
            LastOfEqualsRegex,
            TIE,
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


class Inherited(RegexTokenizer):
    """Has one method of its own."""

    def train(self, text: str, vocab_size: int) -> None:  # type: ignore[override]
        chunks = [chunk.encode() for chunk in regex.findall(self.pattern, text)]
        self.merges = naive.train(chunks, vocab_size - 256)
        self.vocab = naive.build_vocab(self.merges)


@pytest.mark.parametrize("answer", [RegexTokenizer, Inherited])
def test_the_classes_of_the_package_are_refused(answer: Any) -> None:
    hint = "Write all three methods yourself: the package's classes are ruled out here."
    message = "MyRegex uses a tokenizer of zerotohero.tokenizer."
    outcome(tokenizer.regex(answer), message, hint=hint)
    assert RegexTokenizer().encode("as ever")
