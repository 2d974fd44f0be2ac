"""The first cell of an exported notebook: it brings the package where there is none."""

import nbformat
from nbformat import NotebookNode

__all__ = ["first_cell", "requirement"]

SOURCE = """\
# Brings the book's package to where it is missing, as on Colab. Elsewhere this does nothing.
# The data sets come by themselves when a cell asks for them.
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


def requirement(package: str, repository: str, revision: str) -> str:
    """Say what pip installs: the archive of the repository at a commit (or branch), without git."""
    return f"{package} @ {repository}/archive/{revision}.zip"


def first_cell(package: str, version: str, source: str) -> NotebookNode:
    """Cell that installs `source` (see `requirement`), unless `version` of `package` is there."""
    text = SOURCE.format(package=package, version=version, requirement=source)
    return nbformat.v4.new_code_cell(text.rstrip(), id="first", metadata={"tags": ["first"]})
