"""The book's data sets: found on this machine or fetched, and verified.

``names()`` and ``shakespeare()`` return what the chapters read; ``python -m zerotohero.data`` lists
the files on this machine, and ``fetch_all`` fetches several. ``data/README.md`` describes where
files are looked for, and the settings. The chain is ``fetching.find``; you don't need to read
``sources.py``, which downloads safely.
"""

from __future__ import annotations

from pathlib import Path

from . import fetching, store
from .fetching import Edition, EditionWarning, fetch_all, find, tiktoken_cache
from .registry import DataError, lookup
from .store import DataWarning

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


def names() -> list[str]:
    """Return the names, in the order of the file.

    The lecture's edition has 32,033 (makemore's ``names.txt``). If it is not available, the
    embedded one is used, with 32,257 (US Social Security Administration, births 2018).

    Raises
    ------
    DataError
        If neither is available, or ``ZEROTOHERO_REQUIRE_LECTURE_DATA`` is set and the
        lecture's is not.

    Warns
    -----
    EditionWarning
        If the embedded edition is used; once per process.
    """
    file = fetching.warn_if_embedded(find("names", retry=False))
    lines = file.content.decode("utf-8").removesuffix("\n").split("\n")
    if len(lines) != file.dataset.lines:
        raise DataError(
            f"{file.dataset.file} has {len(lines):,} names; the registry says "
            f"{file.dataset.lines:,}. The checksum is right, so correct the registry."
        )
    return lines


def shakespeare() -> str:
    r"""Return Tiny Shakespeare: 1,115,394 characters, exactly as in the file.

    Raises
    ------
    DataError
        If the file is not available.
    """
    return find("tinyshakespeare").content.decode("utf-8")  # keeps the line endings


def edition(name: str = "names") -> Edition:
    """Return ``"lecture"`` or ``"embedded"``: the edition that ``names`` gives.

    Only the names have two editions; for every other data set the answer is ``"lecture"``.

    Raises
    ------
    DataError
        If the name is unknown, or no edition is available.
    """
    return find(name, retry=False).edition if lookup(name).embedded else "lecture"


def fetch(name: str) -> Path:
    """Return the path of a data set's verified file, fetched first if necessary.

    If no folder can be written to, it is in a temporary one until the process ends.

    Parameters
    ----------
    name : str
        ``names``, ``tinyshakespeare``, ``cl100k_base``, ``gpt2_vocab_bpe`` or
        ``gpt2_encoder_json``.

    Raises
    ------
    DataError
        If the name is unknown, or the file is not available.

    Warns
    -----
    EditionWarning
        If the path is that of the embedded edition of the names; once per process.
    DataWarning
        If no folder can be written to.
    """
    file = fetching.warn_if_embedded(find(name))
    if file.path:
        return file.path
    folder = fetching.store_files({file.dataset.file: (file.dataset, file.content)}, [None], [])
    if folder is None:
        raise fetching.not_stored(file)
    store.warn(f"{folder / file.dataset.file} is temporary, because {file.tried[-1]}")
    return folder / file.dataset.file
