"""A file that marks a build in progress, so that the next build knows if it was killed or failed.

Sphinx saves its environment before it writes pages. After a kill in between it would take pages
for written that are not; after a build with warnings, a strict one would not see them again. A
draft may stand on a draft with warnings.
"""

import shutil
from pathlib import Path

from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from bookbuild.check.links import ASSET_FOLDERS, page_files

__all__ = ["NAME", "begin", "end", "remove_pages", "setup"]

NAME = ".unfinished"
UNDER_WAY, WARNED = "A build is under way, or was killed.\n", "The last build had warnings.\n"
logger = logging.getLogger(__name__)


def begin(build: Path, doctrees: Path, strict: bool) -> None:
    """Set the mark in the folder `build`; if it is there already, make Sphinx start anew.

    Only a `strict` build starts anew after one that just had warnings.
    """
    mark = build / NAME
    if mark.exists() and (strict or mark.read_text(encoding="utf-8") != WARNED):
        logger.info("the last build did not end well: every page is read and written again")
        (doctrees / ENV_PICKLE_FILENAME).unlink(missing_ok=True)
        # myst-nb does not write an output image again when a file of its name is there,
        # however much of it a killed build has written.
        shutil.rmtree(build / "jupyter_execute", ignore_errors=True)
    build.mkdir(parents=True, exist_ok=True)
    mark.write_text(UNDER_WAY, encoding="utf-8")


def end(build: Path, warnings: int) -> None:
    """Remove the mark of a build that has ended, or note that it had warnings."""
    if warnings:
        (build / NAME).write_text(WARNED, encoding="utf-8")
    else:
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


def config_inited(app: Sphinx, config: Config) -> None:
    """Set the mark."""
    begin(Path(app.outdir).parent, Path(app.doctreedir), app.warningiserror or app.keep_going)


def before_reading(app: Sphinx, env: BuildEnvironment, *_: set[str]) -> set[str]:
    """Delete the pages of a site that is written anew, once the chapters are executed."""
    if app.builder.format == "html" and app.fresh_env_used:
        remove_pages(Path(app.outdir))
    return set()


def build_finished(app: Sphinx, error: Exception | None) -> None:
    """Remove the mark when nothing was wrong."""
    if error is None:
        # Sphinx tells this number to nobody else; it decides the exit status with it, too.
        end(Path(app.outdir).parent, app._warncount)


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx's events: at the very beginning and at the very end."""
    app.connect("config-inited", config_inited, priority=940)
    app.connect("env-get-outdated", before_reading, priority=990)
    app.connect("build-finished", build_finished, priority=999)
