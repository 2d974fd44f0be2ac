"""The tokenizers of GPT-2 and GPT-4 and tiktoken: the same ids for any text."""

import random
import sys
from pathlib import Path

import pytest
import regex
import tiktoken
from tokenizer_random import PAIRS, compare
from tokenizer_texts import (
    LANGUAGES,
    SURROGATES,
    TEXTS,
    gpt2,
    gpt4,
    random_text,
    reference,
    shakespeare,
)

from zerotohero.tokenizer import GPT2_SPLIT_PATTERN, GPT4_SPLIT_PATTERN, published

PACKAGE = Path(published.__file__).parents[1]
both = pytest.mark.parametrize(("name", "ours"), PAIRS.values(), ids=PAIRS)


# -- the same ids --------------------------------------------------------------------------


def test_the_lectures_examples() -> None:
    text = "hello123!!!? (안녕하세요!) 😉"
    ids = [15339, 4513, 12340, 30, 320, 31495, 230, 75265, 243, 92245, 16715, 57037]
    assert gpt4().encode(text) == reference("cl100k_base").encode(text) == ids
    assert gpt4().decode(ids) == text
    text = "<|endoftext|>hello world"
    assert gpt4().encode(text, allowed_special="all") == [100257, 15339, 1917]
    assert gpt2().encode(text, allowed_special="all") == [50256, 31373, 995]


@both
@pytest.mark.parametrize("kind", TEXTS)
def test_texts_of_many_kinds(name: str, ours, kind: str) -> None:
    text = TEXTS[kind]
    ids = ours().encode(text)
    assert ids == reference(name).encode(text)
    assert ours().decode(ids) == text
    assert ours().decode_bytes(ids) == reference(name).decode_bytes(ids)


def test_there_are_more_than_twenty_scripts() -> None:
    letters = regex.findall(r"\p{L}", "".join(LANGUAGES.values()))
    scripts = "Latin Cyrillic Greek Armenian Georgian Hebrew Arabic Devanagari Bengali Gurmukhi"
    scripts += " Gujarati Tamil Telugu Kannada Malayalam Sinhala Thai Lao Khmer Myanmar Tibetan"
    scripts += " Ethiopic Cherokee Han Hiragana Katakana Hangul Mongolian Gothic Cuneiform"
    for script in scripts.split():
        assert any(regex.match(rf"\p{{Script={script}}}", letter) for letter in letters), script


@both
@pytest.mark.parametrize("kind", SURROGATES)
def test_surrogates(name: str, ours, kind: str) -> None:
    text = SURROGATES[kind]
    assert ours().encode(text) == reference(name).encode(text)
    assert ours().encode_ordinary(text) == reference(name).encode_ordinary(text)


@both
def test_shakespeare(name: str, ours) -> None:
    text = shakespeare()
    ids = ours().encode(text)
    assert ids == reference(name).encode(text)
    assert ours().decode(ids) == text


@both
def test_source_code(name: str, ours) -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 20
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert ours().encode(text, "none") == reference(name).encode(text, disallowed_special=())


@both
def test_all_code_points(name: str, ours) -> None:
    tokenizer, encoding = ours(), reference(name)
    for start in range(0, sys.maxunicode + 1, 0x40):
        text = "".join(chr(c) for c in range(start, start + 0x40))
        assert tokenizer.encode(text) == encoding.encode(text)


@pytest.mark.parametrize("name", PAIRS)
def test_random_texts(name: str) -> None:
    assert compare(name, 10_000) > 10_000


@both
def test_special_tokens(name: str, ours) -> None:
    tokenizer, encoding = ours(), reference(name)
    assert tokenizer.special_tokens == encoding._special_tokens
    for special in encoding.special_tokens_set:
        text = f"a {special}{special} b<|endoftext|>\n{special[:-1]}"
        for allowed in ("all", {special}, set(), {"<|endoftext|>", "unknown"}):
            expected = encoding.encode(text, allowed_special=allowed, disallowed_special=())
            assert tokenizer.encode(text, allowed) == expected
        assert tokenizer.encode(text, "none") == encoding.encode_ordinary(text)
        for refuse in (tokenizer.encode, encoding.encode):
            with pytest.raises(ValueError, match=regex.escape(special)):
                refuse(text)
        assert tokenizer.decode([tokenizer.special_tokens[special]]) == special


