"""The check of chapter 7's squared ReLU, with what known mistakes compute."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..running import guarded, run
from ..tensors import expect_tensor
from ..verdict import checker, fail
from .attention import Mistakes, random_tensor

SHAPES = (2, 3, 4), (5,), (), (0,), (3, 0), (2, 3, 1, 2), (1, 2, 1, 3, 2)
LARGE = torch.tensor([100.0, -100.0, 25.0])
SMALL = torch.tensor([1e-3, -1e-3, 2e-3, -2e-3], dtype=torch.double)
CUT = "Work on x itself, with PyTorch: no_grad, detach, .data, numpy and lists cut the graph."
TABLE = torch.tensor([[-3.0, -0.5, 0.0, 0.5], [1.0, 3.0, -1.0, 7.0]])  # 7 tells ReLU6 apart


@checker
def squared_relu(answer: Any) -> str:
    """Check a function ``(x)``: the square of a ReLU."""
    for x in (TABLE.clone(), *(2 * random_tensor(*s, seed=6 + sum(s)) for s in SHAPES), LARGE):
        shown = f"squared_relu(x), x of shape {tuple(x.shape)}"
        received = run(answer, x, shown=shown)
        expect_tensor(received, torch.relu(x).square(), shown, _mistakes(x))
    shown = f"squared_relu({SMALL.tolist()})"
    received = run(answer, SMALL.float(), shown=shown)
    expect_tensor(received, torch.relu(SMALL).square(), shown, tolerance=1e-8)
    _check_gradient(answer)
    return "Zero on the left, a parabola on the right."


def _check_gradient(answer: Any) -> None:
    """Stop unless gradients pass through the result to x."""
    x = TABLE.clone().requires_grad_()
    weights = random_tensor(*TABLE.shape, seed=1)
    shown = "squared_relu(x) where x requires a gradient"
    received = run(answer, x, shown=shown)
    expect_tensor(received, torch.relu(TABLE).square(), shown, _mistakes(TABLE))
    if not (isinstance(received, torch.Tensor) and received.requires_grad):
        fail(f"{shown} should require a gradient, too.", CUT)
    (gradient,) = guarded(lambda: _gradient((received * weights).sum(), x, shown), shown)
    if gradient is None:
        fail(f"{shown}: no gradient reaches x.", CUT)
    right = 2 * torch.relu(TABLE) * weights
    cut = [(right / 2, "One factor is cut off from the graph: detach, or .data."), (0 * right, CUT)]
    expect_tensor(gradient, right, f"The gradient of x through {shown}", cut)


def _gradient(total: torch.Tensor, x: torch.Tensor, shown: str) -> Any:
    """Return the gradient of x, or None, as PyTorch does."""
    try:
        return torch.autograd.grad(total, x, allow_unused=True)
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):
            raise
        fail(
            f"{shown}: PyTorch can't compute the gradient of x.",
            "*= overwrites a tensor that the gradient needs: write r * r.",
        )


def _mistakes(x: torch.Tensor) -> Mistakes:
    relu = torch.relu(x)
    negative = "Negative inputs give 0: first the ReLU, then the square."
    leaky = "That is the square of a leaky ReLU. The ReLU is 0 for every negative input."
    smooth = "That is the square of GELU. The ReLU has a kink: max(x, 0)."
    return [
        (relu, "That is the ReLU. Square it."),
        (2 * relu, "The square, not the double."),
        (relu.sqrt(), "The square, not the root."),
        (relu**3, "The square, not the third power."),
        (x.square(), negative),
        (x * x.abs(), negative),
        *((F.leaky_relu(x, slope).square(), leaky) for slope in (0.01, 0.1, 0.2, 0.25)),
        *((F.gelu(x, approximate=how).square(), smooth) for how in ("none", "tanh")),
    ]
