"""Checks for the exercises of chapter 8."""

from .bpe import basic, regex
from .marks import special
from .pieces import pieces
from .recovering import recover

__all__ = [
    "basic",
    "pieces",
    "recover",
    "regex",
    "special",
]
