"""Changes pages between source and HTML.

``listings`` is a directive that shows source code of the package, which ``source_text`` extracts;
``folds`` folds the cells that a reader can skip. ``facts`` writes the line below a title,
``equation_numbers`` numbers the formulas that comments refer to, and ``tables`` and ``quality`` are
directives that show measurements. ``left_out`` turns links to pages that are not in the table of
contents into text, and ``repairs`` fixes flaws in the output of other extensions.
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
