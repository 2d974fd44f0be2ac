"""The built site as a server sends it: compressed, below a prefix, at most a megabyte a page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import Chromium
from build_scratch import ROOT

from bookbuild.book.address import site as address_of_site
from bookbuild.write.site import prefix
from booktools.serve import serve

HTML = ROOT / "_build" / "html"
NAMES = [f"book/{path.stem}" for path in sorted((ROOT / "book").glob("*.md"))]
LIMIT = 1_000_000  # bytes as sent, on a first visit
SCROLL = """async () => {
    for (let top = 0; top < document.body.scrollHeight; top += 700) {
        scrollTo(0, top);
        await new Promise((done) => setTimeout(done, 5));
    }
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serve(HTML, "/some/where/") as address:
        yield address


@pytest.fixture(scope="module")
def missing() -> Iterator[str]:
    """Address, two folders deep, that has no page; the site is where it says it is."""
    with serve(HTML, prefix(address_of_site(ROOT))) as address:
        yield f"{address}no/such/page.html"


@pytest.mark.parametrize("name", [*NAMES, "index", "search", "genindex", "py-modindex"])
def test_everything_is_found_below_a_prefix(
    chromium: Chromium, site: str, name: str, tmp_path: Path
) -> None:
    """Also what is loaded late, while a reader scrolls through the page, weighs little."""
    blank = tmp_path / "blank.html"
    blank.write_text('<link rel="icon" href="data:,">', encoding="utf-8")
    with chromium.visit(blank) as visit:
        page = visit.page
        answers: dict[str, int] = {}
        sent: list[int] = []
        page.on("response", lambda answer: answers.update({answer.url: answer.status}))
        page.on("requestfinished", lambda asked: sent.append(asked.sizes()["responseBodySize"]))
        visit.requests.clear()
        page.context.set_offline(False)
        page.goto(f"{site}{name}.html", wait_until="load")
        if name == "index":  # leads on to the front page
            page.wait_for_url(f"{site}book/index.html", wait_until="load")
        visit.settle()
        page.evaluate(SCROLL)
        visit.settle()
        assert visit.errors == []
        assert [url for url, status in answers.items() if status != 200] == []
        assert [url for url in visit.requests if not url.startswith((site, "data:"))] == []
        assert 5_000 < sum(sent) <= LIMIT
        print(name, sum(sent))


@pytest.mark.parametrize(("width", "theme"), [(390, "light"), (1280, "dark")])
def test_an_address_without_a_page_leads_on(
    chromium: Chromium, missing: str, tmp_path: Path, width: int, theme: str
) -> None:
    blank = tmp_path / "blank.html"
    blank.write_text('<link rel="icon" href="data:,">', encoding="utf-8")
    with chromium.visit(blank, width=width, theme=theme) as visit:
        page = visit.page
        answers: dict[str, int] = {}
        page.on("response", lambda answer: answers.update({answer.url: answer.status}))
        page.context.set_offline(False)
        page.goto(missing, wait_until="load")
        visit.settle()
        assert {url: status for url, status in answers.items() if status != 200} == {missing: 404}
        assert len(answers) > 5  # style sheet, scripts
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], rule["nodes"]) for rule in found] == []
        # Chromium itself reports the status of the page
        assert [error for error in visit.errors if "404" not in error] == []
        page.locator("article input[name=q]").fill("backpropagation")
        page.keyboard.press("Enter")
        page.locator("#search-results li").first.wait_for()
        page.go_back()
        page.locator("article a").first.click()
        assert page.url == f"{missing.removesuffix('no/such/page.html')}book/index.html"
