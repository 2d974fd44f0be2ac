"""Chapter 5: backpropagation by hand, through a network with batch normalization.

- ``model``: the network
- ``steps``: forward in named steps, and backward line by line
- ``fused``: cross-entropy and normalization backward, each in one expression
- ``training``: the training loop without autograd

Source: lecture 5 of *Neural Networks: Zero to Hero*.
"""

from . import fused, steps
from .fused import batchnorm_backward, cross_entropy_backward, layernorm_backward
from .model import BatchNormMLP
from .training import train_by_hand

__all__ = [
    "BatchNormMLP",
    "batchnorm_backward",
    "cross_entropy_backward",
    "fused",
    "layernorm_backward",
    "steps",
    "train_by_hand",
]
