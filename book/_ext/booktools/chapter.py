"""Build a chapter, or a few, without the others: executes what changed, and renders it.

The pages are in ``_build/chapter/_build/html/``. Executed cells come from the cache of the whole
book, and go there. Links to pages that are not built become text.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from bookbuild.execute import CACHE
from booktools.builds import UnknownPageError, short_build

__all__ = ["main"]

OUTPUT = Path("_build") / "chapter"
SHARED = Path("_build") / ".jupyter_cache"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module's docstring. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m booktools chapter", description=__doc__)
    parser.add_argument("chapters", nargs="+", metavar="NAME", help="04, or 04-batchnorm")
    options = parser.parse_args(arguments)
    root = Path()
    try:
        command = short_build(root, OUTPUT, options.chapters)
    except (UnknownPageError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    environment = os.environ | {CACHE: str(SHARED.resolve())}
    return subprocess.run(command, env=environment, check=False).returncode
