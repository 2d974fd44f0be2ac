"""Serve a built site on this machine until Ctrl-C: `python -m booktools serve`.

It is sent the way a web host sends it: compressed, as GitHub Pages does with gzip, and in tests
below a path prefix.
"""

from __future__ import annotations

import argparse
import errno
import gzip
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ["serve"]

COMPRESSED = {".html", ".css", ".js", ".svg", ".json", ".txt", ".xml", ".map"}


@cache
def compressed(path: Path, changed: int) -> bytes:
    """Content of a file that last changed at time `changed`, compressed once."""
    return gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)


class Handler(SimpleHTTPRequestHandler):
    """Answers GET with compressed text and HEAD as usual."""

    protocol_version = "HTTP/1.1"
    prefix = "/"

    def do_GET(self) -> None:
        """Send a file."""
        inside = self.path.startswith(self.prefix)
        self.path = "/" + self.path.removeprefix(self.prefix)
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        found = inside and path.is_file()
        if not found:  # as GitHub Pages
            path = Path(self.directory) / "404.html"
        if not path.is_file():
            self.send_error(404)
            return
        zipped = path.suffix in COMPRESSED and "gzip" in self.headers.get("Accept-Encoding", "")
        body = compressed(path, path.stat().st_mtime_ns) if zipped else path.read_bytes()
        self.send_response(200 if found else 404)
        kind = self.guess_type(str(path))
        self.send_header("Content-Type", kind + ("; charset=utf-8" if "text" in kind else ""))
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")  # as GitHub Pages
        with suppress(ConnectionError):  # the browser has left for another page
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def serve(site: Path, prefix: str = "/", port: int = 0) -> Iterator[str]:
    """Serve the folder `site` on this machine while the context lasts.

    Parameters
    ----------
    site
        Folder with the pages.
    prefix
        Path below which they are found, with a slash at both ends.
    port
        Port to listen at; 0 for any that is free.

    Yields
    ------
    str
        Address of the site, with a slash at its end.
    """
    if not site.is_dir():
        raise FileNotFoundError(f"there is no built site at {site}: run `make book` first")
    if not (prefix.startswith("/") and prefix.endswith("/")):
        raise ValueError(f"prefix must begin and end with a slash, got {prefix!r}")

    class Site(Handler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(site))  # type: ignore[arg-type] # as given

    Site.prefix = prefix
    server = ThreadingHTTPServer(("127.0.0.1", port), Site)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{prefix}"
    finally:
        server.shutdown()
        server.server_close()


def main(arguments: list[str] | None = None) -> int:
    """Serve a folder until Ctrl-C. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m booktools serve", description=__doc__)
    parser.add_argument("site", nargs="?", type=Path, default=Path("_build") / "html")
    parser.add_argument("--port", type=int, default=8000, help="port; 0 means any free one")
    options = parser.parse_args(arguments)
    try:
        with serve(options.site, port=options.port) as address:
            print(f"{address}   (press Ctrl-C to stop)", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print()
    except OSError as error:
        advice = ""
        if error.errno == errno.EADDRINUSE:
            advice = f"; name a port other than {options.port}, as in make serve PORT=8001"
        print(f"can't serve {options.site}: {error}{advice}", file=sys.stderr)
        return 2
    return 0
