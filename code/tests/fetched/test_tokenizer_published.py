"""The published tokenizers, and training on all of Shakespeare."""

from collections import Counter
from itertools import pairwise

import pytest
import regex
from tokenizer_texts import gpt2, gpt4, shakespeare, stored
from tokenizer_texts import run as run

from zerotohero.tokenizer import (
    GPT4_SPLIT_PATTERN,
    BasicTokenizer,
    GPT4Tokenizer,
    RegexTokenizer,
    fast,
    merge,
    naive,
)


def test_usage_of_minbpe_gpt4() -> None:
    with stored():
        tokenizer = GPT4Tokenizer()
    text = "hello123!!!? (안녕하세요!) 😉"
    expected = [15339, 4513, 12340, 30, 320, 31495, 230, 75265, 243, 92245, 16715, 57037]
    assert tokenizer.encode(text) == expected
    text = "<|endoftext|>hello world"
    assert tokenizer.encode(text, allowed_special="all") == [100257, 15339, 1917]


@pytest.mark.parametrize("make", [gpt2, gpt4])
def test_published_tokenizers_are_given(make, tmp_path) -> None:
    tokenizer = make()
    for use in (
        lambda: tokenizer.train("abc", 300),
        lambda: tokenizer.save(tmp_path / "x"),
        lambda: tokenizer.load(tmp_path / "x.model"),
    ):
        with pytest.raises(NotImplementedError, match=f"{type(tokenizer).__name__} "):
            use()
    tokenizer.save_vocab(tmp_path / "gpt.vocab")
    lines = (tmp_path / "gpt.vocab").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(tokenizer.vocab)
    assert "[ ][t] -> [ t] " in "\n".join(lines)


def test_published_models(run) -> None:
    with stored():
        for name, ids in (("gpt2", b"31373 995\n"), ("gpt4", b"15339 1917\n")):
            assert run("encode", "--model", name, stdin=b"hello world").out == ids
            assert run("decode", "--model", name, stdin=ids).out == b"hello world"
        special = b"<|endoftext|>"
        refused = run("encode", "--model", "gpt4", stdin=special)
        assert (refused.code, refused.out) == (1, b"")
        assert "error: the text contains the special token '<|endoftext|>'" in refused.err
        for choice, ids in (("all", b"100257\n"), ("none", b"27,91,8862,728,428,91,29\n")):
            done = run("encode", "--model", "gpt4", "--special", choice, stdin=special)
            assert done.out == ids.replace(b",", b" ")


@pytest.mark.parametrize("kind", [BasicTokenizer, RegexTokenizer])
def test_shakespeare(kind: type) -> None:
    text = shakespeare()[:100_000]
    tokenizer = kind()
    tokenizer.train(text, 320)
    chunks = [text] if kind is BasicTokenizer else regex.findall(GPT4_SPLIT_PATTERN, text)
    learned = naive.train([chunk.encode() for chunk in chunks], 64)
    assert list(tokenizer.merges) == list(learned)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_all_of_shakespeare_by_counting_again() -> None:
    """Every 20th of 100 merges is that of the best pair, by counting all pairs of all chunks."""
    chunks = Counter(regex.findall(GPT4_SPLIT_PATTERN, shakespeare()))
    steps = list(fast.learn_merges(chunks, 100))
    words = [(list(chunk.encode()), count) for chunk, count in chunks.items()]
    for number, step in enumerate(steps):
        if number % 20 == 0:
            counts: Counter[tuple[int, int]] = Counter()
            for ids, count in words:
                for pair in pairwise(ids):
                    counts[pair] += count
            assert step.pair == max(counts, key=counts.__getitem__)
            assert step.occurrences == counts[step.pair]
        words = [
            (merge(ids, step.pair, 256 + number) if step.pair[0] in ids else ids, count)
            for ids, count in words
        ]
