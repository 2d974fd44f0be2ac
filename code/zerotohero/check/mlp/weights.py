"""Checks of how the network starts, and of a second path through it."""

from __future__ import annotations

import math
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


@checker
def uniform_start(answer: Any) -> str:
    """Check a function ``(generator)`` that returns an ``MLP`` with a sensible first loss."""
    starts = []
    for seed in (1, 2, 1):
        shown = f"uniform_start(generator with seed {seed})"
        model = run(answer, _generator(seed), shown=shown)
        if not isinstance(model, MLP):
            fail(f"{shown} should return an MLP, received {type(model).__name__}.")
        guarded(lambda: _expect_uniform(model, shown), shown)  # noqa: B023 # called at once
        starts.append(torch.cat([p.flatten() for p in model.parameters()]))
    if torch.equal(starts[0], starts[1]) or not torch.equal(starts[0], starts[2]):
        fail(
            "The same seed should give the same weights, and another seed other weights.",
            "Draw all weights with the generator that is given.",
        )
    return "The first loss is that of a uniform guess: nothing has to be unlearned."


def _expect_uniform(model: MLP, shown: str) -> None:
    X = torch.randint(0, V, (2000, 3), generator=_generator(5))
    Y = torch.randint(0, V, (2000,), generator=_generator(6))
    if len(model.W1) != 3 * model.C.shape[1]:
        fail(f"{shown} should return a model that reads three characters, as MLP(generator) does.")
    if not model.W1.any() or not model.C.any():
        fail(
            f"{shown}: C or W1 is all zeros.",
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
    for seed, (n, n_embd, n_hidden) in enumerate([(5, 4, 6), (2, 3, 8), (1, 10, 7)]):
        model = MLP(_generator(3 * seed), n_embd=n_embd, n_hidden=n_hidden)
        W3 = torch.randn(3 * n_embd, V, generator=_generator(3 * seed + 1))
        X = torch.randint(0, V, (n, 3), generator=_generator(3 * seed + 2))
        shown = f"direct_connections(model, W3, X), n_embd = {n_embd}, X of shape {(n, 3)}"
        received = run(answer, model, W3, X, shown=shown)
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
    return "The logits get a linear path from the embeddings, around the hidden layer."
