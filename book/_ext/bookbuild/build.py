"""What the steps of one build share."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from sphinx.application import Sphinx

    from bookbuild.book.settings import Settings
    from bookbuild.execute.chapters import Chapter

__all__ = ["Build", "build_of"]


@dataclass
class Build:
    """One run of Sphinx.

    Attributes
    ----------
    package
        Folder of the package that the chapters import.
    settings
        What each page asks for in its front matter, by page.
    editions
        Edition of each data set that a page names.
    left_out
        Sources of the pages that are not in the table of contents, by page.
    chapters
        The pages that are executed.
    executed
        Those that were executed in this build; the others came from the cache.
    notebooks
        Executed cells of each chapter.
    tables
        Rows of the tables that show what the chapters say.
    sources
        Hash of each file that the build reads, by its path.
    """

    package: Path = Path()
    settings: "dict[str, Settings]" = field(default_factory=dict)
    editions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    chapters: "dict[str, Chapter]" = field(default_factory=dict)
    executed: set[str] = field(default_factory=set)
    notebooks: "dict[str, NotebookNode]" = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"reproduced": [], "times": []}
    )
    sources: dict[str, str] = field(default_factory=dict)


def build_of(app: "Sphinx") -> Build:
    """Return the build that `app` runs."""
    build: Build = vars(app).setdefault("bookbuild", Build())
    return build
