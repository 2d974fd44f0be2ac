"""The folders that hold data sets: verified when read, written atomically."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import platformdirs

from ..files import TooLargeError, read_limited, write_atomically
from .registry import DataError, Dataset


class DataWarning(UserWarning):
    """A folder or a source has a problem; another one is used."""


def warn(message: str) -> None:
    """Warn of a problem with a folder or a source."""
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
class CheckedFile:
    """A file compared with the registry: its state, in words too, and its content if verified."""

    path: Path
    state: Literal["verified", "missing", "damaged", "unreadable"]
    detail: str
    content: bytes = b""


def check_file(path: Path, dataset: Dataset) -> CheckedFile:
    """Read the file at ``path`` and compare it with ``dataset``. Changes nothing."""
    try:
        content = read_limited(path, dataset.size)
    except (FileNotFoundError, NotADirectoryError):
        return CheckedFile(path, "missing", "not there")
    except OSError as error:
        return CheckedFile(path, "unreadable", f"cannot be read ({error.strerror})")
    except TooLargeError:
        return CheckedFile(path, "damaged", f"more than {dataset.size:,} bytes")
    except ValueError:
        return CheckedFile(path, "unreadable", "cannot be read (not a regular file)")
    if problem := dataset.problem(content):
        return CheckedFile(path, "damaged", problem)
    return CheckedFile(path, "verified", "verified", content)


def set_aside(path: Path) -> str:
    """Rename a damaged file, so that nothing is lost, and say how."""
    kept = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
    try:
        path.replace(kept)
    except OSError as error:
        return f"it could not be moved aside ({error.strerror})"
    return f"kept as {kept.name}"


def write_verified(path: Path, content: bytes, dataset: Dataset) -> None:
    """Write verified content. A damaged file is set aside first.

    A correct file, which another process may have written, stays.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    present = check_file(path, dataset)
    if present.state == "verified":
        return
    if present.state == "damaged":
        warn(f"{path}: {present.detail}; {set_aside(path)}")
    write_atomically(path, content)
