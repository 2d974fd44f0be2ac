"""The check of chapter 7's attention, with what known mistakes compute."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..tensors import as_tensor, expect_tensor
from ..verdict import checker, fail
from .steps import Steps, expect_no_loop, run_counted

Mistakes = list[tuple[torch.Tensor, str]]


def random_tensor(*shape: int, seed: int) -> torch.Tensor:
    """Draw from the normal distribution."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


SIZES = (  # B, T, C and n_head: all different in a row, and the head size, C // n_head, too
    (2, 6, 12, 3),
    (2, 5, 28, 7),  # heads of the same size as in the first, here more of them
    (3, 4, 10, 5),
    (2, 70, 6, 2),  # more tokens than channels, and than a mask of a fixed size has
    *((1, 3, 6, 2), (3, 1, 8, 4), (2, 4, 6, 1), (2, 3, 5, 5), (2, 3, 1, 1), (1, 1, 1, 1)),
    *((2, 6, 48, 3), (2, 6, 48, 24)),  # the same but for the heads
)
LARGE = 3, 5, 12, 4  # the case with scores in the hundreds
# Some token sees nothing but scores below -520 there. All are within ±690: doubles have an exp.
LARGE_SEEDS = 550, 780, 800
FILLS = -10.0, -20.0, -50.0, -100.0, -150.0, -200.0, -300.0, -400.0, -500.0  # not low enough
BAN = "A loop over the heads is ruled out in this exercise."
HINT = "Make the heads a dimension next to the batch: then one product serves all of them."


