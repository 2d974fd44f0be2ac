"""The parts of a line: text, code, formulas, emphasis, links, anchors, footnotes."""

from typing import Any
from urllib.parse import urljoin

from docutils import nodes

from notebook_export import markdown
from notebook_export.base import BaseTranslator, next_sibling

__all__ = ["InlineTranslator"]


class InlineTranslator(BaseTranslator):
    """Visitor of what stands within a line."""

    def visit_Text(self, node: Any) -> None:  # noqa: N802 # named after the node
        """Write text, escaped."""
        self.markdown_lines.append(markdown.escape(node.astext()))

    def visit_math(self, node: Any) -> None:
        """Write an inline formula; some viewers don't accept spaces next to the dollars."""
        self.write(f"${' '.join(node.astext().split())}$")

    def visit_literal(self, node: Any) -> None:
        """Write code in a line."""
        self.write(markdown.inline_code(node.astext()))

    def visit_line_block(self, node: Any) -> None:
        """Write lines that are kept apart."""
        lines = [self.inside(line).strip() for line in node.children]
        self.write("  \n".join(lines) + "\n\n")

    def marked(self, node: Any, before: str, after: str) -> None:
        """Write text between two marks."""
        text = self.inside(node)
        bare = text.strip()
        if not bare:
            self.write(text)
        left, right = text.split(bare, maxsplit=1)  # a mark must touch what it marks
        self.write(f"{left}{before}{bare}{after}{right}")

    def visit_emphasis(self, node: Any) -> None:
        """Write emphasis."""
        self.marked(node, "*", "*")

    visit_title_reference = visit_emphasis

    def visit_strong(self, node: Any) -> None:
        """Write strong emphasis."""
        self.marked(node, "**", "**")

    def visit_subscript(self, node: Any) -> None:
        """Write an index."""
        self.marked(node, "<sub>", "</sub>")

    def visit_superscript(self, node: Any) -> None:
        """Write an exponent."""
        self.marked(node, "<sup>", "</sup>")

    # -- links

    def site_address(self, target: str) -> str:
        """Address on the site of a link as the page has it, relative to itself."""
        return urljoin(self.page.address, target).replace("(", "%28").replace(")", "%29")

    def visit_reference(self, node: Any) -> None:
        """Write a link: within this notebook, else to the site or to the web."""
        target = node.get("refuri", "")
        if "refid" in node or target.startswith("#"):
            self.marked(node, "[", f"](#{node.get('refid') or target[1:]})")
        self.marked(node, "[", f"]({self.site_address(target)})")

    visit_number_reference = visit_download_reference = visit_reference

    def visit_target(self, node: Any) -> None:
        """Write an anchor where a link of this page leads to it."""
        if node.get("refid") in self.wanted and not carries(node):
            self.markdown_lines.append(f'<a id="{node["refid"]}"></a>\n\n')
        raise nodes.SkipNode

    def visit_footnote_reference(self, node: Any) -> None:
        """Write the mark of a footnote."""
        self.write(f"<sup>[{node.astext()}](#{node['refid']})</sup>")

    def visit_footnote(self, node: Any) -> None:
        """Write a footnote."""
        label = node.children[0].astext()
        body = self.inside(node, without=nodes.label).strip()
        self.write(f'<a id="{node["ids"][0]}"></a><sup>{label}</sup> {body}\n\n')


def carries(target: Any) -> bool:
    """Whether the node after a target has its id, and with it the anchor."""
    following = next_sibling(target)
    return isinstance(following, nodes.Element) and target["refid"] in following.get("ids", [])
