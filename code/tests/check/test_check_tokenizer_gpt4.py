"""The checks of chapter 8: recovered merges, special tokens, and SentencePiece's way."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from check_answers import outcome

from zerotohero.check import tokenizer
from zerotohero.check.tokenizer.gpt4 import toy_ranks
from zerotohero.tokenizer import naive
from zerotohero.tokenizer.published import recover_merges

Answer = Callable[..., Any]
Ranks = dict[bytes, int]


# -- step 3: recovered merges --------------------------------------------------------------


def shuffle_of(ranks: Ranks) -> list[int]:
    return [ranks[bytes([byte])] for byte in range(256)]


def by_encoding(ranks: Ranks) -> tuple[Any, Any]:
    shuffle, merges = shuffle_of(ranks), {}
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            left, right = naive.encode(bytes(shuffle[byte] for byte in token), merges)
            merges[left, right] = rank
    return merges, shuffle


def by_the_package(ranks: Ranks) -> list[Any]:
    shuffle = dict(enumerate(shuffle_of(ranks)))
    return [recover_merges(ranks), shuffle]


@pytest.mark.parametrize("answer", [by_encoding, by_the_package])
def test_recover_right(answer: Answer) -> None:
    verdict = tokenizer.recover(answer)
    assert verdict, verdict.message
    assert "come back" in verdict.message


def changed(change: Callable[[dict[Any, int], Ranks], Any]) -> Answer:
    """Answer with merges that have been changed."""

    def answer(ranks: Ranks) -> tuple[Any, Any]:
        merges, shuffle = by_encoding(ranks)
        return change(merges, ranks), shuffle

    return answer


def unshuffled(ranks: Ranks) -> tuple[Any, Any]:
    return by_encoding(ranks)[0], range(256)


def backwards(ranks: Ranks) -> tuple[Any, Any]:
    merges, shuffle = by_encoding(ranks)
    return merges, [shuffle.index(byte) for byte in range(256)]


def short(ranks: Ranks) -> tuple[Any, Any]:
    return by_encoding(ranks)[0], [1, 2, 3]


def in_bytes(merges: dict[Any, int], ranks: Ranks) -> dict[Any, int]:
    byte_of = {rank: token[0] for token, rank in ranks.items() if len(token) == 1}
    return {tuple(byte_of.get(p, p) for p in pair): rank for pair, rank in merges.items()}


def any_halves(_: dict[Any, int], ranks: Ranks) -> dict[Any, int]:
    """Take the first two tokens that make up each, whether or not it was made of them."""
    pairs = {}
    for token in ranks:
        cuts = [k for k in range(1, len(token)) if token[:k] in ranks and token[k:] in ranks]
        if cuts:
            pairs[ranks[token[: cuts[0]]], ranks[token[cuts[0] :]]] = ranks[token]
    return pairs


def as_lists(merges: dict[Any, int], _: Ranks) -> dict[Any, int]:
    return {f"{left} {right}": rank for (left, right), rank in merges.items()}


PARTS = "Encode the token with the merges of lower rank: two ids are left."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (unshuffled, "", "A byte's rank is not the byte: look it up in ranks."),
        (backwards, "", "From byte to rank, not back."),
        (
            short,
            "The ranks of the bytes should be a list of 256 numbers, or a dictionary.",
            "",
        ),
        (changed(in_bytes), "", "A pair holds ranks, and the rank of a byte is not the byte."),
        (changed(any_halves), "", PARTS),
        (changed(as_lists), "", PARTS),
        (
            changed(lambda merges, _: dict(list(merges.items())[:-1])),
            "",
            "Every token of more than one byte has a pair.",
        ),
        (changed(lambda merges, _: list(merges)), "should be a dictionary", ""),
        (
            changed(lambda merges, _: dict(reversed(merges.items()))),
            "There are merges that should not be there, or not in the order of their ranks.",
            "",
        ),
        (changed(lambda merges, _: merges | {(1, 2): 999}), "should not be there", ""),
        (lambda ranks: by_encoding(ranks)[0], "should return the merges", ""),
    ],
)
def test_recover_wrong(answer: Answer, words: str, hint: str) -> None:
    outcome(tokenizer.recover(answer), words, hint=hint)


def test_the_toy_tells_right_from_wrong() -> None:
    ranks, merges = toy_ranks()
    assert by_encoding(ranks) == (merges, shuffle_of(ranks))
    assert any_halves(merges, ranks) != merges
    assert max(map(len, ranks)) > 3


# -- step 4: special tokens ----------------------------------------------------------------


def split_with(
    text: str,
    special_tokens: dict[str, int],
    encode_ordinary: Answer,
    allowed_special: Any,
    *,
    escape: Any = re.escape,
    group: str = "({})",
    longest: bool = True,
    everything: bool = False,
    check_first: bool = True,
    named: bool = True,
) -> list[int]:
    if allowed_special == "none_raise" and check_first:
        for token in special_tokens:
            if token in text:
                raise ValueError(f"there is {token}" if named else "no special tokens, please")
    allowed = set(special_tokens) if allowed_special == "all" or everything else set()
    if not isinstance(allowed_special, str):
        allowed |= set(allowed_special)
    if not allowed:
        return encode_ordinary(text)
    ordered = sorted(allowed, key=len, reverse=longest)
    parts = re.split(group.format("|".join(map(escape, ordered))), text)
    ids: list[int] = []
    for part in parts:
        ids += [special_tokens[part]] if part in allowed else encode_ordinary(part)
    return ids


def mistaken(**mistake: Any) -> Answer:
    return lambda *given: split_with(*given, **mistake)


def step_by_step(
    text: str, special_tokens: dict[str, int], encode_ordinary: Answer, allowed_special: Any
) -> tuple[int, ...]:
    """Look for the next special token, again and again."""
    if allowed_special == "none_raise" and any(token in text for token in special_tokens):
        raise ValueError(repr([token for token in special_tokens if token in text]))
    if isinstance(allowed_special, str):
        allowed_special = special_tokens if allowed_special == "all" else []
    ids: list[int] = []
    start = i = 0
    while i < len(text):
        here = [token for token in allowed_special if text.startswith(token, i)]
        if not here:
            i += 1
            continue
        token = max(here, key=len)
        ids += [*encode_ordinary(text[start:i]), special_tokens[token]]
        i = start = i + len(token)
    return (*ids, *encode_ordinary(text[start:]))


@pytest.mark.parametrize("answer", [split_with, step_by_step])
def test_special_right(answer: Answer) -> None:
    verdict = tokenizer.special(answer)
    assert verdict, verdict.message
    assert "where they are allowed" in verdict.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            mistaken(escape=str),
            "The | in a special token is a sign of regular expressions: use re.escape.",
        ),
        (
            mistaken(group="{}"),
            "The special tokens are lost: re.split keeps what is in parentheses.",
        ),
        (
            lambda text, _, encode_ordinary, __: encode_ordinary(text),
            "The special tokens were encoded like other text.",
        ),
        (
            mistaken(longest=False),
            "Where several start at one position, the longest counts: try it first.",
        ),
        (mistaken(everything=True), "Only those that are allowed count. The others are text."),
        (mistaken(named=False), "The message should name the token."),
        (mistaken(check_first=False), "A special token that nobody has allowed is an error."),
    ],
)
def test_special_wrong(answer: Answer, hint: str) -> None:
    outcome(tokenizer.special(answer), hint=hint)


# -- step 5: like SentencePiece --------------------------------------------------------------


def encode_pieces(
    text: str,
    pieces: dict[str, int],
    *,
    prefix: str = "▁",
    space: str = "▁",
    key: Callable[[str, dict[str, int], int], Any] = lambda pair, pieces, i: (pieces[pair], i),
    in_bytes: Callable[[str], list[str]] = lambda s: [f"<0x{b:02X}>" for b in s.encode()],
) -> list[int]:
    symbols = list(prefix + text.replace(" ", space))
    while True:
        pairs = [(a + b, i) for i, (a, b) in enumerate(pairwise(symbols)) if a + b in pieces]
        if not pairs:
            break
        pair, i = min(pairs, key=lambda found: key(found[0], pieces, found[1]))
        symbols[i : i + 2] = [pair]
    parts = [[symbol] if symbol in pieces else in_bytes(symbol) for symbol in symbols]
    return [pieces[piece] for part in parts for piece in part]


def test_pieces_right() -> None:
    verdict = tokenizer.pieces(encode_pieces)
    assert verdict, verdict.message
    assert "in the order of the ids" in verdict.message


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"prefix": ""}, "The dummy prefix is missing: put one ▁ in front."),
        ({"space": " "}, "Every space becomes ▁."),
        ({"in_bytes": lambda _: ["<unk>"]}, "What is not a piece is written in bytes."),
        (
            {"in_bytes": lambda s: [f"<0x{s.encode()[0]:02X}>"]},
            "A code point may have several bytes: each becomes a piece.",
        ),
        (
            {"key": lambda _, __, i: i},
            "Neither from the left nor the longest: the pair with the lowest id.",
        ),
        (
            {"key": lambda pair, _, i: (-len(pair), i)},
            "Neither from the left nor the longest: the pair with the lowest id.",
        ),
        ({"key": lambda pair, pieces, i: (pieces[pair], -i)}, ""),
    ],
)
def test_pieces_wrong(mistake: dict[str, Any], hint: str) -> None:
    outcome(tokenizer.pieces(lambda *given: encode_pieces(*given, **mistake)), hint=hint)
