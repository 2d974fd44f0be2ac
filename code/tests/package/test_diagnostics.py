"""The numbers of the diagnostics, computed by hand, and what is drawn of them."""

import math
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from network_kinds import KINDS, X, Y, gradients_by_hand, make, outputs_by_hand, seeded
from torch import nn

from zerotohero.batchnorm import DeepMLP
from zerotohero.diagnostics import (
    SATURATED,
    Spread,
    activations,
    grad_data,
    gradients,
    named_parameters,
    of_kind,
    plot_densities,
    plot_grad_data,
    plot_updates,
    spreads,
    update_ratios,
)
from zerotohero.layers import Linear
from zerotohero.mlp import MLP

kinds = pytest.mark.parametrize("kind", list(KINDS))
modes = pytest.mark.parametrize("mode", [True, False], ids=["training", "evaluation"])
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Draw without a screen, on one thread, and leave no figure open."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    plt.switch_backend("Agg")
    yield
    plt.close("all")
    torch.set_num_threads(threads)


def switched(kind: str, mode: bool) -> Any:
    model = make(kind)
    if hasattr(model, "train"):
        model.train(mode)
    return model


def drawn(ax: Axes) -> Axes:
    """Draw it: what a plot cannot show fails or warns here."""
    ax.figure.canvas.draw()
    assert ax.get_xlabel()
    return ax


# -- outputs and gradients ---------------------------------------------------------------------


@kinds
@modes
def test_activations_are_those_of_a_run_by_hand(kind: str, mode: bool) -> None:
    found = activations(switched(kind, mode), X)
    expected = outputs_by_hand(switched(kind, mode), X)
    assert list(found) == list(expected)
    for name, x in found.items():
        torch.testing.assert_close(x, expected[name])
    torch.testing.assert_close(list(found.values())[-1], switched(kind, mode)(X))


@kinds
@modes
def test_gradients_are_those_of_a_backward_pass(kind: str, mode: bool) -> None:
    by_outputs, by_parameters = gradients(switched(kind, mode), X, Y)
    outputs, parameters = gradients_by_hand(switched(kind, mode), X, Y)
    assert list(by_outputs) == list(outputs)
    for name, grad in by_outputs.items():
        torch.testing.assert_close(grad, outputs[name])
    torch.testing.assert_close(list(by_parameters.values()), parameters)


def test_names_of_the_parameters() -> None:
    assert list(named_parameters(make("mlp"))) == ["C", "W1", "b1", "W2", "b2"]
    assert list(named_parameters(make("torch")))[:3] == [
        "emb.weight",
        "body.1.weight",
        "body.1.bias",
    ]
    assert list(named_parameters(make("batchnorm")))[:3] == [
        "C",
        "1 Linear.weight",
        "2 BatchNorm1d.gamma",
    ]


def test_a_parameter_without_a_name_gets_a_number() -> None:
    class Pair:
        def __init__(self) -> None:
            self.weights = [torch.zeros(2, 2), torch.ones(2, 2)]

        def parameters(self) -> list[torch.Tensor]:
            return self.weights

    assert list(named_parameters(Pair())) == ["parameter 0", "parameter 1"]


# -- modules of torch that are not plain stacks ------------------------------------------------


