"""The token explorer: a directive that puts it into a page, and the files that it needs.

Its HTML is in ``template.html``, its style sheet is ``style.css``, the scripts are next to them;
``vocabularies`` makes its data. A tokenizer whose file is not available is shown, but can't be
chosen.
"""

import html
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

from interactions.token_explorer.vocabularies import CHOICES, unicode_script

__all__ = ["HERE", "SCRIPTS", "TokenExplorer", "setup"]

logger = logging.getLogger(__name__)

DATA, FILES = "tokenizer", "token-explorer"  # folders below _static
SCRIPTS = ("splitters", "merging", "tokenizer", "readable", "view", "main")  # in their order
HERE = Path(__file__).parent
EXAMPLE = "Hello, world! I'll count 12345 tokens:\n  안녕하세요 🙂 <|endoftext|>"


class token_explorer(nodes.General, nodes.Element):  # type: ignore[misc] # noqa: N801 # docutils is untyped; nodes have small letters
    """The place of an explorer in a page; ``text`` is what stands in its text box at first."""


class TokenExplorer(SphinxDirective):
    """``{token-explorer}``; its content, if any, is the text that stands there at first."""

    has_content = True

    def run(self) -> list[Any]:
        """Return a node, and remember that the page has an explorer."""
        explorer_pages(self.env)[self.env.docname] = available(self.env.app)
        return [token_explorer(text="\n".join(self.content) or EXAMPLE)]


def explorer_pages(env: BuildEnvironment) -> dict[str, list[str]]:
    """Pages that have an explorer, and the tokenizers that there were for it."""
    pages: dict[str, list[str]] = vars(env).setdefault("bookbuild_explorers", {})
    return pages


def available(app: Sphinx) -> list[str]:
    """Write the files, once in a build; return the names of the tokenizers that are available."""
    known: list[str] | None = getattr(app, "bookbuild_vocabularies", None)
    if known is not None or app.builder.format != "html":
        return known or []
    from zerotohero.data import DataError

    static = Path(app.outdir) / "_static"
    (static / FILES).mkdir(parents=True, exist_ok=True)
    for name in (*(f"{script}.js" for script in SCRIPTS), "style.css"):
        shutil.copyfile(HERE / name, static / FILES / name)
    folder = static / DATA
    folder.mkdir(exist_ok=True)
    (folder / "unicode.js").write_text(unicode_script(), encoding="utf-8")
    known = []
    for choice in CHOICES:
        path = folder / f"{choice.name}.js"
        try:
            path.write_text(choice.script(), encoding="utf-8")
        except DataError as error:
            path.unlink(missing_ok=True)
            logger.info("token explorer: without %s: %s", choice.label, error)
        else:
            known.append(choice.name)
    app.bookbuild_vocabularies = known  # type: ignore[attr-defined] # for this build only
    return known


def size(path: Path) -> str:
    """Size of a file as a reader wants it."""
    number = path.stat().st_size
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"


def choices(app: Sphinx, docname: str) -> str:
    """HTML of the radio buttons; the first one that needs no loading is chosen."""
    page = app.builder.get_target_uri(docname)
    rows = []
    for choice in CHOICES:
        target = f"_static/{DATA}/{choice.name}.js"
        note, state = "", ""
        if choice.name not in available(app):
            state = " disabled"
            note = "missing: its file was not available when this page was built"
        elif choice.at_once:
            state = " checked"
        else:
            note = f"loads {size(Path(app.outdir) / target)} when chosen"
        label = html.escape(choice.label) + (note and f" <small>({note})</small>")
        rows.append(
            f'<label><input type="radio" name="tokenizer" value="{choice.name}"{state} '
            f'data-script="{relative_uri(page, target)}"><span>{label}</span></label>'
        )
    return "\n".join(rows)


def place_explorers(app: Sphinx, doctree: Any, docname: str) -> None:
    """Put the explorer's HTML in its place; in other formats, a sentence."""
    for node in list(doctree.findall(token_explorer)):
        if app.builder.format != "html":
            text = "The token explorer works in this chapter's page on the web only."
            node.replace_self(nodes.paragraph("", text))
            continue
        markup = (HERE / "template.html").read_text(encoding="utf-8")
        markup = markup.replace("CHOICES", choices(app, docname))
        markup = markup.replace("TEXT", html.escape(node["text"]))
        # docutils puts it into a <div> of this class
        node.replace_self(nodes.raw("", markup, format="html", classes=["token-explorer"]))


def load_scripts(app: Sphinx, page: str, template: str, context: Any, doctree: Any) -> None:
    """Load the explorer's files, on its own pages only."""
    raw = [] if doctree is None else doctree.findall(nodes.raw)
    if not any("token-explorer" in node["classes"] for node in raw):
        return
    at_once = [choice.name for choice in CHOICES if choice.at_once]
    data = [f"{DATA}/{name}.js" for name in at_once if name in available(app)]
    scripts = [f"{FILES}/{name}.js" for name in SCRIPTS]
    for name in [f"{DATA}/unicode.js", *data, *scripts]:
        app.add_js_file(name, loading_method="defer")
    app.add_css_file(f"{FILES}/style.css")


def forget_page(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget a page: it is read again, or gone."""
    explorer_pages(env).pop(docname, None)


def outdated(app: Sphinx, env: BuildEnvironment, *_: set[str]) -> list[str]:
    """Pages that were written with other tokenizers than there are now."""
    pages = explorer_pages(env)
    return [page for page, had in pages.items() if had != available(app)]


def setup(app: Sphinx) -> None:
    """Add the directive, and connect what belongs to it."""
    app.add_node(token_explorer)
    app.add_directive("token-explorer", TokenExplorer)
    app.connect("env-get-outdated", outdated)
    app.connect("env-purge-doc", forget_page)
    app.connect("doctree-resolved", place_explorers)
    app.connect("html-page-context", load_scripts)
