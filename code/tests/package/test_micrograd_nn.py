"""Neurons, layers and the MLP, beside the same network in PyTorch."""

import copy
import math
import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from zerotohero.micrograd import MLP, Layer, Module, Neuron, Value
from zerotohero.reproduce import published_figures

TORCH = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "linear": torch.nn.Identity}


def data(module: Module) -> list[float]:
    return [p.data for p in module.parameters()]


# -- parameters ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "network"),
    [
        ("lecture1.mlp_parameters", lambda: MLP(3, [4, 4, 1])),
        ("lecture1.moons_parameters", lambda: MLP(2, [16, 16, 1])),
    ],
)
def test_published_numbers_of_parameters(key: str, network: Callable[[], MLP]) -> None:
    assert len(network().parameters()) == published_figures()[key]["published"]


def test_order_of_the_parameters() -> None:
    model = MLP(2, [3, 1])
    in_order: list[Value] = []
    for layer in model.layers:
        for neuron in layer.neurons:
            in_order += [*neuron.w, neuron.b]
    parameters = model.parameters()
    assert len(parameters) == len(set(parameters)) == 3 * 3 + 4
    assert all(p is q for p, q in zip(parameters, in_order, strict=True))
    assert [len(layer.parameters()) for layer in model.layers] == [9, 4]


def test_weights_between_minus_one_and_one_and_no_bias() -> None:
    neuron = Neuron(500, rng=random.Random(0))
    weights = [w.data for w in neuron.w]
    assert -1 <= min(weights) < -0.9
    assert 0.9 < max(weights) <= 1
    assert neuron.b.data == 0.0


def test_no_two_weights_are_alike() -> None:
    model = MLP(4, [4, 4, 4], rng=random.Random(0))
    weights = [w.data for layer in model.layers for neuron in layer.neurons for w in neuron.w]
    assert len(set(weights)) == len(weights) == 48


@pytest.mark.parametrize("make", [random.Random, np.random.default_rng])
def test_the_same_seed_gives_the_same_network(make: Callable[[int], Any]) -> None:
    one, again, other = (MLP(3, [4, 1], rng=make(seed)) for seed in (7, 7, 8))
    assert data(one) == data(again)
    assert data(one) != data(other)
    assert all(type(number) is float for number in data(one))


def test_without_a_generator_networks_differ() -> None:
    assert data(MLP(3, [4, 1])) != data(MLP(3, [4, 1]))


def test_the_global_generator_is_left_alone() -> None:
    before = random.getstate()
    for module in (Neuron(3), Layer(3, 4), MLP(3, [4, 1]), MLP(3, [4, 1], rng=random.Random(0))):
        assert module.parameters()
    assert random.getstate() == before


def test_zero_grad() -> None:
    model = MLP(3, [4, 2], rng=random.Random(0))
    x = [Value(1.0), Value(-2.0), Value(0.5)]
    outs = model(x)
    assert isinstance(outs, list)
    sum(outs, Value(0.0)).backward()
    assert all(p.grad != 0.0 for p in model.parameters())
    inputs = [v.grad for v in x]
    model.zero_grad()
    assert all(p.grad == 0.0 for p in model.parameters())
    assert [v.grad for v in x] == inputs  # inputs are no parameters


def test_a_module_must_list_its_parameters() -> None:
    class Forgetful(Module):
        pass

    with pytest.raises(NotImplementedError, match="Forgetful"):
        Forgetful().zero_grad()


# -- outputs -------------------------------------------------------------------


def test_shapes_of_outputs() -> None:
    x = [1.0, 2.0]
    assert isinstance(Neuron(2)(x), Value)
    for n in (1, 3):
        outs = Layer(2, n)(x)
        assert isinstance(outs, list)
        assert len(outs) == n
    assert isinstance(MLP(2, [3, 1])(x), Value)
    several = MLP(2, [1, 3])(x)
    assert isinstance(several, list)
    assert len(several) == 3
    assert all(isinstance(out, Value) for out in several)


