"""The checks of chapter 7, all of them: stubs, junk, and a missing return."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_check_micrograd import outcome

from zerotohero import check
from zerotohero.gpt import GPT, GPTConfig, Vocabulary

gpt = check.gpt
Answer = Callable[..., Any]
CHECKS = ("addition", "attention", "averages", "finetune", "squared_relu")


# -- all exercises -------------------------------------------------------------------------


def test_all_checks_of_the_chapter_are_tested() -> None:
    made = {name for name, member in vars(gpt).items() if hasattr(member, "__wrapped__")}
    assert made == set(CHECKS) == set(gpt.__all__)


def raises(error: BaseException) -> Answer:
    def answer(*_: Any) -> None:
        raise error

    return answer


@pytest.mark.parametrize("name", CHECKS)
def test_a_stub_is_not_done_yet(name: str) -> None:
    def empty(*_: Any) -> None: ...

    def documented(*_: Any) -> None:
        """Say what is to be done."""

    for stub in (None, ..., empty, documented, raises(NotImplementedError())):
        assert getattr(gpt, name)(stub).status == "not done yet"


class Odd:
    """An object that does not even compare or show itself."""

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        raise ZeroDivisionError


class Hollow(GPT):
    """A model without anything in it."""

    def __init__(self) -> None:
        pass


def tiny(**sizes: int) -> GPT:
    config = {"vocab_size": 6, "block_size": 8, "n_embd": 16, "n_head": 2, "n_layer": 1, **sizes}
    return GPT(GPTConfig(**config))


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize(
    "junk",
    [
        5,
        "text",
        torch.zeros(3),
        raises(ValueError("no")),
        raises(SystemExit()),
        lambda: 1,
        lambda *_: 1.5,
        lambda *_: math.inf,
        lambda *_: "17+25=240",
        lambda *_: (1, 2),
        lambda *_: (1, 2, 3),
        lambda *_: ([[1, 2], [3]], "x"),
        lambda *_: (None, None),
        lambda *_: [math.nan, math.nan],
        lambda *_: (torch.full((3, 8), math.nan), torch.full((3, 8), math.nan)),
        lambda *_: (torch.zeros(0, 8), torch.zeros(0, 8)),
        lambda *_: (Odd(), Odd()),
        lambda *_: iter(()),
        lambda *_: {},
        lambda *_: {Odd(): 1, "C": Odd()},
        lambda *_: torch.tensor(math.nan),
        lambda *_: torch.zeros(0, 27),
        lambda *_: torch.zeros(2, 3, dtype=torch.complex64),
        lambda x, *_: x,
        lambda *given: given,
        lambda *_: GPT,
        lambda *_: Hollow(),
        lambda *_: tiny(),
        lambda *_: tiny(block_size=2),
        lambda *_: tiny(n_layer=2),
        lambda *_: Odd(),
        Odd(),
        GPT,
        Vocabulary,
    ],
)
def test_junk_is_wrong_and_raises_nothing(name: str, junk: Any) -> None:
    verdict = getattr(gpt, name)(junk)
    assert verdict.status == "wrong"
    assert verdict.message


def forgets(*_: Any, ready: bool = False) -> Any:
    if ready:
        return 1
    return None


@pytest.mark.parametrize("name", CHECKS)
def test_a_missing_return(name: str) -> None:
    hint = "Does every path through the function return?"
    outcome(getattr(gpt, name)(forgets), "returned None", hint=hint)
