"""The hierarchical network and its convolution, against torch.nn and position by position."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from zerotohero.bigrams import encode
from zerotohero.layers import BatchNorm1d, Embedding, FlattenConsecutive, Linear, Sequential, Tanh
from zerotohero.mlp import build_contexts
from zerotohero.reproduce import published_figures
from zerotohero.wavenet import CausalConv1d, FusedBatchNorm1d, as_convolution, hierarchical

pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rand(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed))


def used(factors: tuple[int, ...] = (2, 2, 2), **sizes: Any) -> Sequential:
    """Return a network in evaluation mode whose averages and gains are not those of the start."""
    net = hierarchical(seeded(1), factors=factors, **({"n_embd": 5, "n_hidden": 7} | sizes))
    for i, layer in enumerate(net.layers):
        if isinstance(layer, BatchNorm1d):
            layer.gamma += 0.3 * rand(layer.dim, seed=i)
            layer.beta += 0.3 * rand(layer.dim, seed=i + 100)
            layer.running_mean += rand(layer.dim, seed=i + 200)
            layer.running_var += rand(layer.dim, seed=i + 300).abs()
    net.eval()
    return net


# -- the hierarchical network --------------------------------------------------------------


def test_the_lectures_network_has_its_parameters() -> None:
    expected = published_figures()["lecture6.parameters"]["published"]
    assert sum(p.numel() for p in hierarchical(seeded(1)).parameters()) == expected


def test_shapes_level_by_level() -> None:
    x = torch.zeros((4, 8), dtype=torch.int64)
    shapes = []
    for layer in hierarchical(seeded(1)).layers:
        x = layer(x)
        if isinstance(layer, FlattenConsecutive | Linear):
            shapes.append(tuple(x.shape))
    assert shapes == [
        (4, 4, 48),
        (4, 4, 128),
        (4, 2, 256),
        (4, 2, 128),
        (4, 256),
        (4, 128),
        (4, 27),
    ]


def test_one_level_is_the_flat_network() -> None:
    net = hierarchical(seeded(3), factors=(8,), n_embd=10, n_hidden=20)
    table, _, hidden, _, _, output = net.layers
    assert isinstance(table, Embedding)
    assert isinstance(hidden, Linear)
    assert isinstance(output, Linear)
    X = torch.randint(0, 27, (6, 8), generator=seeded(4))
    normalized = nn.BatchNorm1d(20)(table.weight[X].flatten(1) @ hidden.weight)
    expected = torch.tanh(normalized) @ output.weight + output.bias
    torch.testing.assert_close(net(X), expected)


def test_the_first_loss_is_that_of_a_guess() -> None:
    X = torch.randint(0, 27, (500, 8), generator=seeded(4))
    Y = torch.randint(0, 27, (500,), generator=seeded(5))
    loss = nn.functional.cross_entropy(hierarchical(seeded(1))(X), Y)
    assert loss.item() == pytest.approx(3.2958, abs=0.03)


def test_any_number_of_characters() -> None:
    net = hierarchical(seeded(1), factors=(2,), n_embd=3, n_hidden=4, vocab_size=5)
    assert net(torch.tensor([[0, 4], [1, 2]])).shape == (2, 5)
    with pytest.raises(IndexError):
        net(torch.tensor([[0, 5], [1, 2]]))


def test_factors_may_be_given_once() -> None:
    given, expected = (hierarchical(seeded(1), factors=f) for f in (iter((4, 2)), (4, 2)))
    ids = torch.randint(0, 27, (3, 8), generator=seeded(4))
    assert torch.equal(given(ids), expected(ids))


def test_the_norm_can_be_chosen() -> None:
    net = hierarchical(seeded(1), norm=BatchNorm1d)
    assert [type(layer) for layer in net.layers].count(BatchNorm1d) == 3


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"factors": ()}, ValueError, "factors must hold at least one number, got none"),
        ({"factors": (2, 0)}, ValueError, "factors must be at least 1, got 0"),
        ({"factors": (2.0,)}, TypeError, "factors must be an int, got 2.0"),
        ({"factors": iter(())}, ValueError, "factors must hold at least one number, got none"),
        ({"factors": iter((2, 0))}, ValueError, "factors must be at least 1, got 0"),
        ({"factors": 8}, TypeError, "factors must be a sequence of ints, got 8"),
        ({"n_embd": 0}, ValueError, "n_embd must be at least 1, got 0"),
        ({"n_hidden": 0}, ValueError, "n_hidden must be at least 1, got 0"),
        ({"vocab_size": 0}, ValueError, "vocab_size must be at least 1, got 0"),
    ],
)
def test_bad_sizes(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        hierarchical(seeded(1), **settings)


# -- BatchNorm in one call -----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 6), (3, 4, 6), (1, 2, 6)])
def test_the_fused_batchnorm_is_ours(shape: tuple[int, ...]) -> None:
    ours, fused = BatchNorm1d(6, momentum=0.3), FusedBatchNorm1d(6, momentum=0.3)
    for mode in (True, True, False):
        ours.train(mode), fused.train(mode)
        x, other = (rand(*shape, seed=7).mul(3).add(1).requires_grad_() for _ in range(2))
        out, expected = fused(other), ours(x)
        torch.testing.assert_close(out, expected)
        factor = rand(*shape, seed=8)
        (grad,) = torch.autograd.grad(out, other, factor)
        (expected_grad,) = torch.autograd.grad(expected, x, factor)
        torch.testing.assert_close(grad, expected_grad, rtol=1e-4, atol=1e-5)
        for name in ("running_mean", "running_var"):
            torch.testing.assert_close(getattr(fused, name), getattr(ours, name))


def test_the_fused_batchnorm_refuses_what_ours_refuses() -> None:
    with pytest.raises(ValueError, match="needs 2 examples in training, got 1"):
        FusedBatchNorm1d(6)(rand(1, 6))
    with pytest.raises(ValueError, match=r"^FusedBatchNorm1d: x must have shape"):
        FusedBatchNorm1d(6)(rand(4, 5))


# -- the convolution -----------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 6)
)
def test_the_convolution_is_that_of_torch(
    B: int, fan_in: int, kernel_size: int, dilation: int, extra: int
) -> None:
    ours = CausalConv1d(fan_in, 3, kernel_size, dilation, generator=seeded(2))
    assert ours.bias is not None
    ours.bias += rand(3, seed=3)
    theirs = nn.Conv1d(fan_in, 3, kernel_size, dilation=dilation)
    with torch.no_grad():  # (kernel_size * fan_in, fan_out) to (fan_out, fan_in, kernel_size)
        theirs.weight.copy_(ours.weight.view(kernel_size, fan_in, 3).permute(2, 1, 0))
        theirs.bias.copy_(ours.bias)  # type: ignore[union-attr]
    x = rand(B, 1 + (kernel_size - 1) * dilation + extra, fan_in)
    torch.testing.assert_close(ours(x), theirs(x.mT).mT, rtol=1e-4, atol=1e-5)


def test_the_convolution_does_not_look_ahead() -> None:
    layer = CausalConv1d(2, 3, 3, 2, generator=seeded(1))
    x = rand(1, 12, 2)
    changed = x.clone()
    changed[:, 9:] += 1
    out, other = layer(x), layer(changed)
    assert out.shape == (1, 8, 3)  # output i stands at position i + 4
    assert torch.equal(out[:, :5], other[:, :5])
    assert not torch.isclose(out[:, 5:], other[:, 5:]).any()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CausalConv1d(0, 2), ValueError, "fan_in must be at least 1, got 0"),
        (lambda: CausalConv1d(2, 0), ValueError, "fan_out must be at least 1, got 0"),
        (lambda: CausalConv1d(2, 2, 0), ValueError, "kernel_size must be at least 1, got 0"),
        (lambda: CausalConv1d(2, 2, 2, 0), ValueError, "dilation must be at least 1, got 0"),
        (lambda: CausalConv1d(2, 2, 2, 1.5), TypeError, "dilation must be an int, got 1.5"),  # type: ignore[arg-type]
        (
            lambda: CausalConv1d(2, 2, 2, 4)(rand(3, 4, 2)),
            ValueError,
            "CausalConv1d: x must have at least 5 positions, got 4",
        ),
        (
            lambda: CausalConv1d(2, 2)(rand(3, 4, 3)),
            ValueError,
            r"CausalConv1d: x must have shape \(..., N, N, 2\), got \(3, 4, 3\)",
        ),
        (
            lambda: CausalConv1d(2, 2)(rand(4, 2)),
            ValueError,
            r"CausalConv1d: x must have shape \(..., N, N, 2\), got \(4, 2\)",
        ),
    ],
)
def test_bad_convolutions(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        make()


@pytest.mark.parametrize("factors", [(2, 2, 2), (2, 2), (4, 2), (2, 4), (3, 3), (8,), (1, 2)])
@pytest.mark.parametrize("word", ["a", "emma", "christopherjames"])
def test_both_forms_agree_in_every_position(factors: tuple[int, ...], word: str) -> None:
    net = used(factors)
    block_size = int(torch.tensor(factors).prod())
    X, _ = build_contexts([word], block_size)
    ids = encode([word], dots=block_size)[:-1]
    slid = as_convolution(net)(ids[None])
    assert slid.shape == (1, len(word) + 1, 27)
    torch.testing.assert_close(slid[0], net(X), rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(2, 3), min_size=1, max_size=4), st.integers(0, 9), st.integers(1, 3))
def test_both_forms_agree_on_any_ids(factors: list[int], extra: int, B: int) -> None:
    net = used(tuple(factors))
    block_size = int(torch.tensor(factors).prod())
    ids = torch.randint(0, 27, (B, block_size + extra), generator=seeded(9))
    windows = ids.unfold(1, block_size, 1)  # (B, extra + 1, block_size)
    expected = net(windows.reshape(-1, block_size)).view(B, extra + 1, 27)
    torch.testing.assert_close(as_convolution(net)(ids), expected, rtol=1e-4, atol=1e-5)


def test_weights_are_shared() -> None:
    net = used()
    slid = as_convolution(net)
    assert [id(p) for p in slid.parameters()] == [id(p) for p in net.parameters()]
    dilations = [layer.dilation for layer in slid.layers if isinstance(layer, CausalConv1d)]
    assert dilations == [1, 2, 4]


@pytest.mark.parametrize("frozen", [None, 3, 8])
@pytest.mark.parametrize("training", [True, False])
def test_modes_come_along(training: bool, frozen: int | None) -> None:
    """So that what one of them is switched to, or not, is what the other is in."""
    net = used()
    net.train(training)
    if frozen is not None:
        net.layers[frozen].eval()
    slid = as_convolution(net)
    modes = [layer.training for layer in net.layers if not isinstance(layer, FlattenConsecutive)]
    assert [layer.training for layer in slid.layers] == modes
    assert slid.training == training


def test_a_bias_comes_along() -> None:
    linear = Linear(6, 4, generator=seeded(1))
    assert linear.bias is not None
    linear.bias += rand(4, seed=2)
    net = Sequential(Embedding(27, 3, generator=seeded(3)), FlattenConsecutive(2), linear)
    ids = torch.tensor([[1, 2, 3]])
    torch.testing.assert_close(as_convolution(net)(ids)[0], net(ids[0].unfold(0, 2, 1)))


def test_what_cannot_be_turned() -> None:
    flat = FlattenConsecutive(2)
    message = "^model must have a Linear after each FlattenConsecutive, got "
    with pytest.raises(ValueError, match=message + "Tanh$"):
        as_convolution(Sequential(flat, Tanh()))
    with pytest.raises(ValueError, match=rf"{message}none$"):
        as_convolution(Sequential(Embedding(3, 2), flat))
    with pytest.raises(ValueError, match=f"{message}CausalConv1d$"):  # not just any Linear
        as_convolution(Sequential(Embedding(3, 2), flat, CausalConv1d(2, 2)))
    nested = Sequential(Embedding(3, 2), Sequential(flat, Linear(4, 2)))
    with pytest.raises(ValueError, match=r"^model must not hold containers, got Sequential$"):
        as_convolution(nested)
    with pytest.raises(TypeError, match=r"^model must be a Sequential, got Linear$"):
        as_convolution(Linear(2, 2))  # type: ignore[arg-type]


def test_turning_draws_no_random_numbers() -> None:
    net, before = used(), torch.get_rng_state()
    as_convolution(net)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("n", [1, 5, 30])
def test_multiplications_are_those_counted_by_hand(n: int) -> None:
    """``n`` contexts in a row; PyTorch counts two operations for each product."""
    net = used(n_embd=5, n_hidden=7)
    ids = torch.randint(0, 27, (n + 7,), generator=seeded(1))
    first, later, output = 2 * 5 * 7, 2 * 7 * 7, 7 * 27
    with FlopCounterMode(display=False) as tree:
        net(ids.unfold(0, 8, 1))
    assert tree.get_total_flops() == 2 * n * (4 * first + 2 * later + later + output)
    with FlopCounterMode(display=False) as slid:
        as_convolution(net)(ids[None])
    expected = (n + 6) * first + (n + 4) * later + n * later + n * output
    assert slid.get_total_flops() == 2 * expected
