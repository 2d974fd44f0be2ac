"""The lookup chain: folders, mirror, canonical address, wheel, embedded edition.

Every step is verified by size and SHA-256; nothing unverified is returned or stored.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import store
from .registry import DataError, Dataset, lookup
from .sources import MIRROR, DamagedError, Progress, UnavailableError, plain, silent, sources

REQUIRE = "ZEROTOHERO_REQUIRE_LECTURE_DATA"
OFFLINE = "ZEROTOHERO_OFFLINE"
LONGEST = 500  # characters of what a server or pip says that are passed on
Edition = Literal["lecture", "embedded"]


class EditionWarning(UserWarning):
    """The embedded edition of a data set is used in place of the lecture's.

    It is shown once per process for each data set. The message begins with ``PREFIX``, so that
    the value ``ignore:PREFIX:UserWarning`` of ``PYTHONWARNINGS`` silences it, and nothing else.
    """

    PREFIX = "The embedded edition stands in"  # no comma or colon: PYTHONWARNINGS splits at them


@dataclass(frozen=True)
class Found:
    """A verified file: its content, where it is, its edition, and what was tried before.

    ``path`` is None if no folder could be written to.
    """

    dataset: Dataset
    content: bytes
    path: Path | None
    edition: Edition = "lecture"
    tried: Sequence[str] = ()


class Memory:
    """What is not tried, fetched or said a second time in this process."""

    def __init__(self) -> None:
        # by name and mirror, so that a notebook does not wait for the network again
        self.failures: dict[tuple[str, str | None], list[str]] = {}
        self.contents: dict[str, bytes] = {}  # by checksum, of what could not be stored
        self.announced: set[str] = set()


memory = Memory()


def find(
    name: str,
    *,
    again: bool = True,
    tell: Callable[[str], object] = store.log.debug,
    progress: Progress = silent,
) -> Found:
    """Find a data set along the chain.

    Parameters
    ----------
    name : str
        Name in the registry.
    again : bool
        Whether to try the sources again if they failed before in this process.
    tell : callable
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
    for folder in store.folders():
        finding = store.look(folder / dataset.file, dataset)
        if finding.state == "verified":
            return Found(dataset, finding.content, finding.path)
        tried.append(f"{finding.path}: {finding.detail}")
        if finding.state == "damaged":
            tried[-1] += f"; {store.set_aside(finding.path)}"
            store.report(tried[-1])

    content = memory.contents.get(dataset.sha256)
    if content is None:
        content = bring(dataset, tried, again, tell, progress)
    if content is not None:
        chosen = put({dataset.file: (dataset, content)}, store.writable_folders(), tried)
        if chosen is None:
            memory.contents[dataset.sha256] = content
        return Found(dataset, content, chosen and chosen / dataset.file, tried=tried)

    if dataset.embedded and is_set(REQUIRE):
        tried.append(f"embedded edition: not used, because {REQUIRE} is set")
    elif other := dataset.embedded:
        finding = store.look(store.embedded_path(other), other)
        if finding.state == "verified":
            return Found(other, finding.content, finding.path, "embedded", tried)
        tried.append(f"{finding.path}: {finding.detail}")
    raise failure(f"{dataset.file} is not available.", dataset, tried)


def is_set(variable: str) -> bool:
    """Return whether an environment variable says yes."""
    return os.environ.get(variable, "") not in ("", "0")


def bring(
    dataset: Dataset,
    tried: list[str],
    again: bool,
    tell: Callable[[str], object],
    progress: Progress,
) -> bytes | None:
    """Return verified bytes from the first source that has them, and note what went wrong."""
    if is_set(OFFLINE):
        tried.append(f"mirror, canonical address, wheel: not tried, because {OFFLINE} is set")
        return None
    attempt = dataset.name, os.environ.get(MIRROR)
    if not again and attempt in memory.failures:
        tried += memory.failures[attempt]
        return None
    failures = [] if os.environ.get(MIRROR) else [f"mirror: {MIRROR} is not set"]
    for label, read in sources(dataset, progress):
        store.log.info("%s: trying %s", dataset.file, label)
        tell(f"{dataset.name}: from {label}")
        try:
            content = read()
            if problem := dataset.problem(content):
                raise DamagedError(problem)
        except DamagedError as error:
            failures.append(f"{label}: its {dataset.file} is wrong, {error}")
            store.report(failures[-1])
        except UnavailableError as error:
            failures.append(f"{label}: {plain(str(error))[:LONGEST]}")
            store.log.info("%s", failures[-1])
        else:
            tried += failures
            return content
    tried += failures
    memory.failures[attempt] = failures
    return None


def put(
    files: Mapping[str, tuple[Dataset, bytes]], folders: Sequence[Path | None], tried: list[str]
) -> Path | None:
    """Write verified files to the first folder that allows it; return it, None if none does.

    A folder that is None stands for one that is removed when this process ends.
    """
    for folder in folders:
        try:
            chosen = folder or store.temporary_folder()
            for name, (dataset, content) in files.items():
                store.write(chosen / name, content, dataset)
        except OSError as error:
            tried.append(
                f"{folder or 'a temporary folder'}: cannot be written to ({error.strerror})"
            )
        else:
            return chosen
    return None


def failure(summary: str, dataset: Dataset, tried: Sequence[str]) -> DataError:
    """Return the error that says what was expected, where it was looked for, and what to do."""
    looked = "\n".join(f"  - {line}" for line in tried)
    at = f"put the file at {store.writable_folders()[0] / dataset.file}"
    run = f"run `python -m zerotohero.data --fetch {dataset.name}`"
    if is_set(OFFLINE):
        advice = (
            f"because {OFFLINE} is set, only a file that was fetched before is found. In a page of "
            f"the book, name it in the front matter (`zerotohero: data: [{dataset.name}]`), and "
            f"the build fetches it. Otherwise unset {OFFLINE} and {run}; or {at}."
        )
    else:
        mirror = f"set {MIRROR} to a folder or base URL that holds {dataset.file}"
        advice = f"{at}; or {mirror}; or, with a network, {run}."
    return DataError(
        f"{summary}\n"
        f"Expected: {dataset.size:,} bytes, sha256 {dataset.sha256}\n"
        f"Looked for it in:\n{looked}\n"
        f"What to do: {advice}"
    )


def not_stored(found: Found) -> DataError:
    """Return the error about a file that no folder could take."""
    problem = "was found, but could not be stored. Set ZEROTOHERO_CACHE to a folder"
    file = found.dataset.file
    return failure(f"{file} {problem} that can be written to.", found.dataset, found.tried)


def announce(found: Found) -> Found:
    """Warn once if ``found`` is the embedded edition; the warning points to the caller's caller."""
    name, lines = found.dataset.name, found.dataset.lines
    if found.edition == "embedded" and name not in memory.announced:
        memory.announced.add(name)
        warnings.warn(
            f"{EditionWarning.PREFIX} for the lecture's {lookup(name).file}, with {lines:,} lines "
            f"instead of {lookup(name).lines:,}: results differ slightly from the lecture's. "
            f"`python -m zerotohero.data --fetch {name}` says why it is not available.",
            EditionWarning,
            stacklevel=3,
        )
    return found
