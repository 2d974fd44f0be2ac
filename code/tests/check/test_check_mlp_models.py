"""The checks of chapter 3's models: right answers of several kinds, and known mistakes."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.bigrams import CountingModel
from zerotohero.check import mlp
from zerotohero.check.mlp import networks
from zerotohero.mlp import MLP, build_contexts, split_words

NAMES = Path(__file__).parents[2].joinpath("zerotohero", "data", "names-ssa-2018.txt")
Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("embedded_names")


# -- exercise 3: a sensible first loss -----------------------------------------------------


def scaled(generator: torch.Generator, **factors: float) -> MLP:
    model = MLP(generator)
    for name, factor in factors.items():
        setattr(model, name, getattr(model, name) * factor)
    return model


@pytest.mark.parametrize(
    "factors", [{"W2": 0.01, "b2": 0}, {"W2": 0, "b2": 0}, {"W2": 0.005, "b2": 0.01, "W1": 0.2}]
)
def test_uniform_start_right(factors: dict[str, float]) -> None:
    assert mlp.uniform_start(lambda generator: scaled(generator, **factors))


def test_uniform_start_of_another_size_right() -> None:
    def answer(generator: torch.Generator) -> MLP:
        model = MLP(generator, n_hidden=30)
        model.W2 = model.W2.mul_(1e-3).requires_grad_()
        model.b2.fill_(7.0)  # equal for all
        return model

    assert mlp.uniform_start(answer)


TOO_LARGE = "The logits are too large: scale W2 down, and set b2 to zero."
ALIKE = "Then all contexts look alike to the hidden layer. Scale the output layer."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (MLP, ["seed 1", "near 3.2958, received 2"], TOO_LARGE),
        (lambda g: scaled(g, W2=0.01), ["near 3.2958, received 3.6"], TOO_LARGE),
        (lambda g: scaled(g, b2=0), ["near 3.2958, received"], TOO_LARGE),
        (lambda g: scaled(g, W1=0.01, b1=0), ["near 3.2958, received"], TOO_LARGE),
        (lambda g: scaled(g, W2=math.nan), ["received nan"], TOO_LARGE),
        (lambda g: scaled(g, C=0, W1=0, b1=0, W2=0, b2=0), ["C or W1 is all zeros"], ALIKE),
        (lambda g: scaled(g, W1=0, W2=0.01, b2=0), ["C or W1 is all zeros"], ALIKE),
        (lambda g: scaled(g, C=0, W2=0.01, b2=0), ["C or W1 is all zeros"], ALIKE),
        (lambda g: scaled(g, W2=0.01, b2=0).parameters(), ["return an MLP, received list"], ""),
        (lambda g: MLP, ["should return an MLP, received type"], ""),
        (lambda g: MLP(g, block_size=4), ["cannot be checked: RuntimeError"], ""),
    ],
)
def test_uniform_start_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(mlp.uniform_start(answer), *words, hint=hint)


# -- exercise 4: direct connections --------------------------------------------------------


def hidden(model: MLP, X: torch.Tensor) -> torch.Tensor:
    return torch.tanh(model.C[X].flatten(1) @ model.W1 + model.b1)


def direct(model: MLP, W3: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    return model.C[X].flatten(1) @ W3


def stacked(model: MLP, W3: torch.Tensor, X: torch.Tensor) -> np.ndarray:
    """Join hidden values, embeddings and a one, and the weights likewise."""
    inputs = torch.cat([hidden(model, X), model.C[X].flatten(1), torch.ones(len(X), 1)], 1)
    return (inputs @ torch.cat([model.W2, W3, model.b2[None]])).numpy()


@pytest.mark.parametrize(
    "answer",
    [lambda model, W3, X: model(X) + direct(model, W3, X), stacked],
)
def test_direct_connections_right(answer: Answer) -> None:
    assert mlp.direct_connections(answer)
    assert mlp.direct_connections(lambda *args: torch.as_tensor(answer(*args)).double())


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda m, W3, X: m(X),
            ["(model, W3, X), for five contexts", "(135 of 135 differ)"],
            "W3 goes unused: add the embeddings times W3.",
        ),
        (
            direct,
            ["should be", "received"],
            "The hidden layer is missing: the connections are added to its logits.",
        ),
        (
            lambda m, W3, X: m(X) + direct(m, W3, X).tanh(),
            ["should be", "received"],
            "The direct path is linear: no tanh.",
        ),
        (
            lambda m, W3, X: hidden(m, X) @ m.W2 + direct(m, W3, X),
            ["should be", "received"],
            "The bias b2 is missing.",
        ),
        (lambda m, W3, X: m(X) + 2 * direct(m, W3, X), ["entry (0, 0) should be"], ""),
        (lambda m, W3, X: (m(X) + direct(m, W3, X))[:1], ["shape (5, 27), received (1, 27)"], ""),
        (lambda m, W3, X: m(X) + m.C[X] @ W3, ["raised RuntimeError"], ""),
    ],
)
def test_direct_connections_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(mlp.direct_connections(answer), *words, hint=hint)


# -- exercise 5: beat the lecture ----------------------------------------------------------


@pytest.fixture(scope="module")
def good() -> Answer:
    """Return a model that knows the dev words by heart."""
    _, dev, _ = split_words(NAMES.read_text(encoding="utf-8").split())
    counting = CountingModel(4, smoothing=0.001).fit(dev)
    place = torch.tensor([27 * 27, 27, 1])
    return lambda X: counting.log_probabilities((X * place).sum(1))


def test_beat_the_lecture_right(good: Answer) -> None:
    X, Y = build_contexts(split_words(NAMES.read_text(encoding="utf-8").split())[1])
    loss = -good(X).softmax(1)[torch.arange(len(Y)), Y].log().mean().item()
    assert loss < 2.17
    for answer in (good, lambda X: good(X).float() + 5.0, lambda X: good(X).requires_grad_()):
        verdict = mlp.beat_the_lecture(answer)
        assert verdict
        assert f"The dev loss is {loss:.4f}, below" in verdict.message


def test_beat_the_lecture_wrong(good: Answer) -> None:
    untrained = "Is it trained to the end?"
    outcome(
        mlp.beat_the_lecture(lambda X: torch.zeros(len(X), 27)),
        "should be below 2.17, received 3.2958",
        hint=untrained,
    )
    outcome(mlp.beat_the_lecture(MLP(torch.Generator())), "should be below 2.17", hint=untrained)
    outcome(mlp.beat_the_lecture(lambda X: good(X).exp()), "should be below 2.17", hint=untrained)
    outcome(mlp.beat_the_lecture(lambda X: good(X) * math.nan), "received nan", hint=untrained)


def test_beat_the_lecture_with_no_logits(good: Answer) -> None:
    N = len(build_contexts(split_words(networks.names())[1])[0])
    outcome(
        mlp.beat_the_lecture(lambda X: good(X)[:-1]),
        f"model(X_dev) should have shape ({N}, 27), received ({N - 1}, 27).",
    )
    outcome(
        mlp.beat_the_lecture(lambda X: F.cross_entropy(good(X), X[:, 0])),
        f"should have shape ({N}, 27), received ().",
    )
    outcome(
        mlp.beat_the_lecture(lambda X: good(X).numpy()), "should be a tensor, received ndarray."
    )
    outcome(mlp.beat_the_lecture(MLP(torch.Generator(), block_size=4)), "raised RuntimeError")
