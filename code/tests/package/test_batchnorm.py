"""Chapter 4's networks: their structure and first weights, against torch.nn, and training."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from zerotohero.batchnorm import DeepMLP, six_layers
from zerotohero.layers import BatchNorm1d, Layer, LayerNorm, Linear, ReLU, RMSNorm, Sequential, Tanh
from zerotohero.mlp import build_contexts, nll, sample, train

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = Path(__file__).parents[2] / "zerotohero" / "data" / "names-ssa-2018.txt"
X, Y = build_contexts(NAMES.read_text(encoding="utf-8").split()[:200])


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


small = partial(six_layers, n_embd=4, n_hidden=12)

# -- structure ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("norm", "count"), [(None, 46_497), (BatchNorm1d, 47_024), (LayerNorm, 47_024)]
)
def test_number_of_parameters(norm: Callable[[int], Layer] | None, count: int) -> None:
    model = six_layers(seeded(1), norm=norm)
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize("norm", [None, BatchNorm1d, RMSNorm])
@pytest.mark.parametrize("activation", [None, Tanh, ReLU])
def test_structure(norm: type[Layer] | None, activation: type[Layer] | None) -> None:
    model = six_layers(seeded(1), norm=norm, activation=activation)
    hidden = [kind for kind in (Linear, norm, activation) if kind]
    kinds = [*hidden * 5, Linear, *([norm] if norm else [])]
    assert [type(layer) for layer in model.layers] == kinds
    assert len({id(layer) for layer in model.layers}) == len(kinds), "no layer is used twice"
    linear = [layer for layer in model.layers if isinstance(layer, Linear)]
    assert [tuple(layer.weight.shape) for layer in linear] == [
        (30, 100),
        *[(100, 100)] * 4,
        (100, 27),
    ]
    assert all((layer.bias is None) == bool(norm) for layer in linear)
    assert model.C.shape == (27, 10)
    assert model(X[:5]).shape == (5, 27)
    assert not any(p.requires_grad for p in model.parameters())


def test_names_of_the_parameters() -> None:
    plain = list(dict(six_layers(seeded(1)).named_parameters()))
    places = [1, 3, 5, 7, 9, 11]
    assert plain == ["C", *(f"{n} Linear.{p}" for n in places for p in ("weight", "bias"))]
    model = six_layers(seeded(1), norm=BatchNorm1d)
    expected = ["C"]
    for n in (1, 4, 7, 10, 13, 16):
        expected += [f"{n} Linear.weight", *(f"{n + 1} BatchNorm1d.{p}" for p in ("gamma", "beta"))]
    named = dict(model.named_parameters())
    assert list(named) == expected
    assert named["C"] is model.C
    assert named["17 BatchNorm1d.beta"] is model.layers[-1].parameters()[1]
    parameters = model.parameters()
    assert all(p is q for p, q in zip(parameters, named.values(), strict=True))


@pytest.mark.parametrize("norm", [None, BatchNorm1d])
@pytest.mark.parametrize(("gain", "factor"), [("tanh", 5 / 3), ("linear", 1), (0.5, 0.5), (3, 3)])
def test_first_weights_follow_the_recipe(
    norm: type[Layer] | None, gain: str | float, factor: float
) -> None:
    """The recipe of the lecture: randn / sqrt(fan_in), hidden weights * gain, the last * 0.1."""
    generator, other = seeded(2), seeded(2)
    model = six_layers(generator, gain=gain, norm=norm)
    assert torch.equal(model.C, torch.randn((27, 10), generator=other))
    linear = [layer for layer in model.layers if isinstance(layer, Linear)]
    for layer, fan_in in zip(linear, (30, 100, 100, 100, 100, 100), strict=True):
        last = layer is linear[-1]
        scale = (1 if norm else 0.1) if last else factor
        weight = torch.randn(layer.weight.shape, generator=other) / fan_in**0.5 * scale
        torch.testing.assert_close(layer.weight, weight)
        assert layer.bias is None or not layer.bias.any()
    assert torch.equal(generator.get_state(), other.get_state()), "nothing else was drawn"
    norms = [layer for layer in model.layers if isinstance(layer, BatchNorm1d)]
    gammas = [layer.gamma.unique().item() for layer in norms]
    assert gammas == pytest.approx([1, 1, 1, 1, 1, 0.1] if norm else [])
    assert not any(layer.beta.any() for layer in norms)


def test_default_is_the_gain_of_tanh() -> None:
    default, named = six_layers(seeded(3)), six_layers(seeded(3), gain="tanh")
    assert all(torch.equal(p, q) for p, q in zip(default.parameters(), named.parameters()))


@pytest.mark.parametrize("norm", [None, BatchNorm1d, LayerNorm])
def test_modes_reach_every_layer(norm: type[Layer] | None) -> None:
    model = small(seeded(1), norm=norm)
    for switch, mode in ((model.eval, False), (model.train, True)):
        switch()
        assert {layer.training for layer in model.layers} == {mode}
    model.train(False)
    assert {layer.training for layer in model.layers} == {False}


def test_any_number_of_characters() -> None:
    model = small(seeded(1), norm=BatchNorm1d, vocab_size=5)
    assert model.C.shape == (5, 4)
    assert model(torch.tensor([[0, 4, 1], [1, 2, 3]])).shape == (2, 5)


def test_it_is_a_container_of_its_layers() -> None:
    model = small(seeded(1))
    assert list(model.children().values()) == model.layers
    outer = Sequential(Tanh(), model)
    named = [(f"1.{name}", id(p)) for name, p in model.named_parameters()]
    assert [(name, id(p)) for name, p in outer.named_parameters()] == named


# -- against torch.nn --------------------------------------------------------------------------


def twin(model: DeepMLP) -> nn.Sequential:
    """Return the same network, of torch's own layers."""
    made: list[nn.Module] = [nn.Embedding(*model.C.shape), nn.Flatten()]
    for layer in model.layers:
        if isinstance(layer, Linear):
            made.append(nn.Linear(*layer.weight.shape, bias=layer.bias is not None))
        elif isinstance(layer, BatchNorm1d):
            made.append(nn.BatchNorm1d(layer.dim))
        else:
            made.append({Tanh: nn.Tanh, ReLU: nn.ReLU}[type(layer)]())  # type: ignore[index] # only these two occur
    net = nn.Sequential(*made)
    with torch.no_grad():
        for p, (name, value) in zip(net.parameters(), model.named_parameters(), strict=True):
            p.copy_(value.T if name.endswith("Linear.weight") else value)
    return net


