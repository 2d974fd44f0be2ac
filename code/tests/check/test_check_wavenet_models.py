"""The checks of chapter 6's counts, gated units and models: known mistakes, the hint for each."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from check_answers import outcome
from torch import nn

from zerotohero.bigrams import LETTERS, CountingModel, V
from zerotohero.check import wavenet
from zerotohero.check.wavenet import challenge
from zerotohero.mlp import split_words
from zerotohero.wavenet import hierarchical

NAMES = Path(__file__).parents[2].joinpath("zerotohero", "data", "names-ssa-2018.txt")
Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("embedded_names", "one_thread")


# -- multiplications -----------------------------------------------------------------------


def counted(
    contexts: int, levels: int, n_embd: int, n_hidden: int, mistake: str = ""
) -> list[float]:
    """Count level by level, perhaps with a mistake."""
    tree = slid = 0.0
    characters = contexts + 2**levels - 1
    for level in range(1, levels + 1):
        width = n_embd if level == 1 else n_hidden
        if mistake in ("n_embd", "n_hidden"):
            width = n_embd if mistake == "n_embd" else n_hidden
        rows = 1 if mistake == "rows" else 2
        nodes = {"one_node": 1, "upside_down": 2 ** (level - 1)}.get(mistake, 2 ** (levels - level))
        tree += contexts * nodes * rows * width * n_hidden
        length = contexts + 2**levels - 2**level
        wrong = {"short": contexts, "characters": characters, "read": length + 2 ** (level - 1)}
        slid += wrong.get(mistake, length) * rows * width * n_hidden
    outputs = contexts * n_hidden * 27
    tree += 0 if mistake == "no_output" else outputs
    slid += 0 if mistake in ("no_output", "no_output_of_the_convolution") else outputs
    if mistake == "one_context":
        tree /= contexts
    return [tree, slid]


SHORTER = "The sequence gets shorter with every level: count what a level returns."
ONE_MATRIX = "The first level reads embeddings, the others read hidden vectors."


@pytest.mark.parametrize(
    ("mistake", "entry", "hint"),
    [
        ("no_output", 0, "The output layer multiplies, too."),
        ("no_output_of_the_convolution", 1, "The output layer multiplies, too."),
        ("one_context", 0, "That is one context. There are several."),
        ("one_node", 0, "A level has many nodes: half as many as the level below."),
        ("upside_down", 0, "The first level has the most nodes, the last has one."),
        ("rows", 0, "A matrix has twice as many rows: two vectors come in, side by side."),
        ("n_embd", 0, ONE_MATRIX),
        ("n_hidden", 0, ONE_MATRIX),
        ("short", 1, "The lower levels are longer: they reach into the dots."),
        ("characters", 1, SHORTER),
        ("read", 1, SHORTER),
    ],
)
def test_multiplications_wrong(mistake: str, entry: int, hint: str) -> None:
    verdict = wavenet.multiplications(lambda *args: counted(*args, mistake))
    words = f"multiplications(5, 3, 24, 128): entry {entry}"
    outcome(verdict, words, hint=hint)


def test_multiplications_with_the_output_at_every_character() -> None:
    def answer(contexts: int, levels: int, n_embd: int, n_hidden: int) -> list[float]:
        tree, slid = counted(contexts, levels, n_embd, n_hidden, "characters")
        return [tree, slid + (2**levels - 1) * n_hidden * 27]

    outcome(wavenet.multiplications(answer), "entry 1", hint=SHORTER)


@pytest.mark.parametrize(("mistake", "hint"), [("rows", "rows"), ("n_embd", ""), ("n_hidden", "")])
def test_multiplications_wrong_in_the_convolution_alone(mistake: str, hint: str) -> None:
    hint = "A matrix has twice as many rows: two vectors come in, side by side." if hint else ""
    verdict = wavenet.multiplications(lambda *args: [counted(*args)[0], counted(*args, mistake)[1]])
    outcome(verdict, "multiplications(5, 3, 24, 128): entry 1", hint=hint or ONE_MATRIX)


def test_multiplications_wrong_as_a_pair() -> None:
    outcome(
        wavenet.multiplications(lambda *args: counted(*args)[::-1]),
        "should return 631680 and 543616, in this order.",
        hint="Return the tree's count first, then the convolution's.",
    )
    outcome(
        wavenet.multiplications(lambda *args: [2 * n for n in counted(*args)]),
        "received twice as much",
        hint="Count the multiplications alone, not the additions.",
    )


def test_multiplications_wrong_in_other_ways() -> None:
    outcome(wavenet.multiplications(lambda *args: [counted(*args)[1]] * 2), "entry 0 should be")
    outcome(wavenet.multiplications(lambda *args: counted(*args)[0]), "should return 2 numbers")
    outcome(wavenet.multiplications(lambda *args: [n + 1 for n in counted(*args)]), "entry 0")
    outcome(
        wavenet.multiplications(lambda *args: counted(*args[:2], 24, 128)),
        "multiplications(1, 2, 3, 4): entry 0 should be",
    )


def test_multiplications_for_three_levels() -> None:
    """The page has a function for these."""

    def predicted(N: int, E: int = 24, H: int = 128) -> tuple[int, int]:
        tree = N * (4 * 2 * E * H + 2 * 2 * H**2 + 2 * H**2 + 27 * H)
        conv = (N + 6) * 2 * E * H + (N + 4) * 2 * H**2 + N * 2 * H**2 + N * 27 * H
        return tree, conv

    three = "That is for three levels."
    words = "multiplications(1, 2, 3, 4): entry 0"
    outcome(wavenet.multiplications(lambda N, levels, E, H: predicted(N, E, H)), words, hint=three)


TOO_LARGE = "Such a number does not fit into 32 bits. Python's own numbers have no limit."
SECOND = "multiplications(16000, 10, 24, 128)"


def of_level(contexts: Any, levels: int, n_embd: Any, n_hidden: Any) -> list[Any]:
    """Count with the dtype of the arguments."""
    tree = slid = contexts * n_hidden * 27
    for level in range(1, levels + 1):
        matrix = 2 * (n_embd if level == 1 else n_hidden) * n_hidden
        tree = tree + contexts * 2 ** (levels - level) * matrix
        slid = slid + (contexts + 2**levels - 2**level) * matrix
    return [tree, slid]


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("dtype", [np.int32, np.float32, partial(torch.tensor, dtype=torch.int32)])
def test_multiplications_in_32_bits(dtype: Callable[[int], Any]) -> None:
    def answer(contexts: int, levels: int, n_embd: int, n_hidden: int) -> list[Any]:
        return of_level(dtype(contexts), levels, dtype(n_embd), dtype(n_hidden))

    outcome(wavenet.multiplications(answer), SECOND, hint=TOO_LARGE)
    assert wavenet.multiplications(of_level)


def test_multiplications_may_round_as_python_does() -> None:
    assert wavenet.multiplications(lambda *args: [n / 3 * 3 + 1e-9 for n in of_level(*args)])


def test_multiplications_with_an_overflow_in_the_convolution_alone() -> None:
    def answer(*args: int) -> list[Any]:
        tree, slid = counted(*args)
        return [tree, np.int64(slid).astype(np.int32)]

    outcome(wavenet.multiplications(answer), f"{SECOND}: entry 1", hint=TOO_LARGE)


# -- the gated unit ------------------------------------------------------------------------


def unit(x: Any, Wf: Any, Wg: Any, Wr: Any, **changes: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute a gated unit, perhaps with a mistake."""
    parts = {"exchanged": [x[:, 1::2], x[:, ::2]], "far": x.chunk(2, 1)}
    pairs = torch.cat(parts.get(changes.get("pairs", ""), [x[:, ::2], x[:, 1::2]]), 2)
    if changes.get("swap"):
        Wf, Wg = Wg, Wf
    functions = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "none": lambda p: p}
    filtered = functions[changes.get("filter", "tanh")](pairs @ Wf)
    gate = functions[changes.get("gate", "sigmoid")](pairs @ Wg)
    z = filtered * gate
    if changes.get("z"):
        z = {"add": filtered + gate, "filter": filtered, "gate": gate}[changes["z"]]
    paths = {"newer": x[:, 1::2], "older": x[:, ::2], "both": x[:, 1::2] + x[:, ::2], "none": 0}
    return paths[changes.get("path", "newer")] + z @ Wr, z


