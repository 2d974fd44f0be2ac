"""``python -m zerotohero.tokenizer``: training, and a pipe from text to ids and back."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizer_texts import TEXTS, command
from tokenizer_texts import run as run

import zerotohero
from zerotohero import data
from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer, tokenizers

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
    assert f"error: {tmp_path / 'm.vocab'} exists: choose another name" in done.err
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
        (("train", text_file, "--vocab-size", 255, *out), b"", "--vocab-size must be from 256 to"),
        (("train", text_file, "--vocab-size", 10**12, *out), b"", "--vocab-size must be from 256"),
        (("train", "-", "--vocab-size", 300, *out), b"ab", "too large for this text"),
        (
            ("train", "-", "--vocab-size", 300, *out),
            b"ab\xff",
            "standard input: byte 2 is not UTF-8",
        ),
        (
            ("train", text_file, "--vocab-size", 300, "--pattern", "(", *out),
            b"",
            "not a regular expr",
        ),
        (("train", text_file, "--vocab-size", 300, "--pattern=", *out), b"", "pass --basic"),
        (("train", "-", "--vocab-size", 256, r"--pattern=\w", *out), b"a b", "leaves out or moves"),
        (("train", "-", "--vocab-size", 256, "--pattern=(?r).", *out), b"ab", "leaves out or mo"),
        (("encode", "--model", tmp_path / "no.model"), b"", "no such file"),
        (("encode", "--model", "gpt4o"), b"", "the known names are gpt2 and gpt4"),
        (("encode", "--model", tmp_path), b"", "Is a directory"),
        (("encode", "--model", text_file), b"", "line 1: expected 'zerotohero tokenizer v1'"),
        (("encode", "--model", model), b"\xff", "standard input: byte 0 is not UTF-8"),
        (
            ("decode", "--model", model),
            b"1 x",
            "expected a whole number up to 2,147,483,647, got 'x'",
        ),
        (
            ("decode", "--model", model),
            b"1 -1",
            "expected a whole number up to 2,147,483,647, got '-1'",
        ),
        (("decode", "--model", model), b"1 9999", "ids[1] is 9999, which is not the id of a token"),
    ):
        done = run(*arguments, stdin=stdin)
        assert (done.code, done.out) == (1, b""), arguments
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1
        assert message in done.err
        assert not (tmp_path / "x.model").exists()
    for wrong in (
        ("encode",),
        (),
        ("train", text_file),
        ("encode", "--model", model, "--special", "x"),
    ):
        assert run(*wrong).code == 2


def test_messages_are_in_the_words_of_the_command(run, tmp_path: Path) -> None:
    tokenizer = BasicTokenizer()
    tokenizer.register_special_tokens({"<|end|>": 256, "<|a|>": 257})
    tokenizer.save(tmp_path / "m")
    encode = ("encode", "--model", tmp_path / "m.model")
    done = run(*encode, stdin=b"x<|a|><|end|>")
    assert (done.code, done.out) == (1, b"")
    assert done.err == (
        "error: the text contains the special token '<|a|>': to encode it as such, pass "
        "--special all; as other text, --special none\n"
    )
    assert run(*encode, "--special", "all", stdin=b"x<|a|><|end|>").out == b"120 257 256\n"
    assert run(*encode, "--special", "none", stdin=b"<|").out == b"60 124\n"
    assert run("decode", "--model", tmp_path / "m.model", stdin=b"257 97").out == b"<|a|>a"


@pytest.mark.parametrize("out", ["no/such/dir/m", "a file/m", "m/", "", "..", "taken", "x" * 250])
def test_the_output_is_checked_before_the_work(run, tmp_path: Path, monkeypatch, out: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file").write_bytes(b"")
    (tmp_path / "m").mkdir()
    (tmp_path / "taken.vocab").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for overwrite in ([], ["--overwrite"]):
        done = run("train", "missing.txt", "--vocab-size", 300, "--out", out, *overwrite)
        assert done.code == 1
        assert "missing.txt" not in done.err, "it has not looked at the text yet"
        assert re.search(r"--out|taken\.vocab is a folder|x\.model: File name too long", done.err)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_is_not_writable(run, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = run("train", "missing.txt", "--vocab-size", 300, "--out", tmp_path / "m")
    tmp_path.chmod(0o700)
    assert "is not writable" in done.err


def test_a_byte_order_mark(run, tmp_path: Path) -> None:
    """Training leaves it out; encode and decode change no byte."""
    text = b"\xef\xbb\xbfab ab"
    for name, content in (("with", text), ("without", text[3:])):
        run("train", "-", "--vocab-size", 257, "--out", tmp_path / name, stdin=content)
    model = tmp_path / "with.model"
    assert model.read_bytes() == (tmp_path / "without.model").read_bytes()
    encoded = run("encode", "--model", model, stdin=text)
    assert encoded.out == b"239 187 191 256 32 256\n"
    assert run("decode", "--model", model, stdin=encoded.out).out == text


def test_ctrl_c_ends_quietly(run, tmp_path: Path, monkeypatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RegexTokenizer, "train", interrupt)
    done = run("train", "-", "--vocab-size", 300, "--out", tmp_path / "m", stdin=b"abc")
    assert (done.code, done.out, done.err) == (130, b"", "interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_a_pattern_that_never_ends(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tokenizers, "SPLIT_SECONDS", 0.1)
    RegexTokenizer(r"(?:a|a)+[bc]|(?s:.)").save(tmp_path / "m")
    done = run("encode", "--model", tmp_path / "m.model", stdin=b"a" * 60)
    assert (done.code, done.out) == (1, b"")
    assert done.err.startswith("error: the pattern '(?:a|a)+[bc]|(?s:.)' takes more than")


def test_closed_streams(tmp_path: Path, monkeypatch, capfd) -> None:
    BasicTokenizer().save(tmp_path / "m")
    model = str(tmp_path / "m.model")
    monkeypatch.setattr(sys, "stdout", None)
    assert command.main(["decode", str(tmp_path / "m.model"), "--model", model]) == 1
    (tmp_path / "text").write_bytes(b"ab")
    assert command.main(["encode", str(tmp_path / "text"), "--model", model]) == 1
    assert capfd.readouterr().err.splitlines()[1] == "error: standard output is closed"
    monkeypatch.setattr(sys, "stdin", None)
    assert command.main(["encode", "--model", model]) == 1
    assert capfd.readouterr().err == "error: standard input is closed\n"


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
    assert running.wait() == 141
