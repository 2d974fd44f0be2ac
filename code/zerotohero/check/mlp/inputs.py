"""Checks of what goes into the network: contexts, and their embeddings."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ...bigrams import CHARACTERS, V
from ...mlp import build_contexts
from ..rules import INDEXING, LEAVING, SPOKEN, Watch
from ..running import run
from ..tensors import as_tensor, expect_tensor
from ..verdict import checker, fail


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- contexts --------------------------------------------------------------------------


def _words() -> Iterator[tuple[list[str], int]]:
    yield ["emma"], 3
    yield ["ava", "bo"], 2
    yield ["mia", "al", "mia", "j"], 4
    yield ["zoe"], 1
    rng = random.Random(1)
    for n, block_size in ((6, 5), (9, 3)):  # words of all letters, shorter and longer than it
        lengths = [rng.randint(1, 9) for _ in range(n)]
        yield ["".join(rng.choices(CHARACTERS[1:], k=k)) for k in lengths], block_size


@checker
def contexts(answer: Any) -> str:
    """Check a function ``(words, block_size)`` that returns X and Y."""
    for words, block_size in _words():
        shown = f"contexts({words}, {block_size})"
        received = run(answer, words, block_size, shown=shown)
        if not isinstance(received, (tuple, list)) or len(received) != 2:
            fail(f"{shown} should return X and Y, received {type(received).__name__}.")
        X, Y = build_contexts(words, block_size)
        shifted = torch.cat([X[:, 1:], Y[:, None]], 1)
        without_reset = torch.cat([torch.zeros(block_size, dtype=Y.dtype), Y])
        without_reset = without_reset.unfold(0, block_size, 1)  # one more than examples
        ends = (Y == 0).nonzero().flatten()
        end_of_word = ends[torch.searchsorted(ends, torch.arange(len(Y)))]
        one_list = "All rows are one list, as it is in the end. Store a new list each time."
        expect_tensor(
            received[0],
            X,
            f"X of {shown}",
            [
                (X.flip(1), "The oldest character comes first."),
                (without_reset[:-1], "Each word starts with a context of dots alone. Reset it."),
                (shifted, "Store the context before you shift it."),
                (shifted[end_of_word], one_list),
                (shifted[-1:].expand_as(X), one_list),
                (without_reset[-1:].expand_as(X), one_list),
                (X[Y != 0], "Each word has one more example: a dot follows its last letter."),
            ],
        )
        expect_tensor(received[1], Y, f"Y of {shown}", [(X[:, -1], "Y is what comes next.")])
    return "Every context, with the character that follows it, word by word."


# -- embeddings ------------------------------------------------------------------------

BY_INDEX = "The rule: no indexing of C. Multiply the one-hot encoding by C."


class _Unindexed(Watch):
    """Ends the check where entries are taken out of the table, or of a copy of it.

    ``unsure`` tells that the table has left PyTorch, or that the answer indexes other floats,
    which may come from the table in a way that is not seen here.
    """

    def __init__(self, C: torch.Tensor) -> None:
        super().__init__()
        self.tables, self.unsure = [C], False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").partition(".")[0]
        given = list(_tensors([*args, *(kwargs or {}).values()]))
        tables = [any(t is table for table in self.tables) for t in given]
        indexes = name in (*INDEXING, "index", "masked_select")
        if (any(tables) and indexes) or "embedding" in name:
            fail(f"{SPOKEN.get(name, name.strip('_'))} takes rows out of C.", BY_INDEX)
        self.unsure |= any(tables) and name in LEAVING
        self.unsure |= indexes and any(t.is_floating_point() for t in given)
        result = super().__torch_function__(func, types, args, kwargs)
        if given and all(tables) and isinstance(result, torch.Tensor):
            self.tables.append(result)  # nothing but the table went in
        return result


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


@checker
def embed(answer: Any) -> str:
    """Check a function ``(C, X)`` that looks embeddings up with a one-hot product."""
    for seed, (n, n_embd) in enumerate([(2, 2), (4, 5), (1, 2)]):
        C = torch.randn(V, n_embd, generator=_generator(seed))
        X = torch.randint(0, V - 1, (n, 3), generator=_generator(seed + 5))  # no 26: see below
        if n == 4:
            X[1], X[3, 2] = torch.tensor([0, 0, 26]), 0
        shown = f"embed(C, {X.tolist()})"
        watch = _Unindexed(C)
        received = run(watch.watched(answer), C, X, shown=shown)
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
        if watch.unsure and 26 not in X:
            # A product can't hide what is in a row that X does not use: 0 times infinity is NaN.
            C[26] = torch.inf
            with np.errstate(invalid="ignore"):
                spoiled = run(answer, C, X, shown=shown)
            if as_tensor(spoiled, shown).isfinite().all():
                fail(f"{shown} takes rows out of C.", BY_INDEX)
    return "One-hot times C is the same as C[X]."
