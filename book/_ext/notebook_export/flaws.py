"""What can be wrong with an exported notebook: markup left over, dead links, cells lost."""

import json
import re
import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

__all__ = ["flaws"]

CODE = re.compile(r"^(`{3,})[^`\n]*\n.*?^\1 *$|(`+)(?!`).+?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE)
LEFT_OVER = {
    "a directive": re.compile(r"^\s*>?\s*(:{3,}|`{3,})\s*\{", re.MULTILINE),
    "a role": re.compile(r"\{[a-z][a-z:_-]*\}\s*`"),
    "a number to be filled in": re.compile(r"\{glue|glue:text|(Fig\.|Exercise|Table) %s"),
    "a target": re.compile(r"^\([\w-]+\)=\s*$", re.MULTILINE),
}
LINK = re.compile(r"(?<!\\)\]\(([^)\s]*)\)")
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')


def flaws(notebook: NotebookNode, chapter: list[NotebookNode], root: Path) -> list[str]:
    """Say everything that is wrong with an exported notebook.

    Parameters
    ----------
    notebook
        The notebook.
    chapter
        The cells of the chapter that it was made from.
    root
        The source folder, whose path must not be in it.
    """
    found = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", nbformat.warnings.DuplicateCellId)  # said below
            nbformat.validate(deepcopy(notebook))  # it repairs what it is given
    except nbformat.ValidationError as error:
        found.append(f"it is not a valid notebook: {error.message}")
    if str(root.resolve()) in json.dumps(notebook, ensure_ascii=False):
        found.append("it contains the path of the folder that it was built in")
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    anchors = {name for cell in texts for name in ANCHOR.findall(cell.source)}
    for cell in texts:
        found += [f"{cell.id}: {flaw}" for flaw in text_flaws(cell.source, anchors)]
    return found + list(cell_flaws(notebook, chapter))


def text_flaws(text: str, anchors: set[str]) -> Iterator[str]:
    """Yield what is wrong with the Markdown of one cell; `anchors` are those of the notebook."""
    for what, pattern in LEFT_OVER.items():
        if match := pattern.search(text):
            yield f"{what} is left over: {match[0].strip()!r}"
    bare = CODE.sub("`code`", text)
    for target in LINK.findall(bare):
        if target.startswith("#"):
            if target[1:] not in anchors:
                yield f"the link to {target} leads nowhere"
        elif not target.startswith(("https://", "http://", "mailto:")):
            yield f"the link to {target!r} leads nowhere outside the site"
    if bare.count("<details>") != bare.count("</details>"):
        yield "a fold is not closed"
    if len(re.findall(r"(?<!\\)\$", bare)) % 2:
        yield "a formula is not closed"


def cell_flaws(notebook: NotebookNode, chapter: list[NotebookNode]) -> Iterator[str]:
    """Yield what differs from the cells of the chapter."""
    ids = [cell.get("id") for cell in notebook.cells]
    if len(set(ids)) < len(ids):
        yield "two cells have the same id"
    first, *ours = [cell for cell in notebook.cells if cell.cell_type == "code"]
    theirs = [cell for cell in chapter if cell.cell_type == "code"]
    if first.metadata.get("tags") != ["first"]:
        yield "the first code cell is not the one that installs the package"
    if [cell.source for cell in ours] != [cell.source for cell in theirs]:
        yield f"its {len(ours)} code cells are not the chapter's {len(theirs)}, in the same order"
    elif [c.metadata.get("tags", []) for c in ours] != [c.metadata.get("tags", []) for c in theirs]:
        yield "the tags of its code cells are not the chapter's"
    for cell, executed in zip(ours, theirs, strict=False):
        shown = [o for o in executed.get("outputs", []) if has_image(o)]
        if len([o for o in cell.get("outputs", []) if has_image(o)]) != len(shown):
            yield f"{cell.id}: some of the {len(shown)} images of the chapter's cell are missing"


def has_image(output: NotebookNode) -> bool:
    """Whether an output is an image."""
    return any(kind.startswith("image/") for kind in output.get("data", {}))
