"""The numbers behind the four plots, computed by hand, and what is drawn of them."""

import math
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from network_kinds import KINDS, X, Y, gradients_by_hand, make, outputs_by_hand, seeded
from torch import nn

from zerotohero.batchnorm import DeepMLP
from zerotohero.diagnostics import (
    SATURATED,
    Spread,
    activations,
    gradients,
    named_parameters,
    plot_activations,
    plot_grad_data,
    plot_gradients,
    plot_updates,
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


# -- the plots of distributions ----------------------------------------------------------------


@kinds
@pytest.mark.parametrize("after", ["Tanh", "Linear", "ReLU", "BatchNorm1d"])
@pytest.mark.parametrize("plot", ["activations", "gradients"])
def test_distributions(kind: str, after: str, plot: str) -> None:
    expected = outputs_by_hand(make(kind), X)
    if plot == "gradients":
        expected, _ = gradients_by_hand(make(kind), X, Y)
    expected = {name: x for name, x in expected.items() if name.endswith(f" {after}")}
    arguments = (make(kind), X) if plot == "activations" else (make(kind), X, Y)
    function: Any = plot_activations if plot == "activations" else plot_gradients
    _, ax = plt.subplots()
    if not expected:
        with pytest.raises(ValueError, match=rf"^after must be .* in \['.*\], got '{after}'$"):
            function(*arguments, after=after, ax=ax)
        return
    found = function(*arguments, after=after, ax=ax)
    assert list(found) == list(expected)
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
    assert after in ax.get_xlabel()
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(found)


def test_saturation_counts_both_sides() -> None:
    model = MLP(seeded(1), n_embd=4, n_hidden=16)
    model.b1[:4], model.b1[4:8], model.W1[:] = 5.0, -5.0, 0.0
    model.b1[8:] = 0.5
    assert plot_activations(model, X)["2 Tanh"].saturated == 0.5


@pytest.mark.parametrize("value", [0.0, 0.5, -3e4])
def test_equal_activations(value: float) -> None:
    """All equal, or equal but for the last bit: there is a plot, and no division by zero."""
    model = DeepMLP(torch.full((27, 4), value), [Linear(12, 27, generator=seeded(1))])
    expected = Spread(value, 0.0, float(abs(value) > 0.97))
    _, ax = plt.subplots()
    assert plot_activations(model, X, after="Embedding", ax=ax)["0 Embedding"] == expected
    drawn(ax)
    model.C[5] = torch.nextafter(model.C[5], torch.tensor(1e9))
    plot_activations(model, X, after="Embedding", ax=ax)
    drawn(ax)


# -- gradient beside data ----------------------------------------------------------------------


@kinds
def test_grad_data(kind: str) -> None:
    _, ax = plt.subplots()
    model = make(kind)
    found = plot_grad_data(model, X, Y, ax=ax)
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
    found = plot_grad_data(model, X, Y, ax=ax)
    assert found["W2"][1:] == (0.0, math.inf)
    assert found["W2"].grad > 0
    assert found["C"].ratio == found["W1"].ratio == 0
    assert not np.isfinite([bar.get_width() for bar in drawn(ax).patches]).any()  # type: ignore[attr-defined]
    model.W1.zero_()
    model.b1.zero_()
    found = plot_grad_data(model, X, Y, ax=ax)
    assert math.isnan(found["W2"].ratio), "its gradient is zero, too"
    drawn(ax)


# -- axes --------------------------------------------------------------------------------------


def every_plot(model: Any, **where: Any) -> Iterator[Any]:
    yield plot_activations(model, X, **where)
    yield plot_gradients(model, X, Y, **where)
    yield plot_grad_data(model, X, Y, **where)
    options: Any = {"steps": 2, "learning_rate": 0.1, "generator": seeded(2)}
    yield plot_updates(model, X, Y, **options, **where)


def test_draws_where_it_is_told_to() -> None:
    figure, axes = plt.subplots(1, 5)
    for ax, _ in zip(axes, every_plot(make("mlp"), ax=axes[4])):
        assert not ax.has_data()
        assert axes[4].has_data()
        axes[4].clear()
    assert plt.get_fignums() == [figure.number]


def test_draws_in_a_new_figure_by_default() -> None:
    figure, ax = plt.subplots()
    for count, _ in enumerate(every_plot(make("mlp")), start=2):
        assert len(plt.get_fignums()) == count
        assert drawn(plt.gca()).get_ylabel() or plt.gca().get_yticklabels()
    assert count == 5
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
        lambda: plot_activations(line, X),
        lambda: plot_gradients(line, X, Y),
        lambda: plot_grad_data(line, X, Y),
    ):
        with pytest.raises(TypeError, match=expected):
            call()
    for model in (object(), None, "mlp"):
        with pytest.raises(TypeError, match=f"^model must have .*, got {type(model).__name__}$"):
            gradients(model, X, Y)
        with pytest.raises(TypeError, match=f"^model must have .*, got {type(model).__name__}$"):
            activations(model, X)
    assert plt.get_fignums() == []


def test_a_single_module_is_a_network() -> None:
    net = nn.Linear(3, 27)
    assert list(activations(net, torch.ones(2, 3))) == ["Linear", "logits"]
    assert list(plot_activations(net, torch.ones(2, 3), after="Linear")) == ["Linear"]
