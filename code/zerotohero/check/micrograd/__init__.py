"""Checks for the exercises of chapter 1."""

from .derivatives import analytic_gradient, numerical_gradient, symmetric_gradient
from .operators import operators
from .order import topological_order
from .softmax import softmax_nll
from .training import training_step

__all__ = [
    "analytic_gradient",
    "numerical_gradient",
    "operators",
    "softmax_nll",
    "symmetric_gradient",
    "topological_order",
    "training_step",
]
