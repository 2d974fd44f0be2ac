"""Checks for the exercises of chapter 1."""

from .backpropagation import softmax_nll, topological_order, training_step
from .derivatives import analytic_gradient, numerical_gradient, symmetric_gradient
from .operators import operators

__all__ = [
    "analytic_gradient",
    "numerical_gradient",
    "operators",
    "softmax_nll",
    "symmetric_gradient",
    "topological_order",
    "training_step",
]
