"""Checks of how the network starts, and of a second path through it."""

from __future__ import annotations

import math
import reprlib
from typing import Any

import torch

from ...bigrams import V
from ...mlp import MLP, nll
from ..running import guarded, run
from ..tensors import expect_tensor
from ..verdict import checker, fail

NEAR = 0.05  # stands in the exercise


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- a sensible first loss -------------------------------------------------------------


SHAPES = {"C": (V, 10), "W1": (30, 200), "b1": (200,), "W2": (200, V), "b2": (V,)}


@checker
def uniform_start(answer: Any) -> str:
    """Check a function ``(generator)`` that returns an ``MLP`` with a sensible first loss."""

    def start(seed: int, used: int = 0) -> dict[str, torch.Tensor]:
        generator = _generator(seed)
        torch.rand(used, generator=generator)
        shown = f"uniform_start(generator with seed {seed})"
        model = run(answer, generator, shown=shown)
        _expect_shapes(model, shown)
        guarded(lambda: _expect_uniform(model, shown), shown)
        return {name: getattr(model, name).detach().clone() for name in SHAPES}

    first, other, again, used = start(1), start(2), start(1), start(1, used=5)
    for name, weights in first.items():
        constant = (weights == weights.flatten()[0]).all()
        if not torch.equal(weights, again[name]):
            fail(
                f"{name}: the same seed should give the same weights.",
                "Draw all weights with the generator that is given.",
            )
        if torch.equal(weights, other[name]) and not constant:
            fail(
                f"{name}: another seed should give other weights.",
                "Draw all weights with the generator that is given.",
            )
        if torch.equal(weights, used[name]) and not constant:
            fail(
                f"{name} is the same with a generator that has been used before.",
                "Draw with the generator as it is. Don't seed it, or one of your own.",
            )
    return "The first loss is that of a uniform guess: nothing has to be unlearned."


def _expect_shapes(model: Any, shown: str) -> None:
    if not isinstance(model, MLP):
        fail(f"{shown} should return an MLP, received {type(model).__name__}.")
    if type(model) is not MLP:
        fail(f"{shown} should return an MLP itself, not an object of a subclass.")
    if model.block_size != 3:
        fail(f"{shown} should return a model that reads three characters, as MLP(generator) does.")
    for name, shape in SHAPES.items():
        weights = getattr(model, name, None)
        if isinstance(weights, torch.Tensor) and weights.is_floating_point():
            received = f"shape {tuple(weights.shape)}"
        else:
            received = reprlib.repr(weights)
        if received != f"shape {shape}":
            fail(f"{shown}: {name} should be a tensor of shape {shape}, received {received}.")


def _expect_uniform(model: MLP, shown: str) -> None:
    X = torch.randint(0, V, (2000, 3), generator=_generator(5))
    Y = torch.randint(0, V, (2000,), generator=_generator(6))
    for name in ("C", "W1"):
        if not getattr(model, name).any():
            fail(
                f"{shown}: {name} is all zeros.",
                "Then all contexts look alike to the hidden layer. Scale the output layer.",
            )
    if len(model.C.unique(dim=0)) < V:
        fail(
            f"{shown}: some rows of C are the same.",
            "Characters that start alike look alike to the network. Scale the output layer.",
        )
    if len(model.W1.T.unique(dim=0)) < model.W1.shape[1]:
        fail(
            f"{shown}: some columns of W1 are the same.",
            "Neurons that start alike do the same work. Scale the output layer.",
        )
    loss, expected = nll(model, X, Y), math.log(V)
    if math.isnan(loss):
        fail(f"{shown}: the first loss should be near {expected:.4f}, received nan.")
    if abs(loss - expected) >= NEAR:
        fail(
            f"{shown}: the first loss should be less than {NEAR} from {expected:.4f}, "
            f"received {loss:.4f}.",
            _too_large(model, X),
        )


def _too_large(model: MLP, X: torch.Tensor) -> str:
    """Say what makes the logits too large: the bias, the weights, or both."""
    biased = (model.b2 - model.b2.mean()).abs().max() > 0.5
    weighted = (model(X) - model.b2).std(1).mean() > 0.3
    if biased and weighted:
        return "The logits are too large: scale W2 down, and set b2 to zero."
    if biased:
        return "W2 is small enough. The numbers in b2 make the logits differ: set them to zero."
    if model.W2.std() < 0.7:  # drawn with 1
        return "That is the right direction, and not far enough: scale W2 down further."
    return "The logits are too large: scale W2 down."


# -- direct connections ----------------------------------------------------------------


