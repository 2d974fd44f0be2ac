"""The check of chapter 7's additions: known mistakes."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from check_answers import outcome

from zerotohero.check.gpt import addition
from zerotohero.gpt import Vocabulary

T = torch.Tensor
Answer = Callable[[T, T], Any]
SIGNS = Vocabulary("0123456789+=")


def encoded(a: T, b: T, written: Callable[[int], str] = lambda s: f"{s:03d}"[::-1]) -> T:
    """Return the ids of all nine characters."""
    pairs = zip(a.tolist(), b.tolist(), strict=True)
    return torch.stack([SIGNS.encode(f"{x:02d}+{y:02d}={written(x + y)}") for x, y in pairs])


def cut(ids: T, first: int = 5, ignored: int = -100) -> tuple[T, T]:
    """Cut ids into inputs and targets; only those from ``first`` on count."""
    targets = ids[:, 1:].clone()
    targets[:, :first] = ignored
    return ids[:, :-1], targets


# -- wrong answers -------------------------------------------------------------------------

FIRST = "addition([17, 5, 99, 60], [25, 3, 99, 8])"
TURN = "Write the sum backwards, with the ones first."
FILL = "First three digits, then backwards: 42, 042, 240."
CLONE = "idx keeps the question. targets = ids[:, 1:] is a view of the same ids: clone it."
SHIFT = "A target is the next character: shift by one."
IGNORED = "Targets that should be ignored are −100."
CHANGED = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
OWN = 'A digit is not its own id. "+" comes first in the vocabulary, so "0" has the id 1.'


def through_a_view(last: int) -> Answer:
    def answer(a: T, b: T) -> tuple[T, T]:
        ids = encoded(a, b)
        targets = ids[:, 1:]
        targets[:, :last] = -100
        return ids[:, :-1], targets

    return answer


def masked_before_it_is_cut(a: T, b: T) -> tuple[T, T]:
    ids = encoded(a, b)
    ids[:, :6] = -100
    return ids[:, :-1], ids[:, 1:]


def in_the_order_of_the_text(a: T, b: T) -> tuple[T, T]:
    order = torch.tensor(["0123456789+=".index(sign) for sign in SIGNS.characters])
    return cut(order[encoded(a, b)])


def with_plus_as(plus: int) -> Answer:
    """Read digits as numbers, and write another id for + and =."""

    def answer(a: T, b: T) -> tuple[T, T]:
        ids = encoded(a, b) - 1
        ids[:, 2], ids[:, 5] = plus, 11
        return cut(ids)

    return answer


def spoils(position: int) -> Answer:
    def answer(a: T, b: T) -> tuple[T, T]:
        result = cut(encoded(a, b))
        (a, b)[position].zero_()
        return result

    return answer


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (lambda a, b: cut(encoded(a, b, lambda s: f"{s:03d}")), "idx of", TURN),
        (lambda a, b: cut(encoded(a, b, lambda s: f"{str(s)[::-1]:0>3}")), "idx of", FILL),
        (through_a_view(5), f"idx of {FIRST}: entry (0, 1)", CLONE),
        (through_a_view(4), "(16 of 32 differ)", CLONE),
        (through_a_view(6), "(24 of 32 differ)", CLONE),
        (masked_before_it_is_cut, "entry (0, 0) should be 2, received -100", CLONE),
        (in_the_order_of_the_text, "entry (0, 0) should be 2, received 1", OWN),
        (with_plus_as(10), "entry (0, 0) should be 2, received 1", OWN),
        (with_plus_as(0), "entry (0, 0) should be 2, received 1", OWN),
        (
            lambda a, b: cut(encoded(a, b))[::-1],
            f"idx of {FIRST}: entry (0, 0) should be 2, received -100",
            "idx comes first, then targets.",
        ),
        (
            lambda a, b: (encoded(a, b), cut(encoded(a, b))[1]),
            f"idx of {FIRST} should have shape (4, 8), received (4, 9)",
            "The last character is a target only. idx ends before it.",
        ),
        (lambda a, b: cut(encoded(b, a)), "(0, 0) should be 2, received 3", ""),
        (lambda a, b: cut(encoded(a, a)), "idx of", ""),
        (lambda a, b: cut(encoded(a, b))[0], "return idx and targets, received tensor(", ""),
        (lambda a, b: (*cut(encoded(a, b)), 1), "should return idx and targets, received (", ""),
        (lambda a, b: torch.stack(cut(encoded(a, b)))[:, 0], "and targets, received tensor", ""),
        (lambda a, b: torch.stack(cut(encoded(a, b)), 1), "and targets, received tensor", ""),
        (spoils(0), "changed a, which it was given.", CHANGED),
        (spoils(1), "changed b, which it was given.", CHANGED),
        (lambda a, b: cut(encoded(a, b).T), "should have shape (4, 8), received (9, 3)", ""),
        (lambda a, b: cut(encoded(a, b)[:, None]), "received (4, 0, 9)", ""),
        (lambda a, b: cut(encoded(a, b, str)), "raised RuntimeError", ""),  # of two and three
        (lambda a, b: SIGNS.encode(f"{a}+{b}"), "raised ValueError", ""),
    ],
)
def test_addition_wrong(answer: Answer, words: str, hint: str) -> None:
    outcome(addition(answer), FIRST, words, hint=hint)


@pytest.mark.parametrize(
    ("targets", "words", "hint"),
    [
        (
            lambda ids: cut(ids, 0)[1],
            "entry (0, 0) should be -100, received 8 (20 of 32 differ)",
            "The question should not count: −100 for its targets.",
        ),
        (
            lambda ids: cut(ids, 4)[1],
            "entry (0, 4) should be -100, received 11 (4 of 32 differ)",
            "The sign = belongs to the question: mask it, too.",
        ),
        (
            lambda ids: cut(ids, 6)[1],
            "entry (0, 5) should be 3, received -100 (4 of 32 differ)",
            "One too many is masked: the first digit of the sum counts.",
        ),
        (lambda ids: ids[:, :-1], "(0, 0)", SHIFT),
        (lambda ids: cut(ids[:, :-1])[1], "should have shape (4, 8), received (4, 7)", ""),
        (lambda ids: ids[:, :-1].index_fill(1, torch.arange(5), -100), "(0, 5)", SHIFT),
        (lambda ids: ids[:, :-1].index_fill(1, torch.arange(6), -100), "(0, 5)", SHIFT),
        (lambda ids: cut(ids, 5, -1)[1], "should be -100, received -1 (20", IGNORED),
        (lambda ids: cut(ids, 5, 0)[1], "should be -100, received 0 (20", IGNORED),
        (lambda ids: cut(ids, 5, 100)[1], "should be -100, received 100 (20", IGNORED),
        (lambda ids: cut(ids, 5, 7)[1], "should be -100, received 7 (20", ""),
        (lambda ids: cut(ids, 8)[1], "(12 of 32 differ)", ""),
        (lambda ids: ids[:, 6:], "should have shape (4, 8), received (4, 3)", ""),
        (lambda ids: cut(ids)[1].flatten(), "should have shape (4, 8), received (32,)", ""),
        (lambda ids: cut(ids)[1] * math.nan, "received nan", ""),
        (lambda ids: cut(ids)[1] + 0j, "are integers, received torch.complex64.", ""),
        (lambda ids: cut(ids)[1].byte(), "should be -100, received 156", ""),
        (lambda ids: SIGNS.decode(ids[0, 1:]), "should be a tensor, received '7+25=240'", ""),
        (lambda ids: None, "should be a tensor, received None", ""),
        (lambda ids: torch.where(cut(ids)[1] < 0, -100, ids[:, 1:] - 1), "(0, 5)", OWN),
        (
            lambda ids: cut(ids)[1].float(),
            "hold ids, which are integers, received torch.float32.",
            "",
        ),
    ],
)
def test_addition_with_wrong_targets(targets: Callable[[T], Any], words: str, hint: str) -> None:
    def answer(a: T, b: T) -> tuple[T, Any]:
        return encoded(a, b)[:, :-1], targets(encoded(a, b))

    where = f"targets of {FIRST}"
    outcome(addition(answer), where, words, hint=hint)


def test_addition_with_another_sum_in_the_targets() -> None:
    def with_targets(written: Callable[[int], str]) -> Answer:
        return lambda a, b: (encoded(a, b)[:, :-1], cut(encoded(a, b, written))[1])

    where = f"targets of {FIRST}: entry (0, 5) should be 3, received 1"
    outcome(addition(with_targets(lambda s: f"{s:03d}")), where, hint=TURN)
    outcome(addition(with_targets(lambda s: str(s)[::-1].zfill(3))), where, hint=FILL)
    forgot = addition(with_targets(lambda s: f"{s // 10 * 10:03d}"[::-1]))
    outcome(forgot, "targets of addition([17", "(0, 5) should be 3, received 1 (4 of 32 differ)")


def test_addition_with_ids_that_are_no_whole_numbers() -> None:
    wrong = addition(lambda a, b: tuple(part.double() for part in cut(encoded(a, b))))
    outcome(
        wrong, "idx of addition([17", "should hold ids, which are integers, received torch.float64."
    )


def test_addition_right_for_some_problems_only() -> None:
    def for_four(a: T, b: T) -> tuple[T, T]:
        return cut(torch.stack([encoded(a, b)[i] for i in range(4)]))

    def without_the_hundreds(a: T, b: T) -> tuple[T, T]:
        return cut(encoded(a, b, lambda s: f"{s if s == 198 else s % 100:03d}"[::-1]))

    where = "addition([0, 80], [1, 46])"
    outcome(addition(for_four), where + " raised IndexError")
    outcome(addition(without_the_hundreds), f"targets of {where}: entry (1, 7)", "(1 of 16")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a, b: cut(encoded(a[:4], b[:4])), "addition(a, b) for 3,000 problems"),
        (lambda a, b: cut(encoded(a[:50], b[:50])), "addition(a, b) for 3,000 problems"),
        (
            lambda a, b: tuple(part.squeeze(0) for part in cut(encoded(a, b))),
            "addition([42], [0]) should have shape (1, 8), received (8,)",
        ),
        (
            lambda a, b: cut(
                encoded(*torch.tensor([*dict(zip(a.tolist(), b.tolist())).items()]).T)
            ),
            "addition([7, 7, 7], [8, 93, 8]) should have shape (3, 8), received (1, 8)",
        ),
    ],
)
def test_addition_of_few_and_many_problems(answer: Answer, words: str) -> None:
    outcome(addition(answer), words)


def test_addition_from_memory() -> None:
    kept: dict[int, tuple[T, T]] = {}
    remembers = addition(lambda a, b: kept.setdefault(len(a), cut(encoded(a, b))))
    outcome(remembers, "addition([42], [71]): entry")
