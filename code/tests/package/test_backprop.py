"""The hand-written gradients of chapter 5 against autograd and finite differences."""

import math
import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotohero.backprop import (
    BatchNormMLP,
    batchnorm_backward,
    cross_entropy_backward,
    fused,
    layernorm_backward,
    steps,
)
from zerotohero.backprop.model import PARAMETERS
from zerotohero.check.backprop.lines import LINES
from zerotohero.mlp import build_contexts

EPS = 1e-5
ORDER = list(LINES)  # from the loss to the embeddings


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int, block_size: int = 3, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    g = seeded(seed)
    X = torch.randint(0, 27, (n, block_size), generator=g)
    return X, torch.randint(0, 27, (n,), generator=g)


def small(dtype: torch.dtype = torch.float64, **sizes: int) -> BatchNormMLP:
    return BatchNormMLP(seeded(2), **({"n_embd": 4, "n_hidden": 6} | sizes)).to(dtype)


def torch_loss(model: BatchNormMLP, X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """Compute the loss with torch's own functions."""
    pre = model.C[X].flatten(1) @ model.W1 + model.b1
    # Not F.batch_norm in training mode: its variance divides by n.
    norm = (pre - pre.mean(0)) / (pre.var(0) + EPS).sqrt()
    hidden = torch.tanh(torch.addcmul(model.bnbias, model.bngain, norm))
    return F.cross_entropy(F.linear(hidden, model.W2.T, model.b2), Y)


def differences(
    model: BatchNormMLP, forward: Callable[..., SimpleNamespace], d: SimpleNamespace, n: int
) -> dict[str, float]:
    """Return, by name, the largest difference of ``d`` from autograd through ``forward``."""
    X, Y = batch(n, model.block_size)
    for p in model.parameters():
        p.requires_grad_(True)
    v = forward(model, X, Y)
    names = list(vars(d))
    right = torch.autograd.grad(v.loss, [getattr(v, name) for name in names])
    for p in model.parameters():
        p.requires_grad_(False)
    found = {}
    for name, gradient in zip(names, right, strict=True):
        ours = getattr(d, name)
        assert ours.shape == gradient.shape, name
        assert ours.dtype == gradient.dtype, name
        found[name] = (ours - gradient).abs().max().item()
    return found


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-8), (torch.float64, 1e-12)])
@pytest.mark.parametrize("n_hidden", [64, 200])
def test_every_line_against_autograd(dtype: torch.dtype, tolerance: float, n_hidden: int) -> None:
    model = small(dtype, n_embd=10, n_hidden=n_hidden)
    d = steps.backward(steps.forward(model, *batch(32)))
    found = differences(model, steps.forward, d, 32)
    assert list(found) == ORDER
    assert max(found.values()) <= tolerance, found


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-8), (torch.float64, 1e-12)])
def test_fused_against_autograd(dtype: torch.dtype, tolerance: float) -> None:
    model = small(dtype, n_embd=10, n_hidden=64)
    d = fused.backward(fused.forward(model, *batch(32)))
    found = differences(model, fused.forward, d, 32)
    assert set(found) == {*PARAMETERS, "logits", "h", "hpreact", "hprebn", "embcat"}
    assert max(found.values()) <= tolerance, found


def test_both_forms_agree_with_torch() -> None:
    model, (X, Y) = small(), batch(9)
    v, w = steps.forward(model, X, Y), fused.forward(model, X, Y)
    assert torch.allclose(v.loss, w.loss, rtol=1e-12)
    parameters = [p.requires_grad_(True) for p in model.parameters()]
    loss = torch_loss(model, X, Y)
    right = torch.autograd.grad(loss, parameters)
    for p in parameters:
        p.requires_grad_(False)
    assert torch.allclose(loss, v.loss, rtol=1e-12)
    for d in (steps.backward(v), fused.backward(w)):
        for name, gradient in zip(PARAMETERS, right, strict=True):
            torch.testing.assert_close(getattr(d, name), gradient, rtol=0, atol=1e-12)


