"""Training without autograd, calibration and prediction, against torch."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from zerotohero.backprop import BatchNormMLP, steps, train_by_hand
from zerotohero.mlp import build_contexts, nll, sample, step_decay

WORDS = ["emma", "olivia", "ava", "isabella", "sophia", "charlotte", "mia", "amelia", "zuri"]
X, Y = build_contexts(WORDS)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """For tensors this small, a second thread costs more than it brings."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(seed: int = 1, dtype: torch.dtype = torch.float32, **sizes: int) -> BatchNormMLP:
    return BatchNormMLP(seeded(seed), **({"n_embd": 4, "n_hidden": 16} | sizes)).to(dtype)


def options(**changes: Any) -> dict[str, Any]:
    quiet = {"steps": 40, "learning_rate": 0.1, "generator": seeded(2), "progress": False}
    return quiet | changes


def by_autograd(
    model: BatchNormMLP, rates: list[float], generator: torch.Generator, batch_size: int
) -> list[float]:
    """Train with autograd and torch's own optimizer, a minibatch drawn in each step."""
    parameters = [p.requires_grad_() for p in model.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.0)
    history = []
    for rate in rates:
        ix = torch.randint(0, len(X), (batch_size,), generator=generator)
        loss = steps.forward(model, X[ix], Y[ix]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        history.append(loss.item())
    for p in parameters:
        p.requires_grad_(False)
    return history


@pytest.mark.parametrize("batch_size", [2, 7, 32])
def test_same_losses_and_weights_as_autograd(batch_size: int) -> None:
    ours, theirs = small(dtype=torch.float64), small(dtype=torch.float64)
    schedule = step_decay(0.1, 25)
    history = train_by_hand(
        ours, X, Y, **options(learning_rate=schedule, batch_size=batch_size, generator=seeded(3))
    )
    rates = [schedule(step) for step in range(40)]
    expected = by_autograd(theirs, rates, seeded(3), batch_size)
    assert len(history) == 40
    assert history == pytest.approx(expected, rel=1e-8)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-8)


def test_same_losses_in_single_precision() -> None:
    ours, theirs = small(), small()
    history = train_by_hand(ours, X, Y, **options(steps=20, generator=seeded(3)))
    assert history == pytest.approx(by_autograd(theirs, [0.1] * 20, seeded(3), 32), rel=1e-4)


def test_autograd_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("autograd was called")

    monkeypatch.setattr(torch.Tensor, "backward", refuse)
    monkeypatch.setattr(torch.autograd, "grad", refuse)
    monkeypatch.setattr(torch.autograd, "backward", refuse)
    model = small()
    history = train_by_hand(model, X, Y, **options(steps=300))
    assert sum(history[-30:]) < sum(history[:30])
    assert not any(p.requires_grad for p in model.parameters())


def test_the_schedule_is_asked_once_a_step() -> None:
    asked: list[int] = []
    train_by_hand(small(), X, Y, **options(steps=5, learning_rate=lambda s: asked.append(s) or 0.1))
    assert asked == [0, 1, 2, 3, 4]


def test_training_drops_statistics_that_no_longer_fit() -> None:
    model = small()
    model.calibrate(X)
    train_by_hand(model, X, Y, **options(steps=1))
    with pytest.raises(RuntimeError, match=r"no statistics yet: call calibrate\(X\) first"):
        model(X)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": -1}, "steps must not be negative, got -1"),
        ({"batch_size": 0}, "batch_size must be at least 2, got 0"),
        ({"batch_size": 1}, "batch_size must be at least 2, got 1"),
    ],
)
def test_what_training_refuses(changes: dict[str, Any], message: str) -> None:
    model = small()
    model.calibrate(X)
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=re.escape(message)):
        train_by_hand(model, X, Y, **options(**changes))
    assert all(map(torch.equal, before, model.parameters()))
    assert model.bnmean is not None, "nothing was trained, so it fits"


def test_ids_are_looked_at_before_the_first_step() -> None:
    model, targets = small(), Y.clone()
    before = [p.clone() for p in model.parameters()]
    targets[-1] = -100
    with pytest.raises(ValueError, match=r"^Y must hold ids from 0 to 26, got -100$"):
        train_by_hand(model, X, targets, **options(steps=1, batch_size=2))
    assert all(map(torch.equal, before, model.parameters()))


