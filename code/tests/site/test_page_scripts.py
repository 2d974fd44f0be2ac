"""The small scripts of the pages: where a reader was, and what paper looks like."""

import pytest
from browser import Chromium, Visit
from build_scratch import ROOT

HTML = ROOT / "_build" / "html" / "book"


def position(visit: Visit, section: str = "gains") -> float:
    """Distance of the heading of a section from the upper edge of the window."""
    visit.settle()
    heading = visit.page.locator(f"#{section} > h2, #{section} > h3")
    return float(heading.evaluate("h => h.getBoundingClientRect().top"))


@pytest.mark.parametrize("width", [390, 1280])
def test_a_reader_comes_back_to_the_same_place(chromium: Chromium, width: int) -> None:
    with chromium.visit(HTML / "04-batchnorm.html", width=width) as visit:
        page = visit.page
        page.evaluate("location.hash = 'gains'")
        visit.settle()
        page.mouse.wheel(0, 900)
        before = position(visit)
        assert before < -500
        page.reload()
        assert abs(position(visit) - before) < 40
        page.goto((HTML / "glossary.html").resolve().as_uri())
        page.go_back()
        assert abs(position(visit) - before) < 40
        # a link to another section is not overruled
        page.goto((HTML / "index.html").resolve().as_uri())
        page.goto((HTML / "04-batchnorm.html").resolve().as_uri() + "#exercises")
        assert 0 <= position(visit, "exercises") < 150
        assert visit.errors == []


def test_fonts_of_formulas_are_there_before_anybody_prints(chromium: Chromium) -> None:
    with chromium.visit(HTML / "02-bigrams.html") as visit:
        page = visit.page
        needed = ["MJXTEX", "MJXTEX-I", "MJXTEX-S1", "MJXTEX-S2"]
        state = (
            "([...document.fonts].find((font) => font.family.replaceAll('\"', '') === name).status)"
        )
        page.wait_for_function(
            f"(names) => names.every((name) => {state} === 'loaded')", arg=needed
        )
        # no formula of the page is in Fraktur
        assert page.evaluate(f"(name) => {state}", "MJXTEX-FR") == "unloaded"


def test_paper_is_light(chromium: Chromium) -> None:
    with chromium.visit(HTML / "02-bigrams.html", theme="dark") as visit:
        theme = "document.documentElement.dataset.theme"
        assert visit.page.evaluate(theme) == "dark"
        visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert visit.page.evaluate(theme) == "light"
        visit.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert visit.page.evaluate(theme) == "dark"
