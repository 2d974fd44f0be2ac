"""The checks of alternative texts, inline drawings, links and memory."""

from pathlib import Path

import build_scratch  # noqa: F401 # makes bookbuild importable
import pytest
from bs4 import BeautifulSoup

from bookbuild.check import report
from bookbuild.check.alt_text import alt_flaw, svg_flaw
from bookbuild.check.links import dead_links


@pytest.mark.parametrize(
    ("alt", "flaw"),
    [
        (None, "no alternative text"),
        ("", "no alternative text"),
        ("  \n", "no alternative text"),
        ("../_images/0a1b.png", "file name"),
        ("_build/my figures/loss.svg", "file name"),
        ("images/loss-of-the-training-set", "file name"),
        ("Loss.PNG", "file name"),
        ("a plot", "too short"),
        ("Trainingsverlustkurve", "too short"),
        ("Loss per step", None),
        ("Loss against 1/sqrt(n), falling", None),
    ],
)
def test_alternative_text(alt: str | None, flaw: str | None) -> None:
    found = alt_flaw(alt)
    assert found is None if flaw is None else flaw in str(found)


@pytest.mark.parametrize(
    ("html", "good"),
    [
        ("<svg></svg>", False),
        ("<svg aria-label='A graph'></svg>", False),
        ("<svg role='img'></svg>", False),
        ("<svg role='img' aria-label=' '></svg>", False),
        ("<svg role='img'><title> </title></svg>", False),
        ("<svg role='img'><g><title>a node's tool tip</title></g></svg>", False),
        ("<svg role='img' aria-label='A graph'></svg>", True),
        ("<svg role='img'><title>A graph</title></svg>", True),
        ("<svg aria-hidden='true'></svg>", True),
        ("<span aria-hidden='true'><svg></svg></span>", True),
    ],
)
def test_inline_svg(html: str, good: bool) -> None:
    svg = BeautifulSoup(html, "html.parser").find("svg")
    assert svg is not None
    assert (svg_flaw(svg) is None) == good


def test_dead_links(tmp_path: Path) -> None:
    (tmp_path / "sub dir").mkdir()
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "theme.html").write_text("<a href='nowhere'>", encoding="utf-8")
    (tmp_path / "pic é.svg").write_text("<svg/>", encoding="utf-8")
    (tmp_path / "index.html").write_text(
        """<h1 id="top-é">T</h1><a name="old">o</a>
        <a href="#top-%C3%A9">ok</a> <a href="#old">ok</a> <a href="#">ok</a> <a href="#top">ok</a>
        <a href="sub%20dir/page.html?v=1#here">ok</a> <img src="pic%20%C3%A9.svg">
        <a href="https://example.org/x">ok</a> <a href="//example.org">ok</a>
        <a href="mailto:a@b">ok</a> <a href="javascript:go()">ok</a> <img src="data:,x">
        <a href="pic é.svg#layer">ok</a> <a href="sub dir/">no index</a>
        <a href="#nope">anchor</a> <div class="cell docutils container"></div>
        <div class="cell docutils container"><img src="no.png" alt="Alt"></div>
        <script src="no.js"></script> <a href="/top.html">root</a> <a href="../up.html">up</a>
        """,
        encoding="utf-8",
    )
    (tmp_path / "sub dir" / "page.html").write_text(
        '<p id="here"><a href="../index.html#old">ok</a><a href="../index.html#here">gone</a>',
        encoding="utf-8",
    )
    (tmp_path / "404.html").write_text(
        '<p id="here"><a href="/some/index.html#old">ok</a> <a href="#here">ok</a>'
        '<a href="/some/">ok</a> <a href="https://example.org">ok</a> <img src="data:,x">'
        '<a href="/some/no.html">no file</a> <a href="/index.html">other site</a>'
        '<a href="index.html">relative</a> <a href="/some/index.html#no">no anchor</a>',
        encoding="utf-8",
    )
    links = dead_links(tmp_path, "/some/")
    found = {(link.page, link.text, link.target, link.cell) for link in links}
    assert found == {
        ("404.html", "no file", "/some/no.html", None),
        ("404.html", "other site", "/index.html", None),
        ("404.html", "relative", "index.html", None),
        ("404.html", "no anchor", "/some/index.html#no", None),
        ("index.html", "no index", "sub dir/", None),
        ("index.html", "anchor", "#nope", None),
        ("index.html", "Alt", "no.png", 1),
        ("index.html", "<script>", "no.js", None),
        ("index.html", "root", "/top.html", None),
        ("index.html", "up", "../up.html", None),
        ("sub dir/page.html", "gone", "../index.html#here", None),
    }


def test_a_chapter_too_large_for_binder_is_a_warning_where_budgets_are_enforced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(report.logger, "warning", lambda text, **_: warned.append(text))
    row = {"label": "one", "page": "one", "seconds": 1.0, "threads": 1, "budget": None}
    memories = {"unknown": None, "small": 1.49e9, "large": 1.51e9}
    rows = [{**row, "label": k, "memory": m} for k, m in memories.items()]
    monkeypatch.delenv("ZEROTOHERO_ENFORCE_BUDGET", raising=False)
    report.report_times(rows, set())
    assert not warned
    monkeypatch.setenv("ZEROTOHERO_ENFORCE_BUDGET", "3")
    report.report_times(rows, set())
    (warning,) = warned
    assert warning.startswith("large: executing it took 1,510 MB of memory")
