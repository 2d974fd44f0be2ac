"""The checks of chapter 8: the first tokenizer."""

import functools
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

import pytest
from check_answers import outcome

from zerotohero.check import tokenizer
from zerotohero.check.tokenizer import ways
from zerotohero.check.tokenizer.bpe import BASIC, MISTAKES, REGEX, REGEX_USED_UP, SPLITTING, USED_UP
from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer, naive

Answer = Callable[..., Any]


# -- a class of stubs ----------------------------------------------------------------------


class Stub:
    def __init__(self, *pattern: str) -> None:
        self.pattern = pattern

    def train(self, text: str, vocab_size: int) -> None: ...

    def encode(self, text: str) -> None: ...

    def decode(self, ids: list[int]) -> None: ...


# -- step 1: a basic tokenizer -------------------------------------------------------------


class Plain:
    """As in the chapter; mistakes are made by overriding."""

    def symbols(self, text: str) -> list[int]:
        return list(text.encode())

    def sequences(self, text: str) -> list[list[int]]:
        return [self.symbols(text)]

    def numbers(self, vocab_size: int) -> range:
        return range(256, vocab_size)

    def choose(self, counts: dict[Any, int]) -> Any:
        return max(counts, key=lambda pair: counts[pair])

    def count(self, ids: list[int], counts: dict[Any, int]) -> None:
        naive.get_stats(ids, counts)

    def train(self, text: str, vocab_size: int) -> None:
        sequences = self.sequences(text)
        self.merges: dict[tuple[int, int], int] = {}
        for idx in self.numbers(vocab_size):
            counts: dict[tuple[int, int], int] = {}
            for ids in sequences:
                self.count(ids, counts)
            if not counts:
                break
            pair = self.choose(counts)
            sequences = [self.merge(ids, pair, idx) for ids in sequences]
            self.merges[pair] = idx

    def merge(self, ids: list[int], pair: tuple[int, int], idx: int) -> list[int]:
        return naive.merge(ids, pair, idx)

    def next_pair(self, ids: list[int]) -> Any:
        return min(naive.get_stats(ids), key=lambda pair: self.merges.get(pair, math.inf))

    def encode(self, text: str) -> Any:
        found: list[int] = []
        for ids in self.sequences(text):
            while len(ids) > 1:
                pair = self.next_pair(ids)
                if pair not in self.merges:
                    break
                ids = self.merge(ids, pair, self.merges[pair])
            found += ids
        return found

    def decode(self, ids: list[int]) -> Any:
        return naive.decode(ids, naive.build_vocab(self.merges))


class HalfDone(Plain):
    def decode(self, ids: list[int]) -> None: ...


def test_a_class_of_stubs_is_not_done_yet() -> None:
    assert tokenizer.basic(Stub).status == "not done yet"
    assert tokenizer.regex(Stub).status == "not done yet"
    assert tokenizer.basic(HalfDone).status == "not done yet"


def test_what_the_chapter_shows_is_right() -> None:
    verdict = tokenizer.basic(Plain)
    assert verdict, verdict.message
    assert "the same merges" in verdict.message


class Bytes(Plain):
    def encode(self, text: str) -> list[int]:
        return list(text.encode())


class OneByteString(Plain):
    def encode(self, text: str) -> bytes:
        return text.encode()


class TokensAsBytes(Plain):
    def encode(self, text: str) -> list[bytes]:
        vocab = naive.build_vocab(self.merges)
        return [vocab[idx] for idx in super().encode(text)]


class TokensAsText(Plain):
    def encode(self, text: str) -> list[str]:
        return [self.decode([idx]) for idx in super().encode(text)]


class LastOfEquals(Plain):
    def choose(self, counts: dict[Any, int]) -> Any:
        return max(reversed(counts), key=lambda pair: counts[pair])


class LargestOfEquals(Plain):
    def choose(self, counts: dict[Any, int]) -> Any:
        return max(counts, key=lambda pair: (counts[pair], pair))


class SmallestOfEquals(Plain):
    def choose(self, counts: dict[Any, int]) -> Any:
        return min(counts, key=lambda pair: (-counts[pair], pair))


class OneMore(Plain):
    def numbers(self, vocab_size: int) -> range:
        return range(256, vocab_size + 1)


class OneFewer(Plain):
    def numbers(self, vocab_size: int) -> range:
        return range(256, vocab_size - 1)


class AsManyAsTokens(Plain):
    def numbers(self, vocab_size: int) -> range:
        return range(256, 256 + vocab_size)


class From257(Plain):
    def numbers(self, vocab_size: int) -> range:
        return range(257, vocab_size + 1)


class From257To(Plain):
    def numbers(self, vocab_size: int) -> range:
        return range(257, vocab_size)


class From255(Plain):
    def numbers(self, vocab_size: int) -> range:
        return range(255, vocab_size)