def test_inputs_and_targets_must_go_together() -> None:
    with pytest.raises(ValueError, match="X and Y must have the same length"):
        train_by_hand(small(), X, Y[:-1], **options())
    with pytest.raises(ValueError, match="at least one example"):
        train_by_hand(small(), X[:0], Y[:0], **options())


@pytest.mark.parametrize("wrong", [-1, 27])
def test_prediction_refuses_what_is_not_a_context(wrong: int) -> None:
    model = small()
    model.calibrate(X)
    with pytest.raises(ValueError, match=r"^X must hold ids from 0 to 26, got "):
        model(torch.tensor([[0, 0, wrong]]))
    with pytest.raises(ValueError, match=r"^X must have shape \(1, 3\), got \(1, 2\)$"):
        model(torch.tensor([[0, 0]]))
    with pytest.raises(TypeError, match=r"^X must be a tensor of int64 ids, got torch\.bool$"):
        model(torch.ones(2, 3, dtype=torch.bool))
    assert model(X[:0]).shape == (0, 27)


def test_weights_lost_in_the_last_step_are_told() -> None:
    model = small()
    with pytest.raises(FloatingPointError, match=r"^a parameter is not finite after step 0:"):
        train_by_hand(model, X, Y, **options(steps=1, learning_rate=lambda _: float("inf")))
    assert not all(p.isfinite().all() for p in model.parameters())


def test_a_lost_loss_stops_the_training() -> None:
    with pytest.raises(FloatingPointError, match="is the learning rate too large"):
        train_by_hand(small(), X, Y, **options(steps=200, learning_rate=1e30))


def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    train_by_hand(small(), X, Y, **options(steps=10, progress=True))
    assert capsys.readouterr().err.count("step ") == 10
    train_by_hand(small(), X, Y, **options(steps=10))
    assert capsys.readouterr().err == ""


# -- calibration and prediction ------------------------------------------------------------


def as_torch(model: BatchNormMLP) -> torch.nn.BatchNorm1d:
    """Return torch's layer with the model's gain and bias; momentum 1 takes the last batch."""
    layer = torch.nn.BatchNorm1d(model.bngain.shape[1], eps=1e-5, momentum=1.0)
    layer.weight.data, layer.bias.data = model.bngain[0].clone(), model.bnbias[0].clone()
    return layer.to(model.bngain.dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_calibration_against_batchnorm1d(dtype: torch.dtype, tolerance: float) -> None:
    model = small(dtype=dtype)
    model.calibrate(X)
    pre = model.C[X].flatten(1) @ model.W1 + model.b1
    layer = as_torch(model)
    layer(pre)  # training mode: its running statistics are now those of all of X
    assert model.bnmean is not None
    assert model.bnvar is not None
    assert model.bnmean.shape == model.bnvar.shape == (1, 16)
    torch.testing.assert_close(model.bnmean[0], layer.running_mean, rtol=0, atol=tolerance)
    torch.testing.assert_close(model.bnvar[0], layer.running_var, rtol=tolerance, atol=tolerance)
    layer.eval()
    with torch.no_grad():
        expected = F.linear(torch.tanh(layer(pre)), model.W2.T, model.b2)
    torch.testing.assert_close(model(X), expected, rtol=tolerance, atol=10 * tolerance)


def test_prediction_does_not_depend_on_the_batch() -> None:
    model = small(dtype=torch.float64)
    model.calibrate(X)
    one_by_one = torch.cat([model(X[i : i + 1]) for i in range(len(X))])
    torch.testing.assert_close(one_by_one, model(X))


def test_loss_and_names_as_for_the_other_models() -> None:
    model = small()
    model.calibrate(X)
    assert nll(model, X, Y) == pytest.approx(F.cross_entropy(model(X), Y).item())
    assert model.sample(3, seeded(5)) == sample(model, 3, 3, seeded(5))


def test_calibration_refuses_too_little() -> None:
    with pytest.raises(ValueError, match="X must hold at least 2 examples, got 1"):
        small().calibrate(X[:1])
    with pytest.raises(ValueError, match=re.escape("X must have shape (56, 3), got (56, 2)")):
        small().calibrate(torch.zeros(56, 2, dtype=torch.int64))


def test_another_precision_holds_the_same_numbers() -> None:
    model = small()
    model.calibrate(X)
    before = [p.clone() for p in (*model.parameters(), model.bnmean)]
    assert model.to(torch.float64) is model
    after = [*model.parameters(), model.bnmean]
    assert all(p.dtype == torch.float64 for p in after)
    assert all(torch.equal(p.double(), q) for p, q in zip(before, after, strict=True))
