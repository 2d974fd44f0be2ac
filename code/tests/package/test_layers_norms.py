"""The normalizations of single examples against torch.nn, and what all four refuse."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import C, batch, in_dtype, learned, rand, with_gradients
from torch import nn

from zerotohero.layers import BatchNorm1d, GroupNorm, Layer, LayerNorm, RMSNorm

pytestmark = pytest.mark.usefixtures("one_thread")

PAIRS: dict[str, Any] = {
    "LayerNorm": (partial(LayerNorm, C), partial(nn.LayerNorm, C)),
    "RMSNorm": (partial(RMSNorm, C), partial(nn.RMSNorm, C)),
    **{
        f"GroupNorm {g}": (partial(GroupNorm, g, C), partial(nn.GroupNorm, g, C)) for g in (1, 2, 3)
    },
}
pairs = pytest.mark.parametrize("name", list(PAIRS))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(list(PAIRS)),
    st.lists(st.integers(1, 5), max_size=3),
    st.sampled_from([1e-8, 1e-5, 0.1]),
    st.booleans(),
)
def test_as_in_torch(name: str, sizes: list[int], eps: float, mode: bool) -> None:
    ours, theirs = (make(eps) for make in PAIRS[name])
    in_dtype(ours, torch.float64).train(mode)
    theirs.train(mode).double()
    learned(ours, theirs)
    x = batch(*sizes, C).double()
    found = with_gradients(ours, x, ours.parameters())
    expected = with_gradients(  # a GroupNorm of PyTorch wants (N, C)
        lambda x: theirs(x.view(-1, C)).view(x.shape), x, list(theirs.parameters())
    )
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


@pairs
def test_position_by_position(name: str) -> None:
    """Every example is normalized by itself, wherever it stands and whatever the others are."""
    layer = PAIRS[name][0](1e-5)
    learned(layer)
    x = batch(3, 4, C)
    out = layer(x)
    torch.testing.assert_close(out, layer(x.view(12, C)).view(3, 4, C))
    for b in range(3):
        for t in range(4):
            torch.testing.assert_close(out[b, t], layer(x[b, t]))
    x[0, 0] = 1e3 * rand(C, seed=2)
    assert torch.equal(layer(x).view(12, C)[1:], out.view(12, C)[1:])


def test_one_group_is_a_layernorm_and_groups_of_one_leave_the_shift() -> None:
    x, whole, one, single = batch(9, C), LayerNorm(C), GroupNorm(1, C), GroupNorm(C, C)
    for layer in (whole, one, single):
        learned(layer)
    torch.testing.assert_close(one(x), whole(x))
    torch.testing.assert_close(single(x), single.beta.expand(9, C))


# -- for any input ------------------------------------------------------------------------

SPREAD = st.tuples(st.integers(0, 10**6), st.floats(-50, 50), st.floats(0.1, 100))


@settings(deadline=None)
@given(SPREAD, st.sampled_from(list(PAIRS)))
def test_shift_and_scale_of_an_example(spread: tuple[int, float, float], name: str) -> None:
    seed, shift, scale = spread
    x = rand(3, C, seed=seed).double()
    layer = in_dtype(PAIRS[name][0](0.0), torch.float64)
    moved = scale * x if name == "RMSNorm" else scale * x + shift
    torch.testing.assert_close(layer(moved), layer(x), rtol=1e-4, atol=1e-5)
    assert layer(x).square().mean().item() == pytest.approx(1, rel=1e-4)


LAYERS: dict[str, Any] = {"BatchNorm1d": BatchNorm1d, "LayerNorm": LayerNorm, "RMSNorm": RMSNorm}
LAYERS["GroupNorm"] = lambda dim, *args: GroupNorm(2, dim, *args)
layers = pytest.mark.parametrize("name", list(LAYERS))


@layers
@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("shape", [(5, C), (2, 3, C)])
def test_gradients_by_finite_differences(name: str, mode: bool, shape: tuple[int, ...]) -> None:
    layer: Layer = LAYERS[name](C)
    layer.train(mode)
    own = [p for p in vars(layer) if p in ("gamma", "beta")]

    def function(x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        vars(layer).update(zip(own, parameters, strict=True))
        return layer(x)

    leaves = [batch(*shape), *learned(layer)]
    assert torch.autograd.gradcheck(function, [leaf.double().requires_grad_() for leaf in leaves])


# -- what is refused --------------------------------------------------------------------------


@layers
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0,), ValueError, "dim must be at least 1, got 0"),
        ((4.0,), TypeError, "dim must be an int, got 4.0"),
        ((True,), TypeError, "dim must be an int, got True"),
        ((4, -1e-5), ValueError, "eps must not be negative, got -1e-05"),
        ((4, math.nan), ValueError, "eps must be finite, got nan"),
        ((4, math.inf), ValueError, "eps must be finite, got inf"),
        ((4, "small"), TypeError, "eps must be a number, got 'small'"),
    ],
)
def test_bad_arguments(name: str, arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        LAYERS[name](*arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        (4, ValueError, "num_groups must divide dim, got 4 and 6"),
        (12, ValueError, "num_groups must divide dim, got 12 and 6"),
        (0, ValueError, "num_groups must be at least 1, got 0"),
        (2.0, TypeError, "num_groups must be an int, got 2.0"),
    ],
)
def test_bad_groups(groups: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        GroupNorm(groups, C)
    assert str(caught.value) == message


@layers
@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (rand(5, 4), ValueError, "x must have shape (..., {n}6), got (5, 4)"),
        (rand(C, 5), ValueError, "x must have shape (..., {n}6), got (6, 5)"),
        (rand(2, C, 3), ValueError, "x must have shape (..., {n}6), got (2, 6, 3)"),
        (np.ones((4, C)), TypeError, "x must be a tensor, got ndarray"),
    ],
)
def test_bad_inputs(name: str, mode: bool, x: Any, error: type[Exception], message: str) -> None:
    layer = LAYERS[name](C)
    layer.train(mode)
    with pytest.raises(error) as caught:
        layer(x)
    n = "N, " if name == "BatchNorm1d" else ""
    assert str(caught.value) == f"{name}: " + message.format(n=n)
