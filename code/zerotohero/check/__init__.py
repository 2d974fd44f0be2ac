"""Checks for the exercises: ``check.<chapter>.<exercise>(answer)``.

A check never raises for a wrong answer. It returns a verdict that is true or false and
displays what is right, what is wrong, or that nothing has been done yet.
"""

from . import backprop, batchnorm, bigrams, gpt, micrograd, mlp, tokenizer, wavenet
from .verdict import Verdict

__all__ = [
    "Verdict",
    "backprop",
    "batchnorm",
    "bigrams",
    "gpt",
    "micrograd",
    "mlp",
    "tokenizer",
    "wavenet",
]
