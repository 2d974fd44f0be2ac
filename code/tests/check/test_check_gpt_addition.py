"""The check of chapter 7's additions: right answers of several kinds, and known mistakes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
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


# -- right answers -------------------------------------------------------------------------


def by_counting(a: T, b: T) -> list[T]:
    """Compute the ids, which are the digits and 2, without a text."""
    total, rows = a + b, torch.ones_like(a)
    digits = [a // 10, a % 10, -2 * rows, b // 10, b % 10, -rows]  # + is 0, = is 11, as a digit 9
    digits += [total % 10, total // 10 % 10, total // 100]
    ids = torch.stack(digits, dim=1) + SIGNS.encode("0")[0]
    ids[:, 2], ids[:, 5] = SIGNS.encode("+=")
    places = torch.arange(8)
    return [ids[:, :-1], torch.where(places < 5, -100, ids[:, 1:])]


def line_by_line(a: T, b: T) -> tuple[list[list[int]], list[list[int]]]:
    idx, targets = [], []
    for x, y in zip(a, b, strict=True):  # tensors without a dimension, which format as numbers
        text = f"{x:02d}+{y:02d}={x + y:03d}"
        ids = [sorted("0123456789+=").index(sign) for sign in text[:6] + text[:5:-1]]
        idx.append(ids[:8])
        targets.append([-100] * 5 + ids[6:])
    return idx, targets


def in_numpy(a: T, b: T) -> tuple[np.ndarray, np.ndarray]:
    idx, targets = cut(encoded(a, b))
    return idx.numpy(), targets.numpy()


def overwrites(a: T, b: T) -> tuple[T, T]:
    result = cut(encoded(a, b))
    a.zero_()
    b.zero_()
    return result


@pytest.mark.parametrize(
    "answer", [lambda a, b: cut(encoded(a, b)), by_counting, line_by_line, in_numpy, overwrites]
)
def test_addition_right(answer: Answer) -> None:
    verdict = addition(answer)
    assert verdict, verdict.message
    assert "count the digits of the sum" in verdict.message


# -- wrong answers -------------------------------------------------------------------------

TURN = "Write the sum backwards, with the ones first."
FILL = "First three digits, then backwards: 42, 042, 240."
CLONE = "idx keeps the question. targets = ids[:, 1:] is a view of the same ids: clone it."
SHIFT = "A target is the next character: shift by one."
IGNORED = "The number for targets that do not count is −100."


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


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (lambda a, b: cut(encoded(a, b, lambda s: f"{s:03d}")), "idx of", TURN),
        (lambda a, b: cut(encoded(a, b, lambda s: f"{str(s)[::-1]:0>3}")), "idx of", FILL),
        (through_a_view(5), "idx of addition([17, 5, 99], [25, 3, 99]): entry (0, 1)", CLONE),
        (through_a_view(4), "(12 of 24 differ)", CLONE),
        (through_a_view(6), "(18 of 24 differ)", CLONE),
        (masked_before_it_is_cut, "entry (0, 0) should be 2, received -100", CLONE),
        (
            in_the_order_of_the_text,
            "entry (0, 0) should be 2, received 1",
            "Encode with Vocabulary, which sorts its characters.",
        ),
        (
            lambda a, b: cut(encoded(a, b))[::-1],
            "idx of addition([17, 5, 99], [25, 3, 99]): entry (0, 0) should be 2, received -100",
            "idx comes first, then targets.",
        ),
        (
            lambda a, b: (encoded(a, b), cut(encoded(a, b))[1]),
            "idx of addition([17, 5, 99], [25, 3, 99]) should have shape (3, 8), received (3, 9)",
            "The last character is a target only. idx ends before it.",
        ),
        (lambda a, b: cut(encoded(b, a)), "(0, 0) should be 2, received 3", ""),
        (lambda a, b: cut(encoded(a, a)), "idx of", ""),
        (lambda a, b: cut(encoded(a, b))[0], "return idx and targets, received tensor(", ""),
        (lambda a, b: (*cut(encoded(a, b)), 1), "should return idx and targets, received (", ""),
        (lambda a, b: torch.stack(cut(encoded(a, b))), "idx and targets, received tensor", ""),
        (lambda a, b: cut(encoded(a, b).T), "should have shape (3, 8), received (9, 2)", ""),
        (lambda a, b: cut(encoded(a, b)[:, None]), "received (3, 0, 9)", ""),
        (lambda a, b: cut(encoded(a, b, str)), "raised RuntimeError", ""),  # of two and three
        (lambda a, b: SIGNS.encode(f"{a}+{b}"), "raised ValueError", ""),
    ],
)
def test_addition_wrong(answer: Answer, words: str, hint: str) -> None:
    outcome(addition(answer), "addition([17, 5, 99], [25, 3, 99])", words, hint=hint)


@pytest.mark.parametrize(
    ("targets", "words", "hint"),
    [
        (
            lambda ids: cut(ids, 0)[1],
            "entry (0, 0) should be -100, received 8 (15 of 24 differ)",
            "The question should not count: −100 for its targets.",
        ),
        (
            lambda ids: cut(ids, 4)[1],
            "entry (0, 4) should be -100, received 11 (3 of 24 differ)",
            "The sign = belongs to the question: mask it, too.",
        ),
        (
            lambda ids: cut(ids, 6)[1],
            "entry (0, 5) should be 3, received -100 (3 of 24 differ)",
            "One too many is masked: the first digit of the sum counts.",
        ),
        (lambda ids: ids[:, :-1], "(0, 0)", SHIFT),
        (lambda ids: cut(ids[:, :-1])[1], "should have shape (3, 8), received (3, 7)", ""),
        (lambda ids: ids[:, :-1].index_fill(1, torch.arange(5), -100), "(0, 5)", SHIFT),
        (lambda ids: ids[:, :-1].index_fill(1, torch.arange(6), -100), "(0, 5)", SHIFT),
        (lambda ids: cut(ids, 5, -1)[1], "should be -100, received -1 (15", IGNORED),
        (lambda ids: cut(ids, 5, 0)[1], "should be -100, received 0 (15", IGNORED),
        (lambda ids: cut(ids, 5, 100)[1], "should be -100, received 100 (15", IGNORED),
        (lambda ids: cut(ids, 5, 7)[1], "should be -100, received 7 (15", ""),
        (lambda ids: cut(ids, 8)[1], "(9 of 24 differ)", ""),
        (lambda ids: ids[:, 6:], "should have shape (3, 8), received (3, 3)", ""),
        (lambda ids: cut(ids)[1].flatten(), "should have shape (3, 8), received (24,)", ""),
        (lambda ids: cut(ids)[1] * math.nan, "received nan", ""),
        (lambda ids: cut(ids)[1] + 0j, "should return real numbers", ""),
        (lambda ids: cut(ids)[1].byte(), "should be -100, received 156", ""),
        (lambda ids: SIGNS.decode(ids[0, 1:]), "return a tensor, received '7+25=240'", ""),
        (lambda ids: None, "should return a tensor, received None", ""),
        (lambda ids: cut(ids)[1].float(), "be of torch.int64, received torch.float32.", ""),
        (lambda ids: cut(ids)[1].int(), "should be of torch.int64, received torch.int32.", ""),
    ],
)
def test_addition_with_wrong_targets(targets: Callable[[T], Any], words: str, hint: str) -> None:
    def answer(a: T, b: T) -> tuple[T, Any]:
        return encoded(a, b)[:, :-1], targets(encoded(a, b))

    where = "targets of addition([17, 5, 99], [25, 3, 99])"
    outcome(addition(answer), where, words, hint=hint)


def test_addition_with_another_sum_in_the_targets() -> None:
    def with_targets(written: Callable[[int], str]) -> Answer:
        return lambda a, b: (encoded(a, b)[:, :-1], cut(encoded(a, b, written))[1])

    where = "targets of addition([17, 5, 99], [25, 3, 99]): entry (0, 5) should be 3, received 1"
    outcome(addition(with_targets(lambda s: f"{s:03d}")), where, hint=TURN)
    outcome(addition(with_targets(lambda s: str(s)[::-1].zfill(3))), where, hint=FILL)
    forgot = addition(with_targets(lambda s: f"{s // 10 * 10:03d}"[::-1]))
    outcome(forgot, "targets of addition([17", "(0, 5) should be 3, received 1 (3 of 24 differ)")


def test_addition_with_ids_that_are_no_whole_numbers() -> None:
    wrong = addition(lambda a, b: tuple(part.double() for part in cut(encoded(a, b))))
    outcome(wrong, "idx of addition([17", "should be of torch.int64, received torch.float64.")


def test_addition_right_for_some_problems_only() -> None:
    def for_three(a: T, b: T) -> tuple[T, T]:
        return cut(torch.stack([encoded(a, b)[i] for i in range(3)]))

    def without_the_hundreds(a: T, b: T) -> tuple[T, T]:
        return cut(encoded(a, b, lambda s: f"{s if s == 198 else s % 100:03d}"[::-1]))

    where = "addition([0, 80], [1, 46])"
    outcome(addition(for_three), where + " raised IndexError")
    outcome(addition(without_the_hundreds), f"targets of {where}: entry (1, 7)", "(1 of 16")
