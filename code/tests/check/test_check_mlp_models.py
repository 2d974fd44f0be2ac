"""The checks of chapter 3's models: right answers of several kinds, and known mistakes."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.bigrams import CountingModel, V, context_codes
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


BOTH = "The logits are too large: scale W2 down, and set b2 to zero."
WEIGHTS = "The logits are too large: scale W2 down."
FURTHER = "That is the right direction, and not far enough: scale W2 down further."
BIAS = "W2 is small enough. The numbers in b2 make the logits differ: set them to zero."
ALIKE = "Then all contexts look alike to the hidden layer. Scale the output layer."
ROWS = "Characters that start alike look alike to the network. Scale the output layer."
COLUMNS = "Neurons that start alike do the same work. Scale the output layer."
GENERATOR = "Draw all weights with the generator that is given."


def filled(generator: torch.Generator, **values: float) -> MLP:
    model = MLP(generator)
    for name, value in values.items():
        getattr(model, name).fill_(value)
    return model


def symmetric(generator: torch.Generator) -> MLP:
    """Give two neurons the same weights."""
    model = scaled(generator, W2=0.01, b2=0)
    model.W1[:, 1] = model.W1[:, 0]
    return model


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (MLP, ["seed 1", "less than 0.05 from 3.2958, received 2"], BOTH),
        (lambda g: scaled(g, W2=0.01), ["from 3.2958, received 3.6"], BIAS),
        (lambda g: scaled(g, b2=0), ["from 3.2958, received"], WEIGHTS),
        (lambda g: scaled(g, W2=0.1, b2=0), ["from 3.2958, received"], FURTHER),
        (lambda g: scaled(g, W2=0.5, b2=0), ["from 3.2958, received"], FURTHER),
        (lambda g: scaled(g, W2=0.1), ["from 3.2958, received"], BOTH),
        (lambda g: scaled(g, W1=0.01, b1=0), ["from 3.2958, received"], BOTH),
        (lambda g: scaled(g, W2=math.nan), ["received nan"], ""),
        (lambda g: scaled(g, C=0, W1=0, b1=0, W2=0, b2=0), ["1): C is all zeros"], ALIKE),
        (lambda g: scaled(g, W1=0, W2=0.01, b2=0), ["1): W1 is all zeros"], ALIKE),
        (lambda g: scaled(g, C=0, W2=0.01, b2=0), ["1): C is all zeros"], ALIKE),
        (lambda g: filled(g, C=0.1, W1=0.1, W2=0.1, b2=0.1), ["some rows of C are"], ROWS),
        (lambda g: filled(g, W1=0.1, W2=0, b2=0), ["some columns of W1 are"], COLUMNS),
        (symmetric, ["some columns of W1 are the same"], COLUMNS),
        (lambda g: scaled(g, W2=0.01, b2=0).parameters(), ["return an MLP, received list"], ""),
        (lambda g: MLP, ["should return an MLP, received type"], ""),
        (lambda g: MLP(g, block_size=4), ["return a model that reads three characters"], ""),
        (
            lambda g: scaled(seeded(1), W2=0, b2=0),
            ["C: another seed should give other weights."],
            GENERATOR,
        ),
        (
            lambda g: redrawn(scaled(g, W2=0, b2=0)),
            ["W1: the same seed should give the same weights."],
            GENERATOR,
        ),
    ],
)
def test_uniform_start_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(mlp.uniform_start(answer), *words, hint=hint)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def redrawn(model: MLP) -> MLP:
    model.W1.normal_()  # without a generator
    return model


def test_uniform_start_of_a_model_that_fails() -> None:
    def broken(generator: torch.Generator) -> MLP:
        model = MLP(generator)
        model.W2 = model.W2[:5]
        return model

    outcome(
        mlp.uniform_start(broken),
        "uniform_start(generator with seed 1): W2 should be a tensor of shape (200, 27), "
        "received shape (5, 27).",
    )


class Zeros(MLP):
    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(X), V)


def with_values(generator: torch.Generator, **values: Any) -> MLP:
    model = scaled(generator, W2=0.01, b2=0)
    for name, value in values.items():
        setattr(model, name, value)
    return model


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda g: with_values(g, b2=0), "b2 should be a tensor of shape (27,), received 0."),
        (lambda g: with_values(g, b2=torch.tensor(0.0)), "of shape (27,), received shape ()."),
        (lambda g: with_values(g, b2=torch.zeros(1)), "of shape (27,), received shape (1,)."),
        (lambda g: MLP(g, n_hidden=1), "W1 should be a tensor of shape (30, 200), received shape"),
        (lambda g: MLP(g, n_hidden=10), "W1 should be a tensor of shape (30, 200)"),
        (lambda g: MLP(g, n_embd=1), "C should be a tensor of shape (27, 10)"),
        (lambda g: MLP(g, vocab_size=28), "C should be a tensor of shape (27, 10)"),
        (Zeros, "should return an MLP itself, not an object of a subclass."),
    ],
)
def test_uniform_start_of_another_shape(answer: Answer, words: str) -> None:
    outcome(mlp.uniform_start(answer), words)


def with_global_seed(generator: torch.Generator) -> MLP:
    torch.manual_seed(42)
    return with_values(generator, W2=0.01 * torch.randn(200, 27))


def with_numpy_seed(generator: torch.Generator) -> MLP:
    W2 = np.random.default_rng(0).normal(size=(200, 27)) * 0.01
    return with_values(generator, W2=torch.tensor(W2, dtype=torch.float32))


@pytest.mark.parametrize(
    "answer",
    [
        with_global_seed,
        with_numpy_seed,
        lambda g: with_values(g, W2=0.01 * torch.randn(200, 27, generator=seeded(3))),
    ],
)
def test_uniform_start_with_another_source_of_random_numbers(answer: Answer) -> None:
    with torch.random.fork_rng():
        outcome(mlp.uniform_start(answer), "W2: another seed should give", hint=GENERATOR)


def test_uniform_start_that_seeds_the_generator() -> None:
    hint = "Draw with the generator as it is. Don't seed it, or one of your own."
    outcome(
        mlp.uniform_start(lambda g: with_values(g.manual_seed(g.initial_seed()))),
        "C is the same with a generator that has been used before.",
        hint=hint,
    )


# -- exercise 4: direct connections --------------------------------------------------------


def hidden(model: MLP, X: torch.Tensor) -> torch.Tensor:
    return torch.tanh(model.C[X].flatten(1) @ model.W1 + model.b1)


def direct(model: MLP, W3: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    return model.C[X].flatten(1) @ W3


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda m, W3, X: m(X),
            ["(model, W3, X) with n_embd = 4 and X of shape (5, 3)", "(135 of 135 differ)"],
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
        (
            lambda m, W3, X: (
                m.C[X].flatten(1) @ m.W1 @ m.W2 + m.b1 @ m.W2 + m.b2 + direct(m, W3, X)
            ),
            ["should be", "received"],
            "The hidden layer needs its tanh: between W1 and W2.",
        ),
        (
            lambda m, W3, X: torch.tanh(m(X) + direct(m, W3, X)),
            ["should be", "received"],
            "Logits may have any size: no tanh after the output layer.",
        ),
        (
            lambda m, W3, X: (m(X) + direct(m, W3, X)).softmax(1),
            ["should be", "received"],
            "Those are probabilities. Return the logits: no softmax.",
        ),
        (
            lambda m, W3, X: F.log_softmax(m(X) + direct(m, W3, X), 1),
            ["should be", "received"],
            "Return the logits themselves: no log_softmax.",
        ),
        (
            lambda m, W3, X: m(X) + m.b2 + direct(m, W3, X),
            ["should be", "received"],
            "The bias b2 is added twice.",
        ),
        (
            lambda m, W3, X: torch.tanh(m.C[X].flatten(1) @ m.W1) @ m.W2 + m.b2 + direct(m, W3, X),
            ["should be", "received"],
            "The bias b1 is missing.",
        ),
        (lambda m, W3, X: m(X) + m.C[X].view(-1, 30) @ W3, ["raised RuntimeError"], ""),
        (lambda m, W3, X: m(X) + 2 * direct(m, W3, X), ["entry (0, 0) should be"], ""),
        (lambda m, W3, X: (m(X) + direct(m, W3, X))[:1], ["shape (5, 27), received (1, 27)"], ""),
        (lambda m, W3, X: m(X) + m.C[X] @ W3, ["raised RuntimeError"], ""),
    ],
)
def test_direct_connections_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(mlp.direct_connections(answer), *words, hint=hint)


NEW = "Keep intermediate results in new variables."


@pytest.mark.parametrize("name", ["C", "W1", "b1", "W2", "b2"])
def test_direct_connections_that_change_the_model(name: str) -> None:
    def answer(model: MLP, W3: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
        result = model(X) + direct(model, W3, X)
        getattr(model, name).mul_(2)
        return result

    changed = f"changed {name} of the model, which should stay as it is."
    outcome(mlp.direct_connections(answer), changed, hint=NEW)


def right_connections(model: MLP, W3: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    return model(X) + direct(model, W3, X)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda m, W3: setattr(m, "W3", W3), "W3"),
        (lambda m, W3: setattr(m, "block_size", 99), "block_size"),
        (lambda m, W3: setattr(m, "C", m.C.clone()), "C"),
        (lambda m, W3: m.W1.requires_grad_(), "W1"),
        (lambda m, W3: m.b2.resize_(3, 9), "b2"),
        (lambda m, W3: m.b2.add_(W3.sum()), "b2"),
        (lambda m, W3: delattr(m, "b1"), "b1"),
    ],
)
def test_direct_connections_that_change_an_attribute(change: Answer, name: str) -> None:
    def answer(model: MLP, W3: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
        result = right_connections(model, W3, X)
        change(model, W3)
        return result

    changed = f"changed {name} of the model, which should stay as it is."
    outcome(mlp.direct_connections(answer), changed, hint=NEW)


@pytest.mark.parametrize(
    "answer",
    [
        lambda m, W3, X: hidden(m, X)[:, :200] @ m.W2[:200] + m.b2 + direct(m, W3, X),
        lambda m, W3, X: (
            m(X) + m.C[X][..., :10].flatten(1) @ W3.view(3, -1, V)[:, :10].flatten(0, 1)
        ),
        lambda m, W3, X: m(X) + m.C[X].flatten(1)[:, :30] @ W3[:30],
    ],
)
def test_direct_connections_of_larger_models(answer: Answer) -> None:
    outcome(mlp.direct_connections(answer), "with n_embd = 12 and X of shape (3, 3): entry")


CUT = "Compute with the tensors themselves, in PyTorch, where autograd can follow."
LET = "Does each path to the logits let autograd through?"


@torch.no_grad()
def without_gradients(model: MLP, W3: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    return right_connections(model, W3, X)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (lambda m, W3, X: right_connections(m, W3.data, X), "no gradient arrives at W3", CUT),
        (lambda m, W3, X: right_connections(m, W3.detach(), X), "no gradient arrives at W3", CUT),
        (
            lambda m, W3, X: right_connections(m, torch.nn.Parameter(W3), X),
            "no gradient arrives at W3, so training would leave it as it is.",
            CUT,
        ),
        (without_gradients, "no gradient arrives at W3", CUT),
        (lambda m, W3, X: right_connections(m, W3, X).detach(), "no gradient arrives at W3", CUT),
        (lambda m, W3, X: m(X).detach() + direct(m, W3, X), "no gradient arrives at W2", CUT),
        (
            lambda m, W3, X: m(X) + m.C.detach()[X].flatten(1) @ W3,
            "the logits are right, but the gradient that arrives at C is not.",
            LET,
        ),
        (
            lambda m, W3, X: right_connections(m, W3, X).detach().numpy(),
            "should be a tensor, received array",
            "",
        ),
        (lambda m, W3, X: list(right_connections(m, W3, X)), "should be a tensor, re", ""),
    ],
)
def test_direct_connections_that_can_not_be_trained(answer: Answer, words: str, hint: str) -> None:
    outcome(mlp.direct_connections(answer), words, hint=hint)


# -- exercise 5: beat the lecture ----------------------------------------------------------

SEEN = "Train on the training words alone. The dev words are for decisions."
UNTRAINED = "A uniform guess has 3.30. Has the model been trained?"
WEAK = "Is it trained to the end?"


@cache
def parts() -> tuple[list[str], list[str], list[str]]:
    return split_words(NAMES.read_text(encoding="utf-8").split())


@cache
def counting(which: str = "train", order: int = 4, smoothing: float = 0.1) -> Answer:
    """Return a model that counts in some parts of the words."""
    words = [
        w for name, part in zip(("train", "dev", "test"), parts()) for w in part * (name in which)
    ]
    fitted = CountingModel(order, smoothing=smoothing).fit(words)
    return lambda X: fitted.log_probabilities(context_codes(X[:, 4 - order :], V))


def test_beat_the_lecture_right() -> None:
    X, Y = build_contexts(parts()[1])
    loss = F.cross_entropy(counting()(X), Y).item()
    verdict = mlp.beat_the_lecture(lambda X: counting()(X).float() + 5.0)
    assert verdict
    assert f"The dev loss is {loss:.4f}, below 2.18." in verdict.message


def test_beat_the_lecture_just_so() -> None:
    """The chapter's own model passes with this little, so the praise asks for more."""
    closer = "The chapter's own model gets that far: aim for at least 0.015 less."
    X, Y = build_contexts(parts()[1])

    def flatter(share: float) -> Answer:
        return lambda X: (counting()(X).exp() * (1 - share) + share / V).log()

    for share, near in ((0.0, False), (0.16, False), (0.19, True)):
        loss = F.cross_entropy(flatter(share)(X), Y).item()
        assert (loss > 2.165) == near
        verdict = mlp.beat_the_lecture(flatter(share))
        assert verdict
        assert (closer in verdict.message) == near


