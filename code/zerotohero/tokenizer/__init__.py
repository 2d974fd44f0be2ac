"""Chapter 8: the tokenizer of GPT, by byte-pair encoding.

``BasicTokenizer`` takes a text as one piece, ``RegexTokenizer`` splits it first. ``GPT2Tokenizer``
and ``GPT4Tokenizer`` are those of the models, from their published files. All have the
interface of minbpe. ``python -m zerotohero.tokenizer --help`` shows the command.

`naive` holds byte-pair encoding as the chapter teaches it; read it first. The classes use
`training` and `encoding`, which give the same results faster.

What this package does *not* do: Unicode normalization, SentencePiece's models, tokens that
reach over a split.

Source: lecture 8 of *Neural Networks: Zero to Hero*; minbpe, for the interface.
"""

from .base import Tokenizer
from .basic import BasicTokenizer
from .gpt2 import GPT2Tokenizer
from .gpt4 import GPT4Tokenizer
from .naive import get_stats, merge
from .regex_tokenizer import GPT2_SPLIT_PATTERN, GPT4_SPLIT_PATTERN, RegexTokenizer

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
