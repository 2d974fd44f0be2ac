"""Build a chapter, or a few, without the others: `python -m booktools chapter 04`.

It executes what changed, and renders the pages. Executed cells come from the cache of the whole
book, and go there. Links to pages that are not built become text.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from bookbuild.execute import CACHE
from booktools.builds import UnknownPageError, pages_of_book, select, short_build

__all__ = ["main"]

OUTPUT = Path("_build") / "chapter"
SHARED = Path("_build") / ".jupyter_cache"
# What Jupyter Book prints before a build, and the box after it, which names the front page.
BEFORE = ("Running Jupyter-Book", "Source Folder:", "Config Path:", "Output Path:")
AFTER = "====="


def build(command: list[str], environment: dict[str, str]) -> int:
    """Run a build, print its lines but Jupyter Book's own, and return its exit status."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
    ) as process:
        ended = False
        for line in process.stdout or ():
            ended = ended or AFTER in line
            if not ended and not line.startswith(BEFORE):
                print(line, end="", flush=True)
    return process.returncode


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
    status = build(command, {CACHE: str(SHARED.resolve()), **os.environ})
    if status == 0:
        for page in pages:
            print(OUTPUT / "_build" / "html" / f"{page}.html")
    return status
