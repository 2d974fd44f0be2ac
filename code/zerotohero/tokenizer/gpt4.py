"""The tokenizer of GPT-4."""

from __future__ import annotations

from zerotohero import data

from .published import PublishedTokenizer
from .ranks import read_gpt4
from .regex_tokenizer import GPT4_SPLIT_PATTERN

GPT4_SPECIAL_TOKENS = {
    "<|endoftext|>": 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}


class GPT4Tokenizer(PublishedTokenizer):
    """The tokenizer of GPT-4, which tiktoken calls ``cl100k_base``.

    It is made from the published ranks, which are looked for as all data sets of this book.
    That takes about a second, as the merges have to be found out.

    Raises
    ------
    zerotohero.data.DataError
        If the file with the ranks is not available.
    """

    def __init__(self) -> None:
        vocabulary = read_gpt4(data.fetch("cl100k_base"), GPT4_SPECIAL_TOKENS)
        super().__init__(GPT4_SPLIT_PATTERN, vocabulary)
