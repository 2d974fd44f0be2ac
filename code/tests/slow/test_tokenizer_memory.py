"""Memory that the training of tokenizers takes."""

import random
import tracemalloc

import pytest

from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer

TEN_MEGABYTES = 10_000_000


def test_a_pattern_that_calls_itself_ends() -> None:
    """The package regex stops itself at a gigabyte."""
    tokenizer = RegexTokenizer("(?R)|.")
    with pytest.raises(MemoryError, match="takes too much memory to split a text of 3 characters"):
        tokenizer.encode("abc")


def common_words(rng: random.Random) -> str:
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randrange(2, 9))) for _ in range(20_000)]
    return " ".join(rng.choices(words, k=2_000_000))[:TEN_MEGABYTES]


def hardly_a_word_twice(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz    ", k=TEN_MEGABYTES))


# Bytes of memory for each byte of the text. The arrays of the training take 13: an id, two
# neighbors and a weight; the cells of the pairs take 4, and more as pairs are made. Where hardly
# a chunk occurs twice, it is the dictionary of the chunks that takes most.
@pytest.mark.parametrize(
    ("make", "kind", "most"),
    [
        (common_words, BasicTokenizer, 25),
        (common_words, RegexTokenizer, 20),
        (hardly_a_word_twice, BasicTokenizer, 25),
        (hardly_a_word_twice, RegexTokenizer, 36),
    ],
)
def test_memory(kind: type, make, most: int) -> None:
    text = make(random.Random(0))
    assert len(text.encode()) == TEN_MEGABYTES
    tokenizer = kind()
    tracemalloc.start()
    try:
        tokenizer.train(text, 256 + 30)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= most * TEN_MEGABYTES
