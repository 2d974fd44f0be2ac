"""The lines below a chapter's title: times, video, source, and the edition of its data."""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from bookbuild.book.address import source_page
from bookbuild.book.settings import Settings
from bookbuild.build import build_of
from bookbuild.check.report import page_label

__all__ = ["WORDS_PER_MINUTE", "chapter_facts", "first_paragraph", "setup", "video", "words"]

WORDS_PER_MINUTE = 200  # prose with formulas between; code is not counted
CITATION = re.compile(r"\s*\[[^\]]*\b\d{4}[a-z]?\]")
VIDEO = re.compile(r"https://(www\.youtube\.com/watch\?v=|youtu\.be/)[\w-]+")


def words(doctree: Any) -> int:
    """Count the words of prose: paragraphs and captions, but neither code nor output."""
    found = 0
    for node in doctree.findall(lambda n: isinstance(n, nodes.paragraph | nodes.caption)):
        parent = node.parent
        while parent is not None:
            if isinstance(parent, nodes.container) and parent.get("nb_element"):
                break
            parent = parent.parent
        else:
            found += len(node.astext().split())
    return found


def video(doctree: Any) -> str | None:
    """Address of the first video that the page links to, or None."""
    for link in doctree.findall(nodes.reference):
        if VIDEO.match(link.get("refuri", "")):
            return str(link["refuri"])
    return None


def to_run(seconds: float) -> str:
    """Say how long a chapter runs: in seconds below a minute and a half, then in minutes."""
    return f"{seconds:.0f} s to run" if seconds < 90 else f"{seconds / 60:.0f} min to run"


def chapter_facts(doctree: Any, seconds: float, source: str, link: str | None) -> Any:
    """Paragraph with what a reader wants to know before she begins.

    Parameters
    ----------
    doctree
        The chapter.
    seconds
        What its execution took.
    source
        Address of its source in the repository.
    link
        Address of its video; None on a page that belongs to no lecture.
    """
    minutes = max(1, round(words(doctree) / WORDS_PER_MINUTE))
    line = nodes.paragraph("", classes=["chapter-facts"])
    facts = [nodes.Text(f"{minutes} min to read"), nodes.Text(to_run(seconds))]
    if link:
        facts.append(nodes.reference("", "Video", refuri=link, internal=False))
    facts.append(nodes.reference("", "Source", refuri=source, internal=False))
    line += facts[0]
    for fact in facts[1:]:
        line += [nodes.Text(" · "), fact]
    return line


def embedded_note(names: list[str]) -> Any:
    """Note for a page that was built from an embedded edition of the data sets `names`."""
    text = (
        f"The data set used here ({', '.join(names)}) is the edition that travels with the book, "
        "because the lecture's own file could not be fetched when this page was built. "
        "Figures on this page differ slightly from the lecture's."
    )
    return nodes.note("", nodes.paragraph("", text))


def add_facts(app: Sphinx, doctree: Any) -> None:
    """Put the facts below the title of a chapter, and a note below them if its data stand in."""
    build, docname = build_of(app), app.env.docname
    title = next(doctree.findall(nodes.title), None)
    if title is None:
        return
    below = title.parent.index(title) + 1
    settings = build.settings.get(docname, Settings())
    embedded = [name for name in settings.data if build.editions.get(name) == "embedded"]
    if embedded:
        title.parent.insert(below, embedded_note(embedded))
    times = {row["page"]: row["seconds"] for row in build.tables.get("times", [])}
    # a chapter is numbered as its lecture is
    lecture = re.match(r"(.*/)?\d", docname)
    link = video(doctree) if lecture else None
    if docname in times and (link or not lecture):
        source = source_page(page_label(app, docname), Path(app.srcdir))
        title.parent.insert(below, chapter_facts(doctree, times[docname], source, link))


def first_paragraph(doctree: Any) -> str:
    """Text of the first paragraph of prose of a page; empty without one."""
    for node in doctree.findall(nodes.paragraph):
        inside = isinstance(node.parent, nodes.section | nodes.document)
        if inside and "chapter-facts" not in node["classes"] and len(node.astext()) > 40:
            return CITATION.sub("", node.astext())
    return ""


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx's events."""
    app.connect("doctree-read", add_facts)
