"""The book itself: its addresses (``address``), and the settings of its pages (``settings``)."""

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.project import Project

from bookbuild.book.settings import PACKAGE, REQUIREMENTS, page_settings
from bookbuild.build import build_of

__all__ = ["setup"]


def read_pages(app: Sphinx, config: Config) -> None:
    """Read what the pages ask for, before anything is done for them."""
    build, source = build_of(app), Path(app.srcdir)
    build.package = source / config.bookbuild_package
    project = Project(source, config.source_suffix)
    for docname in project.discover(config.exclude_patterns, config.include_patterns):
        path = source / project.doc2path(docname, absolute=False)
        if path.suffix == ".md":
            build.settings[docname] = page_settings(path)


def setup(app: Sphinx) -> None:
    """Add the settings of ``_config.yml``, and read the pages.

    ``bookbuild_package`` is the folder of the package that the chapters import,
    ``bookbuild_requirements`` the file with the pins, both relative to the source folder.
    """
    app.add_config_value("bookbuild_package", PACKAGE, "", str)
    app.add_config_value("bookbuild_requirements", REQUIREMENTS, "", str)
    # after sphinx-external-toc (900), which excludes the pages that are not in the table
    app.connect("config-inited", read_pages, priority=950)
