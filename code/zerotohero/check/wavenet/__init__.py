"""Checks for the exercises of chapter 6."""

from .convolutions import beat_the_lecture, dilated, flatten, gated, multiplications, normalize

__all__ = [
    "beat_the_lecture",
    "dilated",
    "flatten",
    "gated",
    "multiplications",
    "normalize",
]
