"""Changes pages between their source and their HTML.

``listings`` is a directive that shows the package's source, as ``source_text`` cuts it; ``folds``
folds the cells that step back. ``facts`` is the line below a title, ``equation_numbers`` numbers
the formulas that comments name, ``tables`` and ``quality`` are directives that show what was
measured, ``repairs`` mends what other extensions leave.
"""

from sphinx.application import Sphinx

from bookbuild.transform import (
    equation_numbers,
    facts,
    folds,
    listings,
    quality,
    repairs,
    tables,
)

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Register the parts of this step."""
    for part in (repairs, folds, listings, facts, equation_numbers, tables, quality):
        part.setup(app)
