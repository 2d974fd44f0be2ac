"""The book's data sets: found on this machine or fetched, and verified.

``names()`` and ``shakespeare()`` return what the chapters read; ``python -m zerotohero.data`` lists
the files on this machine, and ``fetch_all`` fetches several. ``data/README.md`` describes where
files are looked for, and the settings.
"""

from zerotohero.data.datasets import edition, fetch, names, shakespeare
from zerotohero.data.errors import DataError, DataWarning, EditionWarning
from zerotohero.data.progress import fetch_all
from zerotohero.data.ranks import tiktoken_cache

__all__ = [
    "DataError",
    "DataWarning",
    "EditionWarning",
    "edition",
    "fetch",
    "fetch_all",
    "names",
    "shakespeare",
    "tiktoken_cache",
]
