"""The book as one document, and as a PDF that a real browser prints."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pypdf
import pytest
from browser import require_browser
from bs4 import BeautifulSoup
from build_scratch import EXTENSIONS, ROOT, STRICT, Book
from playwright.sync_api import Error

from bookbuild.book.settings import Part, read_toc
from booktools import browser, one_page, pdf

EDITION = one_page.Edition("A <Book>", "Ada & Bob", "https://a.b/book/", ("Version 1",))
STYLE = ROOT / "book" / "_static" / "css" / "pdf.css"

PAGE = """<html><head>
<link rel="stylesheet" href="../_static/a.css">
<script src="../_static/other.js"></script>
<style class="formulas">@font-face {{src: url("../_static/mathjax/m.woff")}} c.{name} {{}}</style>
</head><body><nav>menu</nav><article class="bd-article">
<section id="{name}"><h1>{title}<a class="headerlink" href="#{name}">#</a></h1>
<section id="summary"><h2><em>Summary</em></h2>{text}</section></section>
</article></body></html>"""

ONE = """<a href="two.html#summary">to two</a> <a href="#summary">here</a>
<a href="two.html">two</a> <a href="../genindex.html">index</a>
<a href="https://c.d/e.html">away</a> <img src="../_images/p.svg" loading="lazy">
<details><summary>Fold</summary>inside</details> <label for="summary">x</label>
<svg><g id="clip"></g><rect clip-path="url(#clip)"></rect></svg>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "html"
    (folder / "book").mkdir(parents=True)
    for name, text in {"index": "", "one": ONE, "two": "second"}.items():
        html = PAGE.format(name=name, title=f"Page {name}", text=text)
        (folder / "book" / f"{name}.html").write_text(html, encoding="utf-8")
    return folder


PARTS = [
    Part(None, ("book/index",)),
    Part("First & last", ("book/one", "book/two")),
]


@pytest.fixture
def document(site: Path, tmp_path: Path) -> BeautifulSoup:
    target = tmp_path / "pdf" / "book.html"
    return BeautifulSoup(one_page.assemble(site, PARTS, target, EDITION, STYLE), "html.parser")


