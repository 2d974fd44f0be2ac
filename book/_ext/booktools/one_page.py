"""The finished pages of a site as one document: what becomes the PDF.

Sphinx's own ``singlehtml`` gives the same id to all sections named "Summary", so its links lead
astray, and it renders everything a second time. Here the pages of the strict build are joined:
each id gets the name of its page in front, and the links between the pages follow.
"""

import copy
import os
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag

from bookbuild.book.settings import Part
from bookbuild.check.links import EXTERNAL
from bookbuild.write.math import STYLE_CLASS

__all__ = ["Edition", "OnePageError", "assemble"]

REFERENCE = re.compile(r"url\(#([^)]+)\)")
FONT = re.compile(r'url\("([^"]+)"\)')
# Attributes that hold ids of the same page, more than one with spaces between them.
ID_LISTS = {"for", "headers", "aria-labelledby", "aria-describedby", "aria-controls"}
# What works on a screen only.
SCREEN = (
    "a.headerlink, .copybtn, script, noscript, .headerbtn, .toggle-button, .d-print-none, "
    ".token-explorer form"
)


class OnePageError(ValueError):
    """The site is not complete; the message says what is missing."""


@dataclass(frozen=True)
class Edition:
    """What the title page says.

    Attributes
    ----------
    title, author
        Of the book.
    site
        Address of the published site, with a slash at its end; links to what is not in the
        document lead there.
    notes
        Further lines: the commit, say.
    lang
        Language of the book.
    """

    title: str
    author: str
    site: str
    notes: tuple[str, ...] = ()
    lang: str = "en"


def page_id(page: str, name: str = "") -> str:
    """Id in the document for an id of a page; for the page itself without one."""
    short = re.sub(r"[^\w.-]", "-", page.rsplit("/", maxsplit=1)[-1])
    return f"{short}--{name}" if name else short


class Joiner:
    """Reads pages of `site`, and makes their addresses fit for the file `target`."""

    def __init__(self, site: Path, pages: set[str], target: Path, address: str) -> None:
        self.site, self.pages, self.target, self.address = site, pages, target, address

    def soup(self, page: str) -> BeautifulSoup:
        """Parse the file of a page."""
        path = self.site / f"{page}.html"
        if not path.is_file():
            raise OnePageError(f"there is no page {page}.html in {self.site}: build the book first")
        return BeautifulSoup(path.read_bytes(), "html.parser", from_encoding="utf-8")

    def file(self, page: str, address: str) -> str:
        """Address, as seen from the target, of a file that a page names relative to itself."""
        if EXTERNAL.match(address):
            return address
        path = (self.site / page).parent / unquote(urlsplit(address).path)
        return Path(os.path.relpath(path.resolve(), self.target.resolve().parent)).as_posix()

    def link(self, page: str, address: str) -> str:
        """Address of a link on a page: in the document if it leads to one of its pages."""
        if EXTERNAL.match(address):
            return address
        parts = urlsplit(urljoin(f"{page}.html", address))
        name = unquote(parts.path).removesuffix(".html")
        if name in self.pages:
            return f"#{page_id(name, unquote(parts.fragment))}"
        return urljoin(self.address, urljoin(f"{page}.html", address))

    def article(self, page: str) -> Tag:
        """Content of a page as a section of the document."""
        article = self.soup(page).select_one("article")
        if article is None:
            raise OnePageError(f"the page {page}.html has no <article>: the theme has changed")
        for tag in article.select(SCREEN):
            tag.decompose()
        for tag in article.find_all(True):
            self.adapt(page, tag)
        for tag in article.select("details"):
            tag["open"] = ""
        for tag in article.select(".highlight span.w"):
            tag.unwrap()  # white space needs no color, and each tag is an object of the PDF
        article.name = "section"
        article["class"], article["id"] = "bd-article pdf-page", page_id(page)
        return article

    def adapt(self, page: str, tag: Tag) -> None:
        """Change the ids and addresses of one tag."""
        for name, value in list(tag.attrs.items()):
            text = " ".join(value) if isinstance(value, list) else str(value)
            if name == "id":
                tag[name] = page_id(page, text)
            elif name in ID_LISTS:
                tag[name] = " ".join(page_id(page, word) for word in text.split())
            elif name in {"href", "xlink:href"}:
                tag[name] = self.link(page, text)
            elif name in {"src", "data", "poster"}:
                tag[name] = self.file(page, text)
            elif "url(#" in text:
                tag[name] = REFERENCE.sub(lambda m: f"url(#{page_id(page, m[1])})", text)
        if tag.name == "img":
            # all pictures are wanted before the printing begins
            tag.attrs.pop("loading", None)

    def head(self, page: str) -> str:
        """Style sheets of a page."""
        links = self.soup(page).select('link[rel~="stylesheet"]')
        for link in links:
            link["href"] = self.file(page, str(link["href"]))
        return "\n".join(str(copy.copy(link)) for link in links)

    def formulas(self, page: str) -> str:
        """Style sheet of the formulas of a page; it holds only what that page uses."""
        style = self.soup(page).select_one(f"style.{STYLE_CLASS}")
        if style is None:
            return ""
        return FONT.sub(lambda m: f'url("{self.file(page, m[1])}")', f"{style}\n")


