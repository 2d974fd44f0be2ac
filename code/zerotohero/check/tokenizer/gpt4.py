"""Checks for the exercises of chapter 8: what GPT-4's tokenizer needs besides training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...tokenizer import naive
from ...tokenizer.naive import Pair
from ..running import run
from ..verdict import checker, fail
from .ids import Mistakes, expect_ids

TEXT = b"she sells sea shells by the sea shore, the shells she sells are sea shells"
SHIFT = 90  # the rank of a byte in the toy is the byte plus this, modulo 256

SPECIAL = {"<|end|>": 500, "<|user|>": 501, "<|user|>: ": 502}


def toy_ranks() -> tuple[dict[bytes, int], dict[Pair, int]]:
    """Return tokens with their ranks, as GPT-4's file has them, and the merges that made them."""
    shuffled = bytes((byte + SHIFT) % 256 for byte in TEXT)
    merges = naive.train([shuffled], 20)  # of ' she', two halves are tokens in two ways
    tokens = {
        bytes((byte - SHIFT) % 256 for byte in token): rank
        for rank, token in naive.build_vocab(merges).items()
    }
    return tokens, merges


@checker
def recover(answer: Any) -> str:
    """Check a function ``(ranks)`` that returns the merges, and the rank of each byte."""
    ranks, merges = toy_ranks()
    received = run(answer, dict(ranks), shown="recover(ranks)")
    if not isinstance(received, (tuple, list)) or len(received) != 2:
        fail(
            "recover(ranks) should return the merges and the ranks of the bytes, "
            f"received {type(received).__name__}."
        )
    found, shuffle = received
    try:
        shuffled = [int(shuffle[byte]) for byte in range(256)]
    except (TypeError, ValueError, LookupError):
        fail("The ranks of the bytes should be a list of 256 numbers, or a dictionary.")
    expected = [(byte + SHIFT) % 256 for byte in range(256)]
    expect_ids(
        shuffled,
        expected,
        "The ranks of the bytes",
        [
            (list(range(256)), "A byte's rank is not the byte: look it up in ranks."),
            ([(byte - SHIFT) % 256 for byte in range(256)], "From byte to rank, not back."),
        ],
    )
    if not isinstance(found, Mapping):
        fail(f"The merges should be a dictionary, received {type(found).__name__}.")
    last = {(ranks[t[:-1]], ranks[t[-1:]]): r for t, r in ranks.items() if t[:-1] in ranks}
    first = {(ranks[t[:1]], ranks[t[1:]]): r for t, r in ranks.items() if t[1:] in ranks}
    bytes_first = {
        tuple((p - SHIFT) % 256 if p < 256 else p for p in pair): rank
        for pair, rank in merges.items()
    }
    received_pair = {rank: pair for pair, rank in found.items()}
    for pair, rank in merges.items():
        mine = received_pair.get(rank, pair)
        if mine == pair:
            continue
        hint = ""
        if bytes_first.get(mine) == rank:
            hint = "A pair holds ranks, and the rank of a byte is not the byte."
        elif mine in (*last, *first) or not isinstance(mine, tuple):
            hint = "Encode the token with the merges of lower rank: two ids are left."
        token = next(t for t, r in ranks.items() if r == rank)
        fail(f"The pair of rank {rank}, {token!r}, should be {pair}, received {mine!r}.", hint)
    missing = [rank for rank in merges.values() if rank not in received_pair]
    if missing:
        fail(
            f"There is no pair of rank {missing[0]}.",
            "Every token of more than one byte has a pair.",
        )
    if list(found.items()) != list(merges.items()):
        fail("There are merges that should not be there, or not in the order of their ranks.")
    return "The merges come back, all of them, in the order in which they were learned."


def encode_ordinary(text: str) -> list[int]:
    """Return one id for the length of a text, and those of its bytes: parts can be told apart."""
    return [1000 + len(text), *text.encode()] if text else []


def _encode(text: str, allowed: list[str], escape: bool = True, keep: bool = True) -> list[int]:
    """Encode with special tokens, in the order in which they are tried; perhaps wrongly."""
    if not allowed:
        return encode_ordinary(text)
    pattern = "|".join(re.escape(token) if escape else token for token in allowed)
    ids = []
    for part in re.split(f"({pattern})", text):
        if part in allowed:
            ids += [SPECIAL[part]] if keep else []
        else:
            ids += encode_ordinary(part or "")
    return ids


CASES: list[tuple[str, Any, list[str]]] = [
    ("hello<|end|>world", "all", ["<|user|>: ", "<|user|>", "<|end|>"]),
    ("<|user|>: hi<|user|><|end|>", "all", ["<|user|>: ", "<|user|>", "<|end|>"]),
    ("a<|end|>b<|user|>c", {"<|end|>"}, ["<|end|>"]),
    ("a<|end|>b", set(), []),
    ("a<|end|>b", "none", []),
    ("nothing special", "none_raise", []),
    ("", "all", []),
]


@checker
def special(answer: Any) -> str:
    """Check ``(text, special_tokens, encode_ordinary, allowed_special)``, which returns ids."""
    for text, allowed, tried in CASES:
        shown = f"encode_special({text!r}, ..., {allowed!r})"
        received = run(answer, text, dict(SPECIAL), encode_ordinary, allowed, shown=shown)
        everything = list(SPECIAL)
        mistakes: Mistakes = [
            (
                _encode(text, tried, escape=False),
                "The | in a special token is a sign of regular expressions: use re.escape.",
            ),
            (
                _encode(text, tried, keep=False),
                "The special tokens are lost: re.split keeps what is in parentheses.",
            ),
            (encode_ordinary(text), "The special tokens were encoded like other text."),
            (
                _encode(text, tried[::-1]),
                "Where several start at one position, the longest counts: try it first.",
            ),
            (
                _encode(text, everything[::-1]),
                "Only those that are allowed count. The others are text.",
            ),
        ]
        expect_ids(received, _encode(text, tried), shown, mistakes)
    _check_refusal(answer)
    return "Special tokens count where they are allowed, and nowhere else."


def _check_refusal(answer: Any) -> None:
    shown = "encode_special('a<|end|>b', ..., 'none_raise')"
    try:
        received = answer("a<|end|>b", dict(SPECIAL), encode_ordinary, "none_raise")
    except ValueError as error:
        if "<|end|>" not in str(error):
            fail(f"{shown} raised ValueError: {error}", "The message should name the token.")
    else:
        fail(
            f"{shown} should raise a ValueError, received {received}.",
            "A special token that nobody has allowed is an error.",
        )