def test_both_forms_agree_on_what_lies_between() -> None:
    model, (X, Y) = small(), batch(9)
    d, e = steps.backward(steps.forward(model, X, Y)), fused.backward(fused.forward(model, X, Y))
    for name, gradient in vars(e).items():
        torch.testing.assert_close(getattr(d, name), gradient, rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(2, 40),
    block_size=st.integers(1, 4),
    n_embd=st.integers(1, 6),
    n_hidden=st.integers(1, 9),
    letters=st.integers(1, 27),
    seed=st.integers(0, 2**31),
)
def test_any_size_and_any_repetition(
    n: int, block_size: int, n_embd: int, n_hidden: int, letters: int, seed: int
) -> None:
    """With few letters, each row of C is looked up many times, or every context is the same."""
    g = seeded(seed)
    model = BatchNormMLP(g, block_size, n_embd, n_hidden).to(torch.float64)
    X = torch.randint(0, letters, (n, block_size), generator=g)
    Y = torch.randint(0, letters, (n,), generator=g)
    parameters = [p.requires_grad_(True) for p in model.parameters()]
    v = steps.forward(model, X, Y)
    right = torch.autograd.grad(v.loss, parameters)
    with torch.no_grad():
        ours = steps.backward(v), fused.backward(fused.forward(model, X, Y))
    # A neuron whose inputs hardly differ is divided by almost nothing: errors grow with that.
    tolerance = 1e-13 * max(1.0, v.bnvar_inv.detach().max().item() ** 2)
    for d in ours:
        for name, gradient in zip(PARAMETERS, right, strict=True):
            torch.testing.assert_close(getattr(d, name), gradient, rtol=1e-9, atol=tolerance)


@pytest.mark.parametrize("name", PARAMETERS)
def test_against_finite_differences(name: str) -> None:
    model, (X, Y) = small(n_embd=2, n_hidden=3), batch(6)
    d = fused.backward(fused.forward(model, X, Y))
    parameter, gradient = getattr(model, name), getattr(d, name)
    for place in torch.randint(0, parameter.numel(), (12,), generator=seeded(5)).tolist():
        flat, h = parameter.view(-1), 1e-5
        kept = flat[place].item()
        losses = []
        for moved in (kept + h, kept - h):
            flat[place] = moved
            losses.append(steps.forward(model, X, Y).loss.item())
        flat[place] = kept
        slope = (losses[0] - losses[1]) / (2 * h)
        assert gradient.view(-1)[place].item() == pytest.approx(slope, abs=1e-8)


def test_rows_without_an_example_get_no_gradient() -> None:
    X, Y = build_contexts(["abab", "ba"])
    for form in (steps, fused):
        d = form.backward(form.forward(small(), X, Y))
        assert d.C[:3].any(1).all()
        assert not d.C[3:].any()


def test_forward_changes_and_records_nothing() -> None:
    model, (X, Y) = small(), batch(5)
    before = [p.clone() for p in model.parameters()]
    v = steps.forward(model, X, Y)
    kept = {name: t.clone() for name, t in vars(v).items() if isinstance(t, torch.Tensor)}
    steps.backward(v)
    assert all(torch.equal(getattr(v, name), t) for name, t in kept.items())
    assert all(map(torch.equal, before, model.parameters()))
    assert not v.loss.requires_grad


# -- the expressions by themselves ---------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 9), classes=st.integers(1, 9), size=st.sampled_from([1.0, 30.0, 1000.0]))
def test_cross_entropy_backward(n: int, classes: int, size: float) -> None:
    g = seeded(n)
    logits = (size * torch.randn(n, classes, generator=g, dtype=torch.float64)).requires_grad_()
    Y = torch.randint(0, classes, (n,), generator=g)
    (right,) = torch.autograd.grad(F.cross_entropy(logits, Y), logits)
    ours = cross_entropy_backward(logits.detach(), Y)
    torch.testing.assert_close(ours, right, rtol=0, atol=1e-15)
    torch.testing.assert_close(ours.sum(1), torch.zeros(n).double(), rtol=0, atol=1e-14)


