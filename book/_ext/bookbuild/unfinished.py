"""A mark that a build is under way, so that the next one knows when it was killed or failed.

Sphinx saves its environment before it writes pages. After a kill in between it would take pages
for written that are not; after a build with warnings, an incremental one would not see them again.
"""

import shutil
from pathlib import Path

from sphinx.application import ENV_PICKLE_FILENAME
from sphinx.util import logging

from bookbuild.links import ASSET_FOLDERS, page_files

__all__ = ["begin", "end", "remove_pages"]

NAME = ".unfinished"
logger = logging.getLogger(__name__)


def begin(build: Path, doctrees: Path) -> None:
    """Set the mark in the folder `build`; if it is there already, make Sphinx start anew."""
    mark = build / NAME
    if mark.exists():
        logger.info("the last build did not end well: every page is read and written again")
        (doctrees / ENV_PICKLE_FILENAME).unlink(missing_ok=True)
        # myst-nb does not write an output image again when a file of its name is there,
        # however much of it a killed build has written.
        shutil.rmtree(build / "jupyter_execute", ignore_errors=True)
    build.mkdir(parents=True, exist_ok=True)
    mark.write_text("A build is under way, was killed, or had warnings.\n", encoding="utf-8")


def end(build: Path) -> None:
    """Remove the mark: the build has ended without an error and without a warning."""
    (build / NAME).unlink(missing_ok=True)


def remove_pages(site: Path) -> None:
    """Delete all HTML pages of `site` and what they load; for a build that writes every page.

    Pages that are no longer in the table of contents would stay, be published, and hide dead links.
    And what a killed build has half-written would stay half.
    """
    if site.is_dir():
        for path in page_files(site):
            path.unlink()
        for name in ASSET_FOLDERS:
            if (site / name).is_dir():
                shutil.rmtree(site / name)
