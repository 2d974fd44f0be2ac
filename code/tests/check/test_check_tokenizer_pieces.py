"""The check of the last step of chapter 8: SentencePiece's way."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import regex
from check_answers import outcome

from zerotohero.check import tokenizer
from zerotohero.check.tokenizer.pieces import TEXTS, TOYS


def encode_pieces(
    text: str,
    pieces: dict[str, int],
    *,
    prefix: str = "▁",
    before: Callable[[str], str] = lambda text: text,
    space: str = "▁",
    key: Callable[[str, dict[str, int], int], Any] = lambda pair, pieces, i: (pieces[pair], i),
    in_bytes: Callable[[str], list[str]] = lambda s: [f"<0x{b:02X}>" for b in s.encode()],
) -> list[int]:
    symbols = list(prefix + before(text).replace(" ", space))
    while True:
        pairs = [(a + b, i) for i, (a, b) in enumerate(pairwise(symbols)) if a + b in pieces]
        if not pairs:
            break
        pair, i = min(pairs, key=lambda found: key(found[0], pieces, found[1]))
        symbols[i : i + 2] = [pair]
    parts = [[symbol] if symbol in pieces else in_bytes(symbol) for symbol in symbols]
    return [pieces[piece] for part in parts for piece in part]


def test_what_the_chapter_shows_is_right() -> None:
    verdict = tokenizer.pieces(encode_pieces)
    assert verdict, verdict.message
    assert "in the order of the ids" in verdict.message


SPACES = "Keep each space, also several in a row and those at the ends."
FIRST = "Neither from the left nor the longest: the pair with the lowest id."


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"prefix": ""}, "The dummy prefix is missing: put one ▁ in front."),
        ({"space": " "}, "Every space becomes ▁."),
        ({"before": str.strip}, SPACES),
        ({"before": str.lstrip}, SPACES),
        ({"before": str.rstrip}, SPACES),
        ({"before": lambda text: text.strip(" ")}, SPACES),
        ({"before": lambda text: text.lstrip(" ")}, SPACES),
        ({"before": lambda text: text.rstrip(" ")}, SPACES),
        ({"before": lambda text: " ".join(text.split())}, SPACES),
        (
            {"before": lambda text: text.replace("\t", " ").replace("\n", " ")},
            "Only spaces become ▁, not tabs or line breaks.",
        ),
        (
            {"before": lambda text: text.replace("\u00a0", " ")},
            "Only the plain space becomes ▁, not the non-breaking one.",
        ),
        (
            {"before": lambda text: re.sub(r"\s", " ", text)},
            "Only spaces become ▁, not tabs or line breaks.",
        ),
        ({"in_bytes": lambda _: ["<unk>"]}, "What is not a piece is written in bytes."),
        (
            {"in_bytes": lambda _: []},
            "Nothing may get lost: what is not a piece is written in bytes.",
        ),
        (
            {"in_bytes": lambda s: [f"<0x{s.encode()[0]:02X}>"]},
            "A code point may have several bytes: each becomes a piece.",
        ),
        ({"key": lambda _, __, i: i}, FIRST),
        ({"key": lambda pair, _, i: (-len(pair), i)}, FIRST),
        ({"key": lambda pair, pieces, i: (-len(pair), pieces[pair], i)}, FIRST),
        ({"before": lambda text: text.partition("\n")[0]}, ""),
        ({"before": lambda text: text.replace("\r\n", "\n")}, ""),
        (
            {"key": lambda pair, pieces, i: (-pieces[pair], i)},
            "The lowest id comes first, not the highest.",
        ),
        (
            {"key": lambda pair, pieces, i: (pieces[pair], -i)},
            "Of several pairs with the lowest id, the leftmost.",
        ),
        ({"before": str.strip, "prefix": ""}, ""),
    ],
)
def test_pieces_wrong(mistake: dict[str, Any], hint: str) -> None:
    outcome(tokenizer.pieces(lambda *given: encode_pieces(*given, **mistake)), hint=hint)


def test_strings_in_place_of_ids_and_changed_pieces() -> None:
    def names(text: str, pieces: dict[str, int]) -> list[str]:
        name_of = {idx: piece for piece, idx in pieces.items()}
        return [name_of[idx] for idx in encode_pieces(text, pieces)]

    def spoiling(text: str, pieces: dict[str, int]) -> list[int]:
        ids = encode_pieces(text, pieces)
        pieces.pop("<unk>")
        return ids

    hint = "An id is a whole number: return the ids of the tokens, not strings."
    outcome(tokenizer.pieces(names), hint=hint)
    outcome(tokenizer.pieces(spoiling), "changed pieces", hint="Work on a copy.")


def test_a_piece_that_no_joining_reaches() -> None:
    def looked_up(text: str, pieces: dict[str, int]) -> list[int]:
        whole = "▁" + text.replace(" ", "▁")
        return [pieces[whole]] if whole in pieces else encode_pieces(text, pieces)

    outcome(tokenizer.pieces(looked_up), "encode_pieces('inan', pieces)")


def test_graphemes_in_place_of_code_points() -> None:
    def graphemes(text: str, pieces: dict[str, int]) -> list[int]:
        symbols = regex.findall(r"\X", "▁" + text.replace(" ", "▁"))
        while pairs := [
            (a + b, i) for i, (a, b) in enumerate(pairwise(symbols)) if a + b in pieces
        ]:
            pair, i = min(pairs, key=lambda found: (pieces[found[0]], found[1]))
            symbols[i : i + 2] = [pair]
        parts = [[s] if s in pieces else [f"<0x{b:02X}>" for b in s.encode()] for s in symbols]
        return [pieces[piece] for part in parts for piece in part]

    outcome(tokenizer.pieces(graphemes), "encode_pieces('e\u0301 ani\u0301n', pieces)")


def test_a_bytes_id_is_looked_up() -> None:
    def added(text: str, pieces: dict[str, int]) -> list[int]:
        name_of = {idx: piece for piece, idx in pieces.items()}
        names = [name_of[idx] for idx in encode_pieces(text, pieces)]
        return [3 + int(n[3:5], 16) if n.startswith("<0x") else pieces[n] for n in names]

    hint = "The id of a byte's piece is not always 3 more than the byte: look it up in pieces."
    outcome(tokenizer.pieces(added), hint=hint)


def test_the_id_0_counts() -> None:
    def in_bytes(text: str, pieces: dict[str, int]) -> list[int]:
        """Take the piece of id 0 for none, in the end."""
        nought = next(piece for piece, idx in pieces.items() if idx == 0)
        spelled = [pieces[f"<0x{byte:02X}>"] for byte in nought.encode()]
        return [i for idx in encode_pieces(text, pieces) for i in ([idx] if idx else spelled)]

    def unmerged(text: str, pieces: dict[str, int]) -> list[int]:
        """Take it for none while merging."""
        return encode_pieces(text, {piece: idx for piece, idx in pieces.items() if idx})

    outcome(tokenizer.pieces(in_bytes))
    outcome(tokenizer.pieces(unmerged))


def test_the_pieces_are_what_the_statement_says() -> None:
    """So that it makes no difference whether all places of a piece are joined at once."""
    for toy in TOYS:
        for piece, idx in toy.items():
            for i in range(1, len(piece)):
                parts = [part for part in (piece[:i], piece[i:]) if part in toy]
                assert len(parts) < 2 or all(len(p) == 1 or toy[p] < idx for p in parts)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("erer", [276, 263, 263]),
        ("there\nthe\r\nthe", [262, 280, 279, 13, 277, 260, 16, 13, 277, 260]),
    ],
)
def test_ids_by_hand(text: str, ids: list[int]) -> None:
    assert text in TEXTS[0]
    assert encode_pieces(text, TOYS[0]) == ids
