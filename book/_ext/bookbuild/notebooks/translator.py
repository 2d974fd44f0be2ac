"""The resolved page as the cells of a notebook, on top of sphinx-tojupyter's translator.

sphinx-tojupyter 0.6.0 walks the page, keeps sections and lists of lines, and knows the nodes of
sphinx-proof. What it lacks or gets wrong is mended here: it drops outputs, raw HTML, figures of
cells and captions, folds nothing, breaks lists, tables and formulas inside others, loses the
number of an exercise, and makes addresses that no notebook can follow. A node that neither knows
is an error, not a gap in the text.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import urljoin

import nbformat
from docutils import nodes
from nbformat import NotebookNode
from sphinx.util import logging
from sphinx_tojupyter.writers.translate_all import JupyterTranslator

from bookbuild.notebooks import markdown
from bookbuild.notebooks.cells import code_cell

__all__ = ["ChapterTranslator", "Page"]

logger = logging.getLogger(__name__)


class Page(SimpleNamespace):
    """What the translator knows about a page besides its nodes.

    Attributes
    ----------
    docname
        Sphinx's name of the page.
    address
        Its address on the site; links within the book start there.
    sections, figures
        Numbers of its sections by anchor, and of figures, exercises and formulas by kind and id.
    formats
        How the number of a figure or an exercise is written, by kind.
    cells
        The cells of the executed chapter.
    images
        Addresses on the site of the images in its text, by their path.
    """

    docname: str
    address: str
    sections: dict[str, Sequence[int]]
    figures: dict[str, dict[str, Sequence[int]]]
    formats: dict[str, str]
    cells: list[NotebookNode]
    images: dict[str, str]

    def number(self, kind: str, ids: Sequence[str]) -> str:
        """Number of what has one of `ids`, as ``2.1``; empty if it has none."""
        for name in ids:
            if found := self.figures.get(kind, {}).get(name):
                return ".".join(map(str, found))
        return ""

    def label(self, kind: str, ids: Sequence[str]) -> str:
        """Number with the word before it, as ``Fig. 2.1``; empty if it has none."""
        number = self.number(kind, ids)
        return self.formats[kind] % number if number else ""


class ChapterTranslator(JupyterTranslator):
    """Visitor of a resolved page; afterwards, `output` is the notebook."""

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
        kept, self.markdown_lines = self.markdown_lines, []
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

    # -- headings

    def heading(self, node: Any, text: str, level: int, **metadata: Any) -> None:
        """Start a cell with a heading."""
        self.add_markdown_cell()
        anchors = self.anchors(node)
        if anchors:
            self.markdown_lines.append(f"{anchors}\n\n")
        self.markdown_lines.append(f"{'#' * min(level, 6)} {text.strip()}\n\n")
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
        if self.visit_first_title:
            self.title = node.astext()
            self.visit_first_title = False
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
        self.markdown_lines.append(self.inside(node, skip=is_title))
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
            caption = next((c for c in figure.children if isinstance(c, nodes.caption)), None)
            if caption is not None:
                label = self.page.label("figure", figure["ids"])
                text = f"**{label}.** " if label else ""
                anchor = self.anchors(figure)
                self.markdown_lines.append(f"{anchor}{text}{self.inside(caption).strip()}\n\n")
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
                self.output.cells.append(cell)
                self.next_code += 1
        self.next_cell = max(self.next_cell, end)

    def depart_document(self, node: Any) -> None:
        """End the last cell, and write the code cells that the page leaves out at its end."""
        self.add_markdown_cell()
        self.code_cells(len(self.page.cells))

    # -- blocks

    def visit_paragraph(self, node: Any) -> None:
        """Write a paragraph."""
        text = markdown.escape_start(self.inside(node).strip())
        self.write(f"{text}\n\n" if text else "")

    def visit_literal_block(self, node: Any) -> None:
        """Write a listing: shown, not run. Code cells are written by `visit_container`."""
        language = node.get("language", "")
        if language in self.tojupyter_lang_synonyms:
            language = "python"
        self.write(markdown.fence(node.astext(), "" if language in {"none", "default"} else language))

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
            self.write(f"<details>\n<summary>{as_html(summary)}</summary>\n\n{body}\n\n</details>\n\n")
        self.write(self.anchors(node) + markdown.quote(f"**{head}**\n\n{body}"))

    visit_note = visit_tip = visit_hint = visit_important = visit_admonition
    visit_warning = visit_caution = visit_danger = visit_error = visit_attention = visit_admonition
    visit_seealso = visit_topic = visit_sidebar = visit_admonition

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
        self.write(self.anchors(node) + "\n".join(lines) + "\n\n")

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
        if "<script" in html.lower():
            link = f"[open it on the page]({self.page.address})"
            self.write(f"*This part of the chapter is interactive: {link}.*\n\n")
        self.write(html if isinstance(node.parent, nodes.TextElement) else f"{html}\n\n")

    # -- within a line

    def visit_Text(self, node: Any) -> None:  # noqa: N802
        """Write text, escaped."""
        self.markdown_lines.append(markdown.escape(node.astext()))

    def visit_math(self, node: Any) -> None:
        """Write a formula in a line; spaces beside the dollars would end it for some readers."""
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
        self.write(f"{before}{text.strip()}{after}" if text.strip() else text)

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
        body = self.inside(node, skip=lambda child: isinstance(child, nodes.label)).strip()
        self.write(f'<a id="{node["ids"][0]}"></a><sup>{label}</sup> {body}\n\n')


def node_wants(node: Any) -> bool:
    """Whether a node is a link into its own page; a footnote's mark is one, too."""
    if not isinstance(node, nodes.Element) or isinstance(node, nodes.target):
        return False
    if node.get("refuri", "").startswith("#"):
        node["refid"] = node["refuri"][1:]
    return "refid" in node


def carries(target: Any) -> bool:
    """Whether the node after a target has its id, and with it the anchor."""
    following = next_sibling(target)
    return isinstance(following, nodes.Element) and target["refid"] in following.get("ids", [])


def is_title(node: Any) -> bool:
    """Whether a node is the title of its parent."""
    return isinstance(node, nodes.title)


def next_sibling(node: Any) -> Any:
    """The node after `node` that is not a comment or an anchor, or None."""
    siblings = node.parent.children
    for sibling in siblings[siblings.index(node) + 1 :]:
        if not isinstance(sibling, nodes.comment | nodes.target):
            return sibling
    return None


def is_heading(node: Any) -> bool:
    """Whether a node starts with a heading in the notebook."""
    return node.tagname in {"section", "exercise_node", "exercise_enumerable_node", "solution_node"}


def ancestors(node: Any) -> Any:
    """Yield the node, its parent, and so on."""
    while node is not None:
        yield node
        node = node.parent


def as_html(text: str) -> str:
    """Text between tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
