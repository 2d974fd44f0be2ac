"""Checks of the exercises on the network: rows of logits, and the loss. Both pass gradients on."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from ..rules import CROSS_ENTROPY, Watch, forbid
from ..running import guarded, run
from ..tensors import expect_tensor
from ..verdict import checker, fail

ONE_HOT = ("one_hot", "eye")
PRODUCTS = (
    *("matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "mv", "addmm", "addmv", "addbmm"),
    *(
        "baddbmm",
        "dot",
        "vdot",
        "inner",
        "tensordot",
        "einsum",
        "linear",
        "bilinear",
        "chain_matmul",
    ),
    *("linalg_matmul", "linalg_multi_dot", "linalg_vecdot", "_sparse_mm", "sspaddmm", "kron"),
)
NO_ONE_HOT = "Take the rows of W without a one-hot encoding."
RULES = forbid((ONE_HOT, NO_ONE_HOT), (PRODUCTS, "Take the rows of W without a matrix product."))


class OneHotWatch(Watch):
    """Ends the check also where an answer makes a one-hot encoding by itself, by whatever means."""

    def __init__(self, ids: torch.Tensor, size: int) -> None:
        super().__init__(RULES)
        self.one_hot = F.one_hot(ids, size).double()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_function__(func, types, args, kwargs)
        for made in (result, *args[:1]):  # an index on the left of = returns nothing
            if _encodes(made, self.one_hot):
                fail("The answer makes a one-hot encoding of xs.", NO_ONE_HOT)
        return result


def _encodes(made: Any, one_hot: torch.Tensor) -> bool:
    """Whether a tensor is the one-hot encoding: also on its side, or repeated along a dimension."""
    if not isinstance(made, torch.Tensor) or made.numel() < one_hot.numel():
        return False
    try:
        if not bool(((made == 0) | (made == 1)).all()):
            return False
        for dim in range(made.dim()):
            first = made.narrow(dim, 0, 1)
            if bool((made == first).all()):
                made = first
        made = made.squeeze().double()
        return any(torch.equal(made, table.squeeze()) for table in (one_hot, one_hot.T))
    except RuntimeError:  # inside vmap there is nothing to compare
        return False


@checker
def logits_by_row(answer: Any) -> str:
    """Check a function ``(W, xs)`` that returns the logits without a one-hot encoding."""
    generator = torch.Generator().manual_seed(1)
    for rows, columns, xs in [
        (27, 27, [0, 5, 13, 13, 1]),
        (27, 27, [26]),
        (6, 4, [5, 0, 3, 3, 0, 5, 1]),
        (3, 8, [2, 0]),
        (729, 27, [728, 27, 0, 53, 728]),
    ]:
        W = torch.randn(rows, columns, generator=generator)
        ids = torch.tensor(xs)
        call = f"logits_by_row(W, {xs})"
        shown = call if rows == columns else f"{call} (for W of shape ({rows}, {columns}))"
        misconceptions = [
            (W[ids].softmax(1), "These are probabilities. Logits are the rows of W themselves."),
            (
                W[ids].log_softmax(1),
                "These are log probabilities. Logits are the rows of W themselves.",
            ),
            (W[ids].exp(), "These are counts. Logits are the rows of W themselves."),
            (W[ids].T, "Each row should hold the logits of one input: turn the result."),
            (W[ids].squeeze(), "One input gives a table, too: with one row."),
        ]
        if max(xs) < columns:
            columns_of_W = [
                (W[:, ids], "These are columns of W, one below the other. Index the rows."),
                (W[:, ids].T, "These are columns of W. Row i holds the logits after character i."),
            ]
            misconceptions = columns_of_W + misconceptions
        watched = OneHotWatch(ids, rows).watched(answer)
        received = run(watched, W.clone(), ids.clone(), shown=shown)
        expect_tensor(received, W[ids], shown, misconceptions)
        _expect_no_product(watched, W, ids, shown)
        _expect_gradient_of_rows(watched, W, ids, shown)
    return "Each row of W that xs names, in order."


def _expect_no_product(answer: Any, W: torch.Tensor, ids: torch.Tensor, shown: str) -> None:
    """Stop if the rows that ``ids`` does not name have an influence, as zero times infinity."""
    infinite = torch.full_like(W, math.inf)
    infinite[ids] = W[ids]
    received = run(answer, infinite.clone(), ids.clone(), shown=shown)
    expect_tensor(
        received,
        W[ids],
        f"{shown} with infinity in all other rows of W",
        otherwise="The other rows are still there, multiplied by zero: that is a one-hot encoding. "
        "Take only the rows that xs names.",
    )


def _expect_gradient_of_rows(answer: Any, W: torch.Tensor, ids: torch.Tensor, shown: str) -> None:
    """Stop unless a gradient reaches W: once for each time that a row is named."""
    leaf = W.clone().requires_grad_()
    received = run(answer, leaf, ids.clone(), shown=shown, raised=LEAVES_TORCH)
    weights = torch.arange(1.0, W[ids].numel() + 1).view(W[ids].shape)
    right = torch.zeros_like(W).index_add_(0, ids, weights)
    _expect_gradient(received, leaf, weights, right, shown, "W")


LEAVES_TORCH = "What is given requires a gradient now. Stay with tensors, so that it can flow back."
CUT_OFF = "detach, item, tolist, numpy, no_grad and torch.tensor cut a result off from its inputs."
OTHER_BRANCH = "torch.where passes NaN back from the branch that it doesn't take, too."


def _expect_gradient(
    received: Any,
    leaf: torch.Tensor,
    weights: torch.Tensor,
    right: torch.Tensor,
    shown: str,
    name: str,
    chooses: bool = False,
) -> None:
    """Stop unless the weighted sum of a result has the right gradient by ``leaf``.

    ``chooses`` says whether the answer calls ``torch.where``.
    """
    result = guarded(lambda: _joined(received), f"Reading {shown}")
    needed = f"{shown}: the result has no gradient, but {name} requires one."
    if not result.requires_grad:
        fail(needed, CUT_OFF)
    (grad,) = guarded(
        lambda: torch.autograd.grad((result * weights).sum(), leaf, allow_unused=True),
        f"The backward pass of {shown}",
    )
    if grad is None:
        fail(needed, CUT_OFF)
    called = f"The gradient of {name} after {shown}"
    hint = OTHER_BRANCH if chooses and grad.isnan().any() else ""
    expect_tensor(grad, right, called, otherwise=hint, tolerance=1e-4)


def _joined(received: Any) -> torch.Tensor:
    """Return lists of tensors as one tensor, through which gradients flow."""
    if isinstance(received, (list, tuple)):
        return torch.stack([_joined(item) for item in received])
    return torch.as_tensor(received)


# -- cross-entropy ---------------------------------------------------------------------

OWN_LOSS = forbid((CROSS_ENTROPY, "Write the loss yourself: log of the sum of exp, and an index."))


@checker
def cross_entropy(answer: Any) -> str:
    """Check a function ``(logits, ys)`` that returns the average negative log likelihood."""
    generator = torch.Generator().manual_seed(4)
    small = torch.randn(5, 27, generator=generator, dtype=torch.float64)
    few = torch.randn(3, 4, generator=generator)
    many = torch.randn(9, 4, generator=generator, dtype=torch.float64)
    square = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    ys = [3, 0, 26, 7, 7]
    for shown, logits, right_ones in [
        ("five rows of random logits", small, ys),
        ("three rows of four logits", few, [2, 2, 0]),
        ("one row of equal logits", torch.zeros(1, 6), [5]),
        ("four rows of four logits", square, [1, 3, 3, 0]),
        ("five rows of random logits + 1000", small + 1000, ys),
        ("five rows of random logits - 1000", small - 1000, ys),
        ("five rows of random logits × 1000", small * 1000, ys),
        ("logits of 1000 in one row, of -1000 in another", _far_apart(few), [1, 1, 3]),
        ("nine rows of four logits", many, [3, 0, 0, 1, 3, 0, 3, 1, 0]),  # a class does not occur
        ("nine rows of four logits of type float32, + 100", many.float() + 100, [0] * 9),
        ("nine rows of four logits of type float32, - 200", many.float() - 200, [2, 1, 3] * 3),
        ("nine rows of four logits of type float32, × 100", many.float() * 100, [1, 3, 0] * 3),
    ]:
        _expect_loss(answer, logits, torch.tensor(right_ones), shown)
    return "Right for small logits, and for logits of a thousand, too."


def _far_apart(logits: torch.Tensor) -> torch.Tensor:
    return logits.double() + torch.tensor([[1000.0], [-1000.0], [0.0]])


def _expect_loss(answer: Any, logits: torch.Tensor, ys: torch.Tensor, shown: str) -> None:
    call = f"cross_entropy(logits, ys) (for {shown})"
    leaf = logits.clone().requires_grad_()
    right = F.cross_entropy(leaf, ys)
    (slope,) = torch.autograd.grad(right, leaf)
    right = right.detach()
    watch = Watch(OWN_LOSS)
    watched = watch.watched(answer)
    received = run(watched, logits.clone(), ys.clone(), shown=call)
    large = bool(logits.abs().max() > 50)
    # A mistake that shows in small logits has ended the check before the large ones come.
    wrong = [] if large else _wrong_losses(logits, ys, right)
    expect_tensor(
        received,
        right,
        call,
        wrong,  # an infinite loss has more than one cause
        otherwise=_unlike(answer, received, logits, ys, large),
        tolerance=5e-4 if large else 1e-5,  # float32 has 7 digits, of a thousand, too
    )
    received = run(watched, leaf, ys.clone(), shown=call, raised=LEAVES_TORCH)
    chooses = watch.calls["where"] > 0
    _expect_gradient(received, leaf, torch.ones(()), slope, call, "logits", chooses)


def _wrong_losses(
    logits: torch.Tensor, ys: torch.Tensor, right: torch.Tensor
) -> list[tuple[torch.Tensor, str]]:
    log_p = logits.log_softmax(1)
    rows = torch.arange(len(ys))
    wrong_axis = -logits.log_softmax(0)[rows, ys].mean()
    return [
        (-right, "The log of a probability is negative: put a minus in front."),
        (right * len(ys), "That is the sum. Take the mean over the examples."),
        (right / math.log(2), "That is in bits: log2. The natural logarithm, log, gives nats."),
        (right / math.log(10), "That is log10. The loss takes the natural logarithm, log."),
        (right.exp(), "That is the perplexity. Leave out the last exp."),
        (-log_p.mean(), "Only the probability of the right character counts."),
        (-log_p.sum(1).mean(), "Only the probability of the right character counts."),
        (wrong_axis, "The softmax runs over the examples. It belongs to each row, dim 1."),
        (-log_p.exp()[rows, ys].mean(), "Take the logarithm of the probability."),
        (log_p.exp()[rows, ys].mean(), "Take the logarithm of the probability."),
        (-log_p.exp()[rows, ys].mean().log(), "Take the logarithm first, and then the mean."),
        (F.cross_entropy(logits.softmax(1), ys), "Softmax was applied twice."),
        (
            right - logits.max(1).values.mean(),
            "Subtract the maximum from the logit of the right answer, too.",
        ),
        (
            -log_p[:, ys].mean(),
            "logits[:, ys] takes every row's entries at all of ys: pair row i with ys[i].",
        ),
        (-log_p[rows, ys], "That is the loss of each example. Take the mean over them."),
    ]


def _unlike(answer: Any, received: Any, logits: torch.Tensor, ys: torch.Tensor, large: bool) -> str:
    """Return the hint for a loss that is inf, nan or capped, or an empty string."""
    try:
        loss = _number(received)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return ""
    if math.isfinite(loss):
        is_right = math.isclose(loss, F.cross_entropy(logits, ys).item(), rel_tol=1e-5)
        return CAPPED if not is_right and _capped(loss, logits, ys) else ""
    return _not_finite(answer, loss, logits, ys) if large else ""


def _number(received: Any) -> float:
    return float(received.detach() if isinstance(received, torch.Tensor) else received)


CAPPED = "A small number added to the probability caps the loss; work with the logits."


def _capped(loss: float, logits: torch.Tensor, ys: torch.Tensor) -> bool:
    """Whether a loss is that of probabilities with 1e-10 or so added, or as their minimum."""
    small = [10.0**-n for n in range(2, 41)]
    small += [torch.finfo(kind).eps for kind in (torch.float32, torch.float64)]
    p = logits.double().softmax(1)[torch.arange(len(ys)), ys]
    least = torch.tensor(small, dtype=torch.float64)[:, None]
    losses = -torch.stack([(p + least).log(), p.maximum(least).log()]).mean(2)
    return bool(((losses - loss).abs() < 1e-5 * losses.abs()).any())


def _not_finite(answer: Any, loss: float, logits: torch.Tensor, ys: torch.Tensor) -> str:
    """Return the hint for a loss that is inf or nan for large logits."""
    tame = logits - logits.max(1, keepdim=True).values
    if loss == math.inf:
        logs = bool(tame.min() < -1000)  # else the log of a sum that overflowed
    else:  # exp cannot overflow for tame logits: what is nan even there is 0 times log 0
        logs = math.isnan(run(answer, tame, ys.clone(), shown="cross_entropy(logits, ys)"))
    if logs and not _overflows(answer, logits.dtype):
        return (
            "Don't exponentiate and take the log again: a probability that rounds to 0 gives inf."
        )
    return (
        "Subtract each row's maximum before you exponentiate. Otherwise, exp gives infinity or 0."
    )


def _overflows(answer: Any, dtype: torch.dtype) -> bool:
    """Whether exp gives infinity in an answer that subtracts too little, such as the mean.

    The logits are so far apart that even the largest minus the mean is too large for exp, and not
    so far that a probability rounds to 0.
    """
    logits = torch.zeros(1, 27, dtype=dtype)
    logits[0, 5] = 740.0 if dtype == torch.float64 else 100.0
    received = run(answer, logits, torch.tensor([5]), shown="cross_entropy(logits, ys)")
    return not math.isfinite(guarded(lambda: _number(received), "Reading the loss"))
