"""The checks of chapter 6's levels and convolutions: known mistakes, and the hint for each."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from check_answers import outcome
from torch import nn

from zerotohero.check import running, wavenet

Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("embedded_names")


# -- neighbors side by side ----------------------------------------------------------------


def grouped(x: torch.Tensor, n: int) -> torch.Tensor:
    return x.reshape(len(x), x.shape[1] // n, n * x.shape[2])


def dropped(x: torch.Tensor) -> torch.Tensor:
    """Drop the dimension of positions if one is left."""
    return x[:, 0] if x.shape[1] == 1 else x


N_GROUPS = "n is how many positions come together, not how many groups there are."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            grouped,
            ["flatten(x, 4), x of shape (3, 4, 2)", "shape (3, 8), received (3, 1, 8)"],
            "If one position is left, drop its dimension.",
        ),
        (
            lambda x, n: grouped(x, n).squeeze(),
            ["x of shape (1, 12, 2)", "shape (1, 4, 6), received (4, 6)"],
            "squeeze() drops every dimension of size 1. Name the one you mean.",
        ),
        (
            lambda x, n: dropped(torch.cat(x.chunk(n, 1), -1)),
            ["x of shape (2, 6, 3)", "entry (0, 0, 3)"],
            "Join neighbors, not positions that are far apart.",
        ),
        (
            lambda x, n: dropped(grouped(x, n).unflatten(-1, (n, -1)).mT.flatten(2)),
            ["x of shape (2, 6, 3)", "entry (0, 0, 1)"],
            "First all of one position, then all of the next.",
        ),
        (
            lambda x, n: dropped(torch.cat([x[:, i::n] for i in reversed(range(n))], 2)),
            ["x of shape (2, 6, 3)", "entry (0, 0, 0)"],
            "The neighbors keep their order: the oldest comes first.",
        ),
        (lambda x, n: x.view(len(x), n, -1), ["shape (2, 3, 6), received (2, 2, 9)"], N_GROUPS),
        (
            lambda x, n: x.flatten(1),
            ["shape (2, 3, 6), received (2, 18)"],
            "Join n positions at a time, not all of them.",
        ),
        (
            lambda x, n: dropped(x.unfold(1, n, 1).mT.flatten(2)),
            ["shape (2, 3, 6), received (2, 5, 6)"],
            "The groups don't overlap: each position is in one of them.",
        ),
        (lambda x, n: dropped(grouped(x, n)) + 1, ["entry (0, 0, 0)"], ""),
        (lambda x, n: dropped(grouped(x, 2)), ["x of shape (1, 12, 2)", "(1, 4, 6)"], ""),
    ],
)
def test_flatten_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(wavenet.flatten(answer), *words, hint=hint)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, n: grouped(x, n) if n == 1 else dropped(grouped(x, n)), "x of shape (3, 1, 4)"),
        (lambda x, n: dropped(grouped(x, n)).squeeze(-1), "x of shape (2, 5, 1)"),
    ],
)
def test_flatten_wrong_where_there_is_nothing_to_join(answer: Answer, words: str) -> None:
    verdict = wavenet.flatten(answer)
    outcome(verdict, f"flatten(x, 1), {words}", hint=verdict.hint)


# -- BatchNorm over examples and positions -------------------------------------------------


def normalized(
    dims: Any = (0, 1), correction: int = 0, outside: float = 0, inside: float = 1
) -> Answer:
    def answer(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
        mean = x.mean(dims, keepdim=True)
        var = x.var(dims, correction=correction, keepdim=True)
        root = torch.sqrt(var + inside * eps) + outside * eps
        return gamma * (x - mean) / root + beta

    return answer


@pytest.mark.parametrize(
    ("dims", "correction", "hint"),
    [
        (0, 0, "That is the lecture's bug: each position has statistics of its own."),
        (1, 0, "The examples of a batch belong together: dim 0, too."),
        ((0, 1, 2), 0, "Each feature has its own mean: not over the last dimension."),
        (2, 0, "That is a LayerNorm. Features are not mixed with each other."),
        ((0, 1), 1, "Divide by the number of values: correction=0."),
        ((0, 2), 0, ""),
    ],
)
def test_normalize_wrong(dims: Any, correction: int, hint: str) -> None:
    outcome(wavenet.normalize(normalized(dims, correction)), "x of shape (5, 3, 4)", hint=hint)


def without_root(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
    return gamma * (x - x.mean((0, 1))) / (x.var((0, 1), correction=0) + eps) + beta


def with_std(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
    return gamma * (x - x.mean((0, 1))) / (x.std((0, 1)) + eps) + beta


def without_mean(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
    return gamma * x / (x.var((0, 1), correction=0) + eps).sqrt() + beta


OUTSIDE = "eps belongs inside the root: it is added to the variance."
NO_EPS = "eps is missing, or it is not the one that was passed. It is added to the variance."
STD = (
    "std divides by one less than the number of values, and eps belongs inside "
    "the root: it is added to the variance."
)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (without_root, "Divide by the square root of the variance plus eps."),
        (with_std, STD),
        (normalized(outside=1, inside=0), OUTSIDE),
        (normalized(inside=0), NO_EPS),
        (lambda x, gamma, beta, eps: normalized()(x, gamma, beta, 1e-5), NO_EPS),
        (
            lambda x, gamma, beta, eps: normalized()(x, 1, beta, eps),
            "gamma is missing: it multiplies every feature.",
        ),
        (
            lambda x, gamma, beta, eps: normalized()(x, gamma, 0, eps),
            "beta is missing: it is added in the end.",
        ),
        (lambda x, gamma, beta, eps: normalized()(x, 1, 0, eps), "gamma and beta are missing."),
        (
            lambda x, gamma, beta, eps: normalized()(x, beta, gamma, eps),
            "gamma multiplies, and beta is added.",
        ),
        (without_mean, "The mean is to be subtracted before the division."),
        (normalized(inside=2), ""),
        (normalized(outside=1), ""),
    ],
)
def test_normalize_with_a_mistake_in_the_formula(answer: Answer, hint: str) -> None:
    outcome(wavenet.normalize(answer), "normalize(x, gamma, beta, 0.01)", hint=hint)


def test_normalize_with_an_epsilon_of_its_own() -> None:
    def answer(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
        return normalized()(x, gamma, beta, 0.01)

    outcome(wavenet.normalize(answer), "normalize(x, gamma, beta, 0.5)")


@pytest.mark.parametrize("size", [(1, 5, 3), (6, 1, 2), (4, 3, 1)])
def test_normalize_keeps_dimensions_of_size_1(size: tuple[int, ...]) -> None:
    def answer(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
        right = normalized()(x, gamma, beta, eps)
        return right.squeeze() if x.shape == size else right

    hint = "The result has the shape of x: all dimensions stay."
    outcome(wavenet.normalize(answer), f"x of shape {size}", hint=hint)


def test_normalize_with_as_many_positions_as_features() -> None:
    def answer(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
        return normalized()(x, gamma, beta, eps) if x.shape[1] != x.shape[2] else x

    outcome(wavenet.normalize(answer), "x of shape (3, 4, 4)")


def test_an_import_inside_an_answer_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SECONDS", 0.2)

    def answer(x: torch.Tensor, n: int) -> torch.Tensor:
        if n == 4:
            time.sleep(0.3)
        return dropped(grouped(x, n))

    assert wavenet.flatten(answer)


def test_normalize_where_the_variance_loses_digits() -> None:
    def answer(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
        mean = x.mean((0, 1))
        var = (x**2).mean((0, 1)) - mean**2
        return gamma * (x - mean) / (var + eps).sqrt() + beta

    hint = "E[x²] − mean² loses digits when the mean is large: subtract the mean first."
    outcome(wavenet.normalize(answer), "x of shape (4, 5, 6) with means near 1000", hint=hint)


def test_normalize_never_gets_a_single_position_of_a_single_example() -> None:
    def answer(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
        flat = nn.functional.batch_norm(x.flatten(0, 1), None, None, gamma, beta, True, eps=eps)
        return flat.view_as(x)

    with pytest.raises(ValueError, match="more than 1 value per channel"):
        answer(torch.zeros(1, 1, 3), torch.ones(3), torch.zeros(3), 0.1)
    assert wavenet.normalize(answer)


def test_normalize_changes_nothing() -> None:
    def answer(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
        x -= x.mean((0, 1))
        return gamma * x / (x.var((0, 1), correction=0) + eps).sqrt() + beta

    hint = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
    outcome(wavenet.normalize(answer), "changed x, which it was given", hint=hint)


# -- the dilated convolution ---------------------------------------------------------------


def convolved(x: torch.Tensor, weight: torch.Tensor, d: int) -> torch.Tensor:
    return torch.cat([x[:, :-d], x[:, d:]], 2) @ weight


def swapped(x: torch.Tensor, weight: torch.Tensor, d: int) -> torch.Tensor:
    return convolved(x, weight.roll(x.shape[2], 0), d)


def interleaved(x: torch.Tensor, weight: torch.Tensor, d: int) -> torch.Tensor:
    return x[:, :-d] @ weight[::2] + x[:, d:] @ weight[1::2]


def rolled(x: torch.Tensor, weight: torch.Tensor, d: int) -> torch.Tensor:
    return torch.cat([x.roll(d, 1), x], 2) @ weight


def rolled_ahead(x: torch.Tensor, weight: torch.Tensor, d: int) -> torch.Tensor:
    return torch.cat([x, x.roll(-d, 1)], 2) @ weight


def zeros(x: torch.Tensor, dilation: int) -> torch.Tensor:
    return torch.zeros(len(x), dilation, x.shape[2])


def kernel(weight: torch.Tensor, C: int) -> torch.Tensor:
    """Return the weight as ``conv1d`` wants it."""
    return weight.view(2, C, -1).permute(2, 1, 0)


ROLLED = "roll brings the last positions to the front. Begin where both positions exist."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (swapped, "The first half of the weight belongs to the older position."),
        (interleaved, "The upper half of the weight is its first C rows, not every second one."),
        (lambda x, w, d: convolved(x, w, 1), "The two positions are dilation apart."),
        (
            lambda x, w, d: convolved(torch.cat([zeros(x, d), x], 1), w, d),
            "No zeros in front: begin where both positions exist.",
        ),
        (
            lambda x, w, d: torch.cat([y := convolved(x, w, d), zeros(y, d)], 1),
            "No zeros at the end: the output is shorter than the input.",
        ),
        (rolled, ROLLED),
        (rolled_ahead, ROLLED),
        (lambda x, w, d: x[:, d:] @ w[x.shape[2] :], "The older position is missing."),
        (lambda x, w, d: x[:, :-d] @ w[: x.shape[2]], "The newer position is missing."),
        (lambda x, w, d: convolved(x, w, d).mT, "PyTorch's convolution returns (B, F, T)."),
        (
            lambda x, w, d: nn.functional.conv1d(x.mT, kernel(w, x.shape[2]), dilation=d),
            "PyTorch's convolution returns (B, F, T).",
        ),
        (lambda x, w, d: 2 * convolved(x, w, d), ""),
    ],
)
def test_dilated_wrong(answer: Answer, hint: str) -> None:
    words = "dilated(x, weight, 2), x of shape (2, 7, 3)"
    outcome(wavenet.dilated(answer), words, hint=hint)


def test_dilated_without_the_dimension_of_a_single_example() -> None:
    outcome(
        wavenet.dilated(lambda x, w, d: convolved(x, w, d).squeeze()),
        "x of shape (1, 6, 2)",
        "shape (1, 5, 7), received (5, 7)",
        hint="squeeze() drops every dimension of size 1. Name the one you mean.",
    )


def test_dilated_with_a_table_of_dilations_up_to_4() -> None:
    outcome(
        wavenet.dilated(lambda x, w, d: convolved(x, w, min(d, 4))),
        "dilated(x, weight, 8), x of shape (2, 11, 3)",
    )


def test_dilated_with_a_layer_of_its_own_weight() -> None:
    def answer(x: torch.Tensor, weight: torch.Tensor, d: int) -> torch.Tensor:
        C, width = x.shape[2], weight.shape[1]
        return nn.Conv1d(C, width, 2, dilation=d, bias=False)(x.mT).mT

    outcome(wavenet.dilated(answer), "dilated(x, weight, 2)")
