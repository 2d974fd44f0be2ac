"""Chapter 5: backpropagation by hand.

- ``model``: the network, an MLP with batch normalization
- ``steps``: forward in named steps, and backward line by line
- ``fused``: cross-entropy and normalization backward, each in one expression
- ``by_hand``: training without autograd, of this network and of the MLP of chapters 3 and 4

Source: lecture 5 of *Neural Networks: Zero to Hero*.
"""

from . import fused, steps
from .by_hand import mlp_gradients, train_by_hand, train_in_numpy, train_together
from .fused import batchnorm_backward, cross_entropy_backward, layernorm_backward
from .model import BatchNormMLP

__all__ = [
    "BatchNormMLP",
    "batchnorm_backward",
    "cross_entropy_backward",
    "fused",
    "layernorm_backward",
    "mlp_gradients",
    "steps",
    "train_by_hand",
    "train_in_numpy",
    "train_together",
]
