"""Changes to the theme's pages: they load less, and work with a screen reader or a keyboard.

``templates`` has the changed templates, and ``markup`` changes the tags of some nodes. ``finish``
makes the other changes to each page, ``weight`` makes pages smaller, ``styles`` joins their style
sheets, and ``icons`` keeps only the icons that are used.
"""

from sphinx.application import Sphinx

from bookbuild.write.theme import finish, markup

__all__ = ["setup"]


def setup(app: Sphinx) -> None:
    """Register the parts of this step."""
    for part in (finish, markup):
        part.setup(app)
