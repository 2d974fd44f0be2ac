"""Chapters 4 and 6: layers with the interface of ``torch.nn``, in miniature.

A layer is called with a tensor and returns a tensor. It lists the tensors that training
changes (``parameters()``), and knows whether it is being trained (``training``). Gradients
come from PyTorch's autograd. The last dimension of every tensor holds the features, and a
layer with parameters takes tensors of their dtype.

Layers are made on PyTorch's default device: ``with torch.device("cuda"): ...``.

A ``Container`` is a layer that holds layers: its train(), eval() and parameters() apply to all of
them.

NaN and infinity propagate, as in PyTorch, in training also into the running averages of a
BatchNorm. The training loops of this package stop at a loss that is not finite.

Not handled: moving a layer to another device later, mixed precision, saving.

Source: lectures 4 and 6 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F

from .arguments import require_int, require_number
from .training import require_ids

GAINS = {"linear": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}
"""By how much the weights of a linear layer should be larger than 1 / sqrt(fan_in), to compensate
for a nonlinearity. The values are those of ``torch.nn.init.calculate_gain``."""


class Layer:
    """A callable with parameters and a training mode.

    Attributes
    ----------
    training : bool
        True while the network is being trained, False for evaluation. Some layers behave
        differently in the two modes.
    """

    training = True

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output of the layer."""
        raise NotImplementedError(f"{type(self).__name__} must implement __call__()")

    def parameters(self) -> list[torch.Tensor]:
        """List the tensors that training changes in place."""
        return []

    def named_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield every parameter with its name: ``Linear.weight``, ``Linear.bias``."""
        names = {id(tensor): name for name, tensor in vars(self).items()}
        for i, p in enumerate(self.parameters()):
            yield f"{type(self).__name__}.{names.get(id(p), i)}", p

    def train(self, mode: bool = True) -> None:
        """Switch to training mode, or to evaluation mode with ``mode=False``."""
        self.training = mode

    def eval(self) -> None:
        """Switch to evaluation mode."""
        self.train(False)


def require_features(
    layer: Layer, x: torch.Tensor, width: int, dtype: torch.dtype, dims: int = 1
) -> None:
    """Raise unless ``x`` has ``width`` features, of the ``dtype`` of the layer's parameters.

    Raises
    ------
    TypeError
        If x is not a tensor, or has another dtype.
    ValueError
        If x has fewer than ``dims`` dimensions, or another width.
    """
    name = type(layer).__name__
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{name}: x must be a tensor, got {type(x).__name__}")
    if x.dtype != dtype:
        raise TypeError(f"{name}: x must hold {dtype}, as its parameters do, got {x.dtype}")
    if x.ndim < dims or x.shape[-1] != width:
        expected = "(..., " + "N, " * (dims - 1) + f"{width})"
        raise ValueError(f"{name}: x must have shape {expected}, got {tuple(x.shape)}")


class Linear(Layer):
    """``x @ weight + bias``.

    The weights are drawn from a normal distribution with standard deviation
    ``gain / sqrt(fan_in)``. The bias starts at zero.

    Parameters
    ----------
    fan_in, fan_out : int
        Features of the input and of the output.
    bias : bool
        Whether to add a bias.
    gain : str or float
        A number, or the name of a nonlinearity in ``GAINS``: ``"linear"`` (none), ``"tanh"`` or
        ``"relu"``. Compensates for the shrinkage by a nonlinearity. Strictly, that is the one
        *before* this layer; the lecture and PyTorch name the one *after* it, which differs only
        in the first and last layer.
    generator : torch.Generator, optional
        Draws the weights; without one, PyTorch's own, which ``torch.manual_seed`` seeds.

    Attributes
    ----------
    weight : Tensor, shape (fan_in, fan_out)
        (``torch.nn.Linear`` keeps the transpose.)
    bias : Tensor, shape (fan_out,), or None

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of another type; when called, as ``require_features``.

    Notes
    -----
    Source: lecture 4; He et al. (2015).
    """

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        bias: bool = True,
        *,
        gain: str | float = "linear",
        generator: torch.Generator | None = None,
    ) -> None:
        require_int(1, fan_in=fan_in, fan_out=fan_out)
        if isinstance(gain, str):
            if gain not in GAINS:
                raise ValueError(f"gain must be a number or one of {sorted(GAINS)}, got {gain!r}")
            gain = GAINS[gain]
        require_number(0, gain=gain)
        std = float(gain) / math.sqrt(fan_in)
        self.weight = torch.randn((fan_in, fan_out), generator=generator) * std
        self.bias = torch.zeros(fan_out) if bias else None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output, shape (..., fan_out), for an input (..., fan_in)."""
        require_features(self, x, len(self.weight), self.weight.dtype)
        out = x @ self.weight
        return out if self.bias is None else out + self.bias

    def parameters(self) -> list[torch.Tensor]:
        """List the weight and, if there is one, the bias."""
        return [self.weight] if self.bias is None else [self.weight, self.bias]


