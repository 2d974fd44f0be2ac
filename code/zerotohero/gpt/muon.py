"""Chapter 7: Muon, an optimizer that makes the update of a matrix orthogonal.

The momentum of a weight matrix is dominated by a few directions. Muon replaces it by the
nearest matrix whose singular values are all about 1, so that every direction moves.

Source: Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch

from ..arguments import require_int, require_number

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial of degree five that is applied to the singular values (Jordan et al. 2024)."""


def orthogonalize(
    G: torch.Tensor, steps: int = 5, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Bring all singular values of a matrix near 1, and leave its singular vectors alone.

    Each Newton–Schulz step applies the polynomial a s + b s³ + c s⁵ to the singular values s.
    After five, all but the tiniest lie between about 0.7 and 1.2.

    Parameters
    ----------
    G : Tensor, shape (..., rows, columns)
        One matrix or several.
    steps : int
        Number of steps, at least 0.
    dtype : torch.dtype
        What to compute in. The result is rough in any case, so bfloat16 is enough.

    Returns
    -------
    Tensor, with shape and dtype of G.

    Raises
    ------
    ValueError
        If G has fewer than two dimensions, or ``steps`` is negative.
    """
    if G.ndim < 2:
        raise ValueError(f"G must have at least two dimensions, got shape {tuple(G.shape)}")
    require_int(0, steps=steps)
    a, b, c = COEFFICIENTS
    wide = G.shape[-2] <= G.shape[-1]
    X = (G if wide else G.mT).to(dtype)  # the product X Xᵀ below is then the smaller one
    X = X.reshape(math.prod(X.shape[:-2]), *X.shape[-2:])  # (matrices, rows, columns)
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)  # all singular values at most 1
    for _ in range(steps):
        A = X @ X.mT
        B = torch.baddbmm(A, A, A, beta=b, alpha=c)  # b A + c A A
        X = torch.baddbmm(X, B, X, beta=a)  # a X + B X
    X = X.view(G.shape if wide else G.mT.shape)
    return (X if wide else X.mT).to(G.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal, for weight matrices.

    Embeddings, biases, gains and the output layer are better left to AdamW.

    Parameters
    ----------
    params : iterable
        Matrices, or groups of them. A group may set ``parts``: a matrix holds that many, stacked
        along the rows (3 for queries, keys and values), and each is made orthogonal by itself.
    lr : float
        Learning rate. Updates are orthogonal, so the typical change of a weight is
        ``lr / sqrt(columns)``.
    momentum : float
        Fraction of the old momentum that is kept, from 0 to below 1.
    weight_decay : float
        In every step, weights shrink by the fraction ``lr * weight_decay``.
    dtype : torch.dtype
        For ``orthogonalize``.

    Raises
    ------
    ValueError
        If a parameter is not a matrix, or can't be cut into ``parts``, or a setting is out of
        range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        parts: int = 1,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "parts": parts}
        super().__init__(params, settings)
        self.dtype = dtype

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, as the constructor does with its own; errors as there."""
        super().add_param_group(param_group)  # fills in the settings that the group leaves out
        group = self.param_groups.pop()
        lr, momentum, parts = group["lr"], group["momentum"], group["parts"]
        require_number(0, lr=lr, momentum=momentum, weight_decay=group["weight_decay"])
        require_int(1, parts=parts)
        if momentum >= 1:
            raise ValueError(f"momentum must be below 1, got {momentum}")
        for p in group["params"]:
            if p.ndim != 2 or p.shape[0] % parts:
                shape = tuple(p.shape)
                raise ValueError(f"params must be matrices of {parts} parts, got shape {shape}")
        self.param_groups.append(group)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make one update."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                m = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                ahead = p.grad.lerp(m, group["momentum"])  # Nesterov: look one step ahead
                matrices = ahead.view(group["parts"], -1, p.shape[1])
                update = orthogonalize(matrices, dtype=self.dtype)
                rows, columns = matrices.shape[-2:]
                scale = max(1.0, rows / columns) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(update.reshape(p.shape), alpha=group["lr"] * scale)
        return loss
