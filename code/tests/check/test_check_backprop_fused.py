"""The checks of chapter 5 for one expression: cross-entropy, BatchNorm and LayerNorm."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.check import backprop

Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("one_thread")

SIGN = "The sign is reversed."
TIMES_N = "Too large by the factor n. Where does the mean over the examples enter?"
TYPED_IN = (
    "32 is the size of the batch on this page. The check uses others: take the number of "
    "examples from what you are given."
)
SIZES = (
    "10, 30 and 64 are sizes of this page's network. The check uses others: take the sizes from "
    "what you are given."
)
NOTHING_ADDED = (
    "Add no ε and use no clamp: a small probability counts, too, and should be right relative to "
    "its own size."
)
BY_HAND = "Autograd is ruled out in this chapter's exercises: write the backward pass by hand."
WRONG_DIMENSION = "That is the sum over the wrong dimension."


# -- cross-entropy -------------------------------------------------------------------------


def in_place(logits: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    d = F.softmax(logits, 1)
    d[range(len(Y)), Y] -= 1
    d /= len(Y)
    return d


def onehot(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    return F.one_hot(Y, z.shape[1])


def naive(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    counts = z.exp()
    return (counts / counts.sum(1, keepdim=True) - onehot(z, Y)) / len(Y)


def spoils(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    z -= z.max(1, keepdim=True).values
    return naive(z, Y)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda z, Y: z.softmax(1) - onehot(z, Y), TIMES_N),
        (lambda z, Y: (onehot(z, Y) - z.softmax(1)) / 6, SIGN),
        (
            lambda z, Y: in_place(z, Y) / 6,
            "Divided by n twice: the loss is one mean.",
        ),
        (
            lambda z, Y: z.softmax(1) / 6,
            "The right answer is missing: where does −log p pull?",
        ),
        (lambda z, Y: z.softmax(1), "The right answer is missing: where does −log p pull?"),
        (
            lambda z, Y: z.softmax(1) - onehot(z, Y) / 6,
            "The whole difference is divided by n, the mean.",
        ),
        (
            lambda z, Y: (z.softmax(0) - onehot(z, Y)) / 6,
            "Each row has its own softmax: over dimension 1.",
        ),
        (
            lambda z, Y: (z.softmax(1) - 1) / 6,
            "Subtract 1 only at the right answer of each row.",
        ),
        (
            lambda z, Y: (z.softmax(1) - 1) * onehot(z, Y) / 6,
            "The wrong answers have a gradient, too.",
        ),
        (lambda z, Y: in_place(z, Y).T, "That is the transpose of what is asked for."),
        (lambda z, Y: in_place(z, Y) / 5, "Every entry is 0.2 times what it should be."),
        (lambda z, Y: z, ""),
    ],
)
def test_cross_entropy_wrong(answer: Answer, hint: str) -> None:
    outcome(backprop.cross_entropy(answer), "cross_entropy(logits, Y)", hint=hint)


def test_cross_entropy_of_large_logits() -> None:
    hint = "exp of a large logit overflows. softmax(1) subtracts the largest one first."
    for answer in (naive, lambda z, Y: naive(z.double(), Y)):
        outcome(backprop.cross_entropy(answer), "with large logits: entry", hint=hint)
    outcome(
        backprop.cross_entropy(lambda z, Y: naive(z - z.amin(1, keepdim=True), Y)),
        "with tiny probabilities: entry",
        hint=hint,
    )
    outcome(
        backprop.cross_entropy(lambda z, Y: naive(z - z.max(), Y)),
        "with rows of large and small logits: entry",
        "received nan",
        hint="exp of a very negative logit is 0, and a row of zeros can't be normalized. Subtract "
        "from each row its own largest logit.",
    )


def test_cross_entropy_wrong_in_other_ways() -> None:
    words = "cross_entropy(logits, Y) changed z, which it was given."
    hint = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
    outcome(backprop.cross_entropy(spoils), words, hint=hint)
    outcome(
        backprop.cross_entropy(lambda z, Y: (z.softmax(1) - F.one_hot(Y)) / len(Y)),
        "raised RuntimeError",
        "The line that raised it: ",
        hint="Without a number of classes, F.one_hot goes up to the largest one in Y. The number "
        "of classes is logits.shape[1].",
    )
    whole = "The whole difference is divided by n, the mean."
    outcome(backprop.cross_entropy(lambda z, Y: z.softmax(1) / 6 - onehot(z, Y)), hint=whole)
    rows = "Each row has its own softmax: over dimension 1."
    outcome(backprop.cross_entropy(lambda z, Y: z.softmax(0) - onehot(z, Y)), hint=rows)

    def for_six(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        return (z.softmax(1) - onehot(z, Y)) / 6

    outcome(backprop.cross_entropy(for_six), hint="Every entry is 1.167 times what it should be.")


def eight_lines(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """Go back through the steps of the lecture, one by one."""
    counts = (z - z.max(1, keepdim=True).values).exp()
    inverse = 1 / counts.sum(1, keepdim=True)
    probs = counts * inverse
    dprobs = -onehot(z, Y) / len(Y) / probs
    dcounts_sum = -(dprobs * counts).sum(1, keepdim=True) * inverse**2
    return (dprobs * inverse + dcounts_sum) * counts


def test_cross_entropy_by_the_eight_lines() -> None:
    """Nothing overflows here: there is no word about overflow."""
    hint = (
        "A probability can round to 0, and dividing by it gives NaN: simplify before you "
        "differentiate."
    )
    for answer in (eight_lines, lambda z, Y: eight_lines(z.double(), Y)):
        words = "with tiny probabilities: entry", "received nan"
        outcome(backprop.cross_entropy(answer), *words, hint=hint)


def by_softmax(probabilities: Callable[[torch.Tensor], torch.Tensor]) -> Answer:
    return lambda z, Y: (probabilities(z) - onehot(z, Y)) / len(Y)


def exponentials(z: torch.Tensor) -> torch.Tensor:
    return (z - z.amax(1, keepdim=True)).exp()


@pytest.mark.parametrize(
    "probabilities",
    [
        lambda z: exponentials(z) / (exponentials(z).sum(1, keepdim=True) + 1e-5),
        lambda z: z.softmax(1).clamp(min=1e-5),
        lambda z: z.softmax(1).clamp(min=1e-12),
        lambda z: torch.where(z.softmax(1) < 1e-5, 0, z.softmax(1)),
    ],
)
def test_cross_entropy_with_something_added(probabilities: Any) -> None:
    verdict = backprop.cross_entropy(by_softmax(probabilities))
    outcome(verdict, "cross_entropy(logits, Y) in double precision: entry", hint=NOTHING_ADDED)


@pytest.mark.parametrize("lowest", [-39, -50, -88, -100, -500])
def test_cross_entropy_with_logits_cut(lowest: int) -> None:
    def clamped(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        return naive((z - z.amax(1, keepdim=True)).clamp(min=lowest), Y)

    words = "in double precision, with logits far apart: entry"
    outcome(backprop.cross_entropy(clamped), words, hint=NOTHING_ADDED)


@pytest.mark.parametrize("power", [16, 20, 30, 38, 200])
def test_cross_entropy_with_probabilities_cut(power: int) -> None:
    lowest = 10.0**-power

    def clamped(z: torch.Tensor) -> torch.Tensor:
        return z.softmax(1).clamp(min=lowest)

    def without(z: torch.Tensor) -> torch.Tensor:
        return z.softmax(1).masked_fill(z.softmax(1) < lowest, 0)

    def added(z: torch.Tensor) -> torch.Tensor:
        return z.softmax(1) + lowest

    for answer in map(by_softmax, (clamped, without, added)):
        words = "cross_entropy(logits, Y) in double precision"
        outcome(backprop.cross_entropy(answer), words, hint=NOTHING_ADDED)


@pytest.mark.parametrize("power", range(6, 13))
def test_cross_entropy_with_an_epsilon_in_the_sum(power: int) -> None:
    def added(z: torch.Tensor) -> torch.Tensor:
        return exponentials(z) / (exponentials(z).sum(1, keepdim=True) + 10.0**-power)

    outcome(backprop.cross_entropy(by_softmax(added)), "in double", hint=NOTHING_ADDED)

    def as_list(z: torch.Tensor, Y: torch.Tensor) -> Any:
        return by_softmax(added)(z, Y).tolist()

    outcome(backprop.cross_entropy(as_list), "in double", hint=NOTHING_ADDED)


def test_cross_entropy_by_differences_is_no_epsilon() -> None:
    def differences(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        z, step, gradient = z.double(), 1e-4, torch.zeros_like(z).double()
        for i, j in np.ndindex(*z.shape):
            moved = torch.zeros_like(z)
            moved[i, j] = step
            up, down = F.cross_entropy(z + moved, Y), F.cross_entropy(z - moved, Y)
            gradient[i, j] = (up - down) / (2 * step)
        return gradient

    outcome(backprop.cross_entropy(differences), "in double precision: entry", hint="")


@pytest.mark.parametrize(
    "probabilities",
    [
        lambda z: z.log_softmax(1).exp(),
        lambda z: (z - z.logsumexp(1, keepdim=True)).exp(),
        lambda z: torch.exp2((z - z.logsumexp(1, keepdim=True)) / math.log(2)),
        lambda z: exponentials(z) * exponentials(z).sum(1, keepdim=True).reciprocal(),
        lambda z: 1 / (z[:, None, :] - z[:, :, None]).exp().sum(2),
        lambda z: torch.softmax(z.float(), 1),
    ],
)
def test_cross_entropy_in_other_words(probabilities: Any) -> None:
    """Rounding passes, also in lists, and also where the result is in single precision."""

    def as_list(z: torch.Tensor, Y: torch.Tensor) -> Any:
        return by_softmax(probabilities)(z, Y).tolist()

    def rounded(z: torch.Tensor) -> torch.Tensor:
        return probabilities(z).to(torch.float32)

    assert backprop.cross_entropy(by_softmax(rounded))
    assert backprop.cross_entropy(by_softmax(probabilities))
    assert backprop.cross_entropy(as_list)


def test_cross_entropy_in_double_precision() -> None:
    def rounds(z: torch.Tensor) -> torch.Tensor:
        return z.float().softmax(1).double()

    outcome(backprop.cross_entropy(by_softmax(rounds)), "in double precision: entry")
    assert backprop.cross_entropy(lambda z, Y: by_softmax(lambda z: z.softmax(1))(z, Y).float())

    def single(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        pull = torch.full((len(Y), 1), -1 / len(Y))
        return (z.softmax(1) / len(Y)).scatter_add(1, Y[:, None], pull)

    hint = "The logits can be in double precision. zeros_like and new_zeros keep their dtype."
    outcome(backprop.cross_entropy(single), "in double precision raised", hint=hint)


def test_cross_entropy_of_one_example() -> None:
    answer = by_softmax(lambda z: z.softmax(1))
    words = "for one example should have shape (1, 6), received (6,)"
    hint = "A dimension of size 1 is missing: squeeze and an index remove it."
    outcome(backprop.cross_entropy(lambda z, Y: answer(z, Y).squeeze()), words, hint=hint)


def columns(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    d = z.softmax(1)
    d[:, Y] -= 1
    return d / len(Y)


def test_cross_entropy_with_columns_and_characters() -> None:
    hint = "Subtract 1 only at the right answer of each row."
    outcome(backprop.cross_entropy(columns), "cross_entropy(logits, Y): entry", hint=hint)

    def characters(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        return (z.softmax(1) - F.one_hot(Y, 27)) / len(Y)

    hint = "27 is the number of characters on this page. The number of classes is logits.shape[1]."
    outcome(backprop.cross_entropy(characters), "raised RuntimeError", hint=hint)


def rows_typed_in(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    d = z.softmax(1)
    d[torch.arange(32), Y] -= 1
    return d / 32


@pytest.mark.parametrize("answer", [rows_typed_in, lambda z, Y: (z.softmax(1) - onehot(z, Y)) / 32])
def test_cross_entropy_with_the_size_of_this_page(answer: Answer) -> None:
    outcome(backprop.cross_entropy(answer), hint=TYPED_IN)


def backward(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor | None:
    with torch.enable_grad():
        z = z.clone().requires_grad_()
        F.cross_entropy(z, Y).backward()
    return z.grad


def by_grad_fn(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        logs = z.clone().requires_grad_().log_softmax(1)
    return logs.grad_fn(-onehot(z, Y).to(z) / len(Y))  # type: ignore[no-any-return, misc]


def test_cross_entropy_may_print_what_it_is_given() -> None:
    def prints(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        print(z, Y)
        return by_softmax(lambda z: z.softmax(1))(z, Y)

    assert backprop.cross_entropy(prints)


def test_cross_entropy_may_not_leave_traces() -> None:
    def asks(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        z.requires_grad_()
        return by_softmax(lambda z: z.softmax(1))(z.detach(), Y)

    words = "The answer set requires_grad of what it was given."
    outcome(backprop.cross_entropy(asks), words, hint=BY_HAND)

    def doubles(z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        torch.set_default_dtype(torch.float64)
        return by_softmax(lambda z: z.softmax(1))(z, Y)

    outcome(backprop.cross_entropy(doubles), "The answer changed PyTorch's default dtype.")
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (backward, "backward"),
        (lambda z, Y: torch.func.grad(lambda x: F.cross_entropy(x, Y))(z), "grad"),
        (lambda z, Y: torch.func.jacrev(lambda x: F.cross_entropy(x, Y))(z), "grad"),
        (lambda z, Y: torch.func.jacfwd(lambda x: F.cross_entropy(x, Y))(z), "Autograd"),
        (lambda z, Y: torch.autograd.functional.vjp(lambda x: F.cross_entropy(x, Y), z)[1], "grad"),
    ],
)
def test_cross_entropy_by_autograd(answer: Answer, name: str) -> None:
    words = f"{name} is ruled out in this exercise."
    outcome(backprop.cross_entropy(answer), words, hint=BY_HAND)
    words = "grad_fn is ruled out in this exercise."
    outcome(backprop.cross_entropy(by_grad_fn), words, hint=BY_HAND)


# -- batch normalization -------------------------------------------------------------------


def batchnorm(
    d: torch.Tensor, gain: torch.Tensor, raw: torch.Tensor, inv: torch.Tensor, **changes: Any
) -> torch.Tensor:
    """Compute the lecture's grouping of the expression, perhaps with a mistake."""
    n, dim = len(d), changes.get("dim", 0)
    first = n * d
    second = changes.get("second", 1) * d.sum(0)
    if changes.get("inside"):
        second = second * n / (n - 1)
    third = raw * (d * raw).sum(0) if changes.get("factor", True) else (d * raw).sum(0)
    third = changes.get("third", 1) * third * n / (n - changes.get("correction", 1))
    if dim:
        third = third.sum(dim, keepdim=True)
    gain = gain if changes.get("scaled", True) else torch.ones_like(gain)
    inv = inv if changes.get("divided", True) else torch.ones_like(inv)
    return gain * inv / changes.get("divisor", n) * (first - second - third)


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        (
            {"correction": 0},
            "The variance divides by n − 1. That factor stays in the last term.",
        ),
        (
            {"second": 0},
            "A change of one example moves the mean of all. That term is missing.",
        ),
        (
            {"third": 0},
            "A change of one example moves the variance of all. That term is missing.",
        ),
        (
            {"second": 0, "third": 0},
            "Every example moves the mean and the variance of all.",
        ),
        ({"third": -1}, "The last term is subtracted."),
        ({"second": -1}, "The mean is subtracted."),
        ({"scaled": False}, "The gradient passes through bngain first."),
        ({"divided": False}, "The factor bnvar_inv is missing."),
        ({"inside": True}, "The mean of the gradients is over the n examples."),
        ({"factor": False}, "The last term has a factor bnraw."),
        ({"dim": 1}, WRONG_DIMENSION),
        ({"divisor": 1}, TIMES_N),
    ],
)
def test_batchnorm_wrong(changes: dict[str, Any], hint: str) -> None:
    verdict = backprop.batchnorm(lambda *args: batchnorm(*args, **changes))
    outcome(verdict, "batchnorm of a batch of 6: entry (0, 0) should be", hint=hint)


