"""The check of links to other sites, and the report that it leaves."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import build_scratch  # noqa: F401 # makes bookbuild importable
import pytest
from build_scratch import EXTENSIONS, ROOT, Book
from conftest import Server, reply

from booktools.links import report

SCRIPT = ROOT / ".github" / "report-links.sh"


def result(uri: str, status: str, line: int = 1, info: str = "") -> dict[str, object]:
    return {
        "filename": "book/one.md",
        "lineno": line,
        "status": status,
        "code": 0,
        "uri": uri,
        "info": info,
    }


def test_only_broken_links_are_reported_once_each() -> None:
    text = report(
        [
            result("https://b.c/", "broken", 9, "404 | Not Found\n for url"),
            result("https://a.b/", "working"),
            result("https://a.b/slow", "timeout", 3),
            result("https://b.c/", "broken", 2, "404 | Not Found\n for url"),
            result("https://a.b/moved", "redirected", 1, "https://a.b/"),
            result("https://a.b/local", "unchecked"),
        ]
    )
    assert text.splitlines() == [
        "2 of the book's links to other sites did not work when they were tried.",
        "",
        "| address | what came back | where |",
        "| --- | --- | --- |",
        "| <https://a.b/slow> | timeout | `book/one.md`, line 3 |",
        "| <https://b.c/> | 404 \\| Not Found for url | `book/one.md`, line 2, "
        "`book/one.md`, line 9 |",
    ]


def test_nothing_broken_is_an_empty_report() -> None:
    assert report([result("https://a.b/", "working")]) == ""


@pytest.mark.parametrize("missing", [False, True])
def test_a_book_whose_links_are_tried(tmp_path: Path, server: Server, missing: bool) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        reply(request, b"page", status=404 if request.path == "/missing" else 200)

    server.answer = answer
    links = f"[there]({server.url}/there)" + missing * f" and [not]({server.url}/missing)"
    book = Book.create(
        tmp_path, {"book/01-one.md": f"# One\n\n{links}\n", "book/02-two.md": "# 2\n"}
    )
    command = [sys.executable, "-m", "booktools", "links"]
    environment = book.environment(PYTHONPATH=str(EXTENSIONS), NO_PROXY="127.0.0.1")
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == missing, done.stderr
    written = (tmp_path / "_build" / "linkcheck" / "report.md").read_text(encoding="utf-8")
    assert (f"| <{server.url}/missing> | 404" in written) == missing
    assert "/there" not in written


# -- the issue -----------------------------------------------------------------------------------

GH = """#!{python}
import json, sys
from pathlib import Path
if sys.argv[1:3] == ["issue", "list"]:
    print(Path("open.txt").read_text(encoding="utf-8"), end="")
else:
    with Path("calls.txt").open("a", encoding="utf-8") as file:
        print(json.dumps(sys.argv[1:]), file=file)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the workflow runs it on Linux")
@pytest.mark.parametrize(
    ("report", "opened", "expected"),
    [
        ("", "", []),
        ("", "7\n", ["issue", "close", "7", "--comment", "All links work again."]),
        ("| x |", "7\n", ["issue", "edit", "7", "--body-file", "report.md"]),
        (
            "| x |",
            "",
            [
                "issue",
                "create",
                "--title",
                "Links to other sites are broken",
                "--body-file",
                "report.md",
            ],
        ),
        (None, "7\n", None),
    ],
)
def test_one_issue_is_opened_updated_and_closed(
    tmp_path: Path, report: str | None, opened: str, expected: list[str] | None
) -> None:
    (tmp_path / "gh").write_text(GH.format(python=sys.executable), encoding="utf-8")
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "open.txt").write_text(opened, encoding="utf-8")
    (tmp_path / "calls.txt").touch()
    if report is not None:
        (tmp_path / "report.md").write_text(report, encoding="utf-8")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(SCRIPT), "report.md"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    calls = [json.loads(line) for line in (tmp_path / "calls.txt").read_text().splitlines()]
    if expected is None:
        assert done.returncode == 1
        assert "there is no report at report.md" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
    assert calls == ([expected] if expected else [])
