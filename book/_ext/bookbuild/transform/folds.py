"""Cells that a reader can skip: a tag folds a cell, input and output together, under one word.

A cell that only verifies what the text says is tagged ``check``; the first one of a chapter, which
brings what the others need, ``imports``::

    ```{code-cell} ipython3
    :tags: [check]
    assert math.isclose(ours, theirs)
    ```

Such a cell is executed and tested like any other. What it glues, draws or records is used as
always; only the reader has to unfold it. In the notebook its code is folded.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["FOLDS", "fold_cells", "setup"]

# Tag of the cell, and the word that a reader unfolds.
FOLDS = {"check": "Check", "imports": "Imports"}


def fold_cells(app: Sphinx, doctree: Any) -> None:
    """Have myst-nb fold the tagged cells; it does so later, when the page is written."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        tags = cell["cell_metadata"].get("tags", [])
        for word in [FOLDS[tag] for tag in tags if tag in FOLDS]:
            cell["hide_mode"] = "all"
            cell["prompt_show"] = cell["prompt_hide"] = word


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx's events."""
    app.connect("doctree-read", fold_cells)
