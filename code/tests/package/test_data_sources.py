"""The lookup chain with sources that are wrong, broken or absent.

Every case must end in the right bytes or in a `DataError`, with nothing else at the final path.
"""

import errno
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import CLOSED, CONTENT, Server, dataset, listing, reply

from zerotohero import data
from zerotohero.data import registry, sources, store

WRONG = CONTENT[:-1] + b"!"
PARTIAL = CONTENT[:5000]


def register(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    monkeypatch.setitem(registry.REGISTRY, "tiny", dataset(**fields))  # type: ignore[arg-type]


def assert_refused(sealed: SimpleNamespace, *expected: str) -> None:
    """`fetch` must say what it expected, where it looked and what to do; and leave nothing."""
    with pytest.raises(data.DataError) as caught:
        data.fetch("tiny")
    message = str(caught.value)
    known = registry.REGISTRY["tiny"]
    always = ("tiny.txt", f"{known.size:,} bytes", known.sha256, str(sealed.final), "--fetch tiny")
    for part in (*always, "ZEROTOHERO_DATA_MIRROR", *expected):
        assert part in message
    assert not any(sealed.cache.rglob("*")), "something was left in the store"


def assert_fetched(sealed: SimpleNamespace) -> None:
    assert data.fetch("tiny") == sealed.final
    assert sealed.final.read_bytes() == CONTENT
    assert listing(sealed.cache) == ["tiny.txt"]


# -- over HTTP ----------------------------------------------------------------


def test_canonical_address(sealed, server: Server, monkeypatch) -> None:
    server.answer = lambda request: reply(request, CONTENT)
    register(monkeypatch, urls=(f"{server.url}/some/where.txt",))
    assert_fetched(sealed)
    assert_fetched(sealed)
    assert server.requests == ["/some/where.txt"], "what is there is not fetched again"


@pytest.mark.parametrize(
    ("body", "status", "claim", "reason"),
    [
        (PARTIAL, 200, None, "5,000 bytes instead of"),
        (WRONG, 200, None, "sha256"),
        (CONTENT + b"more", 200, None, "more than"),
        (PARTIAL, 200, len(CONTENT), "IncompleteRead"),
        (b"", 200, None, "0 bytes instead of"),
        (CONTENT, 404, None, "404"),
        (CONTENT, 503, None, "503"),
    ],
    ids=["truncated", "corrupted", "longer", "stops half-way", "empty", "404", "503"],
)
@pytest.mark.filterwarnings("ignore::zerotohero.data.DataWarning")
def test_bad_server(sealed, server, monkeypatch, body, status, claim, reason) -> None:
    server.answer = lambda request: reply(request, body, status=status, claim=claim)
    register(monkeypatch, urls=(server.url,))
    assert_refused(sealed, server.url, reason)


def test_server_that_does_not_answer(sealed, server, monkeypatch) -> None:
    done = threading.Event()
    server.answer = lambda request: done.wait(30)
    monkeypatch.setattr(sources, "READ", 0.2)
    register(monkeypatch, urls=(server.url,))
    try:
        assert_refused(sealed, "timed out")
    finally:
        done.set()


def test_no_network_at_all(sealed, monkeypatch) -> None:
    register(monkeypatch, wheel=("zerotohero-no-such-wheel==1.0", "x.txt"))
    assert_refused(sealed, CLOSED, "zerotohero-no-such-wheel==1.0", "No matching distribution")


# -- mirrors ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "file", "http"])
def test_mirror(sealed, server, monkeypatch, kind) -> None:
    folder = sealed.root / "a mirror"
    folder.mkdir()
    (folder / "tiny.txt").write_bytes(CONTENT)
    server.answer = lambda request: reply(request, CONTENT)
    mirror = {"folder": str(folder), "file": folder.as_uri(), "http": f"{server.url}/base/"}[kind]
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", mirror)
    assert_fetched(sealed)
    assert server.requests == (["/base/tiny.txt"] if kind == "http" else [])


def test_wrong_file_in_mirror_is_reported_and_the_next_source_tried(
    sealed, server, monkeypatch
) -> None:
    (sealed.links / "tiny.txt").write_bytes(WRONG)
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(sealed.links))
    server.answer = lambda request: reply(request, CONTENT)
    register(monkeypatch, urls=(server.url,))
    with pytest.warns(data.DataWarning, match=r"mirror .* is wrong, sha256"):
        assert_fetched(sealed)
    assert (sealed.links / "tiny.txt").read_bytes() == WRONG, "a mirror is not ours to change"


