"""Both training loops of chapter 3 against torch.optim.SGD, and what they refuse."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from zerotohero.backprop import train_in_numpy
from zerotohero.mlp import MLP, build_contexts, nll, step_decay, train

Train = Callable[..., list[float]]
WORDS = ["emma", "olivia", "ava", "isabella", "sophia", "charlotte", "mia", "amelia", "zuri"]
X, Y = build_contexts(WORDS)
PARAMETERS = ("C", "W1", "b1", "W2", "b2")

both = pytest.mark.parametrize("loop", [train, train_in_numpy])


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """For tensors this small, a second thread costs more than it brings."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(seed: int = 1, dtype: torch.dtype = torch.float32, **sizes: int) -> MLP:
    model = MLP(seeded(seed), **({"n_embd": 4, "n_hidden": 16} | sizes))
    for name in PARAMETERS:
        setattr(model, name, getattr(model, name).to(dtype))
    return model


def options(**changes: Any) -> dict[str, Any]:
    quiet = {"steps": 40, "learning_rate": 0.1, "generator": seeded(2), "progress": False}
    return quiet | changes


def by_torch_optim(
    model: Any,
    X: torch.Tensor,
    Y: torch.Tensor,
    rates: list[float],
    generator: torch.Generator,
    batch_size: int,
) -> list[float]:
    """Train as the lecture does, a minibatch drawn in each step, with torch's own optimizer."""
    parameters = [p.requires_grad_() for p in model.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.0)
    history = []
    for rate in rates:
        ix = torch.randint(0, len(X), (batch_size,), generator=generator)
        loss = F.cross_entropy(model(X[ix]), Y[ix])
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        history.append(loss.item())
    return history


CASES: list[dict[str, int]] = [
    {},
    {"block_size": 1, "n_embd": 1, "n_hidden": 1},
    {"block_size": 5, "n_embd": 3, "n_hidden": 8, "batch_size": 7},
    {"block_size": 2, "batch_size": 1},
    {"n_embd": 10, "n_hidden": 200, "batch_size": 64},
]


@both
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(
    ("dtype", "rtol"), [(torch.float32, 2e-3), (torch.float64, 1e-9)], ids=["float32", "float64"]
)
def test_same_losses_and_weights_as_torch_optim(
    loop: Train, case: dict[str, int], dtype: torch.dtype, rtol: float
) -> None:
    shape = dict(case)
    batch_size = shape.pop("batch_size", 32)
    inputs, targets = build_contexts(WORDS, shape.get("block_size", 3))
    ours, theirs = small(dtype=dtype, **shape), small(dtype=dtype, **shape)
    schedule = step_decay(0.1, 25)
    generator, other = seeded(5), seeded(5)
    history = loop(
        ours,
        inputs,
        targets,
        **options(learning_rate=schedule, generator=generator, batch_size=batch_size),
    )
    rates = [0.1] * 25 + [0.01] * 15
    expected = by_torch_optim(theirs, inputs, targets, rates, other, batch_size)
    assert history == pytest.approx(expected, rel=rtol)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.dtype == dtype
        torch.testing.assert_close(p, q.detach(), rtol=rtol, atol=rtol)
    assert torch.equal(generator.get_state(), other.get_state()), "as many draws as the lecture"


@both
def test_history(loop: Train) -> None:
    model, untrained = small(), small()
    history = loop(model, X, Y, **options(steps=300))
    assert len(history) == 300
    assert all(type(loss) is float for loss in history)
    ix = torch.randint(0, len(X), (32,), generator=seeded(2))
    assert history[0] == pytest.approx(nll(untrained, X[ix], Y[ix]), rel=1e-5)  # before the update
    assert nll(model, X, Y) < 0.5 * nll(untrained, X, Y)


@both
def test_the_generator_decides(loop: Train) -> None:
    def run(seed: int) -> list[float]:
        return loop(small(), X, Y, **options(generator=seeded(seed)))

    torch.manual_seed(0)
    first = run(3)
    torch.manual_seed(1)
    assert run(3) == first
    assert run(4) != first


@both
def test_training_can_go_on(loop: Train) -> None:
    whole, parts = small(), small()
    expected = loop(whole, X, Y, **options(steps=50))
    generator = seeded(2)
    history = [
        loss
        for steps in (20, 0, 30)
        for loss in loop(parts, X, Y, **options(steps=steps, generator=generator))
    ]
    assert history == expected
    assert all(torch.equal(p, q) for p, q in zip(whole.parameters(), parts.parameters()))


@both
def test_parameters_change_in_place_and_examples_do_not(loop: Train) -> None:
    model, examples = small(), (X.clone(), Y.clone())
    before = model.parameters()
    copies = [p.clone() for p in before]
    memory = [p.data_ptr() for p in before]
    loop(model, X, Y, **options())
    after = model.parameters()
    assert all(p is q for p, q in zip(before, after, strict=True))
    assert [p.data_ptr() for p in after] == memory
    assert not any(torch.equal(p, copy) for p, copy in zip(after, copies))
    assert torch.equal(X, examples[0])
    assert torch.equal(Y, examples[1])


@both
def test_no_step_changes_nothing(loop: Train) -> None:
    model = small()
    assert loop(model, X, Y, **options(steps=0)) == []
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), small().parameters()))


