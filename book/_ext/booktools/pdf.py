"""The whole book as one PDF: `python -m booktools pdf`, after a build, where _config.yml is.

The finished pages are joined (`booktools.one_page`), and the machine's browser
(`booktools.browser`) prints them: light, formulas set, folds open, with bookmarks, and tagged for
screen readers. The PDF lands in `_build/pdf/` and on the site. With `--check` it only starts
the browser, to find out before a long build whether there is one.
"""

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from bookbuild.book.address import commit, site
from bookbuild.book.settings import TOC, language, read_config, read_toc
from bookbuild.check.unfinished import NAME as UNFINISHED
from bookbuild.write.site import PDF
from booktools.browser import NoBrowserError, launch
from booktools.one_page import Edition, OnePageError, assemble

__all__ = ["main", "print_pdf"]

STYLE = Path(__file__).parents[2] / "_static" / "css" / "pdf.css"
FOOTER = (
    '<p style="width: 100%; text-align: center; font: 8pt sans-serif; color: #555">'
    '<span class="pageNumber"></span></p>'
)
# Pictures and fonts are there. A formula that is wider than the paper is set smaller.
READY = """async () => {
    await document.fonts.ready;
    await Promise.all([...document.images].map((image) => image.decode().catch(() => null)));
    for (const formula of document.querySelectorAll('mjx-container[display="true"]')) {
        const content = formula.querySelector('mjx-math').getBoundingClientRect();
        const excess = content.right - document.body.getBoundingClientRect().right;
        const share = 1 - excess / content.width;
        if (excess > 0) formula.style.fontSize = `${Math.floor(90 * share)}%`;
    }
}"""
# What lies beyond the right margin would be cut off.
TOO_WIDE = """() => {
    const edge = document.body.getBoundingClientRect().right + 1;
    const beyond = (tag) => Math.round(tag.getBoundingClientRect().right - edge);
    return [...document.querySelectorAll('.pdf-page *')]
        .filter((tag) => beyond(tag) > 0 && !tag.closest('mjx-assistive-mml'))
        .map((tag) => `${tag.closest('.pdf-page').id}: <${tag.localName}> ${beyond(tag)} px ` +
            tag.textContent.trim().replace(/\\s+/g, ' ').slice(0, 60));
}"""
BROKEN = """() =>
    [...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)"""
# A4 less the margins of pdf.css, in CSS pixels: what is measured is what is printed.
WIDTH = round((210 - 2 * 17) / 25.4 * 96)


def print_pdf(page: Path, target: Path) -> list[str]:
    """Print an HTML file.

    Parameters
    ----------
    page
        The file.
    target
        Where the PDF goes; its folder is made.

    Returns
    -------
    list of str
        What is wrong with it: pictures that did not load, and what does not fit the paper.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        context = browser.new_context(
            viewport={"width": WIDTH, "height": 1000}, offline=True, color_scheme="light"
        )
        tab = context.new_page()
        tab.set_default_timeout(300_000)
        tab.emulate_media(media="print")
        tab.goto(page.resolve().as_uri(), wait_until="load")
        tab.evaluate(READY)
        flaws = [f"text beyond the margin: {text}" for text in tab.evaluate(TOO_WIDE)]
        flaws += [f"missing picture: {address}" for address in tab.evaluate(BROKEN)]
        tab.pdf(
            path=target,
            prefer_css_page_size=True,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            outline=True,
            tagged=True,
        )
        browser.close()
    return flaws


def edition(root: Path) -> Edition:
    """Read what the title page says from ``_config.yml``."""
    config = read_config(root)
    built = commit(root)
    return Edition(
        title=str(config["title"]),
        author=str(config["author"]),
        site=site(root),
        notes=(f"Version {built[:12]}",) if built else (),
        lang=language(config),
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module's docstring. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m booktools pdf", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="folder of _config.yml")
    parser.add_argument("--build", type=Path, help="folder of the build; by default _build there")
    parser.add_argument("--check", action="store_true", help="only see whether there is a browser")
    options = parser.parse_args(arguments)
    root: Path = options.root
    build: Path = options.build or root / "_build"
    page, target = build / "pdf" / "book.html", build / "pdf" / PDF
    try:
        if options.check:
            with sync_playwright() as playwright:
                launch(playwright).close()
            return 0
        if (build / UNFINISHED).exists() or not (build / "html").is_dir():
            raise OnePageError(
                "the last build was killed or failed, or there was none: run make book"
            )
        parts = read_toc(root / TOC)
        html = assemble(build / "html", parts, page, edition(root), STYLE)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(html, encoding="utf-8")
        flaws = print_pdf(page, target)
    except (OnePageError, NoBrowserError) as error:
        print(f"no PDF: {error}", file=sys.stderr)
        return 2
    for flaw in flaws:
        print(flaw, file=sys.stderr)
    shutil.copyfile(target, build / "html" / PDF)
    print(f"{target}, {target.stat().st_size / 1e6:.1f} MB")
    return int(bool(flaws))
