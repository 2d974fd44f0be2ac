"""Every layer at its edges: other dtypes, empty batches, NaN and infinity."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from layer_checks import C, batch, in_dtype, learned
from torch import nn

from zerotohero.layers import (
    BatchNorm1d,
    FlattenConsecutive,
    GroupNorm,
    Layer,
    LayerNorm,
    Linear,
    ReLU,
    RMSNorm,
    Tanh,
)
from zerotohero.wavenet import CausalConv1d, FusedBatchNorm1d

pytestmark = pytest.mark.usefixtures("one_thread")

WITH_PARAMETERS: dict[str, Callable[[], Layer]] = {
    "Linear": lambda: Linear(C, 4),
    "CausalConv1d": lambda: CausalConv1d(C, 4),
    "BatchNorm1d": lambda: BatchNorm1d(C),
    "FusedBatchNorm1d": lambda: FusedBatchNorm1d(C),
    "LayerNorm": lambda: LayerNorm(C),
    "RMSNorm": lambda: RMSNorm(C),
    "GroupNorm": lambda: GroupNorm(2, C),
}
WITHOUT: dict[str, Callable[[], Layer]] = {
    "Tanh": Tanh,
    "ReLU": ReLU,
    "FlattenConsecutive": lambda: FlattenConsecutive(2),
}
FLOATS = {torch.float64: 0.0, torch.float32: 1e-5, torch.bfloat16: 0.1}  # and the rounding
batchnorms = pytest.mark.parametrize("norm", [BatchNorm1d, FusedBatchNorm1d])


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("name", [*WITH_PARAMETERS, *WITHOUT])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_layer_computes_in_its_dtype(name: str, dtype: torch.dtype, mode: bool) -> None:
    layer = (WITH_PARAMETERS | WITHOUT)[name]()
    learned(layer)
    in_dtype(layer, dtype).train(mode)
    x = batch(8, 4, C).to(dtype)
    out = layer(x)
    assert out.dtype == dtype
    exact = in_dtype(layer, torch.float64)(x.double())
    error = (out.double() - exact).abs().max() / exact.abs().max()
    assert error <= FLOATS[dtype]


@pytest.mark.parametrize("name", WITH_PARAMETERS)
@pytest.mark.parametrize("given", [*FLOATS, torch.int64, torch.bool, torch.complex64])
@pytest.mark.parametrize("dtype", FLOATS)
def test_another_dtype_is_refused(name: str, dtype: torch.dtype, given: torch.dtype) -> None:
    if given == dtype:
        return
    layer = in_dtype(WITH_PARAMETERS[name](), dtype)
    message = f"^{name}: x must hold {dtype}, as its parameters do, got {given}$"
    with pytest.raises(TypeError, match=message):
        layer(batch(8, 4, C).to(given))


@pytest.mark.filterwarnings("ignore:var.*degrees of freedom")  # PyTorch's, about no numbers
@pytest.mark.parametrize("name", [*WITH_PARAMETERS, *WITHOUT])
def test_an_empty_batch_in_evaluation(name: str) -> None:
    layer = (WITH_PARAMETERS | WITHOUT)[name]()
    layer.eval()
    assert layer(torch.zeros(0, 4, C)).shape == (0, *layer(batch(2, 4, C)).shape[1:])


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_a_layer_is_made_where_pytorch_makes_tensors(name: str, mode: bool) -> None:
    with torch.device("meta"):
        layer = WITH_PARAMETERS[name]()
    layer.train(mode)
    assert all(value.is_meta for value in vars(layer).values() if isinstance(value, torch.Tensor))
    assert layer(batch(8, 4, C).to("meta")).is_meta


@batchnorms
@pytest.mark.parametrize("shape", [(1, C), (0, C), (1, 1, C), (0, 4, C)])
def test_a_batch_without_a_variance_is_refused(norm: type[BatchNorm1d], shape: Any) -> None:
    layer, n = norm(C), math.prod(shape[:-1])
    with pytest.raises(ValueError, match=rf"^BatchNorm1d needs 2 examples .* got {n}: .* eval\(\)"):
        layer(batch(*shape))
    assert torch.equal(layer.running_mean, torch.zeros(C))
    assert torch.equal(layer.running_var, torch.ones(C))


@batchnorms
def test_every_position_is_normalized_alike_in_evaluation(norm: type[BatchNorm1d]) -> None:
    layer = norm(C)
    learned(layer)
    layer(batch(8, C))
    layer.eval()
    x = batch(3, 4, C)
    for b in range(3):
        for t in range(4):
            torch.testing.assert_close(layer(x)[b, t], layer(x[b, t : t + 1])[0])


@batchnorms
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mode", [True, False])
def test_nan_and_infinity_are_seen_in_the_output(
    norm: type[BatchNorm1d], value: float, mode: bool
) -> None:
    """As in PyTorch: nothing hides them, and the other features stay as they are."""
    ours, theirs = norm(C), nn.BatchNorm1d(C)
    ours.train(mode)
    theirs.train(mode)
    x = batch(8, C)
    clean = norm(C)
    clean.train(mode)
    expected = clean(x)
    x[3, 2] = value
    out = ours(x)
    torch.testing.assert_close(out, theirs(x).detach(), equal_nan=True, rtol=1e-4, atol=1e-5)
    assert not out[3, 2].isfinite()
    torch.testing.assert_close(out[:, [0, 1, 3, 4, 5]], expected[:, [0, 1, 3, 4, 5]])
    assert bool(ours.running_mean.isfinite().all()) is not mode
