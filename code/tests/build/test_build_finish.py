"""What the written site is made of: joined style sheets, the entrance, the table of its weights."""

import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from build_scratch import ROOT, STRICT, Book
from chapter_source import CHAPTERS

from bookbuild.transform.quality import RECORD
from bookbuild.write.site import write_entrance
from bookbuild.write.theme.icons import ThemeChanged
from bookbuild.write.theme.styles import Styles

HEAD = """<html><head>
    <link href="{root}_static/styles/theme.css?digest=1" rel="stylesheet" />
    <link rel="stylesheet" type="text/css" href="{root}_static/plain.css" />
    <link rel="icon" href="{root}_static/icon.svg" />
    <link rel="stylesheet" href="https://example.org/other.css" />
    <link rel="stylesheet" href="{root}_static/css/own.css?v=2" />
</head></html>"""


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A folder of style sheets."""
    tmp_path = tmp_path / "site" / "_static"
    files = {
        "basic.css": 'a { background: url("file.png") }',
        "styles/theme.css": '@charset "UTF-8";@import "../basic.css"; b { src: url(../x.woff) }',
        "plain.css": "c { background: url(data:image/png;base64,AA) }",
        "css/own.css": "d { background: url('pic.svg'); mask: url(#here) }",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_style_sheets_are_joined_in_their_order(static: Path) -> None:
    styles = Styles()
    page = BeautifulSoup(styles.join(HEAD.format(root="../")), "html.parser")
    links = [link["href"] for link in page.select("link")]
    name = next(iter(styles.files))
    assert links == [f"../_static/{name}", "../_static/icon.svg", "https://example.org/other.css"]
    styles.write(static)
    text = (static / name).read_text(encoding="utf-8")
    assert re.findall(r"\b([abcd]) \{", text) == ["a", "b", "c", "d"]
    assert "@" not in text
    # addresses are seen from the folder _static
    found = re.findall(r"url\(([^)]*)\)", text)
    assert found == ['"file.png"', "x.woff", "data:image/png;base64,AA", "'css/pic.svg'", "#here"]


def test_pages_with_the_same_style_sheets_share_a_file(static: Path) -> None:
    styles = Styles()
    for root in ("../", "", "../../"):
        assert f'href="{root}_static/all-' in styles.join(HEAD.format(root=root))
    assert len(styles.files) == 1
    # another version of a sheet, another file: no browser keeps the old one
    styles.join(HEAD.format(root="").replace("v=2", "v=3"))
    assert len(styles.files) == 2
    # a page of an earlier build still names one of these
    for name in ("all-0ab.css", "all-1ab.css"):
        (static / name).write_text("", encoding="utf-8")
    page = static.parent / "old page.html"
    page.write_text('<link href="_static/all-1ab.css">', encoding="utf-8")
    styles.write(static)
    assert {path.name for path in static.glob("all-*")} == {*styles.files, "all-1ab.css"}


def test_one_style_sheet_stays_and_a_missing_one_is_named(static: Path) -> None:
    styles = Styles()
    one = '<link rel="stylesheet" href="_static/plain.css" />'
    assert styles.join(one) == one
    styles.join(HEAD.format(root=""))
    (static / "basic.css").unlink()
    with pytest.raises(ThemeChanged, match=r"no style sheet basic\.css"):
        styles.write(static)


def test_the_entrance_says_where_the_book_is(tmp_path: Path) -> None:
    names = ("Nets & <more>", "images/a b.svg", "de")
    write_entrance(tmp_path, "https://a.b/c/", "book/a b.html", *names)
    soup = BeautifulSoup((tmp_path / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert soup.html is not None
    assert soup.html["lang"] == "de"
    assert soup.title is not None
    assert soup.title.get_text() == "Nets & <more>"
    assert soup.select_one("link[rel=canonical]")["href"] == "https://a.b/c/book/a%20b.html"  # type: ignore[index]
    assert soup.select_one("link[rel=icon]")["href"] == "_static/a%20b.svg"  # type: ignore[index]
    assert soup.select_one("meta[http-equiv]")["content"] == "0; url=book/a%20b.html"  # type: ignore[index]
    assert soup.select_one("a")["href"] == "book/a%20b.html"  # type: ignore[index]


# -- the record of Lighthouse


def row(performance: int, practices: int) -> dict[str, object]:
    scores = {"performance": performance, "accessibility": 100, "seo": 100}
    scores["best-practices"] = practices
    return {"scores": scores, "bytes": 123_456, "first_paint": 1_530}


def test_the_record_of_lighthouse_becomes_a_table(tmp_path: Path) -> None:
    record = {
        "command": "make lighthouse",
        "versions": ["Lighthouse 1"],
        "runs": 3,
        "date": "2026-01-02",
        "machine": "a machine",
        "pages": {"book/index": {"phone": row(88, 97), "desktop": row(99, 96)}},
    }
    book = Book.create(
        tmp_path,
        {
            "book/01-one.md": "# One\n\n```{page-quality}\n```\n",
            "book/02-two.md": "# Two\n",
            RECORD: json.dumps(record),
        },
    )
    status, log = book.build(*STRICT)
    assert status == 0, log
    soup = BeautifulSoup(book.page("book/01-one.html"), "html.parser")
    cells = [cell.get_text(strip=True) for cell in soup.select("tbody td")]
    assert cells == ["Hello", "123", "1.5", "88 / 99", "100, 96, 100"]
    assert "median of 3 runs each, 2026-01-02, on a machine." in soup.get_text()

    book.write(RECORD, '{"pages": {"book/index": {}}}')
    status, log = book.build(*STRICT)
    assert status != 0
    assert f"{RECORD} is no record of `make lighthouse`: KeyError" in log


def test_the_record_covers_the_book() -> None:
    record = json.loads((ROOT / RECORD).read_text(encoding="utf-8"))
    chapters = {f"book/{path.stem}" for path in CHAPTERS}
    assert set(record["pages"]) == {"book/index"} | chapters
    for page in record["pages"].values():
        assert set(page) == {"phone", "desktop"}
        assert all(device["third_parties"] == [] for device in page.values())
        assert all(device["bytes"] < 1_000_000 for device in page.values())
        for name, device in page.items():
            speed = device["scores"].pop("performance")
            assert speed >= (95 if name == "desktop" else 85)
            assert set(device["scores"]) == {"accessibility", "best-practices", "seo"}
            assert min(device["scores"].values()) >= 95
