"""Writes the finished pages, and the other files of the site.

``math`` typesets the formulas, ``theme`` changes the theme and makes its pages light, ``search``
leads from words to sections, and ``site`` sets the addresses and writes the site's other files.
"""

from sphinx.application import Sphinx

from bookbuild.write import math, search, site, theme

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Register the parts of this step."""
    for part in (site, math, search, theme):
        part.setup(app)
