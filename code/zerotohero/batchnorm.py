"""Chapter 4: networks built from layers.

``DeepMLP`` puts layers from ``zerotohero.layers`` behind an embedding. ``six_layers`` builds
the deep network of the lecture in all its variants.

Source: lecture 4 of *Neural Networks: Zero to Hero*; Ioffe and Szegedy (2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from .bigrams import V
from .layers import Layer, Linear, Tanh
from .layers.base import require_size


class DeepMLP:
    """An embedding of each character, then layers one after the other.

    Parameters
    ----------
    C : Tensor, shape (27, n_embd)
        Table of embeddings.
    layers : sequence of layers
        The first takes ``block_size * n_embd`` features, the last gives 27.

    Raises
    ------
    ValueError
        If C does not have two dimensions, or there is no layer.
    """

    def __init__(self, C: torch.Tensor, layers: Sequence[Layer]) -> None:
        if C.ndim != 2:
            raise ValueError(f"C must have two dimensions, got shape {tuple(C.shape)}")
        if not layers:
            raise ValueError("layers must hold at least one layer, got none")
        self.C, self.layers = C, list(layers)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits of the next character, shape (N, 27), for contexts (N, block_size)."""
        x = self.C[X].flatten(1)  # (N, block_size * n_embd)
        for layer in self.layers:
            x = layer(x)
        return x

    def named_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield every parameter with a name: ``C``, ``1 Linear.weight``, ``2 BatchNorm1d.gamma``.

        The number is the place of the layer, counted from 1.
        """
        yield "C", self.C
        for place, layer in enumerate(self.layers, start=1):
            names = {id(tensor): name for name, tensor in vars(layer).items()}
            for p in layer.parameters():
                yield f"{place} {type(layer).__name__}.{names[id(p)]}", p

    def parameters(self) -> list[torch.Tensor]:
        """List the tensors that training changes."""
        return [p for _, p in self.named_parameters()]

    def train(self, mode: bool = True) -> None:
        """Switch every layer to training mode, or to evaluation mode with ``mode=False``."""
        for layer in self.layers:
            layer.train(mode)

    def eval(self) -> None:
        """Switch every layer to evaluation mode."""
        self.train(False)


def six_layers(
    generator: torch.Generator,
    *,
    gain: str | float = "tanh",
    activation: type[Layer] | None = Tanh,
    norm: Callable[[int], Layer] | None = None,
    block_size: int = 3,
    n_embd: int = 10,
    n_hidden: int = 100,
) -> DeepMLP:
    """Build the lecture's deep network: five hidden layers and an output layer.

    Each hidden layer is linear, then the norm, then the activation. The output layer starts
    ten times smaller: its weight, or where there is a norm, the norm's scale.

    Parameters
    ----------
    generator : torch.Generator
        Draws all weights.
    gain : str or float
        Gain of the hidden weights, as for ``Linear``.
    activation : class of a layer, or None
        The nonlinearity behind each hidden layer.
    norm : callable or None
        Makes a normalization layer for a number of features; it follows every linear layer,
        which then has no bias.
    block_size, n_embd, n_hidden : int
        Characters of context, numbers for each, neurons of a hidden layer.

    Raises
    ------
    ValueError
        If a size is below 1, or for a gain that ``Linear`` refuses.
    """
    for name, size in (("block_size", block_size), ("n_embd", n_embd), ("n_hidden", n_hidden)):
        require_size(name, size)
    C = torch.randn((V, n_embd), generator=generator)
    layers: list[Layer] = []
    fan_in = block_size * n_embd
    for _ in range(5):
        layers.append(Linear(fan_in, n_hidden, norm is None, gain=gain, generator=generator))
        layers += [norm(n_hidden)] if norm else []
        layers += [activation()] if activation else []
        fan_in = n_hidden
    output = Linear(fan_in, V, norm is None, generator=generator)
    layers.append(output)
    if norm:
        layers.append(norm(V))
        layers[-1].parameters()[0].mul_(0.1)  # the scale of a norm comes first
    else:
        output.weight *= 0.1
    return DeepMLP(C, layers)
