"""Chapter 4: networks built from layers, and several networks trained as one.

``DeepMLP`` puts layers from ``zerotohero.layers`` after an embedding. ``six_layers`` builds
the deep network of the lecture in all its variants. ``train_together`` trains networks that
differ only in their numbers at once, with the gradients written by hand.

Source: lecture 4 of *Neural Networks: Zero to Hero*; Ioffe and Szegedy (2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from .arguments import require_int
from .bigrams import V
from .layers import Container, Layer, Linear, Sequential, Tanh
from .mlp import MLP
from .training import Progress, Schedule, as_schedule, draw_batches


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
        return self.body(self.C[X].flatten(1))  # (N, block_size * n_embd) goes in

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

    Each hidden layer is linear, then the norm, then the activation. The output layer starts
    ten times smaller: its weight, or where there is a norm, the norm's scale.

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
        which then has no bias.
    block_size, n_embd, n_hidden, vocab_size : int
        Context length, embedding size, neurons of a hidden layer, number of characters.

    Raises
    ------
    ValueError, TypeError
        If a size is not an int of at least 1, or for a gain that ``Linear`` refuses.
    """
    require_int(1, block_size=block_size, n_embd=n_embd, n_hidden=n_hidden, vocab_size=vocab_size)
    C = torch.randn((vocab_size, n_embd), generator=generator)
    layers: list[Layer] = []
    for fan_in in (block_size * n_embd, *[n_hidden] * 4):
        layers.append(Linear(fan_in, n_hidden, norm is None, gain=gain, generator=generator))
        layers += [norm(n_hidden)] if norm else []
        layers += [activation()] if activation else []
    layers.append(Linear(n_hidden, vocab_size, norm is None, generator=generator))
    layers += [norm(vocab_size)] if norm else []
    layers[-1].parameters()[0].mul_(0.1)  # the weight, or the norm's scale
    return DeepMLP(C, layers)


def train_together(
    models: Sequence[MLP],
    X: torch.Tensor,
    Y: torch.Tensor,
    *,
    steps: int,
    learning_rate: float | Schedule,
    generator: torch.Generator,
    batch_size: int = 32,
    progress: bool = True,
) -> torch.Tensor:
    """Train networks of the same shape at once, on the same minibatches.

    The steps are those of ``zerotohero.mlp.train`` for each model by itself, up to rounding.
    The weights are stacked, so that one call multiplies the matrices of all models, and the
    gradients are written by hand (chapter 5 derives them).

    Parameters
    ----------
    models : sequence of models
        K networks of class ``MLP`` with tensors of the same shapes; they are changed in place.
    X, Y, steps, learning_rate, generator, batch_size, progress
        As for ``zerotohero.mlp.train``. The progress shows the mean loss.

    Returns
    -------
    Tensor, shape (steps, K)
        The loss of each minibatch, before its update.

    Raises
    ------
    ValueError
        If there is no model, their shapes differ, or an argument is bad as for ``train``.
    TypeError
        If a model is no ``MLP``.
    FloatingPointError
        If a loss is no longer a number.
    """
    if not models:
        raise ValueError("models must hold at least one model, got none")
    for model in models:
        if not isinstance(model, MLP):
            raise TypeError(f"models must hold only MLPs, got {type(model).__name__}")
    shapes = [[tuple(p.shape) for p in model.parameters()] for model in models]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError(f"models must have tensors of the same shapes, got {shapes}")
    batches = draw_batches(X, Y, steps, batch_size, generator)
    schedule = as_schedule(learning_rate)
    values = [[p.detach() for p in model.parameters()] for model in models]
    C, W1, b1, W2, b2 = (torch.stack(ps) for ps in zip(*values))
    K, n_embd = len(models), C.shape[2]
    b1, b2 = b1[:, None], b2[:, None]  # (K, 1, n_hidden), (K, 1, 27)
    table = C.view(-1, n_embd)  # the tables of all models below each other
    offsets = len(C[0]) * torch.arange(K)[:, None]  # where the table of each begins
    report = Progress(steps, progress)
    history = C.new_empty(steps, K)
    for step, ix in enumerate(batches):
        # forward
        rows = (X[ix].view(1, -1) + offsets).flatten()  # (K * B * block_size)
        target = Y[ix].view(1, -1, 1).expand(K, -1, 1)
        emb = table[rows].view(K, batch_size, -1)  # (K, B, block_size * n_embd)
        h = torch.tanh(torch.baddbmm(b1, emb, W1))  # (K, B, n_hidden)
        log_probs = torch.baddbmm(b2, h, W2).log_softmax(2)  # (K, B, 27)
        history[step] = -log_probs.gather(2, target).mean((1, 2))
        # backward
        dlogits = log_probs.exp_()
        dlogits.scatter_add_(2, target, dlogits.new_full((K, batch_size, 1), -1.0))
        dlogits /= batch_size
        dhpreact = (dlogits @ W2.mT) * (1 - h * h)
        demb = dhpreact @ W1.mT
        # update
        lr = float(schedule(step))
        W2.baddbmm_(h.mT, dlogits, alpha=-lr)
        b2.sub_(dlogits.sum(1, keepdim=True), alpha=lr)
        W1.baddbmm_(emb.mT, dhpreact, alpha=-lr)
        b1.sub_(dhpreact.sum(1, keepdim=True), alpha=lr)
        table.index_add_(0, rows, demb.view(-1, n_embd), alpha=-lr)
        report(step, float(history[step].mean()))
    for k, own in enumerate(values):
        for p, trained in zip(own, (C[k], W1[k], b1[k, 0], W2[k], b2[k, 0])):
            p.copy_(trained)
    return history
