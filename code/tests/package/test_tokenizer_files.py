"""Model files: what is written comes back, and every damage is refused, by file and line."""

import hashlib
import json
import os
import re
from pathlib import Path

import damaged_files
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer, files

TEXT = "low lower lowest, new newer newest, wide wider widest\n" * 3
SPECIAL = {"<|endoftext|>": 300, "a b\nc\u2028": 7000, '"\\': 301, "😉": 302}


def trained(kind: type = RegexTokenizer):
    tokenizer = kind()
    tokenizer.train(TEXT, 270)
    tokenizer.register_special_tokens(SPECIAL)
    return tokenizer


@pytest.fixture
def model(tmp_path: Path) -> Path:
    trained().save(tmp_path / "m")
    return tmp_path / "m.model"


def refused(path: Path, line: int, message: str = "") -> None:
    """Loading must name file and line, and leave the tokenizer as it was."""
    tokenizer = trained()
    before = (dict(tokenizer.merges), dict(tokenizer.special_tokens), tokenizer.pattern)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}, line {line}: .*{message}"):
        tokenizer.load(path)
    assert (tokenizer.merges, tokenizer.special_tokens, tokenizer.pattern) == before
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT


def signed(path: Path, content: str) -> Path:
    """Write a model file with a right checksum, whatever else it holds."""
    checksum = hashlib.sha256(content.encode()).hexdigest()
    path.write_bytes(f"{content}sha256 {checksum}\n".encode())
    return path