FILTER = "The filter goes through tanh."


@pytest.mark.parametrize(
    ("changes", "part", "hint"),
    [
        ({"swap": True}, "z of", "Wf goes into tanh, Wg into the sigmoid."),
        ({"gate": "tanh"}, "z of", "The gate goes through the sigmoid, not through tanh."),
        ({"gate": "none"}, "z of", "The gate goes through the sigmoid."),
        ({"filter": "none"}, "z of", FILTER),
        ({"filter": "sigmoid"}, "z of", FILTER),
        ({"z": "add"}, "z of", "The gate multiplies."),
        ({"z": "filter"}, "z of", "The gate is missing."),
        ({"z": "gate"}, "z of", "The filter is missing: it is multiplied by the gate."),
        ({"pairs": "exchanged"}, "z of", "In a pair, the older vector comes first."),
        ({"pairs": "far"}, "z of", "Join neighbors, not positions that are far apart."),
        ({"filter": "none", "gate": "none"}, "z of", ""),
        ({"path": "none"}, "out of", "The residual connection is missing: add the newer vector."),
        ({"path": "older"}, "out of", "Add the newer vector of each pair, not the older one."),
        ({"path": "both"}, "out of", "Add the newer vector alone."),
    ],
)
def test_gated_wrong(changes: dict[str, Any], part: str, hint: str) -> None:
    verdict = wavenet.gated(lambda *args: unit(*args, **changes))
    outcome(verdict, part, "gated(x, Wf, Wg, Wr), x of shape (2, 8, 3)", hint=hint)


