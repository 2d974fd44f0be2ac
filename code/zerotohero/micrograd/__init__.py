"""Chapter 1: an automatic differentiation engine for scalars, and a network on top.

- ``engine``: ``Value``, and ``topological_order``
- ``nn``: ``Neuron``, ``Layer``, ``MLP``
- ``graph``: ``draw_graph``
- ``gradcheck``: ``check_gradients``
- ``moons``: ``make_moons``, a small data set

Source: lecture 1 of *Neural Networks: Zero to Hero*, and the repository
``karpathy/micrograd``, whose interface this follows.
"""

from .engine import Value, topological_order
from .gradcheck import GradientCheck, GradientMismatch, check_gradients
from .graph import Graph, draw_graph
from .moons import make_moons
from .nn import MLP, Layer, Module, Neuron

__all__ = [
    "MLP",
    "GradientCheck",
    "GradientMismatch",
    "Graph",
    "Layer",
    "Module",
    "Neuron",
    "Value",
    "check_gradients",
    "draw_graph",
    "make_moons",
    "topological_order",
]
