"""What the translator knows about a page besides its nodes."""

from collections.abc import Sequence
from dataclasses import dataclass

from nbformat import NotebookNode

__all__ = ["Page"]


@dataclass
class Page:
    """A page of the book.

    Attributes
    ----------
    docname
        Sphinx's name of the page.
    address
        Its address on the site; links within the book start there.
    sections, figures
        Numbers of its sections by anchor, and of figures, exercises and formulas by kind and id.
    formats
        How the number of a figure or an exercise is written, by kind.
    cells
        The cells of the executed chapter.
    images
        Addresses on the site of the images in its text, by their path.
    """

    docname: str
    address: str
    sections: dict[str, Sequence[int]]
    figures: dict[str, dict[str, Sequence[int]]]
    formats: dict[str, str]
    cells: list[NotebookNode]
    images: dict[str, str]

    def number(self, kind: str, ids: Sequence[str]) -> str:
        """Return the number of what has one of `ids`, as ``2.1``; empty if it has none."""
        for name in ids:
            if found := self.figures.get(kind, {}).get(name):
                return ".".join(map(str, found))
        return ""

    def label(self, kind: str, ids: Sequence[str]) -> str:
        """Return the number with the word before it, as ``Fig. 2.1``; empty if it has none."""
        number = self.number(kind, ids)
        return self.formats[kind] % number if number else ""
