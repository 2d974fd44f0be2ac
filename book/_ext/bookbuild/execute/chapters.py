"""The chapters: the pages that are notebooks, read exactly as myst-nb reads them."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx

from bookbuild.book.settings import Settings, page_settings

__all__ = ["Chapter", "Place", "read_chapters"]


@dataclass(frozen=True)
class Place:
    """Where a code cell stands: its number among the code cells and its line, both from 1."""

    number: int
    line: int

    def __str__(self) -> str:
        return f"code cell {self.number} (line {self.line})"


@dataclass
class Chapter:
    """One page that is a notebook.

    Attributes
    ----------
    docname
        Sphinx's name of the page.
    path
        Its file.
    label
        The file's path relative to the source folder, for messages.
    notebook
        Its cells, not executed.
    settings
        Its front matter.
    timeout
        Seconds that one cell may take; below 0 for no limit.
    allow_errors
        Whether its cells may raise.
    """

    docname: str
    path: Path
    label: str
    notebook: NotebookNode
    settings: Settings
    timeout: int
    allow_errors: bool

    def places(self) -> dict[int, Place]:
        """Places of the code cells, by their index among all cells."""
        code = [i for i, cell in enumerate(self.notebook.cells) if cell.cell_type == "code"]
        # myst-nb notes the line below the opening fence, counted from 0: the fence's, from 1.
        # An .ipynb file has no such lines.
        lines = self.notebook.metadata.get("source_map", [1] * len(self.notebook.cells))
        return {index: Place(n, lines[index]) for n, index in enumerate(code, start=1)}


def read_chapters(app: Sphinx) -> list[Chapter]:
    """Read every page of the book that myst-nb would take from the execution cache.

    `app` must have found its documents and created the configuration of myst-nb.
    """
    env: Any = app.env  # myst-parser and myst-nb keep their configuration on it
    chapters = []
    for docname in sorted(env.found_docs):
        path = Path(env.doc2path(docname))
        content = path.read_text(encoding="utf-8-sig")
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, content)
        if reader is None:
            continue
        notebook = reader.read(content)
        config = env.mystnb_config
        if overrides := dict(notebook.metadata.get(config.metadata_key, {})):
            overrides.pop("output_folder", None)
            config = config.copy(**overrides)
        excluded = config.execution_excludepatterns or ()
        if config.execution_mode != "cache" or any(
            PurePosixPath(path.as_posix()).match(pattern) for pattern in excluded
        ):
            continue
        chapters.append(
            Chapter(
                docname=docname,
                path=path,
                label=path.relative_to(app.srcdir).as_posix(),
                notebook=notebook,
                settings=page_settings(path),
                timeout=config.execution_timeout,
                allow_errors=config.execution_allow_errors,
            )
        )
    return chapters
