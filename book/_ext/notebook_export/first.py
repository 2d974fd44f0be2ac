"""The first cell of an exported notebook: it installs the package and fetches the data."""

from collections.abc import Sequence

import nbformat
from nbformat import NotebookNode

__all__ = ["first_cell", "requirement"]

SOURCE = """\
# Installs the book's package if it is missing, as on Colab. Elsewhere, this does nothing.
import importlib.util
import os
import shutil
import subprocess
import sys

# Threads that wait would spin for long: next to another busy process, most of the time is lost.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
try:
    missing = getattr(importlib.import_module("{package}"), "__version__", "") != "{version}"
except ImportError:
    missing = True
if missing:
    source = "{source}"
    if importlib.util.find_spec("pip"):
        install = [sys.executable, "-m", "pip", "install"]
    elif shutil.which("uv"):
        install = ["uv", "pip", "install", "--python", sys.executable]
    else:
        raise RuntimeError(f"Neither pip nor uv is available here: install {{source}} yourself.")
    print("Installing the book's package, which may take a minute or two.", flush=True)
    # Packages that are already here in a suitable version are left alone.
    if subprocess.run([*install, "--quiet", source], capture_output=True).returncode:
        raise RuntimeError(
            "The package could not be installed: connect to the network and run this cell again, "
            f"or run `{{' '.join(install)}} '{{source}}'` to see what went wrong."
        )
    print("The book's package is installed.")
    sys.modules.pop("{package}", None)
    importlib.invalidate_caches()
"""
DATA = """\

# The data of this chapter; they are fetched once.
from {package}.data import fetch_all

for name, edition in fetch_all([{names}], say=lambda line: None).items():
    if edition != "lecture":
        print(f"The lecture's edition of {{name}} is not available; this is the {{edition}} one.")
"""


def requirement(package: str, repository: str, revision: str) -> str:
    """Say what pip installs: the archive of the repository at a commit (or branch), without git.

    The extra ``book`` is all that the chapters import.
    """
    return f"{package}[book] @ {repository}/archive/{revision}.zip"


def first_cell(package: str, version: str, source: str, data: Sequence[str] = ()) -> NotebookNode:
    """Cell that makes package and data available.

    Parameters
    ----------
    package, version
        What has to be there.
    source
        What is installed where it is not; see `requirement`.
    data
        Names of the data sets that the chapter reads, which are fetched where they are not.
    """
    text = SOURCE.format(package=package, version=version, source=source)
    if data:
        text += DATA.format(package=package, names=", ".join(f'"{name}"' for name in data))
    return nbformat.v4.new_code_cell(text.rstrip(), id="first", metadata={"tags": ["first"]})
