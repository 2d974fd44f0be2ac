"""Code cells of an exported notebook, from those of the executed chapter."""

from collections.abc import Iterator
from typing import Any

import nbformat
from nbformat import NotebookNode

from bookbuild.execute.results import MIME
from bookbuild.transform.folds import FOLDS

__all__ = ["code_cell", "outputs"]

# Input, output, or both that the page does not show, or shows folded. A check shows its output:
# who runs it wants to see that.
NO_INPUT = {"hide-input", "remove-input", "hide-cell", "remove-cell", *FOLDS}
NO_OUTPUT = {"hide-output", "remove-output", "hide-cell", "remove-cell"}
RECORD = "application/papermill.record/"  # numbers for the text, which has them already


def code_cell(executed: NotebookNode, number: int, *, folded: bool = False) -> NotebookNode:
    """Code cell with source, tags and outputs of the executed cell `number` (from 1).

    What the page folds is folded, in Jupyter and in Colab alike; nothing is left out, since the
    cells that follow need it.

    Parameters
    ----------
    executed
        Cell of the chapter.
    number
        Its number among the chapter's code cells: the stable part of its id.
    folded
        Whether the code is folded in any case, as in a solution.
    """
    tags = list(executed.metadata.get("tags", []))
    known = {tag.replace("_", "-") for tag in tags}
    metadata: dict[str, Any] = {"tags": tags} if tags else {}
    jupyter = {}
    if folded or known & NO_INPUT:
        jupyter["source_hidden"] = True
        metadata["cellView"] = "form"  # Colab's word for it
    if known & NO_OUTPUT:
        jupyter["outputs_hidden"] = True
    if jupyter:
        metadata["jupyter"] = jupyter
    return nbformat.v4.new_code_cell(
        executed.source,
        id=f"code-{number}",
        metadata=metadata,
        execution_count=executed.get("execution_count"),
        outputs=list(outputs(executed)),
    )


def outputs(executed: NotebookNode) -> Iterator[NotebookNode]:
    """Yield the outputs of a cell, without what only the build reads."""
    for output in executed.get("outputs", []):
        output = nbformat.from_dict(output)
        if "data" in output:
            output.metadata.pop("scrapbook", None)
            for kind in list(output.data):
                if kind == MIME or kind.startswith(RECORD):
                    del output.data[kind]
            if not output.data:
                continue
        yield output
