"""What the book's build relies on: data sets brought beforehand, then read without a network."""

import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from conftest import CONTENT, dataset, listing, reply
from test_data import two_editions

from zerotohero import data
from zerotohero.data import __main__ as command
from zerotohero.data import fetching, registry, sources

PACKAGE = Path(data.__file__).parents[2]


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a source was asked")

    monkeypatch.setenv("ZEROTOHERO_OFFLINE", "1")
    for source in ("from_url", "from_wheel", "from_mirror"):
        monkeypatch.setattr(sources, source, refuse)


# -- fetch_all ----------------------------------------------------------------


def test_fetch_all_in_order(sealed, server, monkeypatch, capsys) -> None:
    two_editions(monkeypatch, sealed.root)
    server.answer = lambda request: reply(request, CONTENT)
    monkeypatch.setitem(registry.REGISTRY, "tiny", dataset(urls=(server.url,)))
    said: list[str] = []
    with warnings.catch_warnings(action="error"):
        found = data.fetch_all(["tiny", "names", "tiny"], said.append)
    assert list(found.items()) == [("tiny", "lecture"), ("names", "embedded")]
    assert said[:2] == [f"tiny: from {server.url}", "tiny: lecture edition, 18,890 bytes, verified"]
    assert said[3] == "names: embedded edition, 4 bytes, verified"
    assert listing(sealed.cache) == ["tiny.txt"]
    said.clear()
    data.fetch_all(["tiny"], said.append)
    assert said == ["tiny: lecture edition, 18,890 bytes, verified"]
    assert capsys.readouterr() == ("", "")


def test_fetch_all_says_what_else_is_warned_of(sealed, server, monkeypatch) -> None:
    server.answer = lambda request: reply(request, CONTENT)
    monkeypatch.setitem(registry.REGISTRY, "tiny", dataset(urls=(server.url,)))
    sealed.cache.mkdir()
    sealed.final.write_bytes(CONTENT[1:])
    said: list[str] = []
    with warnings.catch_warnings(action="error"):
        data.fetch_all(["tiny"], said.append)
    assert any("damaged-" in line for line in said)


def test_fetch_all_without_a_source(sealed) -> None:
    with pytest.raises(data.DataError, match=r"tiny\.txt is not available"):
        data.fetch_all(["tiny"])


def test_fetch_all_looks_at_the_names_first(sealed, server, monkeypatch) -> None:
    server.answer = lambda request: reply(request, CONTENT)
    monkeypatch.setitem(registry.REGISTRY, "tiny", dataset(urls=(server.url,)))
    with pytest.raises(data.DataError, match=r"'wrong'; known: .*tinyshakespeare"):
        data.fetch_all(["tiny", "wrong"])
    assert server.requests == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("output", [Terminal, io.StringIO])
def test_percentage_in_a_terminal_only(sealed, server, monkeypatch, output) -> None:
    def answer(request) -> None:
        reply(request, CONTENT[:9000], claim=len(CONTENT))
        request.wfile.flush()
        request.wfile.write(CONTENT[9000:])

    server.answer = answer
    monkeypatch.setitem(registry.REGISTRY, "tiny", dataset(urls=(server.url,)))
    monkeypatch.setattr(fetching, "BIG", len(CONTENT))
    monkeypatch.setattr(sys, "stdout", output())
    data.fetch_all(["tiny"])
    shown = sys.stdout.getvalue()
    assert ("\r100 %" in shown) == (output is Terminal)
    assert shown.splitlines()[-1] == "tiny: lecture edition, 18,890 bytes, verified"
    if output is io.StringIO:
        assert "\r" not in shown


def test_percentage_of_a_source_that_fails_is_wiped_out(sealed, server, monkeypatch) -> None:
    def answer(request) -> None:
        reply(request, CONTENT if request.path == "/2" else CONTENT[:9000], claim=len(CONTENT))

    server.answer = answer
    urls = (f"{server.url}/1", f"{server.url}/2")
    monkeypatch.setitem(registry.REGISTRY, "tiny", dataset(urls=urls))
    monkeypatch.setattr(fetching, "BIG", len(CONTENT))
    monkeypatch.setattr(sys, "stdout", Terminal())
    data.fetch_all(["tiny"])
    lines = sys.stdout.getvalue().split("\n")
    assert [line.rpartition("\r")[2] for line in lines[:2]] == [f"tiny: from {u}" for u in urls]
    assert "\r 47 %" in lines[1]


