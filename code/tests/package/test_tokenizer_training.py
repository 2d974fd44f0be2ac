"""Training and encoding, fast and naive: the same merges and ids, also where pairs are tied."""

from collections import Counter

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_texts import TEXTS

from zerotohero.tokenizer import (
    GPT4_SPLIT_PATTERN,
    BasicTokenizer,
    RegexTokenizer,
    fast,
    get_stats,
    merge,
    naive,
    tokenizers,
)

# Few letters, so that many pairs are equally frequent; ä has two bytes.
TEXT = st.text("ab", max_size=40) | st.text("abcä", max_size=60) | st.text(max_size=20)
CHUNKS = st.lists(st.text("ab", max_size=9) | st.text("abcä", max_size=12), max_size=12)
MANY = 200  # more merges than any of these texts allow


def learn(chunks: list[str], num_merges: int) -> list[fast.Merge]:
    return list(fast.learn_merges(Counter(chunks), num_merges))


def naive_merges(chunks: list[str], num_merges: int) -> list[tuple[int, int]]:
    return list(naive.train([chunk.encode() for chunk in chunks], num_merges))


# -- the naive functions ---------------------------------------------------------------------


def test_the_example_of_the_lecture() -> None:
    """aaabdaaabac: Z = aa, Y = ab, X = ZY gives XdXac."""
    merges = naive.train([b"aaabdaaabac"], 3)
    assert merges == {(97, 97): 256, (256, 97): 257, (257, 98): 258}
    assert naive.encode(b"aaabdaaabac", merges) == [258, 100, 258, 97, 99]
    assert naive.decode([258, 100, 258, 97, 99], naive.build_vocab(merges)) == "aaabdaaabac"
    assert naive.decode([128, 97], naive.build_vocab({})) == "\ufffda"


def test_chunks_that_are_not_bytes() -> None:
    for chunks, got in ((["ab"], "'ab'"), (b"abab", "97"), ("abab", "'a'"), ([[97, 98]], "97, 98")):
        with pytest.raises(TypeError, match=rf"each chunk must be bytes, got .*{got}"):
            naive.train(chunks, 2)
    with pytest.raises(TypeError, match="chunk must be bytes, got 'ab'"):
        naive.encode("ab", {})


def test_count_and_merge() -> None:
    assert get_stats([1, 2, 3, 1, 2]) == {(1, 2): 2, (2, 3): 1, (3, 1): 1}
    assert get_stats([1, 1, 1, 1]) == {(1, 1): 3}
    assert get_stats([]) == get_stats([1]) == {}
    counts = get_stats([1, 2])
    assert get_stats([1, 2, 3], counts) is counts
    assert list(counts.items()) == [((1, 2), 2), ((2, 3), 1)]
    assert merge([5, 6, 6, 7, 9, 1], (6, 7), 99) == [5, 6, 99, 9, 1]
    assert merge([1, 1, 1, 1, 1], (1, 1), 2) == [2, 2, 1]
    assert merge([1], (1, 1), 2) == [1]
    assert merge([], (1, 1), 2) == []


@given(st.lists(st.integers(0, 2), max_size=20))
def test_counts_by_position(ids: list[int]) -> None:
    counts = get_stats(ids)
    assert counts == Counter((ids[i], ids[i + 1]) for i in range(len(ids) - 1))
    firsts = [next(i for i in range(len(ids)) if tuple(ids[i : i + 2]) == p) for p in counts]
    assert firsts == sorted(firsts)


@given(st.text("abc", max_size=30), st.sampled_from(["ab", "aa", "ca"]))
def test_merge_as_text_is_replaced(text: str, pair: str) -> None:
    ids = merge(list(text.encode()), tuple(pair.encode()), ord("Z"))
    assert bytes(ids).decode() == text.replace(pair, "Z")


