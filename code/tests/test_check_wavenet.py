"""The checks of chapter 6: stubs and junk, right answers of several kinds, known mistakes."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_check_micrograd import outcome
from torch import nn

from zerotohero import check
from zerotohero.layers import FlattenConsecutive
from zerotohero.mlp import build_contexts, split_words
from zerotohero.wavenet import CausalConv1d, hierarchical

NAMES = Path(__file__).parents[2].joinpath("data", "names-ssa-2018.txt")
wavenet = check.wavenet
Answer = Callable[..., Any]
CHECKS = ("flatten", "normalize", "multiplications", "dilated", "gated", "beat_the_lecture")


@pytest.fixture(autouse=True)
def embedded_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no check ask a network for the lecture's names."""
    monkeypatch.setattr(wavenet, "names", lambda: NAMES.read_text(encoding="utf-8").split())


# -- all exercises -------------------------------------------------------------------------


def raises(error: BaseException) -> Answer:
    def answer(*_: Any) -> None:
        raise error

    return answer


@pytest.mark.parametrize("name", CHECKS)
def test_a_stub_is_not_done_yet(name: str) -> None:
    def empty(*_: Any) -> None: ...

    for stub in (None, ..., empty, raises(NotImplementedError())):
        assert getattr(wavenet, name)(stub).status == "not done yet"


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize(
    "junk",
    [
        5,
        "text",
        torch.zeros(3),
        raises(ValueError("no")),
        raises(SystemExit()),
        lambda: 1,
        lambda *_: 1.5,
        lambda *_: "text",
        lambda *_: ("a", "b"),
        lambda *_: iter(()),
        lambda *_: torch.tensor(math.nan),
        lambda *_: torch.zeros(2, 3, dtype=torch.complex64),
        lambda *_: (torch.zeros(0), torch.zeros(0)),
    ],
)
def test_junk_is_wrong_and_raises_nothing(name: str, junk: Any) -> None:
    verdict = getattr(wavenet, name)(junk)
    assert verdict.status == "wrong"
    assert verdict.message


@pytest.mark.parametrize("name", CHECKS)
def test_a_missing_return(name: str) -> None:
    def forgets(*_: Any, ready: bool = False) -> Any:
        return 1 if ready else None

    hint = "Does every path through the function return?"
    outcome(getattr(wavenet, name)(forgets), "returned None", hint=hint)


# -- neighbors side by side ----------------------------------------------------------------


def by_slices(x: torch.Tensor, n: int) -> torch.Tensor:
    out = torch.cat([x[:, i::n] for i in range(n)], 2)
    return out[:, 0] if out.shape[1] == 1 else out


def by_numpy(x: torch.Tensor, n: int) -> np.ndarray:
    B, T, C = x.shape
    return x.numpy().reshape((B, n * C) if n == T else (B, T // n, n * C))


@pytest.mark.parametrize("answer", [by_slices, by_numpy, lambda x, n: FlattenConsecutive(n)(x)])
def test_flatten_right(answer: Answer) -> None:
    verdict = wavenet.flatten(answer)
    assert verdict, verdict.message


def grouped(x: torch.Tensor, n: int) -> torch.Tensor:
    return x.reshape(len(x), x.shape[1] // n, n * x.shape[2])


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            grouped,
            ["flatten(x, 4), x of shape (3, 4, 2)", "shape (3, 8), received (3, 1, 8)"],
            "If one place is left, drop its dimension.",
        ),
        (
            lambda x, n: grouped(x, n).squeeze(),
            ["x of shape (1, 4, 2)", "shape (1, 2, 4), received (2, 4)"],
            "squeeze() drops every dimension of size 1, also the batch's.",
        ),
        (
            lambda x, n: torch.cat(x.chunk(n, 1), -1),
            ["x of shape (2, 6, 3)", "entry (0, 0, 3)"],
            "Join neighbors, not places that are far apart.",
        ),
        (
            lambda x, n: grouped(x, n).unflatten(-1, (n, -1)).mT.flatten(2),
            ["x of shape (2, 6, 3)", "entry (0, 0, 1)"],
            "First all of one place, then all of the next.",
        ),
        (lambda x, n: x.flatten(1), ["shape (2, 3, 6), received (2, 18)"], ""),
    ],
)
def test_flatten_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(wavenet.flatten(answer), *words, hint=hint)