@both
@pytest.mark.parametrize("kind", [float, np.float64, torch.tensor, lambda rate: 1])
def test_a_schedule_is_asked_once_a_step(loop: Train, kind: Callable[[float], Any]) -> None:
    asked: list[int] = []

    def schedule(step: int) -> Any:
        asked.append(step)
        return kind(0.1)

    model, expected = small(), small()
    history = loop(model, X, Y, **options(steps=9, learning_rate=schedule))
    assert asked == list(range(9))
    rate = float(kind(0.1))
    assert history == loop(expected, X, Y, **options(steps=9, learning_rate=rate))
    assert model.C.dtype == torch.float32


class Tied:
    """Logits that are the embedding times its transpose, and a parameter without effect."""

    def __init__(self) -> None:
        self.C, self.unused = torch.randn((27, 4), generator=seeded(3)), torch.ones(2)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        return self.C[X].mean(1) @ self.C.T

    def parameters(self) -> list[torch.Tensor]:
        return [self.C, self.unused, self.C]


def test_a_parameter_listed_twice_and_one_without_effect() -> None:
    ours, theirs = Tied(), Tied()
    history = train(ours, X, Y, **options(learning_rate=1.0))
    theirs.parameters = lambda: [theirs.C, theirs.unused]  # type: ignore[method-assign]
    expected = by_torch_optim(theirs, X, Y, [1.0] * 40, seeded(2), 32)
    assert history == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(ours.C, theirs.C.detach())
    assert torch.equal(ours.unused, torch.ones(2))
    assert not any(p.requires_grad or p.grad is not None for p in ours.parameters())


# -- what is refused -----------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("inputs", "targets", "changes", "message"),
    [
        (X, Y[:-1], {}, f"X and Y must have the same length, got {len(X)} and {len(X) - 1}"),
        (X[:0], Y[:0], {}, "X must hold at least one example, got none"),
        (X, Y, {"steps": -1}, "steps must not be negative, got -1"),
        (X, Y, {"batch_size": 0}, "batch_size must be at least 1, got 0"),
        (X, Y, {"batch_size": -5}, "batch_size must be at least 1, got -5"),
    ],
)
def test_bad_arguments_are_named(
    loop: Train, inputs: torch.Tensor, targets: torch.Tensor, changes: dict[str, int], message: str
) -> None:
    model, generator = small(), seeded(2)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 # the whole message is compared
        loop(model, inputs, targets, **options(generator=generator, **changes))
    assert str(caught.value) == message
    assert torch.equal(generator.get_state(), seeded(2).get_state())
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), small().parameters()))
    assert not any(p.requires_grad for p in model.parameters())


@both
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own, on the way to infinity
def test_a_lost_loss_names_the_step(loop: Train) -> None:
    model = small()
    with pytest.raises(FloatingPointError, match=r"^the loss is nan in step 6: is the learning"):
        loop(model, X, Y, **options(learning_rate=lambda step: 0.1 if step < 5 else float("nan")))
    with pytest.raises(FloatingPointError, match=r"^the loss is (nan|inf) in step [1-9]: is the"):
        loop(small(), X, Y, **options(learning_rate=1e38))
    assert not any(p.requires_grad for p in model.parameters())


def test_weights_lost_in_the_last_step_are_told() -> None:
    with pytest.raises(FloatingPointError, match="a parameter is not finite after step 0"):
        train(small(), X, Y, **options(steps=1, learning_rate=1e300))


@both
def test_no_gradient_is_wanted_afterward(loop: Train) -> None:
    class Interrupted(Exception):
        pass

    def schedule(step: int) -> float:
        if step == 3:
            raise Interrupted
        return 0.1

    model = small()
    loop(model, X, Y, **options())
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())
    with pytest.raises(Interrupted):
        loop(model, X, Y, **options(learning_rate=schedule))
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())


# -- progress ------------------------------------------------------------------------------

LINE = r"step ([\d,]+) of ([\d,]+): loss \d+\.\d{4}, \d+ s left"


@both
@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        (20, ["2", "4", "6", "8", "10", "12", "14", "16", "18", "20"]),
        (3, ["1", "2", "3"]),
        (19, ["2", "4", "6", "8", "10", "12", "14", "16", "18"]),
        (1100, ["110", "220", "330", "440", "550", "660", "770", "880", "990", "1,100"]),
        (0, []),
    ],
)
def test_progress_goes_to_standard_error(
    loop: Train, steps: int, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = options(steps=steps)
    del asked["progress"]  # shown unless one says otherwise
    loop(small(n_embd=1, n_hidden=1), X, Y, **asked, batch_size=1)
    out, err = capsys.readouterr()
    assert out == ""
    found = [re.fullmatch(LINE, line) for line in err.splitlines()]
    assert [match and match.groups() for match in found] == [(s, f"{steps:,}") for s in shown]


@both
def test_progress_shows_the_loss_of_its_step(
    loop: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    history = loop(small(), X, Y, **options(steps=10, progress=True))
    shown = re.findall(r"loss (\S+),", capsys.readouterr().err)
    assert shown == [f"{loss:.4f}" for loss in history]


@both
def test_no_progress_prints_nothing(loop: Train, capsys: pytest.CaptureFixture[str]) -> None:
    loop(small(), X, Y, **options())
    assert capsys.readouterr() == ("", "")