class MostFrequentFirst(Plain):
    def next_pair(self, ids: list[int]) -> Any:
        counts = {p: n for p, n in naive.get_stats(ids).items() if p in self.merges}
        return max(counts, key=lambda p: counts[p], default=None)


class HighestRankFirst(Plain):
    def next_pair(self, ids: list[int]) -> Any:
        return max(naive.get_stats(ids), key=lambda pair: self.merges.get(pair, -1))


class LeftmostFirst(Plain):
    def next_pair(self, ids: list[int]) -> Any:
        return next((pair for pair in pairwise(ids) if pair in self.merges), None)


class Longest(Plain):
    def encode(self, text: str) -> list[int]:
        ids, rest = [], text.encode()
        vocab = naive.build_vocab(self.merges)
        while rest:
            idx = max((i for i in vocab if rest.startswith(vocab[i])), key=lambda i: len(vocab[i]))
            ids.append(idx)
            rest = rest[len(vocab[idx]) :]
        return ids


class CountsApart(Plain):
    def count(self, ids: list[int], counts: dict[Any, int]) -> None:
        for pair in dict.fromkeys(pairwise(ids)):
            merged = naive.merge(ids, pair, -1)
            counts[pair] = counts.get(pair, 0) + merged.count(-1)


class FromRight(Plain):
    def merge(self, ids: list[int], pair: tuple[int, int], idx: int) -> list[int]:
        return naive.merge(ids[::-1], pair[::-1], idx)[::-1]


class CodePoints(Plain):
    def symbols(self, text: str) -> list[int]:
        return [ord(char) for char in text]


class Shared(Plain):
    merges: ClassVar[dict[Any, int]] = {}  # type: ignore[misc] # the mistake

    def train(self, text: str, vocab_size: int) -> None:
        self.merges.update(naive.train([text.encode()], vocab_size - 256))


class EncodesFromRight(FromRight):
    def train(self, text: str, vocab_size: int) -> None:
        self.merges = naive.train([text.encode()], vocab_size - 256)


class TokenByToken(Plain):
    def decode(self, ids: list[int]) -> str:
        vocab = naive.build_vocab(self.merges)
        return "".join(vocab[idx].decode(errors="replace") for idx in ids)


class StrictTokenByToken(Plain):
    def decode(self, ids: list[int]) -> str:
        vocab = naive.build_vocab(self.merges)
        return "".join(vocab[idx].decode() for idx in ids)


class Strict(Plain):
    def decode(self, ids: list[int]) -> str:
        vocab = naive.build_vocab(self.merges)
        return b"".join(vocab[idx] for idx in ids).decode()


class Ignoring(Plain):
    def decode(self, ids: list[int]) -> str:
        vocab = naive.build_vocab(self.merges)
        return b"".join(vocab[idx] for idx in ids).decode(errors="ignore")


class BytesBack(Plain):
    def decode(self, ids: list[int]) -> bytes:
        vocab = naive.build_vocab(self.merges)
        return b"".join(vocab[idx] for idx in ids)


class Unguarded(Plain):
    def encode(self, text: str) -> list[int]:
        ids = list(text.encode())
        while True:
            pair = self.next_pair(ids)
            if pair not in self.merges:
                return ids
            ids = naive.merge(ids, pair, self.merges[pair])


class TrainedByLines(Plain):
    def train(self, text: str, vocab_size: int) -> None:
        lines = [line.encode() for line in text.splitlines(keepends=True)]
        self.merges = naive.train(lines, vocab_size - 256)


class EncodesByLines(Plain):
    def encode(self, text: str) -> list[int]:
        return [
            i
            for line in text.splitlines(keepends=True)
            for i in super(type(self), self).encode(line)
        ]


class ByLines(Plain):
    def sequences(self, text: str) -> list[list[int]]:
        return [self.symbols(line) for line in text.splitlines(keepends=True)]


class ByLineBreaks(Plain):
    def sequences(self, text: str) -> list[list[int]]:
        return [self.symbols(line) for line in text.replace("\n", "\n\0").split("\0")]


class WithoutReturns(Plain):
    def symbols(self, text: str) -> list[int]:
        return list(text.replace("\r", "").encode())


class UpToNull(Plain):
    def symbols(self, text: str) -> list[int]:
        return list(text.partition("\0")[0].encode())


class WithoutMark(Plain):
    def symbols(self, text: str) -> list[int]:
        return list(text.removeprefix("\ufeff").encode())


class OfTheBeginning(Plain):
    def train(self, text: str, vocab_size: int) -> None:
        super().train(text[:1000], vocab_size)


class LeftmostAlone(Plain):
    """Merges one place at a time."""

    def encode(self, text: str) -> list[int]:
        ids = list(text.encode())
        while known := [i for i, pair in enumerate(pairwise(ids)) if pair in self.merges]:
            i = known[0]
            ids[i : i + 2] = [self.merges[ids[i], ids[i + 1]]]
        return ids


