"""Copies the vocabularies for tiktoken, so that it needs no network."""

import hashlib
import os
from pathlib import Path

from zerotohero.data import store
from zerotohero.data.errors import DataError
from zerotohero.data.fetching import find

TOKENIZERS = ("cl100k_base", "gpt2_vocab_bpe", "gpt2_encoder_json")


def tiktoken_cache() -> Path:
    """Fill a folder with the files tiktoken expects, and set ``TIKTOKEN_CACHE_DIR`` to it.

    tiktoken looks for a file named by the SHA-1 of its canonical address. After this call
    ``tiktoken.get_encoding("cl100k_base")`` and ``("gpt2")`` need no network.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        If one of the files is not available, or the folder cannot be written to.
    """
    ready = [find(name) for name in TOKENIZERS]
    problems = []
    for base in store.stores():
        folder = base / "tiktoken"
        try:
            for found in ready:
                key = hashlib.sha1(found.dataset.urls[0].encode(), usedforsecurity=False)
                # A copy, not a link: tiktoken may delete what it finds there.
                store.write(folder / key.hexdigest(), found.content, found.dataset)
        except OSError as error:
            problems.append(f"{folder} cannot be written to ({error.strerror})")
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
            return folder
    raise DataError(
        "tiktoken's files could not be stored: " + "; ".join(problems) + ". "
        "Set ZEROTOHERO_CACHE to a folder that can be written to."
    )