class Twice(nn.Module):
    """One activation in two positions, in place; a recurrent layer; a layer without effect."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 5)
        self.act = nn.ReLU(inplace=True)
        self.recurrent = nn.GRU(4, 4)
        self.unused = nn.Linear(4, 4)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        h = self.act(self.first(X))
        self.unused(h)
        h, _ = self.recurrent(h)
        logits: torch.Tensor = self.act(self.second(h))
        return logits


def test_layers_called_twice_in_place_or_for_nothing() -> None:
    torch.manual_seed(1)
    model, inputs = Twice(), torch.randn(8, 3, generator=seeded(2))
    found = activations(model, inputs)
    names = ["first Linear", "act ReLU", "unused Linear", "second Linear", "act#2 ReLU", "logits"]
    assert list(found) == names, "neither the second call nor the first is lost"
    assert (found["first Linear"] < 0).any(), "ReLU in place comes after it"
    assert torch.equal(found["act ReLU"], found["first Linear"].relu())
    assert torch.equal(found["logits"], model(inputs))
    outputs, parameters = gradients(model, inputs, torch.zeros(8, dtype=torch.int64))
    assert not outputs["unused Linear"].any()
    assert not parameters["unused.weight"].any()
    F.cross_entropy(model(inputs), torch.zeros(8, dtype=torch.int64)).backward()
    for name, p in model.named_parameters():
        right = torch.zeros_like(p) if p.grad is None else p.grad
        torch.testing.assert_close(parameters[name], right)


def test_gradients_before_the_first_parameter() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 4))
    inputs, targets = torch.randn(5, 2, 3, generator=seeded(1)), torch.arange(5) % 4
    outputs, _ = gradients(model, inputs, targets)
    leaf = inputs.clone().requires_grad_()
    F.cross_entropy(model(leaf), targets).backward()
    assert leaf.grad is not None
    torch.testing.assert_close(outputs["0 Flatten"], leaf.grad.flatten(1))
    assert not inputs.requires_grad


@kinds
def test_gradients_where_autograd_is_off(kind: str) -> None:
    expected = gradients(make(kind), X, Y)
    with torch.no_grad():
        found = gradients(make(kind), X, Y)
        assert not torch.is_grad_enabled()
    for ours, theirs in zip(found, expected, strict=True):
        assert all(torch.equal(grad, theirs[name]) for name, grad in ours.items())


@pytest.mark.parametrize("kind", ["plain", "mlp"])
def test_an_id_that_is_not_in_the_table(kind: str) -> None:
    for look in (activations, lambda model, X: gradients(model, X, Y)):
        with pytest.raises(IndexError, match="got -1 to"):
            look(make(kind), X - 1)


# -- the plot of distributions -----------------------------------------------------------------


@kinds
@pytest.mark.parametrize("kind_of_layer", ["Tanh", "Linear", "ReLU", "BatchNorm1d"])
@pytest.mark.parametrize("what", ["activations", "gradients"])
def test_distributions(kind: str, kind_of_layer: str, what: str) -> None:
    expected = outputs_by_hand(make(kind), X)
    outputs = activations(make(kind), X)
    if what == "gradients":
        expected, _ = gradients_by_hand(make(kind), X, Y)
        outputs, _ = gradients(make(kind), X, Y)
    expected = {name: x for name, x in expected.items() if name.endswith(f" {kind_of_layer}")}
    if not expected:
        with pytest.raises(ValueError, match=rf"^kind must be .*, got '{kind_of_layer}'$"):
            of_kind(outputs, kind_of_layer)
        return
    tensors = of_kind(outputs, kind_of_layer)
    found = spreads(tensors)
    assert list(found) == list(expected)
    _, ax = plt.subplots()
    plot_densities(tensors, "these", ax=ax)
    lines = drawn(ax).get_lines()
    assert [line.get_label() for line in lines] == list(expected)
    for line, spread, x in zip(lines, found.values(), expected.values(), strict=True):
        assert isinstance(spread, Spread)
        values = x.detach().double().numpy()
        saturated = (np.abs(values) > SATURATED).mean()
        right = [values.mean(), values.std(ddof=1), saturated]
        assert list(spread) == pytest.approx(right, rel=1e-4, abs=1e-8)
        heights, edges = np.histogram(values, bins=60, density=True)
        centers = (edges[1:] + edges[:-1]) / 2
        at, height = (np.asarray(data, dtype=float) for data in line.get_data())
        assert at == pytest.approx(centers, rel=1e-4, abs=1e-7)
        width = at[1] - at[0]
        assert height.sum() * width == pytest.approx(1, rel=1e-3)
        # An entry on an edge may fall on either side of it, by rounding.
        assert np.abs(np.cumsum(height - heights)).max() * width < 0.01
        assert (height * at).sum() * width == pytest.approx(spread.mean, abs=width)
    assert ax.get_ylabel() == "density"
    assert ax.get_xlabel() == "these"
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(found)


def test_saturation_counts_both_sides() -> None:
    model = MLP(seeded(1), n_embd=4, n_hidden=16)
    model.b1[:4], model.b1[4:8], model.W1[:] = 5.0, -5.0, 0.0
    model.b1[8:] = 0.5
    assert spreads(activations(model, X))["2 Tanh"].saturated == 0.5


@pytest.mark.parametrize("value", [0.0, 0.5, -3e4])
def test_equal_activations(value: float) -> None:
    """All equal, or equal except for the last bit: there is a plot, and no division by zero."""
    model = DeepMLP(torch.full((27, 4), value), [Linear(12, 27, generator=seeded(1))])
    _, ax = plt.subplots()
    tensors = of_kind(activations(model, X), "Embedding")
    assert spreads(tensors)["0 Embedding"] == Spread(value, 0.0, float(abs(value) > 0.97))
    plot_densities(tensors, "output", ax=ax)
    drawn(ax)
    model.C[5] = torch.nextafter(model.C[5], torch.tensor(1e9))
    plot_densities(of_kind(activations(model, X), "Embedding"), "output", ax=ax)
    drawn(ax)


def test_spreads_of_integers_and_of_too_few_entries() -> None:
    assert spreads({"ids": torch.tensor([0, 2])})["ids"] == Spread(1.0, math.sqrt(2), 0.5)
    for few in (torch.zeros(0), torch.zeros(1, 1)):
        with pytest.raises(ValueError, match=rf"^x must have at least 2 entries, got {len(few)}$"):
            spreads({"fine": torch.zeros(3), "x": few})
    model = DeepMLP(torch.zeros(27, 2), [Linear(6, 1), Linear(1, 1), Linear(1, 27)])
    with pytest.raises(ValueError, match=r"^2 Linear.weight must have at least 2 entries, got 1$"):
        grad_data(model, X, Y)


@pytest.mark.parametrize("plot", [lambda x: plot_densities(x, "x"), plot_grad_data, plot_updates])
def test_a_plot_of_nothing_is_refused(plot: Any) -> None:
    with pytest.raises(ValueError, match="must hold at least one entry, got none"):
        plot({})
    assert plt.get_fignums() == []


def test_a_tensor_without_entries_is_not_drawn() -> None:
    with pytest.raises(ValueError, match=r"^x must hold at least one number, got none$"):
        plot_densities({"x": torch.zeros(0)}, "x")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_cannot_be_drawn_has_a_name(value: float) -> None:
    tensors = {"fine": torch.zeros(3), "1 Tanh": torch.tensor([0.0, value])}
    with pytest.raises(ValueError, match=r"^1 Tanh must hold finite numbers only$"):
        plot_densities(tensors, "output")
    assert plt.get_fignums() == []


# -- gradient relative to data -----------------------------------------------------------------


@kinds
def test_grad_data(kind: str) -> None:
    _, ax = plt.subplots()
    model = make(kind)
    found = grad_data(model, X, Y)
    plot_grad_data(found, ax=ax)
    _, grads = gradients_by_hand(make(kind), X, Y)
    named = named_parameters(model)
    matrices = {n: (p, g) for (n, p), g in zip(named.items(), grads, strict=True) if p.ndim == 2}
    assert list(found) == list(matrices)
    assert len(found) == {"mlp": 3, "torch": 4}.get(kind, 7)
    for row, (p, grad) in zip(found.values(), matrices.values()):
        std, data = grad.double().numpy().std(ddof=1), p.detach().double().numpy().std(ddof=1)
        assert list(row) == pytest.approx([std, data, std / data], rel=1e-4)
    bars = drawn(ax).patches
    assert [bar.get_width() for bar in bars] == [row.ratio for row in found.values()]  # type: ignore[attr-defined]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(found)
    assert [bar.get_y() + bar.get_height() / 2 for bar in bars] == pytest.approx(ax.get_yticks())  # type: ignore[attr-defined]
    assert ax.get_xscale() == "log"
    assert ax.yaxis_inverted(), "the first layer is on top"


def test_grad_data_of_zero_weights() -> None:
    model = make("mlp")
    _, ax = plt.subplots()
    model.W2.zero_()
    found = grad_data(model, X, Y)
    plot_grad_data(found, ax=ax)
    assert found["W2"][1:] == (0.0, math.inf)
    assert found["W2"].grad > 0
    assert found["C"].ratio == found["W1"].ratio == 0
    assert not np.isfinite([bar.get_width() for bar in drawn(ax).patches]).any()  # type: ignore[attr-defined]
    model.W1.zero_()
    model.b1.zero_()
    found = grad_data(model, X, Y)
    plot_grad_data(found, ax=ax)
    assert math.isnan(found["W2"].ratio), "its gradient is zero, too"
    drawn(ax)


# -- updates relative to weights ---------------------------------------------------------------


@kinds
@pytest.mark.parametrize("rates", [[0.1] * 4, [0.2, 0.2, 0.02, 0.02]])
def test_update_ratios_are_those_of_what_changed(kind: str, rates: list[float]) -> None:
    model = make(kind)
    named = named_parameters(model)
    matrices = {name: p for name, p in named.items() if p.ndim == 2}
    for p in named.values():
        p.requires_grad_()
    followed: dict[str, list[float]] = {name: [] for name in matrices}
    expected: dict[str, list[float]] = {name: [] for name in matrices}
    for rate in rates:
        for p in named.values():
            p.grad = None
        F.cross_entropy(model(X), Y).backward()
        for name, ratio in update_ratios(model, rate).items():
            followed[name].append(ratio)
        before = {name: p.detach().clone() for name, p in matrices.items()}
        with torch.no_grad():
            for p in named.values():
                assert p.grad is not None
                p -= rate * p.grad
        for name, p in matrices.items():
            change = (p.detach() - before[name]).double().numpy().std(ddof=1)
            expected[name].append(math.log10(change / before[name].double().numpy().std(ddof=1)))
    for name, ratios in followed.items():
        assert ratios == pytest.approx(expected[name], abs=0.002)

    _, ax = plt.subplots()
    plot_updates(followed, ax=ax)
    *lines, dashed = drawn(ax).get_lines()
    assert {line.get_label(): list(np.asarray(line.get_ydata())) for line in lines} == followed
    assert all(list(np.asarray(line.get_xdata())) == list(range(4)) for line in lines)
    assert list(np.asarray(dashed.get_ydata())) == [-3, -3]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(followed)
    assert ax.get_xlabel() == "step"
    assert "log₁₀" in ax.get_ylabel()


def test_matrices_that_rest_or_start_at_zero() -> None:
    model = make("mlp")
    model.W2.zero_()
    for p in model.parameters():
        p.requires_grad_()
    F.cross_entropy(model(X), Y).backward()
    found = update_ratios(model, 0.1)
    assert found["C"] == found["W1"] == -math.inf
    assert found["W2"] == math.inf
    plot_updates({name: [ratio, -2.0] for name, ratio in found.items()}, ax=(ax := plt.gca()))
    drawn(ax)
    assert update_ratios(model, 0.0)["W1"] == -math.inf
    model.W2.grad = torch.zeros_like(model.W2)
    assert math.isnan(update_ratios(model, 0.1)["W2"])


def test_updates_need_gradients() -> None:
    with pytest.raises(ValueError, match=r"^C has no gradient: call loss.backward\(\) first$"):
        update_ratios(make("mlp"), 0.1)
    for rate in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"^learning_rate must "):
            update_ratios(make("mlp"), rate)


# -- axes --------------------------------------------------------------------------------------


def every_plot(model: Any, **where: Any) -> Iterator[None]:
    yield plot_densities(activations(model, X), "output", **where)
    yield plot_grad_data(grad_data(model, X, Y), **where)
    yield plot_updates({"C": [-3.0, -2.5]}, **where)


def test_draws_where_it_is_told_to() -> None:
    figure, axes = plt.subplots(1, 4)
    for ax, _ in zip(axes, every_plot(make("mlp"), ax=axes[3])):
        assert not ax.has_data()
        assert axes[3].has_data()
        axes[3].clear()
    assert plt.get_fignums() == [figure.number]


def test_draws_in_a_new_figure_by_default() -> None:
    figure, ax = plt.subplots()
    for count, _ in enumerate(every_plot(make("mlp")), start=2):
        assert len(plt.get_fignums()) == count
        assert drawn(plt.gca()).get_ylabel() or plt.gca().get_yticklabels()
    assert count == 4
    assert not ax.has_data()
    assert plt.fignum_exists(figure.number)


# -- what is refused ---------------------------------------------------------------------------


def test_unknown_models() -> None:
    class Line:
        def __init__(self) -> None:
            self.w = torch.zeros(3, 27)

        def __call__(self, X: torch.Tensor) -> torch.Tensor:
            return X.float() @ self.w

        def parameters(self) -> list[torch.Tensor]:
            return [self.w]

    expected = (
        "^model must have a table C and layers, or be a Sequential, an MLP or a torch.nn.Module, "
        "got Line$"
    )
    line: Any = Line()
    for call in (
        lambda: activations(line, X),
        lambda: gradients(line, X, Y),
        lambda: grad_data(line, X, Y),
    ):
        with pytest.raises(TypeError, match=expected):
            call()
    for model in (object(), None, "mlp"):
        for call in (
            lambda model=model: activations(model, X),
            lambda model=model: gradients(model, X, Y),
            lambda model=model: update_ratios(model, 0.1),
        ):
            with pytest.raises(TypeError, match=f"^model must .*, got {type(model).__name__}$"):
                call()


def test_a_single_module_is_a_network() -> None:
    net = nn.Linear(3, 27)
    found = activations(net, torch.ones(2, 3))
    assert list(found) == ["Linear", "logits"]
    assert list(of_kind(found, "Linear")) == ["Linear"]