def heading_text(section: Tag) -> str:
    """HTML of a section's heading, without the tag itself and without links."""
    heading = section.find(["h1", "h2"])
    if not isinstance(heading, Tag):
        return ""
    bare = copy.copy(heading)
    for link in bare.find_all("a"):
        link.unwrap()
    for tag in bare.find_all(id=True):
        del tag["id"]
    return bare.decode_contents()


def contents(parts: list[Part], articles: dict[str, Tag]) -> str:
    """Table of contents: parts, pages, and the sections of each page."""
    lines = ['<nav class="pdf-contents" aria-label="Contents"><h1 id="contents">Contents</h1>']
    for part in parts:
        if part.caption:
            lines.append(f'<p class="pdf-part">{escape(part.caption)}</p>')
        lines.append("<ul>")
        for page in part.pages:
            article = articles[page]
            lines.append(f'<li><a href="#{page_id(page)}">{heading_text(article)}</a><ul>')
            lines += [
                f'<li><a href="#{section["id"]}">{heading_text(section)}</a></li>'
                for section in article.select("section > section[id]")
                if section.find("h2", recursive=False)
            ]
            lines.append("</ul></li>")
        lines.append("</ul>")
    return "\n".join([*lines, "</nav>"])


def assemble(site: Path, parts: list[Part], target: Path, edition: Edition, style: Path) -> str:
    """HTML of the whole book, to be written to `target`.

    Parameters
    ----------
    site
        Folder of the finished pages.
    parts
        What belongs into the book, in order; see `bookbuild.book.settings.read_toc`.
    target
        The file; its folder need not be there yet.
    edition
        What the title page says.
    style
        Style sheet for paper.

    Raises
    ------
    OnePageError
        When a page is missing.
    """
    names = [page for part in parts for page in part.pages]
    joiner = Joiner(site.resolve(), set(names), target, edition.site)
    articles = {page: joiner.article(page) for page in names}
    lines = [escape(edition.author), *map(escape, edition.notes)]
    link = f'<a href="{escape(edition.site)}">{escape(edition.site)}</a>'
    lines.append(f"Online at {link}")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{escape(edition.lang)}" data-theme="light" data-mode="light">',
            f'<head><meta charset="utf-8"><title>{escape(edition.title)}</title>',
            joiner.head(names[0]),
            *filter(None, map(joiner.formulas, names)),
            f"<style>\n{style.read_text(encoding='utf-8')}\n</style></head>",
            f'<body><header class="pdf-title"><p class="pdf-name">{escape(edition.title)}</p>',
            "<p>The executable book</p>",
            *(f"<p>{line}</p>" for line in lines),
            "</header>",
            contents(parts, articles),
            "<main>",
            *map(str, articles.values()),
            "</main></body></html>",
        ]
    )