class Popping(Plain):
    def decode(self, ids: list[int]) -> str:
        text = super().decode(ids)
        ids.clear()
        return str(text)


class UpdatesCounts(Plain):
    """As the chapter does to be fast, which changes the order of the pairs."""

    def train(self, text: str, vocab_size: int) -> None:
        ids = self.symbols(text)
        counts = naive.get_stats(ids)
        self.merges = {}
        for idx in range(256, vocab_size):
            pair = max(counts, key=lambda pair: counts[pair])
            ids = ways.merge_and_update(ids, pair, idx, counts)
            self.merges[pair] = idx


class OneMoreAtLeast(Plain):
    """Does not look whether there is a pair."""

    more = 1

    def train(self, text: str, vocab_size: int) -> None:
        self.merges = {}
        ids = self.symbols(text)
        for idx in range(256, vocab_size + self.more):
            pair = self.choose(naive.get_stats(ids))
            ids = self.merge(ids, pair, idx)
            self.merges[pair] = idx


class AsManyAsTokensAtLeast(OneMoreAtLeast):
    more = 256


class CountsNothing(OneMoreAtLeast):
    def choose(self, counts: dict[Any, int]) -> Any:
        return super().choose({})


class NeverForgets(Plain):
    def __init__(self) -> None:
        self.learned: dict[tuple[int, int], int] = {}

    def train(self, text: str, vocab_size: int) -> None:
        self.learned |= naive.train([text.encode()], vocab_size - 256)
        self.merges = self.learned


class NeverForgetsInOrder(NeverForgets):
    def encode(self, text: str) -> list[int]:
        ids = self.symbols(text)
        for pair, idx in self.merges.items():
            ids = self.merge(ids, pair, idx)
        return ids


class Cached(Plain):
    def __init__(self) -> None:
        self.cache: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        if text not in self.cache:
            self.cache[text] = super().encode(text)
        return list(self.cache[text])


class CachedByTheLibrary(Plain):
    encode = functools.lru_cache(Plain.encode)


class CachedVocab(Plain):
    vocab: dict[int, bytes] | None = None

    def decode(self, ids: list[int]) -> str:
        self.vocab = self.vocab or naive.build_vocab(self.merges)
        return naive.decode(ids, self.vocab)


class CachedTexts(Plain):
    def __init__(self) -> None:
        self.cache: dict[tuple[int, ...], str] = {}

    def decode(self, ids: list[int]) -> str:
        return self.cache.setdefault(tuple(ids), super().decode(ids))


class SharedVocab(Plain):
    vocab: ClassVar[dict[int, bytes]] = {}

    def train(self, text: str, vocab_size: int) -> None:
        super().train(text, vocab_size)
        self.vocab.update(naive.build_vocab(self.merges))

    def decode(self, ids: list[int]) -> str:
        return naive.decode(ids, self.vocab)


LEFT_TO_RIGHT = "Replace pairs from left to right: aaa becomes X a, not a X."
LINE = "Do not split by lines: a token may hold a line break, and go on after it."
TIE = "Two pairs occur equally often: take the one that occurs first in the current sequence."
COUNT = "The first new id is 256, the last one vocab_size - 1: vocab_size - 256 merges."
BYTES = "An id is a whole number: return the ids of the tokens, not their bytes."
AGAIN = "Training again starts from the bytes: forget what was learned before."
JOIN = "A character may have several bytes: join all bytes first, then decode."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (Bytes, "Those are the bytes: encode has to merge."),
        (OneByteString, BYTES),
        (TokensAsBytes, BYTES),
        (TokensAsText, "An id is a whole number: return the ids of the tokens, not strings."),
        (LastOfEquals, TIE),
        (LargestOfEquals, TIE),
        (SmallestOfEquals, TIE),
        (UpdatesCounts, TIE),
        (OneMoreAtLeast, COUNT),
        (AsManyAsTokensAtLeast, COUNT),
        (CountsNothing, ""),
        (NeverForgets, AGAIN),
        (NeverForgetsInOrder, AGAIN),
        (Cached, AGAIN),
        (CachedByTheLibrary, AGAIN),
        (CachedVocab, AGAIN),
        (CachedTexts, AGAIN),
        (
            SharedVocab,
            "All tokenizers share their vocabulary: give each object its own self.vocab.",
        ),
        (OneMore, COUNT),
        (OneFewer, COUNT),
        (AsManyAsTokens, COUNT),
        (From257, COUNT),
        (From257To, COUNT),
        (From255, COUNT),
        (
            MostFrequentFirst,
            "Merge the pair that was learned first, not the one that is most frequent.",
        ),
        (
            HighestRankFirst,
            "Merge the pair that was learned first, not the one that was learned last.",
        ),
        (LeftmostFirst, "Merge the pair that was learned first, wherever it is in the text."),
        (LeftmostAlone, "Merge the pair that was learned first, wherever it is in the text."),
        (TrainedByLines, LINE),
        (EncodesByLines, LINE),
        (ByLines, LINE),
        (ByLineBreaks, ""),
        (WithoutReturns, ""),
        (UpToNull, ""),
        (WithoutMark, ""),
        (OfTheBeginning, ""),
        (Longest, "Not the longest token from the left: the pair that was learned first."),
        (
            CountsApart,
            "Pairs that overlap all count: in aaa, the pair of two a's occurs twice.",
        ),
        (FromRight, LEFT_TO_RIGHT),
        (EncodesFromRight, LEFT_TO_RIGHT),
        (
            CodePoints,
            "Start from the bytes of the text, text.encode(), not from its characters.",
        ),
        (
            Shared,
            "All tokenizers share their merges: give each object its own, with self.merges = {}.",
        ),
        (TokenByToken, JOIN),
        (StrictTokenByToken, JOIN),
        (BytesBack, 'decode returns a string: turn the bytes into one, with errors="replace".'),
        (Strict, 'Not all bytes are valid UTF-8: decode with errors="replace".'),
        (Ignoring, 'Bytes that are not valid UTF-8 should leave a mark: errors="replace".'),
        (Unguarded, "With fewer than two ids there is no pair to look for."),
        (
            Popping,
            "Methods such as sort, shuffle and append change the list itself. Work on a copy.",
        ),
    ],
)
def test_basic_wrong(answer: Any, hint: str) -> None:
    outcome(tokenizer.basic(answer), hint=hint)


