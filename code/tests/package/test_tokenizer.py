"""The interface of the tokenizers: attributes, round trips, and what is refused."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_texts import TEXTS

from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer, Tokenizer

PARAGRAPH = "".join(TEXTS.values()) * 2
kinds = pytest.mark.parametrize("kind", [BasicTokenizer, RegexTokenizer])


def trained(kind: type = RegexTokenizer, vocab_size: int = 300) -> Tokenizer:
    tokenizer = kind()
    tokenizer.train(PARAGRAPH, vocab_size)
    return tokenizer


# -- attributes and round trips ---------------------------------------------------------------


@kinds
def test_attributes(kind: type) -> None:
    tokenizer = kind()
    assert (tokenizer.merges, tokenizer.special_tokens) == ({}, {})
    assert tokenizer.vocab == {idx: bytes([idx]) for idx in range(256)}
    assert tokenizer.encode("aä") == [97, 195, 164]
    tokenizer = trained(kind)
    assert list(tokenizer.merges.values()) == list(range(256, 300))
    assert list(tokenizer.vocab) == list(range(300))
    for (left, right), idx in tokenizer.merges.items():
        assert tokenizer.vocab[idx] == tokenizer.vocab[left] + tokenizer.vocab[right]
    tokenizer.register_special_tokens({"<|x|>": 1000})
    assert tokenizer.vocab[1000] == b"<|x|>"
    tokenizer.register_special_tokens({"<|y|>": 1001})
    assert tokenizer.special_tokens == {"<|y|>": 1001}
    assert 1000 not in tokenizer.vocab


@kinds
@settings(deadline=None, max_examples=200)
@given(st.text())
def test_every_text_comes_back(kind: type, text: str) -> None:
    tokenizer = _TRAINED[kind]
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()
    assert all(type(idx) is int for idx in ids)


_TRAINED = {kind: trained(kind) for kind in (BasicTokenizer, RegexTokenizer)}


@kinds
def test_surrogates_are_replaced(kind: type) -> None:
    tokenizer = _TRAINED[kind]
    assert tokenizer.decode(tokenizer.encode("a\ud83d\ude09b")) == "a😉b"
    assert tokenizer.decode(tokenizer.encode("a\ud83db\udc00")) == "a\ufffdb\ufffd"
    again = kind()
    again.train("a\ud83db" * 3, 260)
    other = kind()
    other.train("a\ufffdb" * 3, 260)
    assert again.merges == other.merges


def test_a_tokenizer_can_be_copied_and_pickled() -> None:
    tokenizer = trained()
    text = PARAGRAPH[:500]
    ids = tokenizer.encode(text)
    for twin in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert twin.encode(text) == ids


def test_training_again_starts_anew() -> None:
    tokenizer = trained()
    tokenizer.train("aaaa", 257)
    assert tokenizer.merges == {(97, 97): 256}
    tokenizer.train("", 256)
    assert tokenizer.merges == {}


def test_on_merge_is_told_each_merge() -> None:
    seen = []
    RegexTokenizer().train("aab aab", 258, on_merge=lambda idx, step: seen.append((idx, *step)))
    assert seen == [(256, (97, 97), 2), (257, (256, 98), 2)]


# -- what is refused -----------------------------------------------------------------------------


@kinds
def test_wrong_training(kind: type) -> None:
    tokenizer = trained(kind)
    before = dict(tokenizer.merges)
    for size, error, message in (
        (255, ValueError, "vocab_size must be at least 256, for the bytes; got 255"),
        (-1, ValueError, "at least 256"),
        (300.0, TypeError, r"vocab_size must be an integer, got 300\.0"),
        ("300", TypeError, "vocab_size must be an integer, got '300'"),
        (None, TypeError, "vocab_size must be an integer"),
    ):
        with pytest.raises(error, match=message):
            tokenizer.train(PARAGRAPH, size)
    with pytest.raises(ValueError, match="too large for this text: after 2 merges no pair is left"):
        tokenizer.train("abc", 300)
    with pytest.raises(ValueError, match="so at most 258 is possible"):
        tokenizer.train("abc", 10**15)
    for text in (b"abc", None, ["abc"]):
        for use in (lambda text: tokenizer.train(text, 256), tokenizer.encode):
            with pytest.raises(TypeError, match="text must be a str, got"):
                use(text)
        with pytest.raises(TypeError, match="text must be a str, got"):
            tokenizer.encode_ordinary(text)
    assert tokenizer.merges == before


@kinds
def test_wrong_ids(kind: type) -> None:
    tokenizer = _TRAINED[kind]
    for decode in (tokenizer.decode, tokenizer.decode_bytes):
        with pytest.raises(ValueError, match=r"ids\[1\] is 300, which is no token's id"):
            decode([97, 300, 301])
        with pytest.raises(ValueError, match=r"ids\[0\] is -1"):
            decode([-1])
        with pytest.raises(TypeError, match=r"ids\[1\] must be an integer, got 98\.0"):
            decode([97, 98.0])
        with pytest.raises(TypeError, match=r"ids\[0\] must be an integer, got 'a'"):
            decode(["a"])
        with pytest.raises(TypeError, match="ids must be a list of integers, got 97"):
            decode(97)
        with pytest.raises(TypeError, match="ids must be a list of integers, got '97'"):
            decode("97")


@kinds
def test_ids_of_other_kinds_of_integers(kind: type) -> None:
    ids = [97, 299]
    expected = _TRAINED[kind].decode(ids)
    for given_ids in (tuple(ids), np.array(ids), torch.tensor(ids), iter(ids)):
        assert _TRAINED[kind].decode(given_ids) == expected
    assert _TRAINED[kind].decode([]) == ""


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert BasicTokenizer().decode([97, 0x80, 0xF0, 0x9F, 98]) == "a\ufffd\ufffdb"
    assert BasicTokenizer().decode_bytes([97, 0x80]) == b"a\x80"


def test_patterns_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"pattern '\(' is no regular expression: missing \)"):
        RegexTokenizer("(")
    with pytest.raises(ValueError, match="no pattern to split by: use a BasicTokenizer"):
        RegexTokenizer("")
    gaps = RegexTokenizer(r"\w+")
    for use in (gaps.encode, lambda text: gaps.train(text, 257)):
        with pytest.raises(ValueError, match=r"leaves out ' ', character 5 of the text"):
            use("hello world")
        with pytest.raises(ValueError, match=r"leaves out '!', character 2 of the text"):
            use("hi!")
    assert RegexTokenizer(r"(\w)|(\W)").encode("a b") == [97, 32, 98], "groups do no harm"
    assert RegexTokenizer(r"\s*|\S*").encode("a b") == [97, 32, 98], "nor do empty matches"
