"""Special tokens: what may be registered, and which count in a text."""

import pytest
from tokenizer_texts import TEXTS

from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer, Tokenizer

PARAGRAPH = "".join(TEXTS.values()) * 2
kinds = pytest.mark.parametrize("kind", [BasicTokenizer, RegexTokenizer])


def trained(kind: type = RegexTokenizer) -> Tokenizer:
    tokenizer = kind()
    tokenizer.train(PARAGRAPH, 300)
    return tokenizer


@kinds
def test_allowed_special(kind: type) -> None:
    tokenizer = trained(kind)
    tokenizer.register_special_tokens({"<|a|>": 300, "<|a|>b": 301, "(.*)": 302})
    plain = {
        text: tokenizer.encode_ordinary(text) for text in ("x", "<|a|>", "b", "(.*)", "<|a|>b")
    }
    assert tokenizer.encode("x<|a|>x", "all") == [*plain["x"], 300, *plain["x"]]
    assert tokenizer.encode("<|a|><|a|>", "all") == [300, 300]
    assert tokenizer.encode("<|a|>b(.*)x", "all") == [301, 302, *plain["x"]], "longest first"
    assert tokenizer.encode("<|a|>b", {"<|a|>"}) == [300, *plain["b"]]
    assert tokenizer.encode("(.*)<|a|>", {"<|a|>", "unknown"}) == [*plain["(.*)"], 300]
    assert (
        tokenizer.encode("<|a|>b", "none") == tokenizer.encode("<|a|>b", set()) == plain["<|a|>b"]
    )
    assert tokenizer.encode("x", "all") == tokenizer.encode("x") == plain["x"]
    assert tokenizer.encode("", "all") == []
    with pytest.raises(ValueError, match=r"contains the special token '\(\.\*\)': to encode it"):
        tokenizer.encode("x (.*) <|a|>")
    with pytest.raises(ValueError, match=r"contains the special token '<\|a\|>b': to encode it"):
        tokenizer.encode("x <|a|>b (.*)")


@pytest.mark.parametrize(
    "wrong", ["", "<|a|>", "None", None, 3, True, b"all", b"", bytearray(b"all")]
)
def test_wrong_allowed_special(wrong: object) -> None:
    tokenizer = trained()
    tokenizer.register_special_tokens({"<|a|>": 300})
    with pytest.raises(ValueError, match='must be "all", "none", "none_raise" or a set'):
        tokenizer.encode("x", wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("special", "error", "message"),
    [
        ({"<|a|>": 299}, ValueError, r"'<\|a\|>' has the id 299, that of a byte or a merge"),
        ({"<|a|>": 0}, ValueError, "has the id 0, that of a byte or a merge"),
        ({"<|a|>": 300, "<|b|>": 300}, ValueError, r"'<\|b\|>' has the id 300, that of '<\|a\|>'"),
        ({"<|a|>": -1}, ValueError, r"the id of the special token '<\|a\|>' must be from 0 to"),
        ({"": 300}, ValueError, "is empty"),
        ({"\ud800": 300}, ValueError, "holds a surrogate"),
        ({"<|a|>": 300.0}, TypeError, r"the id of the special token '<\|a\|>' must be an int"),
        ({"<|a|>": "300"}, TypeError, "must be an int, got '300'"),
        ({300: 300}, TypeError, "a special token must be a string, got 300"),
    ],
)
def test_wrong_special_tokens(special, error: type, message: str) -> None:
    tokenizer = trained()
    tokenizer.register_special_tokens({"<|old|>": 400})
    with pytest.raises(error, match=message):
        tokenizer.register_special_tokens(special)
    assert tokenizer.special_tokens == {"<|old|>": 400}
    assert tokenizer.encode("<|old|>", "all") == [400]


def test_training_does_not_take_the_id_of_a_special_token() -> None:
    tokenizer = trained()
    tokenizer.register_special_tokens({"<|a|>": 300})
    with pytest.raises(ValueError, match=r"'<\|a\|>' has the id 300, which a vocabulary of 301"):
        tokenizer.train(PARAGRAPH, 301)
    tokenizer.train(PARAGRAPH, 300)
    assert tokenizer.encode("<|a|>", "all") == [300]
