"""Builds of a small book: what is executed, what is shown, and what fails a strict build."""

import json
import re
import shutil
from pathlib import Path

import pytest
from build_scratch import FRONT, STRICT, SVG, Book, cell, executed, fence

from bookbuild.check.sources import changed_since


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Book, str]:
    """A book that has been built strictly, in a folder with a space, and what was printed."""
    book = Book.create(tmp_path_factory.mktemp("clean") / "a book")
    status, log = book.build("--all", *STRICT)
    assert status == 0, log
    assert "WARNING" not in log
    return book, log


@pytest.fixture
def book(clean: tuple[Book, str], tmp_path: Path) -> Book:
    """A copy of the built book, to change."""
    shutil.copytree(clean[0].folder, tmp_path / "a copy")
    return Book(tmp_path / "a copy")


def test_every_chapter_is_executed_and_shown(clean: tuple[Book, str]) -> None:
    book, log = clean
    assert sorted(executed(log)) == ["book/01-one.md", "book/02-two.md"]
    assert "value 1 threads 2 folder book" in book.page("book/01-one.html")
    assert "threads 1" in book.page("book/02-two.html")
    assert re.search(r"book/01-one\.md +\d+\.\d +executed +2 +500\n", log)
    assert re.search(r"book/02-two\.md +\d+\.\d +executed +1 *\n", log)
    assert not (book.folder / "_build" / ".unfinished").exists()


def test_reproduced_figures_and_times(clean: tuple[Book, str]) -> None:
    book, _ = clean
    rows = json.loads((book.html / "reproduced.json").read_text(encoding="utf-8"))
    assert len(rows) == 1
    assert rows[0] | {"key": "loss", "published": 2.45, "ours": 2.4543} == rows[0]
    assert (rows[0]["tolerance"], rows[0]["ok"], rows[0]["page"]) == (0.01, None, "book/01-one")
    assert "José" in (book.html / "reproduced.json").read_text(encoding="utf-8")
    table = book.page("book/reproduced.html")
    for text in ("bigram loss of “José”", "2.4543", "not comparable (embedded names edition)"):
        assert text in table
    assert re.search(r'href="01-one\.html"><span class="doc">Lecture\s\d+<', table)
    times = book.page("book/times.html")
    assert re.search(r'href="02-two\.html"><span class="doc">Two<', times)
    assert "Measured with Python 3." in times


def test_note_on_pages_built_from_the_embedded_edition(clean: tuple[Book, str]) -> None:
    book, _ = clean
    assert re.search(
        r"<h1>One.*?</h1>\s*<div class=\"admonition note", book.page("book/01-one.html"), re.S
    )
    assert "admonition note" not in book.page("book/02-two.html")


def test_no_page_loads_thebe_or_a_third_party(clean: tuple[Book, str]) -> None:
    book, _ = clean
    pages = list(book.html.rglob("*.html"))
    assert len(pages) > 5
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert "thebe" not in text, path
        # a canonical address is said, not loaded
        loaded = re.findall(
            r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"(?:https?:)?//[^>]*>", text
        )
        assert not [tag for tag in loaded if 'rel="canonical"' not in tag], path


def test_prose_captions_and_docstrings_execute_nothing(book: Book) -> None:
    book.edit("book/01-one.md", "Prose of one.", "Other prose.")
    book.edit("book/01-one.md", "A small red square", "A tiny crimson square")
    book.edit("book/01-one.md", "caption: A square.", "caption: Quite a square.")
    book.edit("code/toy/__init__.py", '"""Toy."""', '"""Plaything."""  # with a comment')
    book.edit("code/toy/check/two.py", "The check of two.", "What two asks.")
    status, log = book.build(*STRICT)
    assert status == 0, log
    assert executed(log) == []
    assert re.search(r"book/01-one\.md +\d+\.\d +cached ", log)
    page = book.page("book/01-one.html")
    for text in (
        "Other prose.",
        'alt="A tiny crimson square on white"',
        "Quite a square.",
        "value 1",
    ):
        assert text in page
    assert "A small red square" not in page


def test_code_of_one_chapter_executes_that_chapter(book: Book) -> None:
    # A copied book reads all its pages again; what follows must be an incremental build.
    assert executed(book.build()[1]) == []
    book.edit("book/01-one.md", '"ours": 2.4543', '"ours": 2.5')
    status, log = book.build(*STRICT)
    assert status == 0, log
    assert executed(log) == ["book/01-one.md"]
    assert "reading 3 pages" in log  # it, and the two pages with tables
    # the file of this page has not changed, what it shows has
    assert "<p>2.5</p>" in book.page("book/reproduced.html")
    assert "2.4543" not in book.page("book/reproduced.html")


def test_a_module_executes_the_chapters_that_import_it(book: Book) -> None:
    book.edit("code/toy/base.py", "BASE = 1", "BASE = 2")  # by way of another module
    status, log = book.build(*STRICT)
    assert (status, executed(log)) == (0, ["book/01-one.md"]), log
    book.edit("code/toy/check/two.py", '"fine"', '"very fine"')
    status, log = book.build(*STRICT)
    assert (status, executed(log)) == (0, ["book/02-two.md"]), log
    assert "very fine" in book.page("book/02-two.html")


