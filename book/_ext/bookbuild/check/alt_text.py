"""Checks of a resolved page: figures must have an alternative text, and outputs a caption."""

import re
from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from bookbuild.build import build_of
from bookbuild.check.report import page_label
from bookbuild.execute.chapters import Place

__all__ = ["alt_flaw", "check_figures", "setup", "svg_flaw"]

MIN_CHARACTERS, MIN_WORDS = 12, 2
FILE_NAME = re.compile(r"\.(png|svg|jpe?g|gif|webp|pdf)$", re.IGNORECASE)
logger = logging.getLogger(__name__)


def alt_flaw(alt: str | None) -> str | None:
    """Say why `alt` tells nobody what the figure shows, or None."""
    if alt is None or not alt.strip():
        return "has no alternative text"
    bare = alt.strip()
    if FILE_NAME.search(bare) or ("/" in bare and not re.search(r"\s", bare)):
        return f"has a file name as its alternative text: {bare!r}"
    if len(bare) < MIN_CHARACTERS or len(bare.split()) < MIN_WORDS:
        return (
            f"has too short an alternative text: {bare!r} "
            f"(at least {MIN_CHARACTERS} characters and {MIN_WORDS} words)"
        )
    return None


def svg_flaw(svg: Tag) -> str | None:
    """Say what an inline drawing lacks for a screen reader, or None."""
    if any(tag.get("aria-hidden") == "true" for tag in (svg, *svg.parents)):
        return None
    if svg.get("role") != "img":
        return 'lacks role="img" (or aria-hidden="true" if it is an ornament)'
    title = svg.find("title", recursive=False)
    label = svg.get("aria-label") or (title.get_text() if title else "")
    return None if str(label).strip() else "has neither aria-label nor <title>"


def check_figures(doctree: Any, docname: str, label: str, places: dict[int, Place]) -> None:
    """Warn of each figure of a resolved page that lacks an alternative text or a caption.

    Parameters
    ----------
    doctree
        The page, with the media type of each output chosen.
    docname, label
        Sphinx's name of the page, and the path of its source for messages.
    places
        Where its code cells stand, by their index.
    """
    # Top-down: myst-nb's wrapper of hidden cells does not set the parent of what it wraps.
    cells: dict[int, int] = {}
    for container in doctree.findall(nodes.container):
        if container.get("nb_element") == "cell_code":
            cells.update((id(node), container["cell_index"]) for node in container.findall())

    def warn(node: Any, message: str) -> None:
        place = places.get(cells[id(node)]) if id(node) in cells else None
        line = place.line if place else line_of(node)
        where = f"{label}, {place}" if place else f"{label}, line {line}" if line else label
        logger.warning(f"{where}: {message}", location=(docname, line), type="bookbuild")

    for image in doctree.findall(nodes.image):
        # Without this attribute the HTML writer falls back on the path of the file.
        if flaw := alt_flaw(image.get("alt")):
            remedy = " Set `mystnb: {image: {alt: …}}`." if id(image) in cells else ""
            warn(image, f"figure {image['uri']} {flaw}.{remedy}")
        if id(image) in cells and not has_caption(image):
            warn(image, f"figure {image['uri']} has no caption. Set `mystnb: {{figure: …}}`.")
    for raw in doctree.findall(nodes.raw):
        if "html" in raw.get("format", "").split():
            for flaw in raw_flaws(raw.astext()):
                warn(raw, flaw)


def raw_flaws(html: str) -> list[str]:
    """Flaws of the pictures in a piece of HTML."""
    if "<svg" not in html.lower() and "<img" not in html.lower():
        return []  # most outputs: spares parsing them
    soup = BeautifulSoup(html, "html.parser")
    flaws = []
    for image in soup.find_all("img"):
        alt = image.get("alt")
        if flaw := alt_flaw(None if alt is None else str(alt)):
            flaws.append(f"HTML image {str(image.get('src', ''))[:60]} {flaw}.")
    for svg in soup.find_all("svg"):
        if svg.find_parent("svg") is None and (flaw := svg_flaw(svg)):
            flaws.append(f"inline SVG {flaw}.")
    return flaws


def has_caption(image: Any) -> bool:
    """Whether the image stands in a figure with a caption."""
    node = image.parent
    while node is not None and not isinstance(node, nodes.figure):
        node = node.parent
    return node is not None and any(
        isinstance(child, nodes.caption) and child.astext().strip() for child in node.children
    )


def line_of(node: Any) -> int | None:
    """Line of the node in its source, or of the nearest node around it that knows its line."""
    while node is not None:
        if node.line:
            return int(node.line)
        node = node.parent
    return None


def check_page(app: Sphinx, doctree: Any, docname: str) -> None:
    """Check the figures of a page of the site."""
    if app.builder.format == "html":
        chapter = build_of(app).chapters.get(docname)
        check_figures(
            doctree, docname, page_label(app, docname), chapter.places() if chapter else {}
        )


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx's events."""
    app.connect("doctree-resolved", check_page)