def test_batchnorm_wrong_in_other_ways() -> None:
    def undivided(d: Any, gain: Any, raw: Any, inv: Any) -> torch.Tensor:
        return gain * inv * (d - d.sum(0) - raw * (d * raw).sum(0))

    outcome(backprop.batchnorm(undivided), "batch of 6", hint="Both sums are divided.")
    outcome(backprop.batchnorm(lambda *args: -batchnorm(*args)), "batch of 6", hint=SIGN)

    def for_six(d: Any, gain: Any, raw: Any, inv: Any) -> torch.Tensor:
        return gain * inv / 6 * (6 * d - d.sum(0) - 6 / 5 * raw * (d * raw).sum(0))

    outcome(backprop.batchnorm(for_six), "batchnorm of a batch of 9")


BOTH_OVER_EXAMPLES = "Both sums run over the examples, dimension 0: each neuron has its own."
SQUARED = "There is one factor bnvar_inv too many. bnraw contains another."


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        # sums along the row
        (lambda d, r: d - d.mean(1, keepdim=True) - r * along(d, r, 1, 5), BOTH_OVER_EXAMPLES),
        (lambda d, r: d - d.mean(1, keepdim=True) - r * along(d, r, 1, 3), BOTH_OVER_EXAMPLES),
        (lambda d, r: d - d.mean(1, keepdim=True) - r * along(d, r, 0, 5), BOTH_OVER_EXAMPLES),
        (lambda d, r: d - d.sum(1, keepdim=True) / 6 - r * along(d, r, 1, 5), BOTH_OVER_EXAMPLES),
        (lambda d, r: d - d.mean(0) - r * along(d, r, 1, 5), BOTH_OVER_EXAMPLES),
        # sizes of this page
        (lambda d, r: d - d.sum(0) / 32 - r * along(d, r, 0, 31), TYPED_IN),
        (lambda d, r: d - d.mean(0) - r * along(d, r, 0, 31), TYPED_IN),
        (lambda d, r: d - d.sum(0) / 32 - r * along(d, r, 0, 5), TYPED_IN),
        (lambda d, r: d - torch.ones(1, 32) @ d / 32 - r * along(d, r, 0, 31), TYPED_IN),
        # shapes that do not fit
        (
            lambda d, r: d - d.mean(1) - r * along(d, r, 0, 5),
            "Compare the shapes: which dimension holds the examples?",
        ),
        # two mistakes at once: the hint names one of them
        (
            lambda d, r: d - r * along(d, r, 0, 6),
            "A change of one example moves the mean of all. That term is missing.",
        ),
        (lambda d, r: d + d.mean(0) + r * along(d, r, 0, 5), "The mean is subtracted."),
        (lambda d, r: d - d.mean(0) - r * along(d, r, 0, 1), "Both sums are divided."),
        (lambda d, r: d - d.sum(0) - r * along(d, r, 0, 5), "Both sums are divided."),
    ],
)
def test_batchnorm_with_other_terms(expression: Answer, hint: str) -> None:
    verdict = backprop.batchnorm(lambda d, gain, r, inv: gain * inv * expression(d, r))
    outcome(verdict, "batchnorm of a batch of 6", hint=hint)