def test_basic_without_a_method_or_with_an_object() -> None:
    class WithoutDecode:
        train = Plain.train
        sequences = Plain.sequences
        symbols = Plain.symbols
        encode = Plain.encode

    outcome(tokenizer.basic(WithoutDecode), "decode is missing")
    outcome(tokenizer.basic(Plain()), "Pass the class itself")


class Inherited(BasicTokenizer):
    """Has one method of its own."""

    def train(self, text: str, vocab_size: int) -> None:  # type: ignore[override]
        self.merges = naive.train([text.encode()], vocab_size - 256)
        self.vocab = naive.build_vocab(self.merges)


class Held(Plain):
    """Trains, and leaves the rest to the package."""

    def train(self, text: str, vocab_size: int) -> None:
        super().train(text, vocab_size)
        self.inside = BasicTokenizer()
        self.inside.merges, self.inside.vocab = self.merges, naive.build_vocab(self.merges)

    def decode(self, ids: list[int]) -> str:
        return self.inside.decode(ids)


class Inside:
    """Does nothing of its own."""

    def __init__(self) -> None:
        self.inside = BasicTokenizer()
        self.train, self.encode = self.inside.train, self.inside.encode
        self.decode = self.inside.decode


@pytest.mark.parametrize(
    "answer",
    [BasicTokenizer, lambda: BasicTokenizer(), Inside, RegexTokenizer, Inherited, Held],
)
def test_the_classes_of_the_package_are_refused(answer: Any) -> None:
    hint = "Write all three methods yourself: the package's classes are ruled out here."
    message = "MyBasic uses a tokenizer of zerotohero.tokenizer."
    outcome(tokenizer.basic(answer), message, hint=hint)
    BasicTokenizer().train("as ever", 257)


@pytest.mark.parametrize(
    ("mistakes", "trainings"), [(MISTAKES, BASIC), ([*SPLITTING, *MISTAKES], REGEX)]
)
def test_the_known_mistakes_can_be_told_apart(mistakes: Any, trainings: Any) -> None:
    """So that no hint is given for another mistake, and none of them is accepted."""
    hint_of: dict[str, str] = {}
    right = ways.results(ways.RIGHT, trainings)
    for way, hint in mistakes:
        found = ways.results(way, trainings)
        assert found != right, hint
        assert hint_of.setdefault(str(found), hint) == hint


@pytest.mark.parametrize("trainings", [BASIC, REGEX, USED_UP, REGEX_USED_UP])
def test_each_text_has_enough_pairs(trainings: Any) -> None:
    for training in trainings:
        assert len(ways.learn(ways.RIGHT, training)) == training.vocab_size - 256


def test_a_mistake_without_a_hint() -> None:
    """Two mistakes at once, and one that fits a known mistake in one call only."""

    class Both(HighestRankFirst, OneMore): ...

    class TooShort(Plain):
        def encode(self, text: str) -> list[int]:
            ids = super().encode(text)
            return ids if len(ids) > 2 else list(text.encode())

    outcome(tokenizer.basic(Both), "should be [", hint="")
    outcome(tokenizer.basic(TooShort), "should be [", hint="")
