"""Programs in the pages: what a reader can turn, type into or step through.

Each interaction is a folder: its place in a page (``template.html``), its scripts and style, and
the Python side, which has a ``setup``.
"""

from typing import Any

from sphinx.application import Sphinx

from interactions import token_explorer

__all__ = ["setup"]

INTERACTIONS = (token_explorer,)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register every interaction."""
    for interaction in INTERACTIONS:
        interaction.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": False}