@pytest.mark.parametrize("x", [(1.0, -2.0), np.array([1.0, -2.0]), [1, -2], [Value(1.0), -2.0]])
def test_kinds_of_input(x: Any) -> None:
    neuron = Neuron(2, rng=random.Random(0))
    assert neuron(x).data == Neuron(2, rng=random.Random(0))([1.0, -2.0]).data


@pytest.mark.parametrize("make", [Neuron, lambda n: Layer(n, 2), lambda n: MLP(n, [2, 1])])
@pytest.mark.parametrize("given", [0, 1, 2, 4])
def test_wrong_number_of_inputs(make: Callable[[int], Any], given: int) -> None:
    with pytest.raises(ValueError, match=rf"x must have 3 inputs, got {given}"):
        make(3)([1.0] * given)


def test_the_activation_is_applied() -> None:
    for name, expected in {"linear": -3.0, "relu": 0.0, "tanh": np.tanh(-3.0)}.items():
        neuron = Neuron(1, name)
        neuron.w[0].data, neuron.b.data = 2.0, 1.0
        assert neuron([-2.0]).data == pytest.approx(expected, rel=1e-15)


def test_last_linear() -> None:
    plain = MLP(2, [3, 3, 1], activation="relu")
    linear = MLP(2, [3, 3, 1], activation="relu", last_linear=True)
    kinds = [[{n.activation for n in layer.neurons} for layer in m.layers] for m in (plain, linear)]
    assert kinds == [[{"relu"}] * 3, [{"relu"}, {"relu"}, {"linear"}]]


# -- what is refused -----------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda: Neuron(2, "sigmoid"), ["activation", "'sigmoid'", "relu", "tanh", "linear"]),
        (lambda: MLP(2, [2, 1], activation="Tanh"), ["activation", "'Tanh'"]),
        (lambda: Neuron(0), ["nin", "0"]),
        (lambda: Neuron(-3), ["nin", "-3"]),
        (lambda: Neuron(2.0), ["nin", "2.0"]),
        (lambda: Layer(2, 0), ["nout", "0"]),
        (lambda: Layer(0, 2), ["nin", "0"]),
        (lambda: MLP(-1, [2]), ["nin", "-1"]),
        (lambda: MLP(2, [4, -4, 1]), ["nout", "-4"]),
        (lambda: MLP(2, [4, "4"]), ["nout", "'4'"]),
        (lambda: MLP(2, []), ["nouts", "empty"]),
        (lambda: MLP(3, 4), ["nouts", "list", "4"]),
        (lambda: MLP(3, None), ["nouts", "list", "None"]),
        (lambda: MLP(3, "44"), ["nout", "int", "'4'"]),
        (lambda: MLP("3", [4]), ["nin", "int", "'3'"]),
        (lambda: MLP(True, [4]), ["nin", "int", "True"]),
        (lambda: Layer(2, 2.5), ["nout", "int", "2.5"]),
        (lambda: Neuron(2, ["relu"]), ["activation", "['relu']"]),
        (lambda: MLP(1, [4, 1])(2.0), ["x", "list of 1 inputs", "2.0"]),
        (lambda: MLP(2, [4, 1])(None), ["x", "2 inputs", "None"]),
        (lambda: Layer(2, 3)(Value(1.0)), ["x", "2 inputs", "Value"]),
        (lambda: Neuron(2)(np.array(1.0)), ["x", "2 inputs", "array(1.)"]),
        (lambda: Neuron(2)(iter([1.0, 2.0])), ["x", "2 inputs", "iterator"]),
        (lambda: Neuron(2)("ab"), ["data", "number", "'a'"]),
        (lambda: Neuron(1)([[1.0]]), ["data", "number", "[1.0]"]),
        (lambda: Neuron(1)([math.nan]), ["data", "finite", "nan"]),
    ],
)
def test_refused(bad: Callable[[], object], words: list[str]) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        bad()
    for word in words:
        assert word in str(caught.value)


