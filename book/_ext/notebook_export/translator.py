"""The resolved page as the cells of a notebook.

A node that is not known is an error, not a gap in the text.
"""

from typing import Any

from docutils import nodes

from notebook_export.base import first, next_sibling
from notebook_export.blocks import BlockTranslator
from notebook_export.cells import code_cell

__all__ = ["ChapterTranslator"]


class ChapterTranslator(BlockTranslator):
    """Visitor of a resolved page; afterwards, `cells` are the notebook."""

    # -- headings

    def heading(self, node: Any, text: str, level: int, **metadata: Any) -> None:
        """Start a cell with a heading."""
        self.add_markdown_cell()
        marks = "#" * min(level, 6)
        self.markdown_lines.append(f"{self.block_anchors(node)}{marks} {text.strip()}\n\n")
        if metadata:
            self.add_markdown_cell(**metadata)

    def visit_title(self, node: Any) -> None:
        """Write the title of a section; all others are written by what they belong to."""
        section = node.parent
        text = self.inside(node)
        for name in ["", *section["ids"]] if self.section_level == 1 else section["ids"]:
            anchor = f"#{name}" if name else ""
            if number := self.page.sections.get(anchor):
                text = f"{'.'.join(map(str, number))}. {text}"
                break
        if self.section_level == 1:
            self.title: str = node.astext()
        self.heading(section, text, self.section_level)
        raise nodes.SkipNode

    def visit_section(self, node: Any) -> None:
        """Descend; the body of an exercise or solution is a section without a title."""
        if isinstance(node.parent, nodes.document | nodes.section):
            self.section_level += 1

    def depart_section(self, node: Any) -> None:
        """Ascend."""
        if isinstance(node.parent, nodes.document | nodes.section):
            self.section_level -= 1

    def visit_rubric(self, node: Any) -> None:
        """Write a heading that is no section."""
        self.write(f"**{self.inside(node).strip()}**\n\n")

    # -- exercises and solutions

    def visit_exercise_enumerable_node(self, node: Any) -> None:
        """Write the exercise below a heading with its number."""
        label = self.page.label("exercise", node["ids"])
        self.heading(node, f"{label}{self.inside(node.children[0])}", self.section_level + 1)
        self.markdown_lines.append(self.inside(node, without=nodes.title))
        raise nodes.SkipNode

    visit_exercise_node = visit_exercise_enumerable_node

    def visit_solution_node(self, node: Any) -> None:
        """Write the solution below a heading, collapsed where nothing else would be hidden."""
        title = self.inside(node.children[0])
        following = next_sibling(node)
        alone = following is None or is_heading(following)
        metadata = {"jp-MarkdownHeadingCollapsed": True, "heading_collapsed": True} if alone else {}
        tags = {"tags": ["solution"]}
        self.heading(node, title, self.section_level + 1, **tags, **metadata)
        self.in_solution = True
        for child in node.children[1:]:
            child.walkabout(self)
        self.in_solution = False
        self.add_markdown_cell()
        raise nodes.SkipNode

    # -- cells

    def visit_container(self, node: Any) -> None:
        """Write a cell of the chapter as a cell of the notebook."""
        if node.get("nb_element") != "cell_code":
            return  # a caption and its listing, say
        if self.nested:
            self.warn_of(node, "a code cell inside another block can't be a cell of a notebook")
            raise nodes.SkipNode
        self.add_markdown_cell()
        self.code_cells(node["cell_index"] + 1)
        for figure in node.findall(nodes.figure):
            if (caption := first(figure, nodes.caption)) is not None:
                text = self.captioned("figure", figure, caption)
                self.markdown_lines.append(self.anchors(figure) + text)
        self.add_markdown_cell(tags=["caption"])
        raise nodes.SkipNode

    def code_cells(self, end: int) -> None:
        """Write the chapter's code cells before index `end` that are not written yet.

        Usually it is one. A cell that the page leaves out comes with the next one, since that may
        need it.
        """
        for executed in self.page.cells[self.next_cell : end]:
            if executed.cell_type == "code":
                cell = code_cell(executed, self.next_code, folded=self.in_solution)
                self.cells.append(cell)
                self.next_code += 1
        self.next_cell = max(self.next_cell, end)

    def depart_document(self, node: Any) -> None:
        """End the last cell, and write the code cells that the page leaves out at its end."""
        self.add_markdown_cell()
        self.code_cells(len(self.page.cells))


def is_heading(node: Any) -> bool:
    """Whether a node starts with a heading in the notebook."""
    return node.tagname in {"section", "exercise_node", "exercise_enumerable_node", "solution_node"}
