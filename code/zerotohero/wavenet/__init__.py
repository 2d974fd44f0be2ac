"""Chapter 6: a network that merges its context step by step, and the same one as a convolution.

``hierarchical`` builds the network: neighbors are joined in pairs, the pairs in pairs, until one
vector is left. ``as_convolution`` turns a network of that kind, with the same weights, into one
that slides over a whole name. ``train_adamw`` trains it in few, large steps.

Not handled: padding inside of the convolution, strides, the fast sampling of WaveNet that
keeps what it computed for the steps before.

Source: lecture 6 of *Neural Networks: Zero to Hero*; van den Oord et al. (2016), WaveNet.
"""

from ..training import one_cycle
from .convolution import CausalConv1d, as_convolution
from .network import FusedBatchNorm1d, hierarchical
from .training import evaluate, train_adamw

__all__ = [
    "CausalConv1d",
    "FusedBatchNorm1d",
    "as_convolution",
    "evaluate",
    "hierarchical",
    "one_cycle",
    "train_adamw",
]
