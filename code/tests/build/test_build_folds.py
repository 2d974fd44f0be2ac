"""Cells that step back: folded under a word, and used like any other."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from build_scratch import FRONT, STRICT, SVG, Book, cell

from bookbuild.transform.folds import FOLDS

RECORD = """\
display({
    "application/vnd.zerotohero.reproduced+json": {
        "key": "loss", "lecture": 2, "what": "loss", "published": 2.45, "ours": 2.4543,
        "tolerance": 0.01, "direction": "both", "ok": None, "edition": "embedded",
        "source": "the video",
    },
    "text/plain": "recorded",
}, raw=True)"""

ONE = f"""{FRONT.replace("SETTINGS", "")}\
# One

```{{code-cell}}
:tags: [imports]
from IPython.display import SVG, display
from myst_nb import glue
```

The answer is {{glue:text}}`answer`, see {{numref}}`fig-square`.

```{{code-cell}}
:tags: [check]
assert 6 * 7 == 42
glue("answer", 42, display=False)
```

```{{code-cell}}
:tags: [check, timing]
{RECORD}
```

```{{code-cell}}
---
tags: [hide-input, check]
mystnb:
  image: {{alt: A small red square on white}}
  figure: {{caption: A square., name: fig-square}}
---
SVG('{SVG}')
```

```{{code-cell}}
:tags: [remove-cell, check]
unseen = 1
```
{cell('print("not folded")')}"""

TWO = (
    f"{FRONT.replace('SETTINGS', '')}# Two\n\nIt was {{glue:any}}`01-one.md::answer`.\n{cell('1')}"
)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    pages: dict[str, str] = {"book/01-one.md": ONE, "book/02-two.md": TWO}
    book = Book.create(tmp_path_factory.mktemp("folds") / "a book", pages)
    status, log = book.build("--all", *STRICT)
    assert status == 0, log
    return book


@pytest.fixture(scope="module")
def page(book: Book) -> BeautifulSoup:
    return BeautifulSoup(book.page("book/01-one.html"), "html.parser")


def test_input_and_output_are_folded_under_the_word(page: BeautifulSoup) -> None:
    folds = page.select("div.cell > details")
    words = [[p.get_text(strip=True) for p in fold.select("summary > p")] for fold in folds]
    # myst-nb writes one for the closed fold and one for the open one
    assert words == [[FOLDS["imports"]] * 2, *[[FOLDS["check"]] * 2] * 3]
    for fold in folds:
        assert not fold.has_attr("open")
        assert fold.summary is not None
        assert not fold.summary.has_attr("aria-label")  # its text is its name
        assert fold.parent is not None
        assert [tag.name for tag in fold.parent.find_all(recursive=False)] == ["details"]
    texts = [fold.get_text() for fold in folds]
    for text, part in zip(texts, ("import glue", "6 * 7", "recorded", "A square."), strict=True):
        assert part in text
    assert page.select_one("div.cell:not(:has(details)) .cell_output") is not None
    assert "unseen" not in page.get_text()


def test_a_check_without_output_is_its_code_only(page: BeautifulSoup) -> None:
    fold = page.select("div.cell.tag_check > details")[0]
    assert [tag.name for tag in fold.find_all(recursive=False)] == ["summary", "div"]
    assert fold.select_one(".cell_output") is None


def test_what_is_glued_drawn_or_recorded_inside_is_used(book: Book, page: BeautifulSoup) -> None:
    text = " ".join(page.get_text().split())
    assert "The answer is 42, see Fig. 1." in text
    other = BeautifulSoup(book.page("book/02-two.html"), "html.parser")
    assert "It was 42." in " ".join(other.get_text().split())
    (row,) = json.loads((book.html / "reproduced.json").read_text(encoding="utf-8"))
    assert (row["key"], row["page"], row["cell"]) == ("loss", "book/01-one", 3)


def test_the_notebook_has_the_cells_with_folded_code(book: Book) -> None:
    path: Path = book.html / "notebooks" / "01-one.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    tagged = [c for c in cells if set(c.metadata.get("tags", [])) & set(FOLDS)]
    assert [c.metadata.tags for c in tagged] == [
        re.findall(r"[\w-]+", tags) for tags in re.findall(r"tags: \[(.*)\]", ONE)
    ]
    for c in tagged:
        assert c.metadata.jupyter.source_hidden
        assert c.metadata.cellView == "form"
    # who runs a check sees what it prints
    hidden = [c.metadata.jupyter.get("outputs_hidden", False) for c in tagged]
    assert hidden == [False, False, False, False, True]
    (plain,) = [c for c in cells if "not folded" in c.source]
    assert plain.metadata == {}
