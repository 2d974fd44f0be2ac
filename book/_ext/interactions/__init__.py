"""Interactive elements of the pages: a reader can change settings, type, or step through them.

Each interaction is a folder with its HTML (``template.html``), its scripts, its style sheet, and
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
