"""Verifies that the site's notebooks run elsewhere, and publishes them for Colab and Binder."""

from booktools.notebooks.commands import main

__all__ = ["main"]
