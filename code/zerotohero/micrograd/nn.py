"""Neurons, layers and a multilayer perceptron, out of ``Value`` objects.

Source: lecture 1 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

from ..arguments import require_int
from .engine import Number, Value

ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "tanh": Value.tanh,
    "relu": Value.relu,
    "linear": lambda value: value,
}


class Uniform(Protocol):
    """A random generator, such as ``random.Random`` or ``numpy.random.Generator``."""

    def uniform(self, low: float, high: float, /) -> float:
        """Draw one number between ``low`` and ``high``."""


class Module:
    """What neurons, layers and networks have in common: parameters."""

    def parameters(self) -> list[Value]:
        """List every number that training may change."""
        raise NotImplementedError(f"{type(self).__name__} does not list its parameters")

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to zero, before a new backward pass."""
        for parameter in self.parameters():
            parameter.grad = 0.0


class Neuron(Module):
    """A weighted sum of ``nin`` inputs, plus a bias, through an activation.

    Parameters
    ----------
    nin : int
        Number of inputs.
    activation : str
        ``"tanh"``, ``"relu"`` or ``"linear"``.
    rng : random.Random or numpy.random.Generator, optional
        Draws the weights, uniformly between -1 and 1. The bias starts at zero.
        Without one, a generator with an arbitrary seed is made.

    Raises
    ------
    TypeError, ValueError
        If ``nin`` is not a positive int, if the activation is unknown, or if the neuron is
        called with anything other than ``nin`` inputs.
    """

    def __init__(self, nin: int, activation: str = "tanh", rng: Uniform | None = None) -> None:
        require_int(1, nin=nin)
        if activation not in list(ACTIVATIONS):
            raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {activation!r}")
        rng = random.Random() if rng is None else rng
        self.w = [Value(rng.uniform(-1.0, 1.0)) for _ in range(nin)]
        self.b = Value(0.0)
        self.activation = activation

    def __call__(self, x: Sequence[Number]) -> Value:
        """Return the output of the neuron for one example, ``nin`` numbers."""
        _require_inputs(len(self.w), x)
        total = self.b
        for wi, xi in zip(self.w, x):
            total = total + wi * xi
        return ACTIVATIONS[self.activation](total)

    def parameters(self) -> list[Value]:
        """List the weights, then the bias."""
        return [*self.w, self.b]

    def __repr__(self) -> str:
        return f"Neuron({len(self.w)}, {self.activation!r})"


class Layer(Module):
    """``nout`` neurons that see the same ``nin`` inputs. Arguments as for ``Neuron``."""

    def __init__(
        self, nin: int, nout: int, activation: str = "tanh", rng: Uniform | None = None
    ) -> None:
        require_int(1, nout=nout)
        rng = random.Random() if rng is None else rng
        self.neurons = [Neuron(nin, activation, rng) for _ in range(nout)]

    def __call__(self, x: Sequence[Number]) -> list[Value]:
        """Return the outputs of all neurons for one example."""
        return [neuron(x) for neuron in self.neurons]

    def parameters(self) -> list[Value]:
        """List the parameters of every neuron, in order."""
        return [p for neuron in self.neurons for p in neuron.parameters()]

    def __repr__(self) -> str:
        return f"Layer({self.neurons[0]!r} × {len(self.neurons)})"


class MLP(Module):
    """A multilayer perceptron: layers, each fed with the outputs of the one before.

    Parameters
    ----------
    nin : int
        Number of inputs.
    nouts : sequence of int
        Number of neurons in each layer; the last entry is the number of outputs.
    activation : str
        As for ``Neuron``.
    last_linear : bool
        Leave the activation out in the last layer, so that outputs are not bounded.
    rng : random.Random or numpy.random.Generator, optional
        Draws the weights.

    Raises
    ------
    TypeError, ValueError
        If ``nouts`` is not a list of sizes, or is empty, or as ``Neuron`` does.
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        activation: str = "tanh",
        last_linear: bool = False,
        rng: Uniform | None = None,
    ) -> None:
        try:
            sizes = [nin, *nouts]
        except TypeError:
            raise TypeError(f"nouts must be a list of layer sizes, got {nouts!r}") from None
        if len(sizes) == 1:
            raise ValueError("nouts must name at least one layer, got an empty sequence")
        rng = random.Random() if rng is None else rng
        activations = [activation] * len(sizes[1:])
        if last_linear:
            activations[-1] = "linear"
        self.layers = [Layer(n, m, kind, rng) for n, m, kind in zip(sizes, sizes[1:], activations)]

    def __call__(self, x: Sequence[Number]) -> Value | list[Value]:
        """Return the output: one ``Value``, or a list if the last layer has several."""
        first, *others = self.layers
        out = first(x)
        for layer in others:
            out = layer(out)
        return out[0] if len(out) == 1 else out

    def parameters(self) -> list[Value]:
        """List the parameters of every layer, in order."""
        return [p for layer in self.layers for p in layer.parameters()]

    def __repr__(self) -> str:
        return f"MLP([{', '.join(map(repr, self.layers))}])"


def _require_inputs(nin: int, x: Sequence[Number]) -> None:
    try:
        given = len(x)
    except TypeError:
        raise TypeError(f"x must be a list of {nin} inputs, got {x!r}") from None
    if given != nin:
        raise ValueError(f"x must have {nin} inputs, got {given}")
