"""What happens to each page between Sphinx's templates and the file.

Formulas are set (`bookbuild.write.math`), the page is made light (`weight`), and its style sheets
are joined (`styles`); once all are written, the theme's own files are made light, too.
"""

import html
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from bookbuild.transform.facts import first_paragraph
from bookbuild.write.math import typeset
from bookbuild.write.theme.icons import missing_icons, slim_icons
from bookbuild.write.theme.styles import Styles
from bookbuild.write.theme.weight import describe, lighten, lighten_drawings, lighten_script

__all__ = ["image_size", "setup"]

logger = logging.getLogger(__name__)
SEARCH_BUTTON = re.compile(r'<button class="[^"]*\bsearch-button-field\b[^>]*>')
DESCRIPTION = re.compile(r'(<meta (?:name|property)="(?:og:)?description" content=")[^"]*"')
SIDEBAR = re.compile(r'(<div id="pst-primary-sidebar")(?! role)')
SOLUTION = re.compile(r"(Solution to)(<a\b[^>]*>) ")
UNITS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "in": 96.0}


def builder_inited(app: Sphinx) -> None:
    """Let each page pass through `finish` after its template is filled in; then the files."""
    if app.builder.format != "html" or not getattr(app.builder, "templates", None):
        return
    bridge: Any = app.builder.templates  # of the HTML builders
    fill = bridge.render
    styles = Styles()

    def render(template: str, context: dict[str, Any]) -> str:
        page = str(fill(template, context))
        return styles.join(finish(app, page, context)) if "</head>" in page else page

    def build_finished(app: Sphinx, error: Exception | None) -> None:
        static = Path(app.outdir) / "_static"
        if error is None and (static / "styles").is_dir():
            slim_icons(static)
            lighten_script(static)
            lighten_drawings(Path(app.outdir) / app.builder.imagedir)
            styles.write(static)

    bridge.render = render
    # before the links of the written site are checked
    app.connect("build-finished", build_finished, priority=940)


def finish(app: Sphinx, page: str, context: dict[str, Any]) -> str:
    """Return the page as it is written."""
    name = str(context.get("pagename", ""))
    location = name if name in app.env.found_docs else None
    page, flaws = typeset(page)
    for flaw in flaws:
        logger.warning(f"{name}: MathJax can't read a formula: {flaw}", location=location)
    page = accessible(page)
    page = lighten(page, lambda address: image_size(app, address), search=name == "search")
    for icon in sorted(missing_icons(page)):
        logger.warning(
            f"{name}: add the icon {icon} to bookbuild.write.theme.icons.ICONS", location=location
        )
    return page


def accessible(page: str) -> str:
    """Mend what the theme and docutils leave for those who don't see the page, or use no mouse.

    Folds and the search are called what can be read on them, so that voice control works; the
    sidebar is a landmark, so that nothing lies outside of one; entries of the bibliography have a
    role that screen readers know, and not one that is deprecated. A link to an exercise begins
    with its first letter, not with the space before.
    """
    page = SIDEBAR.sub(r'\1 role="region" aria-label="Book"', page)
    page = SOLUTION.sub(r"\1 \2", page)
    page = page.replace(' role="doc-biblioentry"', ' role="listitem"')
    page = page.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    return SEARCH_BUTTON.sub(
        lambda button: button.group(0).replace(' aria-label="Search"', ""), page
    )


def image_size(app: Sphinx, address: str) -> tuple[int, int] | None:
    """Width and height in pixels of one of the book's images, by the address it is written at."""
    found = [
        source
        for source, file in getattr(app.builder, "images", {}).items()
        if file == address.rpartition("/")[2]
    ]
    if not found:
        return None
    path = Path(app.srcdir) / found[0]
    if path.suffix == ".svg":
        return svg_size(path)
    from PIL import Image

    with Image.open(path) as picture:
        return picture.size


def svg_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels that an SVG file gives itself, or None."""
    with path.open(encoding="utf-8") as file:
        tag = re.search(r"<svg\b[^>]*>", file.read(4000))
    sides = []
    for side in ("width", "height"):
        found = re.search(rf'\s{side}="([\d.]+)(px|pt|in)?"', tag.group(0)) if tag else None
        if found is None:
            return None
        sides.append(round(float(found.group(1)) * UNITS[found.group(2) or ""]))
    return sides[0], sides[1]


def page_context(
    app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Tell the theme its first mode, and search engines what the page is about."""
    # Without one the theme reports an error on every page.
    context["default_mode"] = context.get("default_mode") or "auto"
    text = describe(first_paragraph(doctree)) if doctree is not None else ""
    tags = context.get("metatags", "")
    if text:  # sphinxext-opengraph would begin with the line of facts
        tags = DESCRIPTION.sub(lambda found: found[1] + html.escape(text) + '"', tags)
    if 'name="description"' not in tags:
        text = text or f"{context.get('title') or name} – {app.config.html_title}"
        tags += f'<meta name="description" content="{html.escape(text)}" />'
    context["metatags"] = tags


def setup(app: Sphinx) -> None:
    """Connect this module to Sphinx's events."""
    app.connect("builder-inited", builder_inited)
    app.connect("html-page-context", page_context, priority=900)
