"""Where the two training loops of chapter 3 differ: other models, and arithmetic by hand."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotohero.backprop import mlp_gradients, train_in_numpy
from zerotohero.mlp import MLP, build_contexts, train


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Line:
    """Another kind of model: two classes, one weight for each of three real inputs."""

    def __init__(self) -> None:
        self.w = torch.zeros(3, 2)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        return X @ self.w

    def parameters(self) -> tuple[torch.Tensor]:
        return (self.w,)


def test_train_takes_any_model() -> None:
    X = torch.randn(200, 3, generator=seeded(1))
    Y = (X @ torch.tensor([1.0, -2.0, 0.5]) > 0).long()
    model = Line()
    history = train(model, X, Y, steps=200, learning_rate=1.0, generator=seeded(2), progress=False)
    assert history[0] == pytest.approx(np.log(2))
    assert (model(X).argmax(1) == Y).float().mean() > 0.95


def test_train_cleans_up_when_the_model_fails() -> None:
    class Broken(Line):
        def __call__(self, X: torch.Tensor) -> torch.Tensor:
            assert self.w.requires_grad
            raise ZeroDivisionError

    model, X, Y = Broken(), torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ZeroDivisionError):
        train(model, X, Y, steps=1, learning_rate=1.0, generator=seeded(1), progress=False)
    assert not model.w.requires_grad


def test_train_cleans_up_when_a_parameter_takes_no_gradient() -> None:
    class Whole(Line):
        def parameters(self) -> tuple[torch.Tensor, ...]:  # type: ignore[override] # one more
            return self.w, torch.zeros(2, dtype=torch.int64)

    model, X, Y = Whole(), torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="floating point"):
        train(model, X, Y, steps=1, learning_rate=1.0, generator=seeded(1), progress=False)
    assert not model.w.requires_grad


def test_repeated_characters_add_up() -> None:
    """One step on contexts of two characters: each row of C is looked up many times."""
    X, Y = build_contexts(["aaaaaaaa"])
    model = MLP(seeded(3), n_embd=4, n_hidden=6)
    for name in ("C", "W1", "b1", "W2", "b2"):
        setattr(model, name, getattr(model, name).double())
    C = model.C.clone()
    ix = torch.randint(0, len(X), (32,), generator=seeded(4))

    leaf = C.clone().requires_grad_()
    h = torch.tanh(leaf[X[ix]].flatten(1) @ model.W1 + model.b1)
    F.cross_entropy(h @ model.W2 + model.b2, Y[ix]).backward()
    assert leaf.grad is not None

    train_in_numpy(model, X, Y, steps=1, learning_rate=0.5, generator=seeded(4), progress=False)
    torch.testing.assert_close(model.C, C - 0.5 * leaf.grad, rtol=1e-12, atol=1e-12)
    assert torch.equal(model.C[2:], C[2:])  # not looked up, so not moved
    assert not torch.equal(model.C[:2], C[:2])


@pytest.mark.parametrize("n_hidden", [1000, 4000])
def test_a_probability_may_round_to_zero(n_hidden: int) -> None:
    """The logits of a wide network differ by more than float32 has exponents for."""
    X, Y = build_contexts(["emma", "olivia", "ava"])
    models = [MLP(seeded(5), n_hidden=n_hidden) for _ in range(2)]
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        losses = [
            loop(model, X, Y, steps=3, learning_rate=0.01, generator=seeded(6), progress=False)
            for loop, model in zip((train, train_in_numpy), models)
        ]
    assert max(losses[0]) > 50
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    if n_hidden == 4000:
        assert MLP(seeded(5), n_hidden=n_hidden)(X).softmax(1).min() == 0


def test_numpy_takes_inputs_of_any_strides() -> None:
    X, Y = build_contexts(["emma", "olivia", "ava"])
    turned = torch.stack(tuple(X.T)).T
    assert not turned.is_contiguous()
    first, second = (
        loop(MLP(seeded(7)), Z, Y, steps=5, learning_rate=0.1, generator=seeded(8), progress=False)
        for loop, Z in ((train, X), (train_in_numpy, turned))
    )
    assert second == pytest.approx(first, rel=1e-4)


@settings(deadline=None, max_examples=40)
@given(
    K=st.integers(1, 4),
    B=st.integers(1, 9),
    block_size=st.integers(1, 4),
    n_embd=st.integers(1, 5),
    n_hidden=st.integers(1, 7),
    letters=st.integers(1, 27),
    seed=st.integers(0, 2**31),
)
def test_gradients_are_those_of_autograd(
    K: int, B: int, block_size: int, n_embd: int, n_hidden: int, letters: int, seed: int
) -> None:
    """With few letters, each row of C is looked up many times."""
    g = seeded(seed)
    X = torch.randint(0, letters, (B, block_size), generator=g)
    Y = torch.randint(0, letters, (B,), generator=g)
    models = [MLP(g, block_size, n_embd, n_hidden) for _ in range(K)]
    stacks = [torch.stack(ps).double().numpy() for ps in zip(*(m.parameters() for m in models))]
    C, W1, b1, W2, b2 = stacks
    before = [p.copy() for p in stacks]
    losses, found = mlp_gradients(C, W1, b1[:, None], W2, b2[:, None], X.numpy(), Y.numpy())
    assert all(map(np.array_equal, stacks, before)), "nothing is changed"
    for k in range(K):
        leaves = [torch.from_numpy(p[k]).requires_grad_() for p in before]
        h = torch.tanh(F.embedding(X, leaves[0]).flatten(1) @ leaves[1] + leaves[2])
        loss = F.cross_entropy(h @ leaves[3] + leaves[4], Y)
        assert losses[k] == pytest.approx(loss.item(), rel=1e-12)
        right = torch.autograd.grad(loss, leaves)
        for ours, gradient in zip(found, right, strict=True):
            ours_k = ours[k].reshape(gradient.shape)
            np.testing.assert_allclose(ours_k, gradient.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("wrong", [-1, 27])
@pytest.mark.parametrize("name", ["X", "Y"])
def test_ids_must_be_in_the_alphabet(name: str, wrong: int) -> None:
    """To NumPy, -1 is the last row."""
    X, Y = build_contexts(["emma"])
    (X if name == "X" else Y).view(-1)[0] = wrong
    model = MLP(seeded(1), n_hidden=4)
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=f"^{name} must hold ids from 0 to 26, got "):
        train_in_numpy(model, X, Y, steps=2, learning_rate=0.1, generator=seeded(2), progress=False)
    assert all(map(torch.equal, before, model.parameters()))


def test_ids_must_be_integers() -> None:
    X, Y = build_contexts(["emma"])
    options: Any = {"steps": 2, "learning_rate": 0.1, "generator": seeded(2), "progress": False}
    with pytest.raises(TypeError, match=r"^X must be a tensor of int64 ids, got torch\.float32$"):
        train_in_numpy(MLP(seeded(1)), X.float(), Y, **options)
    with pytest.raises(ValueError, match=r"^X must have shape \(5, 3\), got \(5, 2\)$"):
        train_in_numpy(MLP(seeded(1)), X[:, 1:], Y, **options)


def test_a_lost_loss_leaves_the_model_as_it_was() -> None:
    X, Y = build_contexts(["emma", "olivia", "ava"])
    model = MLP(seeded(1), n_hidden=8)
    before = [p.clone() for p in model.parameters()]
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="learning rate"):
        train_in_numpy(
            model, X, Y, steps=99, learning_rate=1e38, generator=seeded(2), progress=False
        )
    assert all(map(torch.equal, before, model.parameters()))


def test_weights_lost_in_the_last_step() -> None:
    X, Y = build_contexts(["emma", "olivia", "ava"])
    model = MLP(seeded(1), n_hidden=8)
    before = [p.clone() for p in model.parameters()]
    options: Any = {"steps": 1, "learning_rate": 1e300, "progress": False}
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="after step 0"):
        train_in_numpy(model, X, Y, generator=seeded(2), **options)
    assert all(map(torch.equal, before, model.parameters()))


def test_a_model_that_wants_gradients_is_trained_all_the_same() -> None:
    X, Y = build_contexts(["emma", "olivia", "ava"])
    models = [MLP(seeded(1), n_hidden=8) for _ in range(2)]
    models[0].W1.requires_grad_()
    options: Any = {"steps": 9, "learning_rate": 0.1, "progress": False}
    losses = [train_in_numpy(m, X, Y, generator=seeded(2), **options) for m in models]
    assert losses[0] == losses[1]
    assert models[0].W1.requires_grad