@settings(deadline=None, max_examples=30)
@given(n=st.integers(2, 12), width=st.integers(1, 6), scale=st.sampled_from([0.01, 1.0, 100.0]))
def test_batchnorm_backward(n: int, width: int, scale: float) -> None:
    g = seeded(n * width)
    x = (scale * torch.randn(n, width, generator=g, dtype=torch.float64)).requires_grad_()
    gain, up = (torch.randn(k, width, generator=g, dtype=torch.float64) for k in (1, n))
    var_inv = (x.var(0, keepdim=True) + EPS) ** -0.5
    raw = (x - x.mean(0, keepdim=True)) * var_inv
    (right,) = torch.autograd.grad(gain * raw, x, up)
    ours = batchnorm_backward(up, gain, raw.detach(), var_inv.detach())
    torch.testing.assert_close(ours, right, rtol=1e-9, atol=1e-12 / scale)


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 6), width=st.integers(2, 12), scale=st.sampled_from([0.01, 1.0, 100.0]))
def test_layernorm_backward(n: int, width: int, scale: float) -> None:
    g = seeded(n * width)
    x = (scale * torch.randn(n, width, generator=g, dtype=torch.float64)).requires_grad_()
    gain, bias = (torch.randn(width, generator=g, dtype=torch.float64) for _ in range(2))
    up = torch.randn(n, width, generator=g, dtype=torch.float64)
    (right,) = torch.autograd.grad(F.layer_norm(x, (width,), gain, bias, EPS), x, up)
    with torch.no_grad():
        var_inv = (x.var(1, keepdim=True, correction=0) + EPS) ** -0.5
        raw = (x - x.mean(1, keepdim=True)) * var_inv
        ours = layernorm_backward(up, gain, raw, var_inv)
    torch.testing.assert_close(ours, right, rtol=1e-9, atol=1e-12 / scale)


