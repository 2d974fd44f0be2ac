"""Looking into a network changes nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from network_kinds import KINDS, X, Y, make, seeded, traces
from torch import nn

from zerotohero.diagnostics import activations, grad_data, gradients
from zerotohero.layers import BatchNorm1d, Layer, Linear, Tanh

kinds = pytest.mark.parametrize("kind", list(KINDS))
modes = pytest.mark.parametrize("mode", [True, False], ids=["training", "evaluation"])
LOOKS: dict[str, Callable[..., Any]] = {
    "activations": lambda model, X, Y: activations(model, X),
    "gradients": gradients,
    "grad_data": grad_data,
}
looks = pytest.mark.parametrize("look", list(LOOKS))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute on one thread: for tensors this small a second one only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
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
def test_a_layer_that_fails_after_a_batchnorm(look: str) -> None:
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
def test_layers_of_torch_in_a_network_of_ours(look: str) -> None:
    class Mixed:
        def __init__(self) -> None:
            norms = [nn.BatchNorm1d(5), nn.BatchNorm1d(5, track_running_stats=False)]
            self.C = torch.randn((27, 2), generator=seeded(2))
            self.layers = [Linear(6, 5, generator=seeded(1)), *norms, Linear(5, 27)]

        def parameters(self) -> list[torch.Tensor]:
            return [self.C]

    model = Mixed()
    before = traces(model)
    LOOKS[look](model, X, Y)
    assert traces(model) == before


@looks
def test_a_dropout_does_not_move_the_random_numbers(look: str) -> None:
    model = nn.Sequential(nn.Embedding(27, 4), nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 27))
    state = torch.get_rng_state()
    LOOKS[look](model, X, Y)
    assert torch.equal(torch.get_rng_state(), state)


@kinds
def test_gradients_do_not_add_up(kind: str) -> None:
    model = make(kind)
    first, second = (list(gradients(model, X, Y)[1].values()) for _ in range(2))
    torch.testing.assert_close(first, second)


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