def test_gated_wrong_in_the_output() -> None:
    def multiplied(x: Any, Wf: Any, Wg: Any, Wr: Any) -> Any:
        _, z = unit(x, Wf, Wg, Wr)
        return x[:, 1::2] * (z @ Wr), z

    hint = "The newer vector is added, not multiplied."
    outcome(wavenet.gated(multiplied), "out of gated", hint=hint)
    outcome(wavenet.gated(lambda x, *W: (2 * unit(x, *W)[0], unit(x, *W)[1])), "out of gated")


@pytest.mark.parametrize("part", ["sigmoid", "tanh", "both"])
def test_gated_with_exp_of_large_numbers(part: str) -> None:
    def answer(x: Any, Wf: Any, Wg: Any, Wr: Any) -> Any:
        pairs = x.unflatten(1, (-1, 2)).flatten(2)
        f, g = pairs @ Wf, pairs @ Wg
        tanh, sigmoid = f.tanh(), g.sigmoid()
        if part != "tanh":
            sigmoid = g.exp() / (1 + g.exp())
        if part != "sigmoid":
            tanh = (f.exp() - (-f).exp()) / (f.exp() + (-f).exp())
        return x[:, 1::2] + tanh * sigmoid @ Wr, tanh * sigmoid

    hint = (
        "exp of a large number is infinite, and inf / inf is NaN. torch.tanh and torch.sigmoid "
        "know how to avoid that."
    )
    where = "z of gated(x, Wf, Wg, Wr), x of shape (2, 4, 3) with numbers in the hundreds"
    outcome(wavenet.gated(answer), where, hint=hint)