# -- without a network --------------------------------------------------------


def test_offline(sealed, monkeypatch) -> None:
    """A mirror with the right file is not asked either."""
    (sealed.links / "tiny.txt").write_bytes(CONTENT)
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(sealed.links))
    with monkeypatch.context() as inner:
        offline(inner)
        with pytest.raises(data.DataError, match=r"zerotohero: data: \[tiny\]") as caught:
            data.fetch("tiny")
        assert "--fetch tiny" in str(caught.value)
        assert "ZEROTOHERO_OFFLINE" in str(caught.value)
    data.fetch("tiny")
    offline(monkeypatch)
    assert data.fetch("tiny") == sealed.final


def test_offline_with_an_embedded_edition(sealed, monkeypatch) -> None:
    two_editions(monkeypatch, sealed.root)
    (sealed.links / "names.txt").write_bytes(b"a\nb\nc")
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(sealed.links))
    with monkeypatch.context() as inner:
        offline(inner)
        assert data.edition() == "embedded"
        inner.setenv("ZEROTOHERO_REQUIRE_LECTURE_DATA", "1")
        with pytest.raises(data.DataError, match="ZEROTOHERO_OFFLINE"):
            data.edition()
    assert data.edition() == "lecture", "online again in the same process"


# -- no place to store --------------------------------------------------------


def test_content_without_a_place_to_store_it(sealed, server, monkeypatch) -> None:
    (sealed.root / "file").write_bytes(b"")
    monkeypatch.setenv("ZEROTOHERO_CACHE", str(sealed.root / "file" / "below"))
    server.answer = lambda request: reply(request, b"a\nb\nc")
    two_editions(monkeypatch, sealed.root, urls=(server.url,))
    for _ in range(2):
        assert data.names() == ["a", "b", "c"]
    assert data.edition() == "lecture"
    assert len(server.requests) == 1, "it is remembered"
    text = dataset(b"text", name="tinyshakespeare", file="t.txt")
    monkeypatch.setitem(registry.REGISTRY, "tinyshakespeare", text)
    (sealed.links / "t.txt").write_bytes(b"text")
    monkeypatch.setenv("ZEROTOHERO_DATA_MIRROR", str(sealed.links))
    assert data.shakespeare() == "text"


# -- the warning, where a process of its own shows it --------------------------

SCRIPT = (
    "from zerotohero import data; data.store.folders = lambda: []\n"  # the lecture's may be there
    "first = data.names()\n"
    "print(len(first), len(data.names()))"
)


def embedded_only(folder: Path, code: list[str], **settings: str) -> tuple[str, str]:
    """Run Python where only the embedded edition is available; return its two outputs."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ZEROTOHERO_")}
    environment |= {
        "PYTHONPATH": str(PACKAGE),
        "ZEROTOHERO_CACHE": str(folder / "cache"),
        "ZEROTOHERO_OFFLINE": "1",
        "IPYTHONDIR": str(folder / "ipython"),
    }
    done = subprocess.run(
        [sys.executable, *code], env=environment | settings, capture_output=True, text=True
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("runner", [["-c"], ["-m", "IPython", "--no-banner", "-c"]])
def test_warning_is_shown_once_and_can_be_silenced(tmp_path, runner) -> None:
    if "IPython" in runner:
        pytest.importorskip("IPython")
    output, shown = embedded_only(tmp_path, [*runner, SCRIPT])
    shown += output  # IPython may show a warning there
    assert shown.count(data.EditionWarning.PREFIX) == 1
    assert str(tmp_path) not in shown
    assert not set(data.EditionWarning.PREFIX) & set(":,")
    silence = f"ignore:{data.EditionWarning.PREFIX}:UserWarning"
    output, shown = embedded_only(tmp_path, [*runner, SCRIPT], PYTHONWARNINGS=silence)
    assert (output, shown) == ("32257 32257\n", "")


# -- the command --------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_reader_that_has_seen_enough(tmp_path, unbuffered) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "zerotohero.data", "--verify"],
        env=os.environ | {"PYTHONPATH": str(PACKAGE), "PYTHONUNBUFFERED": unbuffered},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    assert done.stderr == ""


def test_help_is_written_for_a_terminal(capsys) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    assert "``" not in capsys.readouterr().out
