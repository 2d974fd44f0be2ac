"""Embedding, FlattenConsecutive and containers, against torch.nn and by hand."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from zerotohero.layers import (
    BatchNorm1d,
    Container,
    Embedding,
    FlattenConsecutive,
    Layer,
    Linear,
    ReLU,
    Sequential,
    Tanh,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rand(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed))


# -- Embedding -----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0, 3), (2, 1, 5)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_embedding_is_that_of_torch(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    ours, theirs = Embedding(7, 4, generator=seeded(1)), nn.Embedding(7, 4)
    with torch.no_grad():
        theirs.weight.copy_(ours.weight)
    ids = torch.randint(0, 7, shape, generator=seeded(2)).to(dtype)
    ours.weight.requires_grad_()
    out, expected = ours(ids), theirs(ids)
    assert torch.equal(out, expected)
    assert torch.equal(out, ours.weight[ids])
    factor = rand(*out.shape, seed=3)
    (grad,) = torch.autograd.grad(out, ours.weight, factor)
    (expected_grad,) = torch.autograd.grad(expected, theirs.weight, factor)
    torch.testing.assert_close(grad, expected_grad)


def test_embedding_draws_its_table_from_the_generator() -> None:
    drawn = torch.randn((27, 10), generator=seeded(5))
    layer = Embedding(27, 10, generator=seeded(5))
    assert torch.equal(layer.weight, drawn)
    assert [p is layer.weight for p in layer.parameters()] == [True]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        assert torch.equal(Embedding(27, 10).weight, drawn)


@pytest.mark.parametrize(("ids", "span"), [([-1, 0], "-1 to 0"), ([0, 3], "0 to 3")])
def test_embedding_knows_its_ids(ids: list[int], span: str) -> None:
    with pytest.raises(IndexError, match=f"^Embedding: ids must be from 0 to 2, got {span}$"):
        Embedding(3, 2)(torch.tensor(ids))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1], "ids must be a tensor of int64 ids, got <class 'list'>"),
        (torch.tensor([1.0]), "ids must be a tensor of int64 ids, got torch.float32"),
        (torch.tensor([True]), "ids must be a tensor of int64 ids, got torch.bool"),
    ],
)
def test_embedding_takes_ids_only(ids: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^Embedding: {message}$"):
        Embedding(3, 2)(ids)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Embedding(0, 2), ValueError, "num_embeddings must be at least 1, got 0"),
        (lambda: Embedding(2, -1), ValueError, "embedding_dim must be at least 1, got -1"),
        (lambda: Embedding(2.0, 2), TypeError, "num_embeddings must be an int, got 2.0"),  # type: ignore[arg-type]
        (lambda: FlattenConsecutive(0), ValueError, "n must be at least 1, got 0"),
        (lambda: FlattenConsecutive("2"), TypeError, "n must be an int, got '2'"),  # type: ignore[arg-type]
    ],
)
def test_sizes(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        make()


# -- FlattenConsecutive --------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(1, 5))
def test_neighbors_side_by_side(B: int, groups: int, n: int, C: int) -> None:
    x = rand(B, groups * n, C)
    out = FlattenConsecutive(n)(x)
    picked = torch.cat([x[:, i::n] for i in range(n)], -1)  # every n-th position, from each start
    expected = picked[:, 0] if groups == 1 else picked
    assert torch.equal(out, expected)


def test_flattening_everything_is_torchs_flatten() -> None:
    for B in (1, 3):  # a batch of one keeps its dimension
        x = rand(B, 8, 5)
        assert torch.equal(FlattenConsecutive(8)(x), nn.Flatten()(x))


def test_an_empty_batch_is_flattened() -> None:
    assert FlattenConsecutive(2)(torch.zeros(0, 4, 3)).shape == (0, 2, 6)


def test_flattening_takes_what_is_not_contiguous() -> None:
    x = rand(2, 3, 6).transpose(1, 2)
    assert torch.equal(FlattenConsecutive(2)(x), FlattenConsecutive(2)(x.contiguous()))


@pytest.mark.parametrize("T", [0, 1, 3, 7])
def test_a_length_that_does_not_divide(T: int) -> None:
    with pytest.raises(ValueError, match=f"^FlattenConsecutive: 2 must divide T, got T = {T}$"):
        FlattenConsecutive(2)(torch.zeros(3, T, 4))


def test_flattening_needs_three_dimensions() -> None:
    with pytest.raises(ValueError, match=r"x must have shape \(B, T, C\), got \(4, 6\)$"):
        FlattenConsecutive(2)(torch.zeros(4, 6))
    with pytest.raises(TypeError, match=r"x must be a tensor, got list$"):
        FlattenConsecutive(2)([[1]])  # type: ignore[arg-type]


# -- Sequential ----------------------------------------------------------------------------


def nested() -> Sequential:
    inner = Sequential(Linear(8, 6, bias=False, generator=seeded(2)), BatchNorm1d(6), Tanh())
    outer = Sequential(inner, Sequential([Linear(6, 6, generator=seeded(3)), BatchNorm1d(6)]))
    return Sequential(
        Embedding(27, 4, generator=seeded(1)),
        FlattenConsecutive(2),
        outer,
        ReLU(),
        Linear(6, 27, generator=seeded(4)),
    )


IDS = torch.randint(0, 27, (9, 2), generator=seeded(8))


def test_sequential_is_a_composition() -> None:
    a, b = Linear(3, 4, generator=seeded(1)), Linear(4, 2, generator=seeded(2))
    x = rand(5, 3)
    parts = [a, Tanh(), b]
    for net in (Sequential(*parts), Sequential(parts), Sequential(part for part in parts)):
        assert torch.equal(net(x), b(torch.tanh(a(x))))
    assert torch.equal(Sequential(a)(x), a(x))
    assert torch.equal(Sequential(Sequential(a), Sequential(b))(x), b(a(x)))


def test_names_tell_every_parameter_apart() -> None:
    net = nested()
    names = [name for name, _ in net.named_parameters()]
    assert names == [
        "0 Embedding.weight",
        "2.0.0 Linear.weight",
        "2.0.1 BatchNorm1d.gamma",
        "2.0.1 BatchNorm1d.beta",
        "2.1.0 Linear.weight",
        "2.1.0 Linear.bias",
        "2.1.1 BatchNorm1d.gamma",
        "2.1.1 BatchNorm1d.beta",
        "4 Linear.weight",
        "4 Linear.bias",
    ]
    assert [id(p) for p in net.parameters()] == [id(p) for _, p in net.named_parameters()]
    assert sum(p.numel() for p in net.parameters()) == 108 + 48 + 12 + 36 + 6 + 12 + 6 * 27 + 27


def test_a_layer_in_two_positions_is_listed_once() -> None:
    shared = Linear(4, 4)
    net = Sequential(shared, Tanh(), Sequential(shared))
    assert [name for name, _ in net.named_parameters()] == ["0 Linear.weight", "0 Linear.bias"]
    tied = Linear(4, 4)
    tied.weight = shared.weight
    assert len(Sequential(shared, tied).parameters()) == 3


def test_the_mode_reaches_every_layer() -> None:
    net = nested()
    outer = net.layers[2]
    assert isinstance(outer, Sequential)
    insides = [layer for inner in outer.layers for layer in inner.layers]
    everything = [net, *net.layers, *outer.layers, *insides]
    assert len(everything) == 4 + 9
    assert all(layer.training for layer in everything)
    net.eval()
    assert not any(layer.training for layer in everything)
    alone = [net(IDS[i : i + 1]) for i in range(9)]  # refused in training
    torch.testing.assert_close(torch.cat(alone), net(IDS))
    net.train()
    assert all(layer.training for layer in everything)


class Residual(Container):
    """A container that is no Sequential."""

    def __init__(self, inner: Layer) -> None:
        self.inner = inner

    def children(self) -> dict[str, Layer]:
        return {"inner": self.inner}

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


def test_other_containers() -> None:
    norm = BatchNorm1d(4)
    net = Sequential(Linear(3, 4), Residual(Sequential(norm, Linear(4, 4, bias=False))))
    assert [name for name, _ in net.named_parameters()] == [
        "0 Linear.weight",
        "0 Linear.bias",
        "1.inner.0 BatchNorm1d.gamma",
        "1.inner.0 BatchNorm1d.beta",
        "1.inner.1 Linear.weight",
    ]
    net.eval()
    assert not norm.training
    with pytest.raises(NotImplementedError, match=r"^Container must implement children\(\)"):
        Container().parameters()


class Odd(Layer):
    """A layer whose parameter is no attribute."""

    def __init__(self) -> None:
        self.kept = [torch.zeros(2), torch.zeros(3)]

    def parameters(self) -> list[torch.Tensor]:
        return self.kept


def test_a_parameter_without_a_name_gets_its_number() -> None:
    names = [name for name, _ in Sequential(Odd()).named_parameters()]
    assert names == ["0 Odd.0", "0 Odd.1"]


def test_sequential_refuses_what_is_not_a_layer() -> None:
    for empty in (lambda: Sequential(), lambda: Sequential([])):
        with pytest.raises(ValueError, match=r"^layers must hold at least one layer, got none$"):
            empty()
    with pytest.raises(TypeError, match=r"^layers must hold only layers, got .* in position 1$"):
        Sequential(Tanh(), torch.tanh)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^layers must hold only layers, got 5 in position 0$"):
        Sequential(5)  # type: ignore[arg-type]