def test_wrong_mirror_alone(sealed, monkeypatch) -> None:
    (sealed.links / "tiny.txt").write_bytes(PARTIAL)
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(sealed.links))
    with pytest.warns(data.DataWarning):
        assert_refused(sealed, str(sealed.links), "5,000 bytes instead of", CLOSED)


@pytest.mark.parametrize(
    ("mirror", "reason"),
    [("nowhere", "no such folder"), (".", "is not in it"), ("ftp://host/x", "must be a folder")],
)
def test_mirror_without_the_file(sealed, monkeypatch, mirror, reason) -> None:
    monkeypatch.chdir(sealed.root)
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", mirror)
    assert_refused(sealed, f"mirror {mirror}", reason)


# -- wheels -------------------------------------------------------------------


def build_wheel(folder: Path, content: bytes) -> None:
    """Write the smallest wheel that pip accepts, with `content` as tinydata/tiny.txt."""
    info = "tinydata-1.0.dist-info"
    with zipfile.ZipFile(folder / "tinydata-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinydata/tiny.txt", content)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_wheel(sealed, monkeypatch) -> None:
    build_wheel(sealed.links, CONTENT)
    register(monkeypatch, wheel=("tinydata==1.0", "tinydata/tiny.txt"))
    assert_fetched(sealed)


@pytest.mark.parametrize(
    ("content", "member", "reason"),
    [
        (CONTENT, "tinydata/other.txt", "does not contain"),
        (PARTIAL, "tinydata/tiny.txt", "5,000 bytes instead of"),
        (WRONG, "tinydata/tiny.txt", "is wrong, "),
    ],
)
@pytest.mark.filterwarnings("ignore::zerotohero.data.DataWarning")
def test_bad_wheel(sealed, monkeypatch, content, member, reason) -> None:
    build_wheel(sealed.links, content)
    register(monkeypatch, wheel=("tinydata==1.0", member))
    assert_refused(sealed, "tinydata==1.0", reason)


