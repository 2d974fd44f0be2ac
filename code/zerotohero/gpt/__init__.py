"""Chapter 7: a decoder-only transformer, small enough to read and complete enough to use.

From the inside out: one attention head, several of them, the same computed at once, the
feed-forward layer, a block, and the model with its loss and its sampling. ``Vocabulary`` turns
text into ids and back. ``Muon`` is an optimizer. ``zerotohero.train_gpt`` trains.

Shapes: B sequences in a batch, T tokens in each, C = ``n_embd`` numbers for a token.

Not handled: padding, several documents in one sequence, other position encodings.

Source: lecture 7 of *Neural Networks: Zero to Hero*; Vaswani et al. (2017); Radford et al. (2019).
"""

from ..vocabulary import Vocabulary
from .attention import CausalSelfAttention, Head, KeysAndValues, MultiHeadAttention
from .config import GPTConfig
from .model import GPT, Block, FeedForward
from .muon import Muon, orthogonalize

__all__ = [
    "GPT",
    "Block",
    "CausalSelfAttention",
    "FeedForward",
    "GPTConfig",
    "Head",
    "KeysAndValues",
    "MultiHeadAttention",
    "Muon",
    "Vocabulary",
    "orthogonalize",
]
