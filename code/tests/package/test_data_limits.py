"""What a server, a mirror or a wheel may not do: hold us up, fill the memory, show secrets."""

import itertools
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import traceback
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from conftest import CONTENT, Server, dataset, listing, reply

from zerotohero import data
from zerotohero.data import registry, sources


def register(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    monkeypatch.setitem(registry.REGISTRY, "tiny", dataset(**fields))  # type: ignore[arg-type]


# -- time ---------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n" % (len(CONTENT), CONTENT)
WHOLE = OK + b"Content-Length: %d\r\n\r\n%b" % (len(CONTENT), CONTENT)


def bytewise(content: bytes) -> Iterator[bytes]:
    """Yield bytes with pauses. Each comes in time, and all would be right in the end."""
    for byte in content:
        yield bytes([byte])
        time.sleep(0.02)


def endless(first: bytes, again: bytes) -> Iterator[bytes]:
    yield first
    while True:
        yield again
        time.sleep(0.01)


ANSWERS: dict[str, Callable[[], Iterator[bytes]]] = {
    "headers bytewise": lambda: bytewise(WHOLE),
    "body bytewise": lambda: itertools.chain([WHOLE[:-2000]], bytewise(WHOLE[-2000:])),
    "body of no known length": lambda: endless(OK + b"\r\n", b"x"),
    "not yet": lambda: endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers": lambda: endless(CHUNKED, b"X: 1\r\n"),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_server_without_an_end(sealed, server: Server, monkeypatch, kind) -> None:
    """However a server draws its answer out, the download ends, and so does its connection."""
    ended = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        try:
            for part in ANSWERS[kind]():
                request.wfile.write(part)
        except OSError:  # nobody listens anymore
            ended.set()

    server.answer = answer
    monkeypatch.setattr(sources, "LIMIT", 0.3)
    monkeypatch.setattr(sources, "SLOWEST", float("inf"))
    register(monkeypatch, urls=(server.url,))
    with pytest.raises(data.DataError, match=f"{server.url}: it took more than"):
        data.fetch("tiny")
    assert ended.wait(10), "the connection is still there"


def test_redirects_take_time_together(server, monkeypatch) -> None:
    def answer(request) -> None:
        time.sleep(0.1)
        redirect(request, f"/{len(server.requests)}")

    server.answer = answer
    monkeypatch.setattr(sources, "LIMIT", 0.25)
    with pytest.raises(sources.UnavailableError, match="it took more than"):
        sources.from_url(server.url, 10)
    assert len(server.requests) < 5


def test_tls_that_is_drawn_out(sealed, monkeypatch) -> None:
    """A handshake's first record arrives a byte at a time."""
    ended = threading.Event()

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb")
                for part in bytewise(bytes(10_000)):
                    connection.sendall(part)
            except OSError:
                ended.set()

    monkeypatch.setattr(sources, "LIMIT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(sources.UnavailableError, match="it took more than"):
            sources.from_url(url, 10)
        assert ended.wait(10)


def test_limit_grows_with_the_size(server, monkeypatch) -> None:
    def answer(request) -> None:
        time.sleep(0.2)
        reply(request, CONTENT)

    server.answer = answer
    monkeypatch.setattr(sources, "LIMIT", 0.01)
    monkeypatch.setattr(sources, "SLOWEST", len(CONTENT) / 30)
    assert sources.from_url(server.url, len(CONTENT)) == CONTENT
    with pytest.raises(sources.UnavailableError, match="seconds"):
        sources.from_url(server.url, 10)


@pytest.mark.parametrize("status", [200, 302, 404])
def test_answer_without_an_end_is_not_kept(server, status) -> None:
    taken = []

    def answer(request) -> None:
        request.send_response(status)
        request.send_header("Location", "/")
        request.end_headers()
        with suppress(OSError):
            for _ in range(64):
                request.wfile.write(bytes(1 << 20))
            taken.append(status)

    server.answer = answer
    tracemalloc.start()
    try:
        with pytest.raises(sources.UnavailableError):
            sources.from_url(server.url, 1000)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()
    assert not taken, "all 64 MB were read"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c(sealed, server) -> None:
    asked, done = threading.Event(), threading.Event()

    def answer(request) -> None:
        asked.set()
        done.wait(30)

    server.answer = answer
    environment = os.environ | {
        "PYTHONPATH": str(Path(data.__file__).parents[2]),
        "ZEROTOHERO_DATA_MIRROR": server.url,
    }
    command = [sys.executable, "-c", "import sys; from zerotohero.data import store; "]
    command[2] += "store.checkout_data = lambda: None; import runpy; "
    command[2] += "sys.argv[1:] = ['--fetch', 'names']; "
    command[2] += "runpy.run_module('zerotohero.data', run_name='__main__')"
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert asked.wait(30)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == "interrupted\n"
        assert process.returncode == 130
    finally:
        done.set()
        process.kill()
        process.wait()


# -- HTTP ---------------------------------------------------------------------


def redirect(request, address: str) -> None:
    request.send_response(302)
    request.send_header("Location", address)
    request.end_headers()


def test_redirect(server) -> None:
    def answer(request) -> None:
        if request.path == "/there":
            reply(request, CONTENT)
        else:
            redirect(request, "/there")

    server.answer = answer
    assert sources.from_url(server.url, len(CONTENT)) == CONTENT


@pytest.mark.parametrize("scheme", ["file", "ftp", "data"])
def test_redirect_away_from_http(server, tmp_path, scheme) -> None:
    (tmp_path / "tiny.txt").write_bytes(CONTENT)
    server.answer = lambda request: redirect(request, f"{scheme}://{tmp_path}/tiny.txt")
    with pytest.raises(sources.UnavailableError, match=r"unknown url type|not allowed"):
        sources.from_url(server.url, len(CONTENT))


def test_chunks_that_break_off(server) -> None:
    server.answer = lambda request: request.wfile.write(CHUNKED[:-3])
    with pytest.raises(sources.UnavailableError, match="IncompleteRead"):
        sources.from_url(server.url, len(CONTENT))


def test_proxy_from_the_environment(server, monkeypatch) -> None:
    server.answer = lambda request: reply(request, CONTENT)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", server.url)
    assert sources.from_url("http://data.invalid/a b.txt", len(CONTENT)) == CONTENT
    assert server.requests == ["http://data.invalid/a%20b.txt"]


def test_certificate_that_nobody_vouches_for(server) -> None:
    """A server without TLS cannot show one."""
    server.answer = lambda request: reply(request, CONTENT)
    with pytest.raises(sources.UnavailableError, match="SSL"):
        sources.from_url(server.url.replace("http:", "https:"), len(CONTENT))


def test_password_is_sent_and_not_shown(sealed, server, monkeypatch, capsys) -> None:
    sent = []

    def answer(request) -> None:
        sent.append(request.headers.get("Authorization"))
        reply(request, b"", status=404)

    server.answer = answer
    host = server.url.removeprefix("http://")
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", f"http://me:s3cr%40t@{host}/x")
    with pytest.raises(data.DataError) as caught:
        data.fetch_all(["tiny"])
    assert sent == ["Basic bWU6czNjckB0"]  # me:s3cr@t
    shown = str(caught.value) + capsys.readouterr().out
    assert f"http://me:***@{host}/x" in shown
    assert "s3cr" not in shown


def test_password_goes_to_no_other_site(server, monkeypatch) -> None:
    sent = []

    def answer(request) -> None:
        sent.append((request.path, request.headers.get("Authorization") is not None))
        if request.path == "/elsewhere":
            reply(request, CONTENT)
        else:
            redirect(request, server.url.replace("127.0.0.1", "localhost") + "/elsewhere")

    server.answer = answer
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    url = server.url.replace("//", "//me:secret@") + "/here"
    assert sources.from_url(url, len(CONTENT)) == CONTENT
    assert sent == [("/here", True), ("/elsewhere", False)]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ZEROTOHERO_DATA_MIRROR", "http://me:topsecret@{host}/x"),
        ("ZEROTOHERO_DATA_MIRROR", "http://me:topsecret@{host}:port/x"),
        ("ZEROTOHERO_DATA_MIRROR", "http://me:topsecret/qqq@{host}/x"),
        ("ZEROTOHERO_DATA_MIRROR", "http://topsecret@{host}/x"),
        ("ZEROTOHERO_DATA_MIRROR", "ftp://me:topsecret@{host}/x"),
        ("ZEROTOHERO_DATA_MIRROR", "me:topsecret@{host}/x"),
        ("http_proxy", "http://me:topsecret@{host}"),
        ("http_proxy", "http://me:topsecret/qqq@{host}"),
        ("http_proxy", "http://me:topsecret@{host}:port"),
        ("ZEROTOHERO_DATA_MIRROR", "http://me:a topsecret/qqq@{host}/x"),
        ("http_proxy", "http://me:a topsecret/qqq@{host}"),
        ("PIP_INDEX_URL", "http://me:topsecret@127.0.0.1:9/simple"),
        ("PIP_INDEX_URL", "http://me:a topsecret/qqq@127.0.0.1:9/simple"),
        ("location", "http://me:topsecret@{host}/x"),
        ("location", "ftp://me:topsecret@{host}/x"),
    ],
)
def test_no_password_is_shown(
    sealed, server, monkeypatch, capsys, recwarn, variable, value
) -> None:
    """Not in errors and their causes, warnings, logs or progress, whatever goes wrong."""
    value = value.format(host=server.url.removeprefix("http://"))

    def answer(request) -> None:
        redirect(request, value) if variable == "location" else reply(request, b"?", status=403)

    server.answer = answer
    if variable == "http_proxy":
        monkeypatch.setenv("NO_PROXY", "")
    if variable == "PIP_INDEX_URL":
        monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv(variable, value)
    wheel = ("tinydata==1.0", "tinydata/tiny.txt") if variable == "PIP_INDEX_URL" else None
    register(monkeypatch, urls=(server.url,), wheel=wheel)
    with pytest.raises(data.DataError) as caught:
        data.fetch_all(["tiny"])
    shown = "".join(traceback.format_exception(caught.value))
    shown += "".join([*capsys.readouterr(), *(str(warning.message) for warning in recwarn)])
    assert "Looked for it in:" in shown
    assert "topsecret" not in shown
    assert "qqq" not in shown


@pytest.mark.parametrize(
    "mirror",
    [
        "http://[bad/",
        "http://host:port/",
        "http://127.0.0.1:99999/",
        "http://me:secret/word@127.0.0.1/",
        "http:///nowhere",
        "file://[bad/",
        "~no-such-user-here/data",
        f"http://{'a' * 70}.invalid/",
    ],
)
def test_malformed_mirror_leads_to_the_next_source(sealed, server, monkeypatch, mirror) -> None:
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", mirror)
    server.answer = lambda request: reply(request, CONTENT)
    register(monkeypatch, urls=(server.url,))
    assert data.fetch("tiny") == sealed.final
    register(monkeypatch)
    sealed.final.unlink()
    with pytest.raises(data.DataError, match="mirror ") as caught:
        data.fetch("tiny")
    assert "secret" not in str(caught.value)
    assert "word" not in str(caught.value)


def test_cache_of_an_unknown_user(sealed, monkeypatch) -> None:
    monkeypatch.setenv("ZEROTOHERO_CACHE", "~no-such-user-here/cache")
    with pytest.raises(data.DataError, match="ZEROTOHERO_CACHE"):
        data.fetch("tiny")


def test_escape_codes_of_a_server(sealed, server, monkeypatch) -> None:
    def answer(request) -> None:
        request.wfile.write(b"HTTP/1.1 404 \x1b[31mred\x07 \x9b2J" + b"x" * 5000 + b"\r\n\r\n")

    server.answer = answer
    register(monkeypatch, urls=(server.url,))
    with pytest.raises(data.DataError, match="404") as caught:
        data.fetch("tiny")
    lines = str(caught.value).split("\n")
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 1000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:p@ss/word@host/x", "http://me:***@host/x"),
        ("https://token@host/x", "https://***@host/x"),
        ("https://host:8080/x", "https://host:8080/x"),
        ("/a/folder/me@home", "/a/folder/me@home"),
        ("two\r\nlines\t\x1b]0;title\x07", "two lines ]0;title"),
    ],
)
def test_addresses_are_masked(text, shown) -> None:
    assert sources.mask(text) == shown
    assert sources.mask_words(f"{text} a@b") == f"{shown} a@b"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("http://host:80/x failed; mail a@host", "http://host:80/x failed; mail a@host"),
        ("http://host:80/ or ftp://me:p@ss@host/ a@b", "http://host:80/ or ftp://me:***@host/ a@b"),
    ],
)
def test_a_message_keeps_what_is_not_an_address(message, shown) -> None:
    assert sources.mask_words(message) == shown


