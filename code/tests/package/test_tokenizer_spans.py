"""Tokens as colored spans: what they show, what they say, and whether they can be read."""

import itertools

import pytest
from bs4 import BeautifulSoup

from zerotohero.tokenizer import RegexTokenizer
from zerotohero.tokenizer.spans import FILLS, FRAME, INK, TokenSpans, spoken, visible

PROGRAM = "if a < b:\n    return '안'\n\n\tx &amp; y\n"


@pytest.fixture
def tokenizer() -> RegexTokenizer:
    tokenizer = RegexTokenizer()
    tokenizer.train(PROGRAM * 3, 270)
    return tokenizer


@pytest.mark.parametrize(
    ("token", "seen", "heard"),
    [
        (b"if", "if", "if"),
        (b" a", "·a", "space, a"),
        (b"    ", "····", "4 spaces"),
        (b":\n\n\t", ":⏎⏎→", ":, 2 newlines, tab"),
        (b"\r\n", "␍⏎", "carriage return, newline"),
        ("안".encode(), "안", "안"),
        (b"\xec\x95", r"\xec\x95", r"\xec\x95"),
        (b"\x00", r"\x00", r"\x00"),
        ("\u200b".encode(), r"\u200b", r"\u200b"),
        ("· →".encode(), r"\xb7·\u2192", "·, space, →"),  # not as if they were spaces and tabs
        ("⏎␍\n".encode(), r"\u23ce\u240d⏎", "⏎␍, newline"),
    ],
)
def test_a_token_can_be_seen_and_heard(token: bytes, seen: str, heard: str) -> None:
    assert visible(token) == seen
    assert spoken(token) == heard


def test_every_token_is_an_item_with_its_id(tokenizer: RegexTokenizer) -> None:
    spans = TokenSpans(tokenizer, PROGRAM, "Mine & yours")
    soup = BeautifulSoup(spans._repr_html_(), "html.parser")
    (tokens,) = soup.select("ol[role=list]")
    assert tokens["aria-label"] == f"Mine & yours, {len(spans.ids)} tokens"
    items = tokens.find_all("li")
    assert spans.ids == tokenizer.encode(PROGRAM)
    assert len(items) == len(spans.ids)
    for item, idx, token in zip(items, spans.ids, spans.tokens):
        shown, name = item.find_all("span")
        assert shown["aria-hidden"] == "true"
        assert shown.get_text() == visible(token)
        assert name.get_text() == shown["title"] == f"{spoken(token)}: id {idx}"
        assert "display:none" not in name["style"]  # a screen reader would leave it out
    assert b"".join(spans.tokens).decode() == PROGRAM


@pytest.mark.parametrize("text", [PROGRAM, "a⏎b·c\n⏎\n"])
def test_lines_break_where_the_text_does(tokenizer: RegexTokenizer, text: str) -> None:
    html = TokenSpans(tokenizer, text, "Mine")._repr_html_()
    assert html.count("<br>") == text.count("\n")
    for shown in BeautifulSoup(html, "html.parser").select("span[aria-hidden]"):
        assert not str(shown).endswith("<br/></span>")  # it would draw an empty frame


def test_without_html() -> None:
    assert repr(TokenSpans(RegexTokenizer(), "a b", "Bytes")) == "Bytes, 3 tokens: a|·|b"
    assert repr(TokenSpans(RegexTokenizer(), "a", "Bytes")) == "Bytes, 1 token: a"


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colors() -> None:
    for fill in FILLS:
        assert contrast(INK, fill) > 10
        assert contrast(FRAME, fill) >= 3  # neighbors are told apart without color, too
    assert all(a != b for a, b in itertools.pairwise((*FILLS, FILLS[0])))
