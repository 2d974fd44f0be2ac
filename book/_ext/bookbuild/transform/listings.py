"""``{listing}``: the package's own source on a page, without the parameters of its docstrings.

An author names an object by its full name: a function, a class, a method, a constant. ``:only:``
shows of a class the head and the members named; ``:long:`` allows more than 40 lines::

    ```{listing} zerotohero.micrograd.engine.Value
    :only: __init__, __add__, backward
    ```

    ```{listing} zerotohero.micrograd.engine.Value.backward
    ```

Below the code stand a link to its lines in the repository and, where the page of the package
documents the object, one to its entry there. A change of the source file brings the page up to
date.
"""

from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from bookbuild.book.address import source_page
from bookbuild.build import build_of
from bookbuild.transform.source_text import Excerpt, PythonSource, UnknownObjectError, find_module

__all__ = ["LONGEST", "Listing", "setup"]

LONGEST = 40  # lines that a reader takes in at once
# The links below a listing.
ONE_LINE = "Full source: {file}, line\N{NO-BREAK SPACE}{first}"
LINES = "Full source: {file}, lines\N{NO-BREAK SPACE}{first}–{last}"
REFERENCE = "Reference: {name}"
BETWEEN = " · "
logger = logging.getLogger(__name__)


class Listing(SphinxDirective):
    """Source of an object of the package, and where it comes from."""

    required_arguments = 1
    option_spec: ClassVar = {"only": directives.unchanged_required, "long": directives.flag}

    def run(self) -> list[Any]:
        """Return the code and the paragraph below it.

        Raises
        ------
        docutils.parsers.rst.DirectiveError
            When the package has no such module, object or member.
        """
        only = [name.strip() for name in self.options.get("only", "").split(",") if name.strip()]
        package = build_of(self.env.app).package
        try:
            path, module, name = find_module(package, self.arguments[0])
            self.env.note_dependency(str(path))
            source = PythonSource(path.read_text(encoding="utf-8"))
            excerpt = source.excerpt(".".join(module), name, only)
        except UnknownObjectError as error:
            raise self.error(f"{{listing}} {self.arguments[0]}: {error}") from error
        count = excerpt.text.count("\n") + 1
        if count > LONGEST and "long" not in self.options:
            logger.warning(
                f"the listing of {self.arguments[0]} has {count} lines, more than {LONGEST}: show "
                "it in parts (`:only:`), or allow its length (`:long:`)",
                location=self.get_location(),
                type="bookbuild",
            )
        code = nodes.literal_block(excerpt.text, excerpt.text, language="python")
        self.set_source_info(code)
        links = self.links(path, package, excerpt)
        links["listing_name"] = ".".join(name)
        links["listing_modules"] = [".".join(module[:depth]) for depth in range(1, len(module) + 1)]
        return [nodes.container("", code, links, classes=["listing"])]

    def links(self, path: Path, package: Path, excerpt: Excerpt) -> Any:
        """Paragraph with a link to the lines in the repository."""
        form = ONE_LINE if excerpt.first == excerpt.last else LINES
        file = path.relative_to(package).as_posix()
        text = form.format(file=file, first=excerpt.first, last=excerpt.last)
        root = Path(self.env.srcdir)
        address = source_page(path.relative_to(root).as_posix(), root)
        address += f"#L{excerpt.first}"
        if excerpt.first < excerpt.last:
            address += f"-L{excerpt.last}"
        link = nodes.reference("", text, refuri=address, internal=False)
        return nodes.paragraph("", "", link, classes=["listing-links"], translatable=False)


def link_reference(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Link each listing to the entry of its object, if a page of the book documents it.

    A package documents what it imports under its own name: an object of ``package.module`` may be
    found as one of ``package``. All pages are read by now.
    """
    objects = app.env.get_domain("py").objects  # type: ignore[attr-defined] # Python's has them
    for links in doctree.findall(nodes.paragraph):
        for module in links.get("listing_modules", []):
            name = links["listing_name"]
            entry = objects.get(f"{module}.{name}")
            if entry is not None and not entry.aliased:
                text = nodes.Text(REFERENCE.format(name=name))
                links += nodes.Text(BETWEEN)
                links += make_refnode(app.builder, docname, entry.docname, entry.node_id, text)


def setup(app: Sphinx) -> None:
    """Add the directive, and connect what belongs to it."""
    app.add_directive("listing", Listing)
    app.connect("doctree-resolved", link_reference)
