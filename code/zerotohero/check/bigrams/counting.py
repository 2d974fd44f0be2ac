"""Checks of the exercises that count: probabilities from counts, and trigrams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from ...bigrams import CHARACTERS, V
from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker


@checker
def normalize_rows(answer: Any) -> str:
    """Check a function ``(counts)`` that turns each row into probabilities."""
    for shown, counts in _tables():
        call = f"normalize_rows({shown})"
        received = run(answer, counts, shown=call)
        x = counts.double()
        misconceptions = [
            (x / x.sum(0, keepdim=True), "These are columns that sum to 1. Sum along dim 1."),
            (x / x.sum(), "The whole table sums to 1. Each row should, by itself."),
            (x.softmax(1), "Softmax exponentiates. Counts only have to be divided."),
            (
                (x + 1) / (x + 1).sum(1, keepdim=True),
                "That is smoothed. Here nothing is added to the counts.",
            ),
            (
                x / x.amax(1, keepdim=True),
                "Each row was divided by its largest count. Divide it by its sum.",
            ),
        ]
        if len(x) == x.shape[1]:  # as in the first table; in others, that division raises an error
            misconceptions.insert(0, (x / x.sum(1), KEEPDIM))
        if "[[" in shown:  # in others, zeros may come from sums that overflow
            misconceptions.append((x // x.sum(1, keepdim=True), ROUNDED))
        right = x / x.sum(1, keepdim=True)
        expect_tensor(received, right, call, misconceptions)
    return "Every row sums to 1, and the counts are left as they were."


KEEPDIM = "With keepdim=True the sums stay a column, so that each row is divided by its own sum."

ROUNDED = "Use / for the division, not //, and a tensor of floats for what it gives."


def _tables() -> list[tuple[str, torch.Tensor]]:
    """Return tables of counts of many shapes, no row without a count, and how to show them."""
    small = torch.tensor([[1.0, 3.0], [6.0, 2.0]])
    tables = [("[[1, 3], [6, 2]]", small), ("the integers [[1, 3], [6, 2]]", small.long())]
    generator = torch.Generator().manual_seed(1)
    for dtype, kind, rows, columns, most in [
        (torch.float32, "floats", 2, 3, 50),
        (torch.int32, "integers", 5, 4, 50),
        (torch.float64, "floats", 1, 6, 50),
        (torch.int64, "integers", 4, 1, 50),
        (torch.float32, "floats", V, V, 50),
        # Counts above 2 ** 15, sums above 2 ** 16, and a shape that came before.
        (torch.int64, "integers", V, V, 40_000),
        (torch.int64, "integers", 30, 2, 50),
        (torch.int32, "integers", 5, 4, 50),
    ]:
        table = torch.randint(0, most, (rows, columns), generator=generator)
        table[:, 0] += 1
        large = " up to 40,000" if most > 50 else ""
        tables.append((f"a {rows} × {columns} tensor of {kind}{large}", table.to(dtype)))
    return tables


# -- trigrams --------------------------------------------------------------------------

# Letters that repeat within a word and between words, one letter alone, a word that comes twice.
NAMES = ["emma", "ava", "mia", "amelia", "xanana", "o", "zazza", "ava", "lazar"]
# Equal letters and equal words side by side.
TWINS = ["aaa", "llama", "llama", "lee", "ooooo"]
MANY = 2100  # more than a uint8 or a float16 can count; more would be slow
TOO_SMALL = "The dtype is too small for such a count. Use integers of 64 bits, for example."
OUT_OF_ORDER = [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1)]
ALL = "abcdefghijklmnopqrstuvwxyz"


@checker
def trigram_counts(answer: Any) -> str:
    """Check a function ``(words)`` that returns the trigram counts, shape (27, 27, 27)."""
    for words in (["ab"], NAMES, ["quincy", "bjorn"], [ALL, ALL[::-1], "wyatt"], TWINS):
        shown = f"trigram_counts({words})"
        received = run(answer, list(words), shown=shown)
        expect_tensor(received, _table(_dotted(words)), shown, _misconceptions(words))
    many = ["o"] * MANY
    shown = f"trigram_counts(['o'] * {MANY})"
    right = _table(_dotted(many[:1])) * MANY
    rounded = [right.byte(), right.clamp(max=256), right.clamp(max=2048)]
    misconceptions = [(wrong, TOO_SMALL) for wrong in rounded]  # the last: 16-bit floats
    expect_tensor(run(answer, many, shown=shown), right, shown, misconceptions)
    return "Every trigram is counted, from the two dots before a word to the one after it."


def _dotted(words: Iterable[str], start: str = "..", end: str = ".") -> list[str]:
    return [start + word + end for word in words]


def _table(
    texts: Iterable[str], place: Callable[[str], int] = CHARACTERS.index, size: int = V
) -> torch.Tensor:
    """Count the trigrams of some texts."""
    table = torch.zeros(size, size, size, dtype=torch.int64)
    for text in texts:
        for triple in zip(text, text[1:], text[2:]):
            table[tuple(map(place, triple))] += 1
    return table


def _misconceptions(words: list[str]) -> list[tuple[torch.Tensor, str]]:
    right = _table(_dotted(words))
    once_a_word = sum((_table([text]).clamp(max=1) for text in _dotted(words)), right * 0)
    letters = "".join(sorted({".", *"".join(words)}))
    dot_last = CHARACTERS[1:] + CHARACTERS[0]
    first = (
        "The first trigram, the one that begins with two dots, is missing: put two dots before "
        "the word, and count from the first of them."
    )
    last = (
        "The last trigram, the one that ends with the dot, is missing: put one dot after the "
        "word, and count up to it."
    )
    out_of_order = "The indices are out of order: first, second, then third character."
    counted_once = (
        "A trigram that comes again has to count again. If the indices are tensors, "
        "T[i, j, k] += 1 adds only 1 to each cell: use torch.bincount, or index_put_ with "
        "accumulate=True."
    )
    found = [
        (_table(_dotted(words, ".", ".")), first),
        (
            _table(_dotted(words, ".", "")),
            "The first and the last trigram are missing: put two dots before the word and one "
            "after it, and count them all.",
        ),
        (_table(_dotted(words, "..", "..")), "One dot at the end is enough: the word ends once."),
        (_table(_dotted(words, "..", "")), last),
        (_table(words), "The start and the end of a word are marked with dots."),
        (
            _table([".." + "..".join(words) + "."]),
            "These trigrams run from one word into the next. Go word by word.",
        ),
        (
            _table(_dotted(dict.fromkeys(words))),
            "A word that comes twice counts twice.",
        ),
        (right.permute(2, 1, 0), "The indices are reversed: first character first."),
        *[(right.permute(order), out_of_order) for order in OUT_OF_ORDER],
        (right.clamp(max=1), counted_once),
        (once_a_word, counted_once),
        *[
            (
                _table(_dotted(words), place),
                "The dot has index 0, and the letters a to z have 1 to 26.",
            )
            for place in (dot_last.index, lambda c: max(0, ord(c) - ord("a")))
        ],
        *[
            (
                _table(_dotted(words), letters.index, size),
                "The indices are those of the whole alphabet, also where words lack a letter.",
            )
            for size in (V, len(letters))
        ],
    ]
    nothing = "Nothing is counted. With the dots around it, a short word has trigrams, too."
    return [(right * 0, nothing), *((table, hint) for table, hint in found if table.any())]
