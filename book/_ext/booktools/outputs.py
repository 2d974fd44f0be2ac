"""Compare two executed notebooks, output by output."""

import base64
import difflib
import io
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from myst_nb.core.utils import coalesce_streams
from nbformat import NotebookNode, from_dict
from PIL import Image, ImageChops

__all__ = ["Comparison", "DifferentCellsError", "compare_notebooks"]

PROCESS = re.compile(r"(?<=ipykernel_)\d+")
SKIPPED_TAG = "timing"
PICTURES = {"image/png", "image/jpeg"}
DIFF_LINES, LINE_LENGTH = 6, 160


class DifferentCellsError(ValueError):
    """The notebooks don't have the same code cells, so there is nothing to compare."""


@dataclass
class Comparison:
    """What came of comparing two notebooks.

    Attributes
    ----------
    outputs
        How many pairs of outputs were compared.
    skipped
        How many cells were left out because of their tag.
    differences
        One text for each difference: cell, what differs, short diff.
    """

    outputs: int = 0
    skipped: int = 0
    differences: list[str] = field(default_factory=list)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Code cells of the notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(cell: NotebookNode) -> list[NotebookNode]:
    """Return the outputs of a cell, without what is a matter of chance.

    That is where the kernel cuts a stream in pieces, and its process id, which stands in the file
    names of cells, as in the location of a warning.
    """
    text = PROCESS.sub("", json.dumps(coalesce_streams(deepcopy(cell.outputs))))
    found: list[NotebookNode] = from_dict(json.loads(text))
    return found


def compare_notebooks(first: NotebookNode, second: NotebookNode) -> Comparison:
    """Compare the outputs of two executions of the same cells.

    Raises
    ------
    DifferentCellsError
        When the code cells differ in number, source or the tag "timing".
    """
    cells, others = code_cells(first), code_cells(second)
    if len(cells) != len(others):
        raise DifferentCellsError(
            f"{len(cells)} code cells in one build, {len(others)} in the other"
        )
    result = Comparison()
    for number, (one, two) in enumerate(zip(cells, others, strict=True), start=1):
        timing = [SKIPPED_TAG in cell.metadata.get("tags", []) for cell in (one, two)]
        if one.source != two.source or timing[0] != timing[1]:
            raise DifferentCellsError(f"code cell {number} is not the same in both builds")
        if timing[0]:
            result.skipped += 1
            continue
        left, right = outputs(one), outputs(two)
        if len(left) != len(right):
            result.differences.append(
                f"code cell {number}: {len(left)} outputs in one build, {len(right)} in the other"
            )
        for index, (a, b) in enumerate(zip(left, right, strict=False), start=1):
            result.outputs += 1
            place = f"code cell {number}, output {index}"
            result.differences += [f"{place}: {text}" for text in output_differences(a, b)]
    return result


def output_differences(a: NotebookNode, b: NotebookNode) -> Iterator[str]:
    """Yield what differs between two outputs."""
    bundle_a, bundle_b = a.get("data", {}), b.get("data", {})
    rest_a = {key: value for key, value in a.items() if key not in {"data", "execution_count"}}
    rest_b = {key: value for key, value in b.items() if key not in {"data", "execution_count"}}
    if rest_a != rest_b:
        what = "text" if a.output_type == b.output_type == "stream" else a.output_type
        yield f"{what} differs\n{short_diff(as_text(rest_a, 'text'), as_text(rest_b, 'text'))}"
    if bundle_a.keys() != bundle_b.keys():
        yield f"media types differ: {sorted(bundle_a)} and {sorted(bundle_b)}"
    for kind in sorted(bundle_a.keys() & bundle_b.keys()):
        if bundle_a[kind] == bundle_b[kind]:
            continue
        if kind in PICTURES:
            if text := picture_difference(bundle_a[kind], bundle_b[kind]):
                yield f"{kind} differs: {text}"
        else:
            yield f"{kind} differs\n{short_diff(as_text(bundle_a[kind]), as_text(bundle_b[kind]))}"


def as_text(value: Any, key: str | None = None) -> str:
    """Text of a stream, or of any other value as JSON."""
    if isinstance(value, dict) and key in value:
        value = value[key]
    return value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True)


def picture_difference(a: str, b: str) -> str | None:
    """Say how the pixels of two pictures (base64) differ; None when they are the same."""
    one, two = (Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA") for data in (a, b))
    if one.size != two.size:
        return f"{one.size[0]}×{one.size[1]} and {two.size[0]}×{two.size[1]} pixels"
    # The difference of alpha would hide the box of the others: getbbox looks at alpha only.
    bands = [ImageChops.difference(x, y) for x, y in zip(one.split(), two.split(), strict=True)]
    if not any(band.getbbox() for band in bands):
        return None
    worst = max(max(band.tobytes()) for band in bands)
    return f"the pixels differ, by up to {worst} of 255"


def short_diff(a: str, b: str) -> str:
    """First lines of a diff, indented."""
    lines = [
        line
        for line in difflib.unified_diff(a.splitlines(), b.splitlines(), n=0, lineterm="")
        if not line.startswith(("---", "+++", "@@"))
    ]
    shown = [
        line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]}… ({len(line)} characters)"
        for line in lines[:DIFF_LINES]
    ]
    if len(lines) > DIFF_LINES:
        shown.append(f"… and {len(lines) - DIFF_LINES} more lines")
    return "\n".join(f"      {line}" for line in shown)
