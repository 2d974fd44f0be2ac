"""BatchNorm1d against torch.nn.BatchNorm1d, and what it promises for any input."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import C, batch, in_dtype, learned, rand, with_gradients
from torch import nn

from zerotohero.layers import BatchNorm1d

pytestmark = pytest.mark.usefixtures("one_thread")


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3).filter(lambda sizes: math.prod(sizes) > 1),
    st.sampled_from([1e-8, 1e-5, 1e-3, 1.0]),
    st.sampled_from([0.0, 0.001, 0.1, 0.5, 1.0]),
    st.lists(st.booleans(), min_size=1, max_size=4),
)
def test_batchnorm_as_in_torch(
    sizes: list[int], eps: float, momentum: float, modes: list[bool]
) -> None:
    """Several batches, in training and in evaluation: outputs, gradients, running averages."""
    ours = in_dtype(BatchNorm1d(C, eps, momentum), torch.float64)
    theirs = nn.BatchNorm1d(C, eps, momentum).double()
    learned(ours, theirs)
    for seed, mode in enumerate(modes):
        x = batch(*sizes, C, seed=seed).double()
        ours.train(mode)
        theirs.train(mode)
        found = with_gradients(ours, x, ours.parameters())
        expected = with_gradients(
            lambda x: theirs(x.flatten(0, -2)).view(x.shape), x, list(theirs.parameters())
        )
        assert found[0].shape == x.shape
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(ours.running_mean, theirs.running_mean)
        torch.testing.assert_close(ours.running_var, theirs.running_var)


@pytest.mark.parametrize("momentum", [0.0, 0.3, 1.0])
def test_running_statistics_by_their_formula(momentum: float) -> None:
    layer = BatchNorm1d(C, momentum=momentum)
    mean, var = torch.zeros(C), torch.ones(C)
    for seed in range(3):
        x = batch(7, C, seed=seed)
        layer(x)
        mean = (1 - momentum) * mean + momentum * x.mean(0)
        var = (1 - momentum) * var + momentum * x.var(0)  # divided by N - 1
    torch.testing.assert_close((layer.running_mean, layer.running_var), (mean, var))
    before = layer.running_mean.clone(), layer.running_var.clone()
    layer.eval()
    layer(batch(7, C))
    assert torch.equal(layer.running_mean, before[0])
    assert torch.equal(layer.running_var, before[1])


@pytest.mark.parametrize("n", [2, 4, 32, 1000])
def test_the_lectures_variant_is_smaller_by_a_factor(n: int) -> None:
    """With the unbiased variance for normalizing too, the outputs shrink by sqrt((N - 1) / N)."""
    x = batch(n, C)
    lecture = (x - x.mean(0)) / x.std(0)
    torch.testing.assert_close(lecture, math.sqrt((n - 1) / n) * BatchNorm1d(C, eps=0.0)(x))


def test_starts_as_in_torch() -> None:
    layer, theirs = BatchNorm1d(C), nn.BatchNorm1d(C)
    assert (layer.eps, layer.momentum, layer.training) == (theirs.eps, theirs.momentum, True)
    for p, q in zip(layer.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(p, q)
    assert torch.equal(layer.running_mean, torch.zeros(C))
    assert torch.equal(layer.running_var, torch.ones(C))
    x = batch(5, C)
    layer.eval()
    torch.testing.assert_close(layer(x), x, rtol=1e-5, atol=0)  # only eps acts


def test_no_graph_but_the_wanted_one() -> None:
    layer = BatchNorm1d(C)
    statistics = layer.running_mean, layer.running_var
    assert not layer(batch(5, C)).requires_grad
    learned(layer)
    with_gradients(layer, batch(5, C), layer.parameters())
    assert layer.running_mean is statistics[0], "changed in place"
    assert layer.running_var is statistics[1]
    for tensor in statistics:
        assert not tensor.requires_grad
        assert tensor.grad_fn is None


@pytest.mark.parametrize("constant", [0.0, 5.0, -3e4])
def test_a_constant_feature(constant: float) -> None:
    layer = BatchNorm1d(C)
    learned(layer)
    x = batch(8, C)
    x[:, 2] = constant
    out, *grads = with_gradients(layer, x, layer.parameters())
    torch.testing.assert_close(out[:, 2], layer.beta[2].detach().expand(8))
    assert all(tensor.isfinite().all() for tensor in (out, *grads, layer.running_var))


@pytest.mark.parametrize("shape", [(1, C), (0, C), (1, 1, C), (0, 4, C)])
def test_too_few_examples(shape: tuple[int, ...]) -> None:
    layer, n = BatchNorm1d(C), math.prod(shape[:-1])
    layer(batch(5, C))
    before = layer.running_mean.clone(), layer.running_var.clone()
    with pytest.raises(ValueError, match=rf"got {n}: for one, call eval\(\) first$"):
        layer(batch(*shape))
    assert torch.equal(layer.running_mean, before[0])
    assert torch.equal(layer.running_var, before[1])
    layer.eval()
    x = batch(*shape)
    torch.testing.assert_close(layer(x), (x - before[0]) / (before[1] + 1e-5).sqrt())


# -- for any input ------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.tuples(st.integers(0, 10**6), st.floats(-50, 50), st.floats(0.1, 100)),
    st.integers(2, 40),
    st.integers(1, 8),
)
def test_every_feature_gets_mean_0_and_variance_1(
    spread: tuple[int, float, float], n: int, width: int
) -> None:
    seed, shift, scale = spread
    x = rand(n, width, seed=seed).double()
    layer = in_dtype(BatchNorm1d(width, eps=0.0), torch.float64)
    out, moved = layer(x), layer(scale * x + shift)
    torch.testing.assert_close(out.mean(0), torch.zeros(width).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        out.var(0, correction=0), torch.ones(width).double(), rtol=1e-4, atol=0
    )
    torch.testing.assert_close(moved, out, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(layer(x.flip(0)), out.flip(0))  # no order among examples


# -- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize("momentum", [-0.1, 1.1, math.nan, math.inf])
def test_bad_momentum(momentum: float) -> None:
    with pytest.raises(ValueError, match=f"^momentum must be .*, got {momentum}$"):
        BatchNorm1d(4, momentum=momentum)
    with pytest.raises(TypeError, match=r"^momentum must be a number, got None$"):
        BatchNorm1d(4, momentum=None)  # type: ignore[arg-type] # torch takes it


def test_one_dimension_is_no_batch() -> None:
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., N, 6\), got \(6,\)"):
        BatchNorm1d(C)(rand(C))
