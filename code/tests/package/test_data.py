"""The data sets as the chapters see them, the registry's figures, the editions, the command."""

import hashlib
import inspect
import os
import re
import socket
import subprocess
import warnings
from pathlib import Path

import pytest
from conftest import CONTENT, dataset, listing, reply

from zerotohero import data
from zerotohero.data import __main__ as command
from zerotohero.data import fetching, registry, store

MIRROR = os.environ.get("ZEROTOHERO_DATA_MIRROR")  # before `sealed` takes it away
EMBEDDED = Path(data.__file__).with_name("names-ssa-2018.txt")

# Published with the lectures' repositories, and in tiktoken's own source.
PUBLISHED = {
    "names": "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
    "tinyshakespeare": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "gpt2_vocab_bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    "gpt2_encoder_json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
}


def two_editions(monkeypatch: pytest.MonkeyPatch, root: Path, **fields: object) -> None:
    """Give `names` a lecture's edition a, b, c and an embedded edition x, y in ``root/share``."""
    (root / "share").mkdir()
    (root / "share" / "embedded.txt").write_bytes(b"x\ny\n")
    embedded = dataset(b"x\ny\n", name="names", file="embedded.txt", urls=(), lines=2)
    known = {"name": "names", "file": "names.txt", "lines": 3, "embedded": embedded}
    monkeypatch.setitem(registry.REGISTRY, "names", dataset(b"a\nb\nc", **(known | fields)))
    monkeypatch.setattr(store, "embedded_path", lambda other: root / "share" / other.file)


# -- registry -----------------------------------------------------------------


def test_registry_checksums() -> None:
    assert {name: known.sha256 for name, known in registry.REGISTRY.items()} == PUBLISHED


def test_tokenizers_are_those_that_tiktoken_asks_for() -> None:
    source = inspect.getsource(pytest.importorskip("tiktoken_ext.openai_public"))
    for name in fetching.FOR_TIKTOKEN:
        known = registry.REGISTRY[name]
        assert f'"{known.urls[0]}"' in source
        assert known.sha256 in source


@pytest.mark.parametrize("function", [data.fetch, data.edition])
def test_unknown_name(function) -> None:
    with pytest.raises(data.DataError, match=r"unknown data set 'wrong'; known: names, tinysh"):
        function("wrong")


# -- editions -----------------------------------------------------------------


def test_embedded_edition() -> None:
    names = EMBEDDED.read_text(encoding="utf-8").split("\n")
    assert names.pop() == "", "the file ends with a line end"
    assert (len(names), len(set(names))) == (32257, 29693)
    assert sum(len(name) + 1 for name in names) == 229804  # bigrams, with the ends
    assert names[:3] == ["emma", "olivia", "ava"]
    assert set("".join(names)) == set("abcdefghijklmnopqrstuvwxyz")
    known = registry.REGISTRY["names"].embedded
    assert known is not None
    assert known.sha256 == hashlib.sha256(EMBEDDED.read_bytes()).hexdigest()
    assert (known.size, known.lines) == (EMBEDDED.stat().st_size, 32257)


def test_lecture_names(sealed, monkeypatch) -> None:
    two_editions(monkeypatch, sealed.root)
    (sealed.links / "names.txt").write_bytes(b"a\nb\nc")
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(sealed.links))
    with warnings.catch_warnings(action="error"):
        assert data.names() == ["a", "b", "c"]
        assert data.edition("names") == "lecture"


def test_embedded_names_stand_in_and_are_remembered(sealed, server, monkeypatch) -> None:
    two_editions(monkeypatch, sealed.root, urls=(server.url,))
    server.answer = lambda request: reply(request, b"", status=404)
    with pytest.warns(data.EditionWarning, match=data.EditionWarning.PREFIX) as caught:
        assert data.names() == ["x", "y"]
    assert caught[0].filename == __file__, "the warning points at the caller"
    assert data.edition("names") == "embedded"
    with warnings.catch_warnings(action="error"):  # it was said already
        assert data.names() == ["x", "y"]
        assert len(server.requests) == 1, "the network is asked once a process"
        assert data.fetch("names") == sealed.root / "share" / "embedded.txt"
    assert len(server.requests) == 2, "fetch asks again"
    sealed.cache.mkdir()
    (sealed.cache / "names.txt").write_bytes(b"a\nb\nc")
    assert data.names() == ["a", "b", "c"]


def test_lecture_data_required(sealed, monkeypatch) -> None:
    two_editions(monkeypatch, sealed.root)
    monkeypatch.setenv("ZEROTOHERO_REQUIRE_LECTURE_DATA", "1")
    for function in (data.names, data.edition):
        with pytest.raises(data.DataError, match="ZEROTOHERO_REQUIRE_LECTURE_DATA is set"):
            function()


