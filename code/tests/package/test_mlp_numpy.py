"""Where the two training loops of chapter 3 differ: other models, and arithmetic by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from zerotohero.backprop import train_in_numpy
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
