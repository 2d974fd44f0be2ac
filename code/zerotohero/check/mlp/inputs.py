"""Checks of what goes into the network: contexts, and their embeddings."""

from __future__ import annotations

import random
import reprlib
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
from ..verdict import checker, fail, stopped


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- contexts --------------------------------------------------------------------------


def _words() -> Iterator[tuple[list[str], int]]:
    yield ["emma"], 3
    yield ["ava", "bo"], 2
    yield ["mia", "al", "mia", "j"], 4
    yield ["zoe"], 1
    yield ["jo", "muhammadibrahim"], 6  # the longest name has 15 letters
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
        in_other_order = [build_contexts(ws, block_size)[0] for ws in (sorted(words), words[::-1])]
        expect_tensor(
            _numbers(received[0], f"X of {shown}"),
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
                *(
                    (wrong, "Go through the words in the order of the list.")
                    for wrong in in_other_order
                ),
            ],
        )
        expect_tensor(
            _numbers(received[1], f"Y of {shown}"),
            Y,
            f"Y of {shown}",
            [(X[:, -1], "Y is what comes next.")],
        )
    return "Every context, with the character that follows it, word by word."


def _numbers(received: Any, shown: str) -> torch.Tensor:
    """Return X or Y as a tensor. It is a part of what is returned, so the message says "hold"."""
    tensors: list[torch.Tensor] = []
    verdict = stopped(lambda: tensors.append(as_tensor(received, shown)))
    if verdict is not None or tensors[0].is_complex():
        fail(
            f"{shown} should hold real numbers, in rows of equal length, "
            f"received {reprlib.repr(received)}."
        )
    return tensors[0]


# -- embeddings ------------------------------------------------------------------------

BY_INDEX = "The rule: no indexing of C. Multiply the one-hot encoding by C."


TAKING = (
    *INDEXING,
    *("index", "masked_select", "vsplit", "hsplit", "dsplit", "unsafe_chunk", "unsafe_split"),
    *("split_with_sizes", "unsafe_split_with_sizes", "repeat_interleave", "as_strided"),
)
ARITHMETIC = (
    *("matmul", "__matmul__", "__rmatmul__", "mm", "linear", "einsum", "tensordot", "addmm"),
    *("add", "__add__", "__radd__", "sub", "__sub__", "mul", "__mul__", "__rmul__"),
)


class _Unindexed(Watch):
    """Ends the check where entries are taken out of the table, of a copy, or of a product of it.

    A product with what comes from X is none of these: it may be indexed. ``unsure`` tells that the
    table has left PyTorch, or that the answer indexes other floats, which may come from the table
    in a way that is not seen here.
    """

    def __init__(self, C: torch.Tensor, X: torch.Tensor) -> None:
        super().__init__()
        self.storage = C.untyped_storage().data_ptr()
        self.tables, self.ids = [C], [X]  # with all that comes from them
        self.unsure = self.ids_left = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").partition(".")[0]
        given = list(_tensors([*args, *(kwargs or {}).values()]))
        tables = [self._is_table(t) for t in given]
        with_ids = any(t is known for t in given for known in self.ids)
        result = super().__torch_function__(func, types, args, kwargs)
        if isinstance(result, Iterator):
            result = list(result)
        parts = list(_tensors([result]))
        takes = name in TAKING
        if takes and any(tables):
            whole = all(V in part.shape for part in parts)  # all rows are still there
            if whole and name == "__getitem__":
                fail("Brackets on C are ruled out.", BY_INDEX)
            if not whole:
                fail(f"{SPOKEN.get(name, name.strip('_'))} takes rows out of C.", BY_INDEX)
        leaves = name in (*LEAVING, "__bool__")
        self.ids_left |= with_ids and leaves
        self.unsure |= any(tables) and leaves
        self.unsure |= takes and any(t.is_floating_point() for t in given)
        if given and all(tables):  # nothing but the table went in
            self.tables += parts
        elif with_ids:
            changed = given[:1] if name == "__setitem__" or name[-1:] == "_" != name[-2:-1] else []
            self.ids += parts + changed
        elif any(tables) and name in ARITHMETIC and not self.ids_left:
            self.tables += parts
        return iter(result) if name == "__iter__" else result

    def _is_table(self, tensor: torch.Tensor) -> bool:
        if any(tensor is table for table in self.tables):
            return True
        try:
            return bool(tensor.untyped_storage().data_ptr() == self.storage)
        except NotImplementedError:  # sparse tensors, and those inside vmap, have no storage
            return False


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
        watch = _Unindexed(C, X)
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
