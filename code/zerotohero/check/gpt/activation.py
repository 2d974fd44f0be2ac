"""The check of chapter 7's squared ReLU, with what known mistakes compute."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker
from .attention import Mistakes, random_tensor

TABLE = torch.tensor([[-3.0, -0.5, 0.0, 0.5], [1.0, 3.0, -1.0, 7.0]])  # 7 tells ReLU6 apart


@checker
def squared_relu(answer: Any) -> str:
    """Check a function ``(x)``: the square of a ReLU."""
    for x in (TABLE.clone(), 2 * random_tensor(2, 3, 4, seed=6), random_tensor(5, seed=7)):
        shown = f"squared_relu(x), x of shape {tuple(x.shape)}"
        received = run(answer, x, shown=shown)
        expect_tensor(received, torch.relu(x).square(), shown, _mistakes(x))
    return "Zero on the left, a parabola on the right."


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