def along(d: torch.Tensor, r: torch.Tensor, dim: int, divisor: int) -> torch.Tensor:
    return (d * r).sum(dim, keepdim=True) / divisor


def test_batchnorm_with_one_factor_too_many() -> None:
    def twice(d: Any, gain: Any, r: Any, inv: Any) -> torch.Tensor:
        return gain * inv * (d - d.mean(0) - r * inv * along(d, r, 0, len(d) - 1))

    outcome(backprop.batchnorm(twice), hint=SQUARED)
    outcome(backprop.batchnorm(lambda *args: batchnorm(*args) * args[3]), hint=SQUARED)


def test_a_batch_of_two() -> None:
    def more(d: Any, gain: Any, raw: Any, inv: Any) -> torch.Tensor:
        third = raw * (d * raw).sum(0) / max(len(d) - 1, 2)
        return gain * inv * (d - d.mean(0) - third)  # type: ignore[no-any-return]

    hint = "The variance divides by n − 1. That factor stays in the last term."
    outcome(backprop.batchnorm(more), "batchnorm of a batch of 2: entry", hint=hint)


def test_a_neuron_of_tiny_variance() -> None:
    def by_length(d: Any, gain: Any, r: Any, inv: Any) -> torch.Tensor:
        return gain * inv * (d - d.mean(0) - r * (d * r).sum(0) / (r * r).sum(0))

    hint = "Divide by n − 1. The squared length of bnraw differs from it: ε is in the variance."
    words = "batchnorm of a batch of 6: entry (0, 1)", "(6 of 24 differ)"
    outcome(backprop.batchnorm(by_length), *words, hint=hint)