# -- files --------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("where", ["cache", "mirror"])
def test_named_pipe(sealed, server, monkeypatch, where) -> None:
    folder = sealed.cache if where == "cache" else sealed.links
    folder.mkdir(exist_ok=True)
    os.mkfifo(folder / "tiny.txt")
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(sealed.links))
    with pytest.raises(data.DataError, match="not a regular file"):
        data.fetch("tiny")
    assert stat.S_ISFIFO((folder / "tiny.txt").stat().st_mode)


@pytest.mark.parametrize("where", ["cache", "mirror"])
@pytest.mark.filterwarnings("ignore::zerotohero.data.DataWarning")
def test_huge_file_is_not_read(sealed, monkeypatch, where) -> None:
    folder = sealed.cache if where == "cache" else sealed.links
    folder.mkdir(exist_ok=True)
    with (folder / "tiny.txt").open("wb") as file:
        file.truncate(1 << 34)  # takes no room on the disk; read, it would take 16 GB
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(sealed.links))
    tracemalloc.start()
    try:
        with pytest.raises(data.DataError, match="more than 18,890 bytes"):
            data.fetch("tiny")
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_wheel_that_lies_about_a_size(tmp_path, monkeypatch, packing) -> None:
    """The wheel says 1,000 bytes where 32 MB are packed."""
    true = 1 << 25
    path = tmp_path / "bomb-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", packing) as wheel:
        wheel.writestr("x.txt", bytes(true))
    packed = path.read_bytes()
    size = true.to_bytes(4, "little")
    assert packed.count(size) == 2  # before the member, and in the table at the end
    path.write_bytes(packed.replace(size, (1000).to_bytes(4, "little")))
    monkeypatch.setattr(sources, "download_wheel", lambda *_: path)
    tracemalloc.start()
    try:
        with pytest.raises(sources.UnavailableError):
            sources.from_wheel("bomb==1.0", "x.txt", 1000)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


