"""Chapter 4: networks built from layers.

``DeepMLP`` puts layers from ``zerotohero.layers`` after an embedding. ``six_layers`` builds
the deep network of the lecture in all its variants.

Source: lecture 4 of *Neural Networks: Zero to Hero*; Ioffe and Szegedy (2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from .arguments import require_int
from .bigrams import V
from .layers import Container, Layer, Linear, Sequential, Tanh
from .mlp import embed


class DeepMLP(Container):
    """An embedding of each character, then layers one after the other.

    Parameters
    ----------
    C : Tensor, shape (vocab_size, n_embd)
        Table of embeddings.
    layers : sequence of layers
        The first takes ``block_size * n_embd`` features, the last gives ``vocab_size``.

    Raises
    ------
    ValueError
        If C does not have two dimensions, or there is no layer.
    TypeError
        If something other than a layer is given.
    """

    def __init__(self, C: torch.Tensor, layers: Sequence[Layer]) -> None:
        if C.ndim != 2:
            raise ValueError(f"C must have two dimensions, got shape {tuple(C.shape)}")
        self.C, self.body = C, Sequential(layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers after the embedding."""
        return self.body.layers

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape (N, vocab_size), for contexts (N, block_size)."""
        emb = embed(self.C, X)  # C[X]: (N, block_size, n_embd)
        return self.body(emb.flatten(1))

    def children(self) -> dict[str, Layer]:
        """Return the layers by their position, counted from 1: the embedding is 0."""
        return {str(position): layer for position, layer in enumerate(self.layers, start=1)}

    def named_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield every parameter with a name: ``C``, ``1 Linear.weight``, ``1 Linear.bias``, ..."""
        yield "C", self.C
        yield from super().named_parameters()


def six_layers(
    generator: torch.Generator,
    *,
    gain: str | float = "tanh",
    activation: type[Layer] | None = Tanh,
    norm: Callable[[int], Layer] | None = None,
    block_size: int = 3,
    n_embd: int = 10,
    n_hidden: int = 100,
    vocab_size: int = V,
) -> DeepMLP:
    """Build the lecture's deep network: five hidden layers and an output layer.

    The output layer starts ten times smaller: its weight, or with a norm, the norm's scale.

    Parameters
    ----------
    generator : torch.Generator
        Draws all weights.
    gain : str or float
        Gain of the hidden weights, as for ``Linear``.
    activation : class of a layer, or None
        The nonlinearity after each hidden layer.
    norm : callable or None
        Makes a normalization layer for a number of features; it follows every linear layer,
        which then has no bias. Its first parameter must be its scale.
    block_size, n_embd, n_hidden, vocab_size : int
        Context length, embedding size, neurons of a hidden layer, number of characters.

    Raises
    ------
    ValueError, TypeError
        If a size is not an int of at least 1, for a gain that ``Linear`` refuses, or if
        ``activation`` or ``norm`` is a layer.
    """
    require_int(1, block_size=block_size, n_embd=n_embd, n_hidden=n_hidden, vocab_size=vocab_size)
    for name, given in (("activation", activation), ("norm", norm)):
        if isinstance(given, Layer):
            raise TypeError(f"{name} must be a class, {type(given).__name__}, not one layer of it")
    C = torch.randn((vocab_size, n_embd), generator=generator)
    layers: list[Layer] = []
    for fan_in in (block_size * n_embd, *[n_hidden] * 4):  # linear, then norm, then activation
        layers.append(Linear(fan_in, n_hidden, norm is None, gain=gain, generator=generator))
        layers += [norm(n_hidden)] if norm else []
        layers += [activation()] if activation else []
    layers.append(Linear(n_hidden, vocab_size, norm is None, generator=generator))
    layers += [norm(vocab_size)] if norm else []
    scale = layers[-1].parameters()[0]  # the linear layer's weight, or the norm's gamma
    scale *= 0.1
    return DeepMLP(C, layers)
