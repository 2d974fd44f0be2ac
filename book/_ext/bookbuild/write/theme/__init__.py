"""What is changed in the theme's pages: what they load, how they are read without eyes or mouse.

``finish`` is what happens to each page, ``weight`` what makes it light, ``styles`` joins its style
sheets and ``icons`` cuts down the theme's icons.
"""

from bookbuild.write.theme.finish import setup

__all__ = ["setup"]
