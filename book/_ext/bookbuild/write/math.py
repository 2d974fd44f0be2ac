"""Typesets the formulas of a page when the book is built, so that no reader's phone has to.

MathJax runs here, in an embedded JavaScript engine, instead of in the browser. A page then needs no
script for its formulas (MathJax is 266 kB compressed, and some seconds of work on a phone), they
stand there at once, also without JavaScript, and a formula that MathJax can't read is a warning.
"""

import html
import re
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["STYLE_CLASS", "FormulaError", "Typesetter", "typeset"]

FOLDER = Path(__file__).parent / "mathjax"
FILES = ("loader", "core", "liteDOM", "tex-full", "chtml", "fonts", "convert")
STYLE_CLASS = "formulas"  # of the style sheet in a page
FONTS = "_static/mathjax/output/chtml/fonts/woff-v2"

# What Sphinx and MyST write for MathJax in the browser.
HOLDER = re.compile(
    r'<(span|div) class="(?:[\w-]+ )*math(?: [\w-]+)*"[^>]*>(?:(?!</?div).)*?</\1>', re.DOTALL
)
# A formula in a line, and the punctuation that belongs to its last word.
CLOSED = re.compile(
    r'(<span class="(?:[\w-]+ )*math(?: [\w-]+)*"[^>]*>[^<]*</span>[.,;:!?)\]’”–-]+)'
)
FORMULA = re.compile(r"\\\((.*?)\\\)|\\\[(.*?)\\\]", re.DOTALL)
SCRIPT = re.compile(
    r"\s*<script>window\.MathJax = .*?</script>|\s*<script[^>]*mathjax[^>]*></script>", re.DOTALL
)
ROOT = re.compile(r'data-content_root="([^"]*)"')
READ_ALOUD = """
mjx-container { position: relative; }
mjx-assistive-mml { position: absolute; top: 0; left: 0; clip: rect(1px, 1px, 1px, 1px);
  padding: 1px 0 0; border: 0; display: block; width: 1px; overflow: hidden; user-select: none; }
"""


class FormulaError(ValueError):
    """MathJax can't read a formula; the message holds MathJax's reason and the formula."""


class Typesetter:
    """MathJax in an engine of its own.

    Formulas are converted for one page at a time, between `begin` and `styles`.
    """

    def __init__(self) -> None:
        from py_mini_racer import MiniRacer

        self.engine: Any = MiniRacer()
        self.engine.eval("var MathJax = {loader: {}, startup: {}};")
        for name in FILES:
            self.engine.eval((FOLDER / f"{name}.js").read_text(encoding="utf-8"))

    def begin(self, fonts: str) -> None:
        """Begin a page, from which the fonts are found at the address `fonts`."""
        self.engine.call("begin", fonts)

    def convert(self, tex: str, display: bool) -> str:
        """Return a formula as HTML.

        Parameters
        ----------
        tex
            The formula in LaTeX, without delimiters.
        display
            Whether it stands on a line of its own.

        Raises
        ------
        FormulaError
            When MathJax can't read it.
        """
        from py_mini_racer import JSEvalException

        try:
            shown, spoken = self.engine.call("convert", tex, display)
        except JSEvalException as error:
            found = re.search(r"Error: (.+)", str(error))
            reason = found.group(1) if found else "unknown error"
            raise FormulaError(f"{reason}: {tex.strip()!r}") from error
        shown = str(shown).replace("<mjx-math ", '<mjx-math aria-hidden="true" ', 1)
        kind = "block" if display else "inline"
        hidden = f'<mjx-assistive-mml display="{kind}">{spoken}</mjx-assistive-mml>'
        return shown.removesuffix("</mjx-container>") + hidden + "</mjx-container>"

    def styles(self) -> str:
        """Return the style sheet for the formulas converted since `begin`."""
        text = re.sub(r"/\*.*?\*/", "", str(self.engine.call("styles")) + READ_ALOUD)
        return re.sub(r"\s*\n\s*", "", text)


@cache
def typesetter() -> Typesetter:
    """Return the one engine of this process; starting it takes a twentieth of a second."""
    return Typesetter()


def typeset(page: str) -> tuple[str, list[str]]:
    r"""Replace the formulas of a written page by their typeset form.

    Parameters
    ----------
    page
        HTML as Sphinx's MathJax extension leaves it: ``\(…\)`` and ``\[…\]`` in elements of the
        class ``math``, and the scripts that would typeset them in the browser.

    Returns
    -------
    page
        With the formulas, their style sheet, and no script of MathJax.
    flaws
        What MathJax could not read, and is left as it was.
    """
    bare = SCRIPT.sub("", page)
    if not HOLDER.search(bare):
        return bare, []
    root = ROOT.search(bare)
    engine = typesetter()
    engine.begin((root.group(1) if root else "./") + FONTS)
    flaws: list[str] = []

    def formula(match: re.Match[str]) -> str:
        display = match.group(1) is None
        tex = html.unescape(match.group(2) if display else match.group(1))
        try:
            return engine.convert(tex, display)
        except FormulaError as error:
            flaws.append(str(error))
            return match.group(0)

    bare = CLOSED.sub(r'<span class="unbroken">\1</span>', bare)
    bare = HOLDER.sub(lambda match: FORMULA.sub(formula, match.group(0)), bare)
    style = f'<style class="{STYLE_CLASS}">{engine.styles()}</style>\n'
    return bare.replace("</head>", f"{style}</head>", 1), flaws