@checker
def direct_connections(answer: Any) -> str:
    """Check a function ``(model, W3, X)`` with connections from embeddings to logits."""
    for seed, (n, n_embd, n_hidden) in enumerate([(5, 4, 6), (2, 3, 8), (1, 10, 7), (3, 12, 210)]):
        model = MLP(_generator(3 * seed), n_embd=n_embd, n_hidden=n_hidden)
        W3 = torch.randn(3 * n_embd, V, generator=_generator(3 * seed + 1))
        X = torch.randint(0, V, (n, 3), generator=_generator(3 * seed + 2))
        shown = f"direct_connections(model, W3, X) with n_embd = {n_embd} and X of shape {(n, 3)}"
        received = _on_untouched(answer, model, W3, X, shown)
        emb = model.C[X].flatten(1)
        preactivation = emb @ model.W1 + model.b1
        h = torch.tanh(preactivation)
        plain, direct = h @ model.W2 + model.b2, emb @ W3
        right = plain + direct
        expect_tensor(
            received,
            right,
            shown,
            [
                (plain, "W3 goes unused: add the embeddings times W3."),
                (direct, "The hidden layer is missing: the connections are added to its logits."),
                (plain + torch.tanh(direct), "The direct path is linear: no tanh."),
                (
                    preactivation @ model.W2 + model.b2 + direct,
                    "The hidden layer needs its tanh: between W1 and W2.",
                ),
                (torch.tanh(right), "Logits may have any size: no tanh after the output layer."),
                (right.softmax(1), "Those are probabilities. Return the logits: no softmax."),
                (right.log_softmax(1), "Return the logits themselves: no log_softmax."),
                (right - model.b2, "The bias b2 is missing."),
                (right + model.b2, "The bias b2 is added twice."),
                (
                    torch.tanh(emb @ model.W1) @ model.W2 + model.b2 + direct,
                    "The bias b1 is missing.",
                ),
            ],
            tolerance=1e-4,
        )
        _expect_gradients(answer, model, W3, X, shown)
    return "The logits get a linear path from the embeddings, around the hidden layer."


def _on_untouched(
    answer: Any, model: MLP, W3: torch.Tensor, X: torch.Tensor, shown: str
) -> torch.Tensor:
    """Return what the answer gives, or stop if it has changed the model.

    ``run`` would advise to work on a copy, but a copy cuts the gradients.
    """
    before = {name: (value, _remembered(value)) for name, value in vars(model).items()}
    received = run(answer, model, W3, X, shown=shown, may_change=(0,))
    after = vars(model)
    for name in {**before, **after}:
        kept = name in before and name in after and after[name] is before[name][0]
        if not kept or _remembered(after[name]) != before[name][1]:
            fail(
                f"{shown} changed {name} of the model, which should stay as it is.",
                "Keep intermediate results in new variables.",
            )
    if not isinstance(received, torch.Tensor):
        fail(f"{shown} should be a tensor, received {reprlib.repr(received)}.")
    return received


def _remembered(value: Any) -> Any:
    """Return what can be changed in a tensor without making another one."""
    if not isinstance(value, torch.Tensor):
        return value
    numbers = value.detach().numpy()
    return value.requires_grad, numbers.dtype.str, numbers.shape, numbers.tobytes()


def _expect_gradients(
    answer: Any, model: MLP, W3: torch.Tensor, X: torch.Tensor, shown: str
) -> None:
    """Stop unless training by the result would change W3 and the model as it should."""
    parameters = {"W3": W3}
    parameters |= {name: getattr(model, name) for name in ("W2", "b2", "W1", "b1", "C")}
    for parameter in parameters.values():
        parameter.requires_grad_()
    received = _on_untouched(answer, model, W3, X, shown)
    right = model(X) + model.C[X].flatten(1) @ W3
    expect_tensor(received, right.detach(), shown, tolerance=1e-4)
    upstream = torch.randn(right.shape, generator=_generator(9))
    needed = _gradients(right, parameters, upstream)
    found = {}
    if received.requires_grad:
        found = guarded(
            lambda: _gradients(received, parameters, upstream.to(received.dtype)),
            f"Autograd, by the result of {shown},",
        )
    for name, gradient in needed.items():
        if found.get(name) is None:
            fail(
                f"{shown}: no gradient arrives at {name}, so training would leave it as it is.",
                "Compute with the tensors themselves, in PyTorch, where autograd can follow.",
            )
        if not torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-4):
            fail(
                f"{shown}: the logits are right, but the gradient that arrives at {name} is not.",
                "Does each path to the logits let autograd through?",
            )


def _gradients(
    result: torch.Tensor, parameters: dict[str, torch.Tensor], upstream: torch.Tensor
) -> dict[str, Any]:
    gradients = torch.autograd.grad(result, [*parameters.values()], upstream, allow_unused=True)
    return dict(zip(parameters, gradients))
