"""The browser that prints and measures pages: the Chromium or Chrome of this machine.

``CHROME_PATH`` names one. Else it is one that is on the path, or Chrome or Edge where they are
usually installed, which playwright knows. None is downloaded.
"""

import os
import shutil

from playwright.sync_api import Browser, Error, Playwright

__all__ = ["CHROME_PATH", "NAMES", "NoBrowserError", "find_browser", "launch"]

CHROME_PATH = "CHROME_PATH"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHANNELS = ("chrome", "msedge")  # playwright's names of what it finds in the usual places


class NoBrowserError(RuntimeError):
    """No browser starts on this machine; the message says what was looked for."""


def find_browser() -> str | None:
    """Path of the browser that ``CHROME_PATH`` names, or of one that is on the path.

    Raises
    ------
    NoBrowserError
        When ``CHROME_PATH`` names no program.
    """
    named = os.environ.get(CHROME_PATH)
    if named and shutil.which(named) is None:
        raise NoBrowserError(f"{CHROME_PATH} should be the path of a browser, not {named!r}")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


def launch(playwright: Playwright) -> Browser:
    """Start the browser, without a window.

    Raises
    ------
    NoBrowserError
        When there is none, or it does not start.
    """
    path = find_browser()
    if path:
        try:
            return playwright.chromium.launch(executable_path=path)
        except Error as error:
            reason = error.message.splitlines()[0].removeprefix("BrowserType.launch: ")
            raise NoBrowserError(f"the browser {path} does not start: {reason}") from error
    for channel in CHANNELS:
        try:
            return playwright.chromium.launch(channel=channel)
        except Error:  # it is not installed
            continue
    raise NoBrowserError(
        f"no browser was found: install Chromium or Chrome, or set {CHROME_PATH} to the path of one"
    )
