"""The one list of data sets: what each file must be, and where it may come from."""

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from zerotohero.data.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """One file, known by its size and checksum.

    Attributes
    ----------
    name : str
        What the data set is called in this book.
    file : str
        File name, the same in every folder and mirror.
    size : int
        Size in bytes.
    sha256 : str
        Checksum, 64 hexadecimal digits.
    license : str
        Terms under which the file is published.
    lines : int or None
        Number of lines of a list of names; None for other files.
    urls : tuple of str
        Canonical addresses.
    wheel : tuple of (str, str) or None
        A requirement on PyPI whose wheel holds the same bytes, and the member's path in it.
    embedded : Dataset or None
        The edition that is committed to the book's repository and may stand in for this file.
    """

    name: str
    file: str
    size: int
    sha256: str
    license: str
    lines: int | None = None
    urls: tuple[str, ...] = ()
    wheel: tuple[str, str] | None = None
    embedded: "Dataset | None" = None

    def problem(self, content: bytes) -> str:
        """Say how `content` differs from this file; empty when it is this file."""
        if problem := self.size_problem(len(content)):
            return problem
        found = hashlib.sha256(content).hexdigest()
        return "" if found == self.sha256 else f"sha256 {found} instead of {self.sha256}"

    def size_problem(self, size: int) -> str:
        """Say how `size` differs from this file's; empty when it does not."""
        return "" if size == self.size else f"{size:,} bytes instead of {self.size:,}"


def _dataset(name: str, record: dict[str, Any]) -> Dataset:
    wheel, embedded = record.get("wheel"), record.get("embedded")
    return Dataset(
        name=name,
        file=record["file"],
        size=record["bytes"],
        sha256=record["sha256"],
        license=record["license"],
        lines=record.get("lines"),
        urls=tuple(record.get("urls", ())),
        wheel=(wheel["requirement"], wheel["member"]) if wheel else None,
        embedded=_dataset(name, embedded) if embedded else None,
    )


def _load() -> dict[str, Dataset]:
    text = resources.files(__package__).joinpath("registry.json").read_text(encoding="utf-8")
    return {name: _dataset(name, record) for name, record in json.loads(text).items()}


REGISTRY = _load()


def lookup(name: str) -> Dataset:
    """Return the data set called `name`.

    Raises
    ------
    DataError
        If there is none; the message lists those there are.
    """
    if name not in REGISTRY:
        raise DataError(f"there is no data set {name!r}; there are: {', '.join(REGISTRY)}")
    return REGISTRY[name]