@pytest.mark.parametrize("which", ["dev", "train dev", "dev test", "train dev test"])
@pytest.mark.parametrize("smoothing", [0.01, 0.1])
def test_beat_the_lecture_with_a_model_of_the_dev_words(which: str, smoothing: float) -> None:
    outcome(
        mlp.beat_the_lecture(counting(which, 4, smoothing)),
        "trained on the dev words.",
        hint=SEEN,
    )


def test_beat_the_lecture_with_a_little_of_dev() -> None:
    """Also where the loss is one that honest models reach."""
    outcome(
        mlp.beat_the_lecture(counting("train dev", 4, 1.0)),
        "The dev loss is 2.1021, but the model does clearly worse on the test words",
        hint=SEEN,
    )

    def knows_a_part(X: torch.Tensor) -> torch.Tensor:
        probs = 0.96 * counting()(X).exp() + 0.04 * counting("dev", 4, 0.01)(X).exp()
        return probs.log()

    outcome(
        mlp.beat_the_lecture(knows_a_part),
        "but the model does clearly worse on the test words",
        hint=SEEN,
    )


def test_beat_the_lecture_with_a_list_of_the_answers() -> None:
    Y = build_contexts(parts()[1])[1]
    outcome(mlp.beat_the_lecture(lambda X: 9.0 * F.one_hot(Y, V)), "should have shape", hint="")