def test_gated_without_the_dimension_of_a_single_pair() -> None:
    hint = "A single pair keeps its dimension, of size 1."
    where = "gated(x, Wf, Wg, Wr), x of shape (3, 2, 4)"
    squeezed = wavenet.gated(lambda *args: [part.squeeze(1) for part in unit(*args)])
    outcome(squeezed, f"z of {where}", "shape (3, 1, 6), received (3, 6)", hint=hint)
    only_out = wavenet.gated(lambda *args: (unit(*args)[0].squeeze(1), unit(*args)[1]))
    outcome(only_out, f"out of {where}", "shape (3, 1, 4), received (3, 4)", hint=hint)


def test_gated_in_the_wrong_order() -> None:
    outcome(
        wavenet.gated(lambda *args: unit(*args)[::-1]),
        "should return out and z, received z and out",
        hint="Return the output first, then z.",
    )
    outcome(wavenet.gated(lambda *args: [unit(*args)[1]] * 2), "out of gated", "shape (2, 4, 3)")
    outcome(wavenet.gated(lambda *args: unit(*args)[0]), "should return out and z, received Tensor")
    arrays = wavenet.gated(lambda *args: unit(*args)[0].numpy())
    outcome(arrays, "should return out and z, received ndarray")
    named = wavenet.gated(lambda *args: dict(zip(("out", "z"), unit(*args))))
    outcome(named, "should return out and z, received dict")


