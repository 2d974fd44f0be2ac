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


GONE = "detach, item, tolist, numpy, no_grad and torch.tensor cut a result off from its inputs."
LEAVES = "What is given requires a gradient now. Stay with tensors, so that it can flow back."
IN_PLACE = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
NO_ONE_HOT = "Take the rows of W without a one-hot encoding."
NO_PRODUCT = "Take the rows of W without a matrix product."
OTHER_ROWS = (
    "The other rows are still there, multiplied by zero: that is a one-hot encoding. "
    "Take only the rows that xs names."
)


def by_comparing(W: torch.Tensor, xs: torch.Tensor) -> torch.Tensor:
    return (xs[:, None] == torch.arange(len(W))).float()


def by_columns(W: torch.Tensor, xs: torch.Tensor) -> torch.Tensor:
    return (xs == torch.arange(len(W))[:, None]).float()


def outside(W: torch.Tensor, xs: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.eye(len(W), dtype=np.float32)[:, xs.numpy()])


def standing(W: torch.Tensor, xs: torch.Tensor) -> torch.Tensor:
    return xs[:, None, None] == torch.arange(len(W))[:, None]


def lying(W: torch.Tensor, xs: torch.Tensor) -> torch.Tensor:
    return xs[:, None, None] == torch.arange(len(W))


def by_assignment(W: torch.Tensor, xs: torch.Tensor) -> torch.Tensor:
    encoded = torch.zeros(len(xs), len(W))
    for i in range(len(xs)):
        encoded[i, xs[i]] = 1.0
    return (encoded[:, :, None] * W).sum(1)


