"""The checks of chapter 4's normalizations: known mistakes, and what is ruled out."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome
from torch import nn

from zerotohero.check import batchnorm
from zerotohero.layers import BatchNorm1d, GroupNorm, LayerNorm, RMSNorm

Answer = Callable[..., Any]
T = torch.Tensor


# -- exercises on norms: BatchNorm, GroupNorm -----------------------------------------------


def along(dim: Any, correction: int = 0) -> Answer:
    """Return a normalization over a dimension, or several."""

    def answer(x: T, gamma: T, beta: T, eps: float) -> T:
        var = x.var(dim, correction=correction, keepdim=True)
        return gamma * (x - x.mean(dim, keepdim=True)) / torch.sqrt(var + eps) + beta

    return answer


def with_mistake(name: str, dim: int) -> Answer:
    """Return a normalization over the right dimension with a mistake."""

    def answer(x: T, gamma: T, beta: T, eps: float) -> T:
        centered = x - x.mean(dim, keepdim=True)
        var = centered.square().mean(dim, keepdim=True)
        std, square = x.std(dim, keepdim=True), x.square().mean(dim, keepdim=True)
        xhat = centered / (var + eps).sqrt()
        return {
            "of the lecture": lambda: gamma * centered / std + beta,
            "eps beside a wrong std": lambda: gamma * centered / (std + eps) + beta,
            "eps outside": lambda: gamma * centered / (var.sqrt() + eps) + beta,
            "no eps": lambda: gamma * centered / var.sqrt() + beta,
            "no root": lambda: gamma * centered / (var + eps) + beta,
            "only xhat": lambda: xhat,
            "no beta": lambda: gamma * xhat,
            "no gamma": lambda: xhat + beta,
            "beta first": lambda: gamma * (xhat + beta),
            "swapped": lambda: beta * xhat + gamma,
            "mean square": lambda: gamma * centered / (square + eps).sqrt() + beta,
            "neither": lambda: gamma * x / (square + eps).sqrt() + beta,
            "minus beta": lambda: gamma * xhat - beta,
            "not centered": lambda: gamma * x / (var + eps).sqrt() + beta,
            "times": lambda: gamma * centered * (var + eps).sqrt() + beta,
            "no numbers": lambda: xhat * math.nan,
            "complex": lambda: xhat + 0j,
            "turned": lambda: (gamma * xhat + beta).mT,
            "with more": lambda: (gamma * xhat + beta, var),
        }[name]()

    return answer


def overwrites(dim: int) -> Answer:
    """Return a right normalization that works on what it is given."""

    def answer(x: T, gamma: T, beta: T, eps: float) -> T:
        x -= x.mean(dim, keepdim=True)
        x /= (x.square().mean(dim, keepdim=True) + eps).sqrt_()
        return x * gamma + beta

    return answer


def with_layer(make: Answer) -> Answer:
    def answer(x: T, gamma: T, beta: T, eps: float) -> T:
        layer = make(x.shape[-1], eps=eps)
        layer.gamma, layer.beta = gamma, beta
        return layer(x)

    return answer


def by_batch_norm_update_stats(x: T, gamma: T, beta: T, eps: float) -> T:
    mean, unbiased = torch.batch_norm_update_stats(x, beta.clone(), gamma.clone(), 1.0)
    return gamma * (x - mean) / torch.sqrt(unbiased * (1 - 1 / len(x)) + eps) + beta


def by_torch_batch_norm(x: T, gamma: T, beta: T, eps: float) -> T:
    layer = nn.BatchNorm1d(len(gamma), eps=eps)
    layer.weight, layer.bias = nn.Parameter(gamma), nn.Parameter(beta)
    return layer(x)


BY_HAND = (
    "Write the formula out, with means and variances. Ready-made normalization is not allowed."
)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (with_layer(BatchNorm1d), "BatchNorm1d"),
        (by_torch_batch_norm, "batch_norm"),
        (lambda x, g, b, eps: F.batch_norm(x, None, None, g, b, True, eps=eps), "batch_norm"),
        (lambda x, g, b, eps: torch.batch_norm(x, g, b, None, None, True, 0, eps, False), "batch_"),
        (lambda x, g, b, eps: g * F.layer_norm(x.T, x.shape[:1], eps=eps).T + b, "layer_norm"),
        (lambda x, g, b, eps: g * nn.LayerNorm(len(x), eps=eps)(x.T).T + b, "layer_norm"),
        (
            lambda x, g, b, eps: torch.native_batch_norm(x, g, b, None, None, True, 0.1, eps)[0],
            "native_batch_norm",
        ),
        (lambda x, g, b, eps: g * LayerNorm(len(x), eps)(x.T).T + b, "LayerNorm"),
        (by_batch_norm_update_stats, "batch_norm_update_stats"),
        (
            lambda x, g, b, eps: torch.ops.aten.native_batch_norm.default(
                x, g, b, None, None, True, 0.1, eps
            )[0],
            "native_batch_norm",
        ),
        (
            lambda x, g, b, eps: torch.ops.aten._native_batch_norm_legit(
                x, g, b, torch.zeros_like(g), torch.ones_like(g), True, 0.1, eps
            )[0],
            "native_batch_norm_legit",
        ),
        (
            lambda x, g, b, eps: torch._batch_norm_impl_index(
                x, g, b, None, None, True, 0.1, eps, False
            )[0],
            "batch_norm_impl_index",
        ),
    ],
)
def test_normalize_by_hand(answer: Answer, name: str) -> None:
    outcome(batchnorm.normalize(answer), f"{name}", "is ruled out in this exercise.", hint=BY_HAND)


def in_groups(answer: Answer, shape: str = "groups first") -> Answer:
    """Turn a normalization ``(x, gamma, beta, eps)`` into one of groups."""

    def grouped(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> T:
        apart = (num_groups, -1) if shape == "groups first" else (-1, num_groups)
        split = [tensor.unflatten(-1, apart) for tensor in (x, gamma, beta)]
        out = answer(*split, eps)
        return out.flatten(-2) if isinstance(out, T) else out

    return grouped


def without_groups(answer: Answer) -> Answer:
    return lambda x, num_groups, *args: answer(x, *args)


def with_group_layer(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> T:
    layer = GroupNorm(num_groups, len(gamma), eps=eps)
    layer.gamma, layer.beta = gamma, beta
    return layer(x)


def by_torch_group_norm(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> T:
    flat = F.group_norm(x.reshape(-1, len(gamma)), num_groups, gamma, beta, eps)
    return flat.view(x.shape)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (with_group_layer, "GroupNorm"),
        (by_torch_group_norm, "group_norm"),
        (
            lambda x, n, *args: torch.ops.aten.group_norm.default(x, n, *args),
            "group_norm",
        ),
        (in_groups(lambda x, g, b, eps: F.layer_norm(x, x.shape[-1:], eps=eps)), "layer_norm"),
        (in_groups(lambda x, g, b, eps: nn.RMSNorm(x.shape[-1:])(x)), "rms_norm"),
        (in_groups(lambda x, g, b, eps: RMSNorm(x.shape[-1])(x)), "RMSNorm"),
    ],
)
def test_groupnorm_by_hand(answer: Answer, name: str) -> None:
    outcome(batchnorm.groupnorm(answer), name, "is ruled out in this exercise.", hint=BY_HAND)


def test_the_layers_work_again_after_a_check() -> None:
    assert not batchnorm.normalize(with_layer(BatchNorm1d))
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(BatchNorm1d(3)(x), F.batch_norm(x, None, None, training=True), atol=1e-6)


ONE_LESS = "Divide the sum of squares by the count, not by one less: correction=0."


@pytest.mark.parametrize("name", ["normalize", "groupnorm"])
@pytest.mark.parametrize(
    ("mistake", "words", "hint"),
    [
        ("of the lecture", ["entry (0, 0", "should be", "received"], ONE_LESS),
        ("eps beside a wrong std", ["differ)"], ONE_LESS),
        ("eps outside", ["differ)"], "eps belongs under the root, next to the variance."),
        ("no eps", ["differ)"], "eps goes unused."),
        ("no root", ["differ)"], "Divide by the root of the variance."),
        ("only xhat", ["differ)"], "gamma and beta go unused."),
        ("no beta", ["differ)"], "beta goes unused."),
        ("no gamma", ["differ)"], "gamma goes unused."),
        ("beta first", ["differ)"], "First times gamma, then plus beta."),
        ("swapped", ["differ)"], "gamma and beta are swapped: gamma scales, beta shifts."),
        (
            "mean square",
            ["differ)"],
            "The variance is the mean square of the deviations from the mean, not of x.",
        ),
        ("not centered", ["differ)"], "Subtract the mean from x first."),
        ("neither", ["differ)"], "Subtract the mean from x first."),
        ("minus beta", ["differ)"], ""),
        ("times", ["differ)"], ""),
        ("no numbers", ["received nan"], ""),
        ("complex", ["should hold real numbers"], ""),
        ("turned", ["should have shape"], ""),
        ("with more", ["should be a tensor, received (tensor("], ""),
    ],
)
def test_a_mistake_in_normalizing(name: str, mistake: str, words: list[str], hint: str) -> None:
    if name == "normalize":
        verdict = batchnorm.normalize(with_mistake(mistake, 0))
        words = [*words, "normalize(x, gamma, beta, "]
    else:
        verdict = batchnorm.groupnorm(in_groups(with_mistake(mistake, -1)))
        words = [*words, "groupnorm(x, 2, gamma, beta, "]
    if mistake == "turned" and name == "groupnorm":
        words = ["received"]
    outcome(verdict, "x of shape (", *words, hint=hint)


def test_the_unbiased_variance_with_the_right_eps() -> None:
    outcome(batchnorm.normalize(along(0, 1)), "0.1), x of shape (8, 5)", hint=ONE_LESS)
    shown = "0.1), x of shape (4, 10)"
    outcome(batchnorm.groupnorm(in_groups(along(-1, 1))), shown, hint=ONE_LESS)


TYPED_IN = "eps is an argument. Use it in place of a number that is typed in."


@pytest.mark.parametrize("number", [1e-5, 1e-8, 1e-6, 1e-3])
def test_an_eps_of_its_own(number: float) -> None:
    wrong = batchnorm.normalize(lambda *args: along(0)(*args[:3], number))
    outcome(wrong, "normalize(x, gamma, beta, 0.1), x of shape (8, 5)", hint=TYPED_IN)
    wrong = batchnorm.groupnorm(in_groups(lambda *args: along(-1)(*args[:3], number)))
    outcome(wrong, "x of shape (4, 10)", hint=TYPED_IN)


def test_the_first_eps_for_all() -> None:
    wrong = batchnorm.normalize(lambda *args: along(0)(*args[:3], 0.1))
    outcome(wrong, "normalize(x, gamma, beta, 0.5), x of shape (3, 4)")


CHANGED = "+=, an index on the left of =, and methods that end in _ change the tensor itself."


def test_what_is_given_is_kept() -> None:
    outcome(batchnorm.normalize(overwrites(0)), "changed x, which it was given.", hint=CHANGED)
    wrong = batchnorm.groupnorm(in_groups(overwrites(-1)))
    outcome(wrong, "changed x, which it was given.", hint=CHANGED)


COLUMNS = "Each column is normalized over the examples: dim 0."


@pytest.mark.parametrize("correction", [0, 1])
def test_normalize_over_another_dimension(correction: int) -> None:
    where = "normalize(x, gamma, beta, 0.1), x of shape (8, 5): entry (0, 0)"
    for dim in (1, (0, 1)):
        outcome(batchnorm.normalize(along(dim, correction)), where, hint=COLUMNS)


def test_normalize_right_for_one_shape_only() -> None:
    def of_eight(x: T, gamma: T, beta: T, eps: float) -> T:
        centered = x - x.sum(0) / 8
        return gamma * centered / (centered.square().sum(0) / 8 + eps).sqrt() + beta

    outcome(batchnorm.normalize(of_eight), "0.5), x of shape (3, 4): entry (0, 0)")
    outcome(batchnorm.normalize(lambda x, *args: along(0)(x[:3], *args)), "received (3, 5)")
    outcome(batchnorm.normalize(lambda x, gamma, *_: x - x.mean(1)), "raised RuntimeError")


def fixed(change: Callable[[T], T]) -> Answer:
    """Return a normalization whose result is changed."""
    return lambda x, *args: change(along(0)(x, *args))


def in_a_group(where: Callable[[T, int], bool], otherwise: Answer) -> Answer:
    """Return a GroupNorm that does something else in some cases."""

    def answer(x: T, num_groups: int, *args: Any) -> T:
        change = where(x, num_groups)
        return (otherwise if change else in_groups(along(-1)))(x, num_groups, *args)

    return answer


def of_two_raises(x: T, *args: Any) -> T:
    if len(x) <= 2:
        raise ValueError("too few")
    return along(0)(x, *args)


def first_columns(x: T, gamma: T, beta: T, eps: float) -> T:
    out = x.clone()
    out[:, :10] = along(0)(x[:, :10], gamma[:10], beta[:10], eps)
    return out


def with_known_averages() -> Answer:
    known: dict[Any, tuple[T, T]] = {}

    def answer(x: T, gamma: T, beta: T, eps: float) -> T:
        mean, var = known.setdefault(x.shape, (x.mean(0), x.var(0, correction=0)))
        return gamma * (x - mean) / torch.sqrt(var + eps) + beta

    return answer


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (of_two_raises, "0.05), x of shape (2, 3) raised ValueError: too few"),
        (
            lambda x, g, b, eps: x * g + b if len(x) == 2 else along(0)(x, g, b, eps),
            "0.05), x of shape (2, 3)",
        ),
        (lambda x, *args: along(0, int(len(x) <= 2))(x, *args), "0.05), x of shape (2, 3)"),
        (fixed(torch.squeeze), "should have shape (6, 1), received (6,)"),
        (with_known_averages(), "0.3), x of shape (3, 4): entry (0, 0)"),
        (first_columns, "x of shape (4, 12): entry (0, 10)"),
        (lambda x, g, b, eps: along(0)(x, g, b, max(eps, 1e-2)), "1e-05), x of shape (4, 12)"),
    ],
)
def test_normalize_right_but_for_a_few_inputs(answer: Answer, shown: str) -> None:
    outcome(batchnorm.normalize(answer), shown)


CONSTANT = "In a constant column, x minus the mean is zero. Only beta is left."


@pytest.mark.parametrize("kept", [lambda x: x, torch.zeros_like, lambda x: x * math.nan])
def test_normalize_constant_columns(kept: Callable[[T], T]) -> None:
    def answer(x: T, *args: Any) -> T:
        return torch.where(x.var(0) < 1e-12, kept(x), along(0)(x, *args))

    outcome(batchnorm.normalize(answer), "(5, 3) with a constant column: entry", hint=CONSTANT)

    def only_for_all(x: T, *args: Any) -> T:
        return kept(x) if (x == x[0]).all() else along(0)(x, *args)

    outcome(batchnorm.normalize(only_for_all), "with constant columns: entry", hint=CONSTANT)


def test_normalize_refuses_constant_columns() -> None:
    def answer(x: T, *args: Any) -> T:
        if (x == x[0]).all():
            raise ValueError("nothing varies")
        return along(0)(x, *args)

    outcome(batchnorm.normalize(answer), "(5, 3) with constant columns raised ValueError")


def of_squares(dim: int) -> Answer:
    def answer(x: T, gamma: T, beta: T, eps: float) -> T:
        mean = x.mean(dim, keepdim=True)
        var = x.square().mean(dim, keepdim=True) - mean.square()
        return gamma * (x - mean) / torch.sqrt(var + eps) + beta

    return answer


def test_the_variance_loses_digits() -> None:
    hint = "E[x²] − mean² loses digits when the mean is large: subtract the mean first."
    outcome(batchnorm.normalize(of_squares(0)), "(8, 5) with means near 1000", hint=hint)
    wrong = batchnorm.groupnorm(in_groups(of_squares(-1)))
    outcome(wrong, "(3, 2, 8) with means near 1000", hint=hint)


def around(shift: Answer) -> Answer:
    """Return running averages with E[y²] − mean², of y = x less something."""

    def answer(running_mean: T, running_var: T, x: T, momentum: float) -> tuple[T, T]:
        n, y = len(x), x - shift(running_mean, x)
        var = (y.square().mean(0) - y.mean(0).square()) * n / (n - 1)
        mean = (1 - momentum) * running_mean + momentum * x.mean(0)
        return mean, (1 - momentum) * running_var + momentum * var

    return answer


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (lambda mean, x: 0, "x of shape (6, 4) near 1000"),
        (lambda mean, x: mean, "x of shape (7, 3) near 1000, an old mean of zeros"),
        (lambda mean, x: x.mean(), "x of shape (9, 5) with columns between -1000 and 1000"),
        (lambda mean, x: x[0, 0], "x of shape (9, 5) with columns between -1000 and 1000"),
    ],
)
def test_the_running_variance_loses_digits(shift: Answer, words: str) -> None:
    hint = "E[x²] − mean² loses digits when the mean is large: subtract the mean first."
    outcome(batchnorm.running(around(shift)), "The variance of running(", words, hint=hint)


@pytest.mark.parametrize("shift", [lambda mean, x: x[0], lambda mean, x: x.mean(0)])
def test_the_running_variance_keeps_digits(shift: Answer) -> None:
    verdict = batchnorm.running(around(shift))
    assert verdict, verdict


def bounded(dim: int, bound: Answer) -> Answer:
    """Return a norm with bounds for the variance, or for eps."""

    def answer(x: T, gamma: T, beta: T, eps: float) -> T:
        var = x.var(dim, correction=0, keepdim=True)
        return gamma * (x - x.mean(dim, keepdim=True)) / torch.sqrt(bound(var, eps)) + beta

    return answer


@pytest.mark.parametrize(
    ("bound", "eps"),
    [
        (lambda var, eps: var + max(eps, 1e-5), "1e-08"),
        (lambda var, eps: var + max(eps, 1e-6), "1e-08"),
        (lambda var, eps: var.clamp(min=1e-6) + eps, "1e-08"),
        (lambda var, eps: (var + eps).clamp(min=1e-6), "1e-08"),
        (lambda var, eps: var + min(eps, 1), "3.0"),
    ],
)
def test_any_positive_eps(bound: Answer, eps: str) -> None:
    hint = "eps is any positive number. Put no bounds on it, nor on the variance."
    outcome(batchnorm.normalize(bounded(0, bound)), f"normalize(x, gamma, beta, {eps})", hint=hint)
    grouped = batchnorm.groupnorm(in_groups(bounded(-1, bound)))
    outcome(grouped, f"groupnorm(x, 2, gamma, beta, {eps})", hint=hint)


@pytest.mark.parametrize("size", [True, False])
def test_groupnorm_with_a_typed_in_number(size: bool) -> None:
    """A size of 3, and 4 groups, are not the swapped shape."""

    def answer(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> T:
        xs = x.split(3, -1) if size else x.chunk(4, -1)
        one, zero = torch.ones(()), torch.zeros(())
        return torch.cat([along(-1)(part, one, zero, eps) for part in xs], -1) * gamma + beta

    outcome(batchnorm.groupnorm(answer), "groupnorm(x, 2, gamma, beta, 0.1), x of shape (4, 10)")


def all_but_the_last(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> T:
    out, size = x.clone(), x.shape[-1] // num_groups
    for i in range(0, x.shape[-1] - 1, size):
        part = slice(i, i + size)
        out[..., part] = along(-1)(x[..., part], gamma[part], beta[part], eps)
    return out


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (
            in_a_group(lambda x, n: n == 1, lambda x, n, g, b, eps: x * g + b),
            "groupnorm(x, 1, gamma, beta, 0.05), x of shape (3, 8)",
        ),
        (lambda x, n, *args: in_groups(along(-1))(x, max(n, 2), *args), "x of shape (3, 8)"),
        (
            lambda x, n, *args: in_groups(along(-1))(x, min(n, max(1, x.shape[-1] // 2)), *args),
            "groupnorm(x, 5, gamma, beta, 0.2), x of shape (2, 5)",
        ),
        (all_but_the_last, "groupnorm(x, 5, gamma, beta, 0.2), x of shape (2, 5): entry (0, 4)"),
        (
            lambda *args: in_groups(along(-1))(*args).squeeze(),
            "x of shape (1, 6) should have shape (1, 6), received (6,)",
        ),
        (
            in_a_group(lambda x, n: len(x) == 1, lambda x, n, g, b, eps: x * g + b),
            "groupnorm(x, 3, gamma, beta, 0.3), x of shape (1, 6)",
        ),
        (
            lambda *args: in_groups(along(-1))(*args[:4], max(args[4], 1e-2)),
            "1e-05), x of shape (6, 10)",
        ),
    ],
)
def test_groupnorm_right_but_for_a_few_inputs(answer: Answer, shown: str) -> None:
    outcome(batchnorm.groupnorm(answer), shown)


def test_groupnorm_with_known_averages() -> None:
    known: dict[Any, tuple[T, T]] = {}

    def of_groups(x: T, gamma: T, beta: T, eps: float) -> T:
        new = x.mean(-1, keepdim=True), x.var(-1, correction=0, keepdim=True)
        mean, var = known.setdefault(x.shape, new)
        return gamma * (x - mean) / torch.sqrt(var + eps) + beta

    where = "groupnorm(x, 2, gamma, beta, 0.01), x of shape (4, 10): entry (0, 0)"
    outcome(batchnorm.groupnorm(in_groups(of_groups)), where)


LAYER_NORM = "That is a LayerNorm: it takes all features at once, not each group by itself."
ITSELF = "Each example is normalized by itself."
SWAPPED = "The shape is (..., num_groups, C / num_groups), not the other way round."
NEIGHBORS = "Neighbors form a group: of 6 features in 2 groups, the first three."
POSITIONS = "Each position of a text is normalized by itself: no mean over T."
VIEWED = "In view(x.shape[0], num_groups, -1), a group holds several positions. Keep B and T."
LAST = "Mean and variance are over the features of a group, the last dimension."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (without_groups(along(-1)), LAYER_NORM),
        (without_groups(along(-1, 1)), LAYER_NORM),
        (without_groups(along(0)), ITSELF),
        (without_groups(along(0, 1)), ITSELF),
        (lambda x, n, *args: along(tuple(range(x.ndim)))(x, *args), ITSELF),
        (in_groups(along(-1), "groups last"), SWAPPED),
        (in_groups(along(-2), "groups last"), NEIGHBORS),
        (in_groups(along(-2)), LAST),
    ],
)
def test_groupnorm_over_other_features(answer: Answer, hint: str) -> None:
    where = "groupnorm(x, 2, gamma, beta, 0.1), x of shape (4, 10): entry (0, 0)"
    outcome(batchnorm.groupnorm(answer), where, hint=hint)

    def in_three_dimensions(x: T, *args: Any) -> T:  # right for the other shapes
        return answer(x, *args) if x.ndim == 3 else in_groups(along(-1))(x, *args)

    outcome(batchnorm.groupnorm(in_three_dimensions), "(2, 3, 12): entry (0, 0, 0)", hint=hint)


def test_groupnorm_right_for_one_shape_only() -> None:
    def of_two(x: T, num_groups: int, *args: Any) -> T:
        return in_groups(along(-1))(x, 2, *args)

    outcome(batchnorm.groupnorm(of_two), "groupnorm(x, 4, gamma, beta, 0.5), x of shape (2, 3")

    def never_three(x: T, num_groups: int, *args: Any) -> T:
        return in_groups(along(-1))(x, 2 if num_groups == 3 else num_groups, *args)

    outcome(batchnorm.groupnorm(never_three), "groupnorm(x, 3, ", "x of shape (5, 12): entry")

    flat = batchnorm.groupnorm(
        lambda x, *args: in_groups(along(-1))(x.reshape(-1, x.shape[-1]), *args)
    )
    outcome(flat, "should have shape (2, 3, 12), received (6, 12)")


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("view", ["view", "reshape"])
def test_groupnorm_of_several_positions(correction: int, view: str) -> None:
    """The likeliest mistake: right for (N, C), and for (B, T, C) positions are mixed."""

    def viewed(x: T, num_groups: int, gamma: T, beta: T, eps: float) -> T:
        groups = getattr(x, view)(x.shape[0], num_groups, -1)
        if x.ndim == 2:  # else the unbiased variance is found there
            return in_groups(along(-1))(x, num_groups, gamma, beta, eps)
        one, zero = torch.ones(()), torch.zeros(())
        return along(-1, correction)(groups, one, zero, eps).view(x.shape) * gamma + beta

    where = "groupnorm(x, 4, gamma, beta, 0.5), x of shape (2, 3, 12): entry (0, 0, 0)"
    outcome(batchnorm.groupnorm(viewed), where, hint=VIEWED)

    def over_positions(x: T, *args: Any) -> T:
        return in_groups(along((1, -1) if x.ndim == 3 else -1))(x, *args)

    outcome(batchnorm.groupnorm(over_positions), where, hint=POSITIONS)


@pytest.mark.parametrize("dims", [(0, -1), (0, 1, -1)])
def test_groupnorm_over_examples(dims: tuple[int, ...]) -> None:
    def over_examples(x: T, *args: Any) -> T:
        return in_groups(along(dims if x.ndim == 3 else -1))(x, *args)

    outcome(batchnorm.groupnorm(over_examples), "(2, 3, 12): entry (0, 0, 0)", hint=ITSELF)
    outcome(batchnorm.groupnorm(in_groups(along((0, -1)))), "(4, 10): entry (0, 0)", hint=ITSELF)
