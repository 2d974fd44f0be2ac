"""Checks for the exercises of chapter 2."""

from .choosing import best_smoothing, split
from .counting import normalize_rows, trigram_counts
from .neural import cross_entropy, logits_by_row

__all__ = [
    "best_smoothing",
    "cross_entropy",
    "logits_by_row",
    "normalize_rows",
    "split",
    "trigram_counts",
]
