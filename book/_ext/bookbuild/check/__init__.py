"""Warns of what a reader should not meet; a strict build then fails.

``alt_text`` looks at figures, ``links`` finds those that lead nowhere, ``report`` says what a build
found and how long it took, ``terminal`` leaves out what nobody asked for, ``unfinished`` keeps a
killed build from hiding anything, and ``sources`` notes what the site was built from.
"""

from sphinx.application import Sphinx

from bookbuild.check import alt_text, report, sources, terminal, unfinished

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Register the parts of this step."""
    for part in (terminal, alt_text, report, sources, unfinished):
        part.setup(app)