# -- BatchNorm over examples and places ----------------------------------------------------


def normalized(dims: Any, correction: int = 0) -> Answer:
    def answer(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
        mean = x.mean(dims, keepdim=True)
        var = x.var(dims, correction=correction, keepdim=True)
        return gamma * (x - mean) / torch.sqrt(var + eps) + beta

    return answer


def by_torch(x: torch.Tensor, gamma: Any, beta: Any, eps: float) -> torch.Tensor:
    flat = nn.functional.batch_norm(x.flatten(0, 1), None, None, gamma, beta, True, 0.1, eps)
    return flat.view(x.shape)


@pytest.mark.parametrize("answer", [by_torch, normalized((0, 1)), normalized((-3, -2))])
def test_normalize_right(answer: Answer) -> None:
    verdict = wavenet.normalize(answer)
    assert verdict, verdict.message


@pytest.mark.parametrize(
    ("dims", "correction", "hint"),
    [
        (0, 0, "That is the lecture's bug: each place has statistics of its own."),
        (1, 0, "The examples of a batch belong together: dim 0, too."),
        ((0, 1, 2), 0, "Each feature has its own mean: not over the last dimension."),
        (2, 0, "That is a LayerNorm. Features are not mixed with each other."),
        ((0, 1), 1, "Divide by the number of values: correction=0."),
        ((0, 2), 0, ""),
    ],
)
def test_normalize_wrong(dims: Any, correction: int, hint: str) -> None:
    outcome(wavenet.normalize(normalized(dims, correction)), "x of shape (5, 3, 4)", hint=hint)


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


# -- the dilated convolution ---------------------------------------------------------------


def by_conv1d(x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
    kernel = weight.view(2, x.shape[2], -1).permute(2, 1, 0)
    return nn.functional.conv1d(x.mT, kernel, dilation=dilation).mT


def by_our_layer(x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
    layer = CausalConv1d(x.shape[2], weight.shape[1], 2, dilation, bias=False)
    layer.weight = weight
    return layer(x)


def by_loops(x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
    pairs = [torch.cat([x[:, t - dilation], x[:, t]], 1) for t in range(dilation, x.shape[1])]
    return torch.stack([pair @ weight for pair in pairs], 1)


@pytest.mark.parametrize("answer", [by_conv1d, by_our_layer, by_loops])
def test_dilated_right(answer: Answer) -> None:
    verdict = wavenet.dilated(answer)
    assert verdict, verdict.message


def swapped(x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
    return by_loops(x, torch.cat([weight[x.shape[2] :], weight[: x.shape[2]]]), dilation)


def zeros(x: torch.Tensor, dilation: int) -> torch.Tensor:
    return torch.zeros(len(x), dilation, x.shape[2])


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (swapped, "The first half of the weight belongs to the older place."),
        (lambda x, w, d: by_loops(x, w, 1), "The two places are dilation apart."),
        (
            lambda x, w, d: by_loops(torch.cat([zeros(x, d), x], 1), w, d),
            "No zeros in front: begin where both places exist.",
        ),
        (
            lambda x, w, d: torch.cat([y := by_loops(x, w, d), zeros(y, d)], 1),
            "No zeros at the end: the output is shorter than the input.",
        ),
        (lambda x, w, d: x[:, d:] @ w[x.shape[2] :], "The older place is missing."),
        (lambda x, w, d: 2 * by_loops(x, w, d), ""),
    ],
)
def test_dilated_wrong(answer: Answer, hint: str) -> None:
    outcome(wavenet.dilated(answer), "dilated(x, weight, ", hint=hint)


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
