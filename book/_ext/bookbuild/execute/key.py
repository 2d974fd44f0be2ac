"""The key of a chapter: everything that its outputs depend on, besides its own cells.

jupyter-cache knows the cells of a notebook only. A change in a module that they import, in the
pinned versions, in Python or in the data would leave old outputs on the page. Comments and
docstrings don't count: they change no output.
"""

import ast
import hashlib
import json
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from sphinx.errors import SphinxError

from bookbuild.book.settings import settings_from
from bookbuild.execute.imports import PackageSource, UnreadableError

__all__ = ["CacheKeyError", "ChapterKeys", "pins"]


class CacheKeyError(SphinxError):
    """A key can't be computed; the message names the file."""

    category = "Execution cache"


class ChapterKeys:
    """Keys of chapters, for one state of the book.

    Parameters
    ----------
    package
        Folder of the package that the chapters import.
    requirements
        File with the pinned versions.
    editions
        Edition of each data set that a page names.

    Raises
    ------
    CacheKeyError
        When the folder or the file is missing.
    """

    def __init__(self, package: Path, requirements: Path, editions: Mapping[str, str]) -> None:
        if not package.is_dir():
            raise CacheKeyError(
                f"there is no folder {package}: set bookbuild_package in _config.yml"
            )
        if not requirements.is_file():
            raise CacheKeyError(
                f"there is no file {requirements}: set bookbuild_requirements in _config.yml"
            )
        self.source = PackageSource(package)
        self.pins = pins(requirements)
        self.editions = editions
        self.texts: dict[Path, str] = {}

    def text(self, path: Path) -> str:
        """Text that stands for a file: its code if it is Python, else the hash of its bytes."""
        if path not in self.texts:
            if path.suffix == ".py":
                # without lines and columns
                self.texts[path] = ast.dump(self.source.tree(path))
            else:
                self.texts[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self.texts[path]

    def key(self, notebook: NotebookNode) -> str:
        """Key of a chapter, 24 hexadecimal digits.

        Raises
        ------
        CacheKeyError
            When a module that the chapter imports can't be parsed.
        """
        settings = settings_from(notebook.metadata, "a chapter")
        try:
            cells = list(trees(notebook))
            if None in cells:  # a cell that can't be read may import everything
                files = self.source.files()
            else:
                files = self.source.reached(filter(None, cells))
            state = {
                "files": [
                    (path.relative_to(self.source.folder).as_posix(), self.text(path))
                    for path in files
                ],
                "pins": self.pins,
                "python": [platform.python_implementation(), *sys.version_info[:3]],
                "data": {name: self.editions.get(name) for name in settings.data},
                # The number of threads changes the order of sums, and with it last digits.
                "threads": settings.threads,
            }
        except UnreadableError as error:
            raise CacheKeyError(str(error)) from error
        return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:24]


def trees(notebook: NotebookNode) -> Iterator[ast.Module | None]:
    """Yield the syntax tree of each code cell; None for one that is not Python."""
    magics = TransformerManager()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            try:
                yield ast.parse(magics.transform_cell(cell.source))
            except (SyntaxError, ValueError):
                yield None


def pins(requirements: Path) -> list[str]:
    """Lines of a requirements file without comments and blank lines, sorted."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    # as pip does: a comment starts at the beginning of a line or after white space
    bare = (f" {line}".split(" #", maxsplit=1)[0].strip() for line in lines)
    return sorted(line for line in bare if line)
