"""Keeps the terminal's output short: the book's own lines, warnings, and how the build ended.

Sphinx and its extensions print their configuration and a line for each page that they read and
write. `jupyter-book build . -v` shows all of it.
"""

import logging
import sys

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.logging import NAMESPACE, getLogger

__all__ = ["setup"]

logger = getLogger(__name__)
# Sphinx puts its namespace before the name of every logger.
OURS = tuple(
    f"{NAMESPACE}.{name}"
    for name in ("bookbuild", "notebook_export", "interactions", "sphinx.application")
)


def is_ours(record: logging.LogRecord) -> bool:
    """Whether a line is shown: warnings are, whoever they come from."""
    return record.levelno >= logging.WARNING or record.name.startswith(OURS)


def before_reading(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Say that pages are read."""
    if docnames:
        logger.info("reading %d pages", len(docnames))


def before_writing(app: Sphinx, env: BuildEnvironment) -> None:
    """Say that pages are written, which takes about as long."""
    logger.info("writing the pages")


def setup(app: Sphinx) -> None:
    """Filter what goes to the terminal."""
    if app.verbosity:
        return
    for handler in logging.getLogger(NAMESPACE).handlers:
        handler.addFilter(is_ours)
    # An error says what is wrong. Where in Sphinx it came up is in the log that Sphinx names.
    sys.tracebacklimit = 0
    app.connect("env-before-read-docs", before_reading)
    app.connect("env-check-consistency", before_writing)