class Both:
    """Two values in an object of the reader's."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __iter__(self) -> Iterator[Any]:
        for value in self.values:
            yield value if value is not None else 1 / 0


def test_gated_as_something_that_unpacks() -> None:
    verdict = wavenet.gated(lambda *args: Both(*unit(*args)))
    assert verdict, verdict
    outcome(wavenet.gated(lambda *args: Both(None)), "raised ZeroDivisionError")


def test_gated_with_a_wrong_number_of_values() -> None:
    outcome(
        wavenet.gated(lambda *args: (*unit(*args), 0)),
        "should return out and z, received 3 values.",
    )
    outcome(
        wavenet.gated(lambda *args: unit(*args)[:1]),
        "should return out and z, received 1 value.",
    )


def test_gated_with_as_many_hidden_features() -> None:
    def answer(x: Any, Wf: Any, Wg: Any, Wr: Any) -> Any:
        out, z = unit(x, Wf, Wg, Wr)
        return (x[:, 1::2] + z @ Wr.mT, z) if len(Wr) == Wr.shape[1] else (out, z)

    outcome(wavenet.gated(answer), "out of gated(x, Wf, Wg, Wr), x of shape (3, 10, 4)")


# -- beating the lecture -------------------------------------------------------------------


def knows(*parts: str, share: float = 0.35, order: int = 9) -> Answer:
    """Return a model that counts these parts of the names, spoiled by a uniform distribution.

    The parts are known equally well.
    """
    found = dict(zip(("train", "dev", "test"), split_words(NAMES.read_text("utf-8").split())))
    words = [word for part in parts for word in found[part]]
    counting = CountingModel(order, vocabulary=LETTERS).fit(words)
    weights = V ** torch.arange(order - 2, -1, -1)

    def model(X: torch.Tensor) -> torch.Tensor:
        probabilities = counting.log_probabilities((X[:, 9 - order :] * weights).sum(1)).exp()
        return (share * probabilities + (1 - share) / V).log()

    return model


def mixed(*models: Answer, shares: tuple[float, ...]) -> Answer:
    """Return the mean of models with some weights."""
    return lambda X: sum(s * model(X).softmax(1) for s, model in zip(shares, models)).log()


# It stands in for a good model: it does as well on the names in dev as on those in test, and better
# on the training names.
GOOD = mixed(knows("train", share=0.67), knows("dev", "test", share=0.67), shares=(0.7, 0.3))
EVAL = "Call model.eval() before it is judged."
INSIDE = "Is a network inside still in training mode? Call eval() on each of them."


def test_beat_the_lecture_right() -> None:
    verdict = wavenet.beat_the_lecture(GOOD)
    assert verdict, verdict.message
    assert f"below {challenge.BAR}" in verdict.message


def test_beat_the_lecture_not_trained_enough() -> None:
    near = "One tree alone gets about that far. What do several networks know that one does not?"
    outcome(
        wavenet.beat_the_lecture(knows("dev", "test", share=0.32)),
        "The dev loss should be below 1.97, received 1.9",
        hint=near,
    )
    outcome(
        wavenet.beat_the_lecture(knows("dev", "test", share=0.3)),
        "The dev loss should be below 1.97, received 2.03",
        hint="Is it trained to the end?",
    )
    close = "Close. One more network in an average, or more passes?"
    outcome(
        wavenet.beat_the_lecture(knows("dev", "test", share=0.33)),
        "The dev loss should be below 1.97, received 1.97",
        hint=close,
    )
    outcome(
        wavenet.beat_the_lecture(knows("train", order=3, share=0.99)),
        "received 2.",
        hint="Is it trained to the end?",
    )
    guessing = "That is hardly better than guessing. Is the model trained?"
    hardly = wavenet.beat_the_lecture(knows("train", order=3, share=0.1))
    outcome(hardly, "received 3.", hint=guessing)
    uniform = wavenet.beat_the_lecture(lambda X: torch.zeros(len(X), 27))
    no_better = "That is no better than guessing. Is the model trained?"
    outcome(uniform, "received 3.2958", hint=no_better)
    model = hierarchical(torch.Generator().manual_seed(1), n_embd=4, n_hidden=6)
    outcome(wavenet.beat_the_lecture(model.eval() or model), "received 3.2", hint=no_better)
    far_off = wavenet.beat_the_lecture(lambda X: 30 * nn.functional.one_hot(X[:, -1], 27).float())
    outcome(far_off, "received 2", hint=no_better)


def test_beat_the_lecture_trained_on_dev() -> None:
    def certain(X: torch.Tensor) -> torch.Tensor:
        """Give what dev never has a probability of 0, so that the loss on test is infinite."""
        logits = knows_exactly(X)
        logits[logits.isneginf().all(1)] = 0
        return logits

    knows_exactly = knows("dev", share=1.0)
    message = "The model does much better on the names in dev than on names that it can't know."
    hint = "Train it with the training names alone."
    for model in (
        knows("dev"),
        knows("train", "dev", order=5, share=0.99),  # does not even reach the bar
        knows("train", "dev", order=7, share=0.8),
        knows("dev", share=0.2),
        certain,
    ):
        outcome(wavenet.beat_the_lecture(model), message, hint=hint)


def test_beat_the_lecture_trained_on_test() -> None:
    message = "The model does much better on the names in test than on those in dev."
    hint = "Has it seen the test names? Train it with the training names alone."
    of_test = knows("test", share=0.67)
    for model in (
        mixed(knows("train", order=5, share=0.9), knows("test"), shares=(0.8, 0.2)),
        knows("train", "test", order=7, share=0.8),
        mixed(GOOD, of_test, shares=(0.8, 0.2)),  # a dev loss below the bar
    ):
        outcome(wavenet.beat_the_lecture(model), message, hint=hint)


def test_beat_the_lecture_trained_on_all_names() -> None:
    message = "The model does as well on the names in dev as on the training names."
    hint = "Has it seen them? Train it with the training names alone."
    for model in (
        knows("train", "dev", "test", order=7, share=0.95),
        knows("train", "dev", "test", order=8, share=0.6),
        knows("dev", "test"),
    ):
        outcome(wavenet.beat_the_lecture(model), message, hint=hint)


def test_beat_the_lecture_with_one_model_that_has_seen_all_names() -> None:
    counting = knows("train", order=6, share=0.99)
    every = knows("train", "dev", "test", order=7, share=0.95)
    known = mixed(knows("train", share=0.99), every, counting, shares=(0.5, 0.3, 0.2))
    outcome(
        wavenet.beat_the_lecture(known),
        "A dev loss of 1.",
        "is lower than the training names allow: the model seems to have been trained on the "
        "names in dev.",
        hint="Train it with the training names alone.",
    )


def test_beat_the_lecture_with_an_honest_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cheap model comes below the bar, so lift the bar to where one does."""
    shares = (0.05, 0.1, 0.2, 0.35, 0.3)
    model = mixed(*(knows("train", order=o, share=0.99) for o in (2, 3, 4, 5, 6)), shares=shares)
    assert not wavenet.beat_the_lecture(model)
    monkeypatch.setattr(challenge, "BAR", 2.2)
    verdict = wavenet.beat_the_lecture(model)
    assert verdict, verdict


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
def test_beat_the_lecture_never_takes_an_honest_model_for_one_that_knows_dev(order: int) -> None:
    verdict = wavenet.beat_the_lecture(knows("train", order=order, share=0.9))
    outcome(verdict, "The dev loss should be below", hint=verdict.hint)


