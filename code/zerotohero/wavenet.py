"""Chapter 6: a network that merges its context step by step, and the same one as a convolution.

``hierarchical`` builds the network: neighbors are joined in pairs, the pairs in pairs, until one
vector is left. ``train_adamw`` trains it in few, large steps; ``evaluate`` returns its loss.
``as_convolution`` turns a network of that kind, with the same weights, into one that slides over a
whole name.

Not handled: padding inside the convolution, strides, and WaveNet's fast generation, which caches
earlier activations.

Source: lecture 6 of *Neural Networks: Zero to Hero*; van den Oord et al. (2016), WaveNet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F

from .arguments import require_int, require_number
from .bigrams import V
from .layers import (
    BatchNorm1d,
    Container,
    Embedding,
    FlattenConsecutive,
    Layer,
    Linear,
    Sequential,
    Tanh,
    require_features,
)
from .training import Progress, evaluating, one_cycle, require_examples, trainable

__all__ = [
    "CausalConv1d",
    "FusedBatchNorm1d",
    "as_convolution",
    "evaluate",
    "hierarchical",
    "one_cycle",
    "train_adamw",
]


class FusedBatchNorm1d(BatchNorm1d):
    """``BatchNorm1d`` in a single call of PyTorch: the same numbers, less time.

    Our own formula makes about ten passes over the data and as many calls, and autograd repeats
    them backwards. ``torch.nn.functional.batch_norm`` does all of it at once.
    """

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized input, with the shape of x: (N, C) or (B, T, C)."""
        require_features(self, x, self.dim, self.gamma.dtype, dims=2)
        examples = x.reshape(-1, self.dim)  # (N, C)
        if self.training and len(examples) < 2:
            return super().__call__(x)  # raises, and says why
        out = F.batch_norm(
            examples,
            self.running_mean,
            self.running_var,
            self.gamma,
            self.beta,
            self.training,
            self.momentum,
            self.eps,
        )
        return out.view(x.shape)


def hierarchical(
    generator: torch.Generator,
    *,
    factors: Iterable[int] = (2, 2, 2),
    n_embd: int = 24,
    n_hidden: int = 128,
    norm: Callable[[int], Layer] = FusedBatchNorm1d,
    vocab_size: int = V,
) -> Sequential:
    """Build a network that merges neighbors level by level.

    Each level is a ``FlattenConsecutive``, a linear layer without bias, a norm and a tanh. The
    output layer starts ten times smaller than the others.

    Parameters
    ----------
    generator : torch.Generator
        Draws all weights.
    factors : iterable of int
        How many neighbors each level merges. The context is their product: 8 for (2, 2, 2), and
        (8,) is the flat network that takes all eight at once.
    n_embd : int
        Embedding size.
    n_hidden : int
        Neurons in each level.
    norm : callable
        Makes the normalization layer for a number of features.
    vocab_size : int
        Number of characters, the dot included.

    Raises
    ------
    ValueError
        If there is no level, or a number is below 1.
    TypeError
        If a number is not an int.
    """
    require_int(1, n_embd=n_embd, n_hidden=n_hidden, vocab_size=vocab_size)
    if not isinstance(factors, Iterable):
        raise TypeError(f"factors must be a sequence of ints, got {factors!r}")
    factors = tuple(factors)
    for n in factors:
        require_int(1, factors=n)
    if not factors:
        raise ValueError("factors must hold at least one number, got none")
    layers: list[Layer] = [Embedding(vocab_size, n_embd, generator=generator)]
    fan_in = n_embd
    for n in factors:
        layers += [
            FlattenConsecutive(n),
            Linear(n * fan_in, n_hidden, bias=False, generator=generator),
            norm(n_hidden),
            Tanh(),
        ]
        fan_in = n_hidden
    layers.append(Linear(n_hidden, vocab_size, gain=0.1, generator=generator))
    return Sequential(layers)


def train_adamw(
    model: Container,
    X: torch.Tensor,
    Y: torch.Tensor,
    *,
    epochs: int,
    learning_rate: float,
    generator: torch.Generator,
    batch_size: int = 512,
    weight_decay: float = 0.01,
    progress: bool = True,
) -> list[float]:
    """Train in few, large steps: AdamW, and a learning rate that rises and falls.

    The model is switched to training mode, and stays in it.

    Parameters
    ----------
    model : Container
        Its parameters are changed in place.
    X, Y : Tensor
        Examples: inputs, and the ids of the right classes.
    epochs : int
        Passes through the examples, each in a new order. The last examples of a pass that fill
        no batch are left out of that pass.
    learning_rate : float
        The largest one, see ``one_cycle``.
    generator : torch.Generator
        Draws the orders.
    batch_size : int
        Examples in a minibatch, at most all of them.
    weight_decay : float
        Decay of the weight matrices per step, times the learning rate. Gains, shifts and biases
        are not decayed.
    progress : bool
        Write a line to standard error now and then.

    Returns
    -------
    list of float
        The loss of each minibatch, before its update.

    Raises
    ------
    ValueError, TypeError
        If X and Y differ in length, or a number is out of range or of another type.
    FloatingPointError
        If the loss, or in the end a parameter, is no longer finite: the message names the step.
        The model stays as that step left it, so its parameters may be NaN.

    Warns
    -----
    TrainingWarning
        If the loss rose over the training, see ``Progress``.

    Notes
    -----
    Source: Loshchilov and Hutter (2019), decoupled weight decay regularization.
    """
    require_examples(X, Y)
    require_int(1, epochs=epochs)
    require_int(1, len(X), batch_size=batch_size)
    require_number(0, learning_rate=learning_rate, weight_decay=weight_decay)
    steps_per_epoch = len(X) // batch_size
    schedule = one_cycle(epochs * steps_per_epoch, learning_rate)
    history: list[float] = []
    model.train()
    with trainable(model.parameters()) as parameters:
        report = Progress(epochs * steps_per_epoch, progress, parameters)
        matrices = [p for p in parameters if p.ndim > 1]
        others = [p for p in parameters if p.ndim <= 1]
        groups = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, weight_decay=weight_decay, fused=True)  # one call
        for _ in range(epochs):
            order = torch.randperm(len(X), generator=generator)
            for ix in order.split(batch_size)[:steps_per_epoch]:
                step = len(history)
                loss = F.cross_entropy(model(X[ix]), Y[ix])
                optimizer.zero_grad()
                loss.backward()
                for group in optimizer.param_groups:
                    group["lr"] = schedule(step)
                optimizer.step()
                history.append(report(step, loss.item()))
    return history


