"""Muon, against singular value decompositions, a plain version, and PyTorch's own."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotohero.gpt import Muon, orthogonalize

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPES = [(6, 6), (5, 20), (20, 5), (1, 7), (7, 1), (64, 64)]


def rand(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def with_singular_values(rows: int, columns: int, values: torch.Tensor) -> torch.Tensor:
    U, _, Vh = torch.linalg.svd(rand(rows, columns), full_matrices=False)
    return U @ torch.diag(values) @ Vh


# -- orthogonalize -----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("least", [0.1, 0.5, 1.0])
def test_singular_values_come_near_one(shape: tuple[int, int], least: float) -> None:
    G = with_singular_values(*shape, torch.linspace(1, least, min(shape)))
    values = torch.linalg.svdvals(orthogonalize(G))
    assert values.min() > 0.6
    assert values.max() < 1.3


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_vectors_stay(shape: tuple[int, int]) -> None:
    """Against torch.linalg.svd: U diag(p(s)) Vᵀ, with p the polynomial applied five times."""
    G = rand(*shape).double()
    U, s, Vh = torch.linalg.svd(G, full_matrices=False)
    s = s / (s.square().sum().sqrt() + 1e-7)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    found = orthogonalize(G, dtype=torch.float64)
    torch.testing.assert_close(found, U @ torch.diag(s) @ Vh, rtol=1e-8, atol=1e-8)


def test_near_the_nearest_orthogonal_matrix() -> None:
    G = with_singular_values(8, 8, torch.linspace(2, 0.3, 8))
    U, _, Vh = torch.linalg.svd(G)
    for found in (orthogonalize(G), orthogonalize(1e-3 * G), orthogonalize(G, steps=5)):
        assert (found - U @ Vh).norm() / (U @ Vh).norm() < 0.35


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_number_of_steps(steps: int) -> None:
    G = with_singular_values(4, 4, torch.tensor([0.8, 0.6, 1e-9, 1e-9]))  # its norm is 1
    s = torch.tensor([0.8, 0.6])
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    found = torch.linalg.svdvals(orthogonalize(G, steps=steps))[:2]
    torch.testing.assert_close(found, s.sort(descending=True).values, rtol=1e-4, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e6), st.sampled_from(SHAPES), st.integers(0, 9))
def test_the_scale_does_not_matter(scale: float, shape: tuple[int, int], seed: int) -> None:
    G = rand(*shape, seed=seed)
    torch.testing.assert_close(orthogonalize(scale * G), orthogonalize(G), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_tall_and_wide_are_transposes(shape: tuple[int, int]) -> None:
    G = rand(*shape)
    torch.testing.assert_close(orthogonalize(G.T), orthogonalize(G).T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(3, 4, 9), (3, 9, 4), (2, 3, 5, 5)])
def test_several_matrices(shape: tuple[int, ...]) -> None:
    G = rand(*shape)
    found = orthogonalize(G)
    assert found.shape == shape
    expected = torch.stack([orthogonalize(g) for g in G.flatten(0, -3)]).view(shape)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(3, 4), (0, 3), (3, 0), (0, 0), (0, 3, 4), (2, 0, 4)])
def test_zeros_stay_zeros(shape: tuple[int, ...]) -> None:
    found = orthogonalize(torch.zeros(shape))
    assert found.shape == shape
    assert not found.any()


def test_bfloat16_is_rough_but_near() -> None:
    G = rand(32, 16)
    rough = orthogonalize(G, dtype=torch.bfloat16)
    assert rough.dtype == torch.float32
    assert (rough - orthogonalize(G)).abs().max() < 0.1
    assert orthogonalize(G.double()).dtype == torch.float64


def test_a_vector_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^G must have at least two dimensions, got .*\(3,\)$"):
        orthogonalize(torch.ones(3))


# -- the optimizer -----------------------------------------------------------------------------


def gradients(*shape: int, steps: int = 6) -> list[torch.Tensor]:
    return [rand(*shape, seed=10 + i) for i in range(steps)]


def run(
    make: Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer],
    start: torch.Tensor,
    grads: list[torch.Tensor],
) -> torch.Tensor:
    p = torch.nn.Parameter(start.clone())
    optimizer = make([p])
    for grad in grads:
        p.grad = grad.clone()
        optimizer.step()
    return p.detach()


@pytest.mark.parametrize("shape", [(6, 6), (4, 12), (12, 4)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("momentum", [0.0, 0.8, 0.95])
def test_against_a_plain_version(
    shape: tuple[int, int], weight_decay: float, momentum: float
) -> None:
    W = start = rand(*shape)
    m = torch.zeros(shape)
    for g in gradients(*shape):
        m = momentum * m + (1 - momentum) * g
        ahead = momentum * m + (1 - momentum) * g  # as if one more step had been made
        scale = (shape[0] / shape[1]) ** 0.5 if shape[0] > shape[1] else 1
        W = W - 0.1 * weight_decay * W - 0.1 * scale * orthogonalize(ahead)
    found = run(
        lambda p: Muon(p, 0.1, momentum=momentum, weight_decay=weight_decay),
        start,
        gradients(*shape),
    )
    torch.testing.assert_close(found, W, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(6, 6), (4, 12), (12, 4), (64, 16)])
def test_against_pytorchs_muon(shape: tuple[int, int]) -> None:
    theirs: Any = getattr(torch.optim, "Muon", None)
    if theirs is None:
        pytest.skip("this PyTorch has no Muon")
    found, expected = (
        run(make, rand(*shape), gradients(*shape))
        for make in (
            lambda p: Muon(p, 0.02, weight_decay=0.1, dtype=torch.bfloat16),
            lambda p: theirs(p, 0.02, weight_decay=0.1, momentum=0.95, nesterov=True),
        )
    )
    # Both round to eight bits in the middle, not in the same order.
    assert (found - expected).norm() / (expected - rand(*shape)).norm() < 0.05


def test_parts_are_made_orthogonal_one_by_one() -> None:
    start, grads = rand(12, 5), gradients(12, 5)
    found = run(lambda p: Muon([{"params": p, "parts": 3}], 0.1), start, grads)
    parts = [
        run(lambda p: Muon(p, 0.1), start[i : i + 4], [g[i : i + 4] for g in grads])
        for i in (0, 4, 8)
    ]
    torch.testing.assert_close(found, torch.cat(parts), rtol=1e-4, atol=1e-4)
    whole = run(lambda p: Muon(p, 0.1), start, grads)
    assert not torch.allclose(found, whole, atol=1e-2)


def test_size_of_an_update() -> None:
    """Orthogonal: every entry changes by about lr / sqrt(columns)."""
    for rows, columns in [(64, 64), (32, 128), (128, 32)]:
        moved = run(lambda p: Muon(p, 0.02), torch.zeros(rows, columns), [rand(rows, columns)])
        rms = moved.square().mean().sqrt().item()
        assert rms == pytest.approx(0.02 / columns**0.5, rel=0.25)


def test_without_a_gradient_nothing_moves() -> None:
    p, q = (torch.nn.Parameter(rand(3, 3)) for _ in range(2))
    optimizer = Muon([p, q])
    q.grad = rand(3, 3, seed=2)
    before = p.detach().clone()
    optimizer.step()
    assert torch.equal(p, before)
    assert not torch.equal(q, before)
    assert list(optimizer.state) == [q]


def test_a_closure_is_called_with_gradients_on() -> None:
    p = torch.nn.Parameter(rand(3, 3))
    optimizer = Muon([p])

    def closure() -> float:
        optimizer.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss.item()

    expected = p.square().sum().item()
    assert optimizer.step(closure) == pytest.approx(expected)
    assert not torch.equal(p, rand(3, 3))


def test_it_goes_on_from_a_saved_state() -> None:
    grads = gradients(8, 4)
    expected = run(lambda p: Muon(p, 0.1), rand(8, 4), grads)
    p = torch.nn.Parameter(rand(8, 4))
    first = Muon([p], 0.1)
    for grad in grads[:3]:
        p.grad = grad
        first.step()
    second = Muon([p], 0.7)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for grad in grads[3:]:
        p.grad = grad
        second.step()
    assert torch.equal(p, expected)


def test_it_fits_a_matrix() -> None:
    target, p = rand(10, 6), torch.nn.Parameter(torch.zeros(10, 6))
    optimizer = Muon([p], 0.1)
    for i in range(300):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - i / 300)
        optimizer.zero_grad()
        (p - target).square().sum().backward()
        optimizer.step()
    assert (p - target).abs().max() < 0.05


@pytest.mark.parametrize(
    ("shape", "parts", "message"),
    [
        ((5,), 1, r"^params must be matrices of 1 parts, got shape \(5,\)$"),
        ((2, 3, 4), 1, r"^params must be matrices of 1 parts, got shape \(2, 3, 4\)$"),
        ((5, 3), 3, r"^params must be matrices of 3 parts, got shape \(5, 3\)$"),
    ],
)
def test_what_is_not_a_matrix_is_refused(shape: tuple[int, ...], parts: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Muon([torch.nn.Parameter(torch.zeros(shape))], parts=parts)
    optimizer = Muon([torch.nn.Parameter(torch.zeros(2, 2))])
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group(
            {"params": torch.nn.Parameter(torch.zeros(shape)), "parts": parts}
        )
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"lr": -1.0}, "lr must not be negative, got -1.0"),
        ({"weight_decay": -0.1}, "weight_decay must not be negative, got -0.1"),
        ({"momentum": 1.0}, "momentum must be below 1, got 1.0"),
        ({"momentum": -0.1}, "momentum must not be negative, got -0.1"),
        ({"lr": float("nan")}, "lr must be finite, got nan"),
        ({"parts": 0}, "parts must be at least 1, got 0"),
    ],
)
def test_a_setting_out_of_range_is_refused(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Muon([torch.nn.Parameter(torch.zeros(2, 2))], **setting)
    optimizer = Muon([torch.nn.Parameter(torch.zeros(2, 2))])
    with pytest.raises(ValueError, match=f"^{message}$"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(2, 2))], **setting})
    assert len(optimizer.param_groups) == 1


def test_a_group_added_later_is_trained() -> None:
    p, q = (torch.nn.Parameter(rand(4, 2)) for _ in range(2))
    optimizer = Muon([p], 0.1)
    optimizer.add_param_group({"params": (q,), "parts": 2})
    p.grad = q.grad = rand(4, 2, seed=2)
    optimizer.step()
    for found, parts in ((p, 1), (q, 2)):
        alone = torch.nn.Parameter(rand(4, 2))
        alone.grad = rand(4, 2, seed=2)
        Muon([{"params": alone, "parts": parts}], 0.1).step()
        assert torch.equal(found, alone)
