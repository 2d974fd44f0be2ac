"""The interface of the tokenizers: attributes, round trips, and what is refused."""

import copy
import pickle

import damaged_files
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_texts import TEXTS

from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer, Tokenizer, tokenizers

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
        (255, ValueError, "vocab_size must be from 256 to 1048832, got 255"),
        (-1, ValueError, "from 256 to"),
        (10**15, ValueError, "from 256 to"),
        (True, TypeError, "vocab_size must be an int, got True"),
        (300.0, TypeError, r"vocab_size must be an int, got 300\.0"),
        ("300", TypeError, "vocab_size must be an int, got '300'"),
        (None, TypeError, "vocab_size must be an int"),
    ):
        with pytest.raises(error, match=message):
            tokenizer.train(PARAGRAPH, size)
    with pytest.raises(ValueError, match="too large for this text: after 2 merges no pair is left"):
        tokenizer.train("abc", 300)
    with pytest.raises(ValueError, match="at most 258 is possible"):
        tokenizer.train("abc", 10**6)
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
        with pytest.raises(ValueError, match=r"ids\[1\] is 300, which is not the id of a token"):
            decode([97, 300, 301])
        with pytest.raises(ValueError, match=r"ids\[0\] is -1"):
            decode([-1])
        # What encode never gave, alone or in an array; also where it is equal to an id.
        for wrong in (98.0, "a", "98", True, None, [98], b"b", np.float64(98), np.bool_(True)):
            with pytest.raises(TypeError, match=r"ids\[1\] must be an int, got "):
                decode([97, wrong])
        for wrong in (torch.tensor(98.0), torch.tensor(True), torch.tensor([98]), np.array([98])):
            with pytest.raises(TypeError, match=r"ids\[1\] must be an int, got "):
                decode([torch.tensor(97), wrong])
        for wrong in (np.array([98.0]), torch.tensor([98.0]), torch.tensor([True]), [[98]]):
            with pytest.raises(TypeError, match=r"ids\[0\] must be an int, got "):
                decode(wrong)
        for wrong in (97, "97", b"97", None, np.array(97), torch.tensor(97)):
            with pytest.raises(TypeError, match="ids must be a list of ints, got "):
                decode(wrong)


@kinds
def test_ids_of_other_kinds_of_integers(kind: type) -> None:
    ids = [97, 299]
    expected = _TRAINED[kind].decode(ids)
    tensor, array = torch.tensor(ids), np.array(ids, dtype=np.uint16)
    for given_ids in (tuple(ids), array, tensor, iter(ids), list(tensor), list(array)):
        assert _TRAINED[kind].decode(given_ids) == expected
    assert _TRAINED[kind].decode([]) == ""


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert BasicTokenizer().decode([97, 0x80, 0xF0, 0x9F, 98]) == "a\ufffd\ufffdb"
    assert BasicTokenizer().decode_bytes([97, 0x80]) == b"a\x80"


def test_patterns_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"pattern '\(' is not a regular expression: missing \)"):
        RegexTokenizer("(")
    with pytest.raises(ValueError, match="pattern to split by is empty: use a BasicTokenizer"):
        RegexTokenizer("")
    assert RegexTokenizer(r"(\w)|(\W)").encode("a b") == [97, 32, 98], "groups do no harm"
    assert RegexTokenizer(r"\s*|\S*").encode("a b") == [97, 32, 98], "nor do empty matches"


@pytest.mark.parametrize(
    ("pattern", "text", "position"),
    [
        (r"\w+", "hello world", 5),
        (r"\w+", "hi!", 2),
        (r"\w+", "!", 0),
        (r"(?r)\w+|\W+", "ab cd", 0),
        (r"(?r)\w\w|\W+|\w", "abc", 0),
        (r"(?s:a\Kb|.)", "xab", 1),
        (r"(?s:.)(?<=(?=.\K.).)", "abc", 0),
        ("^.", "abc", 1),
    ],
)
def test_a_pattern_must_cover_the_text_in_order(pattern: str, text: str, position: int) -> None:
    tokenizer = RegexTokenizer(pattern)
    for use in (tokenizer.encode, lambda text: tokenizer.train(text, 256)):
        with pytest.raises(ValueError, match=rf"leaves out or moves .*, at character {position} "):
            use(text)