# -- an environment without pip -----------------------------------------------


@pytest.fixture
def without_pip(sealed, monkeypatch) -> Path:
    """Let this Python find no pip; return an empty folder that alone is on the PATH."""
    empty, commands = sealed.root / "no packages", sealed.root / "bin"
    empty.mkdir()
    commands.mkdir()
    monkeypatch.setattr(sys, "path", [str(empty)])
    monkeypatch.setenv("PATH", str(commands))
    register(monkeypatch, wheel=("tinydata==1.0", "tinydata/tiny.txt"))
    return commands


def test_neither_pip_nor_uv(without_pip) -> None:
    with pytest.raises(data.DataError, match=r"has no pip, and there is no uv"):
        data.fetch("tiny")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_uv_runs_pip(sealed, without_pip) -> None:
    """The stand-in for uv checks how it is called, and runs this Python's own pip."""
    with zipfile.ZipFile(sealed.links / "tinydata-1.0-py3-none-any.whl", "w") as wheel:
        info = "tinydata-1.0.dist-info"
        wheel.writestr("tinydata/tiny.txt", CONTENT)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{info}/RECORD", "")
    uv = without_pip / "uv"
    uv.write_text(
        "#!/bin/sh\n"
        '[ "$1 $2" = "tool run" ] || exit 2\n'
        'while [ "$1" != pip ]; do shift; done\n'
        f'exec "{sys.executable}" -m "$@"\n',
        encoding="utf-8",
    )
    uv.chmod(0o755)
    assert data.fetch("tiny") == sealed.final
    assert listing(sealed.cache) == ["tiny.txt"]
