"""The folders that hold data sets: reads them, and writes to them safely."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import shutil
import stat
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import platformdirs

from ..files import write_atomically
from .registry import DataError, Dataset

log = logging.getLogger("zerotohero.data")
log.addHandler(logging.NullHandler())  # important messages are warnings anyway


class DataWarning(UserWarning):
    """A folder or a source has a problem; another one is used."""


def report(message: str) -> None:
    """Log a problem and warn of it."""
    log.warning("%s", message)
    warnings.warn(message, DataWarning, stacklevel=3)


def embedded_path(dataset: Dataset) -> Path:
    """Return where this package holds the embedded edition of a data set."""
    return Path(__file__).with_name(dataset.file)


def checkout_data() -> Path | None:
    """Return the folder ``data/`` of the checkout this package runs from; None when installed."""
    root = Path(__file__).resolve().parents[3]
    data = root / "data"
    return data if (root / "pyproject.toml").is_file() and (data / "README.md").is_file() else None


def cache_folder() -> Path:
    """Return ``ZEROTOHERO_CACHE``, by default the platform's cache folder for this user.

    Raises
    ------
    DataError
        If it begins with ``~`` and the name of a user who doesn't exist.
    """
    if chosen := os.environ.get("ZEROTOHERO_CACHE"):
        try:
            return Path(chosen).expanduser().absolute()
        except RuntimeError as error:
            raise DataError(
                f"ZEROTOHERO_CACHE={chosen} does not name a folder: {error} "
                "Set it to a folder that can be written to."
            ) from error
    return platformdirs.user_cache_path("zerotohero", appauthor=False)


def folders() -> list[Path]:
    """Return the folders in which files are looked for, in order."""
    checkout = checkout_data()
    return [*([checkout] if checkout else []), cache_folder()]


def writable_folders() -> list[Path]:
    """Return the folders to write to: each is used if the one before it cannot be."""
    return [cache_folder()] if os.environ.get("ZEROTOHERO_CACHE") else folders()


@cache
def temporary_folder() -> Path:
    """Return a folder that is removed when this process ends.

    Raises
    ------
    OSError
        If there can be none.
    """
    folder = tempfile.mkdtemp(prefix="zerotohero-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@dataclass(frozen=True)
class Finding:
    """What was found at ``path``: its state, a few words about it, and its content if verified."""

    path: Path
    state: Literal["verified", "missing", "damaged", "unreadable"]
    detail: str
    content: bytes = b""


def look(path: Path, dataset: Dataset) -> Finding:
    """Read the file at ``path`` and compare it with what ``dataset`` says. Changes nothing."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a named pipe, for example, would block
            return Finding(path, "unreadable", "cannot be read (not a regular file)")
        problem = dataset.size_problem(status.st_size)  # before reading it, because it may be huge
        content = b"" if problem else path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Finding(path, "missing", "not there")
    except OSError as error:
        return Finding(path, "unreadable", f"cannot be read ({error.strerror})")
    if problem := problem or dataset.problem(content):
        return Finding(path, "damaged", problem)
    return Finding(path, "verified", "verified", content)


def set_aside(path: Path) -> str:
    """Rename a damaged file, so that nothing is lost, and say how."""
    kept = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
    try:
        path.replace(kept)
    except OSError as error:
        return f"it could not be moved aside ({error.strerror})"
    return f"kept as {kept.name}"


def write(path: Path, content: bytes, dataset: Dataset) -> None:
    """Write verified content, never a part of it. A damaged file is set aside first.

    A correct file, which another process may have written, stays.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    found = look(path, dataset)
    if found.state == "verified":
        return
    if found.state == "damaged":
        report(f"{path}: {found.detail}; {set_aside(path)}")
    write_atomically(path, content)