def test_one_neuron() -> None:
    def squeezed(*args: Any) -> torch.Tensor:
        return batchnorm(*args).squeeze()

    outcome(
        backprop.batchnorm(squeezed),
        "should have shape (4, 1), received (4,)",
        hint="A dimension of size 1 is missing: squeeze and an index remove it.",
    )


def test_normalization_by_autograd() -> None:
    def graph(d: Any, gain: Any, raw: Any, inv: Any) -> Any:
        with torch.enable_grad():
            x = (raw / inv).requires_grad_()
            y = gain * (x - x.mean(0)) * (x.var(0) + 1e-5) ** -0.5
            return torch.autograd.grad(y, x, d)[0]

    for check in (backprop.batchnorm, backprop.layernorm):
        outcome(check(graph), "grad is ruled out in this exercise.", hint=BY_HAND)


def test_normalization_may_not_change_what_it_is_given() -> None:
    def centers(d: torch.Tensor, gain: Any, raw: Any, inv: Any) -> torch.Tensor:
        result = batchnorm(d, gain, raw, inv)
        raw *= inv
        return result

    hint = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
    outcome(backprop.batchnorm(centers), "changed raw, which it was given.", hint=hint)
    outcome(backprop.layernorm(centers), "changed raw, which it was given.", hint=hint)


