"""The search: leads from the words that readers type to the section that explains them.

Sphinx finds headings and pages by itself. The sections that are headed otherwise come from the
links of the glossary, and from ``book/search.yml``, which goes before. Both become index entries
of the section, which Sphinx puts into its search index. ``search.js`` orders what is found.
"""

from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from bookbuild.build import build_of

__all__ = ["glossary_words", "listed_words", "setup", "spellings"]

logger = logging.getLogger(__name__)
SCORER = Path(__file__).with_name("search.js")
FOLDER, GLOSSARY, LISTED = "book", "book/glossary", "book/search.yml"
Words = dict[str, list[tuple[str, str]]]  # word -> (page, slug of a heading), the best one first


def typed(word: str) -> str:
    """Return a word as it is typed: in small letters, with the characters of a keyboard."""
    return word.lower().replace("–", "-").replace("’", "'")


def spellings(word: str) -> list[str]:
    """Return the ways in which readers spell a word: with and without hyphens, as a plural."""
    word = typed(word)
    forms = {word, word.replace("-", " "), word.replace("-", "")}
    if len(word.split()) == 2:
        forms.add(word.replace(" ", "-"))
    plurals = {form + "s" for form in forms if not form.endswith("s")}
    plurals |= {form[:-1] + "ies" for form in forms if form.endswith("ry")}
    return sorted(forms | plurals)


def listed_words(text: str) -> Words:
    """Read ``search.yml``: for each section (``page.md#heading``) a list of words.

    Raises
    ------
    ValueError
        When an entry is of another form.
    """
    words: Words = {}
    for section, listed in (yaml.safe_load(text) or {}).items():
        page, _, slug = str(section).partition("#")
        if not page.endswith(".md") or not slug or not isinstance(listed, list):
            raise ValueError(f"{LISTED}: expected 'page.md#heading: [word, ...]', got {section!r}")
        for word in listed:
            place = (f"{FOLDER}/{page.removesuffix('.md')}", slug)
            words.setdefault(typed(str(word)), []).append(place)
    return words


def glossary_words(glossary: Any) -> Words:
    """Collect the terms of the glossary's doctree with the sections that their entries link to."""
    words: Words = {}
    for item in glossary.findall(nodes.definition_list_item):
        places = [
            (str(link["reftarget"]), str(link["reftargetid"]))
            for link in item.findall(addnodes.pending_xref)
            if link.get("reftargetid")
        ]
        for term in item.findall(nodes.term):
            words.setdefault(typed(term.astext()), []).extend(places)
    return words


def config_inited(app: Sphinx, config: Config) -> None:
    """Let Sphinx put our order of the results into the search."""
    config.html_search_scorer = str(SCORER)


def collect(app: Sphinx, env: BuildEnvironment) -> None:
    """Note for each page which words lead to its sections.

    A page that is not written again keeps its words of before; `make book` writes them all.
    """
    path = Path(app.srcdir) / LISTED
    words = listed_words(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if GLOSSARY in env.found_docs:
        for term, places in glossary_words(env.get_doctree(GLOSSARY)).items():
            words.setdefault(term, []).extend(places)
    left_out = build_of(app).left_out
    entries: dict[str, list[tuple[str, str]]] = {}
    for word, places in words.items():
        written = [place for place in places if place[0] not in left_out]
        for rank, (page, slug) in enumerate(dict.fromkeys(written)):
            slugs = env.metadata.get(page, {}).get("myst_slugs", {})
            if slug not in slugs:
                logger.warning(f"search: no heading {page}#{slug} for {word!r}", location=LISTED)
                continue
            # Sphinx scores by the share of the entry that was typed: a dot is a lower rank.
            for spelling in spellings(word):
                entries.setdefault(page, []).append((spelling + "." * rank, slugs[slug][1]))
    vars(env)["bookbuild_search"] = entries


def add_entries(app: Sphinx, doctree: Any, docname: str) -> None:
    """Add a page's index entries to what Sphinx indexes; they show nowhere on the page."""
    entries = vars(app.env).get("bookbuild_search", {}).get(docname, [])
    if app.builder.format != "html" or not entries:
        return
    # A section may have several ids. Sphinx's own entry for the heading uses the first.
    sections = doctree.findall(nodes.section)
    first = {name: section["ids"][0] for section in sections for name in section["ids"]}
    listed = [("single", word, first.get(name, name), "main", None) for word, name in entries]
    doctree += addnodes.index(entries=listed)


def setup(app: Sphinx) -> None:
    """Connect this module to Sphinx's events."""
    app.connect("config-inited", config_inited)
    app.connect("env-updated", collect)
    # after the notebooks were made of the page
    app.connect("doctree-resolved", add_entries, priority=960)
