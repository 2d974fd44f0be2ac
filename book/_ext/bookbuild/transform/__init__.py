"""Changes pages between their source and their HTML.

``listings`` is a directive that shows the package's source, as ``source_text`` cuts it; ``folds``
folds the cells that step back. ``facts`` is the line below a title, ``equation_numbers`` numbers
the formulas that comments name, ``tables`` and ``quality`` are directives that show what was
measured. ``left_out`` makes text of links to pages that are not in the table of contents, and
``repairs`` mends what other extensions leave.
"""

from sphinx.application import Sphinx

from bookbuild.transform import (
    equation_numbers,
    facts,
    folds,
    left_out,
    listings,
    quality,
    repairs,
    tables,
)

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Register the parts of this step."""
    for part in (repairs, left_out, folds, listings, facts, equation_numbers, tables, quality):
        part.setup(app)
