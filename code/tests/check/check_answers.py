"""What the tests of the checks share: the assertion about a wrong answer, and answers to any check.

No check may raise, whatever it is given. A stub is not done yet; the rest of `JUNK` is wrong.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from zerotohero.check.verdict import Verdict

Answer = Callable[..., Any]


def outcome(verdict: Verdict, *words: str, hint: str = "") -> None:
    """Assert a wrong verdict with these words in its message, and exactly this hint."""
    assert verdict.status == "wrong"
    for word in words:
        assert word in verdict.message
    assert verdict.hint == hint


def raises(error: BaseException) -> Answer:
    def answer(*_: Any) -> None:
        raise error

    return answer


def empty(*_: Any) -> None: ...


def documented(*_: Any) -> None:
    """Say what is to be done."""


def forgets(*_: Any, ready: bool = False) -> Any:
    if ready:
        return 1
    return None


class Odd:
    """An object that does not even compare or show itself."""

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        raise ZeroDivisionError


STUBS: list[Any] = [None, ..., empty, documented, raises(NotImplementedError())]
JUNK: list[Any] = [
    5,
    "text",
    torch.zeros(3),
    Odd(),
    raises(ValueError("no")),
    raises(SystemExit()),
    lambda: 1,
    lambda *_: 1.5,
    lambda *_: math.inf,
    lambda *_: "text",
    lambda *_: "1.4142",
    lambda *_: b"bytes",
    lambda *_: (1, 2),
    lambda *_: (1, 2, 3),
    lambda *_: ("a", "b"),
    lambda *_: [1, [2]],
    lambda *_: ([[1, 2], [3]], "x"),
    lambda *_: (None, None),
    lambda *_: [math.nan, math.nan],
    lambda *_: iter(()),
    lambda *_: iter(int, 1),  # zeros without an end
    lambda *_: {},
    lambda *_: {"C": "text"},
    lambda *_: {Odd(): 1, "C": Odd()},
    lambda *_: Odd(),
    lambda *_: (Odd(), Odd()),
    lambda *_: torch.tensor(math.nan),
    lambda *_: torch.zeros(0, 27),
    lambda *_: torch.zeros(2, 3, dtype=torch.complex64),
    lambda *_: (torch.zeros(0), torch.zeros(0)),
]
