"""The book's data sets: found, verified, and fetched when they are not there.

``names()`` and ``shakespeare()`` give what the chapters read; ``python -m zerotohero.data``
lists what there is, and ``fetch_all`` brings several. The lookup and its settings are described
in ``data/README.md``.
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
