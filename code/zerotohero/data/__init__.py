"""The book's data sets: found on this machine or fetched, and verified.

``names()`` and ``shakespeare()`` return what the chapters read; ``python -m zerotohero.data`` lists
the files on this machine, and ``fetch_all`` fetches several. ``data/README.md`` describes where
files are looked for, and the settings.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from . import store
from .fetching import Edition, EditionWarning, announce, find, not_stored, put
from .registry import DataError, lookup
from .sources import silent
from .store import DataWarning

__all__ = [
    "DataError",
    "DataWarning",
    "EditionWarning",
    "edition",
    "fetch",
    "fetch_all",
    "names",
    "shakespeare",
    "tiktoken_cache",
]

FOR_TIKTOKEN = ("cl100k_base", "gpt2_vocab_bpe", "gpt2_encoder_json")
BIG = 1_000_000  # bytes from which a percentage is shown


def names() -> list[str]:
    """Return the names, in the order of the file.

    The lecture's edition has 32,033 (makemore's ``names.txt``). If it is not available, the
    embedded one is used, with 32,257 (US Social Security Administration, births 2018).

    Raises
    ------
    DataError
        If neither is available, or ``ZEROTOHERO_REQUIRE_LECTURE_DATA`` is set and the
        lecture's is not.

    Warns
    -----
    EditionWarning
        If the embedded edition is used; once per process.
    """
    found = announce(find("names", again=False))
    lines = found.content.decode("utf-8").removesuffix("\n").split("\n")
    if len(lines) != found.dataset.lines:
        raise DataError(
            f"{found.dataset.file} has {len(lines):,} names; the registry says "
            f"{found.dataset.lines:,}. The checksum is right, so correct the registry."
        )
    return lines


def shakespeare() -> str:
    r"""Return Tiny Shakespeare: 1,115,394 characters, exactly as in the file.

    Raises
    ------
    DataError
        If the file is not available.
    """
    return find("tinyshakespeare").content.decode("utf-8")  # line ends are kept as they are


def edition(name: str = "names") -> Edition:
    """Return ``"lecture"`` or ``"embedded"``: the edition that ``names`` gives.

    Only the names have two editions; for every other data set the answer is ``"lecture"``.

    Raises
    ------
    DataError
        If the name is unknown, or no edition is available.
    """
    return find(name, again=False).edition if lookup(name).embedded else "lecture"


def fetch(name: str) -> Path:
    """Return the path of a data set's verified file, fetched first if necessary.

    If no folder can be written to, it lies in a temporary one until the process ends.

    Parameters
    ----------
    name : str
        ``names``, ``tinyshakespeare``, ``cl100k_base``, ``gpt2_vocab_bpe`` or
        ``gpt2_encoder_json``.

    Raises
    ------
    DataError
        If the name is unknown, or the file is not available.

    Warns
    -----
    EditionWarning
        If the path is that of the embedded edition of the names; once per process.
    DataWarning
        If no folder can be written to.
    """
    found = announce(find(name))
    if found.path:
        return found.path
    folder = put({found.dataset.file: (found.dataset, found.content)}, [None], [])
    if folder is None:
        raise not_stored(found)
    store.report(f"{folder / found.dataset.file} is temporary, because {found.tried[-1]}")
    return folder / found.dataset.file


def tiktoken_cache() -> Path:
    """Fill a folder with the files tiktoken expects, and set ``TIKTOKEN_CACHE_DIR`` to it.

    tiktoken looks for a file named by the SHA-1 of its canonical address. After this call
    ``tiktoken.get_encoding("cl100k_base")`` and ``("gpt2")`` need no network.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        If one of the files is not available, or no folder can be written to.
    """
    files = {}
    for found in map(find, FOR_TIKTOKEN):
        key = hashlib.sha1(found.dataset.urls[0].encode(), usedforsecurity=False).hexdigest()
        # A copy, not a link: tiktoken may delete what it finds there.
        files[f"tiktoken/{key}"] = found.dataset, found.content
    problems: list[str] = []
    folder = put(files, [*store.writable_folders(), None], problems)
    if folder is None:
        raise DataError(f"tiktoken's files could not be stored: {'; '.join(problems)}")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder / "tiktoken")
    return folder / "tiktoken"


def fetch_all(names: Iterable[str], say: Callable[[str], object] = print) -> dict[str, Edition]:
    """Fetch data sets in the order given, and report on each.

    Warnings become lines of the report. In a terminal, ``print`` also shows a percentage for
    larger downloads, which overwrites itself.

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
    wanted = {lookup(name).name: None for name in names}
    return {name: _fetch(name, say) for name in wanted}


def _fetch(name: str, say: Callable[[str], object]) -> Edition:
    percentage = Percentage()
    in_terminal = say is print and sys.stdout is not None and sys.stdout.isatty()

    def tell(line: str) -> None:
        percentage.show("")
        say(line)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = find(name, tell=tell, progress=percentage if in_terminal else silent)
        finally:
            for warning in caught:
                tell(f"{name}: {warning.message}")
            percentage.show("")
    if found.path is None:
        raise not_stored(found)
    say(f"{name}: {found.edition} edition, {found.dataset.size:,} bytes, verified")
    if found.edition == "embedded":
        say(f"{name}: the lecture's edition is not available:")
        for line in found.tried:
            say(f"  - {line}")
    return found.edition


class Percentage:
    """How much of a larger download has arrived, at the start of a terminal's line."""

    shown = ""

    def __call__(self, got: int, size: int) -> None:
        """Show it, if it has changed."""
        self.show(f"{100 * got // size:3} %" if size >= BIG else "")

    def show(self, text: str) -> None:
        """Show this instead of what is there."""
        if text != self.shown:
            with suppress(OSError):  # a terminal that has been closed ends no download
                print(f"\r{' ' * len(self.shown)}\r{text}", end="", flush=True)
            self.shown = text
