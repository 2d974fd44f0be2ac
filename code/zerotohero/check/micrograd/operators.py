"""The check of new operations of a class of nodes, for chapter 1."""

from __future__ import annotations

import math
import operator
from typing import Any, NamedTuple

from ..nodes import backward, expect_data, expect_grad, missing
from ..numbers import close
from ..running import run
from ..verdict import checker, fail


class Case(NamedTuple):
    """A method, its operands, and the derivative with respect to the one at ``position``."""

    name: str
    numbers: tuple[float, ...]
    position: int
    value: float
    derivative: float
    hint: str

    def written(self, *operands: str) -> str:
        """Return the call as the reader would write it."""
        return " / ".join(operands) if len(operands) == 2 else f"{operands[0]}.{self.name}()"


CASES = [
    Case("exp", (0.7,), 0, math.exp(0.7), math.exp(0.7), "eˣ is its own derivative."),
    Case("log", (2.5,), 0, math.log(2.5), 0.4, "The derivative of log x is 1/x."),
    Case("__truediv__", (6.0, 4.0), 0, 1.5, 0.25, "∂(a/b)/∂a = 1/b."),
    Case("__truediv__", (6.0, 4.0), 1, 1.5, -0.375, "∂(a/b)/∂b = −a/b²: mind the minus."),
]
# Factors below and above an operation, so that the gradient has to pass through it.
BELOW, ABOVE = 2.0, 3.0


@checker
def operators(answer: Any) -> str:
    """Check a class with ``+`` and ``*`` that has learned ``/``, ``exp`` and ``log``."""
    if not isinstance(answer, type):
        fail(f"Pass the class itself, not an object of it. Received {answer!r}.")
    for case in CASES:
        _check_value(answer, case)
        _check_derivative(answer, case)
    for text, combine in [  # whichever branch sends back first
        ("x.exp() / x + x.log() * x", lambda x: x.exp() / x + x.log() * x),
        ("x.log() * x + x.exp() / x", lambda x: x.log() * x + x.exp() / x),
    ]:
        x = answer(2.0)
        out = run(combine, x, shown=text)
        backward(out, text)
        expect_grad(
            x,
            math.exp(2) / 2 - math.exp(2) / 4 + 1 + math.log(2),
            f"The gradient of x = 2 in {text}",
            "x is used four times. Every use adds to the gradient: += instead of =.",
        )
    return "exp, log and division give the right values and gradients, for repeated use too."


def _check_value(answer: type, case: Case) -> None:
    shown = case.written(*[f"{answer.__name__}({number})" for number in case.numbers])
    method = getattr(answer, case.name, missing(case.name))
    expect_data(run(method, *map(answer, case.numbers), shown=shown), case.value, shown)


def _check_derivative(answer: type, case: Case) -> None:
    """Stop unless the gradient passes through the operation, to a leaf below it."""
    start = case.numbers[case.position] / BELOW
    x = answer(start)
    inner = run(operator.mul, x, answer(BELOW), shown="x * a")
    nodes, names = [answer(number) for number in case.numbers], ["c"] * len(case.numbers)
    nodes[case.position], names[case.position] = inner, "(x * a)"
    shown, values = f"{case.written(*names)} * b", [f"x = {start:g}", f"a = {BELOW:g}"]
    values += [f"c = {number:g}" for number, name in zip(case.numbers, names) if name == "c"]
    out = run(getattr(answer, case.name), *nodes, shown=case.written(*names))
    out = run(operator.mul, out, answer(ABOVE), shown=shown)
    backward(out, shown)
    hint = case.hint
    if close(x.grad, case.derivative * BELOW):
        hint = "Multiply by out.grad: what flows in."
    elif x.grad is None or close(x.grad, 0.0):  # None: as in PyTorch
        hint = "No gradient arrives. Is the result made with _children, and is out._backward set?"
    expect_grad(
        x,
        case.derivative * BELOW * ABOVE,
        f"With {', '.join(values)} and b = {ABOVE:g}, the gradient of x in {shown}",
        hint,
    )
