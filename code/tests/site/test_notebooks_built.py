"""Every notebook of the book as it was built here, read by other means than the build's own."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from build_scratch import ROOT
from markdown_it import MarkdownIt
from nbformat import NotebookNode

from bookbuild.transform.equation_numbers import numbered
from notebook_export.flaws import flaws

BUILD = ROOT / "_build"
BUILT = sorted((BUILD / "html" / "notebooks").glob("*.ipynb"))
MARKUP = re.compile(
    r"\{[a-z][a-z:-]*\}`|^\s*(:::|```)+\{|\bglue:|%s|<pending|\bNone\)", re.MULTILINE
)
pytestmark = pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def executed(path: Path) -> NotebookNode:
    """The executed chapter, with the numbers of its formulas as its page gives them."""
    notebook = read(BUILD / "executed" / "book" / path.name)
    page = (BUILD / "html" / "book" / f"{path.stem}.html").read_text(encoding="utf-8")
    numbers = dict(
        re.findall(r'id="equation-(eq-[\w-]+)">\s*<span class="eqno">\(([\d.]+)\)', page)
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = numbered(cell.source, numbers)
            assert "# (eq-" not in cell.source
    return notebook


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tokens(source: str) -> list[tuple[str, str, dict[str, str]]]:
    """Kind, content and attributes of all that a reader of Markdown finds."""
    found = []
    for block in MarkdownIt("commonmark").enable("table").parse(source):
        found += [(t.type, t.info + t.content, t.attrs) for t in [block, *(block.children or [])]]
    return found


def test_it_is_valid_and_has_the_cells_of_its_page(path: Path) -> None:
    notebook = read(path)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)  # cells have ids
    nbformat.validate(notebook)
    first, *ours = code(notebook)
    assert first.id == "first"
    assert [c.source for c in ours] == [c.source for c in code(executed(path))]
    assert [c.id for c in ours] == [f"code-{i}" for i in range(1, len(ours) + 1)]
    texts = [c.id for c in notebook.cells if c.cell_type == "markdown"]
    assert texts == [f"text-{i}" for i in range(1, len(texts) + 1)]


def test_the_build_finds_no_flaw(path: Path) -> None:
    assert flaws(read(path), executed(path).cells, ROOT) == []


def test_no_markup_of_the_source_is_left(path: Path) -> None:
    found = tokens(text(read(path)))
    for (kind, content, _), (following, _, _) in zip(found, [*found[1:], ("", "", {})]):
        if kind in {"text", "html_inline", "html_block"}:
            assert not MARKUP.search(content), content
        if (kind, following) == ("text", "code_inline"):  # a role before its content
            assert not re.search(r"\{[a-z][a-z:-]*\}$", content), content
        assert not (kind == "fence" and content.startswith("{")), content


def test_no_path_of_a_machine(path: Path) -> None:
    """Not in the text, the code or the outputs: neither this folder nor anybody's home."""
    written = json.dumps(read(path), ensure_ascii=False)
    for folder in {str(ROOT), str(Path.home()) + "/", "/home/", "/Users/", "site-packages"}:
        assert folder not in written, folder


def test_links_lead_to_the_web_or_into_the_notebook(path: Path) -> None:
    source = text(read(path))
    anchors = set(re.findall(r'<a id="([^"]+)">', source))
    links = [a.get("href", a.get("src")) for _, _, a in tokens(source) if {"href", "src"} & set(a)]
    assert links
    for link in map(str, links):
        if link.startswith("#"):
            assert link[1:] in anchors, link
        else:
            assert re.match(r"https?://[^/\s]+\.[^/\s]+|mailto:", link), link


def test_links_to_the_book_lead_to_pages_that_are_built(path: Path) -> None:
    source = text(read(path))
    (home,) = set(re.findall(r"is a chapter of \[[^]]*\]\((https://[^)]+/)\)", source))
    for _, _, attributes in tokens(source):
        link = str(attributes.get("href", attributes.get("src", "")))
        if link.startswith(home):
            page = link.removeprefix(home).partition("#")[0] or "index.html"
            assert (BUILD / "html" / page).is_file(), link
