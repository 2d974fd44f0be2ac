"""Build a chapter, or a few, without the others: `python -m booktools chapter 04`.

It executes what has changed, and renders the pages. It shares its execution cache with the whole
book. Links to pages that are not built become text.
"""

import argparse
import os
import sys
from pathlib import Path

from bookbuild.execute import CACHE
from booktools.builds import UnknownPageError, pages_of_book, run_quietly, select, short_build

__all__ = ["main"]

OUTPUT = Path("_build") / "chapter"
SHARED = Path("_build") / ".jupyter_cache"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module's docstring. Returns the exit status of the build."""
    parser = argparse.ArgumentParser(prog="python -m booktools chapter", description=__doc__)
    parser.add_argument("chapters", nargs="+", metavar="NAME", help="04, or 04-batchnorm")
    options = parser.parse_args(arguments)
    root = Path()
    try:
        pages = select(pages_of_book(root), options.chapters)
        command = short_build(root, OUTPUT, options.chapters)
    except (UnknownPageError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    status = run_quietly(command, {CACHE: str(SHARED.resolve()), **os.environ})
    if status == 0:
        for page in pages:
            print(OUTPUT / "_build" / "html" / f"{page}.html")
    return status
