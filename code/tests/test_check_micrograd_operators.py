"""The check of the exercise on operators, tried with classes of several styles."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from micrograd_answers import Closure, LocalGradients, Torch
from test_check_micrograd import outcome

from zerotohero import check
from zerotohero.micrograd import Value

micrograd = check.micrograd


@pytest.mark.parametrize("answer", [Closure, LocalGradients, Torch, Value])
def test_operators_right(answer: type) -> None:
    assert micrograd.operators(answer)


def closure(name: str, method: Callable[..., Any]) -> type:
    """Return the class with closures, with one method replaced."""
    return type("MyValue", (Closure,), {name: method})


def assigning(method: Callable[..., Closure]) -> Callable[..., Closure]:
    """Return the method with ``=`` in place of ``+=`` where it sends back."""

    def replaced(self: Closure, *others: Closure) -> Closure:
        out = method(self, *others)
        send = out._backward

        def overwrite() -> None:
            for node in out._children:
                node.grad = 0.0
            send()

        out._backward = overwrite
        return out

    return replaced


def divide(top: float, bottom: float) -> Callable[[Closure, Closure], Closure]:
    """Return a division whose two slopes are off by these factors."""

    def division(a: Closure, b: Closure) -> Closure:
        slopes = (a, top / b.data), (b, -bottom * a.data / b.data**2)
        return a._then(a.data / b.data, *slopes)

    return division


EXP = "eˣ is its own derivative."
LOG = "The derivative of log x is 1/x."
TOP = "∂(a/b)/∂a = 1/b."
BOTTOM = "∂(a/b)/∂b = −a/b²: mind the minus."
ADD_UP = "x is used four times. Every use adds to the gradient: += instead of =."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            closure("exp", lambda x: x._then(math.exp(x.data), (x, x.data))),
            ["MyValue(0.7).exp()", "should be 2.0137527", "received 0.7"],
            EXP,
        ),
        (
            closure("log", lambda x: x._then(math.log(x.data), (x, x.data))),
            ["MyValue(2.5).log()", "should be 0.4", "received 2.5"],
            LOG,
        ),
        (closure("__truediv__", divide(2, 1)), ["numerator", "should be 0.25, received 0.5"], TOP),
        (closure("__truediv__", divide(1, -1)), ["should be -0.375, received 0.375"], BOTTOM),
        (closure("exp", assigning(Closure.exp)), ["x.exp() / x", "should be 3.5404"], ADD_UP),
        (closure("log", assigning(Closure.log)), ["x.log() * x", "should be 3.5404"], ADD_UP),
        (
            closure("__truediv__", assigning(Closure.__truediv__)),
            ["x.exp() / x", "should be 3.5404"],
            ADD_UP,
        ),
        (closure("__mul__", assigning(Closure.__mul__)), ["should be 3.5404"], ADD_UP),
        (
            closure("exp", lambda x: x._then(x.data, (x, 1.0))),
            ["MyValue(0.7).exp() should hold 2.0137527, received 0.7"],
            "",
        ),
        (closure("exp", lambda x: math.exp(x.data)), ["should be a node of the class"], ""),
        (closure("backward", lambda x, y: None), ["backward() on MyValue(0.7).exp() raised"], ""),
        (Closure(1.0), ["Pass the class itself, not an object of it"], ""),
    ],
)
def test_operators_wrong(answer: Any, words: list[str], hint: str) -> None:
    outcome(micrograd.operators(answer), *words, hint=hint)


@pytest.mark.parametrize("name", ["exp", "log", "__truediv__"])
def test_a_missing_method_is_named(name: str) -> None:
    methods = {k: v for k, v in vars(Closure).items() if k != name}
    verdict = micrograd.operators(type("MyValue", (), methods))
    assert verdict == check.Verdict("wrong", f"The class has no method {name}.")


def test_what_goes_missing_in_only_one_order_is_found() -> None:
    """An engine that sends back from the other branch first does not hide ``=``."""

    class OtherWayRound(Closure):
        __truediv__ = assigning(Closure.__truediv__)

        def __add__(self, other: Closure) -> Closure:
            return self._then(self.data + other.data, (other, 1.0), (self, 1.0))

    outcome(micrograd.operators(OtherWayRound), "should be 3.5404", hint=ADD_UP)
