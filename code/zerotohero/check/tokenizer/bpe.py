"""Checks for the exercises of chapter 8: the tokenizers that are trained."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ...tokenizer import naive
from ...tokenizer.naive import Pair
from ..running import run
from ..verdict import checker, fail
from .ids import Mistakes, expect_ids

TOY = "aaabdaaabac"
TALE = "how much wood would a woodchuck chuck if a woodchuck could chuck wood!"
OTHER = "a woodchuck would much rather,  would it!"  # not trained on
WORDS = r" ?\w+|[^\w\s]+|\s+"

Choose = Callable[[dict[Pair, int]], Pair]
METHODS = ("train", "encode", "decode")


def _most_frequent(counts: dict[Pair, int], tie: Callable[[Sequence[Pair]], Pair]) -> Pair:
    best = max(counts.values())
    return tie([pair for pair, count in counts.items() if count == best])


def _train(chunks: Iterable[bytes], num_merges: int, choose: Choose) -> dict[Pair, int]:
    """Train like ``naive.train``, with another choice of the pair."""
    sequences = [list(chunk) for chunk in chunks]
    merges: dict[Pair, int] = {}
    for idx in range(256, 256 + num_merges):
        counts: dict[Pair, int] = {}
        for ids in sequences:
            naive.get_stats(ids, counts)
        pair = choose(counts)
        sequences = [naive.merge(ids, pair, idx) for ids in sequences]
        merges[pair] = idx
    return merges


def _encode_most_frequent(chunk: bytes, merges: Mapping[Pair, int]) -> list[int]:
    ids = list(chunk)
    while counts := {p: n for p, n in naive.get_stats(ids).items() if p in merges}:
        pair = _most_frequent(counts, lambda pairs: pairs[0])
        ids = naive.merge(ids, pair, merges[pair])
    return ids


def _encode_longest(chunk: bytes, merges: Mapping[Pair, int]) -> list[int]:
    ids, i = [], 0
    token_ids = {token: idx for idx, token in naive.build_vocab(merges).items()}
    while i < len(chunk):
        stop = next(j for j in range(len(chunk), i, -1) if chunk[i:j] in token_ids)
        ids.append(token_ids[chunk[i:stop]])
        i = stop
    return ids


def _trained(answer: Any, name: str, arguments: str, given: Sequence[Any], text: str) -> Any:
    """Make a tokenizer of the reader's class, with 12 merges of a text; or 3 of the toy."""
    if not isinstance(answer, type) and not hasattr(answer, "__code__"):
        fail(f"Pass the class itself, not an object of it. Received {type(answer).__name__}.")
    tokenizer = run(answer, *given, shown=f"{name}({arguments})")
    missing = [method for method in METHODS if not callable(getattr(tokenizer, method, None))]
    if missing:
        fail(f"{name} should have the methods {', '.join(METHODS)}: {missing[0]} is missing.")
    vocab_size = 256 + (3 if text == TOY else 12)

    def train(*args: Any) -> bool:
        tokenizer.train(*args)  # which returns nothing
        return True

    run(train, text, vocab_size, shown=f"train({text!r}, {vocab_size})")
    return tokenizer


def _check_decode(tokenizer: Any, merges: Mapping[Pair, int]) -> None:
    for text in (TALE, "안녕 😉", ""):
        ids = naive.encode(text.encode("utf-8"), merges)
        received = run(tokenizer.decode, ids, shown=f"decode({ids})")
        if received != text:
            by_token = "".join(naive.decode([i], naive.build_vocab(merges)) for i in ids)
            fail(
                f"decode({ids}) should be {text!r}, received {received!r}.",
                "A character may have several bytes: join all bytes first, then decode."
                if received == by_token
                else "",
            )
    received = run(
        tokenizer.decode,
        [104, 128, 105],
        shown="decode([104, 128, 105])",
        raised='Not all bytes are valid UTF-8: decode with errors="replace".',
    )
    if received != "h\ufffdi":
        fail(
            f"decode([104, 128, 105]) should be {'h�i'!r}, received {received!r}.",
            'A byte that is no UTF-8 should leave a mark: errors="replace".',
        )


FEW = "With fewer than two ids there is no pair to look for."


@checker
def basic(answer: Any) -> str:
    """Check a class with ``train(text, vocab_size)``, ``encode(text)`` and ``decode(ids)``."""
    for text in (TOY, TALE):
        tokenizer = _trained(answer, "MyBasic", "", (), text)
        data, num_merges = [text.encode()], 3 if text == TOY else 12
        merges = naive.train(data, num_merges)
        ties: list[Callable[[Sequence[Pair]], Pair]] = [max, min, lambda pairs: pairs[-1]]
        others = [_train(data, num_merges, partial(_most_frequent, tie=tie)) for tie in ties]
        again = "Two pairs occur equally often: take the one that occurs first."
        for encoded in (text, OTHER, "안녕 😉", "a", ""):
            chunk = encoded.encode()
            mistakes: Mistakes = [
                (list(chunk), "Those are the bytes: encode has to merge."),
                *((naive.encode(chunk, other), again) for other in others),
                (
                    _encode_most_frequent(chunk, merges),
                    "Merge the pair that was learned first, not the one that is most frequent.",
                ),
                (
                    _encode_longest(chunk, merges),
                    "Not the longest token from the left: the pair that was learned first.",
                ),
            ]
            shown = f"encode({encoded!r}) after training on {text!r}"
            hint = FEW if len(chunk) < 2 else ""
            received = run(tokenizer.encode, encoded, shown=shown, raised=hint)
            expect_ids(received, naive.encode(chunk, merges), shown, mistakes)
        _check_decode(tokenizer, merges)
    return "It learns the same merges as the chapter's, encodes in their order, and decodes."


@checker
def regex(answer: Any) -> str:
    """Check a class like that of ``basic`` that is made with a pattern, and splits by it."""
    tokenizer = _trained(answer, "MyRegex", repr(WORDS), (WORDS,), TALE)
    chunks = [chunk.encode() for chunk in re.findall(WORDS, TALE)]
    merges = naive.train(chunks, 12)
    unsplit = naive.train([TALE.encode()], 12)
    once = naive.train(dict.fromkeys(chunks), 12)
    for encoded in (TALE, OTHER, "안녕 😉!", ""):
        parts = [part.encode() for part in re.findall(WORDS, encoded)]

        def joined(learned: Mapping[Pair, int], parts: list[bytes] = parts) -> list[int]:
            return [idx for part in parts for idx in naive.encode(part, learned)]

        mistakes: Mistakes = [
            (naive.encode(encoded.encode(), unsplit), "No token may reach over a split: split."),
            (joined(unsplit), "train has to split, too."),
            (naive.encode(encoded.encode(), merges), "encode has to split, too."),
            (joined(once), "A chunk counts each time that it occurs."),
        ]
        shown = f"encode({encoded!r}) after training on {TALE!r}"
        received = run(tokenizer.encode, encoded, shown=shown, raised=FEW if not encoded else "")
        expect_ids(received, joined(merges), shown, mistakes)
    _check_decode(tokenizer, merges)
    return "No token reaches over a split, neither in training nor in encoding."
