"""The folders that hold data sets: reads them, and writes to them safely."""

import errno
import os
import secrets
import stat
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from zerotohero.data.errors import DataError, report
from zerotohero.data.registry import Dataset


def checkout_data() -> Path | None:
    """Return the folder ``data/`` of the checkout this package runs from; None when installed."""
    for root in Path(__file__).resolve().parents[2:4]:
        if (root / "pyproject.toml").is_file() and (root / "data" / "README.md").is_file():
            return root / "data"
    return None


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


def places() -> list[Path]:
    """Return the folders in which files are looked for, in order."""
    checkout = checkout_data()
    return [*([checkout] if checkout else []), cache_folder()]


def stores() -> list[Path]:
    """Return the folders to write to: each is used if the one before it is not writable."""
    return [cache_folder()] if os.environ.get("ZEROTOHERO_CACHE") else places()


def embedded_places() -> list[Path]:
    """Return the folders that may hold the embedded edition: a checkout's, and those of pip."""
    user = sysconfig.get_preferred_scheme("user")
    roots = [
        Path(sysconfig.get_path("data")),
        Path(sysconfig.get_path("data", user)),  # pip install --user
        Path(__file__).resolve().parents[2],  # pip install --target
    ]
    checkout = checkout_data()
    return [*([checkout] if checkout else []), *(root / "share" / "zerotohero" for root in roots)]


@dataclass(frozen=True)
class Finding:
    """What was found at `path`: its state, a few words about it, and its content if verified."""

    path: Path
    state: Literal["verified", "missing", "damaged", "unreadable"]
    detail: str
    content: bytes = b""


def look(path: Path, dataset: Dataset) -> Finding:
    """Read the file at `path` and compare it with what `dataset` says. Changes nothing."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a named pipe, for example, would block
            return Finding(path, "unreadable", "cannot be read (not a regular file)")
        if problem := dataset.size_problem(
            status.st_size
        ):  # before reading it, because it may be huge
            return Finding(path, "damaged", problem)
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Finding(path, "missing", "not there")
    except OSError as error:
        return Finding(path, "unreadable", f"cannot be read ({error.strerror})")
    if problem := dataset.problem(content):
        return Finding(path, "damaged", problem)
    return Finding(path, "verified", "verified", content)


def set_aside(path: Path, dataset: Dataset) -> Path:
    """Rename a damaged file to ``<name>.damaged-<n>``, with the first unused n.

    Raises
    ------
    OSError
        If the folder is not writable, or another process was faster.
    """
    n = 1
    while True:
        kept = path.with_name(f"{path.name}.damaged-{n}")
        try:
            kept.open("xb").close()  # reserves the name, as a rename would overwrite silently
        except FileExistsError:
            n += 1
            continue
        try:
            if look(path, dataset).state == "verified":
                raise FileExistsError(errno.EEXIST, "another process has put the right file there")
            path.replace(kept)
        except OSError:
            kept.unlink()
            raise
        return kept


def write(path: Path, content: bytes, dataset: Dataset) -> None:
    """Write verified content so that the file at `path` is never partial, even after a crash.

    A damaged file is set aside first; a correct one, from another process, stays.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        there = look(path, dataset)
        if there.state == "verified":
            return
        if there.state != "missing":
            report(f"{path}: {there.detail}; kept as {set_aside(path, dataset).name}")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
