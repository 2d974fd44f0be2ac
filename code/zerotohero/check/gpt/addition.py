"""The check of chapter 7's additions as text, with what known mistakes give."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any

import torch

from ...gpt import Vocabulary
from ..running import run
from ..tensors import as_tensor, expect_tensor
from ..verdict import checker, fail
from .attention import Mistakes

SIGNS = "0123456789+="
VOCABULARY = Vocabulary(SIGNS)
IGNORED = -100
PROBLEMS = (
    ([17, 5, 99, 60], [25, 3, 99, 8]),  # sums of two, one, three and two digits
    ([0, 80], [1, 46]),
    ([50, 0, 9], [50, 0, 91]),
    ([42], [0]),
    ([42], [71]),
    ([7, 7, 7], [8, 93, 8]),  # the second has as many problems as one before
)
MANY = 3000


@checker
def addition(answer: Any) -> str:
    """Check a function ``(a, b)`` that returns inputs and masked targets of additions."""
    for a, b in PROBLEMS:
        shown = f"addition({a}, {b})"
        _run(answer, a, b, shown)
    g = torch.Generator().manual_seed(0)
    a, b = (torch.randint(100, (MANY,), generator=g).tolist() for _ in range(2))
    _run(answer, a, b, f"addition(a, b) for {MANY:,} problems")
    return "The loss will count the digits of the sum, and nothing else."


def _run(answer: Any, a: list[int], b: list[int], shown: str) -> None:
    received = run(answer, torch.tensor(a), torch.tensor(b), shown=shown)
    idx, targets = _pair(received, shown)
    _check(idx, targets, list(zip(a, b, strict=True)), shown)


def _pair(received: Any, shown: str) -> list[torch.Tensor]:
    """Return the two tensors in what an answer returned: a pair, or both in one tensor."""
    stacked = getattr(received, "ndim", None) == 3
    if not (isinstance(received, (tuple, list)) or stacked) or len(received) != 2:
        fail(f"{shown} should return idx and targets, received {reprlib.repr(received)}.")
    names = ("idx", "targets")
    parts = zip(received, names, strict=True)
    return [as_tensor(part, f"{name} of {shown}") for part, name in parts]


def _check(
    idx: torch.Tensor, targets: torch.Tensor, pairs: list[tuple[int, int]], shown: str
) -> None:
    expected = _cut(_problems(pairs, _backwards))
    of_idx, of_targets = _mistakes(pairs)
    # The ids of digits in what was received are the digits themselves, whatever the rest is.
    own = 'A digit is not its own id. "+" comes first in the vocabulary, so "0" has the id 1.'
    own_idx = _digits_instead(idx, expected[0])
    own_targets = _digits_instead(targets, expected[1])
    shown_idx, shown_targets = f"idx of {shown}", f"targets of {shown}"
    for part, right, name, mistakes in (
        (idx, expected[0], shown_idx, [(own_idx, own), *of_idx]),
        (targets, expected[1], shown_targets, [(own_targets, own), *of_targets]),
    ):
        if not part.is_complex():
            expect_tensor(part, right, name, mistakes)
        if part.is_floating_point() or part.is_complex():
            fail(f"{name} should hold ids, which are integers, received {part.dtype}.")


def _digits_instead(received: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    """Return what was received, but with the digits themselves where digits should be."""
    if received.shape != expected.shape or received.is_complex():
        return expected
    digit = (expected > 0) & (expected < 11)  # + is 0, = is 11
    return torch.where(digit, expected - 1, received.double())


# -- the texts and their ids -----------------------------------------------------------


def _backwards(total: int) -> str:
    return f"{total:03d}"[::-1]


def _problems(
    pairs: list[tuple[int, int]],
    written: Callable[[int], str],
    encode: Callable[[str], torch.Tensor] = VOCABULARY.encode,
) -> torch.Tensor:
    """Return the ids of all characters, (N, 9); ``written`` turns a sum into text."""
    return torch.stack([encode(f"{a:02d}+{b:02d}={written(a + b)}") for a, b in pairs])


def _cut(ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return ids[:, :-1], _masked(ids[:, 1:], 5)


def _masked(ids: torch.Tensor, stop: int, start: int = 0, value: int = IGNORED) -> torch.Tensor:
    masked = ids.clone()
    masked[:, start:stop] = value
    return masked


# -- mistakes --------------------------------------------------------------------------


def _mistakes(pairs: list[tuple[int, int]]) -> tuple[Mistakes, Mistakes]:
    """List what comes out with one mistake, and the hints: in idx, and in the targets."""
    ids = _problems(pairs, _backwards)
    forwards = _problems(pairs, lambda total: f"{total:03d}")
    filled_late = _problems(pairs, lambda total: str(total)[::-1].zfill(3))
    inputs, targets = _cut(ids)
    turn = "Write the sum backwards, with the ones first."
    fill = "First three digits, then backwards: 42, 042, 240."
    clone = "idx keeps the question. targets = ids[:, 1:] is a view of the same ids: clone it."
    shift = "A target is the next character: shift by one."
    ignored = "Targets that should be ignored are −100."
    of_idx = [
        (forwards[:, :-1], turn),
        (filled_late[:, :-1], fill),
        *((_masked(ids, stop, 1)[:, :-1], clone) for stop in (5, 6, 7)),
        (_masked(ids, 6)[:, :-1], clone),
        (targets, "idx comes first, then targets."),
        (ids, "The last character is a target only. idx ends before it."),
    ]
    of_targets = [
        (_masked(forwards[:, 1:], 5), turn),
        (_masked(filled_late[:, 1:], 5), fill),
        (ids[:, 1:], "The question should not count: −100 for its targets."),
        (_masked(ids[:, 1:], 4), "The sign = belongs to the question: mask it, too."),
        (_masked(ids[:, 1:], 6), "One too many is masked: the first digit of the sum counts."),
        *((_masked(inputs, stop), shift) for stop in (0, 5, 6)),
        *((_masked(ids[:, 1:], 5, value=value), ignored) for value in (-1, 0, 100)),
    ]
    return of_idx, of_targets
