"""Makes the finished pages, and the files around them.

``math`` sets the formulas, ``theme`` has what is changed in the theme and makes its pages light,
``search`` leads from words to sections, and ``site`` says where all of it lives.
"""

from sphinx.application import Sphinx

from bookbuild.write import math, search, site, theme

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Register the parts of this step."""
    for part in (site, math, search, theme):
        part.setup(app)
