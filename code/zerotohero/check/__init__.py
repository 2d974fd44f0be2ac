"""Checks for the exercises: ``check.<chapter>.<exercise>(answer)``.

A check never raises for a wrong answer. It returns a verdict that is true or false and
displays what is right, what is wrong, or that nothing has been done yet.

The checks of a chapter are imported when they are first asked for: those of chapter 1 then need
nothing but Python, while most others need PyTorch.
"""

from importlib import import_module
from types import ModuleType

from .verdict import Verdict

CHAPTERS = (
    "backprop",
    "batchnorm",
    "bigrams",
    "gpt",
    "micrograd",
    "mlp",
    "tokenizer",
    "wavenet",
)
__all__ = ["Verdict", *CHAPTERS]


def __getattr__(name: str) -> ModuleType:
    if name in CHAPTERS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *CHAPTERS})
