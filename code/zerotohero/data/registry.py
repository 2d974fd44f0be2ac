"""The one list of data sets: what each file must be, and where it may come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DataError(RuntimeError):
    """A data set is not available; the message says where it was looked for and what to do."""


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
    urls : sequence of str
        Canonical addresses.
    wheel : (str, str) or None
        A requirement on PyPI whose wheel holds the same bytes, and the member's path in it.
    embedded : Dataset or None
        The edition that is part of this package and may stand in for this file.
    """

    name: str
    file: str
    size: int
    sha256: str
    license: str
    lines: int | None = None
    urls: Sequence[str] = ()
    wheel: Sequence[str] | None = None
    embedded: Dataset | None = None

    def problem(self, content: bytes) -> str:
        """Say how ``content`` differs from this file; empty if it is this file."""
        if problem := self.size_problem(len(content)):
            return problem
        found = hashlib.sha256(content).hexdigest()
        return "" if found == self.sha256 else f"sha256 {found} instead of {self.sha256}"

    def size_problem(self, size: int) -> str:
        """Say how ``size`` differs from this file's; empty if it does not."""
        return "" if size == self.size else f"{size:,} bytes instead of {self.size:,}"


def dataset_from(name: str, record: dict[str, Any]) -> Dataset:
    """Return the data set that a record of ``registry.json`` describes."""
    embedded = record.get("embedded") and dataset_from(name, record["embedded"])
    return Dataset(**record | {"name": name, "embedded": embedded})


RECORDS = json.loads(Path(__file__).with_name("registry.json").read_text(encoding="utf-8"))
REGISTRY = {name: dataset_from(name, record) for name, record in RECORDS.items()}


def lookup(name: str) -> Dataset:
    """Return the data set called ``name``.

    Raises
    ------
    DataError
        If there is none; the message lists those there are.
    """
    if name not in REGISTRY:
        raise DataError(f"there is no data set {name!r}; there are: {', '.join(REGISTRY)}")
    return REGISTRY[name]
