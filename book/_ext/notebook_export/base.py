"""The machinery of the translator: blocks inside blocks, cells, anchors, and no silent gaps."""

from collections.abc import Callable
from typing import Any, ClassVar

import nbformat
from docutils import nodes
from sphinx.util import logging
from sphinx_tojupyter.writers.translate_all import JupyterTranslator

from notebook_export.page import Page

__all__ = ["BaseTranslator", "is_title", "next_sibling"]

logger = logging.getLogger(__name__)


class BaseTranslator(JupyterTranslator):
    """sphinx-tojupyter's translator, able to write a block on its own and put it into another."""

    markdown_lines: list[str]  # the current cell of text; the base class fills it
    # Nodes that are nothing but their children.
    TRANSPARENT: ClassVar = {
        "PassthroughTextElement", "caption", "colspec", "compound", "container", "div", "document",
        "generated", "inline", "tbody", "tgroup", "literal_strong", "literal_emphasis",
    }  # fmt: skip
    INVISIBLE: ClassVar = {"comment", "index", "meta", "substitution_definition", "toctree"}

    def __init__(self, builder: Any, document: Any, page: Page) -> None:
        super().__init__(builder, document)
        self.page = page
        self.nested = 0  # depth of blocks that can't hold a cell of the notebook
        self.in_solution = False
        self.next_cell = 0  # index of the first cell of the chapter that is not written yet
        self.next_code = 1
        # An anchor that nothing leads to would only be clutter in the text.
        self.wanted = {node["refid"] for node in document.findall() if node_wants(node)}

    # -- the machinery

    def warn_of(self, node: Any, message: str) -> None:
        """Warn of a node: the strict build fails."""
        line = next((n.line for n in ancestors(node) if n.line), None)
        logger.warning(
            f"notebook of {self.page.docname}: {message}",
            location=(self.page.docname, line),
            type="bookbuild",
        )

    def default_visit(self, node: Any) -> None:
        """Pass through what is nothing but its children, skip what nobody sees, report the rest."""
        if node.tagname in self.INVISIBLE:
            raise nodes.SkipNode
        if node.tagname not in self.TRANSPARENT:
            self.warn_of(node, f"nothing is known about <{node.tagname}>")

    unknown_visit = default_visit

    def unknown_departure(self, node: Any) -> None:
        """Nothing."""

    def inside(self, node: Any, *, skip: Callable[[Any], bool] = lambda child: False) -> str:
        """Markdown of the children of `node`, without those that `skip` names."""
        kept = self.markdown_lines
        self.markdown_lines = []
        self.nested += 1
        for child in node.children:
            if not skip(child):
                child.walkabout(self)
        self.nested -= 1
        text = "".join(self.markdown_lines)
        self.markdown_lines = kept
        return text

    def write(self, text: str) -> None:
        """Append Markdown to the current cell, and do not visit the children."""
        self.markdown_lines.append(text)
        raise nodes.SkipNode

    def add_markdown_cell(self, **metadata: Any) -> None:
        """End the current cell of text; it gets `metadata`."""
        text = "".join(self.markdown_lines).strip()
        self.markdown_lines = []
        if text:
            cell = nbformat.v4.new_markdown_cell(text, metadata=metadata)
            self.output.cells.append(cell)

    def anchors(self, node: Any) -> str:
        """Anchors for the ids of `node` that links of this page lead to."""
        return "".join(f'<a id="{i}"></a>' for i in node.get("ids", []) if i in self.wanted)


def node_wants(node: Any) -> bool:
    """Whether a node is a link into its own page; a footnote's mark is one, too."""
    if not isinstance(node, nodes.Element) or isinstance(node, nodes.target):
        return False
    if node.get("refuri", "").startswith("#"):
        node["refid"] = node["refuri"][1:]
    return "refid" in node


def is_title(node: Any) -> bool:
    """Whether a node is the title of its parent."""
    return isinstance(node, nodes.title)


def next_sibling(node: Any) -> Any:
    """Return the node after `node` that is not a comment or an anchor, or None."""
    siblings = node.parent.children
    for sibling in siblings[siblings.index(node) + 1 :]:
        if not isinstance(sibling, nodes.comment | nodes.target):
            return sibling
    return None


def ancestors(node: Any) -> Any:
    """Yield the node, its parent, and so on."""
    while node is not None:
        yield node
        node = node.parent
