"""Chapter 4: activation, gradient and update statistics, and their plots.

The numbers of a model come from ``activations``, ``gradients``, ``grad_data`` and
``update_ratios``. A model is a ``DeepMLP`` or anything else with a table ``C`` and a list
``layers``, the ``MLP`` of chapter 3, a ``Sequential``, or a ``torch.nn.Module`` that returns
logits. They run a copy of it, in its own mode: not even the running averages of a BatchNorm
change.

``plot_densities``, ``plot_grad_data`` and ``plot_updates`` draw such numbers.

Source: lecture 4 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes

from .arguments import require_number
from .layers import Layer, Sequential
from .mlp import MLP, embed

SATURATED = 0.97
"""An output of tanh beyond this, on either side, counts as saturated: a convention. At this limit
5.9% of the gradient passes."""


class Spread(NamedTuple):
    """Mean and standard deviation of a tensor's entries; the fraction beyond ``SATURATED``."""

    mean: float
    std: float
    saturated: float


class GradData(NamedTuple):
    """Standard deviations of a gradient and of the parameter it belongs to, and their ratio.

    The ratio is inf, or for a gradient of zeros nan, where all entries of the parameter are equal.
    """

    grad: float
    data: float
    ratio: float


# -- the numbers -------------------------------------------------------------------------------


