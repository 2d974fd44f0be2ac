"""Pages that the table of contents leaves out: links to them become text.

A teacher's selection, or one chapter alone, is a book of its own. A link keeps its words; one
that has none gets the title of the page. A citation keeps its names and its year.
"""

import re
from pathlib import Path
from typing import Any, cast

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.domains.std import StandardDomain
from sphinx.environment import BuildEnvironment
from sphinx.project import Project
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import docname_join, logging
from sphinxcontrib.bibtex.citation_target import parse_citation_targets
from sphinxcontrib.bibtex.style.referencing import format_references
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle
from sphinxcontrib.bibtex.style.template import SphinxReferenceInfo

from bookbuild.build import build_of

__all__ = ["LeaveOut", "defines", "setup", "title"]

logger = logging.getLogger(__name__)
LABELED = {"eq", "numref", "ref", "myst"}  # kinds of reference that name a label
FRONT_MATTER = re.compile(r"\A---\n.*?^---\n", re.DOTALL | re.MULTILINE)
TITLE = re.compile(r"^# +(.+?)[ #]*$", re.MULTILINE)


def title(text: str) -> str:
    """Title of a page, from its source; empty without one."""
    found = TITLE.search(FRONT_MATTER.sub("", text))
    return found[1] if found else ""


def defines(text: str, kind: str, target: str) -> bool:
    """Whether the source of a page defines a label, or the term of a glossary.

    Parameters
    ----------
    text
        The source.
    kind
        Kind of the reference: ``"term"``, or one of `LABELED`.
    target
        What it names.
    """
    name = re.escape(target)
    if kind == "term":
        return "{glossary}" in text and bool(re.search(rf"(?mi)^{name}$", text))
    label = rf"(?m)^\({name}\)=|\b(?:label|name): *[\"']?{name}(?![\w-])|\$\$ *\({name}\)"
    return kind in LABELED and bool(re.search(label, text))


def find_pages(app: Sphinx, config: Config) -> None:
    """Read every page in the folder, before those that are not in the table are excluded."""
    project = Project(app.srcdir, config.source_suffix)
    for docname in project.discover(config.exclude_patterns, config.include_patterns):
        path = Path(project.doc2path(docname, absolute=True))
        build_of(app).left_out[docname] = path.read_text(encoding="utf-8-sig")


def tell(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Say which pages are left out."""
    left_out = build_of(app).left_out
    for docname in env.found_docs:
        left_out.pop(docname, None)
    if left_out:
        names = ", ".join(sorted(left_out))
        logger.info("left out because they are not in the table of contents: %s", names)


class LeaveOut(SphinxPostTransform):
    """Makes text of references to pages that are left out."""

    default_priority = 8  # before MyST's and Sphinx's resolve them

    def run(self, **_: Any) -> None:
        """Replace the references of one page."""
        left_out = build_of(self.app).left_out
        if not left_out:
            return
        for node in list(self.document.findall(addnodes.pending_xref)):
            if node.get("refdomain") == "cite":
                self.cite(node)
                continue
            page = self.page(node)
            if page is None:
                continue
            if "sd-stretched-link" in node.get("classes", []):
                node.parent.remove(node)  # it covers a card, and has no words
            elif node["reftype"] == "term" or (node["refexplicit"] and node["reftype"] != "numref"):
                node.replace_self(nodes.inline("", "", *node[0].children))
            else:
                node.replace_self(nodes.inline("", title(left_out[page]) or page))

    def page(self, node: Any) -> str | None:
        """Page to which a reference leads, if that is left out."""
        left_out = build_of(self.app).left_out
        kind, target = node["reftype"], node["reftarget"]
        if kind == "doc":
            target = docname_join(node.get("refdoc", self.env.docname), target)
        if kind == "doc" or node.get("refdomain") == "doc":
            return target if target in left_out else None
        if kind == "term":
            known = cast(StandardDomain, self.env.get_domain("std")).objects
            if ("term", target) in known or ("term", target.lower()) in known:
                return None
        return next((name for name, text in left_out.items() if defines(text, kind, target)), None)

    def cite(self, node: Any) -> None:
        """Write a citation out, if the list of references is left out."""
        domain: Any = self.env.get_domain("cite")
        if domain.bibliographies:
            return
        entries = domain.bibdata.data.entries
        keys = [target.key for target in parse_citation_targets(node["reftarget"])]
        if unknown := [key for key in keys if key not in entries]:
            logger.warning(f"there is no {', '.join(unknown)} in the references", location=node)
            return
        no_link = SphinxReferenceInfo(self.app.builder, self.env.docname, "", "", None, "", "")
        text = format_references(
            AuthorYearReferenceStyle(),
            node["reftype"],
            [(entries[key], None, no_link) for key in keys],
        )
        parts = text.render(domain.backend)
        node.replace_self(nodes.inline("", "".join(part.astext() for part in parts)))


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx's events."""
    # before sphinx-external-toc (900) excludes the pages that are not in the table
    app.connect("config-inited", find_pages, priority=890)
    app.connect("env-before-read-docs", tell)
    app.add_post_transform(LeaveOut)