def test_beat_the_lecture_never_shows_the_test_loss() -> None:
    X, Y = build_contexts(parts()[2])
    for which in ("train", "train dev"):
        model = counting(which)
        loss = F.cross_entropy(model(X), Y).item()
        assert f"{loss:.3f}" not in repr(mlp.beat_the_lecture(model))


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (lambda X: torch.zeros(len(X), 27), ["below 2.18, received 3.2958"], UNTRAINED),
        (MLP(torch.Generator()), ["should be below 2.18"], UNTRAINED),
        (counting(order=2), ["should be below 2.18, received 2.47"], WEAK),
        (counting(order=3), ["should be below 2.18, received 2.24"], WEAK),
        (
            lambda X: counting()(X).exp(),
            ["returned probabilities: each row adds up to 1."],
            "Return the logits, as they are before softmax.",
        ),
        (lambda X: counting()(X) * math.nan, ["entries that are not"], "Did the training diverge?"),
        (
            lambda X: counting()(X).index_fill(0, torch.tensor(7), math.inf),
            ["entries that are not finite"],
            "Did the training diverge?",
        ),
        (
            counting(smoothing=0.0),
            ["The dev loss is infinite: the model rules out characters that do occur."],
            "",
        ),
        (lambda X: counting()(X).index_fill(0, torch.tensor(7), -math.inf), ["is infinite"], ""),
        (lambda X: counting()(X)[:-1], ["have shape (22949, 27), received (22948, 27)."], ""),
        (lambda X: F.cross_entropy(counting()(X), X[:, 0]), ["received ()."], ""),
        (
            MLP(torch.Generator(), block_size=5),
            ["The model reads contexts of 5 characters. It should read 3."],
            "",
        ),
        (
            lambda X: MLP(torch.Generator(), block_size=5)(X),
            ["raised RuntimeError"],
            "X holds contexts of three characters: a tensor of ids, one context a row.",
        ),
        (
            lambda X: counting()(X.fill_(0)),
            ["changed X"],
            "+=, an index on the left of =, and methods that end in _ change the tensor itself.",
        ),
    ],
)
def test_beat_the_lecture_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(mlp.beat_the_lecture(answer), *words, hint=hint)


