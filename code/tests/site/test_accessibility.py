"""Every page of the built site under axe: no violation of a rule.

Two rounds: on a phone in the light theme, and on a wide screen in the dark one.
"""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import ALL, Chromium, Visit
from build_scratch import ROOT

HTML = ROOT / "_build" / "html"
NAMES = [f"book/{path.stem}" for path in sorted((ROOT / "book").glob("*.md"))]
PAGES = [*NAMES, "search", "genindex", "py-modindex"]
COLORS = {"runOnly": ["color-contrast", "link-in-text-block"]}


def violations(visit: Visit, options: dict[str, Any] | None = None) -> list[str]:
    """A line for each element that violates a rule of axe."""
    visit.page.add_style_tag(content=ALL)
    visit.settle()
    found = Axe().run(visit.page, options=options).response["violations"]
    return [
        f"{rule['id']}: {node['target']}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


def path_of(name: str) -> Path:
    return HTML / f"{name}.html"


@pytest.mark.parametrize("name", PAGES)
def test_no_violation_on_a_phone(chromium: Chromium, name: str) -> None:
    with chromium.visit(path_of(name), width=390) as visit:
        assert violations(visit) == []


@pytest.mark.parametrize("name", PAGES)
def test_no_violation_on_a_wide_screen_in_the_dark(chromium: Chromium, name: str) -> None:
    with chromium.visit(path_of(name), width=1280, theme="dark") as visit:
        assert violations(visit) == []


def test_what_scrolls_can_be_reached_with_the_keyboard(chromium: Chromium) -> None:
    # so narrow that formulas do not fit, however well they are broken for a phone
    with chromium.visit(path_of("book/02-bigrams"), width=240) as visit:
        page = visit.page
        page.add_style_tag(content=ALL)
        visit.settle()
        boxes = page.locator("pre, mjx-container[display=true], .pst-scrollable-table-container")
        states = boxes.evaluate_all(
            "boxes => boxes.map(box => [box.localName, box.scrollWidth > box.clientWidth ||"
            " box.scrollHeight > box.clientHeight, box.tabIndex,"
            " !box.closest('details:not([open])')])"
        )
        seen = [state[:3] for state in states if state[3]]
        assert {name for name, scrolls, _ in seen if scrolls} >= {"pre", "mjx-container"}
        assert all(index == (0 if scrolls else -1) for _, scrolls, index in seen)
        # in a closed fold, once it is opened
        page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
        visit.settle()
        folded = page.locator("details pre").evaluate_all(
            "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth)"
            ".map(box => box.tabIndex)"
        )
        assert folded
        assert set(folded) == {0}
        formula = page.locator("mjx-container[display=true][tabindex='0']").first
        formula.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.activeElement.scrollLeft > 0")
        # with room enough, it is no longer a stop on the way through the page
        page.set_viewport_size({"width": 1600, "height": 900})
        visit.settle()
        assert page.locator("mjx-container[display=true][tabindex]").count() == 0


@pytest.mark.parametrize("width", [390, 1280])
def test_menus_and_folds_work_with_keys(chromium: Chromium, width: int) -> None:
    with chromium.visit(path_of("book/02-bigrams"), width=width) as visit:
        page = visit.page

        def walk_to(label: str) -> None:
            """Press Tab until the element with that label has the focus, which must be seen."""
            for _ in range(60):
                page.keyboard.press("Tab")
                name, style = page.evaluate(
                    "() => { const at = document.activeElement, css = getComputedStyle(at);"
                    " return [at.getAttribute('aria-label') || at.textContent.trim(),"
                    " [css.outlineStyle, css.outlineWidth, css.boxShadow, css.opacity]] }"
                )
                assert style[3] != "0", f"{name} has the focus and is not seen"
                assert (style[0] != "none" and style[1] != "0px") or style[2] != "none", name
                if name.startswith(label):
                    return
            raise AssertionError(f"{label} is not reached")

        walk_to("Launch interactive content")
        page.keyboard.press("Enter")
        colab = page.locator(".dropdown-launch-buttons .dropdown-menu a").first
        assert colab.is_visible()
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.closest('.dropdown-menu') !== null")
        page.keyboard.press("Escape")
        assert not colab.is_visible()
        assert page.evaluate("document.activeElement.ariaLabel") == "Launch interactive content"
        walk_to("Color mode")
        before = page.evaluate("document.documentElement.dataset.mode")
        page.keyboard.press("Enter")
        assert page.evaluate("document.documentElement.dataset.mode") != before
        walk_to("Show code cell source")
        for expected in (True, False):
            page.keyboard.press("Enter")
            assert page.evaluate("document.activeElement.closest('details').open") is expected


def test_axe_sees_what_is_wrong(chromium: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    text = '<!DOCTYPE html><html lang="en"><title>x</title><main><h1>x</h1>%s</main></html>'
    page.write_text(text % '<p style="color: #bbb">pale</p><img src="data:,">', encoding="utf-8")
    with chromium.visit(page) as visit:
        lines = "\n".join(violations(visit))
        assert "color-contrast: ['p']" in lines
        assert "image-alt: ['img']" in lines
        assert "image-alt" not in "\n".join(violations(visit, COLORS))
