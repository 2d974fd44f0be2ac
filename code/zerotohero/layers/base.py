"""What all layers share."""

from __future__ import annotations

from numbers import Real

import torch


class Layer:
    """A function of tensors with parameters and a mode.

    Attributes
    ----------
    training : bool
        True while the network is being trained, False for evaluation. Some layers behave
        differently in the two modes.
    """

    training = True

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output of the layer."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes")

    def parameters(self) -> list[torch.Tensor]:
        """List the tensors that training changes in place."""
        return []

    def train(self, mode: bool = True) -> None:
        """Switch to training mode, or to evaluation mode with ``mode=False``."""
        self.training = mode

    def eval(self) -> None:
        """Switch to evaluation mode."""
        self.train(False)


def require_features(x: torch.Tensor, width: int, layer: str, dims: int = 1) -> None:
    """Raise unless ``x`` holds floating-point numbers, ``width`` of them in the last dimension.

    Raises
    ------
    TypeError
        If x is no tensor of floating-point numbers.
    ValueError
        If x has fewer than ``dims`` dimensions, or another width.
    """
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{layer}: x must be a tensor, got {type(x).__name__}")
    if not x.is_floating_point():
        raise TypeError(f"{layer}: x must hold floating-point numbers, got {x.dtype}")
    if x.ndim < dims or x.shape[-1] != width:
        expected = "(..., " + "N, " * (dims - 1) + f"{width})"
        raise ValueError(f"{layer}: x must have shape {expected}, got {tuple(x.shape)}")


def require_size(name: str, size: int) -> None:
    """Raise unless ``size`` is a whole number, an int, of at least 1."""
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"{name} must be an int, got {size!r}")
    if size < 1:
        raise ValueError(f"{name} must be at least 1, got {size}")


def require_number(name: str, number: float) -> None:
    """Raise ``TypeError`` unless ``number`` is a number."""
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"{name} must be a number, got {number!r}")
