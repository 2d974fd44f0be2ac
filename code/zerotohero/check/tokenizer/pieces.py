"""The check of the last exercise of chapter 8: encoding as SentencePiece does."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from ..running import run
from ..verdict import checker
from .ids import Call, Ids, expect_calls

# What was learned, in order, and then the single characters, as in a model of SentencePiece.
# fmt: off
ENGLISH = [
    "▁t", "he", "▁a", "▁the", "er", "▁▁", "in", "an", "▁an", "nn", "▁▁▁▁", "th", "ere", "eren",
    "▁i", "nan", "▁inan",  # the last is never reached: "in" comes first
    *"▁theraéni\u0301",
]
OTHERS = [
    "sc", "ch", "ei", "▁s", "sch", "en", "▁▁", "▁sch", "in", "▁ein", "안녕", "😉😉",
    "üß", "ss", "▁▁▁", *"▁schinüß안녕세요😉",
]
# fmt: on


GIVEN = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]


def toy_pieces(names: list[str], seed: int) -> dict[str, int]:
    """Return pieces with ids in the order of the names, themselves in no order."""
    pieces = [(piece, idx) for idx, piece in enumerate(names)]
    random.Random(seed).shuffle(pieces)
    return dict(pieces)


TOYS = [
    toy_pieces(GIVEN + ENGLISH, 1),
    toy_pieces(OTHERS + random.Random(2).sample(GIVEN, len(GIVEN)), 2),  # its bytes in no order
]
TEXTS = [
    (
        "the other",
        "a  then an inn",
        " the",
        "hé 안 there",
        "annie",
        "nnn",
        "there  \t\n",
        "    in",
        "The HE",
        "in\u00a0the",
        "erer",
        "there\nthe\r\nthe",
        "inan",
        "e\u0301 ani\u0301n",  # a letter and its accent are two code points, each with a piece
    ),
    (
        "schein schön",
        "scan",
        "  scheiden ",
        "üß안녕하세요",
        "😉😉😉 e\u0301ss",
        "sssch\x07",
        "x",
        "ß",
        " ",
        "   ",
    ),
]

# -- ways to encode --------------------------------------------------------------------

Key = Callable[[int, int, str], Any]


def lowest(idx: int, position: int, _pair: str) -> Any:
    """Prefer the lowest id, then the leftmost."""
    return idx, position


def byte_pieces(symbol: str) -> list[str]:
    """Return the pieces of a symbol's bytes."""
    return [f"<0x{byte:02X}>" for byte in symbol.encode("utf-8")]


class Way(NamedTuple):
    """A way to encode: the right one, but for what is given."""

    prefix: str = "▁"
    spaces: Callable[[str], str] = lambda text: text.replace(" ", "▁")
    key: Key = lowest
    in_bytes: Callable[[str], list[str]] = byte_pieces
    offset: int | None = None  # what is added to a byte, where its piece is not looked up


def encode(text: str, pieces: dict[str, int], way: Way) -> Ids:
    """Encode, perhaps with a mistake."""
    symbols = list(way.prefix + way.spaces(text))
    while True:
        pairs = [(i, a + b) for i, (a, b) in enumerate(pairwise(symbols)) if a + b in pieces]
        if not pairs:
            break
        i, pair = min(pairs, key=lambda found: way.key(pieces[found[1]], *found))
        symbols[i : i + 2] = [pair]
    parts = [[symbol] if symbol in pieces else way.in_bytes(symbol) for symbol in symbols]
    ids = {} if way.offset is None else {f"<0x{b:02X}>": b + way.offset for b in range(256)}
    return [ids.get(piece, pieces[piece]) for part in parts for piece in part]


SPACES = "Keep each space, also several in a row and those at the ends."
FIRST = "Neither from the left nor the longest: the pair with the lowest id."
MISTAKES = [
    (Way(prefix=""), "The dummy prefix is missing: put one ▁ in front."),
    (Way(spaces=lambda text: text), "Every space becomes ▁."),
    (Way(spaces=lambda text: text.strip().replace(" ", "▁")), SPACES),
    (Way(spaces=lambda text: text.lstrip().replace(" ", "▁")), SPACES),
    (Way(spaces=lambda text: text.rstrip().replace(" ", "▁")), SPACES),
    (Way(spaces=lambda text: text.strip(" ").replace(" ", "▁")), SPACES),
    (Way(spaces=lambda text: text.lstrip(" ").replace(" ", "▁")), SPACES),
    (Way(spaces=lambda text: text.rstrip(" ").replace(" ", "▁")), SPACES),
    (Way(spaces=lambda text: "▁".join(text.split())), SPACES),
    (
        Way(spaces=lambda text: text.replace(" ", "▁").replace("\t", "▁").replace("\n", "▁")),
        "Only spaces become ▁, not tabs or line breaks.",
    ),
    (
        Way(spaces=lambda text: text.replace(" ", "▁").replace("\u00a0", "▁")),
        "Only the plain space becomes ▁, not the non-breaking one.",
    ),
    (
        Way(spaces=lambda text: re.sub(r"\s", "▁", text)),
        "Only spaces become ▁, not tabs or line breaks.",
    ),
    (
        Way(offset=3),
        "The id of a byte's piece is not always 3 more than the byte: look it up in pieces.",
    ),
    (Way(in_bytes=lambda _: ["<unk>"]), "What is not a piece is written in bytes."),
    (
        Way(in_bytes=lambda symbol: [f"<0x{symbol.encode()[0]:02X}>"]),
        "A code point may have several bytes: each becomes a piece.",
    ),
    (Way(in_bytes=lambda _: []), "Nothing may get lost: what is not a piece is written in bytes."),
    (Way(key=lambda _, i, __: i), FIRST),
    (Way(key=lambda _, i, pair: (-len(pair), i)), FIRST),
    (Way(key=lambda idx, i, pair: (-len(pair), idx, i)), FIRST),
    (Way(key=lambda idx, i, _: (-idx, i)), "The lowest id comes first, not the highest."),
    (Way(key=lambda idx, i, _: (idx, -i)), "Of several pairs with the lowest id, the leftmost."),
]


@cache
def results(way: Way) -> list[Ids]:
    """Return the ids of all texts."""
    return [encode(text, toy, way) for toy, texts in zip(TOYS, TEXTS) for text in texts]


def _predicted() -> Iterator[tuple[list[Ids], str]]:
    """Yield what each mistake would give, and its hint. Only wrong answers get here."""
    for way, hint in MISTAKES:
        yield results(way), hint


@checker
def pieces(answer: Any) -> str:
    """Check a function ``(text, pieces)`` that encodes by code points, with byte fallback."""
    calls = []
    right = iter(results(Way()))
    for toy, texts in zip(TOYS, TEXTS):
        for text in texts:
            shown = f"encode_pieces({text!r}, pieces)"
            calls.append(Call(shown, next(right), run(answer, text, dict(toy), shown=shown)))
    expect_calls(calls, _predicted())
    return "Code points, merged in the order of the ids, and bytes for what is left."
