"""The checks of chapter 8: the first two tokenizers."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from check_answers import outcome

from zerotohero.check import tokenizer
from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer, naive

Answer = Callable[..., Any]


# -- a class of stubs ----------------------------------------------------------------------


class Stub:
    def __init__(self, *pattern: str) -> None:
        self.pattern = pattern

    def train(self, text: str, vocab_size: int) -> None: ...

    def encode(self, text: str) -> None: ...

    def decode(self, ids: list[int]) -> None: ...


class HalfDone(BasicTokenizer):
    def decode(self, ids: list[int]) -> None: ...  # type: ignore[override] # a stub


def test_a_class_of_stubs_is_not_done_yet() -> None:
    assert tokenizer.basic(Stub).status == "not done yet"
    assert tokenizer.regex(Stub).status == "not done yet"
    assert tokenizer.basic(HalfDone).status == "not done yet"


# -- step 1: a basic tokenizer -------------------------------------------------------------


class Plain:
    """As in the chapter; mistakes are made by overriding."""

    def __init__(self, pattern: str = "") -> None:
        self.pattern = pattern

    def split(self, text: str) -> list[str]:
        return re.findall(self.pattern, text) if self.pattern else [text]

    def choose(self, counts: dict[Any, int]) -> Any:
        return max(counts, key=lambda pair: counts[pair])

    def train(self, text: str, vocab_size: int) -> None:
        sequences = [list(chunk.encode()) for chunk in self.split(text)]
        self.merges: dict[tuple[int, int], int] = {}
        for idx in range(256, vocab_size):
            counts: dict[tuple[int, int], int] = {}
            for ids in sequences:
                naive.get_stats(ids, counts)
            pair = self.choose(counts)
            sequences = [naive.merge(ids, pair, idx) for ids in sequences]
            self.merges[pair] = idx

    def encode(self, text: str) -> list[int]:
        return [i for part in self.split(text) for i in naive.encode(part.encode(), self.merges)]

    def decode(self, ids: list[int]) -> str:
        return naive.decode(ids, naive.build_vocab(self.merges))


@pytest.mark.parametrize("answer", [Plain, BasicTokenizer, lambda: BasicTokenizer()])
def test_basic_right(answer: Any) -> None:
    verdict = tokenizer.basic(answer)
    assert verdict, verdict.message
    assert "the same merges" in verdict.message


class Bytes(Plain):
    def encode(self, text: str) -> list[int]:
        return list(text.encode())


class LastOfEquals(Plain):
    def choose(self, counts: dict[Any, int]) -> Any:
        return max(reversed(counts), key=lambda pair: counts[pair])


class LargestOfEquals(Plain):
    def choose(self, counts: dict[Any, int]) -> Any:
        return max(counts, key=lambda pair: (counts[pair], pair))


class SmallestOfEquals(Plain):
    def choose(self, counts: dict[Any, int]) -> Any:
        return min(counts, key=lambda pair: (-counts[pair], pair))


class MostFrequentFirst(Plain):
    def encode(self, text: str) -> list[int]:
        ids = list(text.encode())
        while True:
            counts = {p: n for p, n in naive.get_stats(ids).items() if p in self.merges}
            if not counts:
                return ids
            pair = max(counts, key=lambda p: counts[p])
            ids = naive.merge(ids, pair, self.merges[pair])


class Longest(Plain):
    def encode(self, text: str) -> list[int]:
        ids, rest = [], text.encode()
        vocab = naive.build_vocab(self.merges)
        while rest:
            idx = max((i for i in vocab if rest.startswith(vocab[i])), key=lambda i: len(vocab[i]))
            ids.append(idx)
            rest = rest[len(vocab[idx]) :]
        return ids


class TokenByToken(Plain):
    def decode(self, ids: list[int]) -> str:
        vocab = naive.build_vocab(self.merges)
        return "".join(vocab[idx].decode(errors="replace") for idx in ids)


class Strict(Plain):
    def decode(self, ids: list[int]) -> str:
        vocab = naive.build_vocab(self.merges)
        return b"".join(vocab[idx] for idx in ids).decode()


class Ignoring(Plain):
    def decode(self, ids: list[int]) -> str:
        vocab = naive.build_vocab(self.merges)
        return b"".join(vocab[idx] for idx in ids).decode(errors="ignore")


class Unguarded(Plain):
    def encode(self, text: str) -> list[int]:
        ids = list(text.encode())
        while True:
            pair = min(naive.get_stats(ids), key=lambda p: self.merges.get(p, math.inf))
            if pair not in self.merges:
                return ids
            ids = naive.merge(ids, pair, self.merges[pair])


TIE = "Two pairs occur equally often: take the one that occurs first."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (Bytes, "Those are the bytes: encode has to merge."),
        (LastOfEquals, TIE),
        (LargestOfEquals, TIE),
        (SmallestOfEquals, TIE),
        (
            MostFrequentFirst,
            "Merge the pair that was learned first, not the one that is most frequent.",
        ),
        (Longest, "Not the longest token from the left: the pair that was learned first."),
        (
            TokenByToken,
            "A character may have several bytes: join all bytes first, then decode.",
        ),
        (Strict, 'Not all bytes are valid UTF-8: decode with errors="replace".'),
        (Ignoring, 'A byte that is no UTF-8 should leave a mark: errors="replace".'),
        (Unguarded, "With fewer than two ids there is no pair to look for."),
    ],
)
def test_basic_wrong(answer: Any, hint: str) -> None:
    outcome(tokenizer.basic(answer), hint=hint)


def test_basic_without_a_method_or_with_an_object() -> None:
    class WithoutDecode:
        train = Plain.train
        encode = Plain.encode

    outcome(tokenizer.basic(WithoutDecode), "decode is missing")
    outcome(tokenizer.basic(Plain()), "Pass the class itself")
    outcome(tokenizer.basic(RegexTokenizer), "should be [")