# -- the same merges ---------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(CHUNKS)
def test_the_same_merges(chunks: list[str]) -> None:
    expected = naive_merges(chunks, MANY)
    assert [step.pair for step in learn(chunks, MANY)] == expected
    for few in (0, 1, len(expected) // 2):
        assert [step.pair for step in learn(chunks, few)] == expected[:few]


@settings(deadline=None, max_examples=100)
@given(CHUNKS)
def test_the_counts_that_are_reported(chunks: list[str]) -> None:
    sequences = [list(chunk.encode()) for chunk in chunks]
    for idx, step in enumerate(learn(chunks, MANY), 256):
        counts: dict[tuple[int, int], int] = {}
        for ids in sequences:
            get_stats(ids, counts)
        assert step.occurrences == counts[step.pair] == max(counts.values())
        sequences = [merge(ids, step.pair, idx) for ids in sequences]


@settings(deadline=None, max_examples=200)
@given(TEXT, st.sampled_from([None, GPT4_SPLIT_PATTERN, r"a+|[^a]+", r"(?s:..?)"]))
def test_the_classes_train_and_encode_as_the_naive_functions(text: str, pattern) -> None:
    chunks = regex.findall(pattern, text) if pattern else [text]
    merges = naive.train([chunk.encode() for chunk in chunks], MANY)
    tokenizer = RegexTokenizer(pattern) if pattern else BasicTokenizer()
    tokenizer.train(text, 256 + len(merges))
    assert list(tokenizer.merges.items()) == list(merges.items())
    assert tokenizer.vocab == naive.build_vocab(merges)
    ids = [idx for chunk in chunks for idx in naive.encode(chunk.encode(), merges)]
    assert tokenizer.encode(text) == ids
    assert tokenizer.decode(ids) == naive.decode(ids, tokenizer.vocab) == text
    with pytest.raises(ValueError, match=rf"no pair is left, .*at most {256 + len(merges)} is"):
        tokenizer.train(text, 256 + len(merges) + 1)


def test_a_tie_goes_to_the_pair_that_occurs_first() -> None:
    assert naive_merges(["xyab", "ab xy"], 1) == [(ord("x"), ord("y"))]
    assert learn(["xyab", "ab xy"], 1)[0].pair == (ord("x"), ord("y"))
    # After (a, b), the pairs (ab, c) and (d, e) both occur twice; (d, e) stands first.
    chunks = ["de", "abc", "de", "abc", "ab"]
    assert naive_merges(chunks, 2) == [step.pair for step in learn(chunks, 2)]
    assert naive_merges(chunks, 2)[1] == (ord("d"), ord("e"))


def test_no_more_pairs_than_there_are() -> None:
    assert learn([], 5) == learn([""], 5) == learn(["a", "", "b"], 5) == []
    assert learn(["ab", "", "cd"], 10**9) == [((97, 98), 1), ((99, 100), 1)]


# -- the same ids ------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(TEXT, TEXT)
def test_three_ways_to_encode(training_text: str, text: str) -> None:
    merges = naive.train([training_text.encode()], MANY)
    for chunk in (text.encode(), training_text.encode()):
        expected = naive.encode(chunk, merges)
        assert fast.encode_short(chunk, merges) == expected
        assert fast.encode_long(chunk, merges) == expected


def test_long_chunks_of_many_kinds() -> None:
    text = "".join(TEXTS.values())
    tokenizer = BasicTokenizer()
    tokenizer.train(text, 700)
    for chunk in (text, text[::-1], "ab" * 700, " " * 999, "a" * (fast.LONG - 1)):
        assert tokenizer.encode(chunk) == naive.encode(chunk.encode(), tokenizer.merges)


@pytest.mark.parametrize("letter", ["a", " "])
def test_a_million_times_one_letter(letter: str) -> None:
    """No timed test; but a way that takes the square of the length would not end."""
    text = letter * 1_000_000
    for tokenizer in (BasicTokenizer(), RegexTokenizer()):
        tokenizer.train(text, 256 + 10)
        ids = tokenizer.encode(text)
        assert ids == [265] * (1_000_000 // 1024) + [264, 261]  # the rest: 576 = 512 + 64
        assert tokenizer.decode(ids) == text


def test_the_cache_is_emptied_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizers, "CACHED_CHUNKS", 3)
    tokenizer = RegexTokenizer()
    text = "one two three four five one two " + "long" * 100
    tokenizer.train(text, 270)
    ids = tokenizer.encode(text)
    assert tokenizer.encode(text) == ids
    assert 0 < len(tokenizer._cache) <= 3
    assert all(len(chunk) <= tokenizers.CACHED_LENGTH for chunk in tokenizer._cache)
    tokenizer.train("something else, something else", 260)
    assert tokenizer.encode(text) != ids, "a new training forgets what was remembered"
