"""Verdicts of the parts of an exercise: stop with one, find it, hint at an exception."""

from typing import Any

import pytest
import torch

from zerotohero.check.running import run
from zerotohero.check.verdict import Verdict, checker, fail, stop, stopped


def test_stop_is_what_a_check_answers() -> None:
    mine = Verdict("not done yet", "Two of three parts are there.")

    @checker
    def check(answer: Any) -> str:
        stop(mine)

    assert check(1) is mine


def test_stopped_finds_what_stopped_a_part() -> None:
    assert stopped(lambda: fail("No.", "Think again.")) == Verdict("wrong", "No.", "Think again.")
    assert stopped(lambda: 5) is None
    with pytest.raises(KeyError):
        stopped(lambda: {}["b"])


def test_an_exception_has_a_hint_where_one_is_given() -> None:
    def fails() -> None:
        raise ValueError("no")

    def endless() -> Any:
        return endless()

    def verdict(answer: Any, **hints: str) -> Verdict:
        found = stopped(lambda: run(answer, shown="f()", **hints))
        assert found is not None
        return found

    assert verdict(fails).message.startswith("f() raised ValueError: no")
    assert verdict(fails).hint == ""
    assert verdict(fails, raised="Which shapes?").hint == "Which shapes?"
    assert verdict(fails, too_deep="Too deep.").hint == ""
    assert verdict(endless, raised="Which shapes?", too_deep="Too deep.").hint == "Too deep."


class WithTensors:
    """A node that makes its data anew whenever it is asked."""

    def __init__(self) -> None:
        self.number, self.grad = torch.tensor(2.0), None

    @property
    def data(self) -> torch.Tensor:
        return self.number.detach()


def test_nodes_with_tensors_are_compared_by_what_they_hold() -> None:
    assert stopped(lambda: run(lambda node: node.data, WithTensors(), shown="f(node)")) is None

    def changes(node: WithTensors) -> float:
        node.number += 1
        return 1.0

    found = stopped(lambda: run(changes, WithTensors(), shown="f(node)"))
    assert found is not None
    assert found.message == "f(node) changed node, which it was given."
