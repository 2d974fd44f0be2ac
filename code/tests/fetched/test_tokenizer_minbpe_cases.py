"""What the tests of minbpe check, with its interface, imports and kinds of texts."""

import pytest
from tokenizer_texts import TEXTS, gpt4, reference, shakespeare

from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer

SPECIAL = {
    "<|endoftext|>": 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}
WITH_SPECIAL = """
<|endoftext|>To join documents, a mark stands between them
<|endoftext|>and again, before <|fim_prefix|>a prefix<|fim_suffix|> and a suffix<|fim_middle|> is
the middle, FYI.<|endofprompt|><|endoftext|>
""".strip()
STORY = """<|endoftext|>Whales are mammals; they breathe air, and they came from land animals.
Their closest relatives that live today are the hippopotamuses.

<|fim_prefix|>Toothed whales hunt by sound.<|fim_suffix|> Baleen whales sieve the water.
<|fim_middle|><|endofprompt|>"""


def texts() -> dict[str, str]:
    return {
        "empty": "",
        "one character": "?",
        "scripts": "hello world!!!? (안녕하세요!) lol123 😉",
        "long": shakespeare()[:100_000] + "".join(TEXTS.values()),
    }


MAKE = {"basic": BasicTokenizer, "regex": RegexTokenizer, "gpt4": gpt4}
kinds_of_text = pytest.mark.parametrize(
    "text", ["empty", "one character", "scripts", "long"], ids=str
)


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
@kinds_of_text
def test_what_is_encoded_is_decoded(make, text: str) -> None:
    tokenizer, content = make(), texts()[text]
    assert tokenizer.decode(tokenizer.encode(content)) == content


@kinds_of_text
def test_gpt4_as_tiktoken(text: str) -> None:
    content = texts()[text]
    assert gpt4().encode(content) == reference("cl100k_base").encode(content)


def test_gpt4_handles_special_tokens_as_tiktoken() -> None:
    expected = reference("cl100k_base").encode(WITH_SPECIAL, allowed_special="all")
    assert gpt4().encode(WITH_SPECIAL, allowed_special="all") == expected
    assert set(SPECIAL.values()) <= set(expected)


@pytest.mark.parametrize("kind", [BasicTokenizer, RegexTokenizer])
def test_the_example_of_wikipedia(kind: type) -> None:
    """aaabdaaabac becomes XdXac, with X = ZY, Y = ab and Z = aa; or X = ab with another tie."""
    tokenizer = kind()
    text = "aaabdaaabac"
    tokenizer.train(text, 256 + 3)
    ids = tokenizer.encode(text)
    assert ids == [258, 100, 258, 97, 99]
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("special_tokens", [{}, SPECIAL], ids=["none", "five"])
def test_save_and_load(special_tokens: dict[str, int], tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    tokenizer = RegexTokenizer()
    tokenizer.train(STORY, 256 + 64)
    tokenizer.register_special_tokens(special_tokens)
    ids = tokenizer.encode(STORY, "all")
    tokenizer.save("tokens")
    again = RegexTokenizer()
    again.load("tokens.model")
    for each in (tokenizer, again):
        assert each.encode(STORY, "all") == ids
        assert each.decode(ids) == STORY
