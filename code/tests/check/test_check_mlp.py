"""The checks of chapter 3: contexts and embeddings."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.bigrams import CHARACTERS
from zerotohero.check import mlp
from zerotohero.mlp import build_contexts

Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("embedded_names")


# -- exercise 1: contexts ------------------------------------------------------------------


def by_shifting(words: list[str], block_size: int, **changes: Any) -> tuple[Any, Any]:
    """Fill a context as the lecture does, perhaps with a mistake."""
    X, Y, context = [], [], [0] * block_size
    for word in words:
        if changes.get("reset", True):
            context = [0] * block_size
        for character in word + changes.get("end", "."):
            ix = CHARACTERS.index(character)
            new = [ix, *context[:-1]] if changes.get("newest_first") else [*context[1:], ix]
            X.append(new if changes.get("shift_first") else context)
            Y.append(context[-1] if changes.get("late") else ix)
            context = new
    return X, Y


def by_slices(words: list[str], block_size: int) -> list[torch.Tensor]:
    texts = ["." * block_size + word + "." for word in words]
    pairs = [(t[i - block_size : i], t[i]) for t in texts for i in range(block_size, len(t))]
    ids = [[CHARACTERS.index(c) for c in context + target] for context, target in pairs]
    return [torch.tensor(ids)[:, :-1], torch.tensor(ids)[:, -1]]


def with_arrays(words: list[str], block_size: int) -> tuple[np.ndarray, np.ndarray]:
    X, Y = by_shifting(words, block_size)
    while words:  # its list is its own
        words.pop()
    return np.array(X), np.array(Y)


@pytest.mark.parametrize("answer", [by_shifting, by_slices, with_arrays, build_contexts])
def test_contexts_right(answer: Answer) -> None:
    verdict = mlp.contexts(answer)
    assert verdict, verdict.message
    assert "word by word" in verdict.message


@pytest.mark.parametrize(
    ("changes", "words", "hint"),
    [
        (
            {"newest_first": True},
            ["X of contexts(['emma'], 3)", "entry (1, 0) should be 0, received 5", "(8 of 15"],
            "The oldest character comes first.",
        ),
        (
            {"reset": False},
            ["X of contexts(['ava', 'bo'], 2)", "entry (4, 0) should be 0, received 1"],
            "Each word starts with a context of dots alone. Reset it.",
        ),
        (
            {"shift_first": True},
            ["X of contexts(['emma'], 3)", "entry (0, 2) should be 0, received 5"],
            "Store the context before you shift it.",
        ),
        (
            {"late": True},
            ["Y of contexts(['emma'], 3)", "entry (0,) should be 5, received 0"],
            "Y is what comes next.",
        ),
        ({"end": ""}, ["X of", "should have shape (5, 3), received (4, 3)"], ""),
    ],
)
def test_contexts_wrong(changes: dict[str, Any], words: list[str], hint: str) -> None:
    outcome(mlp.contexts(lambda *args: by_shifting(*args, **changes)), *words, hint=hint)


def test_contexts_wrong_in_other_ways() -> None:
    outcome(
        mlp.contexts(lambda *args: by_slices(*args)[0]),
        "contexts(['emma'], 3) should return X and Y, received Tensor.",
    )
    outcome(
        mlp.contexts(lambda words, _: build_contexts(words, 3)),
        "X of contexts(['ava', 'bo'], 2) should have shape (7, 2), received (7, 3)",
    )

    def sorts(words: list[str], block_size: int) -> Any:
        words.sort()
        return by_shifting(words, block_size)

    outcome(mlp.contexts(sorts), "X of contexts(['mia', 'al'], 4)", "should be 13, received 1")
    outcome(mlp.contexts(lambda words: 1), "contexts(['emma'], 3) raised TypeError")


# -- exercise 2: embeddings ----------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        lambda C, X: F.one_hot(X, 27).float() @ C,
        lambda C, X: torch.einsum("npv,ve->npe", F.one_hot(X, 27).float(), C),
        lambda C, X: np.eye(27)[X.numpy()] @ C.numpy(),
        lambda C, X: F.embedding(X, C).tolist(),
    ],
)
def test_embed_right(answer: Answer) -> None:
    assert mlp.embed(answer)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda C, X: F.one_hot(X, 27),
            ["[[0, 0, 5], [0, 5, 13]])", "shape (2, 3, 2), received (2, 3, 27)"],
            "That is the encoding. Multiply it by C.",
        ),
        (
            lambda C, X: C[X].reshape(len(X), -1),
            ["shape (2, 3, 2), received (2, 6)"],
            "Keep the three dimensions: example, position, number.",
        ),
        (
            lambda C, X: F.one_hot(X, 27).sum(1).float() @ C,
            ["shape (2, 3, 2), received (2, 2)"],
            "The vectors of a context were added up. Keep them apart.",
        ),
        (lambda C, X: 2 * C[X], ["entry (0, 0, 0) should be", "(12 of 12 differ)"], ""),
        (lambda C, X: C[X % 26], ["embed(C, [[26, 1]])", "(2 of 4 differ)"], ""),
        (lambda C, X: F.one_hot(X, 27) @ C, ["raised RuntimeError", "dtype"], ""),
        (lambda C, X: F.one_hot(X).float() @ C, ["raised RuntimeError"], ""),
        (lambda C, X: C.zero_()[X], ["should be", "received 0"], ""),
    ],
)
def test_embed_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(mlp.embed(answer), *words, hint=hint)