# -- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", [steps, fused])
@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        (torch.zeros(1, 3), torch.zeros(1), "X must hold at least 2 examples, got 1"),
        (torch.zeros(0, 3), torch.zeros(0), "X must hold at least 2 examples, got 0"),
        (torch.zeros(4, 2), torch.zeros(4), "X must have shape (4, 3), got (4, 2)"),
        (torch.zeros(4), torch.zeros(4), "X must have shape (4, 3), got (4,)"),
        (torch.zeros(4, 3), torch.zeros(3), "Y must have shape (4,), got (3,)"),
        (torch.zeros(4, 3), torch.zeros(4, 1), "Y must have shape (4,), got (4, 1)"),
    ],
)
def test_bad_batches(form: SimpleNamespace, X: torch.Tensor, Y: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        form.forward(small(), X.long(), Y.long())


@pytest.mark.parametrize("form", [steps, fused])
def test_ids_must_be_integers(form: SimpleNamespace) -> None:
    X, Y = batch(4)
    with pytest.raises(TypeError, match=r"^X must be a tensor of int64 ids, got torch\.float32"):
        form.forward(small(), X.float(), Y)
    with pytest.raises(TypeError, match=r"^Y must be a tensor of int64 ids, got torch\.float32"):
        form.forward(small(), X, Y.float())


@pytest.mark.parametrize("form", [steps, fused])
@pytest.mark.parametrize("wrong", [-100, -1, 27])
@pytest.mark.parametrize("name", ["X", "Y"])
def test_ids_must_be_in_the_alphabet(form: SimpleNamespace, name: str, wrong: int) -> None:
    """To torch, -1 is the last row of a table, and an answer of -100 does not count."""
    X, Y = batch(4)
    (X if name == "X" else Y).view(-1)[0] = wrong
    with pytest.raises(ValueError, match=f"^{name} must hold ids from 0 to 26, got "):
        form.forward(small(), X, Y)


@pytest.mark.parametrize("size", ["block_size", "n_embd", "n_hidden", "vocab_size"])
def test_sizes_must_be_positive(size: str) -> None:
    with pytest.raises(ValueError, match=f"{size} must be at least 1, got 0"):
        BatchNormMLP(seeded(1), **{size: 0})
    with pytest.raises(TypeError, match=f"{size} must be an int, got 2.5"):
        BatchNormMLP(seeded(1), **{size: 2.5})


def zeros(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    return [torch.zeros(shape) for shape in shapes]


@pytest.mark.parametrize("n", [0, 1])
def test_batchnorm_backward_of_a_single_example(n: int) -> None:
    """Without this, the gradient is a division by zero, or of nothing."""
    with pytest.raises(ValueError, match=f"^n must be at least 2, got {n}$"):
        batchnorm_backward(*zeros((n, 3), (1, 3), (n, 3), (1, 3)))


@pytest.mark.parametrize(
    ("shapes", "named"),
    [
        (((4, 3), (4, 1), (4, 3), (1, 3)), "bngain"),
        (((4, 3), (3,), (4, 3), (1, 3)), "bngain"),
        (((4, 3), (1, 3), (1, 3), (1, 3)), "bnraw"),
        (((4, 3), (1, 3), (4, 1), (1, 3)), "bnraw"),
        (((4, 3), (1, 3), (4, 3), (4, 1)), "bnvar_inv"),
        (((4, 3), (1, 3), (4, 3), ()), "bnvar_inv"),
    ],
)
def test_batchnorm_backward_of_other_shapes(shapes: list[tuple[int, ...]], named: str) -> None:
    """They would be broadcast, to a wrong gradient."""
    with pytest.raises(ValueError, match=f"^{named} must have shape "):
        batchnorm_backward(*zeros(*shapes))


@pytest.mark.parametrize(
    ("shapes", "named"),
    [
        (((4, 3), (1, 3), (4, 3), (4, 1)), "gain"),
        (((4, 3), (3,), (1, 3), (4, 1)), "raw"),
        (((4, 3), (3,), (4, 3), (1, 3)), "var_inv"),
        (((3, 3), (3,), (3, 3), (3,)), "var_inv"),
    ],
)
def test_layernorm_backward_of_other_shapes(shapes: list[tuple[int, ...]], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named} must have shape "):
        layernorm_backward(*zeros(*shapes))


@pytest.mark.parametrize("shape", [(1,), (4, 1), (5,), ()])
def test_cross_entropy_backward_of_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^Y must have shape \(4,\), got"):
        cross_entropy_backward(torch.zeros(4, 3), torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("wrong", [-100, -1, 3])
def test_cross_entropy_backward_of_another_class(wrong: int) -> None:
    with pytest.raises(RuntimeError, match="Class values must be"):
        cross_entropy_backward(torch.zeros(2, 3), torch.tensor([0, wrong]))


def test_logits_far_apart() -> None:
    """The steps lose a probability that rounds to 0, as the lecture does; ``fused`` does not."""
    X, Y = batch(4)
    model = small(torch.float32)
    model.b2[0] += 1000.0
    Y[:] = 1
    v = steps.forward(model, X, Y)
    assert v.loss.isinf()
    assert steps.backward(v).logits.isnan().any()
    v = fused.forward(model, X, Y)
    assert v.loss.item() == pytest.approx(1000, rel=0.01)
    d = fused.backward(v)
    assert all(getattr(d, name).isfinite().all() for name in PARAMETERS)


# -- the recipe ----------------------------------------------------------------------------


def test_the_recipe() -> None:
    """The order and the scales of the lecture, spelled out a second time."""
    model = BatchNormMLP(seeded(2147483647), n_hidden=64, bn_generator=seeded(7))
    g = seeded(2147483647)
    assert torch.equal(model.C, torch.randn((27, 10), generator=g))
    W1 = torch.randn((30, 64), generator=g) * (5 / 3) / math.sqrt(30)
    torch.testing.assert_close(model.W1, W1)
    torch.testing.assert_close(model.b1, torch.randn(64, generator=g) * 0.1)
    torch.testing.assert_close(model.W2, torch.randn((64, 27), generator=g) * 0.1)
    torch.testing.assert_close(model.b2, torch.randn(27, generator=g) * 0.1)
    g7 = seeded(7)
    torch.testing.assert_close(model.bngain, 1 + 0.1 * torch.randn((1, 64), generator=g7))
    torch.testing.assert_close(model.bnbias, 0.1 * torch.randn((1, 64), generator=g7))
    assert sum(p.numel() for p in model.parameters()) == 4137
    assert sum(p.numel() for p in BatchNormMLP(seeded(1)).parameters()) == 12297


def test_one_generator_is_enough() -> None:
    """Without a second one, the first goes on: the other parameters stay what they are."""
    one, two = BatchNormMLP(seeded(3)), BatchNormMLP(seeded(3), bn_generator=seeded(4))
    for name in PARAMETERS:
        same = torch.equal(getattr(one, name), getattr(two, name))
        assert same == (name not in ("bngain", "bnbias")), name
    assert torch.equal(one.bnbias, BatchNormMLP(seeded(3)).bnbias)


def test_another_alphabet() -> None:
    model = BatchNormMLP(seeded(1), n_embd=4, n_hidden=6, vocab_size=40).to(torch.float64)
    assert model.C.shape == (40, 4)
    assert model.W2.shape == (6, 40)
    g = seeded(2)
    X, Y = torch.randint(30, 40, (9, 3), generator=g), torch.randint(30, 40, (9,), generator=g)
    parameters = [p.requires_grad_() for p in model.parameters()]
    right = torch.autograd.grad(torch_loss(model, X, Y), parameters)
    for p in parameters:
        p.requires_grad_(False)
    for form in (steps, fused):
        d = form.backward(form.forward(model, X, Y))
        for name, gradient in zip(PARAMETERS, right, strict=True):
            torch.testing.assert_close(getattr(d, name), gradient, rtol=0, atol=1e-12)
