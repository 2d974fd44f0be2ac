"""The site as a whole: its address on the pages, the sitemap, the entrances, the figures."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit
from xml.etree import ElementTree

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

from bookbuild.book.address import AddressError, branch, repository, site
from bookbuild.build import build_of
from bookbuild.execute.results import write_json

__all__ = ["MISSING", "PDF", "prefix", "setup", "write_entrance", "write_sitemap"]

PDF = "zero-to-hero.pdf"  # next to the pages; see booktools.pdf

# Leads on to the front page, which lies in a folder.
ENTRANCE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>{title}</title>
<meta name="description" content="{title}" />
<link rel="canonical" href="{root}{page}" />
<link rel="icon" href="{icon}" />
<meta http-equiv="Refresh" content="0; url={page}" />
</head>
<body><p><a href="{page}">{title}</a></p></body>
</html>
"""
MISSING = "404"  # the page that the host shows at an address that has none
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def use_addresses(app: Sphinx, config: Config) -> None:
    """Tell Sphinx, the theme and sphinxext-opengraph the addresses of the book."""
    root = Path(app.srcdir)
    try:
        config.html_baseurl = site(root)
        config.html_theme_options = config.html_theme_options | {
            "repository_url": repository(root),
            "repository_branch": branch(root),
        }
    except AddressError as error:
        raise ConfigError(str(error)) from error
    # what a page can say of them: {{ pdf }}
    pdf = f"[one PDF]({config.html_baseurl}{PDF})"
    source = f"[the book's repository]({repository(root)})"
    config.myst_substitutions = {**config.myst_substitutions, "pdf": pdf, "repository": source}
    config.ogp_site_url = config.html_baseurl
    config.ogp_site_name = config.html_title
    config.notfound_urls_prefix = prefix(config.html_baseurl)
    config.notfound_template = "missing.html"
    # it has no address of its own
    config.notfound_context = {"title": "There is no such page", "pageurl": None}


def prefix(root: str) -> str:
    """Path of a site on its host, with a slash at both ends."""
    return f"/{urlsplit(root).path.strip('/')}/".replace("//", "/")


def complete_missing(
    app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Let the theme find the site from `MISSING`, which is shown at whatever depth.

    sphinx-notfound-page does this for what templates ask for. The theme's table of contents asks
    Sphinx's builder, and its scripts read the root from the page.
    """
    if name != MISSING:
        return
    context["content_root"] = root = app.config.notfound_urls_prefix
    contents = context["generate_toctree_html"]

    def generate_toctree_html(*arguments: Any, **options: Any) -> Any:
        found = contents(*arguments, **options)
        for link in found.find_all("a", href=True) if found else ():
            link["href"] = urljoin(root, str(link["href"]))
        return found

    context["generate_toctree_html"] = generate_toctree_html


def write_sitemap(folder: Path, root: str, pages: Iterable[str]) -> None:
    """Write ``sitemap.xml`` into the folder of the site.

    sphinx-sitemap starts a process of its own for this list, and brings along an extension that
    asks git for dates.

    Parameters
    ----------
    folder
        Where the site was written.
    root
        Address of the site, with a slash at its end.
    pages
        Paths of the pages below it.
    """
    urls = ElementTree.Element("urlset", xmlns=NAMESPACE)
    for page in sorted(pages):
        ElementTree.SubElement(ElementTree.SubElement(urls, "url"), "loc").text = root + quote(page)
    ElementTree.indent(urls)
    ElementTree.ElementTree(urls).write(
        folder / "sitemap.xml", encoding="utf-8", xml_declaration=True
    )


def write_entrance(
    folder: Path, root: str, page: str, title: str, favicon: str | None = None, language: str = "en"
) -> None:
    """Write ``index.html``, which sends readers of the site's bare address on to `page`.

    sphinx-external-toc writes one that says nothing to search engines, or to a browser that follows
    no such order. Nor does it name an icon; a browser then asks the host for ``/favicon.ico``,
    which is not the book's.

    Parameters
    ----------
    folder
        Where the site was written.
    root
        Address of the site, with a slash at its end.
    page
        Path of the front page below it.
    title
        Title of the book.
    favicon
        Path of the icon in the sources; Sphinx copies it into ``_static``.
    language
        Code of the language of the title.
    """
    icon = f"_static/{quote(Path(favicon).name)}" if favicon else "data:,"
    values = {"root": root, "page": quote(page), "title": title, "icon": icon, "language": language}
    filled = ENTRANCE.format(**{name: escape(value) for name, value in values.items()})
    (folder / "index.html").write_text(filled, encoding="utf-8")


def write_files(app: Sphinx, error: Exception | None) -> None:
    """Write the site's files that are not pages."""
    if error is not None or app.builder.name not in {"html", "dirhtml"}:
        return
    folder, config = Path(app.outdir), app.config
    write_json(folder / "reproduced.json", build_of(app).tables["reproduced"])
    uris = map(app.builder.get_target_uri, app.env.found_docs)
    write_sitemap(folder, config.html_baseurl, uris)
    front = app.builder.get_target_uri(config.root_doc) or "index.html"
    if front != "index.html":
        language = config.language or "en"
        names = (config.html_title, config.html_favicon, language)
        write_entrance(folder, config.html_baseurl, front, *names)


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx's events."""
    app.connect("config-inited", use_addresses, priority=950)
    # after the theme (500)
    app.connect("html-page-context", complete_missing, priority=900)
    # after everything else that writes files
    app.connect("build-finished", write_files, priority=950)
