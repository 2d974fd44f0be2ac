"""Training with AdamW, its schedule, and evaluation in chunks."""

import math
from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotohero.batchnorm import DeepMLP
from zerotohero.layers import (
    BatchNorm1d,
    Container,
    Embedding,
    FlattenConsecutive,
    GroupNorm,
    Layer,
    LayerNorm,
    Linear,
    RMSNorm,
    Sequential,
    Tanh,
)
from zerotohero.mlp import nll
from zerotohero.wavenet import (
    FusedBatchNorm1d,
    evaluate,
    hierarchical,
    one_cycle,
    train_adamw,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


X = torch.randint(0, 27, (70, 4), generator=seeded(1))
Y = (X[:, 0] + X[:, 3]) % 27


def small(seed: int = 3) -> Sequential:
    return hierarchical(seeded(seed), factors=(2, 2), n_embd=4, n_hidden=6)


def train(model: Sequential, **changes: Any) -> list[float]:
    settings: dict[str, Any] = {
        "epochs": 2,
        "learning_rate": 0.01,
        "generator": seeded(4),
        "batch_size": 16,
        "progress": False,
    }
    return train_adamw(model, **({"X": X, "Y": Y} | settings | changes))


# -- the schedule --------------------------------------------------------------------------


def test_the_schedule_rises_and_falls() -> None:
    schedule = one_cycle(1000, 0.5, warmup=0.1)
    rates = [schedule(step) for step in range(1000)]
    top = max(range(1000), key=rates.__getitem__)
    assert top == pytest.approx(100, abs=1)
    assert rates[top] == pytest.approx(0.5, rel=0.02)
    assert rates[: top + 1] == sorted(set(rates[: top + 1]))
    assert rates[top:] == sorted(set(rates[top:]), reverse=True)
    assert all(rate > 0 for rate in rates)
    assert rates[0] < 0.01
    assert rates[-1] < 1e-5
    middle = (1000 + 100) // 2
    assert rates[middle] == pytest.approx(0.25, rel=0.02)  # half way down the cosine


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0.1), "steps must be at least 1, got 0"),
        ((10, -0.1), "peak must not be negative, got -0.1"),
        ((10, math.nan), "peak must be finite, got nan"),
        ((10, 0.1, 1.0), "warmup must be below 1, got 1.0"),
        ((10, 0.1, -0.5), "warmup must not be negative, got -0.5"),
    ],
)
def test_a_schedule_that_cannot_be(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        one_cycle(*arguments)


# -- training ------------------------------------------------------------------------------


def by_hand(model: Sequential, steps: int, decay: float) -> list[float]:
    """Train with AdamW as its paper writes it, one parameter at a time."""
    schedule, generator = one_cycle(steps, 0.01), seeded(4)
    parameters = model.parameters()
    m = [torch.zeros_like(p) for p in parameters]
    v = [torch.zeros_like(p) for p in parameters]
    losses, t = [], 0
    for _ in range(steps // 4):
        order = torch.randperm(70, generator=generator)
        for i in range(4):  # 70 examples hold 4 batches of 16
            ix = order[16 * i : 16 * i + 16]
            for p in parameters:
                p.requires_grad_(True)
            loss = F.cross_entropy(model(X[ix]), Y[ix])
            grads = torch.autograd.grad(loss, parameters)
            lr, t = schedule(t), t + 1
            with torch.no_grad():
                for k, (p, grad) in enumerate(zip(parameters, grads)):
                    m[k] = 0.9 * m[k] + 0.1 * grad
                    v[k] = 0.999 * v[k] + 0.001 * grad**2
                    mhat, vhat = m[k] / (1 - 0.9**t), v[k] / (1 - 0.999**t)
                    p *= 1 - lr * (decay if p.ndim > 1 else 0)
                    p -= lr * mhat / (vhat.sqrt() + 1e-8)
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize("decay", [0.0, 3.0])
def test_the_steps_are_those_of_the_paper(decay: float) -> None:
    ours, other = small(), small()
    history = train(ours, weight_decay=decay)
    expected = by_hand(other, 8, decay)
    assert history == pytest.approx(expected, rel=1e-4)
    for p, q in zip(ours.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q.detach(), rtol=1e-3, atol=1e-5)


def test_it_learns_and_leaves_no_trace() -> None:
    model = small()
    before = evaluate(model, X, Y)
    history = train(model, epochs=150)
    assert len(history) == 150 * 4
    assert evaluate(model, X, Y) < before - 1
    assert model.training
    assert all(not p.requires_grad and p.grad is None for p in model.parameters())


def test_it_trains_in_training_mode() -> None:
    model = small()
    model.eval()
    train(model)
    norm = model.layers[3]
    assert isinstance(norm, BatchNorm1d)
    assert norm.running_mean.abs().max() > 0


def test_the_generator_decides() -> None:
    first, same, other = small(), small(), small()
    assert train(first) == train(same)
    assert train(other, generator=seeded(5)) != train(small())


def test_a_batch_of_all_examples() -> None:
    assert len(train(small(), batch_size=70, epochs=3)) == 3


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"epochs": 1.5}, TypeError, "epochs must be an int, got 1.5"),
        ({"batch_size": 0}, ValueError, "batch_size must be from 1 to 70, got 0"),
        ({"batch_size": 71}, ValueError, "batch_size must be from 1 to 70, got 71"),
        ({"Y": Y[:-1]}, ValueError, "X and Y must have the same length, got 70 and 69"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a number, got 'fast'"),
        ({"learning_rate": -0.1}, ValueError, "learning_rate must not be negative, got -0.1"),
        ({"weight_decay": -1}, ValueError, "weight_decay must not be negative, got -1"),
    ],
)
def test_bad_arguments(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    model = small()
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(error, match=f"^{message}$"):
        train(model, **changes)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_lost_loss_stops_the_training(value: float) -> None:
    model = small()
    model.parameters()[-1][0] = value
    with pytest.raises(FloatingPointError, match=r"^the loss is (nan|inf) in step 0"):
        train(model)
    assert not any(p.requires_grad for p in model.parameters())


def test_weights_lost_in_the_last_step_are_told() -> None:
    model = small()
    with pytest.raises(FloatingPointError, match=r"^a parameter is not finite after step 0:"):
        train(model, epochs=1, batch_size=70, learning_rate=1e300)
    assert not all(p.isfinite().all() for p in model.parameters())
    assert not any(p.requires_grad for p in model.parameters())


def test_a_diverging_training_ends() -> None:
    model = small()
    with pytest.raises(FloatingPointError, match="is the learning rate too large"):
        train(model, epochs=100, learning_rate=1e38)


# -- evaluation ----------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [1, 16, 69, 70, 1000])
@pytest.mark.parametrize("mode", [True, False])
def test_evaluation_in_chunks(chunk_size: int, mode: bool) -> None:
    model = small()
    train(model)
    model.eval()
    expected = nll(model, X, Y)
    model.train(mode)
    norm = model.layers[3]
    assert isinstance(norm, BatchNorm1d)
    before = norm.running_mean.clone()
    assert evaluate(model, X, Y, chunk_size) == pytest.approx(expected, rel=1e-5)
    assert model.training == norm.training == mode
    assert torch.equal(norm.running_mean, before)


class Residual(Container):
    """A container that is not a Sequential."""

    def __init__(self, inner: Layer) -> None:
        self.inner = inner

    def children(self) -> dict[str, Layer]:
        return {"inner": self.inner}

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


WIDTH = 6
SIMPLE = (BatchNorm1d, FusedBatchNorm1d, LayerNorm, RMSNorm)
LAYERS = st.recursive(
    st.sampled_from(SIMPLE).map(lambda kind: kind(WIDTH))
    | st.builds(Tanh)
    | st.builds(lambda: GroupNorm(2, WIDTH))
    | st.builds(lambda: Linear(WIDTH, WIDTH, generator=seeded(1))),
    lambda inner: st.builds(Residual, inner) | st.lists(inner, min_size=1).map(Sequential),
    max_leaves=6,
)


def layers_inside(layer: Any) -> list[Any]:
    """List a layer of ours or PyTorch's, and all that are inside."""
    if isinstance(layer, torch.nn.Module):
        return list(layer.modules())
    inside = layer.children().values() if isinstance(layer, Container) else []
    return [layer, *(found for child in inside for found in layers_inside(child))]


def state(model: Any) -> list[Any]:
    """Return the mode and the tensors of every layer."""
    found: list[Any] = []
    for layer in layers_inside(model):
        members = vars(layer).copy()
        members |= members.get("_parameters", {}) | members.get("_buffers", {})
        found.append(layer.training)
        for name, value in members.items():
            if isinstance(value, torch.Tensor):
                found.append((name, id(value), value.tolist(), value.requires_grad))
    return found


def networks(body: Layer) -> list[Any]:
    """Build networks of all kinds around a layer, and one of PyTorch's."""
    table, output = Embedding(27, WIDTH, generator=seeded(2)), Linear(2 * WIDTH, 27)
    return [
        Sequential(table, body, FlattenConsecutive(2), output),
        DeepMLP(torch.randn((27, 3), generator=seeded(3)), [body, Linear(WIDTH, 27)]),
        torch.nn.Sequential(
            torch.nn.Embedding(27, 3),
            torch.nn.Sequential(torch.nn.Flatten(), torch.nn.BatchNorm1d(6)),
            torch.nn.Linear(6, 27),
        ),
    ]


@settings(deadline=None, max_examples=60)
@given(LAYERS, st.integers(0, 2), st.randoms(use_true_random=False))
def test_evaluation_changes_nothing(body: Layer, kind: int, random: Random) -> None:
    """Each layer keeps its mode, also one that was frozen, and its tensors; after errors, too."""
    model = networks(body)[kind]
    ids = X[:, :2]
    for layer in layers_inside(model):
        layer.training = random.random() < 0.5
    before = state(model)
    first = evaluate(model, ids, Y, 16)
    assert state(model) == before
    with pytest.raises(IndexError):
        evaluate(model, torch.cat([ids, ids + 27]), torch.cat([Y, Y]), 16)
    assert state(model) == before
    assert evaluate(model, ids.flip(0), Y.flip(0), 5) == pytest.approx(first, rel=1e-4)


def test_bad_evaluations() -> None:
    for x, y, chunk_size, message in (
        (X, Y[1:], 8, "X and Y must have the same length, got 70 and 69"),
        (X[:0], Y[:0], 8, "X must hold at least one example, got none"),
        (X, Y, 0, "chunk_size must be at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=f"^{message}$"):
            evaluate(small(), x, y, chunk_size)
