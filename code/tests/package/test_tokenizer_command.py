"""``python -m zerotohero.tokenizer``: training, and a pipe from text to ids and back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizer_texts import TEXTS
from tokenizer_texts import run as run

import zerotohero
from zerotohero import data
from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer

TEXT = "".join(TEXTS.values()).replace("<|", "") + "line end\r\n, another\n"
COMMAND = [sys.executable, "-m", "zerotohero.tokenizer"]


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    return path


def test_train(run, text_file: Path, tmp_path: Path) -> None:
    done = run("train", text_file, "--vocab-size", 300, "--out", tmp_path / "m")
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    assert lines[-1] == f"wrote {tmp_path / 'm.model'} and {tmp_path / 'm.vocab'}"
    assert 5 <= len(lines) <= 11
    assert lines[0].startswith("merge 5 of 44: ")
    assert "s left" in lines[0]
    assert done.out == b""
    tokenizer, expected = RegexTokenizer(), RegexTokenizer()
    tokenizer.load(tmp_path / "m.model")
    expected.train(TEXT, 300)
    assert tokenizer.merges == expected.merges


def test_train_other_kinds(run, text_file: Path, tmp_path: Path) -> None:
    train = ("train", text_file, "--vocab-size", "270", "--out")
    assert run(*train, tmp_path / "basic", "--basic").code == 0
    basic = BasicTokenizer()
    basic.load(tmp_path / "basic.model")
    assert len(basic.merges) == 14
    assert run(*train, tmp_path / "regex", "--pattern", r"\s+|\S+").code == 0
    split = RegexTokenizer()
    split.load(tmp_path / "regex.model")
    assert split.pattern == r"\s+|\S+"
    assert run("train", "-", "--vocab-size", "256", "--out", tmp_path / "none").code == 0


def test_nothing_is_overwritten(run, text_file: Path, tmp_path: Path) -> None:
    train = ("train", text_file, "--vocab-size", "260", "--out", tmp_path / "m")
    (tmp_path / "m.vocab").write_bytes(b"precious")
    done = run(*train)
    assert done.code == 1
    assert f"error: {tmp_path / 'm.vocab'} is there already: choose another name" in done.err
    assert (tmp_path / "m.vocab").read_bytes() == b"precious"
    assert not (tmp_path / "m.model").exists()
    assert run(*train, "--overwrite").code == 0
    assert (tmp_path / "m.vocab").read_bytes() != b"precious"


@pytest.mark.parametrize("kind", ["--basic", "--pattern=\\s+|\\S+"])
def test_there_and_back(run, text_file: Path, tmp_path: Path, kind: str) -> None:
    run("train", text_file, "--vocab-size", 280, "--out", tmp_path / "m", kind)
    encoded = run("encode", "--model", tmp_path / "m.model", stdin=TEXT.encode())
    assert encoded.err == ""
    assert encoded.out == run("encode", text_file, "--model", tmp_path / "m.model").out
    assert encoded.out.endswith(b"\n")
    assert encoded.out.count(b"\n") == 1
    decoded = run("decode", "--model", tmp_path / "m.model", stdin=encoded.out)
    assert (decoded.code, decoded.out) == (0, TEXT.encode())


def test_decode_writes_bytes_as_they_are(run, text_file: Path, tmp_path: Path) -> None:
    run("train", text_file, "--vocab-size", 256, "--out", tmp_path / "m")
    ids = " ".join(map(str, range(256)))
    decoded = run("decode", "--model", tmp_path / "m.model", stdin=f"\n{ids}\n\n".encode())
    assert decoded.out == bytes(range(256))
    assert run("decode", "--model", tmp_path / "m.model").out == b""


def test_errors(run, text_file: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "x")
    model = tmp_path / "m.model"
    run("train", text_file, "--vocab-size", 260, "--out", tmp_path / "m")
    for arguments, stdin, message in (
        (("train", tmp_path / "no.txt", "--vocab-size", 300, *out), b"", "No such file"),
        (("train", text_file, "--vocab-size", 255, *out), b"", "must be at least 256"),
        (("train", "-", "--vocab-size", 300, *out), b"ab", "too large for this text"),
        (
            ("train", "-", "--vocab-size", 300, *out),
            b"ab\xff",
            "standard input: byte 2 is not UTF-8",
        ),
        (("train", text_file, "--vocab-size", 300, "--pattern", "(", *out), b"", "no regular expr"),
        (("encode", "--model", tmp_path / "no.model"), b"", "No such file"),
        (("encode", "--model", text_file), b"", "line 1: expected 'zerotohero tokenizer v1'"),
        (("encode", "--model", model), b"\xff", "standard input: byte 0 is not UTF-8"),
        (("decode", "--model", model), b"1 x", "id 2 must be a whole number, got 'x'"),
        (("decode", "--model", model), b"1 -1", "id 2 must be a whole number, got '-1'"),
        (("decode", "--model", model), b"1 9999", r"ids[1] is 9999, which is no token's id"),
    ):
        done = run(*arguments, stdin=stdin)
        assert (done.code, done.out) == (1, b""), arguments
        assert done.err.startswith("error: ")
        assert message in done.err
        assert not (tmp_path / "x.model").exists()
    for wrong in (
        ("encode",),
        (),
        ("train", text_file),
        ("encode", "--model", model, "--special", "x"),
    ):
        with pytest.raises(SystemExit) as caught:
            run(*wrong)
        assert caught.value.code == 2


def test_a_missing_vocabulary_is_an_error_and_no_traceback(run, monkeypatch) -> None:
    def refuse(name: str) -> None:
        raise data.DataError("vocab.bpe is not available.")

    monkeypatch.setattr(data, "fetch", refuse)
    done = run("encode", "--model", "gpt2")
    assert done.code == 1
    assert "error: vocab.bpe is not available." in done.err


def test_a_pipe_of_processes(tmp_path: Path, text_file: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(Path(zerotohero.__file__).parents[1]),
        "PYTHONIOENCODING": "ascii",  # what it writes does not depend on the terminal
    }
    options = {"env": environment, "cwd": tmp_path, "check": True}
    train = ["train", text_file, "--vocab-size", "290", "--out", "m"]
    subprocess.run([*COMMAND, *train], stderr=subprocess.DEVNULL, **options)
    encode = subprocess.Popen(
        [*COMMAND, "encode", "--model", "m.model"],
        stdin=text_file.open("rb"),
        stdout=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
    )
    decode = [*COMMAND, "decode", "--model", "m.model"]
    done = subprocess.run(decode, stdin=encode.stdout, stdout=subprocess.PIPE, **options)
    assert encode.wait() == 0
    assert done.stdout == TEXT.encode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs head")
def test_who_reads_may_stop(tmp_path: Path) -> None:
    BasicTokenizer().save(tmp_path / "m")
    (tmp_path / "long.txt").write_text("a" * 1_000_000, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(Path(zerotohero.__file__).parents[1])}
    encode = [*COMMAND, "encode", tmp_path / "long.txt", "--model", tmp_path / "m.model"]
    running = subprocess.Popen(
        encode, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.read(5) == b"97 97"
    running.stdout.close()
    assert running.stderr.read() == b""
    assert running.wait() == 1