def activations(model: Any, X: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the output of every layer for inputs X, by name, in order; the last is the logits.

    Names are the position and the class, as in ``"3 Tanh"``, or ``"2.1 Tanh"`` in a ``Sequential``
    inside another. In a ``torch.nn.Module``, they are those of its leaf modules; if one is called a
    second time, that is ``"act#2 Tanh"``.

    Raises
    ------
    TypeError
        If the model is of another kind.
    """
    with torch.no_grad():
        return _run(copy.deepcopy(model), X)


def gradients(
    model: Any, X: torch.Tensor, Y: torch.Tensor
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return the mean loss's gradients: at every layer's output, and for every parameter.

    They are zero where the loss does not depend on an output or a parameter.
    """
    model = copy.deepcopy(model)
    parameters = named_parameters(model)
    for p in parameters.values():
        p.requires_grad_(True)
    if X.is_floating_point():
        X = X.detach().requires_grad_(True)  # a first layer may have no parameters
    with torch.enable_grad():
        outputs = _run(model, X)
        logits = list(outputs.values())[-1]
        loss = F.cross_entropy(logits.flatten(0, -2), Y.flatten())
    wanted = [*outputs.values(), *parameters.values()]
    grads = torch.autograd.grad(loss, wanted, materialize_grads=True)
    n = len(outputs)
    return dict(zip(outputs, grads[:n])), dict(zip(parameters, grads[n:]))


def of_kind(outputs: Mapping[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    """Return the outputs, or their gradients, of all layers of one class, such as ``"Tanh"``.

    Raises
    ------
    ValueError
        If there is none: the message lists what there is.
    """
    chosen = {name: x for name, x in outputs.items() if name.split()[-1] == kind}
    if not chosen:
        raise ValueError(f"kind must be the class of a layer in {list(outputs)}, got {kind!r}")
    return chosen


def spreads(tensors: Mapping[str, torch.Tensor]) -> dict[str, Spread]:
    """Return mean, standard deviation and saturated fraction of each tensor.

    Raises
    ------
    ValueError
        If a tensor has fewer than two entries.
    """
    result = {}
    for name, x in tensors.items():
        x = x if x.is_floating_point() else x.double()
        saturated = (x.abs() > SATURATED).double().mean()
        result[name] = Spread(x.mean().item(), _std(name, x).item(), saturated.item())
    return result


def grad_data(model: Any, X: torch.Tensor, Y: torch.Tensor) -> dict[str, GradData]:
    """Return, for every matrix of weights, how large its gradients are relative to its entries.

    Raises
    ------
    ValueError
        If a matrix has fewer than two entries.
    """
    _, grads = gradients(model, X, Y)
    result = {}
    for name, p in _matrices(model).items():
        grad, data = _std(name, grads[name]), _std(name, p.detach())
        result[name] = GradData(grad.item(), data.item(), (grad / data).item())
    return result


def update_ratios(model: Any, learning_rate: float) -> dict[str, float]:
    """Return, for every matrix of weights, log10 of std(update) / std(weights).

    Call it in the training loop, after ``loss.backward()`` and before the update, which is the
    learning rate times the gradient. The ratio is −inf where the gradient is constant, and inf or
    nan where all entries of the matrix are equal.

    Raises
    ------
    ValueError
        If a matrix has no gradient or fewer than two entries, or the learning rate is negative
        or not finite.
    """
    require_number(0, learning_rate=learning_rate)
    result = {}
    for name, p in _matrices(model).items():
        if p.grad is None:
            raise ValueError(f"{name} has no gradient: call loss.backward() first")
        ratio = learning_rate * _std(name, p.grad) / _std(name, p.detach())
        result[name] = ratio.log10().item()
    return result


def named_parameters(model: Any) -> dict[str, torch.Tensor]:
    """Return the parameters of a model by name: its own names, else those of its attributes.

    Raises
    ------
    TypeError
        If the model has no parameters.
    """
    if not hasattr(model, "parameters"):
        raise TypeError(f"model must have parameters(), got {type(model).__name__}")
    if hasattr(model, "named_parameters"):
        return dict(model.named_parameters())
    attributes = {id(tensor): name for name, tensor in vars(model).items()}
    return {attributes.get(id(p), f"parameter {i}"): p for i, p in enumerate(model.parameters())}


def _matrices(model: Any) -> dict[str, torch.Tensor]:
    return {name: p for name, p in named_parameters(model).items() if p.ndim == 2}


def _std(name: str, x: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of a tensor's entries."""
    if x.numel() < 2:
        raise ValueError(f"{name} must have at least 2 entries, got {x.numel()}")
    return x.std()


def _run(model: Any, X: torch.Tensor) -> dict[str, torch.Tensor]:
    """Run a model once, and return the output of every layer by name; the last is the logits."""
    if isinstance(model, torch.nn.Module):
        return _run_module(model, X)
    if isinstance(model, Sequential):
        return dict(_follow(model.layers, X))
    if isinstance(model, MLP):
        emb = embed(model.C, X).flatten(1)
        hpreact = emb @ model.W1 + model.b1
        h = torch.tanh(hpreact)
        logits = h @ model.W2 + model.b2
        return {"0 Embedding": emb, "1 Linear": hpreact, "2 Tanh": h, "3 Linear": logits}
    if hasattr(model, "C") and hasattr(model, "layers"):
        emb = embed(model.C, X).flatten(1)
        return {"0 Embedding": emb, **dict(_follow(model.layers, emb, first=1))}
    raise TypeError(
        "model must have a table C and layers, or be a Sequential, an MLP or a torch.nn.Module, "
        f"got {type(model).__name__}"
    )


def _follow(
    layers: Sequence[Layer], x: torch.Tensor, prefix: str = "", first: int = 0
) -> Iterator[tuple[str, torch.Tensor]]:
    """Run layers one after the other, and yield the name and the output of each."""
    for position, layer in enumerate(layers, first):
        if isinstance(layer, Sequential):
            inside = list(_follow(layer.layers, x, f"{prefix}{position}."))
            yield from inside
            x = inside[-1][1]
        else:
            x = layer(x)
            yield f"{prefix}{position} {type(layer).__name__}", x


def _run_module(model: torch.nn.Module, X: torch.Tensor) -> dict[str, torch.Tensor]:
    outputs: dict[str, torch.Tensor] = {}
    calls: dict[str, int] = {}

    def watch(name: str, module: torch.nn.Module) -> None:
        def note(module: torch.nn.Module, _: Any, output: Any) -> Any:
            if not isinstance(output, torch.Tensor):
                return output  # several tensors have no single name
            calls[name] = calls.get(name, 0) + 1
            again = f"#{calls[name]}" if calls[name] > 1 else ""
            outputs[f"{name}{again} {type(module).__name__}".strip()] = output
            return output.clone()  # the next one may work in place

        module.register_forward_hook(note)

    for name, module in model.named_modules():
        if not list(module.children()):
            watch(name, module)
    with torch.random.fork_rng(devices=[]):  # of a dropout
        logits = model(X)
    return {**outputs, "logits": logits}


# -- the plots ---------------------------------------------------------------------------------


def plot_densities(
    tensors: Mapping[str, torch.Tensor], xlabel: str, *, ax: Axes | None = None
) -> None:
    """Draw the distribution of each tensor's entries, such as all outputs of tanh.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        As ``activations`` or ``gradients`` return them.
    xlabel : str
        What the numbers are.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    ValueError
        If there is no tensor, or one has no entries or an entry that is not finite.
    """
    _require_any(tensors=tensors)
    for name, x in tensors.items():
        if not x.numel():
            raise ValueError(f"{name} must hold at least one number, got none")
        if not x.isfinite().all():
            raise ValueError(f"{name} must hold finite numbers only")
    ax = _new_axes(ax)
    for (name, x), color in zip(tensors.items(), _colors(len(tensors))):
        # float32 can be too coarse for 60 bins
        density, edges = np.histogram(x.detach().double().cpu().numpy(), bins=60, density=True)
        ax.plot((edges[:-1] + edges[1:]) / 2, density, color=color, lw=1.5, label=name)
    ax.set(xlabel=xlabel, ylabel="density", ylim=(0, None))
    ax.legend(fontsize=10.5)


def plot_grad_data(rows: Mapping[str, GradData], *, ax: Axes | None = None) -> None:
    """Draw the ratios that ``grad_data`` returns, as bars on a logarithmic axis.

    There is no bar where the ratio is 0, inf or nan. ``ValueError`` if there is no row.
    """
    _require_any(rows=rows)
    ax = _new_axes(ax)
    positions = np.arange(len(rows))
    ratios = [row.ratio if 0 < row.ratio < np.inf else np.nan for row in rows.values()]
    ax.barh(positions, ratios, color=_colors(len(rows)))
    ax.set_yticks(positions, list(rows))
    ax.invert_yaxis()
    scale = "linear" if np.isnan(ratios).all() else "log"
    ax.set(xscale=scale, xlabel="std of gradient / std of weights")


def plot_updates(ratios: Mapping[str, Sequence[float]], *, ax: Axes | None = None) -> None:
    """Draw the ``update_ratios`` of all steps: one curve per matrix, with a dashed guide at −3.

    Parameters
    ----------
    ratios : mapping of str to sequence of float
        For every matrix, one number for each step.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Raises
    ------
    ValueError
        If there is no matrix.
    """
    _require_any(ratios=ratios)
    ax = _new_axes(ax)
    for (name, values), color in zip(ratios.items(), _colors(len(ratios))):
        ax.plot(values, label=name, color=color, lw=1)
    ax.axhline(-3, color="black", ls="--", lw=1)
    ax.set(xlabel="step", ylabel="log₁₀ of update / weights")
    ax.legend(fontsize=10.5, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def _require_any(**given: Mapping[str, Any]) -> None:
    for name, mapping in given.items():
        if not mapping:
            raise ValueError(f"{name} must hold at least one entry, got none")


def _new_axes(ax: Axes | None) -> Axes:
    return plt.subplots()[1] if ax is None else ax


def _colors(n: int) -> list[Any]:
    """Return colors from dark to light, in the order of the network."""
    return list(plt.get_cmap("viridis")(np.linspace(0, 0.85, n)))