def changing_its_copy(W: torch.Tensor, xs: torch.Tensor) -> torch.Tensor:
    return torch.nn.Embedding.from_pretrained(W.detach(), freeze=False)(xs)


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
            lambda W, xs: W.exp_()[xs],
            ["logits_by_row(W, [0, 5, 13, 13, 1]) changed W, which it was given"],
            IN_PLACE,
        ),
        (lambda W, xs: W[xs.unique()], ["should have shape (5, 27), received (4, 27)"], ""),
        (lambda W, xs: W[xs - 1], ["entry (0, 0) should be"], ""),
        (
            lambda W, xs: W[xs].squeeze(),
            ["W, [26]) should have shape (1, 27), received (27,)"],
            "One input gives a table, too: with one row.",
        ),
        (
            lambda W, xs: W[xs].T,
            ["should have shape (5, 27), received (27, 5)"],
            "Each row should hold the logits of one input: turn the result.",
        ),
        (
            lambda W, xs: W[xs].log_softmax(1),
            ["entry (0, 0) should be"],
            "These are log probabilities. Logits are the rows of W themselves.",
        ),
        (
            lambda W, xs: W[xs].reshape(len(xs), 27),
            ["(for W of shape (6, 4)) raised RuntimeError", "W[xs].reshape(len(xs), 27)"],
            "",
        ),
        (lambda W, xs: F.one_hot(xs, len(W)).float() @ W, ["one_hot is ruled out"], NO_ONE_HOT),
        (lambda W, xs: torch.eye(len(W))[xs] @ W, ["eye is ruled out"], NO_ONE_HOT),
        *[
            (answer, ["The answer makes a one-hot encoding of xs."], NO_ONE_HOT)
            for answer in (
                lambda W, xs: by_comparing(W, xs) @ W,
                lambda W, xs: (by_comparing(W, xs)[:, :, None] * W).sum(1),
                lambda W, xs: torch.zeros(len(xs), len(W)).scatter(1, xs[:, None], 1.0) @ W,
                lambda W, xs: torch.where(by_comparing(W, xs)[:, :, None] > 0, W, 0.0).sum(1),
                by_assignment,
            )
        ],
        *[
            (answer, [f"{name} is ruled out in this exercise."], NO_PRODUCT)
            for name, answer in (
                ("matmul", lambda W, xs: (W.T @ outside(W, xs)).T),
                ("mm", lambda W, xs: W.T.mm(outside(W, xs)).T),
                ("tensordot", lambda W, xs: torch.tensordot(outside(W, xs), W, ([0], [0]))),
                ("einsum", lambda W, xs: torch.einsum("rn,rc->nc", outside(W, xs), W)),
            )
        ],
        (
            lambda W, xs: np.eye(len(W))[xs.numpy()] @ W.detach().numpy(),
            ["with infinity in all other rows of W: entry (0, 0) should be", "received nan"],
            OTHER_ROWS,
        ),
        *[
            (answer, ["the result has no gradient, but W requires one"], GONE)
            for answer in (
                lambda W, xs: W.detach()[xs],
                lambda W, xs: [W[x].tolist() for x in xs],
                lambda W, xs: torch.tensor([W[x].tolist() for x in xs], requires_grad=True),
                lambda W, xs: torch.nn.Embedding.from_pretrained(W)(xs),
                changing_its_copy,
            )
        ],
        (
            lambda W, xs: W.numpy()[xs.numpy()],
            ["raised RuntimeError: Can't call numpy() on Tensor that requires grad", "W.numpy()"],
            LEAVES,
        ),
        (
            lambda W, xs: F.embedding(xs, W, padding_idx=13),
            ["The gradient of W after logits_by_row(W, [0, 5, 13, 13, 1]): entry (13, 0)"],
            "",
        ),
        *[
            (answer, ["The answer makes a one-hot encoding of xs."], NO_ONE_HOT)
            for answer in (
                lambda W, xs: torch.where(standing(W, xs), W, 0.0).sum(1),
                lambda W, xs: torch.where(standing(W, xs).expand(-1, -1, W.shape[1]), W, 0).sum(1),
                lambda W, xs: torch.where(by_columns(W, xs)[..., None] > 0, W[:, None], 0).sum(0),
                lambda W, xs: (by_columns(W, xs)[:, :, None] * W[:, None]).sum(0),
                lambda W, xs: torch.where(lying(W, xs), W.T, 0.0).sum(2),
            )
        ],
        (lambda W, xs: W[xs % 27], ["logits_by_row(W, [728, 27, 0, 53, 728]) (for W of"], ""),
        (
            lambda W, xs: F.one_hot(xs, len(W)).float() @ W if W.requires_grad else W[xs],
            ["one_hot is ruled out"],
            NO_ONE_HOT,
        ),
        (
            lambda W, xs: (by_comparing(W, xs)[..., None] * W).sum(1) if W.requires_grad else W[xs],
            ["The answer makes a one-hot encoding of xs."],
            NO_ONE_HOT,
        ),
    ],
)
def test_logits_by_row_wrong(answer: Answer, words: Sequence[str], hint: str) -> None:
    outcome(bigrams.logits_by_row(answer), *words, hint=hint)


# -- cross-entropy ----------------------------------------------------------------------