# -- layer normalization -------------------------------------------------------------------


def layernorm(
    d: torch.Tensor, gain: torch.Tensor, raw: torch.Tensor, inv: torch.Tensor, **changes: Any
) -> torch.Tensor:
    dim, width = changes.get("dim", 1), d.shape[1]
    bessel = width / (width - changes.get("correction", 0))
    if not changes.get("outside"):
        d = d * gain
    mean, along = d.mean(dim, keepdim=True), (d * raw).mean(dim, keepdim=True)
    out = d - changes.get("second", 1) * mean - changes.get("third", 1) * raw * along * bessel
    return inv * (gain * out if changes.get("outside") == "gain" else out)


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"outside": "gain"}, "The gain differs along the row: it stays inside the sums."),
        ({"outside": "lost"}, "The gradient passes through the gain first."),
        ({"dim": 0}, "A row is normalized by itself: the means are over dimension 1."),
        (
            {"correction": 1},
            "LayerNorm's variance divides by the width: both terms are means.",
        ),
        ({"third": 0}, "Every number moves the variance of its row, too."),
        ({"second": 0}, "Every number moves the mean of its row, too."),
    ],
)
def test_layernorm_wrong(changes: dict[str, Any], hint: str) -> None:
    verdict = backprop.layernorm(lambda *args: layernorm(*args, **changes))
    outcome(verdict, "layernorm of shape (4, 7): entry (0, 0) should be", hint=hint)


