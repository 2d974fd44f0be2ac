"""Checks for the exercises of chapter 3."""

from .inputs import contexts, embed
from .networks import beat_the_lecture
from .weights import direct_connections, uniform_start

__all__ = [
    "beat_the_lecture",
    "contexts",
    "direct_connections",
    "embed",
    "uniform_start",
]
