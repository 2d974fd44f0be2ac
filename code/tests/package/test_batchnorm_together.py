"""Networks trained together against each of them trained alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotohero.backprop import train_together
from zerotohero.batchnorm import DeepMLP
from zerotohero.layers import Linear, Tanh
from zerotohero.mlp import MLP, build_contexts, step_decay, train

NAMES = Path(__file__).parents[2] / "zerotohero" / "data" / "names-ssa-2018.txt"
X, Y = build_contexts(NAMES.read_text(encoding="utf-8").split()[:200])
PARAMETERS = ("C", "W1", "b1", "W2", "b2")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """For tensors this small, a second thread costs more than it brings."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def networks(K: int, dtype: torch.dtype = torch.float32, **sizes: int) -> list[MLP]:
    """Return K networks whose first weights differ in their numbers, and in their size."""
    models = [MLP(seeded(k), **({"n_embd": 4, "n_hidden": 16} | sizes)) for k in range(K)]
    for k, model in enumerate(models):
        for name in PARAMETERS:
            setattr(model, name, getattr(model, name).to(dtype))
        model.W1 *= 0.2 + 0.3 * k
        model.W2 *= 0.1 * k
    return models


def options(**changes: Any) -> dict[str, Any]:
    quiet = {"steps": 50, "learning_rate": 0.1, "generator": seeded(2), "progress": False}
    return quiet | changes


def same(models: list[MLP], others: list[MLP]) -> bool:
    pairs = zip(models, others, strict=True)
    return all(torch.equal(p, q) for m, o in pairs for p, q in zip(m.parameters(), o.parameters()))


def agrees(
    K: int,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    dtype: torch.dtype,
    error: float,
    sizes: dict[str, int],
    **changes: Any,
) -> None:
    """Check losses, weights and draws of networks trained together and alone."""
    together, alone = networks(K, dtype, **sizes), networks(K, dtype, **sizes)
    generator = seeded(3)
    history = train_together(together, inputs, targets, **options(**changes, generator=generator))
    for k, model in enumerate(alone):
        other = seeded(3)
        losses = train(model, inputs, targets, **options(**changes, generator=other))
        assert history[:, k].tolist() == pytest.approx(losses, rel=error)
        for p, q in zip(together[k].parameters(), model.parameters(), strict=True):
            assert p.dtype == dtype
            torch.testing.assert_close(p, q, rtol=error, atol=error)
        assert torch.equal(generator.get_state(), other.get_state()), "as many draws"
    assert history.shape == (len(losses), K)
    assert history.dtype == dtype


@pytest.mark.parametrize("K", [1, 4])
@pytest.mark.parametrize(
    ("dtype", "error"), [(torch.float32, 1e-3), (torch.float64, 1e-10)], ids=["float32", "float64"]
)
@pytest.mark.parametrize(
    "changes",
    [{}, {"learning_rate": step_decay(0.2, 25)}, {"batch_size": 1}, {"batch_size": 100}],
    ids=["rate", "schedule", "one", "many"],
)
def test_together_as_alone(
    K: int, dtype: torch.dtype, error: float, changes: dict[str, Any]
) -> None:
    agrees(K, X, Y, dtype, error, {}, **changes)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 4),
    st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 8),
)
def test_together_as_alone_whatever_the_sizes(
    K: int, words: list[str], block_size: int, n_embd: int, n_hidden: int, batch_size: int
) -> None:
    sizes = {"block_size": block_size, "n_embd": n_embd, "n_hidden": n_hidden}
    inputs, targets = build_contexts(words, block_size)  # three letters: many are repeated
    agrees(K, inputs, targets, torch.float64, 1e-9, sizes, steps=5, batch_size=batch_size)


def test_repeated_characters_add_up() -> None:
    inputs, targets = build_contexts(["aaaaaaaa"])
    agrees(4, inputs, targets, torch.float64, 1e-10, {}, learning_rate=0.5)
    models, before = networks(3), networks(3)
    train_together(models, inputs, targets, **options())
    for model, other in zip(models, before):
        assert torch.equal(model.C[2:], other.C[2:]), "not looked up, so not moved"
        assert not torch.equal(model.C[:2], other.C[:2])


def test_a_network_does_not_see_the_others() -> None:
    alone, two = networks(1), networks(2)
    history = train_together(two, X, Y, **options())
    assert history[:, :1].tolist() == pytest.approx(train_together(alone, X, Y, **options()))


def test_inputs_of_any_strides() -> None:
    turned = torch.stack(tuple(X.T)).T
    assert not turned.is_contiguous()
    first, second = networks(2), networks(2)
    history = train_together(first, X, Y, **options())
    assert torch.equal(train_together(second, turned, Y, **options()), history)
    assert same(first, second)


