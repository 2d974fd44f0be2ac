"""Fixtures that several test files share.

`sealed` keeps a test of the data layer away from the network and from this machine's folders.
`embedded_names` does the same for the checks that ask for names.
`one_thread` is for small tensors, with which a second thread costs more than it brings.
`chromium`, of browser.py, is a real browser.

Folders say what tests need. `package`, `check`, `book` and `extension` need nothing (`make test`).
`slow` needs time, `fetched` the data sets, `build` builds small books, `site` needs the built book
and a browser, `network` a package registry (`make test-all`). What is missing fails: a folder skips
nothing for it.
"""

import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from browser import chromium as chromium

from zerotohero.check.mlp import networks
from zerotohero.check.wavenet import challenge
from zerotohero.data import fetching, registry, store

NAMES = Path(__file__).parents[1].joinpath("zerotohero", "data", "names-ssa-2018.txt")
CLOSED = "http://127.0.0.1:9/closed"  # the port "discard": nothing listens there
CONTENT = "".join(f"line {i}\n" for i in range(2000)).encode()


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several workers of pytest-xdist one thread, and what it starts, too.

    And heed Ctrl-C: a shell that runs the tests in the background has them ignore it, and what
    they start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        torch.set_num_threads(1)
        os.environ["OMP_NUM_THREADS"] = "1"


def dataset(content: bytes = CONTENT, **fields: object) -> registry.Dataset:
    """Describe a data set for a test; its canonical address leads nowhere by default."""
    known = {
        "name": "tiny",
        "file": "tiny.txt",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "license": "none",
        "urls": (CLOSED,),
    }
    return registry.Dataset(**(known | fields))  # type: ignore[arg-type] # fields of any type


def listing(folder: Path) -> list[str]:
    """Return the names of what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """No checkout, no mirror, an empty cache folder, and a pip that asks no index."""
    for name in (fetching.MIRROR, fetching.REQUIRE, fetching.OFFLINE):
        monkeypatch.delenv(name, raising=False)
    cache, links = tmp_path / "cache", tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("ZEROTOHERO_CACHE", str(cache))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(store, "checkout_data", lambda: None)
    monkeypatch.setattr(fetching, "memory", fetching.Memory())
    monkeypatch.setitem(registry.REGISTRY, "tiny", dataset())
    return SimpleNamespace(cache=cache, links=links, final=cache / "tiny.txt", root=tmp_path)


class Server:
    """An HTTP server on this machine; `answer` decides what a request gets."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda request: reply(request, b"")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


def reply(
    request: BaseHTTPRequestHandler, body: bytes, *, status: int = 200, claim: int | None = None
) -> None:
    """Send `body`, under a Content-Length of `claim` bytes, by default the true one."""
    request.send_response(status)
    request.send_header("Content-Length", str(len(body) if claim is None else claim))
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield running
    running.http.shutdown()
    running.http.server_close()
    thread.join()


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def embedded_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no check ask a network for the lecture's names."""
    for module in (networks, challenge):
        monkeypatch.setattr(module, "names", lambda: NAMES.read_text(encoding="utf-8").split())
    monkeypatch.setattr(networks, "edition", lambda _: "embedded")
