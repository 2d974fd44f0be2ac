"""The book's own Sphinx extension. Its folders follow a page through a build.

1. ``book``: the addresses of the book, and the settings in the front matter of its pages.
2. ``execute``: runs the chapters whose outputs are not in the cache.
3. ``transform``: changes pages between source and HTML.
4. ``check``: warns of flaws that a reader should not run into.
5. ``write``: writes formulas, style sheets, icons, the search, and the other files of the site.

``build`` holds what the steps share. There are two more extensions: ``notebook_export`` writes the
chapters as notebooks, and ``interactions`` adds the interactive elements of the pages. The tools
that run outside of a build are in ``booktools``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]


def setup(app: "Sphinx") -> dict[str, Any]:
    """Register the steps with Sphinx, in their order."""
    # Imported here, so that `booktools` can use a part of this without Sphinx.
    from bookbuild import book, check, execute, transform, write

    for step in (book, execute, transform, check, write):
        step.setup(app)
    return {"version": "2.0", "parallel_read_safe": False, "parallel_write_safe": False}
