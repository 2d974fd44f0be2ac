"""The checks of the neural exercises of chapter 2; and that no check of the chapter ever raises."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome
from check_modules import checks_of
from test_check_verdict import BODIES, WRONG, stub

from zerotohero.check import bigrams

Answer = Callable[..., Any]
CHECKS = checks_of(bigrams)


# -- rows instead of one-hot vectors ---------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        lambda W, xs: W[xs],
        lambda W, xs: torch.stack([W[x] for x in xs]),
        lambda W, xs: F.embedding(xs, W),
        lambda W, xs: W.index_select(0, xs).requires_grad_(),
        lambda W, xs: W.numpy()[xs.numpy()],
        lambda W, xs: [W[x].tolist() for x in xs],
    ],
)
def test_logits_by_row_right(answer: Answer) -> None:
    verdict = bigrams.logits_by_row(answer)
    assert verdict
    assert verdict.message == "Each row of W that xs names, in order."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda W, xs: W[:, xs],
            ["logits_by_row(W, [0, 5, 13, 13, 1]) should have shape (5, 27), received (27, 5)"],
            "These are columns of W, one below the other. Index the rows.",
        ),
        (
            lambda W, xs: W.T[xs],
            ["entry (0, 1) should be", "differ"],
            "These are columns of W. Row i holds the logits after character i.",
        ),
        (
            lambda W, xs: W[xs].softmax(1),
            ["entry (0, 0) should be"],
            "These are probabilities. Logits are the rows of W themselves.",
        ),
        (
            lambda W, xs: W[xs].exp(),
            ["entry (0, 0) should be"],
            "These are counts. Logits are the rows of W themselves.",
        ),
        (
            lambda W, xs: W.exp_()[xs],  # changing W does not change what is right
            ["entry (0, 0) should be"],
            "These are counts. Logits are the rows of W themselves.",
        ),
        (lambda W, xs: W[xs.unique()], ["should have shape (5, 27), received (4, 27)"], ""),
        (lambda W, xs: W[xs - 1], ["entry (0, 0) should be"], ""),
        (lambda W, xs: W[xs].squeeze(), ["W, [26]) should have shape (1, 27), received (27,)"], ""),
        (lambda W, xs: [W[x] for x in xs], ["should return a tensor, received [tensor("], ""),
    ],
)
def test_logits_by_row_wrong(answer: Answer, words: Sequence[str], hint: str) -> None:
    outcome(bigrams.logits_by_row(answer), *words, hint=hint)


# -- cross-entropy ----------------------------------------------------------------------


def picked(table: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    return table[torch.arange(len(ys)), ys]


def shifted(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    shifted = logits - logits.max(1, keepdim=True).values
    return (shifted.exp().sum(1).log() - picked(shifted, ys)).mean()


def with_floats(logits: torch.Tensor, ys: torch.Tensor) -> float:
    losses = []
    for row, y in zip(logits.tolist(), ys.tolist()):
        top = max(row)
        losses.append(top - row[y] + math.log(math.fsum(math.exp(z - top) for z in row)))
    return float(sum(losses) / len(losses))


def with_numpy(logits: torch.Tensor, ys: torch.Tensor) -> Any:
    z = logits.numpy()
    right = z[np.arange(len(z)), ys.numpy()]
    return (np.logaddexp.reduce(z, axis=1) - right).mean()


def shifting_in_place(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    logits -= logits.max(1, keepdim=True).values
    return shifted(logits, ys)


@pytest.mark.parametrize(
    "answer",
    [
        F.cross_entropy,
        shifted,
        with_floats,
        with_numpy,
        shifting_in_place,
        lambda logits, ys: F.nll_loss(logits.log_softmax(1), ys),
        lambda logits, ys: (logits.logsumexp(1) - picked(logits, ys)).mean(),
    ],
)
def test_cross_entropy_right(answer: Answer) -> None:
    verdict = bigrams.cross_entropy(answer)
    assert verdict
    assert verdict.message == "Right for small logits, and for logits of a thousand, too."


def naive(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    counts = logits.exp()
    return -picked(counts / counts.sum(1, keepdim=True), ys).log().mean()


def shifted_by_the_largest_of_all(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    return naive(logits - logits.max(), ys)


def on_changed_logits(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.exp_(), ys)


RANDOM = "cross_entropy(logits, ys), for five rows of random logits: should be 3.82579"
TOO_SMALL = "Don't exponentiate and take the log again: a probability that rounds to 0 gives inf."
OVERFLOW = "Subtract each row's maximum before you exponentiate: exp(1000) overflows."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda z, ys: -F.cross_entropy(z, ys),
            [RANDOM, "received -3.82579"],
            "The log of a probability is negative: put a minus in front.",
        ),
        (
            lambda z, ys: F.cross_entropy(z, ys, reduction="sum"),
            [RANDOM, "received 19.1"],
            "That is the sum. Take the mean over the examples.",
        ),
        (
            lambda z, ys: -z.log_softmax(1).mean(),
            [RANDOM],
            "Only the probability of the right character counts.",
        ),
        (
            lambda z, ys: F.nll_loss(z.log_softmax(0), ys),
            [RANDOM],
            "The softmax runs over the examples. It belongs to each row, dim 1.",
        ),
        (
            lambda z, ys: -picked(z.softmax(1), ys).mean(),
            [RANDOM, "received -0.0"],
            "Take the logarithm of the probability.",
        ),
        (
            lambda z, ys: F.cross_entropy(z.softmax(1), ys),
            [RANDOM, "received 3.3"],
            "Softmax was applied twice.",
        ),
        (naive, ["for the same logits + 1000: should be 3.82579, received nan"], OVERFLOW),
        (
            lambda z, ys: (z.exp().sum(1).log() - picked(z, ys)).mean(),
            ["for the same logits + 1000: should be 3.82579, received inf"],
            OVERFLOW,
        ),
        (
            lambda z, ys: -picked(z.softmax(1), ys).log().mean(),
            ["for the same logits × 1000: should be", "received inf"],
            TOO_SMALL,
        ),
        (
            lambda z, ys: -(z.softmax(1).log() * F.one_hot(ys, 27)).sum(1).mean(),  # 0 · log 0
            ["for the same logits × 1000: should be", "received nan"],
            TOO_SMALL,
        ),
        (
            lambda z, ys: -(picked(z.softmax(1), ys) + 1e-12).log().mean(),
            ["for the same logits × 1000: should be", "received 2"],
            "",
        ),
        (
            lambda z, ys: (
                (z - z.max(1, keepdim=True).values).exp().sum(1).log() - picked(z, ys)
            ).mean(),
            [RANDOM],
            "Subtract the maximum from the logit of the right answer, too.",
        ),
        (
            lambda z, ys: (z.logsumexp(1) - z[:, ys]).mean(),
            [RANDOM],
            "logits[:, ys] takes every row's entries at all of ys: pair row i with ys[i].",
        ),
        (
            lambda z, ys: -z.log_softmax(1)[:, ys].mean(),
            [RANDOM],
            "logits[:, ys] takes every row's entries at all of ys: pair row i with ys[i].",
        ),
        (
            lambda z, ys: (z - z.max()).exp().sum(1).log().sub(picked(z - z.max(), ys)).mean(),
            ["for the same logits × 1000: should be", "received -inf"],
            OVERFLOW,
        ),
        (
            shifted_by_the_largest_of_all,
            ["for the same logits × 1000: should be", "received nan"],
            OVERFLOW,
        ),
        (on_changed_logits, [RANDOM], ""),
        (lambda z, ys: F.cross_entropy(z, ys) / math.log(2), [RANDOM, "received 5.51"], ""),
        (
            lambda z, ys: F.cross_entropy(z, ys, reduction="none"),
            ["should have shape (), received (5,)"],
            "",
        ),
        (lambda z, ys: F.cross_entropy(z, ys) * 1j, ["real numbers, received torch.complex"], ""),
    ],
)
def test_cross_entropy_wrong(answer: Answer, words: Sequence[str], hint: str) -> None:
    outcome(bigrams.cross_entropy(answer), *words, hint=hint)


# -- every check of the chapter ----------------------------------------------------------


def test_all_checks_of_the_chapter_are_tested() -> None:
    assert set(CHECKS) == {
        "normalize_rows",
        "trigram_counts",
        "split",
        "best_smoothing",
        "logits_by_row",
        "cross_entropy",
    }


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("kind", WRONG)
def test_wrong_whatever_the_answer_is(kind: str, name: str) -> None:
    verdict = CHECKS[name](WRONG[kind])
    assert verdict.status == "wrong"
    assert 0 < len(verdict.message) < 1500


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("body", BODIES)
def test_a_stub_is_not_done_yet(body: str, name: str) -> None:
    assert CHECKS[name](stub(body)).status == "not done yet"


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("answer", [None, ...])
def test_no_answer_at_all(answer: Any, name: str) -> None:
    assert CHECKS[name](answer).status == "not done yet"


@pytest.mark.parametrize("name", CHECKS)
def test_a_function_that_forgets_to_return_is_told_so(name: str) -> None:
    def forgets(*arguments: Any) -> None:
        sum(map(len, arguments[:1]))

    outcome(
        CHECKS[name](forgets), "returned None", hint="Does every path through the function return?"
    )
