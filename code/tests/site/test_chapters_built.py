"""The chapters as they were built: sources, exercises, formulas, style sheets."""

from pathlib import Path

import nbformat
import pytest
from browser import Chromium
from bs4 import BeautifulSoup
from chapter_source import (
    CHAPTERS,
    NOTEBOOK_LISTING,
    ROOT,
    assert_shown_is_shipped,
    checks,
    code_cells,
    exercises,
    includes,
)

from zerotohero.check.verdict import SIGN

BUILD = ROOT / "_build"
HTML = BUILD / "html"
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


@each_chapter
def test_the_built_page_shows_the_source(chapter: Path) -> None:
    page = HTML / "book" / f"{chapter.stem}.html"
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    blocks = {pre.get_text().strip() for pre in soup.select("div.highlight pre")}
    for include in includes(chapter):
        if include.listing:
            continue
        definition = include.shown()
        lines = include.path.read_text(encoding="utf-8").splitlines()
        first = min([definition.lineno, *(d.lineno for d in definition.decorator_list)])
        assert "\n".join(lines[first - 1 : definition.end_lineno]).strip() in blocks, include
    notebook = nbformat.read(HTML / "notebooks" / f"{chapter.stem}.ipynb", as_version=4)
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    listings = [include for include in includes(chapter) if include.listing]
    fenced = [code for code, _ in NOTEBOOK_LISTING.findall(text)]
    boxes = [pre.get_text() for pre in soup.select("div.listing pre")]
    for include, *shown in zip(listings, boxes, fenced, strict=True):
        for code in shown:
            assert_shown_is_shipped(code, include)


@each_chapter
def test_stubs_are_not_done_and_solutions_are_right(chapter: Path) -> None:
    """The build executed all cells of a chapter in order, and stopped at a failed assertion."""
    stubs = [cell for e in exercises(chapter) for cell in e.stub]
    solved = [cell for e in exercises(chapter) for cell in e.solution if checks(cell)]
    notebook = nbformat.read(BUILD / "executed" / "book" / f"{chapter.stem}.ipynb", as_version=4)
    shown = [
        cell.outputs[-1].get("data", {}).get("text/plain", "") if cell.outputs else ""
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    by_cell = dict(zip(map(id, code_cells(chapter)), shown, strict=True))
    for cell in stubs:
        assert by_cell[id(cell)].startswith(f"{SIGN['not done yet']} Not done yet."), cell.source
    for cell in solved:
        assert by_cell[id(cell)].startswith(f"{SIGN['right']} Right."), by_cell[id(cell)]


@each_chapter
def test_every_formula_of_a_chapter_is_set(chapter: Path) -> None:
    path = HTML / "book" / f"{chapter.stem}.html"
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    holders = soup.select(".math")
    assert holders
    for holder in holders:
        assert holder.select("mjx-container"), holder
        assert "\\(" not in holder.get_text()
    assert "mathjax" not in " ".join(str(tag) for tag in soup.find_all("script")).lower()


@pytest.fixture(scope="module")
def fonts() -> set[str]:
    folder = ROOT / "book/_static/mathjax/output/chtml/fonts/woff-v2"
    return {path.name for path in folder.glob("*.woff")}


def test_formulas_are_seen_without_a_script(
    chromium: Chromium, fonts: set[str], tmp_path: Path
) -> None:
    path = HTML / "book" / f"{CHAPTERS[0].stem}.html"
    with chromium.visit(path, width=390, javascript=False) as visit:
        visit.page.wait_for_timeout(1500)  # settle() needs scripts
        formula = visit.page.locator("mjx-container").first
        box = formula.bounding_box()
        assert box is not None
        assert 0 < box["height"] < 60
        loaded = {url.rsplit("/", 1)[1] for url in visit.requests if "/mathjax/" in url}
        assert "MathJax_Math-Italic.woff" in loaded
        assert loaded <= fonts
        assert visit.outside(HTML) == []


def test_every_page_of_the_built_book_has_one_style_sheet() -> None:
    pages = sorted((HTML / "book").glob("*.html"))
    assert pages
    for path in pages:
        soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        (link,) = soup.select('link[rel~="stylesheet"]')
        assert (path.parent / str(link["href"])).is_file()