def test_python_without_pip(sealed, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", str(sealed.root / "no-python"))
    register(monkeypatch, wheel=("tinydata==1.0", "tinydata/tiny.txt"))
    assert_refused(sealed, "pip did not finish")


# -- the store ----------------------------------------------------------------


def mirror_with_the_file(sealed: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    (sealed.links / "tiny.txt").write_bytes(CONTENT)
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(sealed.links))


def test_damaged_file_is_kept_aside_and_fetched_again(sealed, monkeypatch) -> None:
    mirror_with_the_file(sealed, monkeypatch)
    sealed.cache.mkdir()
    for damage in (WRONG, PARTIAL):
        sealed.final.write_bytes(damage)
        with pytest.warns(data.DataWarning, match=r"tiny\.txt.* kept as tiny\.txt\.damaged-"):
            assert data.fetch("tiny").read_bytes() == CONTENT
    assert {path.read_bytes() for path in sealed.cache.iterdir()} == {CONTENT, WRONG, PARTIAL}


def test_damaged_file_without_a_source(sealed) -> None:
    sealed.cache.mkdir()
    sealed.final.write_bytes(WRONG)
    with pytest.warns(data.DataWarning), pytest.raises(data.DataError, match="damaged-"):
        data.fetch("tiny")
    assert [path.read_bytes() for path in sealed.cache.iterdir()] == [WRONG]


def test_file_that_another_process_repaired_is_left_alone(sealed) -> None:
    sealed.cache.mkdir()
    sealed.final.write_bytes(CONTENT)
    store.write_verified(sealed.final, CONTENT, dataset())
    assert listing(sealed.cache) == ["tiny.txt"]


def test_disk_full(sealed, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    mirror_with_the_file(sealed, monkeypatch)
    monkeypatch.setattr(os, "fsync", full)
    assert_refused(sealed, "No space left on device", "could not be stored")


@pytest.mark.parametrize("obstacle", ["a file above", "a folder instead", "no permission"])
def test_cache_that_cannot_be_written_to(sealed, server, monkeypatch, obstacle) -> None:
    """The file is fetched once, and usable until the process ends; `fetch_all` has to store it."""
    if obstacle == "a file above":
        sealed.cache.write_bytes(b"")
    elif obstacle == "a folder instead":
        sealed.final.mkdir(parents=True)
    else:

        def refuse(path: Path, _: bytes) -> None:  # root may write everywhere
            if path == sealed.final:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            path.write_bytes(CONTENT)

        monkeypatch.setattr(store, "write_atomically", refuse)
    server.answer = lambda request: reply(request, CONTENT)
    register(monkeypatch, urls=(server.url,))
    for _ in range(2):
        with pytest.warns(data.DataWarning, match="cannot be written to"):
            path = data.fetch("tiny")
        assert path.read_bytes() == CONTENT
        assert not path.is_relative_to(sealed.root)
    with pytest.raises(data.DataError, match="could not be stored") as caught:
        data.fetch_all(["tiny"])
    assert "ZEROTOHERO_CACHE" in str(caught.value)
    assert len(server.requests) == 1
    assert not sealed.final.is_file()


def test_order_of_folders(sealed, monkeypatch) -> None:
    """data/ is read first; ZEROTOHERO_CACHE is written instead; without it, data/ is written."""
    mirror_with_the_file(sealed, monkeypatch)
    checkout, platform = sealed.root / "data", sealed.root / "platform"
    monkeypatch.setattr(store, "checkout_data", lambda: checkout)
    monkeypatch.setattr(store.platformdirs, "user_cache_path", lambda *_, **__: platform)
    assert data.fetch("tiny") == sealed.final
    monkeypatch.delenv("ZEROTOHERO_CACHE")
    assert data.fetch("tiny") == checkout / "tiny.txt"
    monkeypatch.setenv("ZEROTOHERO_CACHE", str(sealed.cache))
    assert data.fetch("tiny") == checkout / "tiny.txt"


def test_checkout_that_cannot_be_written_to(sealed, monkeypatch) -> None:
    mirror_with_the_file(sealed, monkeypatch)
    (sealed.root / "file").write_bytes(b"")
    platform = sealed.root / "platform"
    monkeypatch.setattr(store, "checkout_data", lambda: sealed.root / "file" / "data")
    monkeypatch.setattr(store.platformdirs, "user_cache_path", lambda *_, **__: platform)
    monkeypatch.delenv("ZEROTOHERO_CACHE")
    assert data.fetch("tiny") == platform / "tiny.txt"
    assert data.fetch("tiny").read_bytes() == CONTENT


@pytest.mark.parametrize("damaged", [False, True])
def test_two_processes_at_once(sealed, server, damaged) -> None:
    """The server answers only when both have asked, so that neither finds the other's file."""
    both = threading.Barrier(2, timeout=30)

    def answer(request) -> None:
        both.wait()
        reply(request, CONTENT)

    server.answer = answer
    if damaged:
        sealed.cache.mkdir()
        sealed.final.write_bytes(WRONG)
    known = dataset(urls=(server.url,))
    script = (
        "from zerotohero.data import fetch, registry, store\n"
        "from zerotohero.data.registry import Dataset\n"
        "store.checkout_data = lambda: None\n"
        f"registry.REGISTRY['tiny'] = {known!r}\n"
        "print(len(fetch('tiny').read_bytes()))\n"
    )
    package = Path(data.__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(package)}
    command = [sys.executable, "-c", script]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=60)[0] for process in running] == [f"{len(CONTENT)}\n"] * 2
    assert sealed.final.read_bytes() == CONTENT
    aside = sorted(path.read_bytes() for path in sealed.cache.glob("*damaged*"))
    assert aside == ([WRONG] if damaged else [])
    assert len(listing(sealed.cache)) == 1 + damaged
