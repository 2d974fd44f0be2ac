"""Fixes flaws that other extensions leave on the pages."""

from typing import Any

from docutils import nodes
from myst_nb.core.render import NbElementRenderer
from sphinx.application import Sphinx
from sphinx.config import Config

from bookbuild.execute.results import MIME

__all__ = ["accept_reproduced_figures", "setup"]


def accept_reproduced_figures() -> None:
    """Keep myst-nb from warning of the media type `MIME`; other unknown types still warn.

    myst-nb takes renderers from entry points of installed distributions only, which this
    extension is not.
    """
    original = NbElementRenderer.render_unhandled
    if getattr(original, "knows_reproduced", False):
        return

    def render_unhandled(self: Any, data: Any) -> Any:
        return [] if data.mime_type == MIME else original(self, data)

    render_unhandled.knows_reproduced = True  # type: ignore[attr-defined] # a mark on a function
    NbElementRenderer.render_unhandled = render_unhandled


def drop_thebe(app: Sphinx, config: Config) -> None:
    """Undo what sphinx-thebe adds to each page.

    Jupyter Book always loads it. Its script looks for a configuration that is not there and throws
    an error on every page, and names a third party's address.
    """
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if getattr(listener.handler, "__module__", None) == "sphinx_thebe":
                listeners.remove(listener)
    app.registry.css_files[:] = [
        (name, attributes)
        for name, attributes in app.registry.css_files
        if name != "sphinx-thebe.css"
    ]


def unescape_addresses(app: Sphinx, doctree: Any) -> None:
    """Write ``&`` in the addresses of links, which MyST writes as HTML's ``&amp;``.

    Sphinx escapes them once more, so that what comes after the first argument of an address
    would be lost.
    """
    for link in doctree.findall(nodes.reference):
        if "&amp;" in link.get("refuri", ""):
            link["refuri"] = link["refuri"].replace("&amp;", "&")


def drop_repeated_ids(app: Sphinx, doctree: Any, docname: str) -> None:
    """Remove the ids that sphinx-exercise gives to the body of every exercise and solution alike.

    An id may occur only once on a page. Nothing refers to these.
    """
    for section in doctree.findall(nodes.section):
        section["ids"] = [
            name for name in section["ids"] if name not in {"exercise-content", "solution-content"}
        ]


def move_spaces(app: Sphinx, doctree: Any, docname: str) -> None:
    """Put the space before a link to an exercise, in the title of its solution, before the link."""
    for solution in doctree.findall(lambda node: node.tagname == "solution_node"):
        for link in list(solution[0].findall(nodes.reference)):
            text = next(link.findall(nodes.Text))
            if text.startswith(" "):
                link.parent.insert(link.parent.index(link), nodes.Text(" "))
                text.parent.replace(text, nodes.Text(text.lstrip()))


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx's events."""
    accept_reproduced_figures()
    app.connect("config-inited", drop_thebe, priority=950)
    app.connect("doctree-read", unescape_addresses)
    app.connect("doctree-resolved", drop_repeated_ids)
    app.connect("doctree-resolved", move_spaces)