UNCHANGED = (
    "That is the expression for BatchNorm, as it was. Which entries share a mean and a variance "
    "here?"
)
WIDTH = "The means run along the row, so divide by its width, not by n."
BY_WIDTH = "LayerNorm's variance divides by the width: both terms are means."
GAIN_FIRST = "The gradient passes through the gain first."
BY_ROW = "A row is normalized by itself: the means are over dimension 1."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (  # as it was
            lambda d, gain, r, inv: gain * inv * (d - d.mean(0) - r * along(d, r, 0, 3)),
            UNCHANGED,
        ),
        (  # the same: over the examples, the gain may be inside
            lambda d, gain, r, inv: inv * three_terms(d * gain, r, 0, 4, 3),
            UNCHANGED,
        ),
        (  # the dimension changed, and nothing else: H - 1, n and n - 1
            lambda d, gain, r, inv: gain * inv * three_terms(d, r, 1, 7, 6),
            BY_WIDTH,
        ),
        (lambda d, gain, r, inv: gain * inv * three_terms(d, r, 1, 4, 3), WIDTH),
        (lambda d, gain, r, inv: inv * three_terms(d * gain, r, 1, 7, 6), BY_WIDTH),
        (lambda d, gain, r, inv: inv * three_terms(d * gain, r, 1, 4, 4), WIDTH),
        (lambda d, gain, r, inv: inv * three_terms(d * gain, r, 1, 7, 4), WIDTH),
        (lambda d, gain, r, inv: inv * three_terms(d * gain, r, 1, 4, 7), WIDTH),
        (lambda d, gain, r, inv: inv * three_terms(d * gain, r, 1, 4, 3), WIDTH),
        (lambda d, gain, r, inv: inv * three_terms(d * gain, r, 0, 4, 4), BY_ROW),
        (
            lambda d, gain, r, inv: three_terms(d * gain, r, 1, 7, 7),
            "The factor var_inv is missing.",
        ),
        (
            lambda d, gain, r, inv: inv * three_terms(d * gain, r, 1, 7, 7) * 4,
            "Every entry is 4 times what it should be.",
        ),
        (lambda d, gain, r, inv: -inv * three_terms(d * gain, r, 1, 7, 7), SIGN),
    ],
)
def test_layernorm_with_what_is_left_of_batchnorm(answer: Answer, hint: str) -> None:
    outcome(backprop.layernorm(answer), "layernorm of shape (4, 7): entry (0, 0)", hint=hint)


