"""Looking into a network changes nothing; following its updates is training."""

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from network_kinds import KINDS, X, Y, make, seeded, traces
from torch import nn

from zerotohero.diagnostics import (
    activations,
    gradients,
    named_parameters,
    plot_activations,
    plot_grad_data,
    plot_gradients,
    plot_updates,
)
from zerotohero.layers import BatchNorm1d, Layer, Linear, Tanh
from zerotohero.mlp import step_decay, train

kinds = pytest.mark.parametrize("kind", list(KINDS))
modes = pytest.mark.parametrize("mode", [True, False], ids=["training", "evaluation"])
LOOKS: dict[str, Callable[..., Any]] = {
    "activations": lambda model, X, Y: activations(model, X),
    "gradients": gradients,
    "plot_activations": lambda model, X, Y: plot_activations(model, X, after="Linear"),
    "plot_gradients": lambda model, X, Y: plot_gradients(model, X, Y, after="Linear"),
    "plot_grad_data": plot_grad_data,
}
looks = pytest.mark.parametrize("look", list(LOOKS))


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Draw without a screen, on one thread, and leave no figure open."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    plt.switch_backend("Agg")
    yield
    plt.close("all")
    torch.set_num_threads(threads)


# -- no trace ----------------------------------------------------------------------------------


def used(kind: str, mode: bool) -> Any:
    """Return a network that has seen a batch, with one parameter's flag unlike the others'."""
    model = make(kind)
    model(X[::2])
    p = list(model.parameters())[1]
    p.requires_grad_(not p.requires_grad)
    if hasattr(model, "train"):
        model.train(mode)
    return model


def test_traces_are_seen() -> None:
    for kind in ("batchnorm", "torch"):
        for mode, changed in ((True, True), (False, False)):
            model = used(kind, mode)
            before = traces(model)
            model(X)
            assert (traces(model) != before) is changed
        model.eval()
        assert traces(model) == before
        model.train()
        assert traces(model) != before


@kinds
@modes
@looks
def test_a_look_leaves_no_trace(kind: str, mode: bool, look: str) -> None:
    model = used(kind, mode)
    before, state = traces(model), torch.get_rng_state()
    LOOKS[look](model, X, Y)
    assert traces(model) == before
    assert torch.equal(torch.get_rng_state(), state)


@kinds
@modes
@looks
@pytest.mark.parametrize("wrong", ["characters", "width", "answers"])
def test_nor_does_one_that_fails(kind: str, mode: bool, look: str, wrong: str) -> None:
    model = used(kind, mode)
    before = traces(model)
    inputs = {"characters": X + 27, "width": X[:, :2]}.get(wrong, X)
    targets = Y[:-1] if wrong == "answers" else Y
    if wrong == "answers" and look.endswith("activations"):
        LOOKS[look](model, inputs, targets)  # it does not need them
    else:
        with pytest.raises((IndexError, RuntimeError, ValueError)):
            LOOKS[look](model, inputs, targets)
    assert traces(model) == before


class Broken(Layer):
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError


class BrokenModule(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError


@looks
def test_a_layer_that_fails_behind_a_batchnorm(look: str) -> None:
    ours: Any = make("batchnorm")
    ours.layers.append(Broken())
    theirs: Any = make("torch")
    theirs.head = BrokenModule()
    for model in (ours, theirs):
        before = traces(model)
        with pytest.raises(ZeroDivisionError):
            LOOKS[look](model, X, Y)
        assert traces(model) == before


@looks
def test_layers_of_torch_between_ours(look: str) -> None:
    norms = [nn.BatchNorm1d(5), nn.BatchNorm1d(5, track_running_stats=False)]
    mixed: list[Any] = [Linear(6, 5, generator=seeded(1)), *norms, Linear(5, 27)]
    C = torch.randn((27, 2), generator=seeded(2))
    model = SimpleNamespace(C=C, layers=mixed, parameters=lambda: [C])
    before = traces(model)
    LOOKS[look](model, X, Y)
    assert traces(model) == before


@kinds
def test_gradients_do_not_add_up(kind: str) -> None:
    model = make(kind)
    first, second = (list(gradients(model, X, Y)[1].values()) for _ in range(2))
    torch.testing.assert_close(first, second)


# -- updates -----------------------------------------------------------------------------------


def options(**changes: Any) -> dict[str, Any]:
    return {"steps": 6, "learning_rate": 0.1, "generator": seeded(3)} | changes


def ratios_by_hand(model: Any, rates: list[float], batch_size: int) -> dict[str, list[float]]:
    """Train, and note log10(std(lr * grad) / std(data)) before each update, as the lecture."""
    named = named_parameters(model)
    found: dict[str, list[float]] = {name: [] for name, p in named.items() if p.ndim == 2}
    generator = seeded(3)
    for p in named.values():
        p.requires_grad_()
    for lr in rates:
        ix = torch.randint(0, len(X), (batch_size,), generator=generator)
        for p in named.values():
            p.grad = None
        F.cross_entropy(model(X[ix]), Y[ix]).backward()
        for name, p in named.items():
            assert p.grad is not None
            if name in found:
                found[name].append(math.log10((lr * p.grad).std().item() / p.std().item()))
            p.data -= lr * p.grad
    return found


@kinds
@pytest.mark.parametrize("batch_size", [8, 32])
@pytest.mark.parametrize("schedule", [False, True])
def test_updates_by_hand(kind: str, batch_size: int, schedule: bool) -> None:
    rate: Any = step_decay(0.2, 3) if schedule else 0.1
    _, ax = plt.subplots()
    found = plot_updates(
        make(kind), X, Y, **options(learning_rate=rate, batch_size=batch_size), ax=ax
    )
    rates = [0.2] * 3 + [0.02] * 3 if schedule else [0.1] * 6
    expected = ratios_by_hand(make(kind), rates, batch_size)
    assert list(found) == list(expected)
    for name, ratios in found.items():
        assert ratios == pytest.approx(expected[name], abs=0.002)
    *lines, dashed = ax.get_lines()
    assert {line.get_label(): list(np.asarray(line.get_ydata())) for line in lines} == found
    assert all(list(np.asarray(line.get_xdata())) == list(range(6)) for line in lines)
    assert list(np.asarray(dashed.get_ydata())) == [-3, -3]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(found)
    assert ax.get_xlabel() == "step"
    assert "log₁₀" in ax.get_ylabel()
    ax.figure.canvas.draw()


@kinds
@modes
def test_updates_are_those_of_train(kind: str, mode: bool) -> None:
    followed, trained = used(kind, mode), used(kind, mode)
    generators = seeded(3), seeded(3)
    plot_updates(followed, X, Y, **options(generator=generators[0]))
    train(trained, X, Y, **options(generator=generators[1]), progress=False)
    for ours, theirs in zip(traces(followed).items(), traces(trained).items(), strict=True):
        assert ours[0] == theirs[0]
        if isinstance(ours[1], tuple):
            assert ours[1][1:] == theirs[1][1:]  # all but the identity
        else:
            assert ours[1] == theirs[1]
    assert torch.equal(generators[0].get_state(), generators[1].get_state())


@kinds
def test_parameters_are_changed_in_place_and_want_what_they_wanted(kind: str) -> None:
    model = used(kind, True)
    before = [(p, p.requires_grad, p.detach().clone()) for p in model.parameters()]
    plot_updates(model, X, Y, **options())
    for p, (same, flag, value) in zip(model.parameters(), before, strict=True):
        assert p is same
        assert p.requires_grad == flag
        assert p.grad is None
        if kind != "relu":  # there, a whole layer can be off
            assert not torch.equal(p, value) or p.ndim == 1  # a bias before a BatchNorm rests


def test_matrices_that_rest_or_start_at_zero() -> None:
    model = make("mlp")
    model.W2.zero_()
    _, ax = plt.subplots()
    found = plot_updates(model, X, Y, **options(steps=2), ax=ax)
    assert found["C"][0] == found["W1"][0] == -math.inf
    assert found["W2"][0] == math.inf
    assert all(math.isfinite(ratios[1]) for ratios in found.values())
    ax.figure.canvas.draw()
    assert plot_updates(model, X, Y, **options(learning_rate=0.0))["W1"] == [-math.inf] * 6


def test_no_step() -> None:
    model = make("plain")
    before = traces(model)
    assert set(map(tuple, plot_updates(model, X, Y, **options(steps=0)).values())) == {()}
    assert traces(model) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": -1}, "steps must not be negative, got -1"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_bad_arguments(changes: dict[str, int], message: str) -> None:
    model = make("mlp")
    before = traces(model)
    with pytest.raises(ValueError, match=f"^{message}$"):
        plot_updates(model, X, Y, **options(**changes))
    with pytest.raises(ValueError, match=r"^X must hold at least one example, got none$"):
        plot_updates(model, X[:0], Y[:0], **options())
    assert traces(model) == before
    assert plt.get_fignums() == []
    with pytest.raises(TypeError, match=r"^model must have parameters\(\), got object$"):
        plot_updates(object(), X, Y, **options())


def test_a_lost_loss_names_the_step_and_a_schedule_is_asked_once_a_step() -> None:
    asked: list[int] = []

    def schedule(step: int) -> float:
        asked.append(step)
        return 0.1 if step < 3 else float("nan")

    model = make("torch")
    flags = [p.requires_grad for p in model.parameters()]
    with pytest.raises(FloatingPointError, match=r"^the loss is nan in step 4: is the learning"):
        plot_updates(model, X, Y, **options(learning_rate=schedule))
    assert asked == [0, 1, 2, 3, 4]
    assert [p.requires_grad for p in model.parameters()] == flags


def test_a_layer_may_be_made_by_hand() -> None:
    """Anything with a table C and a list of layers is a network."""

    class Own:
        def __init__(self) -> None:
            self.C = torch.randn((27, 2), generator=seeded(1))
            self.layers = [BatchNorm1d(6), Linear(6, 27, generator=seeded(2)), Tanh()]

        def parameters(self) -> list[torch.Tensor]:
            return [self.C, *(p for layer in self.layers for p in layer.parameters())]

    model = Own()
    before = traces(model)
    by_outputs, by_parameters = gradients(model, X, Y)
    assert list(by_outputs) == ["0 Embedding", "1 BatchNorm1d", "2 Linear", "3 Tanh"]
    assert list(by_parameters) == ["C", *(f"parameter {i}" for i in range(1, 5))]
    assert traces(model) == before
