"""Proves that the site's notebooks run elsewhere, and publishes them for Colab."""

from booktools.notebooks.commands import main

__all__ = ["main"]
