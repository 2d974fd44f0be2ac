"""Changes pages between their source and their HTML.

``facts`` is the line below a title, ``equation_numbers`` numbers the formulas that comments name,
``tables`` and ``quality`` are directives that show what was measured, ``repairs`` mends what other
extensions leave.
"""

from sphinx.application import Sphinx

from bookbuild.transform import equation_numbers, facts, quality, repairs, tables

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Register the parts of this step."""
    for part in (repairs, facts, equation_numbers, tables, quality):
        part.setup(app)
