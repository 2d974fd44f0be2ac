"""Write the notebooks in the same build as the pages, and from the same resolved pages."""

import ast
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util import logging

from bookbuild.book import address
from bookbuild.book.settings import page_settings
from bookbuild.execute.results import write_notebook
from notebook_export.first import first_cell, requirement
from notebook_export.flaws import flaws
from notebook_export.page import Page
from notebook_export.translator import ChapterTranslator

__all__ = ["FOLDER", "export", "notebook_name", "package_version", "remove_others"]

logger = logging.getLogger(__name__)
FOLDER = "notebooks"  # of the site


def notebook_name(docname: str) -> str:
    """File name of a page's notebook: ``02-bigrams.ipynb`` for ``book/02-bigrams``."""
    return f"{PurePosixPath(docname).name}.ipynb"


def package_version(package: Path) -> str:
    """``__version__`` of the package in the folder `package`, not imported; empty without one."""
    path = package / "__init__.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name("__version__")], value=ast.Constant(str(version))):
                return version
    return ""


def export(app: Sphinx, doctree: Any, docname: str, executed: NotebookNode, package: Path) -> Path:
    """Write the notebook of a page.

    Parameters
    ----------
    app
        A build of HTML.
    doctree
        The page, resolved. It is left as it is.
    docname
        Sphinx's name of the page.
    executed
        Its executed cells.
    package
        Folder of the package that its cells import.

    Returns
    -------
    Path
        The file.
    """
    root = Path(app.srcdir)
    env: Any = app.env
    page = Page(
        docname=docname,
        address=address.site(root) + app.builder.get_target_uri(docname),
        sections=env.toc_secnumbers.get(docname, {}),
        figures=env.toc_fignumbers.get(docname, {}),
        formats=app.config.numfig_format,
        cells=executed.cells,
        images={
            path: f"{'../' * docname.count('/')}_images/{name}"
            for path, (_, name) in env.images.items()  # the builder's own are not there yet
        },
    )
    copy = doctree.deepcopy()
    translator = ChapterTranslator(copy, page)
    copy.walkabout(translator)
    cells = translator.cells
    revision = address.commit(root) or address.branch(root)
    source = requirement(package.name, address.repository(root), revision)
    data = page_settings(Path(app.env.doc2path(docname))).data
    cells.insert(0, first_cell(package.name, package_version(package), source, data))
    origin = (
        f"*This notebook is a chapter of [{app.config.html_title}]({address.site(root)}). "
        f"[Read it as a page]({page.address}).*"
    )
    title = next(i for i, cell in enumerate(cells) if cell.cell_type == "markdown")
    head, _, rest = cells[title].source.partition("\n")
    cells[title].source = f"{head}\n\n{origin}\n\n{rest.strip()}".rstrip()
    texts = [cell for cell in cells if cell.cell_type == "markdown"]
    for number, cell in enumerate(texts, start=1):
        cell.id = f"text-{number}"  # not a random one: two builds give the same file
    notebook = nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "title": translator.title,
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "file_extension": ".py"},
            "colab": {"provenance": [], "toc_visible": True},
        },
    )
    for flaw in flaws(notebook, executed.cells, root):
        message = f"notebook of {docname}: {flaw}"
        logger.warning(message, location=docname, type="bookbuild")
    path = Path(app.outdir) / FOLDER / notebook_name(docname)
    write_notebook(path, notebook)
    return path


def remove_others(folder: Path, docnames: set[str]) -> None:
    """Delete notebooks of pages that are no longer in the book."""
    names = {notebook_name(docname) for docname in docnames}
    for path in folder.glob("*.ipynb"):
        if path.name not in names:
            path.unlink()
