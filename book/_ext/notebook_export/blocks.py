"""Blocks of text: paragraphs, listings, formulas, notes, lists, tables, images."""

from typing import Any

from docutils import nodes

from notebook_export import markdown
from notebook_export.base import first
from notebook_export.inline import InlineTranslator

__all__ = ["BlockTranslator"]


class BlockTranslator(InlineTranslator):
    """Visitor of blocks of text."""

    def visit_paragraph(self, node: Any) -> None:
        """Write a paragraph."""
        text = markdown.escape_start(self.inside(node).strip())
        self.write(f"{text}\n\n" if text else "")

    def visit_literal_block(self, node: Any) -> None:
        """Write a listing: shown, not run. Code cells are written by `visit_container`."""
        language = node.get("language", "")
        known = {"ipython": "python", "ipython3": "python", "none": "", "default": ""}
        self.write(markdown.fence(node.astext(), known.get(language, language)))

    def visit_caption(self, node: Any) -> None:
        """Write the caption of a listing."""
        self.write(f"**{self.inside(node).strip()}**\n\n")

    def visit_math_block(self, node: Any) -> None:
        """Write a formula with its number."""
        tag = self.page.number("displaymath", node["ids"]) or (node.get("number") or "")
        formula = markdown.display_math(node.astext(), str(tag), bare=bool(node.get("nowrap")))
        self.write(self.block_anchors(node) + formula)

    def visit_admonition(self, node: Any) -> None:
        """Write a note, a theorem or one of its kin as a quote, or folded if the page folds it."""
        title = first(node, nodes.title)
        name = self.inside(title).strip() if title is not None else ""
        head = name or node.tagname.removesuffix("_node").capitalize()
        body = self.inside(node, without=nodes.title).strip()
        if {"dropdown", "toggle"} & set(node["classes"]):
            summary = as_html(title.astext() if title is not None else head)
            self.write(f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>\n\n")
        if "realtype" in node:  # of sphinx-proof
            number = self.page.number(node["countertype"], node["ids"])
            head = " ".join(filter(None, [node["realtype"].capitalize(), number, name]))
        self.write(self.block_anchors(node) + markdown.quote(f"**{head}**\n\n{body}"))

    visit_topic = visit_sidebar = visit_admonition

    def unknown_visit(self, node: Any) -> None:
        """Admonitions have many names."""
        if isinstance(node, nodes.Admonition):
            self.visit_admonition(node)
        super().unknown_visit(node)

    def visit_block_quote(self, node: Any) -> None:
        """Write a quotation."""
        self.write(markdown.quote(self.inside(node)))

    def visit_attribution(self, node: Any) -> None:
        """Write who is quoted."""
        self.write(f"— {self.inside(node).strip()}\n\n")

    def items(self, node: Any, marks: list[str]) -> None:
        """Write a list."""
        texts = [self.inside(item).strip() for item in node.children]
        tight = all("\n\n" not in text for text in texts)
        between = "\n" if tight else "\n\n"
        self.write(between.join(map(markdown.indent, texts, marks)) + "\n\n")

    def visit_bullet_list(self, node: Any) -> None:
        """Write a list."""
        self.items(node, ["- "] * len(node.children))

    def visit_enumerated_list(self, node: Any) -> None:
        """Write a numbered list."""
        start = node.get("start", 1)
        self.items(node, [f"{start + i}. " for i in range(len(node.children))])

    def visit_definition_list(self, node: Any) -> None:
        """Write a list of terms; Jupyter's Markdown has none."""
        for item in node.children:
            term, *rest = item.children
            self.markdown_lines.append(f"{self.anchors(term)}**{self.inside(term).strip()}**\n\n")
            self.markdown_lines += [self.inside(definition) for definition in rest]
        raise nodes.SkipNode

    visit_field_list = visit_definition_list

    def visit_transition(self, node: Any) -> None:
        """Write a rule."""
        self.write("---\n\n")

    def visit_table(self, node: Any) -> None:
        """Write a table; its first row is the head, since Markdown knows no table without."""
        self.markdown_lines.append(self.block_anchors(node))
        if (title := first(node, nodes.title)) is not None:
            self.markdown_lines.append(self.captioned("table", node, title))
        rows = [
            [markdown.table_cell(self.inside(entry)) for entry in row.children]
            for row in node.findall(nodes.row)
        ]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, "|" + " --- |" * len(rows[0]))
        self.write("\n".join(lines) + "\n\n")

    def visit_figure(self, node: Any) -> None:
        """Write a figure of the text, with its caption."""
        image = self.inside(node, without=nodes.caption).strip()
        caption = first(node, nodes.caption)
        text = self.captioned("figure", node, caption) if caption is not None else ""
        self.write(f"{self.anchors(node)}{image}\n\n{text}")

    def visit_legend(self, node: Any) -> None:
        """Write what a figure says below its caption."""
        self.write(self.inside(node))

    def visit_image(self, node: Any) -> None:
        """Write an image of the text; it is on the site."""
        alt = markdown.escape(node.get("alt", "")).replace("[", "\\[").replace("]", "\\]")
        uri = node["uri"]
        self.write(f"![{alt}]({self.site_address(self.page.images.get(uri, uri))})")

    def visit_raw(self, node: Any) -> None:
        """Keep raw HTML, unless it is a program: no notebook would run it."""
        if "html" not in node.get("format", "").split():
            raise nodes.SkipNode
        html = node.astext().strip()
        if "<script" in html.lower() or "<form" in html.lower():
            link = f"[open it on the page]({self.page.address})"
            self.write(f"*This part of the chapter is interactive: {link}.*\n\n")
            return
        self.write(html if isinstance(node.parent, nodes.TextElement) else f"{html}\n\n")


def as_html(text: str) -> str:
    """Text between tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
