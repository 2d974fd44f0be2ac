"""Blocks of text: paragraphs, listings, formulas, notes, lists, tables, images."""

from typing import Any

from docutils import nodes

from notebook_export import markdown
from notebook_export.base import is_title
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
        if language in self.tojupyter_lang_synonyms:
            language = "python"
        self.write(
            markdown.fence(node.astext(), "" if language in {"none", "default"} else language)
        )

    def visit_caption(self, node: Any) -> None:
        """Write the caption of a listing."""
        self.write(f"**{self.inside(node).strip()}**\n\n")

    def visit_math_block(self, node: Any) -> None:
        """Write a formula with its number."""
        tag = self.page.number("displaymath", node["ids"]) or (node.get("number") or "")
        formula = markdown.display_math(node.astext(), str(tag), bare=bool(node.get("nowrap")))
        anchors = self.anchors(node)
        self.write(f"{anchors}\n\n{formula}" if anchors else formula)

    def visit_admonition(self, node: Any) -> None:
        """Write a note as a quote, or folded if the page folds it."""
        title = next((c for c in node.children if is_title(c)), None)
        head = self.inside(title).strip() if title is not None else node.tagname.capitalize()
        body = self.inside(node, skip=is_title).strip()
        if {"dropdown", "toggle"} & set(node.get("classes", [])):
            summary = title.astext() if title is not None else head
            self.write(
                f"<details>\n<summary>{as_html(summary)}</summary>\n\n{body}\n\n</details>\n\n"
            )
        anchors = f"{found}\n\n" if (found := self.anchors(node)) else ""
        self.write(anchors + markdown.quote(f"**{head}**\n\n{body}"))

    visit_note = visit_tip = visit_hint = visit_important = visit_admonition
    visit_warning = visit_caution = visit_danger = visit_error = visit_attention = visit_admonition
    visit_seealso = visit_topic = visit_sidebar = visit_admonition

    def visit_theorem_node(self, node: Any) -> None:
        """Write a theorem or one of its kin as a quote, with number, name and anchor.

        The base class writes no anchor, so that a link to it would lead nowhere.
        """
        title = next((c for c in node.children if is_title(c)), None)
        number = self.page.number(node.get("countertype", ""), node["ids"])
        head = f"{node['realtype'].capitalize()} {number}".strip()
        name = self.inside(title).strip() if title is not None else ""
        body = self.inside(node, skip=is_title).strip()
        anchors = f"{found}\n\n" if (found := self.anchors(node)) else ""
        self.write(anchors + markdown.quote(f"**{f'{head} {name}'.strip()}**\n\n{body}"))

    visit_axiom_node = visit_lemma_node = visit_definition_node = visit_theorem_node
    visit_remark_node = visit_conjecture_node = visit_corollary_node = visit_theorem_node
    visit_algorithm_node = visit_criterion_node = visit_example_node = visit_theorem_node
    visit_property_node = visit_observation_node = visit_proposition_node = visit_theorem_node
    visit_assumption_node = visit_notation_node = visit_theorem_node
    visit_unenumerable_node = visit_theorem_node

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
        title = next((c for c in node.children if is_title(c)), None)
        if anchors := self.anchors(node):  # on the table's first line, it would break the table
            self.markdown_lines.append(f"{anchors}\n\n")
        if title is not None:
            label = self.page.label("table", node["ids"])
            text = self.inside(title).strip()
            self.markdown_lines.append(f"**{label}.** {text}\n\n" if label else f"**{text}**\n\n")
        rows = [
            [markdown.table_cell(self.inside(entry)) for entry in row.children]
            for row in node.findall(nodes.row)
        ]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, "|" + " --- |" * len(rows[0]))
        self.write("\n".join(lines) + "\n\n")

    def visit_figure(self, node: Any) -> None:
        """Write a figure of the text, with its caption."""
        caption = next((c for c in node.children if isinstance(c, nodes.caption)), None)
        text = self.anchors(node) + self.inside(node, skip=lambda c: c is caption).strip() + "\n\n"
        if caption is not None:
            label = self.page.label("figure", node["ids"])
            text += f"**{label}.** " if label else ""
            text += self.inside(caption).strip() + "\n\n"
        self.write(text)

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
