"""Chapters 4 and 6: layers with the interface of ``torch.nn``, in miniature.

A layer is called with a tensor and returns a tensor. It lists the tensors that training
changes (``parameters()``), and knows whether it is being trained (``training``). Gradients
come from PyTorch's autograd. The last dimension of every tensor holds the features.

A ``Container`` is a layer that holds layers: what it is asked to do reaches all of them.

Not handled: moving a layer to another device after it was made, saving, convolutions.

Source: lectures 4 and 6 of *Neural Networks: Zero to Hero*; Ioffe and Szegedy (2015); He et al.
(2015).
"""

from .base import Layer
from .containers import Container, Sequential
from .linear import GAINS, Linear, ReLU, Tanh, gain_of
from .norms import BatchNorm1d, GroupNorm, LayerNorm, RMSNorm
from .sequences import Embedding, FlattenConsecutive

__all__ = [
    "GAINS",
    "BatchNorm1d",
    "Container",
    "Embedding",
    "FlattenConsecutive",
    "GroupNorm",
    "Layer",
    "LayerNorm",
    "Linear",
    "RMSNorm",
    "ReLU",
    "Sequential",
    "Tanh",
    "gain_of",
]
