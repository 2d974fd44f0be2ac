"""What the executed chapters say: figures to compare with the lectures', times, and warnings."""

import json
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from sphinx.util import logging

from bookbuild.build import Build
from bookbuild.execute import cache
from bookbuild.execute.chapters import Chapter
from bookbuild.execute.kernels import cores

__all__ = [
    "MEMORY_LIMIT",
    "MIME",
    "STDERR_TAG",
    "collect",
    "machine",
    "over_budget",
    "over_memory",
    "processor",
    "reproduced_figures",
    "time_row",
    "warn_of_stderr",
    "write_json",
    "write_notebook",
]

MIME = "application/vnd.zerotohero.reproduced+json"
FIELDS = (
    "key",
    "lecture",
    "what",
    "published",
    "ours",
    "tolerance",
    "direction",
    "ok",
    "edition",
    "source",
)
STDERR_TAG = "stderr"  # of a cell that shows the reader a warning, and means to
logger = logging.getLogger(__name__)


def collect(build: Build, store: Any, folder: Path) -> dict[str, str]:
    """Gather what the chapters of a build say, and write their notebooks into `folder`.

    Returns the version of each one's outputs.
    """
    shutil.rmtree(folder, ignore_errors=True)
    figures, times, versions = [], [], {}
    for docname, chapter in build.chapters.items():
        record = cache.lookup(store, chapter.notebook)
        _, notebook = store.merge_match_into_notebook(chapter.notebook)
        write_notebook(folder / f"{docname}.ipynb", notebook)
        build.notebooks[docname] = notebook
        figures += reproduced_figures(chapter, notebook)
        times.append(time_row(chapter, record.data))
        versions[docname] = f"{record.hashkey} {record.created.isoformat()}"
    build.tables = {"reproduced": figures, "times": times}
    return versions


def warn_of_stderr(chapter: Chapter, executed: NotebookNode) -> None:
    """Warn of each cell that writes to its error stream: a reader would see it on the page.

    Most of it is a library's warning or progress. A cell that means to show it has the tag
    `STDERR_TAG`.
    """
    places = chapter.places()
    for index, cell in enumerate(executed.cells):
        texts = [
            output.text
            for output in cell.get("outputs", [])
            if output.output_type == "stream" and output.name == "stderr" and output.text.strip()
        ]
        if texts and STDERR_TAG not in cell.metadata.get("tags", []):
            first = texts[0].strip().splitlines()[0]
            logger.warning(
                f"{chapter.label}, {places[index]}: it writes to its error stream, which would "
                f"appear on the page: {first!r}. If a reader should see that, tag the cell "
                f"{STDERR_TAG!r}.",
                location=(chapter.docname, places[index].line),
                type="bookbuild",
            )


def reproduced_figures(chapter: Chapter, executed: NotebookNode) -> list[dict[str, Any]]:
    """Figures that the cells of a chapter recorded with the media type `MIME`.

    Returns
    -------
    list
        For each: the fields of `FIELDS`, ``page`` (Sphinx's name of it) and ``cell`` (number).
    """
    places = chapter.places()
    found = []
    for index, cell in enumerate(executed.cells):
        for output in cell.get("outputs", []):
            data = output.get("data", {}).get(MIME)
            if data is None:
                continue
            if missing := [f for f in FIELDS if not isinstance(data, dict) or f not in data]:
                logger.warning(
                    "%s, %s: the reproduced figure does not give %s",
                    chapter.label,
                    places[index],
                    ", ".join(missing),
                    location=(chapter.docname, places[index].line),
                )
                continue
            place = {"page": chapter.docname, "cell": places[index].number}
            found.append({**{field: data[field] for field in FIELDS}, **place})
    return found


def machine() -> str:
    """Describe what chapters run on here: versions, processor, cores."""
    try:
        torch = f"torch {metadata.version('torch')}"
    except metadata.PackageNotFoundError:
        torch = "no torch"
    return f"Python {platform.python_version()}, {torch}; {processor()}, {cores()} cores"


def processor() -> str:
    """Model name of the processor, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown processor"


def time_row(chapter: Chapter, data: dict[str, Any]) -> dict[str, Any]:
    """Row of the table of times; `data` is what the cache notes of the execution."""
    return {
        "page": chapter.docname,
        "label": chapter.label,
        "seconds": float(data["execution_seconds"]),
        "memory": data.get("memory"),
        "threads": data["threads"],
        "machine": data["machine"],
        "budget": chapter.settings.budget,
    }


MEMORY_LIMIT = 1.5e9  # bytes; Binder gives 2e9, and its server takes a part of them


def over_memory(row: dict[str, Any]) -> bool:
    """Whether a chapter took more memory than Binder is sure to give."""
    return row["memory"] is not None and row["memory"] > MEMORY_LIMIT


def over_budget(row: dict[str, Any], factor: float = 1.0) -> bool:
    """Whether a chapter took longer than `factor` times its budget."""
    return row["budget"] is not None and row["seconds"] > factor * row["budget"]


def write_atomically(path: Path, text: str) -> None:
    """Write the whole file or nothing, so that a killed build leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON in UTF-8."""
    write_atomically(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_notebook(path: Path, notebook: NotebookNode) -> None:
    """Write an executed notebook."""
    write_atomically(path, nbformat.writes(notebook))
