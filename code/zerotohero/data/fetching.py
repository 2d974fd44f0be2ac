"""The lookup chain: folders, mirror, canonical address, wheel, embedded edition.

Every step is verified by size and sha256; nothing unverified is returned or stored.
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zerotohero.data import store
from zerotohero.data.errors import DataError, EditionWarning, log, report
from zerotohero.data.registry import Dataset, lookup
from zerotohero.data.sources import MIRROR, UnavailableError, sources

REQUIRE = "ZEROTOHERO_REQUIRE_LECTURE_DATA"
Edition = Literal["lecture", "embedded"]

# Which data sets were not to be had, and with which mirror: a notebook that asks for the
# names again does not wait for the network again.
_given_up: set[tuple[str, str | None]] = set()


@dataclass(frozen=True)
class Found:
    """A verified file: where it is, what is in it, and which edition it is."""

    path: Path
    content: bytes
    dataset: Dataset
    edition: Edition
    tried: tuple[str, ...] = ()


def find(name: str, *, again: bool = True) -> Found:
    """Find a data set along the chain.

    Parameters
    ----------
    name : str
        Name in the registry.
    again : bool
        Whether to ask the network anew when it had no answer before in this process and
        an embedded edition can stand in.

    Raises
    ------
    DataError
        If the name is unknown, the data set is not to be had, or it cannot be stored.
    """
    dataset = lookup(name)
    required = os.environ.get(REQUIRE, "") not in ("", "0")
    tried: list[str] = []
    for folder in store.places():
        finding = store.look(folder / dataset.file, dataset)
        if finding.state == "verified":
            return Found(finding.path, finding.content, dataset, "lecture")
        tried.append(f"{finding.path}: {finding.detail}")
        if finding.state == "damaged":
            tried[-1] += f"; {_keep_aside(finding.path, dataset)}"
            report(tried[-1])

    stand_in = None if required else dataset.embedded
    attempt = name, os.environ.get(MIRROR)
    if stand_in is None or again or attempt not in _given_up:
        content = _bring(dataset, tried)
        if content is not None:
            return Found(_put(dataset, content, tried), content, dataset, "lecture")
        _given_up.add(attempt)

    if stand_in is not None:
        for folder in store.embedded_places():
            finding = store.look(folder / stand_in.file, stand_in)
            if finding.state == "verified":
                return Found(finding.path, finding.content, stand_in, "embedded", tuple(tried))
            tried.append(f"{finding.path}: {finding.detail}")
    elif dataset.embedded:
        tried.append(f"embedded edition: not used, as {REQUIRE} is set")
    raise _failure(f"{dataset.file} is not to be had.", dataset, tried)


def announce(found: Found) -> Found:
    """Warn, in the name of the caller's caller, when `found` is the embedded edition."""
    if found.edition == "embedded":
        name, lines = found.dataset.name, found.dataset.lines
        warnings.warn(
            f"the lecture's {lookup(name).file} is not to be had, so the embedded edition of the "
            f"{name} stands in ({lines:,} of them): results differ slightly from the lecture's. "
            f"`python -m zerotohero.data --fetch {name}` says where it was looked for.",
            EditionWarning,
            stacklevel=3,
        )
    return found


def _bring(dataset: Dataset, tried: list[str]) -> bytes | None:
    """Return verified bytes from the first source that has them, and note what went wrong."""
    if not os.environ.get(MIRROR):
        tried.append(f"mirror: {MIRROR} is not set")
    for label, read in sources(dataset):
        log.info("%s: trying %s", dataset.file, label)
        try:
            content = read()
        except UnavailableError as error:
            tried.append(f"{label}: {error}")
            log.info("%s", tried[-1])
            continue
        problem = dataset.problem(content)
        if not problem:
            return content
        tried.append(f"{label}: {dataset.file} is wrong there, {problem}")
        report(tried[-1])
    return None


def _put(dataset: Dataset, content: bytes, tried: list[str]) -> Path:
    for folder in store.stores():
        path = folder / dataset.file
        try:
            store.write(path, content, dataset)
        except OSError as error:
            tried.append(f"{folder}: cannot be written to ({error.strerror})")
        else:
            return path
    problem = "was found, but there is no place to store it. Set ZEROTOHERO_CACHE to a folder"
    raise _failure(f"{dataset.file} {problem} that can be written to.", dataset, tried)


def _keep_aside(path: Path, dataset: Dataset) -> str:
    try:
        return f"kept as {store.set_aside(path, dataset).name}"
    except OSError as error:
        return f"it could not be moved aside ({error.strerror})"


def _failure(summary: str, dataset: Dataset, tried: list[str]) -> DataError:
    looked = "\n".join(f"  - {line}" for line in tried)
    return DataError(
        f"{summary}\n"
        f"Expected: {dataset.size:,} bytes, sha256 {dataset.sha256}\n"
        f"Looked for it in:\n{looked}\n"
        f"What to do: put the file at {store.stores()[0] / dataset.file}; or set {MIRROR} to a "
        f"folder or base URL that holds {dataset.file}; or, with a network, run "
        f"`python -m zerotohero.data --fetch {dataset.name}`."
    )
