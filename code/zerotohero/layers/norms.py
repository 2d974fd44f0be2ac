"""Normalization: four layers that differ in which numbers share a mean and a variance."""

from __future__ import annotations

import math

import torch

from .base import Layer, require_features, require_number, require_size


class _Norm(Layer):
    """What the four have in common: a scale for each feature, and a small constant."""

    def __init__(self, dim: int, eps: float, device: str | torch.device) -> None:
        require_size("dim", dim)
        require_number("eps", eps)
        if not 0 <= eps < math.inf:
            raise ValueError(f"eps must be finite and not negative, got {eps}")
        self.dim, self.eps = dim, eps
        self.gamma = torch.ones(dim, device=device)


class BatchNorm1d(_Norm):
    """Normalize each feature over the examples of a batch.

    In training, every feature gets mean 0 and variance 1 over all examples and places, then
    the scale ``gamma`` and the shift ``beta``. Mean and variance of past batches are averaged
    in ``running_mean`` and ``running_var``, which take their place in evaluation.

    An input of shape (N, C) is treated as by ``torch.nn.BatchNorm1d``. An input (B, T, C) is
    treated as (B * T, C). (PyTorch's own layer expects (B, C, T) there.)

    The batch variance that normalizes is divided by N, the one that goes into ``running_var``
    by N - 1, as in PyTorch. The class of lecture 4 divides by N - 1 for both: its outputs are
    smaller by the factor sqrt((N - 1) / N), up to the effect of eps.

    Parameters
    ----------
    dim : int
        Number of features, C.
    eps : float
        Added to the variance, so that a constant feature does not divide by zero.
    momentum : float
        Share of the newest batch in the running averages, from 0 to 1.
    device : str
        Where the layer computes.

    Attributes
    ----------
    gamma, beta : Tensor, shape (C,)
        Scale and shift, which are learned.
    running_mean, running_var : Tensor, shape (C,)
        Running averages, which are not.

    Raises
    ------
    ValueError
        If ``dim`` is below 1, ``eps`` is negative or ``momentum`` is outside of 0 to 1. When
        called: if x has another width; or in training, if a feature has fewer than two values.
    TypeError
        If ``dim`` is no int, ``eps`` or ``momentum`` no number; when called, if x does not hold
        floating-point numbers.

    Notes
    -----
    Source: Ioffe and Szegedy (2015); lecture 4.
    """

    def __init__(
        self,
        dim: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(dim, eps, device)
        require_number("momentum", momentum)
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be from 0 to 1, got {momentum}")
        self.momentum = momentum
        self.beta = torch.zeros(dim, device=device)
        self.running_mean = torch.zeros(dim, device=device)
        self.running_var = torch.ones(dim, device=device)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized input, with the shape of x: (N, C) or (B, T, C)."""
        require_features(x, self.dim, "BatchNorm1d", dims=2)
        if self.training:
            mean, var = self._batch_statistics(x)
        else:
            mean, var = self.running_mean, self.running_var
        xhat = (x - mean) / torch.sqrt(var + self.eps)
        return self.gamma * xhat + self.beta

    def _batch_statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and variance of every feature, and update the running averages."""
        examples = x.flatten(0, -2)  # (N, C)
        n = len(examples)
        if n < 2:
            raise ValueError(
                f"BatchNorm1d: in training, every feature needs at least two values, got {n} "
                f"(x has shape {tuple(x.shape)}); for a single example, call eval() first"
            )
        mean = examples.mean(0)  # (C,)
        var = examples.var(0, correction=0)  # divided by N
        with torch.no_grad():
            unbiased = var * n / (n - 1)  # what the variance beyond the batch is likely to be
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (unbiased - self.running_var)
        return mean, var

    def parameters(self) -> list[torch.Tensor]:
        """List gamma and beta."""
        return [self.gamma, self.beta]


class LayerNorm(_Norm):
    """Normalize each example over its features, then apply a scale and a shift.

    As ``torch.nn.LayerNorm(dim)``. Examples do not see each other, so there are no modes.

    Parameters
    ----------
    dim : int
        Number of features, C.
    eps : float
        Added to the variance.
    device : str
        Where the layer computes.

    Attributes
    ----------
    gamma, beta : Tensor, shape (C,)

    Raises
    ------
    ValueError, TypeError
        As ``BatchNorm1d``, but a single example is fine.

    Notes
    -----
    Source: Ba, Kiros and Hinton (2016).
    """

    def __init__(self, dim: int, eps: float = 1e-5, *, device: str | torch.device = "cpu") -> None:
        super().__init__(dim, eps, device)
        self.beta = torch.zeros(dim, device=device)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized input, with the shape of x, (..., C)."""
        require_features(x, self.dim, "LayerNorm")
        mean = x.mean(-1, keepdim=True)  # (..., 1)
        var = x.var(-1, correction=0, keepdim=True)
        return self.gamma * (x - mean) / torch.sqrt(var + self.eps) + self.beta

    def parameters(self) -> list[torch.Tensor]:
        """List gamma and beta."""
        return [self.gamma, self.beta]


class RMSNorm(_Norm):
    """Divide each example by the root mean square of its features, then apply a scale.

    As ``torch.nn.RMSNorm(dim, eps)``: a LayerNorm without mean and shift.

    Parameters
    ----------
    dim : int
        Number of features, C.
    eps : float
        Added to the mean square.
    device : str
        Where the layer computes.

    Attributes
    ----------
    gamma : Tensor, shape (C,)

    Raises
    ------
    ValueError, TypeError
        As ``LayerNorm``.

    Notes
    -----
    Source: Zhang and Sennrich (2019).
    """

    def __init__(self, dim: int, eps: float = 1e-5, *, device: str | torch.device = "cpu") -> None:
        super().__init__(dim, eps, device)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized input, with the shape of x, (..., C)."""
        require_features(x, self.dim, "RMSNorm")
        mean_square = x.square().mean(-1, keepdim=True)  # (..., 1)
        return self.gamma * x / torch.sqrt(mean_square + self.eps)

    def parameters(self) -> list[torch.Tensor]:
        """List gamma."""
        return [self.gamma]


class GroupNorm(_Norm):
    """Normalize each example over groups of neighboring features, then scale and shift.

    On (N, C) as ``torch.nn.GroupNorm(num_groups, dim)``. With one group it is a LayerNorm.

    Parameters
    ----------
    num_groups : int
        Number of groups; divides ``dim``.
    dim : int
        Number of features, C.
    eps : float
        Added to the variance.
    device : str
        Where the layer computes.

    Attributes
    ----------
    gamma, beta : Tensor, shape (C,)

    Raises
    ------
    ValueError, TypeError
        As ``LayerNorm``, and if the groups would not be equally large.

    Notes
    -----
    Source: Wu and He (2018).
    """

    def __init__(
        self,
        num_groups: int,
        dim: int,
        eps: float = 1e-5,
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(dim, eps, device)
        require_size("num_groups", num_groups)
        if dim % num_groups:
            raise ValueError(f"num_groups must divide dim, got {num_groups} and {dim}")
        self.num_groups = num_groups
        self.beta = torch.zeros(dim, device=device)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized input, with the shape of x, (..., C)."""
        require_features(x, self.dim, "GroupNorm")
        groups = x.unflatten(-1, (self.num_groups, -1))  # (..., num_groups, C / num_groups)
        mean = groups.mean(-1, keepdim=True)
        var = groups.var(-1, correction=0, keepdim=True)
        xhat = (groups - mean) / torch.sqrt(var + self.eps)
        return self.gamma * xhat.flatten(-2) + self.beta

    def parameters(self) -> list[torch.Tensor]:
        """List gamma and beta."""
        return [self.gamma, self.beta]
