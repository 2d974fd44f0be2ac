"""The checks of chapter 7's averages and squared ReLU: known mistakes, and loops."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.check import gpt

T = torch.Tensor
Answer = Callable[[T], Any]


# -- exercise 1: averages ------------------------------------------------------------------


def tril(x: T, diagonal: int = 0) -> T:
    return torch.ones(x.shape[1], x.shape[1]).tril(diagonal)


def by_softmax(x: T) -> T:
    scores = torch.zeros(x.shape[1], x.shape[1])
    return scores.masked_fill(tril(x) == 0, float("-inf")).softmax(-1) @ x


ITSELF = "A token's own vector is part of its average."


def strict_with_zeros(x: T) -> T:
    weights = tril(x, -1)
    return weights / weights.sum(1, keepdim=True).clamp(min=1) @ x


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda x: tril(x) @ x,
            ["entry (0, 1, 0)", "(24 of 30 differ)"],
            "Those are sums. Each row of the matrix has to add up to 1.",
        ),
        (
            lambda x: tril(x) / x.shape[1] @ x,
            ["entry (0, 0, 0)"],
            "Each token has its own number of predecessors: divide row by row.",
        ),
        (
            lambda x: x.cumsum(1) / x.shape[1],
            ["entry (0, 0, 0)"],
            "Each token has its own number of predecessors: divide row by row.",
        ),
        (
            lambda x: tril(x) / tril(x).sum(1) @ x,
            ["entry (0, 1, 0)"],
            "Those sums belong to the rows: keepdim=True.",
        ),
        (
            lambda x: tril(x) / tril(x).sum(0, keepdim=True) @ x,
            ["entry (0, 0, 0)"],
            "Its rows have to add up to 1, not its columns.",
        ),
        (
            lambda x: tril(x).softmax(-1) @ x,
            ["entry (0, 0, 0)"],
            "In a softmax a score of 0 counts. Mask with −∞.",
        ),
        (
            lambda x: x.mean(1, keepdim=True).expand(x.shape),
            ["entry (0, 0, 0)"],
            "The future is in it. Use tril.",
        ),
        (
            lambda x: torch.ones(x.shape[1], x.shape[1]) / x.shape[1] @ x,
            ["entry (0, 0, 0)"],
            "The future is in it. Use tril.",
        ),
        (
            lambda x: tril(x).T / tril(x).T.sum(1, keepdim=True) @ x,
            ["entry (0, 0, 0)"],
            "That is the mean of the future: the triangle is the wrong one.",
        ),
        (
            lambda x: tril(x, -1) / tril(x, -1).sum(1, keepdim=True) @ x,
            ["entry (0, 0, 0)", "received nan"],
            ITSELF,
        ),
        (strict_with_zeros, ["entry (0, 0, 0)", "received 0"], ITSELF),
        (lambda x: x.mean(1), ["should have shape (2, 5, 3), received (2, 3)"], ""),
        (lambda x: by_softmax(x)[0], ["received (5, 3)"], ""),
        (lambda x: by_softmax(x).mT, ["received (2, 3, 5)"], ""),
        (lambda x: -by_softmax(x), ["(30 of 30 differ)"], ""),
        (lambda x: by_softmax(x) * math.nan, ["received nan"], ""),
        (lambda x: by_softmax(x) + 0j, ["real numbers, received torch.complex64"], ""),
        (lambda x: (by_softmax(x), tril(x)), ["should be a tensor"], ""),
        (lambda x: x @ tril(x), ["averages(x), x of shape (2, 5, 3) raised RuntimeError"], ""),
        (lambda x: torch.ones(5, 5).tril() @ x, ["(24 of 30"], "Those are sums. Each row of the "
         "matrix has to add up to 1."),
    ],
)  # fmt: skip
def test_averages_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(gpt.averages(answer), "averages(x), x of shape (2, 5, 3)", *words, hint=hint)


def test_averages_right_for_one_shape_only() -> None:
    def of_five(x: T) -> T:
        return torch.ones(5, 5).tril() / torch.arange(1, 6)[:, None] @ x

    def of_pairs(x: T) -> T:
        return torch.cat([by_softmax(x[:1]), by_softmax(x[1:2])])

    outcome(gpt.averages(of_five), "averages(x), x of shape (4, 11, 6) raised RuntimeError")
    outcome(gpt.averages(of_pairs), "x of shape (4, 11, 6) should have shape (4, 11, 6)")


def test_averages_of_its_input_that_it_changes() -> None:
    def zeroed(x: T) -> T:
        means = by_softmax(x)
        x.zero_()
        return means

    hint = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
    words = "averages(x), x of shape (2, 5, 3) changed x, which it was given."
    outcome(gpt.averages(zeroed), words, hint=hint)


def by_two_loops(x: T) -> T:
    means = torch.zeros_like(x)
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            means[b, t] = x[b, : t + 1].mean(0)
    return means


def by_a_running_sum(x: T) -> T:
    means, total = [], torch.zeros_like(x[:, 0])
    for t, column in enumerate(x.unbind(1), 1):
        total = total + column
        means.append(total / t)
    return torch.stack(means, dim=1)


def sequence_by_sequence(x: T) -> T:
    return torch.stack([tokens.cumsum(0) for tokens in x]) / torch.ones_like(x).cumsum(1)


def channel_by_channel(x: T) -> Iterator[T]:
    for tokens in x:
        yield torch.stack(tuple(c.cumsum(0) / torch.arange(1, len(c) + 1) for c in tokens.T), 1)


def in_lists(x: T) -> list[Any]:
    return [
        [[sum(c[: t + 1]) / (t + 1) for c in zip(*rows)] for t in range(len(rows))]
        for rows in x.tolist()
    ]


def in_numpy(x: T) -> np.ndarray:
    means = x.numpy().copy()
    for t in range(means.shape[1]):
        means[:, t] = x.numpy()[:, : t + 1].mean(1)
    return means


def by_recursion(x: T) -> T:
    if x.shape[1] == 1:
        return x
    return torch.cat([by_recursion(x[:, :-1]), x.mean(1, keepdim=True)], dim=1)


def while_there_are_tokens(x: T) -> T:
    sums, shift = x, 1
    while shift < x.shape[1]:
        sums = sums + F.pad(sums, (0, 0, shift, 0))[:, : x.shape[1]]
        shift *= 2
    return sums / torch.arange(1, x.shape[1] + 1)[:, None]


@pytest.mark.parametrize(
    "answer",
    [
        by_two_loops,
        by_a_running_sum,
        sequence_by_sequence,
        channel_by_channel,
        in_lists,
        in_numpy,
        by_recursion,
        while_there_are_tokens,
    ],
)
def test_averages_by_a_loop(answer: Answer) -> None:
    hint = (
        "All sequences and tokens at once: a triangular matrix (T, T) times x gives every average."
    )
    words = ["A loop is ruled out in this exercise.", "averages(x), x of shape (5, 12, 4) runs"]
    outcome(gpt.averages(answer), *words, "x of shape (25, 40, 22) runs", hint=hint)


class WithBuffer:
    """Keep the matrix, and make a larger one where it has to be."""

    def __init__(self) -> None:
        self.weights = torch.ones(1, 1)

    def __call__(self, x: T) -> T:
        T = x.shape[1]
        if len(self.weights) < T:
            self.weights = torch.ones(T, T).tril()
            self.weights /= self.weights.sum(1, keepdim=True)
        return self.weights[:T, :T] @ x


def with_a_branch(x: T) -> T:
    if x.shape[1] > 20:
        sums = x.cumsum(1)
        numbers = torch.arange(1, x.shape[1] + 1)
        return sums / numbers[:, None]
    return by_softmax(x)


@pytest.mark.parametrize("answer", [WithBuffer(), with_a_branch])
def test_averages_without_a_loop(answer: Answer) -> None:
    verdict = gpt.averages(answer)
    assert verdict, verdict.message


def test_averages_of_the_same_shape_from_memory() -> None:
    kept: dict[Any, T] = {}
    remembers = gpt.averages(lambda x: kept.setdefault(x.shape, by_softmax(x)))
    outcome(remembers, "averages(x), x of shape (2, 5, 3): entry")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: by_softmax(x).squeeze(), "(1, 4, 3) should have shape (1, 4, 3), received (4"),
        (lambda x: by_softmax(x).squeeze(1), "(3, 1, 2) should have shape (3, 1, 2), received (3"),
        (lambda x: by_softmax(x).squeeze(2), "(2, 3, 1) should have shape (2, 3, 1), received (2"),
        (lambda x: by_softmax(x) if len(x) > 1 else x, "(1, 4, 3): entry (0, 1, 0)"),
    ],
)
def test_averages_with_sizes_of_1(answer: Answer, words: str) -> None:
    outcome(gpt.averages(answer), words)


def test_averages_as_a_script_of_torch() -> None:
    class Script(torch.jit.ScriptFunction):
        """Stands for a compiled function: compiling takes long."""

        def __call__(self, x: T) -> T:
            return by_softmax(x)

    where = "averages(x), x of shape (2, 5, 3) is compiled by torch.jit.script"
    outcome(gpt.averages(Script.__new__(Script)), where)


# -- exercise 5: the squared ReLU ----------------------------------------------------------


NEGATIVE = "Negative inputs give 0: first the ReLU, then the square."
LEAKY = "That is the square of a leaky ReLU. The ReLU is 0 for every negative input."
IN_PLACE = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
GELU = "That is the square of GELU. The ReLU has a kink: max(x, 0)."
CUBE = "The square, not the third power."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (torch.relu, ["entry (0, 3) should be 0.25, received 0.5"], "That is the ReLU. Square it."),
        (lambda x: 2 * F.relu(x), ["(0, 3)", "received 1"], "The square, not the double."),
        (lambda x: F.relu(x).sqrt(), ["(0, 3)"], "The square, not the root."),
        (lambda x: F.relu(x) ** 0.5, ["(0, 3)"], "The square, not the root."),
        (lambda x: x**2, ["entry (0, 0) should be 0, received 9"], NEGATIVE),
        (lambda x: F.relu(x**2), ["entry (0, 0) should be 0, received 9"], NEGATIVE),
        (lambda x: x * x.abs(), ["entry (0, 0) should be 0, received -9"], NEGATIVE),
        (lambda x: F.relu(x) ** 3, ["should be 0.25, received 0.125"], CUBE),
        (lambda x: F.leaky_relu(x).square(), ["entry (0, 0)", "received 0.0009"], LEAKY),
        (lambda x: F.leaky_relu(x, 0.2) ** 2, ["entry (0, 0)", "received 0.36"], LEAKY),
        (lambda x: torch.max(0.1 * x, x) ** 2, ["entry (0, 0)", "received 0.09"], LEAKY),
        (lambda x: F.gelu(x).square(), ["entry (0, 0)"], GELU),
        (lambda x: F.gelu(x, approximate="tanh") ** 2, ["entry (0, 0)"], GELU),
        (lambda x: F.leaky_relu(x), ["entry (0, 0)"], ""),
        (lambda x: F.gelu(x), ["entry (0, 0)"], ""),
        (lambda x: F.silu(x) ** 2, ["entry (0, 0)"], ""),
        (lambda x: F.relu6(x) ** 2, ["entry (1, 3) should be 49, received 36"], ""),
        (lambda x: F.relu(x, inplace=True) ** 2, ["changed x, which it was given"], IN_PLACE),
        (lambda x: x.clamp_(min=0).mul_(x), ["changed x, which it was given"], IN_PLACE),
        (lambda x: -torch.relu(x).square(), ["received -0.25"], ""),
        (lambda x: torch.relu(x).square().sum(), ["shape (2, 4), received ()"], ""),
        (lambda x: torch.relu(x).square().T, ["shape (2, 4), received (4, 2)"], ""),
        (lambda x: torch.relu(x).square() + math.nan, ["received nan"], ""),
        (lambda x: max(0, x) ** 2, ["raised RuntimeError"], ""),
        (lambda x: x.relu().squared(), ["raised AttributeError"], ""),
    ],
)
def test_squared_relu_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(gpt.squared_relu(answer), "squared_relu(x), x of shape (2, 4)", *words, hint=hint)


@pytest.mark.parametrize(
    ("right_for", "shape"),
    [
        (lambda x: x.ndim == 2, "(2, 3, 4)"),
        (lambda x: 0 < x.ndim < 4, "()"),
        (lambda x: x.numel(), "(0,)"),
        (lambda x: x.ndim < 4, "(2, 3, 1, 2)"),
        (lambda x: x.ndim < 5, "(1, 2, 1, 3, 2)"),
    ],
)
def test_squared_relu_right_for_some_shapes_only(
    right_for: Callable[[T], bool], shape: str
) -> None:
    def answer(x: T) -> T:
        return torch.relu(x) ** 2 if right_for(x) else torch.zeros(5)

    outcome(gpt.squared_relu(answer), f"squared_relu(x), x of shape {shape} should have")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: torch.relu(x).clamp(max=50) ** 2, "(3,): entry (0,) should be 10000"),
        (
            lambda x: x.square() * (x > -0.01),
            "squared_relu([0.001, -0.001, 0.002, -0.002]): entry (1,) should be 0, received 1e-06",
        ),
        (lambda x: torch.relu(x) ** 2 * (x > 0.01), "]): entry (0,) should be 1e-06, received 0"),
    ],
)
def test_squared_relu_of_small_and_large_numbers(answer: Answer, words: str) -> None:
    outcome(gpt.squared_relu(answer), words)


CUT = "Work on x itself, with PyTorch: no_grad, detach, .data, numpy and lists cut the graph."
HALF = "One factor is cut off from the graph: detach, or .data."


def in_nested_lists(x: T) -> Any:
    return [in_nested_lists(part) for part in x] if x.ndim else max(0.0, x.item()) ** 2


OVERWRITES = "*= overwrites a tensor that the gradient needs: write r * r."


def multiplied_in_place(x: T) -> T:
    r = F.relu(x)
    r *= r
    return r


def backward_itself(x: T) -> T:
    """Use the graph up, where there is one."""
    result = torch.relu(x) ** 2
    if x.requires_grad:
        result.sum().backward()
    return result


def half(x: T) -> T:
    r = torch.relu(x)
    return r * r.detach()


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (lambda x: torch.relu(x.data) ** 2, "should require a gradient, too.", CUT),
        (torch.no_grad()(lambda x: torch.relu(x) ** 2), "should require a gradient, too.", CUT),
        (in_nested_lists, "should require a gradient, too.", CUT),
        (lambda x: np.maximum(x.detach().numpy(), 0) ** 2, "require a gradient, too.", CUT),
        (lambda x: np.maximum(x.numpy(), 0) ** 2, "requires a gradient raised RuntimeError", ""),
        (lambda x: (torch.relu(x.data) ** 2).requires_grad_(), "no gradient reaches x.", CUT),
        (lambda x: torch.relu(x.data) ** 2 + 0 * x, ": entry (0, 3) should be ", CUT),
        (half, "The gradient of x through squared_relu(x) where x requires a gradient: ", HALF),
        (multiplied_in_place, ": PyTorch can't compute the gradient of x.", OVERWRITES),
        (backward_itself, "raised RuntimeError", ""),
        (lambda x: torch.relu(x.data) ** 2 + x - x.data, ": entry (0, 0) should be ", ""),
    ],
)
def test_squared_relu_without_the_gradient(answer: Answer, words: str, hint: str) -> None:
    outcome(gpt.squared_relu(answer), "where x requires a gradient", words, hint=hint)
