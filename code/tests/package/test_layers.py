"""The linear layer, the nonlinearities and what all layers share, against torch.nn."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import in_dtype

from zerotohero.layers import GAINS, Layer, Linear, ReLU, Tanh

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPES = st.lists(st.integers(0, 4), max_size=3)  # of all dimensions but the last


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rand(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed))


# -- gains and initial weights -------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", "tanh", "relu"])
def test_gains_are_those_of_torch(name: str) -> None:
    assert GAINS[name] == pytest.approx(torch.nn.init.calculate_gain(name))
    by_name, by_number = (Linear(3, 4, gain=g, generator=seeded(1)) for g in (name, GAINS[name]))
    assert torch.equal(by_name.weight, by_number.weight)


def test_no_gain_is_left_untested() -> None:
    assert set(GAINS) == {"linear", "tanh", "relu"}


@pytest.mark.parametrize("gain", ["linear", "tanh", "relu", 0.5, 3, np.float32(0.5)])
@pytest.mark.parametrize(("fan_in", "fan_out"), [(30, 4000), (400, 300)])
def test_size_of_the_weights(gain: str | float, fan_in: int, fan_out: int) -> None:
    layer = Linear(fan_in, fan_out, gain=gain, generator=seeded(2))
    named = torch.nn.init.calculate_gain(gain) if isinstance(gain, str) else gain
    expected = named / math.sqrt(fan_in)
    # 120,000 draws: the standard deviation is right to 0.2 percent, five times that is safe.
    assert layer.weight.std().item() == pytest.approx(expected, rel=0.01)
    assert abs(layer.weight.mean().item()) < 0.015 * expected
    assert layer.weight.dtype == torch.float32


def test_the_outputs_have_variance_one_for_gain_one() -> None:
    out = Linear(100, 400, generator=seeded(3))(rand(1000, 100))
    assert out.var().item() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("fan_in", "fan_out"), [(1, 1), (3, 5), (30, 200)])
def test_shapes_and_draws(fan_in: int, fan_out: int, bias: bool) -> None:
    generator, other = seeded(4), seeded(4)
    layer = Linear(fan_in, fan_out, bias, gain="tanh", generator=generator)
    drawn = torch.randn((fan_in, fan_out), generator=other)
    torch.testing.assert_close(layer.weight, drawn * 5 / 3 / fan_in**0.5)
    assert torch.equal(generator.get_state(), other.get_state()), "nothing else was drawn"
    assert layer.parameters()[0] is layer.weight
    if bias:
        assert layer.parameters()[1] is layer.bias
        assert torch.equal(layer.parameters()[1], torch.zeros(fan_out))
    else:
        assert layer.bias is None
    assert len(layer.parameters()) == 1 + bias
    assert not any(p.requires_grad for p in layer.parameters())


def test_the_seed_decides() -> None:
    first, same, other = (Linear(3, 4, generator=seeded(seed)).weight for seed in (5, 5, 6))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_without_a_generator_the_seed_of_torch_decides() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        first = Linear(3, 4).weight
        torch.manual_seed(7)
        assert torch.equal(Linear(3, 4).weight, first)
        state = torch.get_rng_state()
        Linear(3, 4, generator=seeded(7))
        assert torch.equal(torch.get_rng_state(), state), "a generator of one's own is all it uses"
        assert torch.equal(first, Linear(3, 4, generator=seeded(7)).weight)


# -- forward and backward ------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(SHAPES, st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_linear_as_in_torch(shape: list[int], fan_in: int, fan_out: int, bias: bool) -> None:
    layer = Linear(fan_in, fan_out, bias, generator=seeded(8))
    if layer.bias is not None:
        layer.bias.copy_(rand(fan_out, seed=9))
    leaves = [rand(*shape, fan_in), *layer.parameters()]
    theirs = [leaves[0].clone(), layer.weight.T.clone(), *(p.clone() for p in leaves[2:])]
    for leaf in (*leaves, *theirs):
        leaf.requires_grad_()
    out, expected = layer(leaves[0]), F.linear(*theirs)
    assert out.shape == (*shape, fan_out)
    torch.testing.assert_close(out, expected)
    force = rand(*out.shape, seed=10)
    grads = torch.autograd.grad(out, leaves, force)
    right = torch.autograd.grad(expected, theirs, force)
    torch.testing.assert_close(grads, (right[0], right[1].T, *right[2:]))


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_linear_is_linear(n: int, fan_in: int, fan_out: int, seed: int) -> None:
    layer = Linear(fan_in, fan_out, bias=False, generator=seeded(seed))
    in_dtype(layer, torch.float64)
    x, y = rand(n, fan_in, seed=seed + 1).double(), rand(n, fan_in, seed=seed + 2).double()
    torch.testing.assert_close(layer(2 * x - 3 * y), 2 * layer(x) - 3 * layer(y))


@settings(deadline=None, max_examples=40)
@given(SHAPES, st.sampled_from([(Tanh(), torch.nn.Tanh()), (ReLU(), torch.nn.ReLU())]))
def test_nonlinearities_as_in_torch(shape: list[int], pair: tuple[Layer, torch.nn.Module]) -> None:
    layer, module = pair
    x = (2 * rand(*shape)).requires_grad_()
    out, expected = layer(x), module(x)
    assert torch.equal(out, expected)
    force = rand(*shape, seed=11)
    grads, right = (torch.autograd.grad(y, x, force)[0] for y in (out, expected))
    assert torch.equal(grads, right)
    assert layer.parameters() == []


# -- what layers share ---------------------------------------------------------------------


def test_a_layer_must_say_what_it_computes() -> None:
    class Mystery(Layer):
        pass

    with pytest.raises(NotImplementedError, match=r"^Mystery must implement __call__\(\)$"):
        Mystery()(rand(2, 3))
    assert Mystery().parameters() == []


@pytest.mark.parametrize("make", [Layer, Tanh, ReLU, lambda: Linear(2, 3)])
def test_modes(make: Any) -> None:
    layer, other = make(), make()
    assert layer.training is True
    layer.eval()
    assert layer.training is False
    assert other.training is True, "each layer has a mode of its own"
    layer.train()
    assert layer.training is True
    layer.train(False)
    assert layer.training is False


# -- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fan_in", "fan_out"])
@pytest.mark.parametrize(
    ("size", "error", "message"),
    [
        (0, ValueError, "{name} must be at least 1, got 0"),
        (-3, ValueError, "{name} must be at least 1, got -3"),
        (2.0, TypeError, "{name} must be an int, got 2.0"),
        (True, TypeError, "{name} must be an int, got True"),
        ("2", TypeError, "{name} must be an int, got '2'"),
        (None, TypeError, "{name} must be an int, got None"),
    ],
)
def test_bad_sizes(name: str, size: Any, error: type[Exception], message: str) -> None:
    generator = seeded(12)
    with pytest.raises(error) as caught:
        Linear(**({"fan_in": 3, "fan_out": 4} | {name: size}), generator=generator)
    assert str(caught.value) == message.format(name=name)
    assert torch.equal(generator.get_state(), seeded(12).get_state()), "nothing was drawn"


@pytest.mark.parametrize(
    ("gain", "error", "message"),
    [
        ("Tanh", ValueError, "one of ['linear', 'relu', 'tanh'], got 'Tanh'"),
        ("", ValueError, "gain must be a number or one of ['linear', 'relu', 'tanh'], got ''"),
        (-0.1, ValueError, "gain must not be negative, got -0.1"),
        (math.inf, ValueError, "gain must be finite, got inf"),
        (math.nan, ValueError, "gain must be finite, got nan"),
        (None, TypeError, "gain must be a number, got None"),
        (True, TypeError, "gain must be a number, got True"),
        ([1.0], TypeError, "gain must be a number, got [1.0]"),
    ],
)
def test_bad_gains(gain: Any, error: type[Exception], message: str) -> None:
    generator = seeded(13)
    with pytest.raises(error) as caught:
        Linear(2, 3, gain=gain, generator=generator)
    assert str(caught.value).endswith(message)
    assert torch.equal(generator.get_state(), seeded(13).get_state()), "nothing was drawn"


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (rand(5, 3), ValueError, "Linear: x must have shape (..., 4), got (5, 3)"),
        (rand(4, 5), ValueError, "Linear: x must have shape (..., 4), got (4, 5)"),
        (torch.tensor(1.0), ValueError, "Linear: x must have shape (..., 4), got ()"),
        (np.ones((2, 4)), TypeError, "Linear: x must be a tensor, got ndarray"),
        ([1.0] * 4, TypeError, "Linear: x must be a tensor, got list"),
    ],
)
def test_bad_inputs(x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        Linear(4, 3, generator=seeded(14))(x)
    assert str(caught.value) == message
