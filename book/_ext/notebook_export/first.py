"""The first cell of an exported notebook: it brings package and data where they are not yet."""

from collections.abc import Sequence

import nbformat
from nbformat import NotebookNode

__all__ = ["first_cell", "requirement"]

SOURCE = """\
# Brings the book's package{what} to where it is missing, as on Colab. Elsewhere this does nothing.
import importlib
import subprocess
import sys

try:
    missing = getattr(importlib.import_module("{package}"), "__version__", "") != "{version}"
except ImportError:
    missing = True
if missing:
    # pip leaves alone what is there already in a version that fits.
    source = "{requirement}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
    sys.modules.pop("{package}", None)
    importlib.invalidate_caches()
"""
# What can't be fetched is told by the cell that needs it, or another edition stands in.
DATA = """\
fetch = [sys.executable, "-m", "{package}.data", "--fetch", {names}]
subprocess.run(fetch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
"""


def requirement(package: str, repository: str, revision: str) -> str:
    """Say what pip installs: the archive of the repository at a commit (or branch), without git."""
    return f"{package} @ {repository}/archive/{revision}.zip"


def first_cell(package: str, version: str, source: str, data: Sequence[str] = ()) -> NotebookNode:
    """Cell that makes package and data available.

    Parameters
    ----------
    package, version
        What has to be there.
    source
        What pip installs where it is not; see `requirement`.
    data
        Names of the data sets that the chapter reads, which are fetched where they are not.
    """
    what = " and the data of this chapter" if data else ""
    text = SOURCE.format(package=package, version=version, requirement=source, what=what)
    if data:
        text += DATA.format(package=package, names=", ".join(f'"{name}"' for name in data))
    return nbformat.v4.new_code_cell(text.rstrip(), id="first", metadata={"tags": ["first"]})
