"""Files that are read with a limit, and written wholly or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a file, so that even after a crash it has its old content or the new, never a part.

    The new content goes to the disk under a name that nobody else has, and is then renamed. A
    link is replaced, not followed.

    Parameters
    ----------
    path : path
        The folder must exist.
    content : bytes or str
        A string is written in UTF-8, with its line ends as they are.

    Raises
    ------
    OSError
        If the file cannot be written; ``filename`` is the path.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    # not much longer than the name itself, which may be as long as the system allows
    part = path.parent / f".{path.name[:40]}.{os.getpid()}-{secrets.token_hex(4)}.part"
    try:
        try:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _flush_folder(path.parent)
    except OSError as error:  # a full disk names no file; and nobody knows the part's name
        raise OSError(error.errno, error.strerror, str(path)) from error


def _flush_folder(folder: Path) -> None:
    """Let a new name reach the disk, too, where the system and the file system can do that."""
    with contextlib.suppress(OSError):  # Windows opens no folders; the file is there anyway
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_limited(path: str | os.PathLike[str], limit: int) -> bytes:
    """Return the content of a file of at most ``limit`` bytes.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is larger, or not a regular file: reading a named pipe, for example, would wait.
    """
    path = Path(path)
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        path.read_bytes()  # the system's own message
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is not a regular file")
    content = b""
    if status.st_size <= limit:
        with path.open("rb") as file:
            content = file.read(limit + 1)  # whatever its size was said to be
    if max(len(content), status.st_size) > limit:
        raise ValueError(f"{path} has more than {limit:,} bytes, the limit")
    return content


def decode_utf8(content: bytes, name: str | os.PathLike[str]) -> str:
    """Return the text of a file; ``ValueError`` that gives its name if it is not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: byte {error.start} is not UTF-8 ({error.reason})") from None
