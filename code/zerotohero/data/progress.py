"""Fetch several data sets, and report in plain lines, for a terminal or a log."""

import sys
import warnings
from collections.abc import Callable, Iterable

from zerotohero.data.downloads import silent
from zerotohero.data.fetching import Edition, Found, find, stored
from zerotohero.data.registry import lookup

Say = Callable[[str], object]
BIG = 1_000_000  # bytes from which a percentage is shown


def fetch_all(names: Iterable[str], say: Say = print) -> dict[str, Edition]:
    """Fetch data sets in the order given, and report on each.

    The warnings of `find` become lines of the report. In a terminal, `print` also shows a
    percentage for larger downloads, which overwrites itself.

    Parameters
    ----------
    names : iterable of str
        Names in the registry.
    say : callable
        Called with each line of the report.

    Returns
    -------
    dict
        ``"lecture"`` or ``"embedded"`` for each name.

    Raises
    ------
    DataError
        If a name is unknown, which is checked before anything is fetched, or if a data set is
        not available or cannot be stored.
    """
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        lookup(name)
    return {name: _fetch(name, say) for name in wanted}


def _fetch(name: str, say: Say) -> Edition:
    meter = Meter()
    in_terminal = say is print and sys.stdout is not None and sys.stdout.isatty()

    def begin(line: str) -> None:
        meter.clear()
        say(line)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = find(name, begin=begin, progress=meter if in_terminal else silent)
            stored(found)
        finally:
            meter.clear()
            for warning in caught:
                say(f"{name}: {warning.message}")
    for line in _summary(name, found):
        say(line)
    return found.edition


def _summary(name: str, found: Found) -> list[str]:
    lines = [f"{name}: {found.edition} edition, {found.dataset.size:,} bytes, verified"]
    if found.edition == "embedded":
        lines.append(f"{name}: the lecture's edition is not available:")
        lines += [f"  - {line}" for line in found.tried]
    return lines


class Meter:
    """A percentage at the start of a terminal's line."""

    def __init__(self) -> None:
        self.shown = ""

    def __call__(self, got: int, size: int) -> None:
        """Show how much of a larger download has arrived."""
        text = f"\r{100 * got // size:3} %"
        if size >= BIG and text != self.shown:
            self.shown = text
            print(text, end="", flush=True)

    def clear(self) -> None:
        """Clear the line."""
        if self.shown:
            print("\r" + " " * len(self.shown) + "\r", end="", flush=True)
            self.shown = ""
