"""Checks for the exercises of chapter 2."""

from .models import (
    best_smoothing,
    cross_entropy,
    logits_by_row,
    normalize_rows,
    split,
    trigram_counts,
)

__all__ = [
    "best_smoothing",
    "cross_entropy",
    "logits_by_row",
    "normalize_rows",
    "split",
    "trigram_counts",
]
