"""Books whose table of contents names fewer pages than there are, and single chapters."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from build_scratch import EXTENSIONS, STRICT, Book, cell

from bookbuild.transform.left_out import defines, title

INDEX = """\
# Hello

The {term}`slope`, and by page: [](01-one.md), [](02-two.md#a-part), [*words* of two](02-two.md).
By role: {doc}`02-two`, {doc}`words <02-two>`, {numref}`fig-two`, {eq}`eq-two`, {ref}`sec-two`,
{ref}`the part <sec-two>`, [a label](sec-two). As {cite}`ada` and {cite}`ada,bob` found.

:::{card} A card
:link: 02-two
:link-type: doc
Of two.
:::
"""
TWO = """\
---
# a comment
other: 1
---
# The second page

(sec-two)=
## A part

```{figure} red.svg
:name: fig-two
Red.
```

$$ x $$ (eq-two)
"""
PAGES = {
    "book/index.md": INDEX,
    "book/01-one.md": "# One\n\nProse of one.\n",
    "book/02-two.md": TWO,
    "book/glossary.md": "# Words\n\n```{glossary}\nslope\n  See [two](02-two.md#a-part).\n```\n",
    "book/references.md": "# References\n\n```{bibliography}\n```\n",
    "book/search.yml": "02-two.md#a-part: [gradient]\n01-one.md#one: [first]\n",
    "book/references.bib": "@book{ada, author={Ada King}, title={A}, year=1843}\n"
    "@book{bob, author={Bob Roe and Ann Doe}, title={B}, year=1950}\n",
}
WORDS = (
    "The slope, and by page: One, The second page, words of two. By role: The second page, words, "
    "The second page, The second page, The second page, the part, a label. "
    "As [King, 1843] and [King, 1843, Roe and Doe, 1950] found."
)


def select(book: Book, *names: str) -> None:
    """Put only some pages in the table of contents."""
    chapters = [{"file": f"book/{name}"} for name in names]
    toc = {"format": "jb-book", "root": "book/index", "chapters": chapters}
    book.write("_toc.yml", yaml.safe_dump(toc))


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    book = Book.create(tmp_path_factory.mktemp("selection"), PAGES)
    config = yaml.safe_load((book.folder / "_config.yml").read_text(encoding="utf-8"))
    config["bibtex_bibfiles"] = ["book/references.bib"]
    book.write("_config.yml", yaml.safe_dump(config))
    return book


@pytest.mark.parametrize("names", [("01-one",), ("01-one", "glossary")])
def test_a_selection_is_a_book_of_its_own(book: Book, names: tuple[str, ...]) -> None:
    select(book, *names)
    status, log = book.build(*STRICT)
    assert status == 0, log
    (line,) = [line for line in log.splitlines() if "book/02-two, book/" in line]
    assert "book/references" in line
    assert "book/01-one" not in line
    page = BeautifulSoup(book.page("book/index.html"), "html.parser")
    paragraph = page.select_one("article p")
    assert paragraph
    assert " ".join(paragraph.get_text().split()) == WORDS
    addresses = [str(link["href"]) for link in paragraph.select("a[href]")]
    assert addresses == [*["glossary.html#term-slope"] * (len(names) - 1), "01-one.html"]
    assert paragraph.select_one("em")
    card = page.select_one(".sd-card")
    assert card
    assert card.get_text(" ", strip=True) == "A card Of two."
    for name in names:
        assert "02-two" not in book.page(f"book/{name}.html")


def test_what_is_nowhere_still_fails(book: Book) -> None:
    select(book, "01-one", "glossary")
    more = "{doc}`05-five`, {term}`curvature`, {eq}`eq-five`, {cite}`eve`, [x](05-five.md#a)."
    book.write("book/01-one.md", f"# One\n\n{more}\n")
    try:
        status, log = book.build(*STRICT)
    finally:
        book.write("book/01-one.md", PAGES["book/01-one.md"])
    assert status != 0
    warnings = [line for line in log.splitlines() if "WARNING" in line]
    for word in ("05-five", "curvature", "eq-five", "eve", "05-five.md#a"):
        assert any(word in line for line in warnings), log


@pytest.mark.parametrize(
    ("kind", "target", "known"),
    [
        ("ref", "sec-two", True),
        ("numref", "fig-two", True),
        ("eq", "eq-two", True),
        ("eq", "eq-t", False),
        ("numref", "two", False),
        ("term", "A part", False),
        ("mod", "sec-two", False),
    ],
)
def test_labels_are_found_in_the_source(kind: str, target: str, known: bool) -> None:
    assert defines(TWO, kind, target) == known


def test_titles_are_found_in_the_source() -> None:
    assert title(TWO) == "The second page"
    assert title("Text.\n\n## Part\n") == ""


# -- one chapter -----------------------------------------------------------------------------------


def chapter(book: Book, *names: str) -> subprocess.CompletedProcess[str]:
    """Build chapters with the command."""
    return subprocess.run(
        [sys.executable, "-m", "booktools", "chapter", *names],
        cwd=book.folder,
        env=book.environment(PYTHONPATH=str(EXTENSIONS)),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_chapters_are_built_alone_and_executed_once(tmp_path: Path) -> None:
    count = cell(
        'from pathlib import Path\nPath("count").open("a").write("x")\nprint("six", 2 * 3)'
    )
    head = "---\nfile_format: mystnb\nkernelspec: {name: python3}\n---\n"
    book = Book.create(
        tmp_path,
        {
            "book/01-one.md": f"{head}# One\n\nTo [two](02-two.md).\n{count}",
            "book/02-two.md": f"{head}# Two\n\n{cell('1 / 0')}",
        },
    )
    done = chapter(book, "1")
    assert done.returncode == 0, done.stderr
    page = book.folder / done.stdout.splitlines()[-1]
    assert "six 6" in page.read_text(encoding="utf-8")
    assert "02-two" not in page.read_text(encoding="utf-8").partition("<article")[2]

    failed = chapter(book, "01-one", "02")
    assert failed.returncode == 1
    assert "ZeroDivisionError" in failed.stdout + failed.stderr
    assert ".html" not in failed.stdout

    book.edit("book/02-two.md", "1 / 0", "1 / 1")
    status, log = book.build()
    assert status == 0, log
    assert (book.folder / "book" / "count").read_text(encoding="utf-8") == "x"

    assert chapter(book, "09").returncode == 2
