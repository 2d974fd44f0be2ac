"""Chapter 8: the tokenizer of GPT, by byte-pair encoding.

- `naive`: byte-pair encoding as the chapter teaches it. Read it first.
- `fast`: training and encoding with the same results, in much less time.
- `tokenizers`: ``BasicTokenizer`` takes a text as one chunk, ``RegexTokenizer`` splits it first.
- `published`: ``GPT2Tokenizer`` and ``GPT4Tokenizer``, from the files of the models.
- `files`: model files.
- `spans`: tokens as a page shows them.

All tokenizers have the interface of minbpe. ``python -m zerotohero.tokenizer --help`` shows the
command. What this package does *not* do: Unicode normalization, SentencePiece's models, tokens
that reach over a split.

Source: lecture 8 of *Neural Networks: Zero to Hero*; minbpe, for the interface.
"""

from .naive import get_stats, merge
from .published import GPT2Tokenizer, GPT4Tokenizer
from .tokenizers import (
    GPT2_SPLIT_PATTERN,
    GPT4_SPLIT_PATTERN,
    BasicTokenizer,
    RegexTokenizer,
    Tokenizer,
)

__all__ = [
    "GPT2_SPLIT_PATTERN",
    "GPT4_SPLIT_PATTERN",
    "BasicTokenizer",
    "GPT2Tokenizer",
    "GPT4Tokenizer",
    "RegexTokenizer",
    "Tokenizer",
    "get_stats",
    "merge",
]
