"""Code written for minbpe: its published usage, with another import."""

import pytest
from tokenizer_texts import TEXTS

from zerotohero import tokenizer as package
from zerotohero.tokenizer import (
    GPT2_SPLIT_PATTERN,
    BasicTokenizer,
    GPT4Tokenizer,
    RegexTokenizer,
    Tokenizer,
)

PARAGRAPH = "".join(TEXTS.values()) * 2
kinds = pytest.mark.parametrize("kind", [BasicTokenizer, RegexTokenizer])


def test_usage_of_minbpe_quick_start(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    tokenizer = BasicTokenizer()
    text = "aaabdaaabac"
    tokenizer.train(text, 256 + 3)
    assert tokenizer.encode(text) == [258, 100, 258, 97, 99]
    assert tokenizer.decode([258, 100, 258, 97, 99]) == text
    tokenizer.save("toy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.model", "toy.vocab"]


@kinds
def test_usage_of_minbpe_training(kind: type, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    tokenizer = kind()
    tokenizer.train(PARAGRAPH, vocab_size=1024)
    ids = tokenizer.encode("hello world")
    assert tokenizer.decode(ids) == "hello world"
    assert isinstance(tokenizer.decode([1000, 500, 1023]), str)
    tokenizer.save("mymodel")
    tokenizer.load("mymodel.model")
    assert tokenizer.encode("hello world") == ids


def test_usage_of_minbpe_special_tokens() -> None:
    tokenizer = RegexTokenizer()
    tokenizer.train(PARAGRAPH, vocab_size=512)
    tokenizer.register_special_tokens({"<|endoftext|>": 512})
    ids = tokenizer.encode("<|endoftext|>hello world", allowed_special="all")
    assert ids[0] == 512
    assert tokenizer.decode(ids) == "<|endoftext|>hello world"
    for allowed in ({"<|endoftext|>"}, ["<|endoftext|>"], frozenset(["<|endoftext|>"])):
        assert tokenizer.encode("<|endoftext|>hello world", allowed_special=allowed) == ids


def test_usage_of_minbpe_positional_arguments_and_verbose(capsys) -> None:
    tokenizer = RegexTokenizer(GPT2_SPLIT_PATTERN)
    tokenizer.train("low lower lowest", 258, True)
    assert capsys.readouterr().out == (
        "merge 1/2: 108, 111 -> 256 (b'lo'), 3 times\n"
        "merge 2/2: 256, 119 -> 257 (b'low'), 3 times\n"
    )
    assert tokenizer.encode("low", "all") == [257]
    assert tokenizer.pattern == GPT2_SPLIT_PATTERN
    assert tokenizer.compiled_pattern.findall("a b") == ["a", " b"]


def test_a_subclass_may_set_the_attributes() -> None:
    """As minbpe's own GPT-4 tokenizer does."""

    class Shifted(RegexTokenizer):
        def __init__(self) -> None:
            super().__init__()
            self.merges = {(98, 99): 256}
            self.vocab = {idx: bytes([(idx - 1) % 256]) for idx in range(256)} | {256: b"ab"}

        def _encode_chunk(self, text_bytes: bytes) -> list[int]:
            return super()._encode_chunk(bytes((byte + 1) % 256 for byte in text_bytes))

    tokenizer = Shifted()
    assert tokenizer.encode("abc") == [256, 100]
    assert tokenizer.decode([256, 100]) == "abc"


def test_names() -> None:
    for name in package.__all__:
        assert hasattr(package, name)
    assert issubclass(GPT4Tokenizer, RegexTokenizer)
    with pytest.raises(NotImplementedError, match="Tokenizer must implement _split"):
        Tokenizer().train("abc", 257)
