"""What a server, a mirror or a wheel may not do: hold us up, fill the memory, show secrets."""

import os
import stat
import sys
import threading
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from conftest import CONTENT, dataset, listing, reply

from zerotohero import data
from zerotohero.data import downloads, errors, registry, wheels


def register(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    monkeypatch.setitem(registry.REGISTRY, "tiny", dataset(**fields))  # type: ignore[arg-type]


# -- time ---------------------------------------------------------------------


@pytest.mark.parametrize("part", ["headers", "body"])
def test_server_that_drips(sealed, server, monkeypatch, part) -> None:
    """Each byte comes in time, and all of them would be right in the end."""
    over, dripped = threading.Event(), threading.Event()

    def answer(request) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode()
        slow, rest = (head, CONTENT) if part == "headers" else (CONTENT[:200], CONTENT[200:])
        if part == "body":
            request.wfile.write(head)
        for byte in slow:
            request.wfile.write(bytes([byte]))
            if over.wait(0.05):
                return
        dripped.set()
        request.wfile.write(rest)

    server.answer = answer
    monkeypatch.setattr(downloads, "LIMIT", 0.3)
    monkeypatch.setattr(downloads, "SLOWEST", float("inf"))
    register(monkeypatch, urls=(server.url,))
    try:
        with pytest.raises(data.DataError) as caught:
            data.fetch("tiny")
        assert not dripped.is_set(), "it was waited for"
    finally:
        over.set()
    assert server.url in str(caught.value)
    assert len(server.requests) == 1, "a transfer that took too long is not tried again"


def test_limit_grows_with_the_size(server, monkeypatch) -> None:
    def answer(request) -> None:
        time.sleep(0.2)
        reply(request, CONTENT)

    server.answer = answer
    monkeypatch.setattr(downloads, "LIMIT", 0.01)
    monkeypatch.setattr(downloads, "SLOWEST", len(CONTENT) / 30)
    assert downloads.from_url(server.url, len(CONTENT)) == CONTENT
    with pytest.raises(errors.UnavailableError, match="seconds"):
        downloads.from_url(server.url, 10)


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
    assert downloads.from_url(server.url, len(CONTENT)) == CONTENT


@pytest.mark.parametrize("scheme", ["file", "ftp", "data"])
def test_redirect_away_from_http(server, tmp_path, scheme) -> None:
    (tmp_path / "tiny.txt").write_bytes(CONTENT)
    server.answer = lambda request: redirect(request, f"{scheme}://{tmp_path}/tiny.txt")
    with pytest.raises(errors.UnavailableError, match=r"not http\(s\)|not allowed"):
        downloads.from_url(server.url, len(CONTENT))


def test_chunks_that_break_off(server) -> None:
    def answer(request) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        whole = len(server.requests) > 1
        request.wfile.write(b"%x\r\n%b\r\n" % (len(CONTENT), CONTENT))
        request.wfile.write(b"0\r\n\r\n" if whole else b"")

    server.answer = answer
    assert downloads.from_url(server.url, len(CONTENT)) == CONTENT
    assert len(server.requests) == 2


def test_proxy_from_the_environment(server, monkeypatch) -> None:
    server.answer = lambda request: reply(request, CONTENT)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", server.url)
    assert downloads.from_url("http://data.invalid/a b.txt", len(CONTENT)) == CONTENT
    assert server.requests == ["http://data.invalid/a%20b.txt"]


def test_certificate_that_nobody_vouches_for(server) -> None:
    """A server without TLS cannot show one."""
    server.answer = lambda request: reply(request, CONTENT)
    with pytest.raises(errors.UnavailableError, match="SSL"):
        downloads.from_url(server.url.replace("http:", "https:"), len(CONTENT))


def test_password_is_sent_and_not_shown(sealed, server, monkeypatch, capsys, caplog) -> None:
    sent = []

    def answer(request) -> None:
        sent.append(request.headers.get("Authorization"))
        reply(request, b"", status=404)

    server.answer = answer
    host = server.url.removeprefix("http://")
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", f"http://me:s3cr%40t@{host}/x")
    caplog.set_level("DEBUG")
    with pytest.raises(data.DataError) as caught:
        data.fetch_all(["tiny"])
    assert sent == ["Basic bWU6czNjckB0"]  # me:s3cr@t
    shown = str(caught.value) + capsys.readouterr().out + caplog.text
    assert f"http://me:***@{host}/x" in shown
    assert "s3cr" not in shown


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
def test_plain(text, shown) -> None:
    assert errors.plain(text) == shown


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
        with pytest.raises(data.DataError, match="17,179,869,184 bytes instead of"):
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
    monkeypatch.setattr(wheels, "_download", lambda _, folder: path.rename(folder / path.name))
    tracemalloc.start()
    try:
        with pytest.raises(errors.UnavailableError):
            wheels.from_wheel("bomb==1.0", "x.txt", 1000)
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
