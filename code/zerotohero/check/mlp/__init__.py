"""Checks for the exercises of chapter 3."""

from .networks import beat_the_lecture, contexts, direct_connections, embed, uniform_start

__all__ = [
    "beat_the_lecture",
    "contexts",
    "direct_connections",
    "embed",
    "uniform_start",
]
