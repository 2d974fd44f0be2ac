"""What is changed in the theme's pages: what they load, how they are read without eyes or mouse.

``templates`` has the templates that are changed, ``markup`` the tags of some nodes. ``finish`` is
what else happens to each page, ``weight`` what makes it light, ``styles`` joins its style sheets
and ``icons`` cuts down the theme's icons.
"""

from sphinx.application import Sphinx

from bookbuild.write.theme import finish, markup

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Register the parts of this step."""
    for part in (finish, markup):
        part.setup(app)
