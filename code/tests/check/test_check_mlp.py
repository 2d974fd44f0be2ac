"""The checks of chapter 3: contexts and embeddings."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.bigrams import CHARACTERS
from zerotohero.check import mlp, running
from zerotohero.mlp import build_contexts
from zerotohero.mlp import embed as mlp_embed

Answer = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("embedded_names")


# -- exercise 1: contexts ------------------------------------------------------------------


def by_shifting(words: list[str], block_size: int, **changes: Any) -> tuple[Any, Any]:
    """Fill a context as the lecture does, with a mistake."""
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
        (
            {"end": ""},
            ["X of", "should have shape (5, 3), received (4, 3)"],
            "Each word has one more example: a dot follows its last letter.",
        ),
    ],
)
def test_contexts_wrong(changes: dict[str, Any], words: list[str], hint: str) -> None:
    outcome(mlp.contexts(lambda *args: by_shifting(*args, **changes)), *words, hint=hint)


def with_one_list(words: list[str], block_size: int, reset: str) -> tuple[Any, Any]:
    """Store one and the same list again and again: of each word, or of all of them."""
    X, Y, context = [], [], [0] * block_size
    for word in words:
        if reset == "new":
            context = [0] * block_size
        elif reset == "in place":
            context[:] = [0] * block_size
        for character in word + ".":
            X.append(context)
            Y.append(CHARACTERS.index(character))
            context.append(Y[-1])
            context.pop(0)
    return X, Y


@pytest.mark.parametrize("reset", ["new", "in place", "never"])
def test_contexts_that_are_one_list(reset: str) -> None:
    hint = "All rows are one list, as it is in the end. Store a new list each time."
    outcome(mlp.contexts(lambda *args: with_one_list(*args, reset)), "X of", hint=hint)

    def only_in_later_calls(words: list[str], block_size: int) -> Any:
        if len(words) == 1:
            return build_contexts(words, block_size)
        return with_one_list(words, block_size, reset)

    outcome(mlp.contexts(only_in_later_calls), "X of contexts(['ava', 'bo'], 2)", hint=hint)


def test_contexts_wrong_in_other_ways() -> None:
    outcome(
        mlp.contexts(lambda *args: build_contexts(*args)[0]),
        "contexts(['emma'], 3) should return X and Y, received Tensor.",
    )
    outcome(
        mlp.contexts(lambda words, _: build_contexts(words, 3)),
        "X of contexts(['ava', 'bo'], 2) should have shape (7, 2), received (7, 3)",
    )
    outcome(
        mlp.contexts(lambda words, k: build_contexts(sorted(set(words)), k)),
        "X of contexts(['mia', 'al', 'mia', 'j'], 4)",
    )
    outcome(mlp.contexts(lambda words: 1), "contexts(['emma'], 3) raised TypeError")

    def sorts(words: list[str], block_size: int) -> Any:
        words.sort()
        return build_contexts(words, block_size)

    outcome(
        mlp.contexts(sorts),
        "contexts(['mia', 'al', 'mia', 'j'], 4) changed words, which it was given.",
        hint="Methods such as sort, shuffle and append change the list itself. Work on a copy.",
    )


@pytest.mark.parametrize("order", [sorted, lambda words: words[::-1]])
def test_contexts_in_another_order(order: Answer) -> None:
    outcome(
        mlp.contexts(lambda words, k: build_contexts(order(words), k)),
        "X of contexts(",
        hint="Go through the words in the order of the list.",
    )


@pytest.mark.parametrize("most", [9, 11, 14])
def test_contexts_of_the_start_of_a_word(most: int) -> None:
    outcome(
        mlp.contexts(lambda words, k: build_contexts([word[:most] for word in words], k)),
        "X of contexts(['jo', 'muhammadibrahim'], 6) should have shape (19, 6)",
    )


def test_contexts_that_hold_no_numbers() -> None:
    outcome(
        mlp.contexts(lambda words, k: ([[0], [0, 1]], [1, 2])),
        "X of contexts(['emma'], 3) should hold real numbers, in rows of equal length, "
        "received [[0], [0, 1]].",
    )
    outcome(
        mlp.contexts(lambda words, k: (build_contexts(words, k)[0], list("emma."))),
        "Y of contexts(['emma'], 3) should hold real numbers",
    )
    outcome(
        mlp.contexts(lambda words, k: (build_contexts(words, k)[0] + 0j, [])),
        "X of contexts(['emma'], 3) should hold real numbers",
    )


def test_contexts_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SECONDS", 0.2)

    def without_end(words: list[str], block_size: int) -> Any:
        while True:
            words = [*words[-1:], "a"]

    outcome(mlp.contexts(without_end), "was stopped", hint="Does every loop come to an end?")


# -- exercise 2: embeddings ----------------------------------------------------------------


def encoded(X: torch.Tensor) -> torch.Tensor:
    return F.one_hot(X, 27).float()


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda C, X: F.one_hot(X, 27),
            ["shape (2, 3, 2), received (2, 3, 27)"],
            "That is the encoding. Multiply it by C.",
        ),
        (
            lambda C, X: (encoded(X) @ C).reshape(len(X), -1),
            ["shape (2, 3, 2), received (2, 6)"],
            "Keep the three dimensions: example, position, number.",
        ),
        (
            lambda C, X: encoded(X).sum(1) @ C,
            ["shape (2, 3, 2), received (2, 2)"],
            "The vectors of a context were added up. Keep them apart.",
        ),
        (lambda C, X: 2 * encoded(X) @ C, ["entry (0, 0, 0) should be", "(12 of 12 differ)"], ""),
        (lambda C, X: encoded(X % 26) @ C, ["26", "(5 of 60 differ)"], ""),
        (lambda C, X: (encoded(X) @ C)[:2], ["shape (4, 3, 5), received (2, 3, 5)"], ""),
        (lambda C, X: F.one_hot(X, 27) @ C, ["raised RuntimeError", "dtype"], ""),
        (lambda C, X: F.one_hot(X).float() @ C, ["raised RuntimeError"], ""),
        (
            lambda C, X: encoded(X) @ C.zero_(),
            ["changed C"],
            "+=, an index on the left of =, and methods that end in _ change the tensor itself.",
        ),
    ],
)
def test_embed_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(mlp.embed(answer), *words, hint=hint)


def one_by_one(C: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    rows = list(C)
    return torch.stack([torch.stack([rows[i] for i in context]) for context in X.tolist()])


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (lambda C, X: C[X], "Indexing"),
        (lambda C, X: C[X.flatten()].view(*X.shape, -1), "Indexing"),
        (lambda C, X: (C.double() * 1)[X], "Indexing"),
        (lambda C, X: C.T.clone()[:, X].permute(1, 2, 0), "Indexing"),
        (lambda C, X: torch.stack([C[X[:, i]] for i in range(3)], 1), "Indexing"),
        (lambda C, X: C.clone().detach()[X], "Indexing"),
        (lambda C, X: torch.cat([C, C])[X], "Indexing"),
        (
            lambda C, X: sum((k == X)[..., None] * row for k, row in enumerate(C)),
            "Going through a tensor row by row",
        ),
        (one_by_one, "Going through a tensor row by row"),
        (lambda C, X: F.embedding(X, C), "embedding"),
        (lambda C, X: mlp_embed(C, X), "embedding"),
        (lambda C, X: torch.nn.Embedding.from_pretrained(C)(X), "embedding"),
        (lambda C, X: F.embedding_bag(X.view(-1, 1), C).view(*X.shape, -1), "embedding_bag"),
        (lambda C, X: C.index_select(0, X.flatten()).view(*X.shape, -1), "index_select"),
        (lambda C, X: torch.index_select(C, dim=0, index=X.flatten()), "index_select"),
        (lambda C, X: torch.gather(C.expand(len(X), 27, -1), 1, wide(C, X)), "gather"),
        (lambda C, X: C.take_along_dim(X.view(-1, 1), 0).view(*X.shape, -1), "take_along_dim"),
        (lambda C, X: C.take(X[..., None] * C.shape[1] + torch.arange(C.shape[1])), "take"),
        (lambda C, X: torch.stack(C.unbind())[X], "row by row"),
        (lambda C, X: C.expand(*X.shape, 27, -1).masked_select(picked(X)), "masked_select"),
        (lambda C, X: (torch.eye(27) @ C)[X], "Indexing"),
        (lambda C, X: (F.one_hot(torch.arange(27), 27).float() @ C)[X], "Indexing"),
        (lambda C, X: F.embedding(X, torch.eye(27) @ C), "embedding"),
        (lambda C, X: (C + torch.zeros(27, 1))[X], "Indexing"),
        (lambda C, X: torch.nn.Parameter(C)[X], "Indexing"),
        (lambda C, X: torch.stack([c[X] for c in C.T], -1), "Indexing"),
        (lambda C, X: picks(torch.vsplit(C, 27), X), "vsplit"),
        (lambda C, X: picks(torch.unsafe_chunk(C, 27), X), "unsafe_chunk"),
        (lambda C, X: picks(C.split_with_sizes([1] * 27), X), "split_with_sizes"),
        (lambda C, X: picks(C.split(1), X), "split"),
        (
            lambda C, X: C.repeat_interleave(X.flatten().bincount(minlength=27), 0),
            "repeat_interleave",
        ),
        (lambda C, X: C.as_strided((1, C.shape[1]), (C.shape[1], 1)), "as_strided"),
        (lambda C, X: torch.ops.aten.index(C, [X]), "index"),
        (lambda C, X: torch.ops.aten.index.Tensor(C, [X]), "index"),
        # Where the table can't be followed, a product with infinity is told from an index.
        (lambda C, X: C.numpy()[X.numpy()], ""),
        (lambda C, X: np.asarray(C)[X], ""),
        (lambda C, X: np.take(C.detach().numpy(), X.numpy(), axis=0), ""),
        (lambda C, X: [[C.tolist()[i] for i in row] for row in X.tolist()], ""),
        (lambda C, X: torch.from_numpy(C.numpy())[X], ""),
        (lambda C, X: torch.tensor(C.tolist())[X], ""),
    ],
)
def test_embed_by_index(answer: Answer, what: str) -> None:
    message = f"{what} takes rows out of C." if what else "takes rows out of C."
    hint = "The rule: no indexing of C. Multiply the one-hot encoding by C."
    outcome(mlp.embed(answer), message, hint=hint)


@pytest.mark.parametrize(
    "answer",
    [
        lambda C, X: torch.eye(27).to(C)[X] @ C,
        lambda C, X: torch.eye(27).type_as(C)[X] @ C,
        lambda C, X: torch.stack([(encoded(X) @ C)[i] for i in range(len(X))]),
        lambda C, X: encoded(X).to_sparse().to_dense() @ C.to_sparse().to_dense(),
    ],
)
def test_embed_may_index_what_is_no_table(answer: Answer) -> None:
    assert mlp.embed(answer)


@pytest.mark.parametrize(
    "answer",
    [lambda C, X: encoded(X) @ C[:], lambda C, X: (encoded(X)[..., None] * C[None]).sum(2)],
)
def test_embed_with_brackets_that_take_no_rows(answer: Answer) -> None:
    hint = "The rule: no indexing of C. Multiply the one-hot encoding by C."
    outcome(mlp.embed(answer), "Brackets on C are ruled out.", hint=hint)


def picks(rows: Sequence[torch.Tensor], X: torch.Tensor) -> torch.Tensor:
    return torch.stack([torch.cat([rows[i] for i in context]) for context in X.tolist()])


def wide(C: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    return X[..., None].expand(-1, -1, C.shape[1])


def picked(X: torch.Tensor) -> torch.Tensor:
    return F.one_hot(X, 27).bool()[..., None]
