"""Looks into a network without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .layers import Layer, Sequential


def outputs_of_layers(model: Sequential, X: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the output of every layer of a ``Sequential``, in order; the last is the logits.

    Names are the path of the layer and its class, as in ``"2.1 Tanh"``. A layer that holds
    others, but is no ``Sequential``, counts as one. Running averages stay as they are.
    """
    found: dict[str, torch.Tensor] = {}

    def follow(model: Sequential, x: torch.Tensor, prefix: str) -> torch.Tensor:
        for name, layer in model.children().items():
            if isinstance(layer, Sequential):
                x = follow(layer, x, f"{prefix}{name}.")
            else:
                x = found[f"{prefix}{name} {type(layer).__name__}"] = layer(x)
        return x

    leaves: list[Layer] = [leaf for _, leaf in model.leaves()]
    with statistics_kept(leaves):
        follow(model, X, "")
    return found


def outputs_of_modules(model: torch.nn.Module, X: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the output of every submodule without submodules of its own, then the logits.

    Names are the name of the submodule and its class, as in ``"2.1 Tanh"``. The module's
    buffers stay as they are.
    """
    found: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, _: Any, output: torch.Tensor) -> None:
            found[f"{name} {type(module).__name__}".strip()] = output

        return hook

    leaves = [(name, m) for name, m in model.named_modules() if not list(m.children())]
    hooks = [module.register_forward_hook(keep(name)) for name, module in leaves]
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        logits = torch.func.functional_call(model, buffers, (X,))
    finally:
        for hook in hooks:
            hook.remove()
    return {**found, "logits": logits}


@contextmanager
def statistics_kept(layers: list[Any]) -> Iterator[None]:
    """Let a forward pass update copies of the running averages, and drop them afterwards."""
    names = ("running_mean", "running_var", "num_batches_tracked")  # the last one is PyTorch's
    found = [(layer, n, getattr(layer, n, None)) for layer in layers for n in names]
    kept = [(layer, n, buffer) for layer, n, buffer in found if buffer is not None]
    for layer, name, buffer in kept:
        setattr(layer, name, buffer.clone())
    try:
        yield
    finally:
        for layer, name, buffer in kept:
            setattr(layer, name, buffer)
