"""Typesets the formulas of a page when the book is built, so that no reader's phone has to.

MathJax runs here, in an embedded JavaScript engine, instead of in the browser. A page then needs no
script for its formulas (MathJax is 266 kB compressed, and some seconds of work on a phone), they
stand there at once, also without JavaScript, and a formula that MathJax can't read is a warning.

For Sphinx this is a renderer of formulas, as its own for MathJax in the browser is one; being the
only other one, it goes before that.
"""

import atexit
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

__all__ = ["STYLE_CLASS", "FormulaError", "Typesetter", "setup"]

logger = logging.getLogger(__name__)
FOLDER = Path(__file__).parent / "mathjax"
FILES = ("loader", "core", "liteDOM", "tex-full", "chtml", "fonts", "convert")
STYLE_CLASS = "formulas"  # of the style sheet in a page
FONTS = "_static/mathjax/output/chtml/fonts/woff-v2"
CLASSES = "math notranslate nohighlight"
# The punctuation that belongs to the last word of a line, here a formula.
CLOSING = re.compile(r"[.,;:!?)\]’”–-]+")
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

    The engine has a thread. From Python 3.13 on, an interpreter that ends while it runs waits for
    it forever, hence `close`, which is called then at the latest.
    """

    def __init__(self) -> None:
        from py_mini_racer import MiniRacer

        self.engine: Any = MiniRacer()
        atexit.register(self.close)
        self.engine.eval("var MathJax = {loader: {}, startup: {}};")
        for name in FILES:
            self.engine.eval((FOLDER / f"{name}.js").read_text(encoding="utf-8"))
        self.begin()

    def close(self) -> None:
        """Stop the engine, which can't be used afterwards. Does nothing the second time."""
        atexit.unregister(self.close)
        self.engine.close()

    def begin(self) -> None:
        """Begin a page."""
        self.engine.call("begin")

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

    def styles(self, fonts: str) -> str:
        """Return the style sheet for the formulas converted since `begin`.

        Parameters
        ----------
        fonts
            Address of the folder of the fonts, as seen from the page.
        """
        text = str(self.engine.call("styles")).replace("%%URL%%", fonts) + READ_ALOUD
        return re.sub(r"\s*\n\s*", "", re.sub(r"/\*.*?\*/", "", text))


@cache
def typesetter() -> Typesetter:
    """Return the one engine of a build; starting it takes a twentieth of a second."""
    return Typesetter()


# -- formulas in a page


def lines_of(node: nodes.math_block) -> str:
    """LaTeX of a formula on a line of its own, completed as Sphinx's renderer completes it."""
    text = node.astext()
    if node.get("nowrap"):  # has an environment of its own
        return str(text)
    parts = [part for part in text.split("\n\n") if part.strip()]
    parts = [rf"\begin{{split}}{part}\end{{split}}" if r"\\" in part else part for part in parts]
    if len(parts) < 2:
        return "".join(parts)
    aligned = r"\\".join(parts)
    return rf"\begin{{align}}\begin{{aligned}}{aligned}\end{{aligned}}\end{{align}}"


def set_formula(node: nodes.math | nodes.math_block) -> str:
    """HTML of a formula; what can't be read stays as it is, and is a warning."""
    display = isinstance(node, nodes.math_block)
    tex = lines_of(node) if display else node.astext()
    try:
        return typesetter().convert(tex, display)
    except FormulaError as error:
        # a heading is written for each page that leads to it
        logger.warning(f"MathJax can't read a formula: {error}", location=node, once=True)
        return escape(rf"\[{tex}\]" if display else rf"\({tex}\)")


def visit_math(self: Any, node: nodes.math) -> None:
    """Write a formula in a line."""
    self.body.append(f"{self.starttag(node, 'span', '', CLASS=CLASSES)}{set_formula(node)}</span>")
    raise nodes.SkipNode


def visit_math_block(self: Any, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, with its number."""
    self.body.append(self.starttag(node, "div", CLASS=CLASSES))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append(f"{set_formula(node)}</div>\n")
    raise nodes.SkipNode


# -- the page around them


def formulas(doctree: Any) -> list[Any]:
    """All formulas of a doctree."""
    return list(doctree.findall(lambda n: isinstance(n, nodes.math | nodes.math_block)))


def begin_page(app: Sphinx, doctree: Any, docname: str) -> None:
    """Begin a page, whose formulas are written next; tie punctuation to those that it follows."""
    if app.builder.format != "html":
        return
    typesetter().begin()
    for formula in list(doctree.findall(nodes.math)):
        parent, at = formula.parent, formula.parent.index(formula)
        behind = parent[at + 1] if at + 1 < len(parent) else None
        text = str(behind) if isinstance(behind, nodes.Text) else ""
        if found := CLOSING.match(text):
            rest = nodes.Text(text[found.end() :])
            tied = nodes.inline("", "", formula, nodes.Text(found[0]), classes=["unbroken"])
            # by position: texts that read the same are equal
            parent[at : at + 2] = [tied, rest]


def add_styles(
    app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Give a page the style sheet of its formulas, which holds only the characters it uses.

    To these belong the titles of all pages, which the sidebar shows.
    """
    if doctree is None:
        typesetter().begin()
    titles = [formula for title in app.env.titles.values() for formula in formulas(title)]
    for formula in titles:
        set_formula(formula)
    if titles or (doctree is not None and formulas(doctree)):
        styles = typesetter().styles(context["pathto"](FONTS, resource=True))
        context["formula_styles"] = f'<style class="{STYLE_CLASS}">{styles}</style>'


def close(app: Sphinx, error: Exception | None) -> None:
    """Stop the engine, also after a build that failed."""
    if typesetter.cache_info().currsize:
        typesetter().close()
        typesetter.cache_clear()


def setup(app: Sphinx) -> None:
    """Register the renderer, and connect this module to Sphinx's events."""
    app.add_html_math_renderer("typeset", (visit_math, None), (visit_math_block, None))
    # after the notebooks were made of the page
    app.connect("doctree-resolved", begin_page, priority=960)
    # after sphinx-notfound-page (400), which has addresses of its own
    app.connect("html-page-context", add_styles, priority=900)
    app.connect("build-finished", close, priority=990)
