"""Chapter 7: a decoder-only transformer, small enough to read and complete enough to use.

``model`` has all of it, from the inside out: one attention head, several of them, the same
computed at once, the feed-forward layer, a block, and the model with its loss and its sampling.
``Vocabulary`` turns text into ids and back. ``Muon`` is an optimizer. ``zerotohero.train_gpt``
trains.

Not handled: padding, several documents in one sequence, other position encodings.

Source: lecture 7 of *Neural Networks: Zero to Hero*; Vaswani et al. (2017); Radford et al. (2019).
"""

from ..vocabulary import Vocabulary
from .model import (
    GPT,
    Block,
    CausalSelfAttention,
    FeedForward,
    GPTConfig,
    Head,
    KVCache,
    MultiHeadAttention,
)
from .muon import Muon, orthogonalize

__all__ = [
    "GPT",
    "Block",
    "CausalSelfAttention",
    "FeedForward",
    "GPTConfig",
    "Head",
    "KVCache",
    "MultiHeadAttention",
    "Muon",
    "Vocabulary",
    "orthogonalize",
]