def test_beat_the_lecture_in_training_mode() -> None:
    model = hierarchical(torch.Generator().manual_seed(1), n_embd=4, n_hidden=6)
    outcome(wavenet.beat_the_lecture(model), "The model is in training mode.", hint=EVAL)
    company = "The logits of a context change with what else is in the batch, or from call to call."
    outcome(wavenet.beat_the_lecture(lambda X: model(X)), company, hint=INSIDE)
    late = torch.cat([torch.zeros(8), torch.ones(challenge.CHUNK - 8)])[:, None]
    only_the_first_rows = wavenet.beat_the_lecture(
        lambda X: GOOD(X) * (1 + 0.1 * late[: len(X)] * (len(X) > 100))
    )
    outcome(only_the_first_rows, company, hint=INSIDE)
    drop = nn.Dropout(0.5)
    outcome(wavenet.beat_the_lecture(lambda X: drop(GOOD(X))), company, hint=INSIDE)


def test_beat_the_lecture_with_numbers_that_are_no_logits() -> None:
    outcome(
        wavenet.beat_the_lecture(lambda X: GOOD(X).exp()),
        "model(X_dev) should return logits, received probabilities.",
        hint="The logarithm of the probabilities is a set of logits.",
    )
    infinite = "Learning rates that are too large end so, and so do 0 / 0 and the logarithm of 0."
    for number in (math.nan, math.inf, -math.inf):
        outcome(
            wavenet.beat_the_lecture(lambda X, number=number: torch.full((len(X), 27), number)),
            "model(X_dev) holds NaN, or an infinite number.",
            hint=infinite,
        )
    outcome(
        wavenet.beat_the_lecture(lambda X: GOOD(X).index_fill(1, torch.tensor(5), -math.inf)),
        "received inf",
        hint="A character that does come next has probability 0.",
    )
    outcome(
        wavenet.beat_the_lecture(lambda X: GOOD(X).to(torch.complex64)),
        "model(X_dev) should hold real numbers, received torch.complex64.",
    )


def test_beat_the_lecture_of_another_shape() -> None:
    outcome(wavenet.beat_the_lecture(lambda X: X), "shape (1024, 27), received (1024, 8)")
    outcome(wavenet.beat_the_lecture(lambda X: GOOD(X)[-1:]), "received (1, 27)")
    outcome(wavenet.beat_the_lecture(lambda X: GOOD(X)[:, None]), "received (1024, 1, 27)")
    outcome(wavenet.beat_the_lecture(lambda X: 1.5), "shape (1024, 27), received ()")
    outcome(wavenet.beat_the_lecture(lambda X: (GOOD(X), 1.5)), "should be a tensor, received")
    of_three = hierarchical(torch.Generator(), factors=(3,), n_embd=4, n_hidden=6)
    of_three.eval()
    outcome(wavenet.beat_the_lecture(of_three), "model(X_dev) raised ValueError")