def picked(table: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    return table[torch.arange(len(ys)), ys]


def loss(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    return (logits.logsumexp(1) - picked(logits, ys)).mean()


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
    return loss(logits, ys)


def without_half_of_the_gradient(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    return (logits.logsumexp(1).detach() - picked(logits, ys)).mean()


def naive(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    counts = logits.exp()
    return -picked(counts / counts.sum(1, keepdim=True), ys).log().mean()


def summing_up(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    return (logits.exp().sum(1).log() - picked(logits, ys)).mean()


def shifted_by_the_largest_of_all(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    return naive(logits - logits.max(), ys)


def choosing_a_branch(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    plain = logits.exp().sum(1).log()
    top = logits.max(1).values
    shifted = top + (logits - top[:, None]).exp().sum(1).log()
    return (torch.where(plain.isfinite(), plain, shifted) - picked(logits, ys)).mean()


def with_nan_in_its_gradient(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    return loss(logits, ys) + (logits - logits.detach()).abs().sum().sqrt()


def on_changed_logits(logits: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    return loss(logits.exp_(), ys)


RANDOM = "cross_entropy(logits, ys) (for five rows of random logits): should be 3.94266"
CHANGED = "(for five rows of random logits) changed logits, which it was given"
OWN = "Write the loss yourself: log of the sum of exp, and an index."
TOO_SMALL = "Don't exponentiate and take the log again: a probability that rounds to 0 gives inf."
OVERFLOW = (
    "Subtract each row's maximum before you exponentiate. Otherwise, exp gives infinity or 0."
)
CAPPED = "A small number added to the probability caps the loss; work with the logits."
OTHER_BRANCH = "torch.where passes NaN back from the branch that it doesn't take, too."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda z, ys: -loss(z, ys),
            [RANDOM, "received -3.94266"],
            "The log of a probability is negative: put a minus in front.",
        ),
        (
            lambda z, ys: loss(z, ys) * len(ys),
            [RANDOM, "received 19.7"],
            "That is the sum. Take the mean over the examples.",
        ),
        (
            lambda z, ys: -z.log_softmax(1).mean(),
            [RANDOM],
            "Only the probability of the right character counts.",
        ),
        (
            lambda z, ys: -picked(z.log_softmax(0), ys).mean(),
            [RANDOM],
            "The softmax runs over the examples. It belongs to each row, dim 1.",
        ),
        (
            lambda z, ys: -picked(z.softmax(1), ys).mean(),
            [RANDOM, "received -0.0"],
            "Take the logarithm of the probability.",
        ),
        (
            lambda z, ys: loss(z.softmax(1), ys),
            [RANDOM, "received 3.29"],
            "Softmax was applied twice.",
        ),
        (
            naive,
            ["for five rows of random logits + 1000): should be 3.94266, received nan"],
            OVERFLOW,
        ),
        (
            lambda z, ys: (z.exp().sum(1).log() - picked(z, ys)).mean(),
            ["for five rows of random logits + 1000): should be 3.94266, received inf"],
            OVERFLOW,
        ),
        (
            lambda z, ys: -picked(z.softmax(1), ys).log().mean(),
            ["for five rows of random logits × 1000): should be", "received inf"],
            TOO_SMALL,
        ),
        (
            lambda z, ys: (
                -(z.softmax(1).log() * F.one_hot(ys, z.shape[1])).sum(1).mean()
            ),  # 0 · log 0
            ["for five rows of random logits × 1000): should be", "received nan"],
            TOO_SMALL,
        ),
        (
            lambda z, ys: -(picked(z.softmax(1), ys) + 1e-12).log().mean(),
            ["for five rows of random logits × 1000): should be", "received 22.1"],
            CAPPED,
        ),
        *[
            (answer, ["for five rows of random logits × 1000): should be", "received "], CAPPED)
            for answer in (
                lambda z, ys: -picked((z.softmax(1) + 1e-10).log(), ys).mean(),
                lambda z, ys: -picked(z.softmax(1), ys).clamp(min=1e-8).log().mean(),
                lambda z, ys: -picked(z.softmax(1).clamp(1e-7, 1 - 1e-7), ys).log().mean(),
                lambda z, ys: -(picked(z.float().softmax(1), ys) + 1e-9).log().mean(),
            )
        ],
        (lambda z, ys: -(picked(z.softmax(1), ys) + 1e-5).log().mean(), [RANDOM], CAPPED),
        *[
            (
                answer,
                ["for five rows of random logits × 1000): should be 2249.15, received "],
                OVERFLOW,
            )
            for answer in (
                lambda z, ys: naive(z - z.mean(1, keepdim=True), ys),
                lambda z, ys: naive(z - z.min(1, keepdim=True).values, ys),
                lambda z, ys: summing_up(z - z.mean(1, keepdim=True), ys),
                lambda z, ys: summing_up(z - z.min(1, keepdim=True).values, ys),
            )
        ],
        (lambda z, ys: loss(z[:-1], ys[:-1]), [RANDOM], ""),
        (lambda z, ys: loss(z[1:], ys[1:]), [RANDOM], ""),
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
            ["for five rows of random logits × 1000): should be", "received -inf"],
            OVERFLOW,
        ),
        (
            shifted_by_the_largest_of_all,
            ["for five rows of random logits × 1000): should be", "received nan"],
            OVERFLOW,
        ),
        (on_changed_logits, [CHANGED], IN_PLACE),
        (shifting_in_place, [CHANGED], IN_PLACE),
        (
            lambda z, ys: -(picked(z.softmax(1), ys).log2()).mean(),
            [RANDOM, "received 5.68"],
            "That is in bits: log2. The natural logarithm, log, gives nats.",
        ),
        (
            lambda z, ys: -picked(z.softmax(1), ys).log10().mean(),
            [RANDOM, "received 1.71"],
            "That is log10. The loss takes the natural logarithm, log.",
        ),
        (
            lambda z, ys: loss(z, ys).exp(),
            [RANDOM, "received 51."],
            "That is the perplexity. Leave out the last exp.",
        ),
        (
            lambda z, ys: -z.log_softmax(1).sum(1).mean(),
            [RANDOM],
            "Only the probability of the right character counts.",
        ),
        (
            lambda z, ys: picked(z.softmax(1), ys).mean(),
            [RANDOM, "received 0.0"],
            "Take the logarithm of the probability.",
        ),
        (
            lambda z, ys: -picked(z.softmax(1), ys).mean().log(),
            [RANDOM],
            "Take the logarithm first, and then the mean.",
        ),
        (
            lambda z, ys: -picked(z.log_softmax(1), ys),
            ["should have shape (), received (5,)"],
            "That is the loss of each example. Take the mean over them.",
        ),
        (lambda z, ys: loss(z, ys) * 1j, ["real numbers, received torch.complex"], ""),
        (F.cross_entropy, ["cross_entropy is ruled out in this exercise"], OWN),
        (lambda z, ys: F.cross_entropy(z, ys), ["cross_entropy is ruled out"], OWN),
        (
            lambda z, ys: torch.nn.CrossEntropyLoss()(z, ys),
            ["cross_entropy is ruled out in this exercise"],
            OWN,
        ),
        (lambda z, ys: F.nll_loss(z.log_softmax(1), ys), ["nll_loss is ruled out"], OWN),
        *[
            (answer, ["the result has no gradient, but logits requires one"], GONE)
            for answer in (
                with_floats,
                lambda z, ys: loss(z, ys).item(),
                lambda z, ys: loss(z.detach(), ys),
                lambda z, ys: loss(z, ys).detach(),
                lambda z, ys: torch.tensor(loss(z, ys).item(), requires_grad=True),
                torch.no_grad()(loss),
            )
        ],
        (
            with_numpy,
            ["raised RuntimeError: Can't call numpy() on Tensor that requires grad"],
            LEAVES,
        ),
        (without_half_of_the_gradient, ["The gradient of logits after cross_entropy"], ""),
        (
            choosing_a_branch,
            ["The gradient of logits after cross_entropy(logits, ys) (for five rows", "nan"],
            OTHER_BRANCH,
        ),
        (
            with_nan_in_its_gradient,
            ["The gradient of logits after cross_entropy(logits, ys) (for five rows", "nan"],
            "",
        ),
        (
            lambda z, ys: F.cross_entropy(z, ys) if z.requires_grad else loss(z, ys),
            ["cross_entropy is ruled out in this exercise"],
            OWN,
        ),
        (
            lambda z, ys: loss(z, ys) if len(z) <= z.shape[1] else loss(z.T, ys),
            ["(for nine rows of four logits) raised IndexError"],
            "",
        ),
        (
            lambda z, ys: loss(z[: z.shape[1]], ys[: z.shape[1]]),
            ["(for nine rows of four logits): should be"],
            "",
        ),
        (
            lambda z, ys: naive(z, ys) if z.abs().max() < 500 else loss(z, ys),
            ["(for nine rows of four logits of type float32, + 100): should be", "received nan"],
            OVERFLOW,
        ),
        (
            lambda z, ys: naive(z, ys) if z.min() < -180 and z.max() < 0 else loss(z, ys),
            ["- 1000): should be"],
            OVERFLOW,
        ),
        (
            lambda z, ys: naive(z, ys) if -900 < z.min() < -180 else loss(z, ys),
            ["(for nine rows of four logits of type float32, - 200): should be"],
            OVERFLOW,
        ),
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
