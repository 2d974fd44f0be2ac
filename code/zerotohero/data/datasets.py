"""The data sets as the chapters use them."""

from pathlib import Path

from zerotohero.data.errors import DataError
from zerotohero.data.fetching import Edition, announce, find, stored
from zerotohero.data.registry import lookup


def fetch(name: str) -> Path:
    """Return the path of a data set's verified file, fetched first if necessary.

    Parameters
    ----------
    name : str
        ``names``, ``tinyshakespeare``, ``cl100k_base``, ``gpt2_vocab_bpe`` or
        ``gpt2_encoder_json``.

    Raises
    ------
    DataError
        If the name is unknown, the file is not available, or it cannot be stored.

    Warns
    -----
    EditionWarning
        If the path is that of the embedded edition of the names; once per process.
    """
    return stored(announce(find(name)))


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
    found = announce(find("names", again=False))
    lines = found.content.decode("utf-8").removesuffix("\n").split("\n")
    if len(lines) != found.dataset.lines:
        raise DataError(
            f"{found.dataset.file} has {len(lines):,} names; the registry says "
            f"{found.dataset.lines:,}. The checksum is right, so correct the registry."
        )
    return lines


def shakespeare() -> str:
    r"""Return Tiny Shakespeare: 1,115,394 characters, exactly as in the file.

    Raises
    ------
    DataError
        If the file is not available.
    """
    return find("tinyshakespeare").content.decode("utf-8")  # line ends are kept as they are


def edition(name: str = "names") -> Edition:
    """Return ``"lecture"`` or ``"embedded"``: the edition that `names` gives.

    Only the names have two editions; for every other data set the answer is ``"lecture"``.

    Raises
    ------
    DataError
        If the name is unknown, or no edition is available.
    """
    return find(name, again=False).edition if lookup(name).embedded else "lecture"
