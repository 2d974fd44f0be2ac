"""Checks for the exercises of chapter 3."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from ...bigrams import V
from ...data import names
from ...mlp import MLP, build_contexts, nll, split_words
from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker, fail


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@checker
def contexts(answer: Any) -> str:
    """Check a function ``(words, block_size)`` that returns X and Y."""
    for words, block_size in ((["emma"], 3), (["ava", "bo"], 2), (["mia", "al"], 4)):
        shown = f"contexts({words}, {block_size})"
        X, Y = build_contexts(words, block_size)  # first: an answer may change its list
        received = run(answer, words, block_size, shown=shown)
        if not isinstance(received, (tuple, list)) or len(received) != 2:
            fail(f"{shown} should return X and Y, received {type(received).__name__}.")
        joined = torch.tensor(
            [[0] * block_size, *[[*X[i, 1:].tolist(), int(Y[i])] for i in range(len(X) - 1)]]
        )
        expect_tensor(
            received[0],
            X,
            f"X of {shown}",
            [
                (X.flip(1), "The oldest character comes first."),
                (joined, "Each word starts with a context of dots alone. Reset it."),
                (torch.cat([X[:, 1:], Y[:, None]], 1), "Store the context before you shift it."),
            ],
        )
        expect_tensor(received[1], Y, f"Y of {shown}", [(X[:, -1], "Y is what comes next.")])
    return "Every context, with the character that follows it, word by word."


@checker
def embed(answer: Any) -> str:
    """Check a function ``(C, X)`` that looks embeddings up with a one-hot product."""
    C = torch.randn(V, 2, generator=_generator(3))
    for X in (torch.tensor([[0, 0, 5], [0, 5, 13]]), torch.tensor([[26, 1]])):
        shown = f"embed(C, {X.tolist()})"
        received = run(answer, C.clone(), X.clone(), shown=shown)
        expect_tensor(
            received,
            C[X],
            shown,
            [
                (F.one_hot(X, V).float(), "That is the encoding. Multiply it by C."),
                (C[X].flatten(1), "Keep the three dimensions: example, position, number."),
                (C[X].sum(1), "The vectors of a context were added up. Keep them apart."),
            ],
        )
    return "One-hot times C is the same as C[X]."


@checker
def uniform_start(answer: Any) -> str:
    """Check a function ``(generator)`` that returns an ``MLP`` with a sensible first loss."""
    X = torch.randint(0, V, (2000, 3), generator=_generator(5))
    Y = torch.randint(0, V, (2000,), generator=_generator(6))
    for seed in (1, 2):
        shown = f"uniform_start(generator with seed {seed})"
        model = run(answer, _generator(seed), shown=shown)
        if not isinstance(model, MLP):
            fail(f"{shown} should return an MLP, received {type(model).__name__}.")
        if not model.W1.any() or not model.C.any():
            fail(
                f"{shown}: C or W1 is all zeros.",
                "Then all contexts look alike to the hidden layer. Scale the output layer.",
            )
        loss, expected = nll(model, X, Y), math.log(V)
        if not abs(loss - expected) < 0.05:
            too_high = "The logits are too large: scale W2 down, and set b2 to zero."
            fail(
                f"{shown}: the first loss should be near {expected:.4f}, received {loss:.4f}.",
                too_high,
            )
    return "The first loss is that of a uniform guess: nothing has to be unlearned."


@checker
def direct_connections(answer: Any) -> str:
    """Check a function ``(model, W3, X)`` with connections from embeddings to logits."""
    model = MLP(_generator(7), n_embd=4, n_hidden=6)
    W3 = torch.randn(12, V, generator=_generator(8))
    X = torch.randint(0, V, (5, 3), generator=_generator(9))
    emb = model.C[X].flatten(1)
    h = torch.tanh(emb @ model.W1 + model.b1)
    plain, direct = h @ model.W2 + model.b2, emb @ W3
    shown = "direct_connections(model, W3, X), for five contexts"
    received = run(answer, model, W3, X, shown=shown)
    expect_tensor(
        received,
        plain + direct,
        shown,
        [
            (plain, "W3 goes unused: add the embeddings times W3."),
            (direct, "The hidden layer is missing: the connections are added to its logits."),
            (plain + torch.tanh(direct), "The direct path is linear: no tanh."),
            (direct + h @ model.W2, "The bias b2 is missing."),
        ],
        tolerance=1e-4,
    )
    return "The logits get a linear path from the embeddings, around the hidden layer."


@checker
def beat_the_lecture(answer: Any) -> str:
    """Check a model, a function from contexts of 3 characters to logits, by its dev loss."""
    _, dev, _ = split_words(names())
    X, Y = build_contexts(dev, 3)
    with torch.no_grad():
        logits = run(answer, X, shown="model(X_dev)")
    if not isinstance(logits, torch.Tensor):
        fail(f"model(X_dev) should be a tensor, received {type(logits).__name__}.")
    if logits.shape != (len(X), V):
        fail(f"model(X_dev) should have shape {(len(X), V)}, received {tuple(logits.shape)}.")
    loss = F.cross_entropy(logits, Y).item()
    if not loss < 2.17:
        fail(
            f"The dev loss should be below 2.17, received {loss:.4f}.", "Is it trained to the end?"
        )
    return f"The dev loss is {loss:.4f}, below the 2.17 of the lecture."