def test_the_bound_follows_the_edition(monkeypatch: pytest.MonkeyPatch) -> None:
    assert networks.dev_loss_to_beat() == 2.18
    monkeypatch.setattr(networks, "edition", lambda _: "lecture")
    assert networks.dev_loss_to_beat() == 2.17


ITSELF = "Each row is judged by itself, and without dropout."


def peeking(X: torch.Tensor) -> torch.Tensor:
    return counting(order=3)(X) + 0.2 * F.one_hot(torch.roll(X[:, -1], -1), V)


def dropping(X: torch.Tensor) -> torch.Tensor:
    return F.dropout(counting()(X), 0.1)


def centered(X: torch.Tensor) -> torch.Tensor:
    logits = counting()(X)
    return logits - logits.mean(0)


@pytest.mark.parametrize("answer", [peeking, dropping, centered])
def test_beat_the_lecture_with_rows_that_depend_on_others(answer: Answer) -> None:
    outcome(
        mlp.beat_the_lecture(answer),
        "The logits of a row of X depend on the other rows, or change from call to call.",
        hint=ITSELF,
    )


def test_beat_the_lecture_in_another_order() -> None:
    """Peeking gains nothing, not even where it is not seen: the rows are shuffled."""
    X, Y = networks._examples(tuple(networks.names()))[1]
    assert not torch.equal(X, build_contexts(parts()[1], 3)[0])
    assert (X[1:, -1] == Y[:-1]).float().mean() < 0.15


