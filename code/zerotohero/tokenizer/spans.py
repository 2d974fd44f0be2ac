"""A text as colored spans, one for each token: for a notebook, a page, a screen reader.

Spaces, tabs and line breaks are made visible, and so are bytes that are not text by themselves.
The colors only tell neighbors apart; each token has a frame, too, and says its id.
"""

from __future__ import annotations

import re
from html import escape

from .tokenizers import Tokenizer

INK = "#1b1b1f"
FILLS = ("#cfe3f7", "#fbe3b5", "#cdebe0", "#ecd6ea")  # each with more than 10:1 to the ink
FRAME = "#6b6b76"
SIGNS = {" ": "·", "\t": "→", "\n": "⏎", "\r": "␍"}
SIGNS |= {sign: ascii(sign)[1:-1] for sign in SIGNS.values()}  # a sign in the text is no space
WORDS = {" ": "space", "\t": "tab", "\n": "newline", "\r": "carriage return"}
HIDDEN = (  # for the eye; a screen reader reads it
    "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap"
)


def visible(token: bytes) -> str:
    r"""Return a token as it can be seen: ``b" a\n"`` is ``·a⏎``, and a lone byte ``\xec``.

    Signs such as ``·`` that the text itself holds are escaped: ``\xb7``.
    """
    text = token.decode("utf-8", errors="backslashreplace")
    return "".join(SIGNS.get(ch, ch if ch.isprintable() else ascii(ch)[1:-1]) for ch in text)


def spoken(token: bytes) -> str:
    r"""Return a token as it can be heard: ``b"\n    if"`` is ``newline, 4 spaces, if``."""
    parts = []
    text = token.decode("utf-8", errors="backslashreplace")
    for run in re.findall(r" +|\t+|\n+|\r+|[^ \t\n\r]+", text):
        word = WORDS.get(run[0])
        if word is None:
            parts.append("".join(ch if ch.isprintable() else ascii(ch)[1:-1] for ch in run))
        else:
            parts.append(word if len(run) == 1 else f"{len(run)} {word}s")
    return ", ".join(parts)


class TokenSpans:
    """The tokens of a text, to be shown at the end of a cell.

    Parameters
    ----------
    tokenizer : Tokenizer
    text : str
        Special tokens in it are encoded like other text.
    label : str
        What stands above, before the number of tokens.

    Attributes
    ----------
    ids : list of int
    tokens : list of bytes
    """

    def __init__(self, tokenizer: Tokenizer, text: str, label: str) -> None:
        self.label = label
        self.ids = tokenizer.encode_ordinary(text)
        self.tokens = [tokenizer.vocab[idx] for idx in self.ids]

    def __repr__(self) -> str:
        tokens = "|".join(visible(token) for token in self.tokens)
        return f"{self._title()}: {tokens}"

    def _repr_html_(self) -> str:
        items = "".join(map(self._item, range(len(self.ids)), self.ids, self.tokens))
        title = escape(self._title())
        return (
            f'<div class="token-spans"><p style="margin:0 0 0.3rem"><strong>{title}</strong></p>'
            f'<ol role="list" aria-label="{title}" style="position:relative;list-style:none;'
            "margin:0;padding:0;font-family:monospace;font-size:0.9rem;line-height:1.9;"
            f'overflow-wrap:anywhere">{items}</ol></div>'
        )

    def _title(self) -> str:
        return f"{self.label}, {len(self.ids)} token{'s' if len(self.ids) != 1 else ''}"

    @staticmethod
    def _item(position: int, idx: int, token: bytes) -> str:
        # After a line break, the next line begins; inside a token, too.
        lines = escape(visible(token)).split("⏎")
        shown, after = "⏎<br>".join(lines), ""
        if len(lines) > 1 and not lines[-1]:  # no empty frame at the start of the next line
            shown, after = shown.removesuffix("<br>"), "<br>"
        name = escape(f"{spoken(token)}: id {idx}")
        style = (
            f"color:{INK};background:{FILLS[position % len(FILLS)]};"
            f"box-shadow:inset 0 0 0 1px {FRAME};border-radius:3px;padding:2px 3px;"
            "-webkit-box-decoration-break:clone;box-decoration-break:clone"
        )
        return (
            f'<li style="display:inline"><span aria-hidden="true" title="{name}" '
            f'style="{style}">{shown}</span><span style="{HIDDEN}">{name}</span>{after}</li><wbr>'
        )
