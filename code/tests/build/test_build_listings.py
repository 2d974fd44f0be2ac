"""Listings of the package's source: what is shown is what is shipped."""

import ast
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from build_scratch import FRONT, STRICT, Book, cell
from chapter_source import (
    CHAPTERS,
    NOTEBOOK_LISTING,
    PACKAGE,
    Definition,
    Include,
    assert_shown_is_shipped,
    includes,
)

from bookbuild.transform.source_text import PythonSource, UnknownObjectError, find_module

SHAPES = '''\
"""Shapes."""

import functools

UNITS = ("m", "cm")  # of length


# Kept: a comment right above.
@functools.cache
def area(width, height=1):
    """Multiply the sides.

    Parameters
    ----------
    width, height
        The sides – ``height`` is 1 by default.
    """
    # a comment inside
    return width * height


class Square:
    """A square.

    Attributes
    ----------
    side
        Its side.
    """

    # -- how it is made

    # Slots save room.
    __slots__ = ("side",)

    side: float

    def __init__(self, side):
        self.side = side

    def text(self):
        r"""
        Describe it.

        More.
        """
        return """
    not an indentation
        """

    @property
    def half(self):
        """Half of it."""
        return self.side / 2

    @half.setter
    def half(self, value): self.side = 2 * value
'''

AREA = '''\
# Kept: a comment right above.
@functools.cache
def area(width, height=1):
    """Multiply the sides."""
    # a comment inside
    return width * height
'''

PARTS = '''\
class Square:
    """A square."""

    # Slots save room.
    __slots__ = ("side",)

    @property
    def half(self):
        """Half of it."""
        return self.side / 2

    @half.setter
    def half(self, value): self.side = 2 * value
'''

METHOD = '''\
def text(self):
    r"""Describe it."""
    return """
    not an indentation
        """
'''

CONSTANT = 'UNITS = ("m", "cm")  # of length\n'

PAGE = f"""{FRONT.replace("SETTINGS", "")}\
# One
{cell("1 + 1")}
```{{listing}} toy.shapes.area
```

```{{listing}} toy.shapes.Square
:only: half, __slots__
```

```{{listing}} toy.shapes.Square.text
```

```{{listing}} toy.shapes.UNITS
```
"""

API = """\
# Reference

```{eval-rst}
.. autofunction:: toy.area

.. autoclass:: toy.shapes.Square
```
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A strictly built book with four listings."""
    book = Book.create(
        tmp_path_factory.mktemp("listings") / "a book",
        {
            "book/01-one.md": PAGE,
            "book/api.md": API,
            "code/toy/__init__.py": "from toy.shapes import area\n\n__all__ = ['area']\n",
            "code/toy/shapes.py": SHAPES,
        },
    )
    status, log = book.build("--all", *STRICT)
    assert status == 0, log
    return book