@checker
def attention(answer: Any) -> str:
    """Check a function ``(x, Wq, Wk, Wv, n_head)``: causal attention of all heads at once."""
    counts: list[tuple[str, Steps]] = []
    for case, (B, T, C, n_head) in enumerate(SIZES):
        shown = f"attention(x, Wq, Wk, Wv, {n_head}), x of shape {(B, T, C)}"
        for seed in (10 * case, 10 * case + 1000):
            x, matrices = _draw(B, T, C, seed)
            received, steps = run_counted(answer, x, *matrices, n_head, shown=shown)
            right = _join(_attend([_split(x @ W, n_head) for W in matrices], _future(T)))
            if 1 in (B, T, n_head, C // n_head):  # there, a mistake may be another one, too
                mistakes = []
            else:
                mistakes = _mistakes_of_a_head(x, matrices, n_head)
                mistakes += _mistakes_with_heads(x, matrices, n_head)
            expect_tensor(received, right, shown, mistakes, tolerance=1e-4)
        counts.append((shown, steps))  # of the second run: what is prepared once, is there
    expect_no_loop(counts[-2], counts[-1], BAN, HINT)
    shown, steps = counts[-1]
    if steps.taken > 5 * x.numel():
        fail(f"{BAN} {shown} runs {steps.taken:,} lines and calls.", HINT)
    _check_zero_scores(answer)
    for seed in LARGE_SEEDS:
        _check_large_scores(answer, seed)
    return "All heads at once, and each of them as if it were alone."


def _draw(B: int, T: int, C: int, seed: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    matrices = [random_tensor(C, C, seed=seed + i) / C**0.25 for i in (1, 2, 3)]
    return random_tensor(B, T, C, seed=seed), matrices


def _check_zero_scores(answer: Any) -> None:
    """Stop at masks that take a score of 0 for one of the future."""
    B, T, C, n_head = 2, 5, 12, 3
    x, matrices = _draw(B, T, C, seed=300)
    x[1, 2] = 0
    shown = f"attention(x, Wq, Wk, Wv, {n_head}), x of shape {(B, T, C)}, x[1, 2] zero"
    received, _ = run_counted(answer, x, *matrices, n_head, shown=shown)
    parts = q, k, _ = [_split(x @ W, n_head) for W in matrices]
    by_value = _attend(parts, (q @ k.mT).tril() == 0)
    hint = "A score may be 0, too: mask by position, not by value."
    right = _join(_attend(parts, _future(T)))
    expect_tensor(received, right, shown, [(_join(by_value), hint)], tolerance=1e-4)


def _check_large_scores(answer: Any, seed: int) -> None:
    """Stop at masks that are not low enough, and at numbers too large for their type."""
    B, T, C, n_head = LARGE
    x, (Wq, Wk, Wv) = _draw(B, T, C, seed=seed)
    matrices = [7 * Wq, 7 * Wk, Wv]
    shown = f"attention(x, Wq, Wk, Wv, {n_head}) with scores in the hundreds"
    received, _ = run_counted(answer, x, *matrices, n_head, shown=shown)
    parts = [_split(x.double() @ W.double(), n_head) for W in matrices]
    right, future = _join(_attend(parts, _future(T))), _future(T)
    low = [_join(_attend(parts, future, fill=fill)) for fill in FILLS]
    mask = "Mask with −∞: next to large scores, a number such as −100 is not low enough."
    late = (
        "Mask with −∞ before the softmax. exp by itself gets too large, and weights masked "
        "afterwards can all be 0: 0/0."
    )
    infinite = not as_tensor(received, shown).isfinite().all()
    expect_tensor(
        received,
        right,
        shown,
        [(tensor, mask) for tensor in low],
        late if infinite else "",
        tolerance=1e-3,
    )


def _split(z: torch.Tensor, n_head: int) -> torch.Tensor:
    return z.unflatten(-1, (n_head, -1)).transpose(1, 2)  # (B, T, C) -> (B, n_head, T, head_size)


def _join(z: torch.Tensor) -> torch.Tensor:
    return z.transpose(1, 2).flatten(2)  # and back


def _future(T: int) -> torch.Tensor:
    return torch.ones(T, T, dtype=torch.bool).triu(1)


def _attend(
    parts: list[torch.Tensor],
    hidden: torch.Tensor,
    *,
    scale: float | None = None,
    fill: float = -math.inf,
    dim: int = -1,
) -> torch.Tensor:
    """Attend with queries, keys and values (B, n_head, T, head_size), written out."""
    q, k, v = parts
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    return scores.masked_fill(hidden, fill).softmax(dim) @ v


def _mistakes_of_a_head(x: torch.Tensor, matrices: list[torch.Tensor], n_head: int) -> Mistakes:
    """List what comes out with one mistake inside the heads, and the hints."""
    _, T, C = x.shape
    d, future = C // n_head, _future(T)
    parts = q, k, v = [_split(x @ W, n_head) for W in matrices]
    root = "Divide the scores by the square root of the head size."
    turned = "The mask is reversed: it hides the past."
    weights = (q @ k.mT * d**-0.5).softmax(-1)
    attended = [
        (
            _attend(parts, future, scale=C**-0.5),
            "Scale by the size of a head, not by the number of channels.",
        ),
        (_attend(parts, future, scale=1.0), "The scores are not scaled."),
        (_attend(parts, future, scale=1 / d), root),
        (_attend(parts, future, scale=d**0.5), root),
        (
            _attend(parts, future, scale=1.0) * d**-0.5,
            "Scale the scores, not what comes out of the softmax.",
        ),
        (weights @ v, "Tokens look into the future: the mask is missing."),
        (_attend(parts, future.mT), turned),
        (_attend(parts, ~future), turned),  # a row without scores is NaN, here and below
        (_attend(parts, ~future.mT), "A token also attends to itself: leave the diagonal in."),
        (_attend(parts, future, fill=0.0), "In a softmax a score of 0 counts. Mask with −∞."),
        (
            weights.masked_fill(future, 0.0) @ v,
            "Mask the scores before the softmax, or rows do not add up to 1.",
        ),
        (_attend(parts, future, dim=-2), "Softmax over the keys: the last dimension."),
        (_attend([k, q, v], future), "Queries look for keys: q @ k.mT, not k @ q.mT."),
        (_attend([q, k, _split(x, n_head)], future), "Average the values, x @ Wv, not x."),
    ]
    return [(_join(out), hint) for out, hint in attended]


def _mistakes_with_heads(x: torch.Tensor, matrices: list[torch.Tensor], n_head: int) -> Mistakes:
    """List what comes out when the channels are cut or joined in the wrong way, and the hints."""
    B, T, C = x.shape
    d, future = C // n_head, _future(T)
    heads = _attend([_split(x @ W, n_head) for W in matrices], future)
    mixed = _attend([(x @ W).view(B, n_head, T, d) for W in matrices], future)
    every = _attend([_split(x @ W, d).transpose(1, 3) for W in matrices], future)
    across = _attend([_split(x @ W, n_head).transpose(1, 2) for W in matrices], _future(n_head))
    single = [_attend([x @ W for W in matrices], future, scale=s**-0.5) for s in (C, d)]
    linear = _attend([_split(x @ W.mT, n_head) for W in matrices], future)
    join = "Put the heads after the tokens again before you join them: transpose."
    mixes = "view(B, n_head, T, d) mixes tokens and heads. First (B, T, n_head, d), then transpose."
    neighbors = "Neighboring channels belong to one head: view(B, T, n_head, d)."
    return [
        (heads, join),
        (heads.reshape(B, T, C), join),
        (mixed.reshape(B, T, C), mixes),
        (_join(mixed), mixes),
        (
            across.flatten(2),
            "That attends from head to head. The tokens have to be the second to last dimension.",
        ),
        (_join(every), neighbors),
        (every.permute(0, 2, 3, 1).flatten(2), neighbors),
        *((out, "That is a single head. Split the channels.") for out in single),
        (_join(linear), "The queries are x @ Wq. F.linear would turn the matrix around."),
    ]