class BatchNorm1d(Layer):
    """Normalize each feature over the examples of a batch.

    In training, every feature gets mean 0 and variance 1 over all examples and positions, then
    the scale ``gamma`` and the shift ``beta``. Mean and variance of past batches are averaged
    in ``running_mean`` and ``running_var``, which replace the batch statistics in evaluation.

    An input of shape (N, C) is treated as by ``torch.nn.BatchNorm1d``. An input (B, T, C) is
    treated as (B * T, C). (PyTorch's own layer expects (B, C, T) there.)

    In training, x is normalized with the biased variance (÷N); ``running_var`` uses the unbiased
    one (÷(N−1)), as in PyTorch. Lecture 4 uses ÷(N−1) for both.

    Parameters
    ----------
    dim : int
        Number of features, C.
    eps : float
        Added to the variance, so that a constant feature does not divide by zero.
    momentum : float
        Fraction of the newest batch in the running averages, from 0 to 1.

    Attributes
    ----------
    gamma, beta : Tensor, shape (C,)
        Scale and shift, which are learned.
    running_mean, running_var : Tensor, shape (C,)
        Running averages, which are not.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of another type. When called, as ``require_features``,
        and in training if a feature has fewer than two values: the averages stay as they are.

    Notes
    -----
    Source: lecture 4; Ioffe and Szegedy (2015).
    """

    def __init__(self, dim: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        require_int(1, dim=dim)
        require_number(0, eps=eps)
        require_number(0, 1, momentum=momentum)
        self.dim, self.eps, self.momentum = dim, eps, momentum
        self.gamma, self.beta = torch.ones(dim), torch.zeros(dim)
        self.running_mean, self.running_var = torch.zeros(dim), torch.ones(dim)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized input, with the shape of x: (N, C) or (B, T, C)."""
        require_features(self, x, self.dim, self.gamma.dtype, dims=2)
        if self.training:
            examples = x.flatten(0, -2)  # (N, C)
            n = len(examples)
            if n < 2:
                raise ValueError(
                    f"BatchNorm1d needs 2 examples in training, got {n}: for one, call eval() first"
                )
            mean = examples.mean(0)  # (C,)
            var = examples.var(0, correction=0)  # divided by N
            with torch.no_grad():
                unbiased = var * n / (n - 1)  # estimate of the population variance
                self.running_mean += self.momentum * (mean - self.running_mean)
                self.running_var += self.momentum * (unbiased - self.running_var)
        else:
            mean, var = self.running_mean, self.running_var
        xhat = (x - mean) / torch.sqrt(var + self.eps)
        return self.gamma * xhat + self.beta

    def parameters(self) -> list[torch.Tensor]:
        """List gamma and beta."""
        return [self.gamma, self.beta]


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


class LayerNorm(Layer):
    """Normalize each example over its features, then apply a scale and a shift.

    As ``torch.nn.LayerNorm(dim)``. Each example is normalized on its own, so training and
    evaluation agree.

    Parameters
    ----------
    dim : int
        Number of features, C.
    eps : float
        Added to the variance.

    Attributes
    ----------
    gamma, beta : Tensor, shape (C,)
        Scale and shift, which are learned.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of another type; when called, as ``require_features``.

    Notes
    -----
    Source: Ba, Kiros and Hinton (2016).
    """

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        require_int(1, dim=dim)
        require_number(0, eps=eps)
        self.dim, self.eps = dim, eps
        self.gamma, self.beta = torch.ones(dim), torch.zeros(dim)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized input, with the shape of x, (..., C)."""
        require_features(self, x, self.dim, self.gamma.dtype)
        mean = x.mean(-1, keepdim=True)  # (..., 1)
        var = x.var(-1, correction=0, keepdim=True)
        return self.gamma * (x - mean) / torch.sqrt(var + self.eps) + self.beta

    def parameters(self) -> list[torch.Tensor]:
        """List gamma and beta."""
        return [self.gamma, self.beta]


class RMSNorm(Layer):
    """Divide each example by the root mean square of its features, then apply a scale.

    As ``torch.nn.RMSNorm(dim, eps)``: a LayerNorm without mean and shift.

    Parameters
    ----------
    dim : int
        Number of features, C.
    eps : float
        Added to the mean square.

    Attributes
    ----------
    gamma : Tensor, shape (C,)
        Scale, which is learned.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of another type; when called, as ``require_features``.

    Notes
    -----
    Source: Zhang and Sennrich (2019).
    """

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        require_int(1, dim=dim)
        require_number(0, eps=eps)
        self.dim, self.eps = dim, eps
        self.gamma = torch.ones(dim)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized input, with the shape of x, (..., C)."""
        require_features(self, x, self.dim, self.gamma.dtype)
        mean_square = x.square().mean(-1, keepdim=True)  # (..., 1)
        return self.gamma * x / torch.sqrt(mean_square + self.eps)

    def parameters(self) -> list[torch.Tensor]:
        """List gamma."""
        return [self.gamma]


class GroupNorm(Layer):
    """Normalize each example over groups of neighboring features, then scale and shift.

    On (N, C) as ``torch.nn.GroupNorm(num_groups, dim)``. With one group it is a LayerNorm.

    Parameters
    ----------
    num_groups : int
        Number of groups; it divides ``dim``.
    dim : int
        Number of features, C.
    eps : float
        Added to the variance.

    Attributes
    ----------
    gamma, beta : Tensor, shape (C,)
        Scale and shift, which are learned.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or of another type; when called, as ``require_features``.

    Notes
    -----
    Source: Wu and He (2018).
    """

    def __init__(self, num_groups: int, dim: int, eps: float = 1e-5) -> None:
        require_int(1, num_groups=num_groups, dim=dim)
        require_number(0, eps=eps)
        if dim % num_groups:
            raise ValueError(f"num_groups must divide dim, got {num_groups} and {dim}")
        self.num_groups, self.dim, self.eps = num_groups, dim, eps
        self.gamma, self.beta = torch.ones(dim), torch.zeros(dim)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized input, with the shape of x, (..., C)."""
        require_features(self, x, self.dim, self.gamma.dtype)
        groups = x.unflatten(-1, (self.num_groups, -1))  # (..., num_groups, C / num_groups)
        mean = groups.mean(-1, keepdim=True)
        var = groups.var(-1, correction=0, keepdim=True)
        xhat = (groups - mean) / torch.sqrt(var + self.eps)
        return self.gamma * xhat.flatten(-2) + self.beta

    def parameters(self) -> list[torch.Tensor]:
        """List gamma and beta."""
        return [self.gamma, self.beta]


class Embedding(Layer):
    """A table with a vector for each id: ``weight[ids]``.

    The vectors are drawn from a standard normal distribution, as in ``torch.nn.Embedding``.

    Parameters
    ----------
    num_embeddings : int
        Number of ids; they count from 0.
    embedding_dim : int
        Size of each vector.
    generator : torch.Generator, optional
        Draws the table; without one, PyTorch's own, which ``torch.manual_seed`` seeds.

    Attributes
    ----------
    weight : Tensor, shape (num_embeddings, embedding_dim)

    Raises
    ------
    ValueError
        If a size is below 1.
    TypeError
        If a size is not an int; when called, if the ids are not a tensor of int32 or int64.
    IndexError
        When called, if an id is negative or not in the table.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, *, generator: torch.Generator | None = None
    ) -> None:
        require_int(1, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.weight = torch.randn((num_embeddings, embedding_dim), generator=generator)

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors, shape (..., embedding_dim), of ids of shape (...)."""
        require_ids("Embedding: ids", ids)
        try:  # weight[ids], but its backward pass is faster, and -1 is not the last row
            return F.embedding(ids, self.weight)
        except IndexError:
            raise IndexError(
                f"Embedding: ids must be from 0 to {len(self.weight) - 1}, "
                f"got {int(ids.min())} to {int(ids.max())}"
            ) from None

    def parameters(self) -> list[torch.Tensor]:
        """List the table."""
        return [self.weight]


class FlattenConsecutive(Layer):
    """Concatenate n neighboring positions: (B, T, C) becomes (B, T // n, C * n).

    If only one position is left, its dimension is dropped: (B, C * n). With n = T this is
    ``torch.nn.Flatten``.

    Parameters
    ----------
    n : int
        How many neighbors become one position.

    Raises
    ------
    ValueError
        If n is below 1; when called, if x does not have the shape (B, T, C), or n does not
        divide T.
    TypeError
        If n is not an int; when called, if x is not a tensor.

    Notes
    -----
    Source: lecture 6.
    """

    def __init__(self, n: int) -> None:
        require_int(1, n=n)
        self.n = n

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return n positions of x in one: (B, T // n, C * n), or (B, C * n) for T = n."""
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"FlattenConsecutive: x must be a tensor, got {type(x).__name__}")
        if x.ndim != 3:
            raise ValueError(
                f"FlattenConsecutive: x must have shape (B, T, C), got {tuple(x.shape)}"
            )
        B, T, C = x.shape
        if T == 0 or T % self.n:
            raise ValueError(f"FlattenConsecutive: {self.n} must divide T, got T = {T}")
        x = x.reshape(B, T // self.n, C * self.n)
        return x.squeeze(1) if self.n == T else x  # only dim 1: a batch of one keeps its dim 0


class Container(Layer):
    """A layer made of layers: its train(), eval() and parameters() apply to all of them.

    A subclass implements ``children()`` and ``__call__()``.
    """

    def children(self) -> dict[str, Layer]:
        """Return the layers directly inside, by name."""
        raise NotImplementedError(f"{type(self).__name__} must implement children()")

    def named_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield every parameter with a name: ``0 Embedding.weight``, ``2.1 BatchNorm1d.gamma``.

        The name starts with the path of the layer, so it is unique. A parameter that is used twice
        is listed once. A subclass with parameters of its own adds them here.
        """
        unique: dict[int, tuple[str, torch.Tensor]] = {}
        for name, child in self.children().items():
            between = "." if isinstance(child, Container) else " "
            for inside, p in child.named_parameters():
                unique.setdefault(id(p), (f"{name}{between}{inside}", p))
        yield from unique.values()

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
        ``Sequential(a, b)``, or one iterable, ``Sequential([a, b])``. A layer may be a Sequential.

    Attributes
    ----------
    layers : list of Layer

    Raises
    ------
    ValueError
        If there is no layer.
    TypeError
        If something other than a layer is given.
    """

    def __init__(self, *layers: Layer | Iterable[Layer]) -> None:
        given = layers[0] if len(layers) == 1 and isinstance(layers[0], Iterable) else layers
        self.layers: list[Layer] = []
        for i, layer in enumerate(given):
            if not isinstance(layer, Layer):
                raise TypeError(f"layers must hold only layers, got {layer!r} in position {i}")
            self.layers.append(layer)
        if not self.layers:
            raise ValueError("layers must hold at least one layer, got none")

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the last layer returns."""
        for layer in self.layers:
            x = layer(x)
        return x

    def children(self) -> dict[str, Layer]:
        """Return the layers by their position, counted from 0: ``"0"``, ``"1"``, ..."""
        return {str(position): layer for position, layer in enumerate(self.layers)}
