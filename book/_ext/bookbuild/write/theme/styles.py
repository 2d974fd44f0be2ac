"""Joins the style sheets of a page into one file.

A page of the theme names a dozen, one of which asks for another; on a phone's connection their
number costs more than their size. They are joined in the order in which the page names them.
"""

import hashlib
import posixpath
import re
from pathlib import Path

from bookbuild.write.theme.icons import ThemeChanged

__all__ = ["Styles"]

LINK = re.compile(
    r'\s*<link (?=[^>]*\brel="stylesheet")[^>]*\bhref="([^":]*\b_static/[^"]+)"[^>]*>'
)
IMPORT = re.compile(r"""@import\s+(?:url\()?["']?([^"')]+)["']?\)?\s*;""")
ADDRESS = re.compile(r"""url\(\s*(["']?)(?!data:|https?:|/|#)([^"')]+)\1\s*\)""")
JOINED = re.compile(r"_static/(all-[0-9a-f]+\.css)")
CHARSET = re.compile(r'@charset "[^"]*";')


class Styles:
    """The joined style sheets of one build: pages that name the same ones share a file."""

    def __init__(self) -> None:
        # name of the joined file -> what it is made of, below _static
        self.files: dict[str, list[str]] = {}

    def join(self, page: str) -> str:
        """Return a page that names one style sheet instead of its own ones."""
        addresses = [match[1] for match in LINK.finditer(page)]
        if len(addresses) < 2:
            return page
        root = addresses[0].partition("_static/")[0]
        parts = [address.partition("_static/")[2] for address in addresses]
        # with the versions in the addresses, so that a browser keeps no old file
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
        name = f"all-{digest}.css"
        self.files[name] = [part.partition("?")[0] for part in parts]
        link = f'\n    <link rel="stylesheet" href="{root}_static/{name}" />'
        return LINK.sub(lambda match: link if match[1] == addresses[0] else "", page)

    def write(self, static: Path) -> None:
        """Write the joined files into the folder ``_static``, and remove those that nobody names.

        A build that writes only what has changed leaves pages, and their style sheets, of others.

        Raises
        ------
        ThemeChanged
            When a style sheet that a page names is not there.
        """
        unnamed = {path.name for path in static.glob("all-*.css")} - self.files.keys()
        for page in static.parent.rglob("*.html") if unnamed else ():
            unnamed -= set(JOINED.findall(page.read_text(encoding="utf-8")))
        for name in unnamed:
            (static / name).unlink()
        for name, parts in self.files.items():
            text = "\n".join(sheet(static, part) for part in parts)
            (static / name).write_text(text, encoding="utf-8")


def sheet(static: Path, name: str) -> str:
    """Return a style sheet below `static` with what it imports, and addresses as from there."""
    path = static / name
    if not path.is_file():
        raise ThemeChanged(f"the theme changed: there is no style sheet {name} in {static}")
    folder = posixpath.dirname(name)

    def place(address: str) -> str:
        return posixpath.normpath(posixpath.join(folder, address))

    text = CHARSET.sub("", path.read_text(encoding="utf-8-sig"))
    text = ADDRESS.sub(lambda match: f"url({match[1]}{place(match[2])}{match[1]})", text)
    return IMPORT.sub(lambda match: sheet(static, place(match[1])), text)
