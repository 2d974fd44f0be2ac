"""Chapter 8: training and encoding, compared with the naive functions, ``tokenizers`` and tiktoken.

All on Tiny Shakespeare, split by GPT-4's pattern, on one thread. The naive functions work on
the first ``PART`` characters only, and their time is scaled to the whole text: it grows in
proportion to the text, as each step goes through all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import regex
import tiktoken
import tokenizers
from timing import Row, compare
from tokenizers import models, pre_tokenizers, trainers

from zerotohero import data
from zerotohero.tokenizer import GPT4_SPLIT_PATTERN, GPT4Tokenizer, RegexTokenizer, naive
from zerotohero.tokenizer.published import bytes_to_unicode

PART = 50_000


def rows() -> Iterator[Row]:
    """Yield the comparisons; none when the data is not available."""
    try:
        text = data.shakespeare()
        data.tiktoken_cache()
    except data.DataError as error:
        print(f"tokenizer: not measured, since {str(error).splitlines()[0]}")
        return
    yield from training_rows(text)
    yield from encoding_rows(text)


def split(text: str) -> list[bytes]:
    return [chunk.encode() for chunk in regex.findall(GPT4_SPLIT_PATTERN, text)]


def scaled(row: Row, text: str) -> Row:
    return row._replace(theirs=row.theirs * len(text) / PART)


# -- training ------------------------------------------------------------------------------


def train(text: str, vocab_size: int) -> RegexTokenizer:
    tokenizer = RegexTokenizer()
    tokenizer.train(text, vocab_size)
    return tokenizer


def their_tokenizer(model: models.BPE) -> tokenizers.Tokenizer:
    """Return a tokenizer of the library that splits as ours does."""
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(GPT4_SPLIT_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def train_theirs(text: str, vocab_size: int) -> tokenizers.Tokenizer:
    tokenizer = their_tokenizer(models.BPE())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([text], trainer=trainer)
    return tokenizer


def training_rows(text: str) -> Iterator[Row]:
    part = text[:PART]
    assert train(part, 512).merges == naive.train(split(part), 256)
    yield scaled(
        compare(
            f"training to 512; naive: {PART:,} characters, scaled",
            lambda: train(text, 512),
            lambda: naive.train(split(part), 256),
            repeats=1,
        ),
        text,
    )
    for vocab_size in (512, 4096):
        ours, theirs = train(text, vocab_size), train_theirs(text, vocab_size)
        assert len(ours.vocab) == theirs.get_vocab_size() == vocab_size
        # Ties go to other pairs, so the merges differ a little, but not how well they compress.
        lengths = len(ours.encode(text)), len(theirs.encode(text).ids)
        assert abs(lengths[0] / lengths[1] - 1) < 0.002, lengths
        yield compare(
            f"training to {vocab_size:,}; tokenizers",
            lambda vocab_size=vocab_size: train(text, vocab_size),
            lambda vocab_size=vocab_size: train_theirs(text, vocab_size),
            repeats=5,
        )


# -- encoding ------------------------------------------------------------------------------


def encoding_rows(text: str) -> Iterator[Row]:
    """With the vocabulary of GPT-4. Ours starts each time with nothing remembered."""
    tokenizer = GPT4Tokenizer()

    def ours() -> list[int]:
        tokenizer._cache.clear()
        return tokenizer.encode(text)

    part = text[:PART]

    def naively() -> list[int]:
        chunks = (chunk.translate(tokenizer.byte_shuffle) for chunk in split(part))
        return [idx for chunk in chunks for idx in naive.encode(chunk, tokenizer.merges)]

    assert naively() == tokenizer.encode(part)
    row = compare(f"encoding; naive: {PART:,} characters, scaled", ours, naively, repeats=3)
    yield scaled(row, text)

    theirs = converted(tokenizer)
    assert theirs.encode(text).ids == ours()
    yield compare("encoding; tokenizers", ours, lambda: theirs.encode(text).ids, repeats=5)

    reference = tiktoken.get_encoding("cl100k_base")
    assert reference.encode(text) == ours()
    yield compare("encoding; tiktoken", ours, lambda: reference.encode(text))


def converted(tokenizer: GPT4Tokenizer) -> tokenizers.Tokenizer:
    """Return a tokenizer of the library with the same vocabulary."""
    characters = bytes_to_unicode()
    name = {
        idx: "".join(characters[byte] for byte in token) for idx, token in tokenizer.vocab.items()
    }
    merges = [(name[left], name[right]) for left, right in tokenizer.merges]
    vocab = {
        name[idx]: idx for idx in tokenizer.vocab if idx not in tokenizer.special_tokens.values()
    }
    return their_tokenizer(models.BPE(vocab=vocab, merges=merges))
