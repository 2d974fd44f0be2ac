"""Cuts the theme's icons down to those that the pages show.

The theme brings all of Font Awesome: a script of 542 kB (compressed), fonts of 290 kB, and a rule
of style for each of two thousand icons. What stays is one font of about 5 kB with `ICONS`, and
those that the theme's own style sheet names. An icon that is not in it is a warning of the build.
"""

import logging
import re
import shutil
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of each table of a font
__all__ = ["ICONS", "ThemeChanged", "missing_icons", "slim_icons"]

# Icons of buttons in the theme's templates and scripts.
ICONS = frozenset(
    [
        "angle-left",
        "angle-right",
        "arrow-up",
        "bars",
        "chevron-down",
        "chevron-right",
        "circle-half-stroke",
        "code",
        "download",
        "expand",
        "file",
        "file-pdf",
        "lightbulb",
        "list",
        "magnifying-glass",
        "moon",
        "pencil-alt",
        "play",
        "rocket",
        "sun",
        "xmark",
    ]
)
SIZES = {"lg", "sm", "xs", "solid", "classic", "spin", "fw"}
STYLES = Path("styles/pydata-sphinx-theme.css")
WEBFONTS = Path("vendor/fontawesome/webfonts")
MARK = "/* icons: only those that the pages show */"
RULE = re.compile(r'((?:\.fa-[a-z0-9-]+:{1,2}before,?)+)\{content:"\\([0-9a-f]+)"\}')
FACE = re.compile(r"@font-face\{[^}]*Font Awesome[^}]*\}")
NAMED = re.compile(r'--pst-icon-[a-z-]+:"(?:\\([0-9a-f]+)|(.))"')
USED = re.compile(r'<i class="([^"]*\bfa[bs]?\b[^"]*|[^"]*\bfa-[^"]*)"')


class ThemeChanged(RuntimeError):
    """The theme no longer has what is replaced here; the message says what was looked for."""


def slim_icons(static: Path) -> None:
    """Replace the theme's icons in a written ``_static`` folder. Does nothing the second time.

    Raises
    ------
    ThemeChanged
        When the theme's style sheet, or its fonts, are not as they were.
    """
    path = static / STYLES
    css = path.read_text(encoding="utf-8")
    if css.startswith(MARK):
        return
    rules = RULE.findall(css)
    codes = {
        name: int(code, 16)
        for names, code in rules
        for name in re.findall(r"\.fa-([a-z0-9-]+)", names)
    }
    named = {int(code, 16) if code else ord(char) for code, char in NAMED.findall(css)}
    faces = FACE.findall(css)
    source = static / WEBFONTS / "fa-solid-900.ttf"
    if len(rules) < 500 or not named or len(faces) < 3 or not source.is_file():
        raise ThemeChanged(
            f"the theme changed: {path} has {len(rules)} rules of icons, {len(named)} named icons "
            f"and {len(faces)} fonts; {source.name} {'is' if source.is_file() else 'is not'} there"
        )
    if unknown := ICONS - codes.keys():
        raise ThemeChanged(f"the theme no longer has the icon {', '.join(sorted(unknown))}")

    def keep(match: re.Match[str]) -> str:
        names = set(re.findall(r"\.fa-([a-z0-9-]+)", match.group(1)))
        return match.group(0) if names & ICONS else ""

    css = FACE.sub("", RULE.sub(keep, css))
    css = re.sub(r"\s*/\*.*?\*/", "", css, flags=re.DOTALL)
    css = css.replace('@charset "UTF-8";', "")
    font = static / "icons.woff"
    write_font(source, font, {codes[name] for name in ICONS} | named)
    face = (
        "@font-face{font-display:block;font-family:Font Awesome\\ 6 Free;font-weight:900;"
        f'src:url(../{font.name}) format("woff")}}'
    )
    notice = "/* Font Awesome Free 6 by @fontawesome, CC BY 4.0, fonts SIL OFL 1.1 */"
    shutil.rmtree(static / WEBFONTS.parent)
    for unused in {*(static / "scripts").glob("fontawesome.js*"), *static.rglob("*.map")}:
        unused.unlink()
    # Last, for its mark says that all is done.
    path.write_text(f"{MARK}{notice}{face}{css}", encoding="utf-8")


def write_font(source: Path, path: Path, codes: set[int]) -> None:
    """Write the characters `codes` of the font at `source` as WOFF, byte by byte the same."""
    font = TTFont(source, recalcTimestamp=False)
    options = subset.Options(layout_features=[], name_IDs=[1, 2], hinting=False)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=codes)
    cutter.subset(font)
    font.flavor = "woff"
    font.save(path)


def missing_icons(page: str) -> set[str]:
    """Names of the icons in the HTML of a page that are not among `ICONS`."""
    names = {
        name.removeprefix("fa-")
        for classes in USED.findall(page)
        for name in classes.split()
        if name.startswith("fa-")
    }
    brands = {f"{classes} (a brand)" for classes in USED.findall(page) if "fab" in classes.split()}
    return (names - ICONS - SIZES) | brands