@both
def test_the_vocabulary(name: str, ours) -> None:
    tokenizer, encoding = ours(), reference(name)
    assert {token: idx for idx, token in tokenizer.vocab.items()} == encoding._mergeable_ranks | {
        token.encode(): idx for token, idx in encoding._special_tokens.items()
    }
    # Every token can be reached: its bytes, as one chunk, are encoded as itself.
    for token, rank in encoding._mergeable_ranks.items():
        assert tokenizer._encode_chunk(token) == [rank]


@both
def test_invalid_utf8(name: str, ours) -> None:
    rng = random.Random(name)
    tokenizer, encoding = ours(), reference(name)
    for _ in range(500):
        ids = [rng.randrange(50000) for _ in range(rng.randrange(8))]
        assert tokenizer.decode(ids) == encoding.decode(ids)
        assert tokenizer.decode_bytes(ids) == encoding.decode_bytes(ids)


def test_the_merges_of_gpt2_can_be_recovered() -> None:
    recovered = published.recover_merges(reference("gpt2")._mergeable_ranks)
    assert recovered == gpt2().merges
    assert list(recovered) == list(gpt2().merges)


# -- the patterns ----------------------------------------------------------------------------


def matches_of_tiktoken(pattern: str, text: str) -> str:
    """Return what the pattern matches, in tiktoken's engine, all matches joined."""
    ids = {bytes([byte]): byte for byte in range(256)}
    encoding = tiktoken.Encoding("t", pat_str=pattern, mergeable_ranks=ids, special_tokens={})
    return bytes(encoding.encode_ordinary(text)).decode("utf-8")


@pytest.mark.parametrize(
    "pattern",
    [r"\p{L}", r"\p{N}", r"\s", r"[^\s\p{L}\p{N}]", r"\S", *(f"(?i:{c})" for c in "sdmtlvre")],
)
def test_the_classes_agree_on_every_code_point(pattern: str) -> None:
    every = "".join(chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000)
    ours = "".join(regex.findall(pattern, every))
    assert ours
    assert matches_of_tiktoken(pattern, every) == ours


def test_the_pattern_of_gpt2_splits_as_tiktokens() -> None:
    """tiktoken's is written otherwise, to run faster."""
    theirs = regex.compile(reference("gpt2")._pat_str)
    ours = regex.compile(GPT2_SPLIT_PATTERN)
    published = regex.compile(
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    )
    rng = random.Random(2)
    for text in [*TEXTS.values(), *(random_text(rng) for _ in range(3000))]:
        assert ours.findall(text) == theirs.findall(text) == published.findall(text)


def test_the_pattern_of_gpt4_differs_from_tiktokens_where_no_token_reaches() -> None:
    """tiktoken's makes one chunk of all spaces that end a text, ours ends one at a line end.

    That gives the same ids, since no token holds a line end and ends with other characters.
    """
    theirs = regex.compile(reference("cl100k_base")._pat_str)
    ours = regex.compile(GPT4_SPLIT_PATTERN)
    assert ours.findall("a\n  ") == ["a", "\n", "  "]
    assert theirs.findall("a\n  ") == ["a", "\n  "]
    for token in reference("cl100k_base")._mergeable_ranks:
        assert not regex.search(rb"[\r\n].*[^\r\n]\Z", token, regex.DOTALL)
    rng = random.Random(4)
    for text in [*TEXTS.values(), *(random_text(rng) for _ in range(3000))]:
        chunks = theirs.findall(text)
        if chunks and regex.fullmatch(r"\s+", chunks[-1]):
            chunks[-1:] = regex.findall(r"\s*[\r\n]|\s+", chunks[-1])
        assert ours.findall(text) == chunks
