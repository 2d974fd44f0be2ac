"""Checks for the exercises of chapter 8."""

from .bpe import basic, regex
from .gpt4 import recover, special
from .pieces import pieces

__all__ = [
    "basic",
    "pieces",
    "recover",
    "regex",
    "special",
]
