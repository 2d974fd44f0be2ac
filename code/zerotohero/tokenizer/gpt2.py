"""The tokenizer of GPT-2."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from zerotohero import data

from .published import PublishedTokenizer
from .ranks import read_gpt2
from .regex_tokenizer import GPT2_SPLIT_PATTERN


class GPT2Tokenizer(PublishedTokenizer):
    """The tokenizer of GPT-2, from its two published files.

    Parameters
    ----------
    vocab_bpe, encoder_json : path, optional
        The merges, and the id of each token. By default the published files, which are looked
        for as all data sets of this book.

    Raises
    ------
    zerotohero.data.DataError
        If a published file is not available.
    OSError, ValueError
        If a file cannot be read, or is not what it should be.
    """

    def __init__(
        self,
        vocab_bpe: str | PathLike[str] | None = None,
        encoder_json: str | PathLike[str] | None = None,
    ) -> None:
        merges = data.fetch("gpt2_vocab_bpe") if vocab_bpe is None else vocab_bpe
        ids = data.fetch("gpt2_encoder_json") if encoder_json is None else encoder_json
        super().__init__(GPT2_SPLIT_PATTERN, read_gpt2(Path(merges), Path(ids)))