def test_the_record_of_sources_tells_what_has_changed(book: Book) -> None:
    def changed() -> list[str] | None:
        return changed_since(book.folder, book.html.parent, "code/toy")

    assert changed() == []
    book.edit("book/01-one.md", "Prose of one.", "Other prose.")
    book.write("code/toy/new.py", "")
    (book.folder / "book" / "times.md").unlink()
    assert changed() == ["book/01-one.md", "book/times.md", "code/toy/new.py"]
    book.edit("book/01-one.md", "Other prose.", "A dead [link](nowhere.html).")
    assert book.build(*STRICT)[0] != 0
    assert changed() is None, "a site that was built with warnings"


def test_missing_data_end_the_build_before_anything_is_executed(book: Book) -> None:
    shutil.rmtree(book.html.parent)
    book.edit("book/02-two.md", "zerotohero: {}", "zerotohero: {data: [planets]}")
    book.edit("code/toy/data.py", "def fetch", "WHAT = 'set MIRROR'\n\n\ndef fetch")
    book.edit(
        "code/toy/data.py",
        "    return",
        "    if 'planets' in names:\n        raise RuntimeError(WHAT)\n    return",
    )
    status, log = book.build()
    assert status != 0
    assert executed(log) == []
    assert "the data set planets, which book/02-two needs, is not available.\nset MIRROR" in log


def test_a_warning_of_a_cell_fails_a_strict_build_unless_it_is_meant(book: Book) -> None:
    page = (
        FRONT.replace("SETTINGS", "")
        + "# Warns\n"
        + cell("1")
        + cell("import warnings\nwarnings.warn('careful')")
    )
    book.write("book/warns.md", page)
    book.write_toc()
    status, log = book.build(*STRICT)
    assert status != 0
    line = fence(page, "careful")
    assert f"book/warns.md, code cell 2 (line {line}): it writes to its error stream" in log
    assert "UserWarning: careful" in log
    head, tail = page.rsplit("```{code-cell}\n", 1)
    book.write("book/warns.md", f"{head}```{{code-cell}}\n:tags: [stderr]\n{tail}")
    status, log = book.build(*STRICT)
    assert status == 0, log


def test_package_executes_everything_and_no_page_stays_old(book: Book) -> None:
    book.edit("code/toy/__init__.py", "VALUE = 1", "VALUE = 22")
    status, log = book.build(*STRICT)
    assert status == 0, log
    assert sorted(executed(log)) == ["book/01-one.md", "book/02-two.md"]
    assert "value 22" in book.page("book/01-one.html")
    # and back again: the old outputs are still in the cache
    book.edit("code/toy/__init__.py", "VALUE = 22", "VALUE = 1")
    status, log = book.build(*STRICT)
    assert (status, executed(log)) == (0, [])
    assert "value 1 " in book.page("book/01-one.html")


def test_edition_of_the_data_and_threads_count(book: Book) -> None:
    book.edit("code/toy/data.py", '"embedded"', '"lecture"')
    _, log = book.build(*STRICT)
    assert executed(log) == ["book/01-one.md"], "the one that names the data set"
    assert "admonition note" not in book.page("book/01-one.html")
    book.edit("book/01-one.md", "threads: 2", "threads: 1")
    _, log = book.build(*STRICT)
    assert executed(log) == ["book/01-one.md"]
    assert "value 1 threads 1" in book.page("book/01-one.html")


def test_budget_is_enforced_on_demand(book: Book) -> None:
    book.edit("book/01-one.md", "budget: 500", "budget: 0.001")
    status, log = book.build(*STRICT)
    assert status == 0, log
    assert re.search(r"book/01-one\.md .* 0\.001  over budget", log)
    assert "0.001 – exceeded" in book.page("book/times.html")
    status, log = book.build(*STRICT, ZEROTOHERO_ENFORCE_BUDGET="1")
    assert status != 0
    assert re.search(r"WARNING: book/01-one\.md: .* its budget is 0\.001 s", log)
    status, log = book.build(*STRICT, ZEROTOHERO_ENFORCE_BUDGET="1e9")
    assert status == 0, log


PLANTED = (
    FRONT.replace("SETTINGS", "")
    + """\
# Planted

![](red.svg)

A reference to {ref}`nowhere-at-all`, and an {unknown}`role`.

[a page](missing.html), <a href="01-one.html#no-such-anchor">an anchor</a>,
<a href="01-one.html#one">a good one</a> and <a href="removed.html">a removed page</a>.
"""
    + cell("print('a first cell, without a fault')")
    + cell(f"from IPython.display import HTML, SVG\nSVG('{SVG}')  # no alt, no caption")
    + cell(f"HTML('''{SVG}''')  # inline")
    + cell("HTML('<a href=\"gone.html\">from a cell</a>')")
)


