"""Check of the written site: each link inside it must lead somewhere.

External addresses are left to `make links`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

__all__ = ["ASSET_FOLDERS", "EXTERNAL", "DeadLink", "dead_links", "page_files"]

ATTRIBUTES = ("href", "src", "data", "poster")
ASSET_FOLDERS = {"_static", "_sources", "_downloads", "_images"}
# Absolute addresses and inline data. One letter is a drive, not a scheme.
EXTERNAL = re.compile(r"^([a-z][a-z0-9+.-]+:|//)", re.IGNORECASE)


@dataclass(frozen=True)
class DeadLink:
    """A link that leads nowhere.

    Attributes
    ----------
    page
        The HTML file that holds the link, relative to the site's folder.
    text
        What the reader sees of it, or the tag.
    target
        The address as written.
    reason
        What is missing.
    cell
        Position of the cell it stands in among the cells of the page, from 0; None outside cells.
    """

    page: str
    text: str
    target: str
    reason: str
    cell: int | None = None


@dataclass
class Page:
    """What one HTML file offers and asks for."""

    anchors: set[str] = field(default_factory=set)
    links: list[tuple[str, str, int | None]] = field(default_factory=list)  # target, text, cell


def page_files(site: Path) -> list[Path]:
    """HTML files of the site's pages, without those that themes bring as assets."""
    return sorted(
        path
        for path in site.rglob("*.html")
        if path.relative_to(site).parts[0] not in ASSET_FOLDERS
    )


def read_page(path: Path) -> Page:
    """Collect the anchors and the links of a file."""
    soup = BeautifulSoup(path.read_bytes(), "html.parser", from_encoding="utf-8")
    page = Page()
    cells = {
        id(tag): index
        for index, tag in enumerate(soup.select("div.cell.container, div.cell.docutils"))
    }
    for tag in soup.find_all(True):
        page.anchors.update(str(tag[name]) for name in ("id", "name") if tag.has_attr(name))
        for attribute in ATTRIBUTES:
            # `data` is an address in <object> only
            if tag.has_attr(attribute) and (attribute != "data" or tag.name == "object"):
                cell = next((cells[id(p)] for p in tag.parents if id(p) in cells), None)
                page.links.append((str(tag[attribute]), link_text(tag), cell))
    return page


def link_text(tag: Tag) -> str:
    """Text that the reader sees of a link, shortened, or the name of the tag."""
    text = " ".join(tag.get_text(" ").split()) or str(tag.get("alt") or tag.get("title") or "")
    return text[:60] or f"<{tag.name}>"


def dead_links(site: Path, prefix: str = "/", rootless: str = "404.html") -> Iterator[DeadLink]:
    """Find every link in the pages of `site` to a file or an anchor that does not exist.

    Parameters
    ----------
    site
        Folder of the site.
    prefix
        Path at which its host serves it, with a slash at both ends.
    rootless
        The page that the host shows at any address without one. Its links must begin with `prefix`,
        those of the other pages must not, so that the site can be served anywhere.

    Yields
    ------
    DeadLink
        In the order of pages and of links on them.
    """
    root = site.resolve()
    pages = {path.resolve(): read_page(path) for path in page_files(root)}
    for path, page in pages.items():
        name = path.relative_to(root).as_posix()
        for target, text, cell in page.links:
            address = target
            if name == rootless and not target.startswith("#") and not EXTERNAL.match(target):
                if not target.startswith(prefix):
                    yield DeadLink(name, text, target, f"it does not begin with {prefix}", cell)
                    continue
                address = "./" + target.removeprefix(prefix)
            if reason := flaw(root, path, address, pages):
                yield DeadLink(name, text, target, reason, cell)


def flaw(root: Path, path: Path, target: str, pages: dict[Path, Page]) -> str | None:
    """Say what is missing at `target`, as seen from the page at `path`; None if nothing is."""
    if EXTERNAL.match(target.strip()):
        return None
    parts = urlsplit(target.strip())
    if parts.path.startswith("/"):
        return "an address from the server's root breaks when the site is served from a folder"
    found = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
    if not found.is_relative_to(root):
        return "outside the site"
    if found.is_dir():
        found = found / "index.html"
    if not found.is_file():
        return f"there is no file {found.relative_to(root).as_posix()}"
    fragment = unquote(parts.fragment)
    # An empty fragment and "top" lead to the top of any page.
    if fragment in {"", "top"} or found not in pages:
        return None
    if fragment in pages[found].anchors:
        return None
    return f"there is no anchor #{fragment} in {found.relative_to(root).as_posix()}"