def test_parameters_change_in_place_and_examples_do_not() -> None:
    models, examples = networks(3), (X.clone(), Y.clone())
    before = [p for model in models for p in model.parameters()]
    memory = [p.data_ptr() for p in before]
    copies = [p.clone() for p in before]
    history = train_together(models, X, Y, **options())
    after = [p for model in models for p in model.parameters()]
    assert all(p is q for p, q in zip(before, after, strict=True))
    assert [p.data_ptr() for p in after] == memory
    assert not any(torch.equal(p, copy) for p, copy in zip(after, copies))
    assert torch.equal(X, examples[0])
    assert torch.equal(Y, examples[1])
    assert not history.requires_grad


def test_parameters_may_want_gradients() -> None:
    models, other = networks(2), networks(2)
    models[0].W1.requires_grad_()
    history = train_together(models, X, Y, **options())
    assert torch.equal(history, train_together(other, X, Y, **options()))
    assert same(models, other)
    assert models[0].W1.requires_grad
    assert not history.requires_grad


def test_training_can_go_on() -> None:
    whole, parts = networks(2), networks(2)
    expected = train_together(whole, X, Y, **options())
    generator = seeded(2)
    history = [
        train_together(parts, X, Y, **options(steps=steps, generator=generator))
        for steps in (20, 0, 30)
    ]
    assert torch.equal(torch.cat(history), expected)
    assert same(whole, parts)


def test_no_step_changes_nothing() -> None:
    models = networks(3)
    assert train_together(models, X, Y, **options(steps=0)).shape == (0, 3)
    assert same(models, networks(3))


def test_a_schedule_is_asked_once_a_step() -> None:
    asked: list[int] = []

    def schedule(step: int) -> torch.Tensor:
        asked.append(step)
        return torch.tensor(0.1)

    train_together(networks(2), X, Y, **options(steps=9, learning_rate=schedule))
    assert asked == list(range(9))


def test_progress_shows_the_mean_loss(capsys: pytest.CaptureFixture[str]) -> None:
    history = train_together(networks(2), X, Y, **options(steps=3, progress=True))
    out, err = capsys.readouterr()
    assert out == ""
    shown = [line.split("loss ")[1].split(",")[0] for line in err.splitlines()]
    assert shown == [f"{loss:.4f}" for loss in history.mean(1).tolist()]
    train_together(networks(2), X, Y, **options(steps=3))
    assert capsys.readouterr() == ("", "")


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "targets", "changes", "message"),
    [
        (X, Y[:-1], {}, f"X and Y must have the same length, got {len(X)} and {len(X) - 1}"),
        (X[:0], Y[:0], {}, "X must hold at least one example, got none"),
        (X, Y, {"steps": -1}, "steps must not be negative, got -1"),
        (X, Y, {"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_bad_arguments(
    inputs: torch.Tensor, targets: torch.Tensor, changes: dict[str, int], message: str
) -> None:
    models, generator = networks(2), seeded(2)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 # the whole message is compared
        train_together(models, inputs, targets, **options(generator=generator, **changes))
    assert str(caught.value) == message
    assert torch.equal(generator.get_state(), seeded(2).get_state())
    assert same(models, networks(2))


def test_bad_models() -> None:
    with pytest.raises(ValueError, match=r"^models must hold at least one model, got none$"):
        train_together([], X, Y, **options())
    mixed = [*networks(1), *networks(1, n_hidden=5)]
    with pytest.raises(
        ValueError, match=r"^models must have tensors of the same shapes and dtypes, got"
    ):
        train_together(mixed, X, Y, **options())
    with pytest.raises(ValueError, match=r"^models must have .* dtypes, got .*float64"):
        train_together([*networks(1), *networks(1, torch.float64)], X, Y, **options())
    layers = [Linear(12, 16, generator=seeded(1)), Tanh(), Linear(16, 27, generator=seeded(1))]
    deep: Any = DeepMLP(torch.zeros(27, 4), layers)
    with pytest.raises(TypeError, match=r"^models must hold only MLPs, got DeepMLP$"):
        train_together([*networks(1), deep], X, Y, **options())


@pytest.mark.parametrize("lost", [0, 2])
def test_a_lost_loss_names_the_step(lost: int) -> None:
    """One network whose loss is not a number is enough."""
    models = networks(3)
    rising = np.errstate(all="ignore")
    with rising, pytest.raises(FloatingPointError, match=r"^the loss is (nan|inf) in step [1-9]: "):
        train_together(models, X, Y, **options(learning_rate=1e38))
    assert same(models, networks(3)), "the models are as they were"
    models = networks(3)
    models[lost].b2[0] = float("nan")
    with pytest.raises(FloatingPointError, match=r"^the loss is nan in step 0: is the learning"):
        train_together(models, X, Y, **options())
