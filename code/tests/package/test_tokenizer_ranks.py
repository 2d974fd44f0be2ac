"""The published files of GPT-2 and GPT-4: small ones of the same form, right and wrong."""

import base64
import json
import random
import re
from pathlib import Path

import pytest

from zerotohero.tokenizer import GPT2Tokenizer, RegexTokenizer, published

SHUFFLED = list(range(256))
random.Random(8).shuffle(SHUFFLED)  # the rank of each byte


def small_ranks(*tokens: bytes) -> dict[bytes, int]:
    known = {bytes([byte]): rank for byte, rank in enumerate(SHUFFLED)}
    return known | {token: 256 + i for i, token in enumerate(tokens)}


def ranks_file(folder: Path, lines: list[bytes]) -> Path:
    path = folder / "small.tiktoken"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def gpt2_files(folder: Path, merges: list[str], tokens: dict[str, int]) -> dict[str, Path]:
    """Write files as GPT-2's, with the bytes in the order of their characters."""
    encoder = {
        character: idx
        for idx, character in enumerate(sorted(published.bytes_to_unicode().values()))
    }
    (folder / "encoder.json").write_text(json.dumps(encoder | tokens), encoding="utf-8")
    text = "".join(f"{line}\n" for line in ["#version: 0.2", *merges])
    (folder / "vocab.bpe").write_text(text, encoding="utf-8")
    return {"vocab_bpe": folder / "vocab.bpe", "encoder_json": folder / "encoder.json"}


def test_ranks_of_a_file(tmp_path: Path) -> None:
    known = small_ranks(b"ab", b"abab")
    lines = [base64.b64encode(token) + f" {rank}".encode() for token, rank in known.items()]
    path = ranks_file(tmp_path, lines)
    assert published.read_ranks(path) == known
    form = "expected a token in base 64 and its rank"
    for wrong, message in (
        *((wrong, form) for wrong in (b"YQ==", b"YQ== x", b"Y? 3", b"YQ== 3 4", b"YQ==  3", b" 3")),
        *((b"YWI= " + rank, form) for rank in (b"-5", b"+5", b"1_0", b"05", b"9999999999")),
        *((b"YWI= " + rank.encode(), form) for rank in ("٣", "9" * 5000)),
        (lines[0].split()[0] + b" 300", "is already taken"),
        (b"YWI= " + lines[0].split()[1], "is already taken"),
    ):
        ranks_file(tmp_path, [*lines[:4], wrong])
        with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}, line 5: .*{message}"):
            published.read_ranks(path)


def test_recovering_merges() -> None:
    known = small_ranks(b"ab", b"bc", b"abc", b"aa", b"aaa", b"abcab", b"aaaa")
    a, b, c = (SHUFFLED[byte] for byte in b"abc")
    assert list(published.recover_merges(known).items()) == [
        ((a, b), 256),
        ((b, c), 257),
        ((256, c), 258),  # and not a, bc: ab comes first
        ((a, a), 259),
        ((259, a), 260),
        ((258, 256), 261),
        ((259, 259), 262),  # and not aaa, a
    ]


def test_recovering_what_was_trained() -> None:
    tokenizer = RegexTokenizer()
    tokenizer.train("low lower lowest, new newer newest, wide wider widest " * 5, 270)
    known = {token: idx for idx, token in tokenizer.vocab.items()}
    assert published.recover_merges(known) == tokenizer.merges


def test_ranks_that_do_not_fit_together() -> None:
    with pytest.raises(
        ValueError, match=r"token 256, b'abc', is made of 3 earlier tokens, not two"
    ):
        published.recover_merges(small_ranks(b"abc"))
    with pytest.raises(ValueError, match="the 256 single bytes must have the ranks 0 to 255"):
        published.recover_merges({b"a": 0})
    with pytest.raises(ValueError, match="the 256 single bytes must have the ranks 0 to 255"):
        published.recover_merges(small_ranks() | {b"a": 256})


def test_characters_that_stand_for_bytes() -> None:
    characters = published.bytes_to_unicode()
    assert list(characters) == list(range(256))
    assert len(set(characters.values())) == 256
    assert all(ch.isprintable() and not ch.isspace() for ch in characters.values())
    assert characters[ord("a")] == "a"
    assert [characters[ord(c)] for c in " \n\0"] == ["Ġ", "Ċ", "Ā"]
    assert characters[0xAD] == "Ń", "the soft hyphen cannot be seen"


def test_small_files_of_gpt2(tmp_path: Path) -> None:
    tokens = {"lo": 256, "low": 257, "Ġlow": 258, "<|endoftext|>": 259}
    tokenizer = GPT2Tokenizer(**gpt2_files(tmp_path, ["l o", "lo w", "Ġ low"], tokens))
    assert tokenizer.encode("low low") == [257, 258]
    assert tokenizer.special_tokens == {"<|endoftext|>": 259}
    every_byte = bytes(range(256))
    assert tokenizer.decode_bytes(tokenizer._encode_chunk(every_byte)) == every_byte
    assert sorted(tokenizer.byte_shuffle) == list(range(256))


def test_wrong_files_of_gpt2(tmp_path: Path) -> None:
    files = gpt2_files(tmp_path, ["l o", "lo w"], {"lo": 256})
    with pytest.raises(ValueError, match=r"vocab\.bpe, line 3: 'low' has no id in .*encoder\.json"):
        GPT2Tokenizer(**files)
    files = gpt2_files(tmp_path, ["l o", "lo w"], {"lo": 257, "low": 256})
    with pytest.raises(
        ValueError, match=r"vocab\.bpe, line 2: token 257, of \(\d+, \d+\), stands where 256 should"
    ):
        GPT2Tokenizer(**files)
    for tokens, message in (
        ({"Ġ": 256, "lo": 220}, "expected an id below 256 for each byte"),
        ({"lo": 257}, "expected tokens with the ids 0, 1, 2, "),
        ({"lo": 255}, "expected tokens with the ids 0, 1, 2, "),
        ({"lo": 256.0}, "expected tokens with the ids 0, 1, 2, "),
        ({"a": -1}, "expected tokens with the ids 0, 1, 2, "),
    ):
        gpt2_files(tmp_path, [], tokens)
        with pytest.raises(ValueError, match=rf"encoder\.json: {message}"):
            GPT2Tokenizer(**files)
    gpt2_files(tmp_path, [], {})
    files["vocab_bpe"].write_text("l o\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"vocab\.bpe, line 1: expected '#version'"):
        GPT2Tokenizer(**files)
    files["encoder_json"].write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"encoder\.json is not JSON"):
        GPT2Tokenizer(**files)
    with pytest.raises(FileNotFoundError):
        GPT2Tokenizer(vocab_bpe=tmp_path / "no", encoder_json=tmp_path / "neither")
