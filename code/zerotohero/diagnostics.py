"""Chapter 4: four plots that show how a network is doing, and the numbers in them.

Each function draws one plot for a model and returns what it draws, by name, in the order of
the network. A model is a ``DeepMLP``, anything else with a table ``C`` and a list ``layers``,
the ``MLP`` of chapter 3, a ``Sequential``, or a ``torch.nn.Module`` that returns logits.

No function but ``plot_updates``, which trains, changes the model: not even the running
averages of a BatchNorm.

Source: lecture 4 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes

from .hooks import outputs_of_layers, outputs_of_modules, statistics_kept
from .layers import Sequential
from .mlp import MLP, train
from .training import Schedule

# An output of tanh beyond this, on either side, counts as saturated: a convention. At this limit
# 5.9% of the gradient passes.
SATURATED = 0.97


class Spread(NamedTuple):
    """Mean and standard deviation of a tensor's entries, and the share beyond ``SATURATED``."""

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


def activations(model: Any, X: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the output of every layer for inputs X, by name, in order.

    The last one is the logits. Names are the place and the class, as in ``"3 Tanh"``, or
    ``"2.1 Tanh"`` in a ``Sequential`` inside of one; in a ``torch.nn.Module``, of every submodule
    without submodules of its own.

    Raises
    ------
    TypeError
        If the model is of no known kind.
    """
    if isinstance(model, torch.nn.Module):
        return outputs_of_modules(model, X)
    if isinstance(model, Sequential):
        return outputs_of_layers(model, X)
    if isinstance(model, MLP):
        emb = model.C[X].flatten(1)
        hpreact = emb @ model.W1 + model.b1
        h = torch.tanh(hpreact)
        outputs = [emb, hpreact, h, h @ model.W2 + model.b2]
        return dict(zip(("0 Embedding", "1 Linear", "2 Tanh", "3 Linear"), outputs))
    if hasattr(model, "C") and hasattr(model, "layers"):
        x = model.C[X].flatten(1)
        found = {"0 Embedding": x}
        with statistics_kept(model.layers):
            for place, layer in enumerate(model.layers, start=1):
                x = layer(x)
                found[f"{place} {type(layer).__name__}"] = x
        return found
    raise TypeError(
        "model must have a table C and layers, or be a Sequential, an MLP or a torch.nn.Module, "
        f"got {type(model).__name__}"
    )


def gradients(
    model: Any, X: torch.Tensor, Y: torch.Tensor
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return the mean loss's gradients: at every layer's output, and for every parameter."""
    parameters = named_parameters(model)
    before = [p.requires_grad for p in parameters.values()]
    try:
        for p in parameters.values():
            p.requires_grad_(True)
        outputs = activations(model, X)
        logits = list(outputs.values())[-1]
        loss = F.cross_entropy(logits.flatten(0, -2), Y.flatten())
        grads = torch.autograd.grad(loss, [*outputs.values(), *parameters.values()])
    finally:
        for p, required in zip(parameters.values(), before):
            p.requires_grad_(required)
    n = len(outputs)
    return dict(zip(outputs, grads[:n])), dict(zip(parameters, grads[n:]))


def plot_activations(
    model: Any, X: torch.Tensor, *, after: str = "Tanh", ax: Axes | None = None
) -> dict[str, Spread]:
    """Draw the distribution of the outputs of every layer of one kind.

    Parameters
    ----------
    model : model
        See the top of this module.
    X : Tensor of int64, shape (N, block_size)
        Contexts.
    after : str
        The class of the layers whose outputs are drawn.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    dict of str to Spread

    Raises
    ------
    ValueError
        If the model has no layer of this class: the message lists what it has.
    """
    with torch.no_grad():
        outputs = _of_kind(activations(model, X), after)
    return _densities(outputs, f"output of {after}", ax)


def plot_gradients(
    model: Any, X: torch.Tensor, Y: torch.Tensor, *, after: str = "Tanh", ax: Axes | None = None
) -> dict[str, Spread]:
    """Draw the distribution of the loss's gradients at the outputs of every layer of one kind.

    Arguments, result and errors are those of ``plot_activations``. ``Y`` holds the right
    answers, shape (N,).
    """
    outputs, _ = gradients(model, X, Y)
    return _densities(_of_kind(outputs, after), f"gradient at the output of {after}", ax)


def plot_grad_data(
    model: Any, X: torch.Tensor, Y: torch.Tensor, *, ax: Axes | None = None
) -> dict[str, GradData]:
    """Draw, for every matrix of weights, how large its gradients are beside its entries.

    The ratio of the two standard deviations is drawn as a bar, on a logarithmic axis. There is
    no bar where it is 0 or, as all weights are equal, inf or nan.

    Returns
    -------
    dict of str to GradData
    """
    _, grads = gradients(model, X, Y)
    found = {}
    for name, p in _matrices(model).items():
        grad, data = grads[name].std(), p.detach().std()
        found[name] = GradData(grad.item(), data.item(), (grad / data).item())
    ax = _new_axes(ax)
    places = np.arange(len(found))
    ratios = [row.ratio if 0 < row.ratio < np.inf else np.nan for row in found.values()]
    ax.barh(places, ratios, color=_colors(len(found)))
    ax.set_yticks(places, list(found))
    ax.invert_yaxis()
    scale = "linear" if np.isnan(ratios).all() else "log"
    ax.set(xscale=scale, xlabel="std of gradient / std of weights")
    return found


def plot_updates(
    model: Any,
    X: torch.Tensor,
    Y: torch.Tensor,
    *,
    steps: int,
    learning_rate: float | Schedule,
    generator: torch.Generator,
    batch_size: int = 32,
    ax: Axes | None = None,
) -> dict[str, list[float]]:
    """Train a model, and draw how large each update is beside the weights it changes.

    The steps are those of ``zerotohero.mlp.train``, and the arguments, too. Drawn is the
    logarithm to base 10 of std(update) / std(weights), for every matrix of weights; the
    dashed line marks −3.

    Returns
    -------
    dict of str to list of float
        What is drawn: one number for each step. It is −inf where a matrix did not change, and
        inf or nan where all its entries were equal.

    Raises
    ------
    ValueError, FloatingPointError
        As ``zerotohero.mlp.train``.
    """
    matrices = _matrices(model)
    before: dict[str, torch.Tensor] = {}
    found: dict[str, list[float]] = {name: [] for name in matrices}

    def note_changes() -> None:
        for name, p in matrices.items():
            if name in before:
                ratio = (p.detach() - before[name]).std() / before[name].std()
                found[name].append(ratio.log10().item())
            before[name] = p.detach().clone()

    def noting(step: int) -> float:  # train asks it once a step, before the update
        note_changes()
        return learning_rate(step) if callable(learning_rate) else learning_rate

    train(
        model,
        X,
        Y,
        steps=steps,
        learning_rate=noting,
        generator=generator,
        batch_size=batch_size,
        progress=False,
    )
    note_changes()
    ax = _new_axes(ax)
    for (name, ratios), color in zip(found.items(), _colors(len(found))):
        ax.plot(ratios, label=name, color=color, lw=1)
    ax.axhline(-3, color="black", ls="--", lw=1)
    ax.set(xlabel="step", ylabel="log₁₀ of update / weights")
    ax.legend(fontsize=10.5, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return found


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


def _of_kind(outputs: dict[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    found = {name: x for name, x in outputs.items() if name.split()[-1] == kind}
    if not found:
        raise ValueError(f"after must be the class of a layer in {list(outputs)}, got {kind!r}")
    return found


def _densities(tensors: dict[str, torch.Tensor], xlabel: str, ax: Axes | None) -> dict[str, Spread]:
    ax = _new_axes(ax)
    found = {}
    for (name, x), color in zip(tensors.items(), _colors(len(tensors))):
        share = (x.abs() > SATURATED).double().mean().item()
        found[name] = Spread(x.mean().item(), x.std().item(), share)
        # float32 can be too coarse for 60 bins
        density, edges = np.histogram(x.detach().double().cpu().numpy(), bins=60, density=True)
        ax.plot((edges[:-1] + edges[1:]) / 2, density, color=color, lw=1.5, label=name)
    ax.set(xlabel=xlabel, ylabel="density", ylim=(0, None))
    ax.legend(fontsize=10.5)
    return found


def _new_axes(ax: Axes | None) -> Axes:
    return plt.subplots()[1] if ax is None else ax


def _colors(n: int) -> list[Any]:
    """Return colors from dark to light, in the order of the network."""
    return list(plt.get_cmap("viridis")(np.linspace(0, 0.85, n)))
