"""The machinery of the translator: blocks inside blocks, cells, anchors, and no silent gaps."""

from typing import Any, ClassVar

import nbformat
from docutils import nodes
from nbformat import NotebookNode
from sphinx.util import logging

from notebook_export.page import Page

__all__ = ["BaseTranslator", "first", "next_sibling"]

logger = logging.getLogger(__name__)


class BaseTranslator(nodes.NodeVisitor):
    """docutils' visitor, able to write a block on its own and put it into another."""

    # Nodes that are nothing but their children.
    TRANSPARENT: ClassVar = {
        "PassthroughTextElement", "compound", "container", "document", "generated", "inline",
        "literal_emphasis", "literal_strong",
    }  # fmt: skip
    INVISIBLE: ClassVar = {
        "comment", "highlightlang", "index", "meta", "substitution_definition", "toctree",
    }  # fmt: skip

    def __init__(self, document: Any, page: Page) -> None:
        super().__init__(document)
        self.page = page
        self.cells: list[NotebookNode] = []  # the notebook
        self.markdown_lines: list[str] = []  # the current cell of text
        self.section_level = 0
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

    def unknown_visit(self, node: Any) -> None:
        """Pass through what is nothing but its children, skip what nobody sees, report the rest."""
        if node.tagname in self.INVISIBLE:
            raise nodes.SkipNode
        if node.tagname not in self.TRANSPARENT:
            self.warn_of(node, f"there is no rule for <{node.tagname}>")

    def unknown_departure(self, node: Any) -> None:
        """Nothing."""

    def inside(self, node: Any, *, without: Any = ()) -> str:
        """Markdown of the children of `node`, except those of the class `without`."""
        kept, self.markdown_lines = self.markdown_lines, []
        self.nested += 1
        for child in node.children:
            if not isinstance(child, without):
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
        if text := "".join(self.markdown_lines).strip():
            self.cells.append(nbformat.v4.new_markdown_cell(text, metadata=metadata))
        self.markdown_lines = []

    def anchors(self, node: Any) -> str:
        """Anchors for the ids of `node` that links of this page lead to."""
        return "".join(f'<a id="{i}"></a>' for i in node.get("ids", []) if i in self.wanted)

    def block_anchors(self, node: Any) -> str:
        """Anchors before a block whose mark has to start its line."""
        return f"{found}\n\n" if (found := self.anchors(node)) else ""

    def captioned(self, kind: str, node: Any, caption: Any) -> str:
        """Caption of `node`, with its number, as ``Fig. 2.1``."""
        label = self.page.label(kind, node["ids"])
        number = f"**{label}.** " if label else ""
        return f"{number}{self.inside(caption).strip()}\n\n"


def node_wants(node: Any) -> bool:
    """Whether a node is a link into its own page; a footnote's mark is one, too."""
    if not isinstance(node, nodes.Element) or isinstance(node, nodes.target):
        return False
    if node.get("refuri", "").startswith("#"):
        node["refid"] = node["refuri"][1:]
    return "refid" in node


def first(node: Any, kind: Any) -> Any:
    """Return the first child of a class, or None."""
    return next((child for child in node.children if isinstance(child, kind)), None)


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
