"""The checks of chapter 6's counts, gated units and models: right answers, known mistakes."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from check_answers import outcome

from zerotohero.check import wavenet
from zerotohero.mlp import build_contexts, split_words
from zerotohero.wavenet import hierarchical

NAMES = Path(__file__).parents[2].joinpath("zerotohero", "data", "names-ssa-2018.txt")
Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("embedded_names")


# -- multiplications -----------------------------------------------------------------------


def counted(contexts: int, levels: int, n_embd: int, n_hidden: int, **changes: Any) -> list[int]:
    """Count node by node, perhaps with a mistake."""
    tree = slid = 0
    width = n_embd
    for level in range(1, levels + 1):
        nodes = 1 if changes.get("one_node") else 2 ** (levels - level)
        tree += contexts * nodes * 2 * width * n_hidden
        length = contexts if changes.get("short") else contexts + 2**levels - 2**level
        slid += length * 2 * width * n_hidden
        width = n_hidden
    output = 0 if changes.get("no_output") else contexts * n_hidden * 27
    tree, slid = tree + output, slid + output
    return [tree // contexts if changes.get("one_context") else tree, slid]


def test_multiplications_right() -> None:
    assert wavenet.multiplications(counted)
    assert wavenet.multiplications(lambda *args: torch.tensor(counted(*args)))


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ("no_output", "The output layer multiplies, too."),
        ("one_context", "That is one context. There are several."),
        ("one_node", "A level has many nodes: half as many as the level below."),
        ("short", "The lower levels are longer: they reach into the dots."),
    ],
)
def test_multiplications_wrong(change: str, hint: str) -> None:
    verdict = wavenet.multiplications(lambda *args: counted(*args, **{change: True}))
    outcome(verdict, "multiplications(5, 3, 24, 128): entry", hint=hint)


def test_multiplications_wrong_in_other_ways() -> None:
    outcome(
        wavenet.multiplications(lambda *args: [2 * n for n in counted(*args)]),
        "entry 0 should be 631680, received 1263360",
    )
    outcome(wavenet.multiplications(lambda *args: counted(*args)[0]), "should return 2 numbers")


# -- the gated unit ------------------------------------------------------------------------


def unit(x: Any, Wf: Any, Wg: Any, Wr: Any, **changes: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute a gated unit, perhaps with a mistake."""
    pairs = torch.cat([x[:, ::2], x[:, 1::2]], 2)
    if changes.get("swap"):
        Wf, Wg = Wg, Wf
    filtered = pairs @ Wf if changes.get("linear") else torch.tanh(pairs @ Wf)
    gate = torch.sigmoid(pairs @ Wg)
    z = filtered * gate
    if changes.get("add"):
        z = filtered + gate
    if changes.get("no_gate"):
        z = filtered
    paths = {"newer": x[:, 1::2], "older": x[:, ::2], "both": x[:, 1::2] + x[:, ::2], "none": 0}
    return paths[changes.get("path", "newer")] + z @ Wr, z


def test_gated_right() -> None:
    assert wavenet.gated(unit)
    assert wavenet.gated(lambda *args: [part.numpy() for part in unit(*args)])


@pytest.mark.parametrize(
    ("changes", "part", "hint"),
    [
        ({"swap": True}, "z of", "Wf goes into tanh, Wg into the sigmoid."),
        ({"add": True}, "z of", "The gate multiplies."),
        ({"no_gate": True}, "z of", "The gate is missing."),
        ({"linear": True}, "z of", "The filter goes through tanh."),
        ({"path": "none"}, "out of", "The residual connection is missing: add the newer vector."),
        ({"path": "older"}, "out of", "Add the newer vector of each pair, not the older one."),
        ({"path": "both"}, "out of", "Add the newer vector alone."),
    ],
)
def test_gated_wrong(changes: dict[str, Any], part: str, hint: str) -> None:
    verdict = wavenet.gated(lambda *args: unit(*args, **changes))
    outcome(verdict, part, "gated(x, Wf, Wg, Wr), x of shape (2, 4, 3)", hint=hint)


def test_gated_in_the_wrong_order() -> None:
    outcome(wavenet.gated(lambda *args: unit(*args)[::-1]), "z of gated", "shape (2, 2, 5)")
    outcome(wavenet.gated(lambda *args: unit(*args)[0]), "should return out and z, received Tensor")


# -- beating the lecture -------------------------------------------------------------------


def knows_the_answers(share: float) -> Answer:
    """Return a model that looks dev's answers up, and spoils them by a share of noise."""
    _, dev, _ = split_words(NAMES.read_text(encoding="utf-8").split())
    X, Y = build_contexts(dev, 8)
    counts: dict[tuple[int, ...], torch.Tensor] = {}
    for context, y in zip(map(tuple, X.tolist()), Y.tolist()):
        counts.setdefault(context, torch.zeros(27))[y] += 1

    def model(x: torch.Tensor) -> torch.Tensor:
        found = torch.stack([counts[tuple(row)] for row in x.tolist()])
        probs = (1 - share) * found / found.sum(1, keepdim=True) + share / 27
        return probs.log()

    return model


def test_beat_the_lecture_right() -> None:
    verdict = wavenet.beat_the_lecture(knows_the_answers(0.1))
    assert verdict, verdict.message
    assert "below the 1.993 of the lecture" in verdict.message


def test_beat_the_lecture_wrong() -> None:
    outcome(
        wavenet.beat_the_lecture(knows_the_answers(0.95)),
        "The dev loss should be below 1.993, received 2.",
        hint="Is it trained to the end?",
    )
    model = hierarchical(torch.Generator().manual_seed(1), n_embd=4, n_hidden=6)
    outcome(
        wavenet.beat_the_lecture(model),
        "The model is in training mode.",
        hint="Call model.eval() before it is judged.",
    )
    model.eval()
    outcome(wavenet.beat_the_lecture(model), "received 3.2", hint="Is it trained to the end?")
    outcome(wavenet.beat_the_lecture(lambda x: x), "should have shape (4096, 27)")
    outcome(wavenet.beat_the_lecture(lambda x: 1.5), "should be a tensor, received float")
    outcome(
        wavenet.beat_the_lecture(lambda x: torch.full((len(x), 27), math.nan)),
        "received nan",
        hint="Is it trained to the end?",
    )
