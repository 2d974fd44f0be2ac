"""The token explorer gives the ids that the package gives: in a real browser, from a folder."""

import json
import random
import sys
from collections.abc import Iterator

import pytest
from browser import Chromium, Visit
from explorer_page import PAGE, built
from tokenizer_texts import (
    SURROGATES,
    TEXTS,
    gpt2,
    gpt4,
    random_text,
    shakespeare,
    stored,
)

from interactions.token_explorer.vocabularies import CONTRACTIONS, trained
from zerotohero.tokenizer import GPT2_SPLIT_PATTERN, GPT4_SPLIT_PATTERN, RegexTokenizer, Tokenizer

RANDOM_TEXTS = 2000

# Everything travels as JSON, which is much faster than lists. json.dumps writes what is not ASCII
# as \\u and four digits: on the way, lone surrogates would be replaced.
ENCODE = """([name, texts, allowSpecial]) => {
  globalThis.made ??= {};
  made[name] ??= new tokenExplorer.Tokenizer(tokenExplorer.vocabularies[name]);
  const encode = (text) => {
    const { ids, characters, bytes } = made[name].encode(text, allowSpecial);
    return { ids, characters, bytes };
  };
  return JSON.stringify(JSON.parse(texts).map(encode));
}"""
SPLIT = """([texts, name]) => JSON.stringify(
  JSON.parse(texts).map((text) => [...tokenExplorer.split(text, name)]))"""
BYTES = """(name) => JSON.stringify(
  [...Array(made[name].parts.length / 2 + 256).keys()].map((id) => made[name].bytesOf(id)))"""


def own() -> Tokenizer:
    with stored():
        return trained()


OURS = {"shakespeare": own, "gpt2": gpt2, "cl100k_base": gpt4}
each = pytest.mark.parametrize("name", OURS)


@pytest.fixture(scope="module")
def explorer(chromium: Chromium) -> Iterator[Visit]:
    """The page of the explorer, with all vocabularies loaded."""
    book = built()
    with chromium.visit(book.html / PAGE) as visit:
        for name in OURS:
            visit.page.check(f"input[value={name}]")
            visit.page.wait_for_function("name => tokenExplorer.vocabularies[name]", arg=name)
        yield visit
        assert visit.errors == []
        assert visit.outside(book.html) == []


def compare(
    visit: Visit, name: str, texts: list[str], tokenizer: Tokenizer, special: bool = False
) -> None:
    given = json.loads(visit.page.evaluate(ENCODE, [name, json.dumps(texts), special]))
    assert len(given) == len(texts)
    for text, found in zip(texts, given):
        assert found["ids"] == tokenizer.encode(text, "all" if special else "none"), repr(text)
        clean = tokenizer.decode(found["ids"])
        assert (found["characters"], found["bytes"]) == (len(clean), len(clean.encode()))


def random_texts(seed: str) -> list[str]:
    rng = random.Random(seed)
    return [random_text(rng) for _ in range(RANDOM_TEXTS)]


@each
def test_texts_of_many_kinds(explorer: Visit, name: str) -> None:
    compare(explorer, name, [*TEXTS.values(), *SURROGATES.values()], OURS[name]())


@each
def test_random_texts(explorer: Visit, name: str) -> None:
    compare(explorer, name, random_texts(name), OURS[name]())


@each
def test_runs_of_white_space(explorer: Visit, name: str) -> None:
    rng = random.Random(name)
    alphabet = " \t\n\r\v\f\x1c\x85\u00a0\u2028\u3000a1.'\U00010330"
    texts = ["".join(rng.choices(alphabet, k=rng.randrange(12))) for _ in range(RANDOM_TEXTS)]
    compare(explorer, name, texts, OURS[name]())


@each
def test_all_code_points(explorer: Visit, name: str) -> None:
    step = 0x400
    texts = [
        "".join(map(chr, range(start, start + step))) for start in range(0, sys.maxunicode, step)
    ]
    compare(explorer, name, texts, OURS[name]())


@each
def test_shakespeare(explorer: Visit, name: str) -> None:
    compare(explorer, name, [shakespeare()[:300_000]], OURS[name]())


@each
def test_special_tokens(explorer: Visit, name: str) -> None:
    tokenizer = OURS[name]()
    assert tokenizer.special_tokens
    texts = [
        f"a {special}{special} b<|endoftext|>\n{special[:-1]} 's{special}"
        for special in tokenizer.special_tokens
    ]
    texts += ["", "<|endoftext|>", "<|endoftext|", "<|ENDOFTEXT|>", *random_texts(name)[:300]]
    compare(explorer, name, texts, tokenizer, special=True)
    compare(explorer, name, texts, tokenizer, special=False)


@each
def test_bytes_of_each_token(explorer: Visit, name: str) -> None:
    explorer.page.evaluate(ENCODE, [name, "[]", False])
    vocab = OURS[name]().vocab
    found = json.loads(explorer.page.evaluate(BYTES, name))
    assert [bytes(token) for token in found] == [vocab[idx] for idx in range(len(found))]


@pytest.mark.parametrize(
    ("name", "pattern"), [("gpt2", GPT2_SPLIT_PATTERN), ("gpt4", GPT4_SPLIT_PATTERN)]
)
def test_the_splitters_do_what_the_patterns_do(explorer: Visit, name: str, pattern: str) -> None:
    tokenizer = RegexTokenizer(pattern)
    cases = ["'" + c + d for c in CONTRACTIONS + "ſSTRVL" for d in ("", "l", "E", "e", "x")]
    texts = [text for text in random_texts(name) if text.isascii()] + cases
    texts += TEXTS.values()
    found = json.loads(explorer.page.evaluate(SPLIT, [json.dumps(texts), name]))
    assert len(found) == len(texts) > 500
    for text, chunks in zip(texts, found):
        assert chunks == list(tokenizer._split(text)), repr(text)
