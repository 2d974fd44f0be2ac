"""The book's own Sphinx extension. Its folders are the way of a page through a build.

1. ``book``: where the book lives, and what its pages ask for.
2. ``execute``: runs the chapters whose outputs are not in the cache.
3. ``transform``: changes pages between their source and their HTML.
4. ``check``: warns of what a reader should not meet.
5. ``write``: formulas, style sheets, icons, search, and the files around the pages.

``build`` is what the steps tell each other. Two more extensions stand beside this one:
``notebook_export`` writes the chapters as notebooks, ``interactions`` puts programs into pages.
What runs outside of a build is in ``booktools``.
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