def trained(model: Any, steps: int = 30) -> list[float]:
    return train(model, X, Y, steps=steps, learning_rate=0.1, generator=seeded(4), progress=False)


@pytest.mark.parametrize("norm", [None, BatchNorm1d])
@pytest.mark.parametrize("activation", [None, Tanh, ReLU])
def test_trains_as_the_same_network_in_torch(
    norm: type[Layer] | None, activation: type[Layer] | None
) -> None:
    model = small(seeded(5), norm=norm, activation=activation)
    net = twin(model)
    torch.testing.assert_close(model(X), net(X).detach(), rtol=1e-4, atol=1e-4)
    assert trained(model) == pytest.approx(trained(net), rel=1e-3)
    values = {name: p.detach() for name, p in model.named_parameters()}
    for q, (name, p) in zip(net.parameters(), values.items(), strict=True):
        theirs = q.detach().T if name.endswith("Linear.weight") else q.detach()
        torch.testing.assert_close(p, theirs, rtol=1e-3, atol=1e-3)
    model.eval()
    net.eval()
    torch.testing.assert_close(model(X), net(X).detach(), rtol=1e-3, atol=1e-3)


def test_training_lowers_the_loss_and_evaluation_is_one_by_one() -> None:
    model = small(seeded(6), norm=BatchNorm1d)
    before = nll(model, X, Y)
    assert before == pytest.approx(3.2958, abs=0.05)  # log 27: no guess yet
    trained(model, steps=400)
    assert nll(model, X, Y) < before - 0.5
    model.eval()
    logits = model(X[:20])
    one_by_one = torch.cat([model(x[None]) for x in X[:20]])
    torch.testing.assert_close(one_by_one, logits, rtol=1e-4, atol=1e-4)
    assert not any(p.requires_grad for p in model.parameters())


def test_samples_in_evaluation_mode() -> None:
    model = small(seeded(7), norm=BatchNorm1d, block_size=2)
    words = sample(model, 5, 2, seeded(8))
    assert len(words) == 5
    with pytest.raises(ValueError, match=r"got 1: for one, call eval\(\) first"):
        model(torch.zeros((1, 2), dtype=torch.int64))  # in training mode, as before
    model.eval()
    assert words == sample(model, 5, 2, seeded(8))


# -- what is refused ---------------------------------------------------------------------------


def test_bad_networks() -> None:
    with pytest.raises(ValueError, match=r"^C must have two dimensions, got shape \(27,\)$"):
        DeepMLP(torch.zeros(27), [Tanh()])
    with pytest.raises(ValueError, match=r"^layers must hold at least one layer, got none"):
        DeepMLP(torch.zeros(27, 2), [])
    with pytest.raises(
        ValueError, match=r"Linear: x must have shape \(\.\.\., 30\), got \(9, 20\)"
    ):
        six_layers(seeded(1))(torch.zeros(9, 2, dtype=torch.int64))


@pytest.mark.parametrize("name", ["block_size", "n_embd", "n_hidden", "vocab_size"])
@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError)])
def test_bad_sizes(name: str, size: Any, error: type[Exception]) -> None:
    generator = seeded(9)
    with pytest.raises(error, match=f"^{name} must be .*, got {size}$"):
        six_layers(generator, **{name: size})
    assert torch.equal(generator.get_state(), seeded(9).get_state()), "nothing was drawn"


@pytest.mark.parametrize("name", ["activation", "norm"])
@pytest.mark.parametrize("layer", [Tanh(), BatchNorm1d(100)], ids=["Tanh", "BatchNorm1d"])
def test_a_layer_instead_of_its_class(name: str, layer: Layer) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be a class, {type(layer).__name__}, not"):
        six_layers(seeded(1), **{name: layer})  # type: ignore[arg-type]


@pytest.mark.parametrize("ids", [[0, -1, 2], [0, 27, 2]])
def test_an_id_that_is_not_in_the_table(ids: list[int]) -> None:
    with pytest.raises(IndexError, match=r"^X must hold ids from 0 to 26, got -?\d+ to \d+$"):
        small(seeded(1))(torch.tensor([ids]))


def test_bad_gain() -> None:
    with pytest.raises(ValueError, match=r"^gain must be a number or one of .*, got 'sigmoid'"):
        six_layers(seeded(1), gain="sigmoid")


def test_layers_are_a_list_of_the_networks_own() -> None:
    layers = [Linear(6, 27, generator=seeded(1))]
    model = DeepMLP(torch.zeros(27, 2), layers)
    layers.clear()
    assert len(model.layers) == 1
