"""Each chapter as a notebook for plain Jupyter and Colab: numbers, links and figures in place.

``translator`` turns the resolved page into cells, with docutils' visitor, and ``markdown`` writes
their text in plain Markdown; ``cells`` makes code cells from the executed chapter; ``first`` writes
the cell that installs the package; ``export`` connects all of this to the build; ``launch`` sets
the links in the page's menus. ``flaws`` checks a finished notebook.

`python -m booktools notebooks` verifies that the notebooks run, and publishes them on a branch.
"""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from bookbuild.build import build_of
from bookbuild.transform.equation_numbers import number_cells
from notebook_export.export import FOLDER, export, remove_others
from notebook_export.launch import set_menus

__all__ = ["setup"]


def export_chapter(app: Sphinx, doctree: Any, docname: str) -> None:
    """Write the notebook of a chapter next to its page."""
    build = build_of(app)
    if app.builder.name == "html" and docname in build.notebooks:
        cells = number_cells(build.notebooks[docname], app.env, docname)
        export(app, doctree, docname, cells, build.package)


def remove_old(app: Sphinx, error: Exception | None) -> None:
    """Delete the notebooks of chapters that are gone."""
    if error is None and app.builder.name == "html":
        remove_others(Path(app.outdir) / FOLDER, set(build_of(app).notebooks))


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect this extension to Sphinx's events."""
    app.setup_extension("bookbuild")
    # after everything else that changes a page
    app.connect("doctree-resolved", export_chapter, priority=955)
    # after the theme (501), whose menus it changes
    app.connect("html-page-context", set_menus, priority=950)
    app.connect("build-finished", remove_old, priority=945)
    return {"parallel_read_safe": False, "parallel_write_safe": False}
