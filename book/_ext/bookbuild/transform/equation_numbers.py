"""Numbers of formulas in the comments of cells.

A cell that checks a formula names its label, ``# (eq-chain)``, as the text does; a reader sees the
number that stands next to the formula, ``# (1.4)``.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any

from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

__all__ = ["formula_numbers", "number_blocks", "number_cells", "numbered", "setup"]

logger = logging.getLogger(__name__)
COMMENT = re.compile(r"#.*")
LABEL = re.compile(r"\((eq-[\w-]+)\)")


def formula_numbers(env: BuildEnvironment, docname: str) -> dict[str, str]:
    """Numbers of a page's formulas by label."""
    found = env.toc_fignumbers.get(docname, {}).get("displaymath", {})
    return {
        name.removeprefix("equation-"): ".".join(map(str, number)) for name, number in found.items()
    }


def numbered(code: str, numbers: Mapping[str, str]) -> str:
    """Return code with numbers in the place of the labels in its comments.

    A label that has no number stays.
    """

    def comment(match: re.Match[str]) -> str:
        return LABEL.sub(lambda label: f"({numbers.get(label[1], label[1])})", match[0])

    return COMMENT.sub(comment, code)


def number_blocks(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write numbers in the code that a page shows, and warn of labels that are not on it."""
    numbers = formula_numbers(app.env, docname)
    for block in doctree.findall(nodes.literal_block):
        before = block.astext()
        after = numbered(before, numbers)
        if after != before:
            block.rawsource = after
            block[:] = [nodes.Text(after)]
        for line in COMMENT.findall(after):
            for label in LABEL.findall(line):
                logger.warning(
                    f"a comment refers to the formula {label}, which is not on this page: {line}",
                    location=docname,
                    type="bookbuild",
                )


def number_cells(notebook: NotebookNode, env: BuildEnvironment, docname: str) -> Any:
    """Return a copy of a page's notebook with numbered formulas in the comments of its cells."""
    numbers = formula_numbers(env, docname)
    result = copy.deepcopy(notebook)
    for cell in result.cells:
        if cell.cell_type == "code":
            cell.source = numbered(cell.source, numbers)
    return result


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx's events."""
    app.connect("doctree-resolved", number_blocks)
