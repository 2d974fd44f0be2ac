"""What the tests of the normalization layers share: inputs, learned parameters, gradients."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

C = 6


def rand(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def batch(*shape: int, seed: int = 1) -> torch.Tensor:
    """Return features of various means and sizes."""
    width = shape[-1]
    return rand(*shape, seed=seed) * torch.linspace(0.3, 4, width) + torch.linspace(-3, 2, width)


def learned(layer: Any, theirs: nn.Module | None = None) -> list[torch.Tensor]:
    """Give gain and shift values as if learned, the same in torch's layer; return ours."""
    parameters: list[torch.Tensor] = layer.parameters()
    for i, p in enumerate(parameters):
        p.copy_(1.5 - i + 0.5 * rand(*p.shape, seed=20 + i))
    if theirs is not None:
        with torch.no_grad():
            for p, q in zip(parameters, theirs.parameters(), strict=True):
                q.copy_(p)
    return parameters


def in_dtype(layer: Any, dtype: torch.dtype) -> Any:
    """Let a layer of ours compute in another dtype; return it."""
    for name, value in vars(layer).items():
        if isinstance(value, torch.Tensor):
            setattr(layer, name, value.to(dtype))
    return layer


def with_gradients(
    layer: Any, x: torch.Tensor, parameters: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """Return the output, and the gradients of a weighted sum of it by x and the parameters."""
    leaf = x.clone().requires_grad_()
    for p in parameters:
        p.requires_grad_()
    out = layer(leaf)
    grads = torch.autograd.grad(out, [leaf, *parameters], rand(*out.shape, seed=30))
    return [out.detach(), *grads]
