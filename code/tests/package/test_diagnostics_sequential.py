"""The diagnostics of a Sequential: every layer by its path, and no trace left."""

from collections.abc import Iterator

import pytest
import torch
from test_layers_containers import IDS, Residual, nested, seeded
from torch import nn

from zerotohero.diagnostics import activations, gradients
from zerotohero.layers import (
    BatchNorm1d,
    Embedding,
    FlattenConsecutive,
    Layer,
    Linear,
    Sequential,
)

TARGETS = torch.randint(0, 27, (9,), generator=seeded(9))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute on one thread: for tensors this small a second one only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def leaves_of(net: Sequential, prefix: str = "") -> dict[str, Layer]:
    """Return all layers without layers inside, by their path."""
    leaves: dict[str, Layer] = {}
    for name, layer in net.children().items():
        inside = isinstance(layer, Sequential)
        leaves |= leaves_of(layer, f"{prefix}{name}.") if inside else {f"{prefix}{name}": layer}
    return leaves


def test_activations_are_those_of_every_layer() -> None:
    net = nested()
    leaves = leaves_of(net)
    norm = leaves["2.0.1"]
    assert isinstance(norm, BatchNorm1d)
    before = norm.running_mean.clone()
    found = activations(net, IDS)
    assert torch.equal(norm.running_mean, before), "looking leaves no trace"
    assert list(found) == [f"{path} {type(leaf).__name__}" for path, leaf in leaves.items()]
    x = IDS
    for leaf, seen in zip(leaves.values(), found.values(), strict=True):
        x = leaf(x)
        torch.testing.assert_close(seen, x)


def test_gradients_are_those_of_autograd() -> None:
    net = nested()
    _, by_parameter = gradients(net, IDS, TARGETS)
    named = dict(net.named_parameters())
    assert list(by_parameter) == list(named)
    for p in named.values():
        assert not p.requires_grad
        p.requires_grad_()
    nn.functional.cross_entropy(net(IDS), TARGETS).backward()
    for name, p in named.items():
        torch.testing.assert_close(by_parameter[name], p.grad)


def test_statistics_inside_of_a_container_are_kept() -> None:
    norm = BatchNorm1d(6)
    net = Sequential(Embedding(27, 3), FlattenConsecutive(2), Residual(norm), Linear(6, 27))
    found = activations(net, IDS)
    assert list(found)[2] == "2 Residual"
    assert torch.equal(norm.running_mean, torch.zeros(6))
