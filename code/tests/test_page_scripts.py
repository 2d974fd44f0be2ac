"""The small scripts of the pages: where a reader was, and what paper looks like."""

from typing import Any

import pytest
from browser import Chromium
from build_scratch import ROOT

HTML = ROOT / "_build" / "html" / "book"
pytestmark = pytest.mark.built


def position(page: Any) -> float:
    """Distance of the heading of the section "Gains" from the upper edge of the window."""
    page.wait_for_timeout(700)
    return float(
        page.locator("#gains > h2, #gains > h3").evaluate("h => h.getBoundingClientRect().top")
    )


@pytest.mark.parametrize("width", [390, 1280])
def test_a_reader_comes_back_to_the_same_place(chromium: Chromium, width: int) -> None:
    with chromium.visit(HTML / "04-batchnorm.html", width=width) as visit:
        page = visit.page
        page.evaluate("location.hash = 'gains'")
        page.wait_for_timeout(500)
        page.mouse.wheel(0, 900)
        before = position(page)
        assert before < -500
        page.reload()
        assert abs(position(page) - before) < 40
        page.goto((HTML / "glossary.html").resolve().as_uri())
        page.go_back()
        assert abs(position(page) - before) < 40
        # a link to another section is not overruled
        page.goto((HTML / "index.html").resolve().as_uri())
        page.goto((HTML / "04-batchnorm.html").resolve().as_uri() + "#exercises")
        page.wait_for_timeout(700)
        top = page.locator("#exercises > h2").evaluate("h => h.getBoundingClientRect().top")
        assert 0 <= top < 150
        assert visit.errors == []


def test_fonts_of_formulas_are_there_before_anybody_prints(chromium: Chromium) -> None:
    with chromium.visit(HTML / "02-bigrams.html") as visit:
        visit.page.wait_for_timeout(1500)
        fonts = dict(
            visit.page.evaluate(
                "[...document.fonts].map(font => [font.family.replaceAll('\"', ''), font.status])"
            )
        )
        needed = ["MJXTEX", "MJXTEX-I", "MJXTEX-S1", "MJXTEX-S2"]
        assert {name: fonts[name] for name in needed} == dict.fromkeys(needed, "loaded")
        assert fonts["MJXTEX-FR"] == "unloaded"  # no formula of the page is in Fraktur


def test_paper_is_light(chromium: Chromium) -> None:
    with chromium.visit(HTML / "02-bigrams.html", theme="dark") as visit:
        theme = "document.documentElement.dataset.theme"
        assert visit.page.evaluate(theme) == "dark"
        visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert visit.page.evaluate(theme) == "light"
        visit.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert visit.page.evaluate(theme) == "dark"