@pytest.mark.parametrize(
    ("bracket", "hint"),
    [
        # the gain taken out of one of the sums
        (
            lambda d, gain, r: d * gain - gain * mean(d) - r * mean(d * gain * r),
            "The gain differs along the row: it stays inside the sums.",
        ),
        (
            lambda d, gain, r: d * gain - mean(d * gain) - r * gain * mean(d * r),
            "The gain differs along the row: it stays inside the sums.",
        ),
        # the gain lost on some of the three paths
        (lambda d, gain, r: d * gain - mean(d) - r * mean(d * gain * r), GAIN_FIRST),
        (lambda d, gain, r: d * gain - mean(d * gain) - r * mean(d * r), GAIN_FIRST),
        (lambda d, gain, r: d * gain - mean(d) - r * mean(d * r), GAIN_FIRST),
        (lambda d, gain, r: d - mean(d * gain) - r * mean(d * gain * r), GAIN_FIRST),
        # twice a term: no word about n, whatever the shape
        (lambda d, gain, r: d * gain - mean(d * gain) - 2 * r * mean(d * gain * r), ""),
        (lambda d, gain, r: d * gain - 2 * mean(d * gain) - r * mean(d * gain * r), ""),
        # the width of this page
        (lambda d, gain, r: three_terms(d * gain, r, 1, 64, 64), SIZES),
        (lambda d, gain, r: three_terms(d * gain, r, 1, 64, 63), SIZES),
        (lambda d, gain, r: three_terms(d * gain, r, 1, 7, 64), SIZES),
        (lambda d, gain, r: three_terms(d * gain, r, 1, 64, 7), SIZES),
        (lambda d, gain, r: d * gain - (d * gain) @ torch.ones(64, 1) / 64, SIZES),
        # tiny variance
        (
            lambda d, gain, r: d * gain - mean(d * gain) - r * mean(d * gain * r) / mean(r * r),
            "Divide by H. The squared length of a row of raw differs from it: ε is in the "
            "variance.",
        ),
    ],
)
def test_layernorm_with_other_terms(bracket: Answer, hint: str) -> None:
    verdict = backprop.layernorm(lambda d, gain, r, inv: inv * bracket(d, gain, r))
    outcome(verdict, "layernorm of shape (4, 7)", hint=hint)


