"""The browser that the tests of pages use: what it records, and what it does when it is missing."""

from pathlib import Path

import browser
import pytest
from browser import Chromium

PAGE = """\
<!DOCTYPE html><meta charset="utf-8"><title>A page</title>
<noscript>No script runs</noscript>
<p id="theme"></p><p id="motion"></p>
<script>
document.getElementById("theme").textContent = localStorage.getItem("theme");
document.getElementById("motion").textContent =
  matchMedia("(prefers-reduced-motion: reduce)").matches;
</script>
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "a page.html"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_settings_reach_the_page(chromium: Chromium, page: Path) -> None:
    with chromium.visit(page, width=390, theme="dark", reduced_motion=True) as visit:
        assert visit.page.title() == "A page"
        assert visit.page.evaluate("innerWidth") == 390
        assert visit.page.inner_text("#theme") == "dark"
        assert visit.page.inner_text("#motion") == "true"
        assert visit.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        assert (visit.errors, visit.outside(page.parent)) == ([], [])
    with chromium.visit(page, javascript=False) as visit:
        assert visit.page.inner_text("#theme") == ""


def test_requests_and_errors_are_recorded(chromium: Chromium, page: Path) -> None:
    faults = '<img src="https://example.org/a.png"><script>throw new Error("oh")</script>'
    page.write_text(PAGE + faults, encoding="utf-8")
    with chromium.visit(page) as visit:
        assert visit.requests[0] == page.as_uri()
        assert visit.outside(page.parent) == ["https://example.org/a.png"]
        assert visit.outside(page.parent / "below") == visit.requests
        assert any("oh" in error for error in visit.errors)


def test_without_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROME_PATH", "/no/such/browser")
    with pytest.raises(pytest.fail.Exception, match="/no/such/browser"):
        browser.require_browser()
