"""Download a file over HTTP(S), with a limit on its size and on the time."""

import http.client
import ssl
import string
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPHandler,
    HTTPPasswordMgrWithPriorAuth,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
)

from zerotohero.data.errors import UnavailableError

CONNECT, READ = 3, 10  # seconds without an answer; short, for readers without a network
LIMIT = 120  # seconds for a whole download, even if data keeps arriving
SLOWEST = 20_000  # bytes that add a second to that limit
CHUNK = 1 << 16

Progress = Callable[[int, int], None]


def silent(got: int, size: int) -> None:
    """Show no progress."""


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(READ)


class _SecureConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(READ)


class _TwoTimeouts(HTTPHandler, HTTPSHandler):
    """Opens connections with `CONNECT` and reads with `READ`; urllib has only one timeout."""

    def http_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)

    def https_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req, context=_certificates())


class _OnlyToHTTP(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise UnavailableError("it redirects to an address that is not http(s)")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _certificates() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not context.get_ca_certs():  # which is the case for python.org's Python on macOS
        try:
            import certifi
        except ImportError:
            return context
        context.load_verify_locations(certifi.where())
    return context


def _opener(parts: SplitResult) -> OpenerDirector:
    """Return an opener that uses the proxies of the environment and the address's password."""
    passwords = HTTPPasswordMgrWithPriorAuth()
    if parts.username is not None:
        site = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"  # and for no other site
        user, password = unquote(parts.username), unquote(parts.password or "")
        passwords.add_password(None, site, user, password, is_authenticated=True)
    return build_opener(_TwoTimeouts, _OnlyToHTTP, HTTPBasicAuthHandler(passwords))


def from_url(url: str, size: int, progress: Progress = silent) -> bytes:
    """Download at most `size` bytes.

    Parameters
    ----------
    url : str
        Address, http or https; it may hold a user and a password.
    size : int
        Size in bytes that the file must have.
    progress : callable
        Called with the number of bytes received and with `size`, from another thread.

    Raises
    ------
    UnavailableError
        If the address is malformed, or the server cannot be reached, refuses, sends more, stops
        half-way twice, or takes more than `LIMIT` seconds and one for each `SLOWEST` bytes.
    """
    seconds = LIMIT + size / SLOWEST
    deadline = time.monotonic() + seconds
    answer: Future[bytes] = Future()

    def work() -> None:
        try:
            answer.set_result(_try_twice(url, size, deadline, progress))
        except BaseException as error:
            answer.set_exception(error)

    # In a thread, because nothing else limits the lookup of a host, or headers that arrive slowly.
    # A thread that is abandoned ends at its next chunk, or with the process.
    threading.Thread(target=work, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        raise UnavailableError(f"it took more than {seconds:,.0f} seconds") from None


def _try_twice(url: str, size: int, deadline: float, progress: Progress) -> bytes:
    try:
        parts = urlsplit(url)
        opener, _ = _opener(parts), parts.port
    except ValueError:  # the message of this error may quote a password
        raise UnavailableError("the address is malformed") from None
    path = quote(parts.path, safe=string.punctuation)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=path).geturl()
    for attempt in (1, 2):
        content = bytearray()
        try:
            request = Request(bare, headers={"User-Agent": "zerotohero"})
            with opener.open(request, timeout=CONNECT) as response:
                # read1 returns what has arrived; read would wait for a whole chunk
                while chunk := response.read1(CHUNK):
                    content += chunk
                    if len(content) > size:
                        raise UnavailableError(f"it sends more than {size:,} bytes")
                    if time.monotonic() > deadline:
                        raise TimeoutError("the time is up")
                    progress(len(content), size)
                if response.length:
                    raise http.client.IncompleteRead(bytes(content), response.length)
            break
        except (OSError, ValueError, OverflowError, http.client.HTTPException) as error:
            if isinstance(error, HTTPError):
                error.close()
            if attempt == 2 or not content or time.monotonic() > deadline:
                raise UnavailableError(_reason(error, len(content))) from error
    return bytes(content)


def _reason(error: Exception, got: int) -> str:
    if isinstance(error, HTTPError):
        return str(error)  # such as "HTTP Error 404: Not Found"
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        error = error.reason
    return f"{type(error).__name__}{f' after {got:,} bytes' if got else ''}: {error}"
