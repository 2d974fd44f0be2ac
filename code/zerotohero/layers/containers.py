"""Layers that hold other layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from .base import Layer


class Container(Layer):
    """A layer made of layers. What is asked of it reaches every layer inside.

    A subclass says what it holds, in ``children``, and what it computes, in ``__call__``.
    """

    def children(self) -> dict[str, Layer]:
        """Return the layers directly inside, by name."""
        raise NotImplementedError(f"{type(self).__name__} does not say which layers it holds")

    def leaves(self) -> Iterator[tuple[str, Layer]]:
        """Yield every layer without layers inside, with its path: ``"3"``, or ``"2.0"`` if nested.

        A layer that stands in two places is listed once, with its first path.
        """
        seen: set[int] = set()
        for path, leaf in self._walk():
            if id(leaf) not in seen:
                seen.add(id(leaf))
                yield path, leaf

    def _walk(self) -> Iterator[tuple[str, Layer]]:
        for name, child in self.children().items():
            if isinstance(child, Container):
                yield from ((f"{name}.{path}", leaf) for path, leaf in child._walk())
            else:
                yield name, child

    def named_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield every parameter with a name: ``0 Embedding.weight``, ``2.1 BatchNorm1d.gamma``.

        The name starts with the path of the layer, so it is unique. A parameter that two layers
        share is listed once.
        """
        seen: set[int] = set()
        for path, leaf in self.leaves():
            names = {id(tensor): name for name, tensor in vars(leaf).items()}
            for i, p in enumerate(leaf.parameters()):
                if id(p) not in seen:
                    seen.add(id(p))
                    yield f"{path} {type(leaf).__name__}.{names.get(id(p), i)}", p

    def parameters(self) -> list[torch.Tensor]:
        """List the parameters of all layers inside."""
        return [p for _, p in self.named_parameters()]

    def train(self, mode: bool = True) -> None:
        """Switch this layer and all layers inside to training mode, or to evaluation mode."""
        self.training = mode
        for child in self.children().values():
            child.train(mode)


class Sequential(Container):
    """Layers, one after the other: each takes what the one before returns.

    As ``torch.nn.Sequential``.

    Parameters
    ----------
    *layers : Layer
        ``Sequential(a, b)``, or one list, ``Sequential([a, b])``. A layer may be a Sequential.

    Attributes
    ----------
    layers : list of Layer

    Raises
    ------
    ValueError
        If there is no layer.
    TypeError
        If something else than a layer is given.
    """

    def __init__(self, *layers: Layer | Sequence[Layer]) -> None:
        given = layers[0] if len(layers) == 1 and not isinstance(layers[0], Layer) else layers
        if not isinstance(given, Sequence):
            raise TypeError(f"layers must be layers, or one list of them, got {given!r}")
        self.layers: list[Layer] = []
        for i, layer in enumerate(given):
            if not isinstance(layer, Layer):
                raise TypeError(f"layers must hold only layers, got {layer!r} in place {i}")
            self.layers.append(layer)
        if not self.layers:
            raise ValueError("layers must hold at least one layer, got none")

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the last layer returns."""
        for layer in self.layers:
            x = layer(x)
        return x

    def children(self) -> dict[str, Layer]:
        """Return the layers by their place, counted from 0: ``"0"``, ``"1"``, ..."""
        return {str(place): layer for place, layer in enumerate(self.layers)}