def test_numpy_integers_are_sizes() -> None:
    sizes: Any = np.array([3, 4, 4, 1])
    assert len(MLP(sizes[0], list(sizes[1:])).parameters()) == 41


def test_representations() -> None:
    assert repr(MLP(2, [3, 1], last_linear=True)) == (
        "MLP([Layer(Neuron(2, 'tanh') × 3), Layer(Neuron(3, 'linear') × 1)])"
    )


# -- the usage of micrograd's demonstration -------------------------------------


def test_the_demonstrations_loop() -> None:
    model = MLP(2, [16, 16, 1])
    inputs = [[Value(0.5), Value(-1.0)], [1.0, 2], (0, -1.5)]
    scores = [model(x) for x in inputs]
    losses = [(1 + -y * score).relu() for y, score in zip((1, -1, 1), scores)]
    loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
    model.zero_grad()
    loss.backward()
    before = data(model)
    for p in model.parameters():
        p.data -= 0.1 * p.grad
    assert sum(p != q for p, q in zip(before, data(model))) > 300
    model.zero_grad()
    assert {p.grad for p in model.parameters()} == {0.0}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copied_network_is_a_network_of_its_own(copied: Callable[[MLP], MLP]) -> None:
    model = MLP(2, [3, 1], rng=random.Random(3))
    twin = copied(model)
    assert data(twin) == data(model)
    twin.parameters()[0].data = 9.0
    assert data(twin) != data(model)
    out = twin([1.0, 2.0])
    assert isinstance(out, Value)
    out.backward()
    assert {p.grad for p in model.parameters()} == {0.0}


# -- a twin in PyTorch ---------------------------------------------------------


def twin(model: MLP) -> torch.nn.Sequential:
    """Return the same network out of ``nn.Linear``, in double precision, weights copied."""
    modules: list[torch.nn.Module] = []
    for layer in model.layers:
        rows = [[w.data for w in neuron.w] for neuron in layer.neurons]
        linear = torch.nn.Linear(len(rows[0]), len(rows), dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(rows, dtype=torch.float64))
            linear.bias.copy_(torch.tensor([n.b.data for n in layer.neurons], dtype=torch.float64))
        modules += [linear, TORCH[layer.neurons[0].activation]()]
    return torch.nn.Sequential(*modules)


@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
@pytest.mark.parametrize("last_linear", [False, True])
@pytest.mark.parametrize("nouts", [[1], [5, 1], [4, 4, 3]])
def test_as_in_pytorch(activation: str, last_linear: bool, nouts: list[int]) -> None:
    rng = random.Random(f"{activation} {last_linear} {nouts}")
    model = MLP(3, nouts, activation=activation, last_linear=last_linear, rng=rng)
    for p in model.parameters():
        p.data = rng.uniform(-1, 1)  # biases too
    network = twin(model)
    batch = [[rng.uniform(-2, 2) for _ in range(3)] for _ in range(5)]
    total = Value(0.0)
    for x in batch:
        outs = model(x)
        outs = [outs] if isinstance(outs, Value) else outs
        expected = network(torch.tensor(x, dtype=torch.float64))
        assert [out.data for out in outs] == pytest.approx(expected.tolist(), rel=1e-12, abs=1e-14)
        for k, out in enumerate(outs):
            total = total + (out - k) ** 2
    total.backward()
    predicted = network(torch.tensor(batch, dtype=torch.float64))
    (predicted - torch.arange(nouts[-1])).square().sum().backward()
    right: list[float] = []
    for linear in network[::2]:
        for row, bias in zip(linear.weight.grad.tolist(), linear.bias.grad.tolist()):
            right += [*row, bias]
    assert [p.grad for p in model.parameters()] == pytest.approx(right, rel=1e-12, abs=1e-13)