def test_planted_faults_fail_a_strict_build(book: Book) -> None:
    book.write("book/planted.md", PLANTED)
    book.write("book/red.svg", SVG)
    book.write("book/removed.md", "# Removed\n\nSoon.\n")
    book.write_toc()
    # The second build must not take the faults for settled, nor a page for there that is gone.
    book.build()
    (book.folder / "book/removed.md").unlink()
    book.write_toc()
    status, log = book.build(*STRICT)
    assert status != 0
    warnings = [line for line in log.splitlines() if "WARNING" in line or "ERROR" in line]
    picture = f"code cell 2 (line {fence(PLANTED, 'no alt, no caption')})"
    inline = f"code cell 3 (line {fence(PLANTED, '# inline')})"
    linked = f"code cell 4 (line {fence(PLANTED, 'gone.html')})"
    for wanted in (
        r"planted\.md:\d+: WARNING: undefined label: 'nowhere-at-all'",
        r"planted\.md:\d+: .*Unknown interpreted text role \"unknown\"",
        r"WARNING: book/planted\.md, line \d+: figure book/red\.svg has no alternative text",
        rf"WARNING: book/planted\.md, {re.escape(picture)}: figure .*\.svg has no alternative text",
        rf"WARNING: book/planted\.md, {re.escape(picture)}: figure .*\.svg has no caption",
        rf"WARNING: book/planted\.md, {re.escape(inline)}: inline SVG lacks role",
        r"WARNING: book/planted\.md: the link 'an anchor' to '01-one\.html#no-such-anchor' leads",
        r"WARNING: book/planted\.md: the link 'a removed page' to 'removed\.html' leads nowhere",
        rf"WARNING: book/planted\.md, {re.escape(linked)}: the link 'from a cell' to 'gone\.html'",
        r"planted\.md:\d+: WARNING: .*missing\.html",
    ):
        assert any(re.search(wanted, line) for line in warnings), (wanted, log)
    # Nothing else is found: every warning is about this page, and the good link is not among them.
    assert all("planted.md" in line for line in warnings), warnings
    assert "a good one" not in log
    # Nothing has changed since, and it still fails.
    status, again = book.build(*STRICT)
    assert status != 0
    assert executed(again) == []
    faults = {line.split("WARNING: ")[1] for line in warnings if "WARNING: " in line}
    assert {
        line.split("WARNING: ")[1] for line in again.splitlines() if "WARNING: " in line
    } == faults


def test_failing_cells_fail_every_build(book: Book) -> None:
    page = FRONT.replace("SETTINGS", "") + "# Fails\n" + cell("print(1)") + cell("1 / 0  # here")
    book.write("book/fails.md", page)
    book.write("book/late.md", page.replace("1 / 0", "import sys; sys.exit(3)"))
    book.write_toc()
    status, log = book.build()
    assert status != 0
    line = fence(page, "1 / 0")
    assert f"book/fails.md, code cell 2 (line {line}): ZeroDivisionError: division by zero" in log
    assert f"book/late.md, code cell 2 (line {line}): SystemExit: 3" in log
    assert re.search(r"Traceback .*\n(.*\n)*.*1 / 0  # here", log)
    # The other one was good, and is not executed again.
    book.edit("book/fails.md", "1 / 0", "1 / 1")
    book.edit("book/late.md", "import sys; sys.exit(3)", "2 / 1")
    status, log = book.build(*STRICT)
    assert status == 0, log
    assert sorted(executed(log)) == ["book/fails.md", "book/late.md"]


def test_build_folder_can_be_deleted(book: Book) -> None:
    shutil.rmtree(book.folder / "_build" / ".jupyter_cache")
    status, log = book.build(*STRICT)
    assert status == 0, log
    assert len(executed(log)) == 2
    shutil.rmtree(book.folder / "_build")
    status, log = book.build(*STRICT)
    assert status == 0, log
    assert len(executed(log)) == 2


def test_book_without_chapters_says_so(tmp_path: Path) -> None:
    book = Book.create(tmp_path)
    for name in ("01-one.md", "02-two.md"):
        (tmp_path / "book" / name).unlink()
    book.write("book/index.md", "# Hello\n\nSoon.\n")
    book.write_toc()
    status, log = book.build("--all", *STRICT)
    assert status == 0, log
    assert "No chapter has recorded a figure" in book.page("book/reproduced.html")
    assert "No chapter has been executed" in book.page("book/times.html")
    assert json.loads((book.html / "reproduced.json").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{theads: 2}", "has no key theads"),
        ("{threads: true}", "threads` must be a count of 1 or more"),
        ("{budget: -1}", "budget` must be a number of seconds above 0"),
    ],
)
def test_front_matter_is_checked(tmp_path: Path, settings: str, message: str) -> None:
    from bookbuild.book.settings import FrontMatterError, page_settings

    page = tmp_path / "page.md"
    page.write_text(f"---\nzerotohero: {settings}\n---\n# T\n", encoding="utf-8")
    with pytest.raises(FrontMatterError, match=message) as caught:
        page_settings(page)
    assert str(page) in str(caught.value)