def evaluate(
    model: Callable[[torch.Tensor], torch.Tensor],
    X: torch.Tensor,
    Y: torch.Tensor,
    chunk_size: int = 4096,
) -> float:
    """Return the average negative log-likelihood in evaluation mode, in nats per character.

    The examples go through the network in chunks, so that it fits into a small memory. The model
    stays as it is: each layer is in its own mode again afterwards.

    Raises
    ------
    ValueError, TypeError
        If X and Y differ in length, there is no example, or ``chunk_size`` is not an int of at
        least 1.
    """
    require_examples(X, Y)
    require_int(1, chunk_size=chunk_size)
    total = 0.0
    with evaluating(model):
        for x, y in zip(X.split(chunk_size), Y.split(chunk_size)):
            total += F.cross_entropy(model(x), y, reduction="sum").item()
    return total / len(X)


class CausalConv1d(Linear):
    """A linear layer that slides over a sequence and reads positions ``dilation`` apart.

    At every position it takes the vectors there, ``dilation`` before, ``2 * dilation`` before, and
    so on, ``kernel_size`` of them, side by side with the oldest first. Nothing is padded: the
    output begins where all of them exist, and is shorter than the input by
    ``(kernel_size - 1) * dilation``. It never looks ahead.

    As ``torch.nn.Conv1d(fan_in, fan_out, kernel_size, dilation=dilation)``, which expects
    (B, C, T) and keeps its weight as (fan_out, fan_in, kernel_size).

    Parameters
    ----------
    fan_in, fan_out : int
        Features of a position, before and after.
    kernel_size : int
        How many positions are read.
    dilation : int
        How far apart they are.
    bias, gain, generator
        As for ``Linear``.

    Attributes
    ----------
    weight : Tensor, shape (kernel_size * fan_in, fan_out)
    bias : Tensor, shape (fan_out,), or None

    Raises
    ------
    ValueError, TypeError
        As ``Linear``; when called, if x does not have the shape (B, T, fan_in), or is too short.

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
    ) -> None:
        require_int(1, fan_in=fan_in, kernel_size=kernel_size, dilation=dilation)
        super().__init__(kernel_size * fan_in, fan_out, bias, gain=gain, generator=generator)
        self.fan_in, self.kernel_size, self.dilation = fan_in, kernel_size, dilation

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, T - (kernel_size - 1) * dilation, fan_out) for an input (B, T, fan_in)."""
        require_features(self, x, self.fan_in, self.weight.dtype, dims=3)
        reach = (self.kernel_size - 1) * self.dilation
        length = x.shape[1] - reach
        if length < 1:
            raise ValueError(
                f"CausalConv1d: x must have at least {reach + 1} positions, got {x.shape[1]}"
            )
        starts = range(0, reach + 1, self.dilation)
        taps = [x[:, start : start + length] for start in starts]  # each (B, length, fan_in)
        return super().__call__(torch.cat(taps, -1))  # (B, length, kernel_size * fan_in) goes in


def as_convolution(model: Sequential) -> Sequential:
    """Turn a network like ``hierarchical`` into one that slides over a sequence.

    Each pair of ``FlattenConsecutive(n)`` and ``Linear`` becomes a ``CausalConv1d`` with kernel
    size n, dilated by the product of all n before it. The weights are shared, not copied, and
    the other layers are the same objects: train one network, and the other is trained with it.

    For ids (B, T) the new network returns logits (B, T - block_size + 1, vocab_size): at every
    position what the old one returns for the ``block_size`` ids that end there. That holds in
    evaluation mode. In training, a BatchNorm sees each position once, not once for every context
    it is in.

    Raises
    ------
    TypeError
        If the model is not a ``Sequential``.
    ValueError
        If a ``FlattenConsecutive`` is not followed by a ``Linear``, or a layer holds layers.
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"model must be a Sequential, got {type(model).__name__}")
    layers: list[Layer] = []
    dilation, rest = 1, iter(model.layers)
    for layer in rest:
        if isinstance(layer, Container):
            raise ValueError(f"model must not hold containers, got {type(layer).__name__}")
        if isinstance(layer, FlattenConsecutive):
            linear = next(rest, None)
            if type(linear) is not Linear:
                raise ValueError(
                    "model must have a Linear after each FlattenConsecutive, "
                    f"got {type(linear).__name__ if linear else 'none'}"
                )
            fan_in, fan_out = len(linear.weight) // layer.n, linear.weight.shape[1]
            own = torch.Generator()  # PyTorch's stays as it is: these weights are replaced
            conv = CausalConv1d(fan_in, fan_out, layer.n, dilation, generator=own)
            conv.weight, conv.bias, conv.training = linear.weight, linear.bias, linear.training
            layers.append(conv)
            dilation *= layer.n
        else:
            layers.append(layer)
    convolution = Sequential(layers)
    convolution.training = model.training
    return convolution