def test_ids_are_unique_and_links_find_them(document: BeautifulSoup) -> None:
    ids = [tag["id"] for tag in document.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert {"one", "two", "one--summary", "two--summary", "one--clip"} <= set(ids)
    links = {link.get_text(): link["href"] for link in document.select("main a")}
    assert links == {
        "to two": "#two--summary",
        "here": "#one--summary",
        "two": "#two",
        "index": "https://a.b/book/genindex.html",
        "away": "https://c.d/e.html",
    }
    inside = [a["href"][1:] for a in document.select("a[href^='#']")]
    assert set(inside) <= set(ids)
    assert document.select_one("rect")["clip-path"] == "url(#one--clip)"
    assert document.select_one("label")["for"] == "one--summary"


def test_files_are_found_from_where_the_document_lies(document: BeautifulSoup) -> None:
    assert document.select_one("img")["src"] == "../html/_images/p.svg"
    assert not document.select_one("img").has_attr("loading")
    assert [link["href"] for link in document.select("link")] == ["../html/_static/a.css"]
    assert not document.find_all("script")
    styles = [str(style.string) for style in document.select("style.formulas")]
    assert len(styles) == 3, "each page brings along what its own formulas need"
    assert all('url("../html/_static/mathjax/m.woff")' in style for style in styles)


def test_title_page_contents_and_folds(document: BeautifulSoup) -> None:
    title = document.select_one(".pdf-title").get_text("\n", strip=True).splitlines()
    assert title[:4] == ["A <Book>", "The executable book", "Ada & Bob", "Version 1"]
    contents = document.select_one(".pdf-contents")
    assert contents.select_one(".pdf-part").get_text() == "First & last"
    entries = [(a.get_text(), a["href"]) for a in contents.find_all("a")]
    assert entries == [
        (text, f"#{name}{anchor}")
        for name in ("index", "one", "two")
        for text, anchor in ((f"Page {name}", ""), ("Summary", "--summary"))
    ]
    assert document.select_one("details").has_attr("open")
    assert not document.select(".headerlink, nav:not(.pdf-contents)")


def test_a_page_that_is_not_there(site: Path, tmp_path: Path) -> None:
    (site / "book" / "two.html").unlink()
    with pytest.raises(one_page.OnePageError, match=r"there is no page book/two\.html in"):
        one_page.assemble(site, PARTS, tmp_path / "x.html", EDITION, STYLE)


def test_the_table_of_contents_of_the_book_itself() -> None:
    parts = read_toc(ROOT / "_toc.yml")
    assert parts[0] == Part(None, ("book/index",))
    assert any("book/01-micrograd" in part.pages for part in parts)
    for part in parts:
        for page in part.pages:
            assert (ROOT / f"{page}.md").is_file()


def test_without_a_build_there_is_no_pdf(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pdf.main([str(tmp_path)]) == 2
    assert "no PDF: the last build was killed or failed" in capsys.readouterr().err


def test_the_check_starts_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    require_browser()
    assert pdf.main(["--check"]) == 0
    monkeypatch.setenv("CHROME_PATH", "/no/such/browser")
    assert pdf.main(["--check"]) == 2


def test_a_browser_is_looked_for_in_the_usual_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Playwright knows where Chrome and Edge are; it is asked when the path has none."""
    asked = []

    class Chromium:
        def launch(self, *, channel: str) -> str:
            asked.append(channel)
            if channel != "msedge":
                raise Error("not installed")
            return "Edge"

    monkeypatch.delenv("CHROME_PATH", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    playwright = SimpleNamespace(chromium=Chromium())
    assert browser.launch(playwright) == "Edge"  # type: ignore[arg-type, comparison-overlap]
    monkeypatch.setattr(browser, "CHANNELS", ("chrome",))
    with pytest.raises(browser.NoBrowserError, match="CHROME_PATH"):
        browser.launch(playwright)  # type: ignore[arg-type]
    assert asked == ["chrome", "msedge", "chrome"]


# -- printed ---------------------------------------------------------------------------------------

WIDE = "$$\n" + " + ".join(f"x_{{{i}}}^2 y_{{{i}}}" for i in range(24)) + "\n$$"
BOOK = {
    "book/01-one.md": f"""# Page one

See [the summary of two](#two-summary), and {{ref}}`ours <one-summary>`.

{WIDE}

```python
{"long_name = another_long_name + " * 12}0
```

:::{{admonition}} A hint
:class: dropdown
Words in a fold.
:::

(one-summary)=
## Summary
""",
    "book/02-two.md": "# Page two\n\nText.\n\n(two-summary)=\n## Summary\n\nThe end of it.\n",
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Book:
    require_browser()
    book = Book.create(tmp_path_factory.mktemp("printed"), BOOK)
    # the fonts of formulas are in a folder of the real book
    config = (book.folder / "_config.yml").read_text(encoding="utf-8")
    more = "    html_static_path: [static]\n"
    book.write("_config.yml", config.replace("    nb_merge", f"{more}    nb_merge"))
    shutil.copytree(ROOT / "book/_static/mathjax", book.folder / "static" / "mathjax")
    status, log = book.build(*STRICT)
    assert status == 0, log
    return book


def test_the_printed_book(printed: Book) -> None:
    command = [sys.executable, "-m", "booktools", "pdf"]
    environment = printed.environment(PYTHONPATH=str(EXTENSIONS))
    done = subprocess.run(
        command,
        cwd=printed.folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reader = pypdf.PdfReader(printed.html / "zero-to-hero.pdf")
    text = [page.extract_text() for page in reader.pages]
    assert reader.metadata is not None
    assert reader.metadata.title == "Neural Networks: Zero to Hero"
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"], "tagged for screen readers"
    assert root["/Lang"] == "en"

    # each page of the book begins on one of its own, and is in the bookmarks
    marks: dict[str, int] = {}

    def collect(entries: list[object]) -> None:
        for entry in entries:
            if isinstance(entry, list):
                collect(entry)
            else:
                marks.setdefault(entry.title, reader.get_destination_page_number(entry))

    collect(reader.outline)
    assert marks["Contents"] == 1
    assert marks["Contents"] < marks["Hello"] < marks["Page one"] < marks["Page two"]
    for title in ("Page one", "Page two"):
        assert text[marks[title]].lstrip().startswith(title)
    assert "Words in a fold." in text[marks["Page one"]]

    # links inside lead to a page, those to other sites to an address
    links = [
        note.get_object()
        for page in reader.pages
        for note in page.get("/Annots", [])
        if note.get_object()["/Subtype"] == "/Link"
    ]
    targets = {str(link["/Dest"]) for link in links if "/Dest" in link}
    assert {"/02-two--two-summary", "/01-one--one-summary"} <= targets
    assert targets <= set(root["/Dests"].keys())
    outside = {str(link["/A"]["/URI"]) for link in links if "/A" in link}
    assert outside, "the title page says where the site is"
    assert all(address.startswith("https://") for address in outside)


def test_what_does_not_fit_and_what_is_missing_is_said(tmp_path: Path) -> None:
    require_browser()
    page = tmp_path / "page.html"
    page.write_text(
        '<title>x</title><body style="margin: 0"><section class="pdf-page" id="one">'
        '<p style="width: 900px">Too wide</p><img src="no.png" alt="x"></section>',
        encoding="utf-8",
    )
    flaws = pdf.print_pdf(page, tmp_path / "out" / "page.pdf")
    assert flaws == [
        f"text beyond the margin: one: <p> {900 - pdf.WIDTH - 1} px Too wide",
        f"missing picture: {(tmp_path / 'no.png').as_uri()}",
    ]
    assert (tmp_path / "out" / "page.pdf").read_bytes().startswith(b"%PDF-")