# -- there and back ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [BasicTokenizer, RegexTokenizer])
@pytest.mark.parametrize("as_type", [str, Path])
def test_there_and_back(tmp_path: Path, kind: type, as_type: type) -> None:
    tokenizer = trained(kind)
    tokenizer.save(as_type(tmp_path / "m"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.model", "m.vocab"]
    again = kind()
    assert again.load(as_type(tmp_path / "m.model")) is None
    assert list(again.merges.items()) == list(tokenizer.merges.items())
    assert again.vocab == tokenizer.vocab
    assert again.special_tokens == SPECIAL
    assert again.pattern == tokenizer.pattern
    text = "lowest <|endoftext|>newest"
    assert again.encode(text, "all") == tokenizer.encode(text, "all")


@settings(deadline=None, max_examples=60)
@given(
    st.text(max_size=30),
    st.dictionaries(st.text(min_size=1).filter(lambda t: t.isprintable()), st.integers(1000, 1100)),
    st.sampled_from([r"(?s:.)", "(?s).+", '[\\s\\S]"?', "\\n|(?s:.)"]),
)
def test_any_tokenizer_comes_back(tmp_path_factory, text: str, special, pattern: str) -> None:
    tokenizer = RegexTokenizer(pattern)
    tokenizer.train(text, 256)
    tokenizer.register_special_tokens({token: 1000 + i for i, token in enumerate(special)})
    prefix = tmp_path_factory.mktemp("any") / "m"
    tokenizer.save(prefix)
    again = RegexTokenizer()
    again.load(f"{prefix}.model")
    assert again.pattern == pattern
    assert again.special_tokens == tokenizer.special_tokens
    assert again.encode(text, "none") == tokenizer.encode(text, "none")


def test_the_format(model: Path) -> None:
    lines = model.read_text(encoding="utf-8").split("\n")
    tokenizer = trained()
    assert lines[0] == "zerotohero tokenizer v1"
    assert json.loads(lines[1].removeprefix("pattern ")) == tokenizer.pattern
    assert lines[2] == "special tokens 4"
    assert lines[3] == '"<|endoftext|>" 300'
    assert lines[7] == "merges 14"
    assert [tuple(map(int, line.split())) for line in lines[8:22]] == list(tokenizer.merges)
    content = "\n".join(lines[:22]) + "\n"
    assert lines[22:] == [f"sha256 {hashlib.sha256(content.encode()).hexdigest()}", ""]


def test_the_vocabulary_is_written_to_look_at(tmp_path: Path) -> None:
    tokenizer = BasicTokenizer()
    tokenizer.train("a\n\na\n\n", 258)
    tokenizer.register_special_tokens({"<|x|>": 258})
    tokenizer.save(tmp_path / "m")
    lines = (tmp_path / "m.vocab").read_text(encoding="utf-8").split("\n")
    assert lines[ord("a")] == "[a] 97"
    assert lines[10] == r"[\u000a] 10"
    assert lines[200] == "[\ufffd] 200"
    assert lines[256:] == [
        r"[a][\u000a] -> [a\u000a] 256",
        r"[a\u000a][\u000a] -> [a\u000a\u000a] 257",
        "[<|x|>] 258",
        "",
    ]


@pytest.mark.parametrize("name", ["m.model", "m.vocab"])
def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch, name: str) -> None:
    trained().save(tmp_path / "m")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    replace = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if target.name == name:
            raise OSError(28, "no space left")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        trained().save(tmp_path / "m")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(FileNotFoundError):
        trained().save(tmp_path / "nowhere" / "m")
    with pytest.raises(FileNotFoundError):
        trained().load(tmp_path / "nothing.model")


# -- damaged files -----------------------------------------------------------------------------


def test_truncated_anywhere(model: Path) -> None:
    content = model.read_bytes()
    for size in range(len(content)):
        model.write_bytes(content[:size])
        refused(model, content[:size].count(b"\n") + 1)


def test_altered_anywhere(model: Path) -> None:
    content = model.read_bytes()
    last = content.count(b"\n")
    for position, old in enumerate(content):
        new = (ord("7"), ord("\n"), 0xFF)[position % 3]
        if new != old:
            model.write_bytes(content[:position] + bytes([new]) + content[position + 1 :])
            with pytest.raises(ValueError, match=rf"^{re.escape(str(model))}, line \d+: ") as found:
                RegexTokenizer().load(model)
            assert int(re.search(r"line (\d+): ", str(found.value))[1]) <= last + 1


def test_lines_removed_doubled_swapped(model: Path) -> None:
    lines = model.read_bytes().splitlines(keepends=True)
    for i in range(len(lines)):
        model.write_bytes(b"".join(lines[:i] + lines[i + 1 :]))
        with pytest.raises(ValueError, match=r"m\.model, line \d+: "):
            RegexTokenizer().load(model)
        model.write_bytes(b"".join([*lines[:i], lines[i], *lines[i:]]))
        with pytest.raises(ValueError, match=r"m\.model, line \d+: "):
            RegexTokenizer().load(model)
    model.write_bytes(b"".join([*lines[:9], lines[10], lines[9], *lines[11:]]))
    refused(model, len(lines), "the checksum is wrong")
    model.write_bytes(b"".join([*lines, b"1 2\n"]))
    refused(model, len(lines) + 1, "expected the end of the file")
    model.write_bytes(b"".join(lines).replace(b"\n", b"\r\n"))
    refused(model, 1, re.escape(r"got 'zerotohero tokenizer v1\r'"))


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 1, "the file ends before this line"),
        (b"\n", 1, "expected 'zerotohero tokenizer v1' or 'minbpe v1', got ''"),
        (b"#version: 0.2\n\xc4\xa0 t\n", 1, "got '#version: 0.2'"),
        (b"\x89PNG\r\n\x1a\n\0\0", 1, "byte 0 is not UTF-8"),
        (b"zerotohero tokenizer v2\n", 1, "got 'zerotohero tokenizer v2'"),
        (b"minbpe v2\n", 1, "got 'minbpe v2'"),
    ],
)
def test_foreign_and_future_files(tmp_path: Path, content: bytes, line: int, message: str) -> None:
    path = tmp_path / "other.model"
    path.write_bytes(content)
    refused(path, line, re.escape(message))


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (["pattern"], 2, "expected 'pattern ...', got 'pattern'"),
        (["pattern x"], 2, "expected a JSON string, got 'x'"),
        (["pattern 3"], 2, "expected a JSON string, got '3'"),
        ([r'pattern "\ud800"'], 2, "expected a JSON string"),
        (['pattern "("', "special tokens 0", "merges 0"], 2, "is not a regular expression"),
        (['pattern ""', "special tokens 0", "merges 0"], 2, "use a BasicTokenizer"),
        (['pattern "."', "special 0"], 3, "expected 'special tokens ...', got 'special 0'"),
        (['pattern "."', "special tokens x"], 3, "expected a whole number up to 16,384, got 'x'"),
        (['pattern "."', "special tokens -1"], 3, "expected a whole number up to 16,384, got '-1'"),
        (['pattern "."', "special tokens ٣"], 3, "expected a whole number"),
        (['pattern "."', "special tokens " + "9" * 5000], 3, "expected a whole number"),
        (['pattern "."', "special tokens 1", '"x" 255', "merges 0"], 4, "is already taken"),
        (['pattern "."', "special tokens 1", '"" 256', "merges 0"], 4, "empty"),
        (['pattern "."', "special tokens 2", '"x" 256', '"x" 257', "merges 0"], 5, "already taken"),
        (['pattern "."', "special tokens 2", '"x" 256', '"y" 256', "merges 0"], 5, "already taken"),
        (['pattern "."', "special tokens 1", '"x" 256', "merges 1", "1 2"], 6, "special token"),
        (['pattern "."', "special tokens 0", "merges 1", "1 2 3"], 5, "the two ids of a merge"),
        (
            ['pattern "."', "special tokens 0", "merges 1", "1 x"],
            5,
            "a whole number up to 2,147,483,647, got 'x'",
        ),
        (
            ['pattern "."', "special tokens 0", "merges 1", "1 01"],
            5,
            "a whole number up to 2,147,483,647, got '01'",
        ),
        (
            ['pattern "."', "special tokens 0", "merges 1", "1 256"],
            5,
            "must be made of earlier ones",
        ),
        (['pattern "."', "special tokens 0", "merges 2", "1 2", "1 2"], 6, "merged before"),
    ],
)
def test_wrong_content_under_a_right_checksum(tmp_path, lines, line: int, message: str) -> None:
    content = "".join(f"{text}\n" for text in ["zerotohero tokenizer v1", *lines])
    refused(signed(tmp_path / "m.model", content), line, re.escape(message))


