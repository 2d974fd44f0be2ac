"""The built site as a server sends it: compressed, below a prefix, at most a megabyte a page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Chromium
from build_scratch import ROOT

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
