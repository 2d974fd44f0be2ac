"""Warns of flaws that a reader should not run into; a strict build then fails.

``alt_text`` checks the descriptions of figures, ``links`` finds broken links, and ``report`` says
what a build found and how long it took. ``terminal`` keeps the terminal's output short,
``unfinished`` makes sure that a killed build leaves no flaw unnoticed, and ``sources`` records what
the site was built from.
"""

from sphinx.application import Sphinx

from bookbuild.check import alt_text, report, sources, terminal, unfinished

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Register the parts of this step."""
    for part in (terminal, alt_text, report, sources, unfinished):
        part.setup(app)
