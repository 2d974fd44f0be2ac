"""Builds of the book in processes of their own: the whole, or a few of its pages."""

import subprocess
import sys
from pathlib import Path

from bookbuild.book.settings import TOC, read_toc, short_toc

__all__ = ["BUILD", "UnknownPageError", "pages_of_book", "select", "short_build"]

# `jupyter-book build` of this very environment, whatever is on the path.
BUILD = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]


class UnknownPageError(ValueError):
    """A page is not in the table of contents; the message names those that are."""


def pages_of_book(root: Path) -> list[str]:
    """Pages in the table of contents of the book in the folder `root`, in order."""
    return [page for part in read_toc(root / TOC) for page in part.pages]


def select(names: list[str], chosen: list[str]) -> list[str]:
    """Pages among `names` that are `chosen`.

    Each is given by its full name (``book/04-batchnorm``), by the last part of it, or by its
    number (``04`` or ``4``).

    Raises
    ------
    UnknownPageError
        When one is none of these.
    """

    def fits(name: str, wanted: str) -> bool:
        last = Path(name).name
        number = last.partition("-")[0]
        return wanted in {name, last} or (
            wanted.isdigit() and number.isdigit() and int(number) == int(wanted)
        )

    if unknown := [c for c in chosen if not any(fits(name, c) for name in names)]:
        known = ", ".join(Path(name).name for name in names) or "none"
        raise UnknownPageError(f"there is no page {', '.join(unknown)}; there is {known}")
    return [name for name in names if any(fits(name, c) for c in chosen)]


def short_build(root: Path, output: Path, chosen: list[str], *options: str) -> list[str]:
    """Command that builds only the chosen pages of a book, with its root page.

    Parameters
    ----------
    root
        Folder of the book.
    output
        Folder in which ``_build`` is made; the table of contents is written there.
    chosen
        See `select`.
    options
        Further options of ``jupyter-book build``.
    """
    output.mkdir(parents=True, exist_ok=True)
    toc = output / TOC
    toc.write_text(short_toc(root / TOC, select(pages_of_book(root), chosen)), encoding="utf-8")
    paths = ["--path-output", str(output), "--toc", str(toc)]
    return [*BUILD, str(root), *paths, *options]


def run(command: list[str], log: Path) -> int:
    """Run a build with its output in the file `log`, and return its exit status."""
    with log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
    return done.returncode
