"""Files that are read with a limit, and written atomically."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path


class TooLargeError(ValueError):
    """A file has more bytes than the limit."""


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write a file so that even after a crash it has its old content or the new, never a part.

    The new content is flushed to the disk under a unique name, and then renamed. A link is
    replaced, not followed.

    Parameters
    ----------
    path : path
        The folder must exist.
    content : bytes or str
        A string is written in UTF-8, with its line endings as they are.

    Raises
    ------
    OSError
        If the file cannot be written; ``filename`` is the path.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    # only the beginning of the name, to keep it within the file-name limit
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
    except OSError as error:  # names no file, or the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from error


def _flush_folder(folder: Path) -> None:
    """Flush a new name to the disk, too, where the system and the file system can do that."""
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
    TooLargeError
        If it is larger; a ``ValueError``.
    ValueError
        If it is not a regular file: reading a named pipe, for example, would wait.
    """
    path = Path(path)
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is not a regular file")
    if status.st_size <= limit:
        with path.open("rb") as file:
            content = file.read(status.st_size + 1)  # limit + 1 would be reserved at once
            while len(content) <= limit and (more := file.read(2**20)):
                content += more  # it may be larger than its stated size
        if len(content) <= limit:
            return content
    raise TooLargeError(f"{path} has more than {limit:,} bytes, the limit")


def read_text(path: str | os.PathLike[str], limit: int, *, skip_bom: bool = False) -> str:
    """Return the text of a UTF-8 file of at most ``limit`` bytes, line endings as they are.

    With ``skip_bom``, a byte order mark at the beginning is left out. Errors are those of
    ``read_limited``, and ``ValueError`` if the file is not UTF-8: it names file and byte.
    """
    text = decode_utf8(read_limited(path, limit), path)
    return text.removeprefix("\ufeff") if skip_bom else text


def decode_utf8(content: bytes, source: object) -> str:
    """Decode UTF-8. If it is not, a ``ValueError`` names the source and the first wrong byte."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{source}: byte {error.start} is not UTF-8 ({error.reason})") from None
