"""What the build reports at the end: broken links, times, exceeded budgets, where the book is."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

from bookbuild.build import build_of
from bookbuild.check.links import dead_links
from bookbuild.execute.chapters import Chapter, Place
from bookbuild.execute.results import MEMORY_LIMIT, over_budget, over_memory

__all__ = ["page_label", "report_times", "setup", "warn_of_dead_links"]

logger = logging.getLogger(__name__)


def page_label(app: Sphinx, docname: str) -> str:
    """Path of a page's source, relative to the source folder."""
    return str(app.env.doc2path(docname, base=False))


def warn_of_dead_links(app: Sphinx, chapters: Mapping[str, Chapter]) -> None:
    """Warn of each link in the written site that leads nowhere: page, cell, text, target."""
    for link in dead_links(Path(app.outdir), app.config.notfound_urls_prefix):
        docname = link.page.removesuffix(".html")
        if docname not in app.env.found_docs:
            docname = docname.removesuffix("/index")  # as dirhtml names its pages
        if docname not in app.env.found_docs:
            docname = ""  # a page that Sphinx or the theme makes, like the search
        where = page_label(app, docname) if docname else link.page
        place = None
        if link.cell is not None and docname in chapters:
            place = shown_cell(chapters[docname], link.cell)
        logger.warning(
            f"{where}{f', {place}' if place else ''}: the link {link.text!r} to "
            f"{link.target!r} leads nowhere: {link.reason}",
            location=(docname, place.line if place else None) if docname else None,
            type="bookbuild",
        )


def shown_cell(chapter: Chapter, position: int) -> Place | None:
    """Place of the code cell that is shown as number `position` (from 0) on the page."""
    places = list(chapter.places().items())
    shown = []
    for index, place in places:
        tags = {
            tag.replace("_", "-") for tag in chapter.notebook.cells[index].metadata.get("tags", [])
        }
        # myst-nb leaves out a cell of which neither input nor output is wanted
        if not {"remove-input", "remove-output"} <= tags:
            shown.append(place)
    return shown[position] if position < len(shown) else None


def report_times(rows: list[dict[str, Any]], executed: set[str]) -> None:
    """Print the table of times, with a mark where a chapter takes too much time or memory.

    These are warnings only where ``ZEROTOHERO_ENFORCE_BUDGET`` is set: to 1, or to a larger number
    by which the budgets of time are multiplied, for machines whose speed nobody vouches for. On a
    reader's machine they are not: PyTorch's build for GPUs, say, takes 280 MB more than Binder's.

    Parameters
    ----------
    rows
        See `bookbuild.execute.results.time_row`.
    executed
        Pages that were executed in this build; the others came from the cache.
    """
    form = "%-40s %8s  %-9s %8s %8s%s"
    if rows:
        logger.info("")
        logger.info(form, "chapter", "seconds", "", "threads", "budget", "")
    for row in rows:
        state = "executed" if row["page"] in executed else "cached"
        budget = "" if row["budget"] is None else f"{row['budget']:g}"
        mark = "  over budget" if over_budget(row) else ""
        mark += "  over the memory limit" if over_memory(row) else ""
        seconds = f"{row['seconds']:.1f}"
        logger.info(form, row["label"], seconds, state, row["threads"], budget, mark)
    enforced = os.environ.get("ZEROTOHERO_ENFORCE_BUDGET")
    if not enforced:
        return
    for row in filter(over_memory, rows):
        logger.warning(
            f"{row['label']}: executing it took {row['memory'] / 1e6:,.0f} MB of memory, but "
            f"Binder guarantees only {MEMORY_LIMIT / 1e6:,.0f} MB",
            location=row["page"],
            type="bookbuild",
        )
    factor = float(enforced)
    for row in rows:
        if not over_budget(row, factor):
            continue
        logger.warning(
            f"{row['label']}: executing it took {row['seconds']:.1f} s, but its budget is "
            f"{row['budget']:g} s (`zerotohero: budget` in its front matter)",
            location=row["page"],
            type="bookbuild",
        )


def report(app: Sphinx, error: Exception | None) -> None:
    """Report a build that went through."""
    if error is not None:
        return
    build = build_of(app)
    if app.builder.name in {"html", "dirhtml"}:
        warn_of_dead_links(app, build.chapters)
    report_times(build.tables["times"], build.executed)


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx's events, after everything that writes files."""
    app.connect("build-finished", report, priority=960)
