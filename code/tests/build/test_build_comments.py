"""What the extension changes in a page: comments, outputs, addresses, the line of facts."""

import json

import pytest
from bs4 import BeautifulSoup
from build_scratch import FRONT, STRICT, Book

from bookbuild.transform.equation_numbers import numbered

PLAIN = FRONT.replace("SETTINGS", "threads: 1")
CHAPTER = (
    PLAIN
    + """\
# One

[Film](https://www.youtube.com/watch?v=abc&t=5s)

$$
a = 1
$$ (eq-first)

```{code-cell}
a = "(eq-first)"  # (eq-first), for all
```

```{code-cell}
import time
print("one\\n", flush=True)
time.sleep(0.5)
print("two")
```
"""
)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = 1  # (eq-a)", "x = 1  # (1.2)"),
        ("# (eq-a) and (eq-b-c), (eq-a)\ny", "# (1.2) and (1.3), (1.2)\ny"),
        ("f(eq-a)  # (eq-other) stays", "f(eq-a)  # (eq-other) stays"),
        ("x = '(eq-a)'\n", "x = '(eq-a)'\n"),
    ],
)
def test_labels_in_comments_become_numbers(code: str, expected: str) -> None:
    assert numbered(code, {"eq-a": "1.2", "eq-b-c": "1.3"}) == expected


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    book = Book.create(
        tmp_path_factory.mktemp("comments"),
        {
            "book/01-one.md": CHAPTER,
            "book/02-two.md": "# Two\n",
            "book/other.md": CHAPTER.replace("# One", "# Other").replace("eq-first", "eq-own"),
        },
    )
    status, log = book.build(*STRICT)
    assert status == 0, log
    return book


def test_the_page_and_its_notebook_show_the_number(book: Book) -> None:
    soup = BeautifulSoup(book.page("book/01-one.html"), "html.parser")
    number = soup.select_one(".eqno").get_text().rstrip("#")  # type: ignore[union-attr]
    assert number == "(1)"
    code = soup.select_one(".cell_input pre")
    assert code is not None
    line = f'a = "(eq-first)"  # {number}, for all'
    assert code.get_text().strip() == line
    comment = code.select_one("span.c1")  # still colored as Python
    assert comment is not None
    assert comment.get_text() == f"# {number}, for all"
    notebook = json.loads((book.html / "notebooks" / "01-one.ipynb").read_text(encoding="utf-8"))
    assert line in ["".join(cell["source"]) for cell in notebook["cells"]]


def test_blank_lines_between_pieces_of_an_output_stay(book: Book) -> None:
    soup = BeautifulSoup(book.page("book/01-one.html"), "html.parser")
    output = soup.select_one(".cell_output pre")
    assert output is not None
    assert output.get_text() == "one\n\ntwo\n"


def test_an_address_keeps_its_arguments(book: Book) -> None:
    soup = BeautifulSoup(book.page("book/01-one.html"), "html.parser")
    found = {link.get_text(): link["href"] for link in soup.select("article a[href*=youtube]")}
    address = "https://www.youtube.com/watch?v=abc&t=5s"
    assert found == {"Film": address, "Video": address}


def test_a_page_of_no_lecture_has_no_video_in_its_line(book: Book) -> None:
    soup = BeautifulSoup(book.page("book/other.html"), "html.parser")
    line = soup.select_one(".chapter-facts")
    assert line is not None
    assert [link.get_text() for link in line.select("a")] == ["Source"]


def test_a_label_of_nothing_on_the_page_stops_the_strict_build(book: Book) -> None:
    text = (book.folder / "book/01-one.md").read_text(encoding="utf-8")
    book.write("book/01-one.md", text.replace("# (eq-first)", "# (eq-gone)"))
    status, log = book.build(*STRICT)
    assert status != 0
    assert "a comment refers to the formula eq-gone, which is not on this page" in log