def test_a_pattern_is_not_for_a_basic_tokenizer(model: Path) -> None:
    with pytest.raises(ValueError, match=r"line 2: a BasicTokenizer does not split"):
        BasicTokenizer().load(model)


# -- files that would take too much ------------------------------------------------------------


def ours(*special: str, pairs: list[str], pattern: str = '"."') -> str:
    lines = ["zerotohero tokenizer v1", f"pattern {pattern}", f"special tokens {len(special)}"]
    lines += [*special, f"merges {len(pairs)}", *pairs]
    return "".join(f"{line}\n" for line in lines)


DOUBLING = ["97 97", *(f"{idx} {idx}" for idx in range(256, 316))]  # 612 bytes, 2**61 letters
TRIANGLE = ["97 97", *(f"{idx} 97" for idx in range(256, 256 + 20_000))]  # n tokens, n**2 / 2 bytes


@pytest.mark.parametrize(
    ("pairs", "line", "message"),
    [
        (DOUBLING, 5 + 16, "token 272 has 131,072 bytes; the limit is 65,536"),
        (TRIANGLE, 5 + 11583, "the tokens up to 11839 have more than 67,108,864 bytes"),
    ],
)
def test_merges_that_grow_without_a_limit(tmp_path, pairs, line: int, message: str) -> None:
    refused(signed(tmp_path / "m.model", ours(pairs=pairs)), line, re.escape(message))
    path = tmp_path / "minbpe.model"
    path.write_text("\n".join(["minbpe v1", ".", "0", *pairs, ""]), encoding="utf-8")
    refused(path, line - 1, re.escape(message))


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (ours(pairs=[], pattern="[" * 100_000), 2, "expected a JSON string, got '[[[["),
        (ours(pairs=[], pattern=json.dumps("(" * 5000)), 2, "nested too deeply"),
        (ours(pairs=[], pattern='"(?:a?){99999999}"'), 2, "more than 100,000 characters"),
        (ours("[" * 100_000 + " 300", pairs=[]), 4, "expected a JSON string, got '[[[["),
        (ours(pairs=[]).replace("merges 0", "merges 1048577"), 4, "a whole number up to 1,048,576"),
        (ours(pairs=[]).replace("tokens 0", "tokens 16385"), 3, "a whole number up to 16,384"),
        (ours('"x" 2147483648', pairs=[]), 4, "a whole number up to 2,147,483,647"),
    ],
)
def test_limits_of_a_file(tmp_path: Path, content: str, line: int, message: str) -> None:
    refused(signed(tmp_path / "m.model", content), line, re.escape(message))


