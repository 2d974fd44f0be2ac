"""A real browser for the tests of pages: headless Chromium, driven by playwright.

The fixture `chromium` is there in every test file. A test opens a page with::

    with chromium.visit(path_of_an_html_file) as visit:
        visit.page.get_by_role("textbox").fill("hello")  # a page of playwright
        assert visit.outside(folder) == []  # nothing was asked for elsewhere
        assert visit.errors == []

The browser is the one that the machine has (`booktools.browser`); none is downloaded. Without one
such tests fail.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


# Long chapters leave out what is off the screen; tests shall see it.
ALL = ".bd-article > section > section { content-visibility: visible !important; }"

# Until fonts are there, scripts have had their turn, and nothing has moved for 300 ms.
STILL = """async () => {
    const pause = () => new Promise((done) => setTimeout(done, 100));
    const places = () => [scrollX, scrollY, document.documentElement.scrollHeight].join();
    await document.fonts.ready;
    await new Promise((done) => requestIdleCallback(done));
    for (let last = "", same = 0; same < 3; await pause()) {
        same = places() === last ? same + 1 : 0;
        last = places();
    }
}"""

# The theme of the site remembers what the reader has chosen.
CHOOSE_THEME = "for (const key of ['mode', 'theme']) localStorage.setItem(key, '{theme}')"


@dataclass
class Visit:
    """A page that is open, and what happened since it was opened.

    Attributes
    ----------
    page
        Playwright's page.
    requests
        The address of every request, whether it was answered or not.
    errors
        Exceptions of scripts, and what the console shows as an error.
    """

    page: "Page"
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until the page has come to rest, however slow the machine is."""
        self.page.evaluate(STILL)

    def outside(self, folder: Path) -> list[str]:
        """Return the requests for anything but files of `folder`."""
        inside = (folder.resolve().as_uri() + "/", "data:", "blob:")
        return [address for address in self.requests if not address.startswith(inside)]


class Chromium:
    """A running browser. It has no network."""

    def __init__(self, browser: "Browser") -> None:
        self.browser = browser

    @contextmanager
    def visit(
        self,
        path: Path,
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "light",
        javascript: bool = True,
        reduced_motion: bool = False,
    ) -> Iterator[Visit]:
        """Open a file in a window of its own, wait until it has loaded, and close it in the end.

        Parameters
        ----------
        path
            An HTML file.
        width, height
            Size of the window in pixels.
        theme
            ``"light"`` or ``"dark"``, as if the reader had chosen it.
        javascript
            Whether scripts run.
        reduced_motion
            Whether the reader's machine asks for less motion.
        """
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,  # type: ignore[arg-type] # one of two words
            java_script_enabled=javascript,
            reduced_motion="reduce" if reduced_motion else "no-preference",
            offline=True,
        )
        context.add_init_script(CHOOSE_THEME.format(theme=theme))
        visit = Visit(context.new_page())
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.on(
            "console",
            lambda message: visit.errors.append(message.text) if message.type == "error" else None,
        )
        try:
            visit.page.goto(path.resolve().as_uri(), wait_until="load")
            yield visit
        finally:
            context.close()


def require_browser() -> None:
    """Fail where there is no browser."""
    from playwright.sync_api import sync_playwright

    from booktools.browser import NoBrowserError, find_browser, launch

    try:
        if find_browser() is None:  # it may be where only playwright finds it
            with sync_playwright() as playwright:
                launch(playwright).close()
    except NoBrowserError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """A browser for the tests of one file.

    Not for all files: as long as playwright runs, no other code can use asyncio.
    """
    require_browser()
    from playwright.sync_api import sync_playwright

    from booktools.browser import launch

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield Chromium(browser)
        browser.close()
