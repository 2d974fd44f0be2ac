"""The dilated causal convolution, and the hierarchical network turned into a stack of them."""

from __future__ import annotations

import torch

from ..layers import FlattenConsecutive, Layer, Linear, Sequential
from ..layers.base import require_features, require_size


class CausalConv1d(Linear):
    """A linear layer that slides over a sequence and reads places ``dilation`` apart.

    At every place it takes the vectors there, ``dilation`` before, ``2 * dilation`` before, and
    so on, ``kernel_size`` of them, side by side with the oldest first. Nothing is padded: the
    output begins where all of them exist, and is shorter than the input by
    ``(kernel_size - 1) * dilation``. It never looks ahead.

    As ``torch.nn.Conv1d(fan_in, fan_out, kernel_size, dilation=dilation)``, which expects
    (B, C, T) and keeps its weight as (fan_out, fan_in, kernel_size).

    Parameters
    ----------
    fan_in, fan_out : int
        Features of a place, before and after.
    kernel_size : int
        How many places are read.
    dilation : int
        How far apart they are.
    bias, gain, generator, device
        As for ``Linear``.

    Attributes
    ----------
    weight : Tensor, shape (kernel_size * fan_in, fan_out)
    bias : Tensor, shape (fan_out,), or None

    Raises
    ------
    ValueError
        If a number is below 1; when called, if x has another width than (B, T, fan_in), or is
        too short.
    TypeError
        As ``Linear``.

    Notes
    -----
    Source: van den Oord et al. (2016), section 2.1.
    """

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        kernel_size: int = 2,
        dilation: int = 1,
        bias: bool = True,
        *,
        gain: str | float = "linear",
        generator: torch.Generator | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        require_size("fan_in", fan_in)
        require_size("kernel_size", kernel_size)
        require_size("dilation", dilation)
        super().__init__(
            kernel_size * fan_in, fan_out, bias, gain=gain, generator=generator, device=device
        )
        self.fan_in, self.kernel_size, self.dilation = fan_in, kernel_size, dilation

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, T - (kernel_size - 1) * dilation, fan_out) for an input (B, T, fan_in)."""
        require_features(x, self.fan_in, "CausalConv1d", dims=3)
        reach = (self.kernel_size - 1) * self.dilation
        length = x.shape[1] - reach
        if length < 1:
            raise ValueError(
                f"CausalConv1d: x must have at least {reach + 1} places, got {x.shape[1]}"
            )
        starts = range(0, reach + 1, self.dilation)
        taps = [x[:, start : start + length] for start in starts]  # each (B, length, fan_in)
        return super().__call__(torch.cat(taps, -1))  # (B, length, kernel_size * fan_in) goes in


def as_convolution(model: Sequential) -> Sequential:
    """Turn a network like ``hierarchical`` into one that slides over a sequence.

    Each pair of ``FlattenConsecutive(n)`` and ``Linear`` becomes a ``CausalConv1d`` with kernel
    size n, dilated by the product of all n before it. The weights are shared, not copied, and
    the other layers are the same objects: train one network, and the other has learned, too.

    For ids (B, T) the new network returns logits (B, T - block_size + 1, 27): at every place
    what the old one returns for the ``block_size`` ids that end there. That holds in evaluation
    mode. In training, a BatchNorm sees each place once, not once for every context it is in.

    Raises
    ------
    TypeError
        If the model is no ``Sequential``.
    ValueError
        If a ``FlattenConsecutive`` is not followed by a ``Linear``.
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"model must be a Sequential, got {type(model).__name__}")
    layers: list[Layer] = []
    dilation, merged = 1, 0  # merged: what the FlattenConsecutive just before joins
    for layer in model.layers:
        if merged:
            if not isinstance(layer, Linear):
                raise ValueError(
                    "model must have a Linear behind each FlattenConsecutive, "
                    f"got {type(layer).__name__}"
                )
            fan_in, fan_out = len(layer.weight) // merged, layer.weight.shape[1]
            conv = CausalConv1d(fan_in, fan_out, merged, dilation, bias=False)
            conv.weight, conv.bias = layer.weight, layer.bias
            layers.append(conv)
            dilation, merged = dilation * merged, 0
        elif isinstance(layer, FlattenConsecutive):
            merged = layer.n
        else:
            layers.append(layer)
    if merged:
        raise ValueError("model must have a Linear behind each FlattenConsecutive, got none")
    return Sequential(layers)
