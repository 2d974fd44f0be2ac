"""A verdict in a notebook: an endless answer is stopped there, too, and anything can be shown."""

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

CELLS = [
    """
from zerotohero.check import micrograd as check, running
from zerotohero.check.verdict import Verdict
running.SECONDS = 0.5
""",
    """
def analytic_gradient(a, b, c):
    while True:
        a = a + 1

check.analytic_gradient(analytic_gradient)
""",
    """
def analytic_gradient(a, b, c):
    total = a + b
    return total.grad

check.analytic_gradient(analytic_gradient)
""",
    """Verdict("wrong", "a lone surrogate: \\ud800")""",
]


def test_verdicts_in_a_kernel() -> None:
    notebook = new_notebook(cells=[new_code_cell(source.strip()) for source in CELLS])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = [_html(cell) for cell in notebook.cells[1:]]
    assert "was stopped: it did not end within 0.5 seconds." in shown[0]
    assert "AttributeError" in shown[1]
    assert "The line that raised it: return total.grad" in shown[1]
    assert "a lone surrogate: \\ud800" in shown[2]


def _html(cell: nbformat.NotebookNode) -> str:
    (output,) = cell.outputs
    return str(output.data["text/html"])
