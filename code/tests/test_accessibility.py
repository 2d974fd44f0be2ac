"""Every page of the built site under axe: no violation of a rule, in either theme.

Two rounds, since what differs between them is little: all rules on a phone in the light theme, and
those about color on a wide screen in the dark one.
"""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import Chromium, Visit
from build_scratch import ROOT

HTML = ROOT / "_build" / "html"
NAMES = [f"book/{path.stem}" for path in sorted((ROOT / "book").glob("*.md"))]
PAGES = [*NAMES, "search", "genindex"]
COLORS = {"runOnly": ["color-contrast", "link-in-text-block"]}
# Long chapters leave out what is off the screen; axe shall see it.
ALL = ".bd-article > section > section { content-visibility: visible !important; }"


def violations(visit: Visit, options: dict[str, Any] | None = None) -> list[str]:
    """A line for each element that violates a rule of axe."""
    visit.page.add_style_tag(content=ALL)
    visit.page.wait_for_timeout(300)
    found = Axe().run(visit.page, options=options).response["violations"]
    return [
        f"{rule['id']}: {node['target']}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


def path_of(name: str) -> Path:
    path = HTML / f"{name}.html"
    if not path.is_file():
        pytest.skip("the book has not been built")
    return path


@pytest.mark.parametrize("name", PAGES)
def test_no_violation_on_a_phone(chromium: Chromium, name: str) -> None:
    with chromium.visit(path_of(name), width=390) as visit:
        assert violations(visit) == []


@pytest.mark.parametrize("name", PAGES)
def test_colors_of_the_dark_theme(chromium: Chromium, name: str) -> None:
    with chromium.visit(path_of(name), width=1280, theme="dark") as visit:
        assert violations(visit, COLORS) == []


def test_axe_sees_what_is_wrong(chromium: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    text = '<!DOCTYPE html><html lang="en"><title>x</title><main><h1>x</h1>%s</main></html>'
    page.write_text(text % '<p style="color: #bbb">pale</p><img src="data:,">', encoding="utf-8")
    with chromium.visit(page) as visit:
        lines = "\n".join(violations(visit))
        assert "color-contrast: ['p']" in lines
        assert "image-alt: ['img']" in lines
        assert "image-alt" not in "\n".join(violations(visit, COLORS))
