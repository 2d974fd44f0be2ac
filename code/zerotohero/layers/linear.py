"""The linear layer, with weights of a fitting size, and two nonlinearities."""

from __future__ import annotations

import math

import torch

from .base import Layer, require_features, require_number, require_size

GAINS = {"linear": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}
"""By how much the weights of a linear layer should be larger than 1 / sqrt(fan_in), to make up
for a nonlinearity. The values are those of ``torch.nn.init.calculate_gain``."""


def gain_of(gain: str | float) -> float:
    """Return a gain, given by name (``"linear"``, ``"tanh"``, ``"relu"``) or as a number.

    Raises
    ------
    ValueError
        If the name is unknown, or the number is negative or not finite.
    TypeError
        If it is neither a name nor a number.
    """
    if isinstance(gain, str):
        if gain not in GAINS:
            raise ValueError(f"gain must be a number or one of {sorted(GAINS)}, got {gain!r}")
        return GAINS[gain]
    require_number("gain", gain)
    if not 0 <= gain < math.inf:
        raise ValueError(f"gain must be finite and not negative, got {gain}")
    return float(gain)


class Linear(Layer):
    """``x @ weight + bias``.

    The weights are drawn from a normal distribution with standard deviation
    ``gain / sqrt(fan_in)`` (He et al. 2015). The bias starts at zero.

    Parameters
    ----------
    fan_in : int
        Features of the input.
    fan_out : int
        Features of the output.
    bias : bool
        Whether to add a bias.
    gain : str or float
        A number, or the name of a nonlinearity: ``"linear"`` (none), ``"tanh"`` or ``"relu"``.
        It makes up for what the nonlinearity in front of the layer takes away. By convention,
        the lecture's and PyTorch's, one names the nonlinearity behind the layer; in a stack
        that differs only for the first layer and the last.
    generator : torch.Generator, optional
        Draws the weights; without one, PyTorch's own, which ``torch.manual_seed`` seeds.
    device : str
        Where the layer computes. The weights are drawn on the CPU: a seed gives the same
        ones on every device.

    Attributes
    ----------
    weight : Tensor, shape (fan_in, fan_out)
        (``torch.nn.Linear`` keeps the transpose.)
    bias : Tensor, shape (fan_out,), or None

    Raises
    ------
    ValueError
        If a size is below 1 or a gain is unknown; when called, if x has another width.
    TypeError
        If a size is no int or the gain no number; when called, if x does not hold
        floating-point numbers.
    """

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        bias: bool = True,
        *,
        gain: str | float = "linear",
        generator: torch.Generator | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        require_size("fan_in", fan_in)
        require_size("fan_out", fan_out)
        std = gain_of(gain) / math.sqrt(fan_in)
        weight = torch.randn((fan_in, fan_out), generator=generator)
        self.weight = (weight * std).to(device)
        self.bias = torch.zeros(fan_out, device=device) if bias else None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output, shape (..., fan_out), for an input (..., fan_in)."""
        require_features(x, len(self.weight), "Linear")
        out = x @ self.weight
        return out if self.bias is None else out + self.bias

    def parameters(self) -> list[torch.Tensor]:
        """List the weight and, if there is one, the bias."""
        return [self.weight] if self.bias is None else [self.weight, self.bias]


class Tanh(Layer):
    """The hyperbolic tangent of every entry."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return tanh(x), with the shape of x."""
        return torch.tanh(x)


class ReLU(Layer):
    """The rectifier: every entry, or zero where it is negative."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return max(x, 0), with the shape of x."""
        return torch.relu(x)