def listings(book: Book) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the code of each listing on the page, and its links: text and address."""
    soup = BeautifulSoup(book.page("book/01-one.html"), "html.parser")
    return [
        (box.pre.get_text(), [(a.get_text(), str(a["href"])) for a in box.select("p a")])
        for box in soup.select("div.listing")
        if box.pre is not None
    ]


def test_the_page_shows_the_source_without_the_rest_of_docstrings(built: Book) -> None:
    assert [code for code, _ in listings(built)] == [AREA, PARTS, METHOD, CONSTANT]


def test_links_lead_to_the_lines_and_to_the_reference(built: Book) -> None:
    lines = SHAPES.splitlines()
    starts = ("# Kept", "class Square", "    def text", "UNITS")
    ends = [shown.split("\n")[-2].strip() for shown in (AREA, PARTS, METHOD, CONSTANT)]
    anchors = [
        (
            next(n for n, line in enumerate(lines, 1) if line.startswith(start)),
            max(n for n, line in enumerate(lines, 1) if line.strip() == end),
        )
        for start, end in zip(starts, ends, strict=True)
    ]
    found = [links for _, links in listings(built)]
    for (first, last), [(text, address), *_] in zip(anchors, found, strict=True):
        anchor = f"#L{first}-L{last}" if last > first else f"#L{first}"
        assert address.endswith(f"/blob/main/code/toy/shapes.py{anchor}")
        assert re.findall(r"\d+", text) == [str(n) for n in dict.fromkeys((first, last))]
    references = [[address for _, address in links[1:]] for links in found]
    # the function under the name that the package gives it; the others are documented nowhere
    assert references == [["api.html#toy.area"], ["api.html#toy.shapes.Square"], [], []]


def test_the_notebook_shows_listings_and_links(built: Book) -> None:
    notebook = nbformat.read(built.html / "notebooks" / "01-one.ipynb", as_version=4)
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    blocks = NOTEBOOK_LISTING.findall(text)
    assert [code for code, _ in blocks] == [AREA, PARTS, METHOD, CONSTANT]
    for (_, links), (_, line) in zip(listings(built), blocks, strict=True):
        assert all(f"{address})" in line for _, address in links)


@pytest.fixture
def book(built: Book, tmp_path: Path) -> Book:
    """A copy of the built book, to change."""
    shutil.copytree(built.folder, tmp_path / "a copy")
    return Book(tmp_path / "a copy")


def test_a_change_of_the_source_changes_the_page(book: Book) -> None:
    book.edit("code/toy/shapes.py", "import functools\n", "import functools\n\nMORE = 1\n")
    book.edit("code/toy/shapes.py", "# a comment inside", "# another comment")
    before = listings(book)
    status, log = book.build(*STRICT)
    assert status == 0, log
    after = listings(book)
    assert after[0][0] == AREA.replace("a comment inside", "another comment")
    (line,), (moved,) = (re.findall(r"#L(\d+)$", found[3][1][0][1]) for found in (before, after))
    assert int(moved) == int(line) + 2


def test_what_is_not_there_or_too_long_is_said(book: Book) -> None:
    book.edit("book/01-one.md", "shapes.UNITS", "shapes.UNIT")
    book.edit("book/01-one.md", "half, __slots__", "halve")
    long = "def long():\n" + "    pass\n" * 40
    book.write("code/toy/long.py", long)
    more = "\n```{listing} toy.long.long\n```\n\n```{listing} toy.long.long\n:long:\n```\n"
    book.write("book/01-one.md", (book.folder / "book/01-one.md").read_text("utf-8") + more)
    status, log = book.build(*STRICT)
    assert status != 0
    assert "toy.shapes has no 'UNIT'; it has: Square, UNITS, area. Did you mean UNITS?" in log
    assert "toy.shapes.Square has no 'halve'; it has: " in log
    assert log.count("the listing of toy.long.long has 41 lines, more than 40") == 1


# -- the source, without a build ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torch.nn", "'torch.nn' is not in the package 'zerotohero'"),
        ("zerotohero.micrograd.engine", "is a module, not an object; it has: Number, Value, "),
        (
            "zerotohero.micrograd.engin.Value",
            "micrograd has no 'engin'; it has: .*engine",
        ),
        ("zerotohero.micrograd.engine.Values", "engine has no 'Values'; .* Did you mean Value?"),
        ("zerotohero.micrograd.engine.Value.x", r"engine\.Value has no 'x'; it has: __add__, "),
        ("zerotohero.micrograd.engine._node.x", "engine._node has no 'x'; it has: nothing"),
    ],
)
def test_errors_say_what_there_is(name: str, message: str) -> None:
    with pytest.raises(UnknownObjectError, match=message):
        excerpt(name)


def test_only_a_class_has_members_to_choose_from() -> None:
    with pytest.raises(UnknownObjectError, match="topological_order is not a class"):
        excerpt("zerotohero.micrograd.engine.topological_order", ["x"])


def excerpt(name: str, only: list[str] | None = None) -> str:
    """Return what a listing of an object of the package shows."""
    path, module, rest = find_module(PACKAGE, name)
    source = PythonSource(path.read_text(encoding="utf-8"))
    return source.excerpt(".".join(module), rest, only or []).text


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_listings_of_chapters_show_what_is_shipped(chapter: Path) -> None:
    for include in includes(chapter):
        if include.listing:
            source = PythonSource(include.path.read_text(encoding="utf-8"))
            shown = source.excerpt("module", include.name.split("."), include.only)
            assert_shown_is_shipped(shown.text, include)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_everything_in_the_package_can_be_shown(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    source = PythonSource(text)
    for include in everything(path, ast.parse(text).body, ""):
        shown = source.excerpt("module", include.name.split("."), include.only)
        if len(ast.parse(shown.text).body) == 1:  # a property with its setter: two
            assert_shown_is_shipped(shown.text, include)


def everything(path: Path, body: list[ast.stmt], owner: str) -> list[Include]:
    """List every class and function of a file, each class also with its last method only."""
    found = []
    for node in body:
        if isinstance(node, Definition):
            name = f"{owner}{node.name}"
            found.append(Include(path, name))
            if isinstance(node, ast.ClassDef):
                methods = [m.name for m in node.body if isinstance(m, Definition)]
                found += [Include(path, name, (methods[-1],))] if methods else []
                found += everything(path, node.body, f"{name}.")
    return found
