"""Memory that the training of tokenizers takes."""

import random
import tracemalloc

import pytest

from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer

TEN_MEGABYTES = 10_000_000


def common_words(rng: random.Random) -> str:
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randrange(2, 9))) for _ in range(20_000)]
    return " ".join(rng.choices(words, k=2_000_000))[:TEN_MEGABYTES]


def hardly_a_word_twice(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz    ", k=TEN_MEGABYTES))


@pytest.mark.parametrize("kind", [BasicTokenizer, RegexTokenizer])
@pytest.mark.parametrize("make", [common_words, hardly_a_word_twice])
def test_memory(kind: type, make) -> None:
    text = make(random.Random(0))
    assert len(text.encode()) == TEN_MEGABYTES
    tokenizer = kind()
    tracemalloc.start()
    try:
        tokenizer.train(text, 256 + 30)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 20 * TEN_MEGABYTES