@settings(deadline=None, max_examples=200)
@given(
    st.text("ab .1\n", max_size=12),
    st.lists(
        st.sampled_from(
            ["a", "b+", r"\w", r"\W+", " ?", "(?r)", "^", "$", r"\K", r"\b", "(a)", "."]
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_nothing_is_lost_with_any_pattern(text: str, parts: list[str]) -> None:
    for pattern in ("|".join(parts), "".join(parts)):
        tokenizer = RegexTokenizer(pattern)
        if refusal := damaged_files.refused(tokenizer.encode, text):
            assert "leaves out or moves" in refusal
        else:
            assert tokenizer.decode(tokenizer.encode(text)) == text


# -- patterns that would take too long, or too much -----------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?:a|a)+[bc]|(?s:.)", "a" * 60),
        (r"(?:a|b|ab)+c|(?s:.)", "ab" * 40),
        (r"(?:(?:.?){20}){20}[^a]|(?s:.)", "a" * 60),
    ],
)
def test_a_pattern_that_never_ends_is_stopped(monkeypatch, pattern: str, text: str) -> None:
    monkeypatch.setattr(tokenizers, "SPLIT_SECONDS", 0.1)
    tokenizer = RegexTokenizer(pattern)
    for use in (tokenizer.encode, lambda text: tokenizer.train(text, 257)):
        with pytest.raises(TimeoutError, match="takes more than 0 s to split a text of"):
            use(text)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(" * 3000 + "a" + ")" * 3000, "nested too deeply"),
        ("(?i:" * 2000 + ")" * 2000, "nested too deeply"),
        ("(?:a?){100000000}", "more than 100,000 characters"),
        ("(?:(?:(?:(?:a?){50}){50}){50}){50}", "more than 100,000 characters"),
        ("a" * 100_001, "more than 100,000 characters"),
        ("(?:" + "ab?" * 3000 + "){1000}", "more than 100,000 characters"),
        ("(?:a{0000000000200000})", "more than 100,000 characters"),
        ("(?x) a { 2 0#\n0#}\n000 }", "more than 100,000 characters"),
        ("(?x) (?:(?:a?) {900}) #\n{900}", "more than 100,000 characters"),
        ("{{200000}", "more than 100,000 characters"),
        ("(?Lu)a", "not a regular expression"),
        ("(?:a){e<=9999999999999999999}", "not a regular expression"),
        ("a{99999999999999999999}", "more than 100,000 characters"),
        (r"\L<names>", "not a regular expression"),
    ],
)
def test_a_pattern_of_any_origin_is_refused_in_one_line(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        RegexTokenizer(pattern)
    assert len(str(caught.value)) < 400
    with pytest.raises(TypeError, match="pattern must be a str"):
        RegexTokenizer(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pattern",
    [
        r"\(?1|.|\n",
        r"[(?1]+|[\s\S]",
        r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}|\d{3}-\d{3}-\d{4}|\+\d{2} \d{5} \d{6}|(?s:.)",
        "a{400}|b{400}|(?s:.)",
        "a{0,90000}|(?s:.)",
        r"\((?:[^()]|(?R))*\)|(?s:.)",
        "(?s)" + "x{5}|" * 50 + ".",
    ],
)
def test_a_harmless_pattern_is_not_refused(pattern: str) -> None:
    text = "(a(b)) 2024-05-01 (?1]]\n"
    tokenizer = RegexTokenizer(pattern)
    assert tokenizer.decode(tokenizer.encode(text)) == text


PARTS = st.recursive(
    st.sampled_from([("a", 1), ("[ab]", 1), (r"\p{L}", 1)]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: (two[0][0] + two[1][0], two[0][1] + two[1][1])),
        st.tuples(inner, st.integers(2, 50), st.sampled_from(["", ",", " ", " #5\n"])).map(
            lambda parts: (f"(?:{parts[0][0]}){{{parts[1]}{parts[2]}}}", parts[0][1] * parts[1])
        ),
        st.tuples(inner, st.integers(2, 50)).map(
            lambda parts: (f"{parts[0][0]}b{{{parts[1]}}}", parts[0][1] + parts[1])
        ),
    ),
)


@given(PARTS)
def test_the_size_of_a_pattern_is_not_underestimated(part: tuple[str, int]) -> None:
    pattern, written_out = part
    assert tokenizers._largest_size(pattern) >= written_out


def test_a_pattern_that_takes_too_much_memory(monkeypatch) -> None:
    """As regex says itself, at a gigabyte: where a pattern calls itself without an end."""

    class Greedy:
        def finditer(self, *_: object, **__: object) -> None:
            raise MemoryError

    tokenizer = RegexTokenizer("(?R)|.")
    monkeypatch.setattr(tokenizer, "compiled_pattern", Greedy())
    for use in (tokenizer.encode, lambda text: tokenizer.train(text, 257)):
        with pytest.raises(MemoryError, match=r"takes too much memory to split a text of 5 "):
            use("abcde")


def test_a_token_does_not_grow_without_a_limit() -> None:
    tokenizer = BasicTokenizer()
    tokenizer.train("a" * 2**17, 256 + 16)
    assert max(map(len, tokenizer.vocab.values())) == 2**16
    with pytest.raises(ValueError, match="token 272 has 131,072 bytes; the limit is 65,536"):
        tokenizer.train("a" * 2**18, 256 + 17)
    assert len(tokenizer.merges) == 16