def test_files_that_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    with path.open("wb") as file:
        file.truncate(2**25 + 1)
    with pytest.raises(ValueError, match=r"m\.model has more than 33,554,432 bytes"):
        RegexTokenizer().load(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="pipe is not a regular file"):
            RegexTokenizer().load(tmp_path / "pipe")


@pytest.mark.parametrize("form", ["ours", "minbpe"])
def test_files_that_are_damaged_at_random(tmp_path: Path, form: str) -> None:
    damaged_files.try_files(form, count=300, seed=1, folder=tmp_path)


# -- minbpe's format -----------------------------------------------------------------------------


def minbpe_lines(tokenizer) -> list[str]:
    special = [f"{token} {idx}" for token, idx in tokenizer.special_tokens.items()]
    merges = [f"{left} {right}" for left, right in tokenizer.merges]
    return ["minbpe v1", tokenizer.pattern, str(len(special)), *special, *merges]


@pytest.mark.parametrize("kind", [BasicTokenizer, RegexTokenizer])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_files_of_minbpe(tmp_path: Path, kind: type, line_end: str) -> None:
    tokenizer = kind()
    tokenizer.train(TEXT, 270)
    tokenizer.register_special_tokens({"<|endoftext|>": 300, "<|fim_prefix|>": 301})
    path = tmp_path / "minbpe.model"
    path.write_bytes("".join(line + line_end for line in minbpe_lines(tokenizer)).encode())
    again = kind()
    again.load(path)
    assert list(again.merges.items()) == list(tokenizer.merges.items())
    assert again.special_tokens == tokenizer.special_tokens
    assert again.pattern == tokenizer.pattern
    assert again.vocab == tokenizer.vocab
    text = "<|endoftext|>lowest"
    assert again.encode(text, "all") == tokenizer.encode(text, "all")


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (lambda lines: lines[:1], 2, "the file ends before this line"),
        (lambda lines: lines[:2], 3, "the file ends before this line"),
        (
            lambda lines: [*lines[:2], "x", *lines[3:]],
            3,
            "expected a whole number up to 16,384, got 'x'",
        ),
        (lambda lines: [*lines[:2], "9", *lines[3:]], 5, "is already taken"),
        (lambda lines: [*lines[:3], "<|x|>", *lines[4:]], 4, "expected a whole number"),
        (lambda lines: [*lines[:4], "1 2 3", *lines[5:]], 5, "the two ids of a merge, got '1 2 3'"),
        (lambda lines: [*lines[:4], "1 256", *lines[5:]], 5, "must be made of earlier ones"),
        (lambda lines: [*lines, ""], 19, "the two ids of a merge, got ''"),
        (lambda lines: [*lines, lines[-1]], 19, "merged before"),
    ],
)
def test_damaged_files_of_minbpe(tmp_path: Path, change, line: int, message: str) -> None:
    tokenizer = RegexTokenizer()
    tokenizer.train(TEXT, 270)
    tokenizer.register_special_tokens({"<|endoftext|>": 300})
    path = tmp_path / "minbpe.model"
    path.write_bytes("".join(f"{text}\n" for text in change(minbpe_lines(tokenizer))).encode())
    refused(path, line, re.escape(message))
    path.write_bytes("\n".join(minbpe_lines(tokenizer)).encode())
    refused(path, 18, "the file ends within this line")


def test_render_token() -> None:
    assert files.render_token("a é\t\x1b\u200d😉".encode()) == "a é\\u0009\\u001b\\u200d😉"
    assert files.render_token(b"\xf0\x9f") == "\ufffd"
