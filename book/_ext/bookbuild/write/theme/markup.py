"""Corrects the HTML that Sphinx and its extensions write, for readers who don't see the page."""

from collections.abc import Callable
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode, depart_HideCellInput, visit_HideCellInput
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from bookbuild.write.theme.icons import ThemeChanged

__all__ = ["setup"]

Visitor = Callable[[Any, Any], None]


def corrected(visit: Visitor, old: str, new: str) -> Visitor:
    """Let a visitor write `new` for `old`.

    It raises `ThemeChanged` when it no longer writes that.
    """

    def write(translator: Any, node: nodes.Element) -> None:
        start = len(translator.body)
        visit(translator, node)
        written = "".join(translator.body[start:])
        if old not in written:
            raise ThemeChanged(f"{visit.__name__} no longer writes {old!r}: {written!r}")
        translator.body[start:] = [written.replace(old, new)]

    return write


def setup(app: Sphinx) -> None:
    """Replace the visitors."""
    # A fold is called what can be read on it, so that voice control works.
    fold = corrected(visit_HideCellInput, ' aria-label="Toggle hidden content"', "")
    app.add_node(HideCodeCellNode, override=True, html=(fold, depart_HideCellInput))
    # A role that screen readers know, and not one that is deprecated.
    entry = corrected(HTML5Translator.visit_citation, "doc-biblioentry", "listitem")
    app.add_node(nodes.citation, override=True, html=(entry, HTML5Translator.depart_citation))
