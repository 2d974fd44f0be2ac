"""Makes a written page light: what a reader does not need is not loaded.

Works on the HTML of one page, on the theme's script and on the drawings. `ThemeChanged` says when a
theme no longer writes what is changed here, so that an update of it can't make the pages heavy
again without anybody noticing.
"""

import html
import re
from collections.abc import Callable
from pathlib import Path

from bookbuild.write.theme.icons import ThemeChanged

__all__ = ["describe", "lighten", "lighten_drawings", "lighten_script"]

# Names, punctuation and white space have the color of the text around them.
PLAIN = re.compile(r'<span class="(?:n|nn|p|w)">([^<]*)</span>')
IMAGE = re.compile(r"<img(?=[\s>])[^>]*>")
# Boxes that the theme's script measures when a page was loaded.
MEASURED = re.compile(
    r'(querySelectorAll\()\["pre",[^\]]*\]\.join\(", "\)(?=\)\.forEach\([^)]*\.tabIndex=)'
)
NOTHING = '"nothing-that-scrolls"'  # matches no element
SCRIPT = "scripts/pydata-sphinx-theme.js"
# Coordinates in a drawing, to more than two decimals.
PLACES = re.compile(r'(?<=\s)(d|x|y|points)="([^"]*)"')
FINE = re.compile(r"-?\d+\.\d{3,}")
SPACE = re.compile(r"\s+")


def lighten(page: str, size: Callable[[str], tuple[int, int] | None]) -> str:
    """Return a page with fewer elements, and with images that are loaded when they are needed.

    Both concern the text of a page as well as outputs that are HTML already.

    Parameters
    ----------
    page
        Its HTML.
    size
        Width and height in pixels of the image at an address, or None.
    """
    page = PLAIN.sub(r"\1", page)  # a third of all elements
    return IMAGE.sub(lambda m: image(m.group(0), size), page)


def lighten_script(static: Path) -> None:
    """Let the theme's script measure nothing at the start. Does nothing the second time.

    ``scrollers.js`` does the same in smaller steps.

    Raises
    ------
    ThemeChanged
        When the script is not as it was.
    """
    path = static / SCRIPT
    script = path.read_text(encoding="utf-8")
    if NOTHING not in script:
        script, count = MEASURED.subn(rf"\g<1>{NOTHING}", script)
        if not count:
            raise ThemeChanged(f"the theme changed: what {path.name} measures was not found")
        script = re.sub(r"\s*//# sourceMappingURL=\S+", "\n", script)
        path.write_text(script, encoding="utf-8")


def lighten_drawings(images: Path) -> None:
    """Round the coordinates in the SVG files of a folder to a hundredth of a point.

    Matplotlib writes a millionth; a third of a figure's weight is digits that nobody sees.
    """

    def short(number: re.Match[str]) -> str:
        text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text

    for path in images.glob("*.svg"):
        before = path.read_text(encoding="utf-8")
        after = PLACES.sub(lambda place: f'{place[1]}="{FINE.sub(short, place[2])}"', before)
        if after != before:
            path.write_text(after, encoding="utf-8")


def image(tag: str, size: Callable[[str], tuple[int, int] | None]) -> str:
    """Let an image be loaded when it is needed, and keep its place until then."""
    source = re.search(r'\bsrc="([^"]+)"', tag)
    if source is None or "loading=" in tag:
        return tag
    extra = ' loading="lazy" decoding="async"'
    # An author's own width goes before; the height then follows from the file.
    known = (
        None if re.search(r"\b(width|height)[=:]", tag) else size(html.unescape(source.group(1)))
    )
    if known:
        extra += f' width="{known[0]}" height="{known[1]}"'
    return f"<img{extra}{tag[4:]}"


def describe(text: str, limit: int = 155) -> str:
    """Shorten a paragraph to what a search engine shows of a page, at the end of a word."""
    text = SPACE.sub(" ", text).strip()
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0].rstrip(",;:") + " …"
