"""The registry of data sets: what each file must be, and where it may come from."""

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
        if len(content) != self.size:
            return f"{len(content):,} bytes instead of {self.size:,}"
        sha256 = hashlib.sha256(content).hexdigest()
        return "" if sha256 == self.sha256 else f"sha256 {sha256} instead of {self.sha256}"


def dataset_from(name: str, record: dict[str, Any]) -> Dataset:
    """Return the data set that a record of ``registry.json`` describes."""
    embedded = record.get("embedded") and dataset_from(name, record["embedded"])
    return Dataset(**record | {"name": name, "embedded": embedded})


_RECORDS = json.loads(Path(__file__).with_name("registry.json").read_text(encoding="utf-8"))
REGISTRY = {name: dataset_from(name, record) for name, record in _RECORDS.items()}


def lookup(name: str) -> Dataset:
    """Return the data set called ``name``; ``DataError`` if it is unknown."""
    if name not in REGISTRY:
        raise DataError(f"unknown data set {name!r}; known: {', '.join(REGISTRY)}")
    return REGISTRY[name]
