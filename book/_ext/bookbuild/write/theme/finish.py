"""What a page loads and says, and what happens to it between the templates and the file.

What templates decide is in ``templates``, which go before the theme's. What they can't, since it
concerns tags of the text or of outputs, is made light here (`weight`); the style sheets are joined
(`styles`). Once all pages are written, the theme's own files are made light, too.
"""

import html
import posixpath
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from bookbuild.transform.facts import first_paragraph
from bookbuild.write.theme.icons import ThemeChanged, missing_icons, slim_icons
from bookbuild.write.theme.styles import Styles
from bookbuild.write.theme.weight import describe, lighten, lighten_drawings, lighten_script

__all__ = ["check_theme", "image_size", "setup"]

logger = logging.getLogger(__name__)
TEMPLATES = Path(__file__).with_name("templates")
DESCRIPTION = re.compile(r'(<meta (?:name|property)="(?:og:)?description" content=")[^"]*"')
VIEWPORT = re.compile(r'<meta name="viewport"[^>]*>\s*')  # docutils names it besides Sphinx
OPTIONS = "documentation_options.js"  # used at once by scripts in the page itself
# Scripts for which a page waits.
BLOCKING = re.compile(rf'<script (?![^>]*\b(?:defer|async|module|{OPTIONS})\b)[^>]*\bsrc="[^>]*>')
# Of sphinx-design, which every page would load.
DESIGN = {"sphinx-design.min.css", "design-tabs.js"}
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
    as_you_type = str(context.get("theme_search_as_you_type")).lower() == "true"
    check_theme(page, search=name == "search" or as_you_type)
    page = lighten(page, lambda address: image_size(app, address))
    for icon in sorted(missing_icons(page)):
        logger.warning(
            f"{name}: add the icon {icon} to bookbuild.write.theme.icons.ICONS",
            location=name if name in app.env.found_docs else None,
        )
    return page


def check_theme(page: str, search: bool = False) -> None:
    """Make sure that the templates and `page_context` still change what they mean to change.

    Parameters
    ----------
    page
        The HTML of a page.
    search
        Whether it needs the scripts of the search.

    Raises
    ------
    ThemeChanged
        When something is not as it should be; without it, an update of the theme could make the
        pages heavy again, or harder to use, without anybody noticing.
    """
    head = page.partition("</head>")[0]
    flaws = {
        "the script of all icons is loaded": "fontawesome.js" in page,
        "scripts are loaded beforehand": 'rel="preload" as="script"' in head,
        "the scripts of the search are loaded": "searchindex.js" in head and not search,
        "there must be one viewport": head.count('name="viewport"') != 1,
        "a script blocks the page": BLOCKING.search(head) is not None,
        "the sidebar is no landmark": 'id="pst-primary-sidebar" role="region"' not in page,
    }
    found = [flaw for flaw, there in flaws.items() if there]
    if found:
        raise ThemeChanged(f"the theme changed: {'; '.join(found)}")


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


def use_templates(app: Sphinx, config: Config) -> None:
    """Let our templates go before the theme's."""
    config.templates_path = [str(TEMPLATES), *config.templates_path]


def file_name(file: Any) -> str:
    """Name of a script or style sheet of Sphinx; empty for a script in the page itself."""
    return posixpath.basename(file.filename or "")


def page_context(
    app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Tell the theme its first mode and what to load, and search engines what the page is about."""
    # Without one the theme reports an error on every page.
    context["default_mode"] = context.get("default_mode") or "auto"
    if not re.search(r'class="[^"]*\bsd-', context.get("body", "")):
        for kind in ("css_files", "script_files"):
            context[kind] = [file for file in context[kind] if file_name(file) not in DESIGN]
    for script in context["script_files"]:
        if file_name(script) not in {"", OPTIONS}:
            script.attributes.setdefault("defer", "defer")
    text = describe(first_paragraph(doctree)) if doctree is not None else ""
    tags = VIEWPORT.sub("", context.get("metatags", ""))
    if text:  # sphinxext-opengraph would begin with the line of facts
        tags = DESCRIPTION.sub(lambda found: found[1] + html.escape(text) + '"', tags)
    if 'name="description"' not in tags:
        text = text or f"{context.get('title') or name} – {app.config.html_title}"
        tags += f'<meta name="description" content="{html.escape(text)}" />'
    context["metatags"] = tags


def setup(app: Sphinx) -> None:
    """Connect this module to Sphinx's events."""
    app.connect("config-inited", use_templates, priority=950)
    app.connect("builder-inited", builder_inited)
    app.connect("html-page-context", page_context, priority=900)
