"""A small book whose one chapter has a token explorer, built once for all tests that need it."""

import functools
import tempfile
from pathlib import Path

import yaml
from browser import Visit
from build_scratch import ROOT, STRICT, Book
from tokenizer_texts import stored

SCRIPTS = ROOT / "book" / "_ext" / "interactions" / "token_explorer"
PAGE = "book/08-tokenizer.html"
CHAPTER = """\
# A tokenizer

Before it.

```{token-explorer}
```

After it.
"""


def explorer_book(folder: Path, chapter: str = CHAPTER) -> Book:
    """Write a book with a page that has an explorer, and one that has none."""
    book = Book.create(folder, {"book/index.md": "# Hello\n\nNo explorer.\n"})
    for name in ("01-one", "02-two", "reproduced", "times"):
        (folder / f"book/{name}.md").unlink()
    book.write("book/08-tokenizer.md", chapter)
    book.write_toc()
    config = yaml.safe_load((folder / "_config.yml").read_text(encoding="utf-8"))
    config["sphinx"]["config"]["html_static_path"] = [str(ROOT / "book" / "_static")]
    config["sphinx"]["config"]["html_css_files"] = ["css/book.css"]
    book.write("_config.yml", yaml.safe_dump(config))
    return book


@functools.cache
def _built() -> tuple[tempfile.TemporaryDirectory[str], Book]:
    folder = tempfile.TemporaryDirectory(prefix="zerotohero-")
    book = explorer_book(Path(folder.name) / "a book")
    with stored() as store:
        status, log = book.build("--all", *STRICT, ZEROTOHERO_CACHE=str(store))
    assert status == 0, log
    return folder, book


def built() -> Book:
    """The book, built strictly, with the vocabularies of all three tokenizers."""
    return _built()[1]


def write(visit: Visit, text: str, tokens: int) -> None:
    """Type a text, and wait for its number of tokens."""
    visit.page.get_by_role("textbox", name="Text").fill(text)
    wait_for(visit, tokens)


def wait_for(visit: Visit, tokens: int) -> None:
    visit.page.wait_for_function(
        "number => document.querySelector('[data-count=tokens]').textContent === number",
        arg=f"{tokens:,}",
    )


def labels(visit: Visit) -> list[str]:
    boxes = visit.page.get_by_role("option").all()
    return [box.get_attribute("aria-label") or "" for box in boxes]
