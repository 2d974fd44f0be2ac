"""Chapter 7: Muon, an optimizer that makes the update of a matrix orthogonal.

The momentum of a weight matrix is dominated by a few directions. Muon replaces it by the
nearest matrix whose singular values are all about 1, so that every direction moves.

Source: Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial of degree five that is applied to the singular values (Jordan et al. 2024)."""


def orthogonalize(
    G: torch.Tensor, steps: int = 5, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Bring all singular values of a matrix near 1, and leave its singular vectors alone.

    Each Newton–Schulz step applies the polynomial a s + b s³ + c s⁵ to the singular values s.
    After five, all that were not tiny lie between about 0.7 and 1.2.

    Parameters
    ----------
    G : Tensor, shape (..., rows, columns)
        One matrix or several.
    steps : int
        Number of steps.
    dtype : torch.dtype
        What to compute in. The result is rough in any case, so bfloat16 is enough.

    Returns
    -------
    Tensor, with shape and dtype of G.

    Raises
    ------
    ValueError
        If G has fewer than two dimensions.
    """
    if G.ndim < 2:
        raise ValueError(f"G must have at least two dimensions, got shape {tuple(G.shape)}")
    a, b, c = COEFFICIENTS
    wide = G.shape[-2] <= G.shape[-1]
    X = (G if wide else G.mT).to(dtype)  # the product X Xᵀ below is then the smaller one
    X = X.reshape(-1, *X.shape[-2:])  # (matrices, rows, columns)
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)  # all singular values at most 1
    for _ in range(steps):
        A = X @ X.mT
        B = torch.baddbmm(A, A, A, beta=b, alpha=c)  # b A + c A A
        X = torch.baddbmm(X, B, X, beta=a)  # a X + B X
    X = X.view(G.shape if wide else G.mT.shape)
    return (X if wide else X.mT).to(G.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal, for matrices of weights.

    Embeddings, biases, gains and the output layer are better left to AdamW.

    Parameters
    ----------
    params : iterable
        Matrices, or groups of them. A group may set ``parts``: that many matrices lie on top
        of each other in one (3 for queries, keys and values), and each is made orthogonal by
        itself.
    lr : float
        Learning rate: since updates are orthogonal, the typical size of a weight's change is
        ``lr / sqrt(columns)``.
    momentum : float
        Share of the old momentum that is kept.
    weight_decay : float
        In every step, weights shrink by ``lr * weight_decay`` of their size.
    dtype : torch.dtype
        For ``orthogonalize``.

    Raises
    ------
    ValueError
        If a parameter is no matrix, or cannot be cut into ``parts``; if ``lr`` or
        ``weight_decay`` is negative, or ``momentum`` is not from 0 to below 1.
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
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "parts": parts,
        }
        super().__init__(params, defaults)
        self.dtype = dtype
        for group in self.param_groups:
            for name in ("lr", "weight_decay"):
                if not group[name] >= 0:
                    raise ValueError(f"{name} must not be negative, got {group[name]}")
            if not 0 <= group["momentum"] < 1:
                raise ValueError(f"momentum must be from 0 to below 1, got {group['momentum']}")
            for p in group["params"]:
                if p.ndim != 2 or p.shape[0] % group["parts"]:
                    raise ValueError(
                        f"params must be matrices of {group['parts']} parts, "
                        f"got shape {tuple(p.shape)}"
                    )

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
