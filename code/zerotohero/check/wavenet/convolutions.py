"""Checks of the tree as a convolution: what it computes, and what it saves."""

from __future__ import annotations

from operator import mul
from typing import Any

import torch

from ...bigrams import V
from ..numbers import close, expect_numbers
from ..tensors import expect_tensor
from ..verdict import checker, fail
from .calls import call
from .levels import SQUEEZED


@checker
def multiplications(answer: Any) -> str:
    """Check a function ``(contexts, levels, n_embd, n_hidden)`` that counts for both forms."""
    cases = [(5, 3, 24, 128), (1, 2, 3, 4), (9, 4, 5, 6), (3, 1, 4, 5), (2, 7, 6, 3)]
    cases.append((16_000, 10, 24, 128))  # the page's second of sound: beyond 32 bits
    for contexts, levels, n_embd, n_hidden in cases:
        shown = f"multiplications({contexts}, {levels}, {n_embd}, {n_hidden})"
        received = call(answer, contexts, levels, n_embd, n_hidden, shown=shown)
        _expect_counts(received, contexts, levels, n_embd, n_hidden, shown)
    return "The tree repeats itself, and the convolution does not."


def _expect_counts(
    received: Any, contexts: int, levels: int, n_embd: int, n_hidden: int, shown: str
) -> None:
    matrices = [2 * n_embd * n_hidden, *[2 * n_hidden**2] * (levels - 1)]  # entries, by level
    nodes = [contexts * 2 ** (levels - level) for level in range(1, levels + 1)]
    # Of the convolution, before and after each level:
    read = [contexts + 2**levels - 2 ** (level - 1) for level in range(1, levels + 1)]
    returned = [contexts + 2**levels - 2**level for level in range(1, levels + 1)]
    output = contexts * n_hidden * V

    def total(vectors: list[int], matrices: list[int] = matrices) -> float:
        return float(sum(map(mul, vectors, matrices)) + output)

    tree, slid = total(nodes), total(returned)
    if tree != slid and _are(received, slid, tree):  # equal for a single level
        fail(
            f"{shown} should return {tree:.8g} and {slid:.8g}, in this order.",
            "Return the tree's count first, then the convolution's.",
        )
    if _are(received, 2 * tree, 2 * slid):
        fail(
            f"{shown} should return {tree:.8g} and {slid:.8g}, received twice as much.",
            "Count the multiplications alone, not the additions.",
        )
    of_all = contexts + 2**levels - 1  # characters that the convolution reads
    shorter = "The sequence gets shorter with every level: count what a level returns."
    no_output = "The output layer multiplies, too."
    one_matrix = "The first level reads embeddings, the others read hidden vectors."
    narrow = [matrix // 2 for matrix in matrices]
    half = "A matrix has twice as many rows: two vectors come in, side by side."
    embeddings = [2 * n_embd * n_hidden] * levels
    hidden = [2 * n_hidden**2] * levels
    three = [2 * n_embd * n_hidden, *[2 * n_hidden**2] * 2]
    misconceptions = [
        (0, tree - output, no_output),
        (0, tree / contexts, "That is one context. There are several."),
        (
            0,
            total([contexts] * levels),
            "A level has many nodes: half as many as the level below.",
        ),
        (0, total(nodes[::-1]), "The first level has the most nodes, the last has one."),
        (0, total(nodes, narrow), half),
        (0, total(nodes, embeddings), one_matrix),
        (0, total(nodes, hidden), one_matrix),
        (1, slid - output, no_output),
        (1, total([contexts] * levels), "The lower levels are longer: they reach into the dots."),
        (1, total(read), shorter),
        (1, total([of_all] * levels), shorter),
        (1, total([of_all] * levels) - output + of_all * n_hidden * V, shorter),
        (1, total(returned, narrow), half),
        (1, total(returned, embeddings), one_matrix),
        (1, total(returned, hidden), one_matrix),
        (0, total([4 * contexts, 2 * contexts, contexts], three), "That is for three levels."),
        (0, _in_32_bits(tree), TOO_LARGE),
        (1, _in_32_bits(slid), TOO_LARGE),
    ]
    expect_numbers(received, [tree, slid], shown, misconceptions)
    if any(abs(float(n) - right) > 0.5 for n, right in zip(received, (tree, slid))):
        fail(f"{shown} should return exactly {tree:.0f} and {slid:.0f}.", TOO_LARGE)


TOO_LARGE = "Such a number does not fit into 32 bits. Python's own numbers have no limit."


def _in_32_bits(number: float) -> float:
    """Return what is left of a number in a signed integer of 32 bits."""
    return (number + 2**31) % 2**32 - 2**31


def _are(received: Any, first: float, second: float) -> bool:
    """Whether two numbers were received, and these."""
    try:
        items = list(received)
    except TypeError:
        return False
    return len(items) == 2 and close(items[0], first) and close(items[1], second)


@checker
def dilated(answer: Any) -> str:
    """Check a function ``(x, weight, dilation)``: a causal convolution of kernel size 2."""
    cases = (
        ((2, 7, 3), 4, 2),  # 4 features at 5 positions: one for the other shows
        ((1, 6, 2), 7, 1),
        ((3, 9, 2), 6, 4),
        ((2, 4, 3), 7, 3),
        ((2, 11, 3), 4, 8),
    )
    for seed, (shape, width, dilation) in enumerate(cases):
        x, weight = _random(*shape, seed=10 + seed), _random(2 * shape[2], width, seed=20 + seed)
        shown = f"dilated(x, weight, {dilation}), x of shape {shape}"
        received = call(answer, x.clone(), weight.clone(), dilation, shown=shown)
        _expect_convolution(received, x, weight, dilation, shown)
    return "The same matrix at every position, and it never looks ahead."


def _random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _expect_convolution(
    received: Any, x: torch.Tensor, weight: torch.Tensor, d: int, shown: str
) -> None:
    B, _, C = x.shape
    old, new = weight[:C], weight[C:]
    right = x[:, :-d] @ old + x[:, d:] @ new
    before = torch.cat([torch.zeros(B, d, C), x], 1)[:, : x.shape[1]]  # d positions before
    after = torch.zeros(B, d, weight.shape[1])
    around = "roll brings the last positions to the front. Begin where both positions exist."
    expect_tensor(
        received,
        right,
        shown,
        [
            (
                x[:, :-d] @ new + x[:, d:] @ old,
                "The first half of the weight belongs to the older position.",
            ),
            (
                x[:, :-d] @ weight[::2] + x[:, d:] @ weight[1::2],
                "The upper half of the weight is its first C rows, not every second one.",
            ),
            (x[:, :-1] @ old + x[:, 1:] @ new, "The two positions are dilation apart."),
            (before @ old + x @ new, "No zeros in front: begin where both positions exist."),
            (
                torch.cat([right, after], 1),
                "No zeros at the end: the output is shorter than the input.",
            ),
            (x.roll(d, 1) @ old + x @ new, around),
            (x @ old + x.roll(-d, 1) @ new, around),
            (x[:, d:] @ new, "The older position is missing."),
            (x[:, :-d] @ old, "The newer position is missing."),
            (right.mT, "PyTorch's convolution returns (B, F, T)."),
            (right.squeeze(), SQUEEZED),
        ],
        tolerance=1e-4,
    )