def mean(t: torch.Tensor) -> torch.Tensor:
    return t.mean(1, keepdim=True)


def test_one_row_and_a_row_of_one() -> None:
    hint = "A dimension of size 1 is missing: squeeze and an index remove it."
    outcome(
        backprop.layernorm(lambda *args: layernorm(*args).squeeze()),
        "layernorm of shape (1, 8) should have shape (1, 8), received (8,)",
        hint=hint,
    )
    outcome(
        backprop.layernorm(lambda *args: layernorm(*args).squeeze(1)),
        "layernorm of shape (3, 1) should have shape (3, 1), received (3,)",
        hint=hint,
    )


def test_layernorm_without_keepdim() -> None:
    def flat(d: Any, gain: Any, r: Any, inv: Any) -> torch.Tensor:
        return inv * (d * gain - (d * gain).mean(1) - r * along(d * gain, r, 1, 7))

    hint = "Compare the shapes: a mean over each row needs keepdim=True."
    outcome(backprop.layernorm(flat), "raised RuntimeError", hint=hint)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            lambda d, gain, r, inv: layernorm(d * gain[:, None], torch.ones(1), r, inv),
            "gain has the shape (H,): it needs no new dimension.",
        ),
        (
            lambda d, gain, r, inv: layernorm(d * gain.unsqueeze(1), torch.ones(1), r, inv),
            "gain has the shape (H,): it needs no new dimension.",
        ),
        (
            lambda d, gain, r, inv: d * gain - torch.mean(d, dim=1),
            "Compare the shapes: a mean over each row needs keepdim=True.",
        ),
        (
            lambda d, gain, r, inv: d * gain * inv.squeeze(),
            "Compare the shapes: a mean over each row has the shape (n, 1), and gain is a single "
            "row, (H,).",
        ),
    ],
)
def test_layernorm_with_shapes_that_do_not_fit(answer: Answer, hint: str) -> None:
    outcome(backprop.layernorm(answer), "raised RuntimeError", hint=hint)


def three_terms(d: Any, r: Any, dim: int, first: int, last: int) -> Any:
    return d - d.sum(dim, keepdim=True) / first - r * along(d, r, dim, last)
