"""The data sets of the pages: fetched before anything executes, so that no kernel has to.

A missing data set is reported at once, with the pages that need it, not by a cell after minutes.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from sphinx.errors import SphinxError

from bookbuild.book.settings import Settings

__all__ = ["MissingDataError", "fetch_data"]


class MissingDataError(SphinxError):
    """Data sets are not available; the message names each, the pages that need it, what to do."""

    category = "Data"


def fetch_data(
    package: Path, pages: Mapping[str, Settings], say: Callable[[str], None]
) -> dict[str, str]:
    """Fetch what the pages name, with ``<package>.data.fetch_all``.

    Parameters
    ----------
    package
        Folder of the package, which can be imported.
    pages
        What each page asks for.
    say
        Called with each line of progress.

    Returns
    -------
    dict
        Edition of each data set.

    Raises
    ------
    MissingDataError
        When one or more are not available.
    """
    names = sorted({name for settings in pages.values() for name in settings.data})
    if not names:
        return {}
    module = importlib.import_module(f"{package.name}.data")
    editions: dict[str, str] = {}
    missing = []
    for name in names:
        try:
            editions |= module.fetch_all([name], say=say)
        except Exception as error:  # whatever the package raises, the message names the pages
            asking = ", ".join(sorted(page for page in pages if name in pages[page].data))
            missing.append(f"the data set {name}, which {asking} needs, is not available.\n{error}")
    if missing:
        raise MissingDataError("\n\n".join(missing))
    return editions
