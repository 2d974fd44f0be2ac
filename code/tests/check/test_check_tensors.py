"""Comparing what an answer returned with a tensor."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from zerotohero.check.tensors import expect_tensor
from zerotohero.check.verdict import Verdict, checker

TABLE = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
HINTS = [(TABLE.T, "turned"), (TABLE[0], "one row"), (-TABLE.T, "turned and negative")]


def compare(received: Any, expected: torch.Tensor = TABLE, **options: Any) -> Verdict:
    @checker
    def check(answer: Any) -> str:
        expect_tensor(answer, expected, "f(x)", **options)
        return "Equal."

    return check(received)


@pytest.mark.parametrize(
    "received",
    [
        TABLE,
        TABLE.double(),
        TABLE.long(),
        TABLE.half(),
        TABLE.clone().requires_grad_() * 1,
        TABLE.T.contiguous().T,
        TABLE.numpy(),
        TABLE.numpy().astype(np.int8),
        TABLE.numpy().astype(np.longdouble),
        TABLE.flip(0).numpy()[::-1],
        [[1, 2], [3, 4]],
        ((1.0, 2.0), [np.float64(3), torch.tensor(4)]),
        TABLE + 9e-6,
    ],
)
def test_right_in_every_form(received: Any) -> None:
    assert compare(received) == Verdict("right", "Equal.")


def test_right_numbers_and_right_nothing() -> None:
    for number in (2.5, np.float32(2.5), torch.tensor(2.5), np.array(2.5)):
        assert compare(number, torch.tensor(2.5, dtype=torch.float64))
    assert compare([], torch.zeros(0))
    assert compare(True, torch.tensor(1))


@pytest.mark.parametrize(
    ("received", "message"),
    [
        ([[1, 2], [3, 5]], "f(x): entry (1, 1) should be 4, received 5 (1 of 4 differ)."),
        (TABLE + 1, "f(x): entry (0, 0) should be 1, received 2 (4 of 4 differ)."),
        (TABLE * math.inf, "f(x): entry (0, 0) should be 1, received inf (4 of 4 differ)."),
        (
            [[1, 2], [math.nan, 4]],
            "f(x): entry (1, 0) should be 3, received nan (1 of 4 differ).",
        ),
        (TABLE[None], "f(x) should have shape (2, 2), received (1, 2, 2)."),
        (TABLE.flatten(), "f(x) should have shape (2, 2), received (4,)."),
        ([], "f(x) should have shape (2, 2), received (0,)."),
        (4, "f(x) should have shape (2, 2), received ()."),
        ("1234", "f(x) should be a tensor, received '1234'."),
        ({}, "f(x) should be a tensor, received {}."),
        ([[1, 2], [3]], "f(x) should be a tensor, received [[1, 2], [3]]."),
        (
            [["1", "2"], ["3", "4"]],
            "f(x) should be a tensor, received [['1', '2'], ['3', '4']].",
        ),
        (np.array([["1"]]), "f(x) should be a tensor, received array([['1']], dtype='<U1')."),
        (TABLE + 1j, "f(x) should hold real numbers, received torch.complex64."),
    ],
)
def test_wrong_with_what_was_expected_and_received(received: Any, message: str) -> None:
    assert compare(received) == Verdict("wrong", message)


def test_a_single_number_has_no_entry() -> None:
    message = "f(x): should be 2, received 3."
    assert compare(3, torch.tensor(2)) == Verdict("wrong", message)


def test_what_cannot_be_read_is_shown_in_short() -> None:
    assert len(compare(dict.fromkeys(range(1000), "x" * 1000)).message) < 300


def test_the_first_misconception_that_fits_gives_the_hint() -> None:
    for received, hint in [
        (TABLE.T, "turned"),
        ([1, 2], "one row"),
        ((-TABLE.T).numpy(), "turned and negative"),
        (TABLE + 1, "something else"),
        (torch.zeros(3), "something else"),
    ]:
        verdict = compare(received, misconceptions=HINTS, otherwise="something else")
        assert (verdict.status, verdict.hint) == ("wrong", hint)
    twice = [(-TABLE, "first"), (-TABLE, "second")]
    assert compare(-TABLE, misconceptions=twice).hint == "first"
    assert compare(TABLE, misconceptions=[(TABLE, "no mistake at all")])
    assert compare([[1, 2], [3, math.nan]], misconceptions=[(TABLE * math.nan, "nan")]).hint == ""


def test_a_misconception_may_have_entries_that_are_no_numbers() -> None:
    wrong = torch.tensor([[math.nan, 2.0], [3.0, 4.0]])
    verdict = compare(
        wrong.double(), misconceptions=[(wrong * 2, "twice"), (wrong, "divided by 0")]
    )
    assert verdict.hint == "divided by 0"
    assert "entry (0, 0) should be 1, received nan (1 of 4 differ)" in verdict.message


def test_tolerance_is_relative_above_one() -> None:
    large = torch.tensor([1e6], dtype=torch.float64)
    assert compare(large + 9, large)
    assert not compare(large + 12, large)
    assert not compare(TABLE + 1e-4)
    assert compare(TABLE + 1e-4, tolerance=1e-3)
    assert not compare(TABLE + 1e-6, tolerance=1e-8)


def test_a_sparse_tensor_is_a_tensor() -> None:
    assert compare(TABLE.to_sparse())
    assert not compare((TABLE + 1).to_sparse())


def test_generators_of_rows_and_of_numbers() -> None:
    assert compare(list(row) for row in TABLE)
    assert compare((float(x) for x in row) for row in TABLE)
    assert not compare((float(x) + 1 for x in row) for row in TABLE)