@pytest.mark.parametrize("content", [b"x\nz\n", None])
def test_embedded_edition_damaged_or_missing(sealed, monkeypatch, content) -> None:
    two_editions(monkeypatch, sealed.root)
    path = sealed.root / "share" / "embedded.txt"
    path.write_bytes(content) if content else path.unlink()
    with pytest.raises(data.DataError, match=r"embedded\.txt: (sha256|not there)"):
        data.names()


def test_count_of_names_is_checked(sealed, monkeypatch) -> None:
    two_editions(monkeypatch, sealed.root, lines=4)
    sealed.cache.mkdir()
    (sealed.cache / "names.txt").write_bytes(b"a\nb\nc")
    with pytest.raises(data.DataError, match="has 3 names; the registry says 4"):
        data.names()


def test_shakespeare_is_not_translated(sealed, monkeypatch) -> None:
    text = "Speak,\r\nspeak.\n\u2028É\x0c"
    known = dataset(text.encode(), name="tinyshakespeare", file="t.txt")
    monkeypatch.setitem(registry.REGISTRY, "tinyshakespeare", known)
    sealed.cache.mkdir()
    (sealed.cache / "t.txt").write_bytes(text.encode())
    assert data.shakespeare() == text
    assert data.edition("tinyshakespeare") == "lecture"


# -- tiktoken -----------------------------------------------------------------


def test_tiktoken_finds_the_files(sealed, monkeypatch) -> None:
    load = pytest.importorskip("tiktoken.load")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "as before")  # put back after the test
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(sealed.links))
    url = "https://example.invalid/{}"
    for name in fetching.FOR_TIKTOKEN:
        (sealed.links / name).write_bytes(name.encode())
        known = dataset(name.encode(), name=name, file=name, urls=(url.format(name),))
        monkeypatch.setitem(registry.REGISTRY, name, known)
    for _ in range(2):
        folder = data.tiktoken_cache()
        assert os.environ["TIKTOKEN_CACHE_DIR"] == str(folder)
        for name in fetching.FOR_TIKTOKEN:  # tiktoken's own reader; without the file it would ask
            assert load.read_file_cached(url.format(name)) == name.encode()
    assert len(listing(folder)) == 3
    damaged = next(folder.iterdir())
    damaged.write_bytes(b"damaged")
    with pytest.warns(data.DataWarning, match="kept as"):
        data.tiktoken_cache()
    assert len(listing(folder)) == 4


# -- the command --------------------------------------------------------------


@pytest.fixture
def only_tiny(sealed, monkeypatch):
    """A registry that holds nothing but the test's own data set."""
    for name in PUBLISHED:
        monkeypatch.delitem(registry.REGISTRY, name)
    return sealed


def test_listing_asks_no_network_and_changes_nothing(only_tiny, monkeypatch, capsys) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the listing used the network or started a process")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(subprocess, "run", refuse)
    assert command.main([]) == 0
    assert capsys.readouterr().out.split()[:3] == ["tiny", "lecture", "missing"]
    assert command.main(["--verify"]) == 0, "missing is not damaged"
    only_tiny.cache.mkdir()
    only_tiny.final.write_bytes(CONTENT)
    capsys.readouterr()
    assert command.main(["--verify"]) == 0
    assert capsys.readouterr().out.split() == ["tiny", "lecture", "verified", str(only_tiny.final)]
    only_tiny.final.write_bytes(CONTENT[1:])
    assert command.main(["--verify"]) == 1
    assert "damaged" in capsys.readouterr().out
    assert command.main([]) == 0
    assert listing(only_tiny.cache) == ["tiny.txt"]


def test_fetch_command(only_tiny, monkeypatch, capsys) -> None:
    with pytest.raises(SystemExit):
        command.main(["--fetch", "tiny", "nonsense"])
    assert re.search("error: .*'nonsense' .*tiny.*all", capsys.readouterr().err)
    assert command.main(["--fetch", "tiny"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: tiny.txt is not available.\nExpected: 18,890 bytes")
    assert "Looked for it in:" in shown
    (only_tiny.links / "tiny.txt").write_bytes(CONTENT)
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(only_tiny.links))
    assert command.main(["--fetch", "all", "--verify"]) == 0
    assert capsys.readouterr().out.split()[-1] == str(only_tiny.final)


def test_fetch_command_says_when_an_edition_stands_in(only_tiny, monkeypatch, capsys) -> None:
    two_editions(monkeypatch, only_tiny.root)
    assert command.main(["--fetch", "names"]) == 1, "the lecture's edition was asked for"
    shown = capsys.readouterr().out
    assert "names: embedded edition" in shown
    assert "the lecture's edition is not available" in shown
    (only_tiny.links / "names.txt").write_bytes(b"a\nb\nc")
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(only_tiny.links))
    assert command.main(["--fetch", "names"]) == 0
    monkeypatch.delenv("ZEROTOHERO_DATA_MIRROR")
    (only_tiny.cache / "names.txt").unlink()
    monkeypatch.setenv("ZEROTOHERO_REQUIRE_LECTURE_DATA", "1")
    assert command.main(["--fetch", "names"]) == 1


# -- the real sources ---------------------------------------------------------
