"""Checks for the exercises of chapter 7."""

from .attention import attention
from .models import addition, averages, finetune, squared_relu

__all__ = [
    "addition",
    "attention",
    "averages",
    "finetune",
    "squared_relu",
]