@pytest.mark.parametrize("smoothing", [0.05, 0.1, 0.3])
def test_beat_the_lecture_with_the_test_words(smoothing: float) -> None:
    outcome(
        mlp.beat_the_lecture(counting("train test", 4, smoothing)),
        "The model does clearly better on names that it should not know than on dev: "
        "has it been trained with the test words?",
        hint="Train on the training words alone. The test words are for the end.",
    )


def test_beat_the_lecture_with_a_little_of_test() -> None:
    def knows_a_part(X: torch.Tensor) -> torch.Tensor:
        probs = 0.92 * counting()(X).exp() + 0.08 * counting("test", 4, 0.01)(X).exp()
        return probs.log()

    outcome(
        mlp.beat_the_lecture(knows_a_part),
        "has it been trained with the test words?",
        hint="Train on the training words alone. The test words are for the end.",
    )


def mixed(X: torch.Tensor) -> torch.Tensor:
    probs = [counting("train dev test", order, 0.1)(X).exp() for order in (3, 4)]
    return (0.5 * probs[0] + 0.5 * probs[1]).log()


@pytest.mark.parametrize("answer", [counting("train dev test", 4, 1.0), mixed])
def test_beat_the_lecture_with_all_words(answer: Answer) -> None:
    outcome(
        mlp.beat_the_lecture(answer),
        "but the model does as well on the dev words as on those it was trained with: has it seen",
        hint=SEEN,
    )


def test_beat_the_lecture_with_what_is_no_model() -> None:
    expected = "Expected a model that can be called with contexts, received 5."
    outcome(mlp.beat_the_lecture(5), expected)
    instance = "Pass an instance of it, which has been trained."
    outcome(mlp.beat_the_lecture(MLP), "MLP is the class.", hint=instance)


@pytest.mark.filterwarnings("error")
def test_beat_the_lecture_with_complex_logits() -> None:
    outcome(
        mlp.beat_the_lecture(lambda X: counting()(X) + 0j),
        "should hold real numbers, received torch.complex",
    )
