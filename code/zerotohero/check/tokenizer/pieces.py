"""The check of the last exercise of chapter 8: encoding as SentencePiece does."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..running import run
from ..verdict import checker
from .ids import Mistakes, expect_ids

LEARNED = ["▁t", "he", "▁a", "▁the", "er", "▁▁", "in", "an", "▁an", "nn"]
CHARACTERS = "▁theraéni"
FIRST = 3 + 256  # the id of the first learned piece; before it, three signs and the bytes


def toy_pieces() -> dict[str, int]:
    """Return pieces with ids, in the order of a SentencePiece model with byte fallback."""
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    return {piece: idx for idx, piece in enumerate([*names, *LEARNED, *CHARACTERS])}


def _encode(
    text: str,
    pieces: dict[str, int],
    prefix: str = "▁",
    space: str = "▁",
    leftmost: bool = False,
    unknown: str = "bytes",
) -> list[int]:
    """Encode, perhaps with a mistake."""
    symbols = list(prefix + text.replace(" ", space))
    while True:
        pairs = [a + b for a, b in pairwise(symbols)]
        known = [i for i, pair in enumerate(pairs) if pair in pieces]
        if not known:
            break
        # min takes the first one of equals, which is the leftmost
        i = known[0] if leftmost else min(known, key=lambda i: pieces[pairs[i]])
        symbols[i : i + 2] = [pairs[i]]
    ids: list[int] = []
    for symbol in symbols:
        if symbol in pieces:
            ids.append(pieces[symbol])
        elif unknown == "bytes":
            ids += [pieces[f"<0x{byte:02X}>"] for byte in symbol.encode("utf-8")]
        elif unknown == "code point":
            ids += [pieces[f"<0x{byte:02X}>"] for byte in symbol.encode("utf-8")[:1]]
        else:
            ids.append(pieces["<unk>"])
    return ids


TEXTS = ("the other", "a  then an inn", " the", "hé 안 there", "annie", "nnn")


@checker
def pieces(answer: Any) -> str:
    """Check a function ``(text, pieces)`` that encodes by code points, with byte fallback."""
    toy = toy_pieces()
    for text in TEXTS:
        shown = f"encode_pieces({text!r}, pieces)"
        received = run(answer, text, dict(toy), shown=shown)
        mistakes: Mistakes = [
            (_encode(text, toy, prefix=""), "The dummy prefix is missing: put one ▁ in front."),
            (_encode(text, toy, space=" "), "Every space becomes ▁."),
            (_encode(text, toy, unknown="<unk>"), "What is not a piece is written in bytes."),
            (
                _encode(text, toy, unknown="code point"),
                "A code point may have several bytes: each becomes a piece.",
            ),
            (
                _encode(text, toy, leftmost=True),
                "Neither from the left nor the longest: the pair with the lowest id.",
            ),
        ]
        expect_ids(received, _encode(text, toy), shown, mistakes)
    return "Code points, merged in the order of the ids, and bytes for what is left."
