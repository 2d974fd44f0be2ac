"""The checks of chapter 4's gain and running averages: right answers, and known mistakes."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.check import batchnorm
from zerotohero.layers import BatchNorm1d

Answer = Callable[..., Any]
Pair = tuple[torch.Tensor, torch.Tensor]


# -- the gain --------------------------------------------------------------------------


def right_gain(f: Answer, z: torch.Tensor) -> torch.Tensor:
    return f(z).square().mean().rsqrt()


SHRINKS = "That is how much f shrinks. The gain makes up for it."
SQUARE = "The mean square, not the variance: E[x²] has to be 1."
TABLE = "5/3 comes from PyTorch's table. Compute the gain from f and z."


ROOT_TWO = "√2 is the gain for ReLU. Compute it from f and z."
SQUARED = "A factor g changes the mean square by g²."


def slope_at_zero(f: Answer) -> float:
    """Return 0.5 for relu, half way between its two slopes, and so 1 over its mean square."""
    step = torch.tensor(1e-3)
    return round(((f(step) - f(-step)) / (2 * step)).item(), 3)


@pytest.mark.parametrize(
    "answer",
    [
        lambda f, z: f(z),
        lambda f, z: f(z)[:2].tolist(),
        lambda f, z: (right_gain(f, z), f(z).mean()),
        lambda f, z: (right_gain(f, z),),
        lambda f, z: str(right_gain(f, z).item()),
        lambda f, z: {"gain": right_gain(f, z)},
    ],
)
def test_gain_returns_no_number(answer: Answer) -> None:
    outcome(batchnorm.gain(answer), "gain(tanh, z) should return one number, received ")


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (lambda f, z: 1 / f(z).std(), ["gain(relu, z) should be near 1.41", "(1.71"], SQUARE),
        (lambda f, z: 1 / f(z).std(correction=0).item(), ["received 1.71"], SQUARE),
        (lambda f, z: z.std() / f(z).std(), ["near 1.41", "received tensor(1.71"], SQUARE),
        (lambda f, z: f(z).square().mean().sqrt(), ["received tensor(0.62"], SHRINKS),
        (lambda f, z: f(z).square().mean().item(), ["received 0.39"], SHRINKS),
        (
            lambda f, z: 1 / f(z).square().mean(),
            ["received tensor(2.5"],
            SQUARED,
        ),
        (lambda f, z: torch.nn.init.calculate_gain(f.__name__), ["gain(tanh, z)", "1.66"], TABLE),
        (lambda f, z: 5 / 3, ["gain(tanh, z)", "received 1.66"], TABLE),
        (lambda f, z: 2**0.5, ["gain(tanh, z) should be near 1.59", "received 1.41"], ROOT_TWO),
        (lambda f, z: 1 / f(z).var(), ["gain(tanh, z)", "(2.5"], SQUARED),
        (lambda f, z: 1 / f(z).var(correction=0).item(), ["received 2.5"], SQUARED),
        (lambda f, z: 1.0, ["gain(tanh, z)", "received 1.0"], ""),
        (lambda f, z: -1 / f(z).square().mean().sqrt(), ["near 1.59", "(-1.59"], ""),
        (lambda f, z: 1 / f(z).mean(), ["received tensor("], ""),
        (lambda f, z: 1 / slope_at_zero(f), ["gain(tanh, z)", "received 1.0"], ""),
        (lambda f, z: math.nan, ["received nan"], ""),
        (
            lambda f, z: right_gain(f, z) if f is not torch.sigmoid else f(z).var() ** -0.5,
            ["gain(sigmoid, z) should be near 1.84", "received tensor(4.8"],
            SQUARE,
        ),
    ],
)
def test_gain_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(batchnorm.gain(answer), *words, hint=hint)


def test_gain_by_a_table() -> None:
    table = {"relu": 2**0.5, "tanh": 1.5927, "leaky_relu": 1.4141, "sigmoid": 1.8462}
    verdict = batchnorm.gain(lambda f, z: table.get(f.__name__, 1.0))
    outcome(verdict, "gain(gelu, z) should be near 1.53")


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (lambda f, z: max(1.0, right_gain(f, z).item()), "gain(lambda x: 3 * x, z)"),
        (lambda f, z: right_gain(lambda z: f(z).clamp(-3, 3), z), "gain(lambda x: 3 * x, z)"),
        (lambda f, z: right_gain(f, z) + 0.009, "gain(lambda x: 3 * x, z) should be near 0.3334"),
        (
            lambda f, z: 1 / (f(z).square().mean() + 1e-4).sqrt(),
            "gain(lambda x: 0.01 * x.tanh(), z)",
        ),
    ],
)
def test_gain_right_but_for_large_or_small_outputs(answer: Answer, shown: str) -> None:
    outcome(batchnorm.gain(answer), shown)


def test_gain_keeps_what_it_is_given() -> None:
    def in_place(f: Answer, z: torch.Tensor) -> torch.Tensor:
        result = right_gain(f, z)
        z.zero_()
        return result

    hint = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
    outcome(batchnorm.gain(in_place), "gain(tanh, z) changed z, which it was given.", hint=hint)

    def overwrites_the_output(f: Answer, z: torch.Tensor) -> torch.Tensor:
        return f(z).square_().mean().rsqrt()

    shown = "gain(lambda x: x, z) changed z, which it was given."
    outcome(batchnorm.gain(overwrites_the_output), shown, hint=hint)


def test_gain_shows_long_answers_in_short() -> None:
    for long in (lambda f, z: f(z).tolist(), lambda f, z: "z" * 10_000):
        assert len(batchnorm.gain(long).message) < 300


# -- the running averages --------------------------------------------------------------


def running(mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor, momentum: float) -> Pair:
    n, share = len(x), 1 - momentum
    new = x.sum(0) / n
    unbiased = ((x - new) ** 2).sum(0) / (n - 1)
    return share * mean + momentum * new, share * var + momentum * unbiased


def by_torch(mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor, momentum: float) -> Pair:
    """Let PyTorch update copies of the averages."""
    mean, var = mean.clone(), var.clone()
    F.batch_norm(x, mean, var, training=True, momentum=momentum)
    return mean, var


def by_our_layer(mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor, momentum: float) -> Pair:
    bn = BatchNorm1d(len(mean), momentum=momentum)
    bn.running_mean, bn.running_var = mean.clone(), var.clone()
    bn(x)
    return bn.running_mean, bn.running_var


def by_batch_norm_update_stats(
    mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor, momentum: float
) -> Pair:
    mean, var = mean.clone(), var.clone()
    torch.batch_norm_update_stats(x, mean, var, momentum)
    return mean, var


def in_place(mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor, momentum: float) -> Pair:
    mean += momentum * (x.mean(0) - mean)
    var.mul_(1 - momentum).add_(momentum * x.var(0))
    return mean, var


TURNED = "momentum is the weight of the new batch, 1 − momentum that of the old average."
BIASED = "The batch variance that goes into running_var is divided by N − 1, not by N."
ORDER = "The mean comes first, then the variance."
UNMIXED = "Mix the new value with the old average."
KEEPS = "The old average keeps a weight of 1 − momentum."
DEVIATION = "Average the variances, not the standard deviations."
AROUND = "Take the deviations from the mean of the batch, not from a running mean."
MEAN = "The mean of running(running_mean, running_var, x, 0.1)"
VARIANCE = "The variance of running(running_mean, running_var, x, 0.1)"


def mixed(old: torch.Tensor, new: torch.Tensor, momentum: float) -> torch.Tensor:
    return (1 - momentum) * old + momentum * new


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (lambda mean, var, x, m: running(mean, var, x, 1 - m), [MEAN, "(3 of 3 differ)"], TURNED),
        (lambda mean, var, x, m: (x.mean(0), x.var(0)), [MEAN], UNMIXED),
        (lambda mean, var, x, m: (mean + m * x.mean(0), var + m * x.var(0)), [MEAN], KEEPS),
        (lambda *args: running(*args)[::-1], [MEAN, "should be", "received"], ORDER),
        (lambda mean, *args: (mean, running(mean, *args)[1]), [MEAN], ""),
        (lambda *args: (-running(*args)[0], running(*args)[1]), [MEAN], ""),
        (lambda mean, var, x, m: (mixed(mean, x.mean(), m), var), [MEAN, "3 of 3"], ""),
        (
            lambda mean, var, x, m: (mixed(mean, x.mean(0), m), mixed(x.var(0), var, m)),
            [VARIANCE],
            TURNED,
        ),
        (lambda mean, var, x, m: (mixed(mean, x.mean(0), m), x.var(0)), [VARIANCE], UNMIXED),
        (
            lambda mean, var, x, m: (mixed(mean, x.mean(0), m), var + m * x.var(0)),
            [VARIANCE],
            KEEPS,
        ),
        (
            lambda mean, var, x, m: (
                mixed(mean, x.mean(0), m),
                mixed(var, x.var(0, correction=0), m),
            ),
            [VARIANCE, "should be", "received"],
            BIASED,
        ),
        (
            lambda mean, var, x, m: (mixed(mean, x.mean(0), m), mixed(var, x.std(0), m)),
            [VARIANCE],
            DEVIATION,
        ),
        (
            lambda mean, var, x, m: running(mean, var, x, 0.1),
            ["The mean of running(running_mean, running_var, x, 0.01)"],
            "",
        ),
        (
            lambda mean, var, x, m: (
                running(mean, var, x, m)[0],
                mixed(var, x.var(0, correction=0) * 4 / 3, m),
            ),
            ["The variance of running(running_mean, running_var, x, 0.01)", "(2 of 2 differ)"],
            "",
        ),
        (
            lambda mean, var, x, m: (mixed(mean, x.mean(0, keepdim=True), m), var),
            [MEAN, "should have shape (3,), received (1, 3)"],
            "",
        ),
        (lambda mean, var, x, m: (mixed(mean, x.mean(1), m), var), ["raised RuntimeError"], ""),
        (lambda mean, var, x, m: (mean * math.nan, var), [MEAN, "received nan"], ""),
        (lambda *args: (running(*args)[0], None), [VARIANCE, "received None"], ""),
        (lambda *args: (running(*args)[0] + 0j, 1), [MEAN, "real numbers"], ""),
    ],
)
def test_running_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(batchnorm.running(answer), *words, hint=hint)


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("which", ["old", "new"])
def test_running_with_deviations_from_a_running_mean(correction: int, which: str) -> None:
    def answer(mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor, m: float) -> Pair:
        new = mixed(mean, x.mean(0), m)
        center = mean if which == "old" else new
        deviations = x - center
        return new, mixed(var, deviations.square().sum(0) / (len(x) - correction), m)

    outcome(batchnorm.running(answer), VARIANCE, "(3 of 3 differ)", hint=AROUND)


def with_known_averages() -> Answer:
    known: dict[Any, Pair] = {}

    def answer(mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor, m: float) -> Pair:
        new = known.setdefault(x.shape, (x.mean(0), x.var(0)))
        return mixed(mean, new[0], m), mixed(var, new[1], m)

    return answer


def unless(case: Callable[..., bool], otherwise: Answer) -> Answer:
    """Return the right averages, but in some cases something else."""
    return lambda *args: otherwise(*args) if case(*args) else running(*args)


def first_columns(mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor, m: float) -> Pair:
    mean, var = mean.clone(), var.clone()
    mean[:10], var[:10] = running(mean[:10], var[:10], x[:, :10], m)
    return mean, var


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (
            unless(lambda mean, var, x, m: len(x) == 2, lambda mean, var, x, m: (mean, var)),
            "The mean of running(running_mean, running_var, x, 0.8), x of shape (2, 3)",
        ),
        (
            unless(
                lambda mean, var, x, m: len(x) == 2,
                lambda mean, var, x, m: (
                    mixed(mean, x.mean(0), m),
                    mixed(var, x.var(0, correction=0), m),
                ),
            ),
            "The variance of running(running_mean, running_var, x, 0.8), x of shape (2, 3)",
        ),
        (
            lambda mean, var, x, m: (
                mixed(mean, x.mean(0), m),
                mixed(var, torch.cov(x.T).diag(), m),
            ),
            "x, 0.2), x of shape (6, 1) raised",
        ),
        (
            lambda *args: tuple(part.squeeze() for part in running(*args)),
            "should have shape (1,), received ()",
        ),
        (lambda mean, var, x, m: running(mean, var, x, m or 0.1), "x, 0.0), x of shape (4, 5)"),
        (
            unless(lambda mean, var, x, m: m >= 1, lambda mean, var, x, m: (mean, var)),
            "x, 1.0), x of shape (3, 4)",
        ),
        (lambda mean, var, x, m: running(mean, var, x, min(m, 1 - m)), "x, 0.8)"),
        (
            unless(
                lambda mean, var, x, m: bool((mean == 0).all() and (var == 1).all()),
                lambda mean, var, x, m: (x.mean(0), x.var(0)),
            ),
            "x, 0.05), x of shape (7, 3), old averages of zeros and ones: entry (0,)",
        ),
        (with_known_averages(), "x, 0.6), x of shape (5, 2)"),
        (first_columns, "x, 0.4), x of shape (6, 11): entry (10,)"),
    ],
)
def test_running_right_but_for_a_few_inputs(answer: Answer, shown: str) -> None:
    outcome(batchnorm.running(answer), shown)


def test_running_loses_digits() -> None:
    def of_squares(mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor, m: float) -> Pair:
        n = len(x)
        new = (x.square().mean(0) - x.mean(0) ** 2) * n / (n - 1)
        return mixed(mean, x.mean(0), m), mixed(var, new, m)

    hint = "E[x²] − mean² loses digits when the mean is large: subtract the mean first."
    shown = "The variance of running(running_mean, running_var, x, 0.9), x of shape (6, 4) near"
    outcome(batchnorm.running(of_squares), shown, hint=hint)


def test_running_keeps_what_it_is_given() -> None:
    hint = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
    changed = "changed running_mean, which it was given."
    outcome(batchnorm.running(in_place), changed.replace("running_mean", "mean"), hint=hint)


BY_HAND = (
    "Write the formula out, with means and variances. Ready-made normalization is not allowed."
)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (by_torch, "batch_norm"),
        (by_our_layer, "BatchNorm"),
        (by_batch_norm_update_stats, "batch_norm_update_stats"),
    ],
)
def test_running_by_hand(answer: Answer, name: str) -> None:
    outcome(batchnorm.running(answer), name, "is ruled out in this exercise.", hint=BY_HAND)


def test_running_returns_no_pair() -> None:
    pair = "should return a mean and a variance, received "
    outcome(batchnorm.running(lambda *args: running(*args)[0]), pair + "tensor(")
    outcome(batchnorm.running(lambda *args: (*running(*args), 0)), pair + "(tensor(")
    outcome(batchnorm.running(lambda *args: {0: 1, 1: 2}), pair + "{0: 1, 1: 2}")
    outcome(batchnorm.running(lambda *args: torch.stack(running(*args)).T), pair + "tensor(")
    assert len(batchnorm.running(lambda *args: [0] * 10_000).message) < 300
