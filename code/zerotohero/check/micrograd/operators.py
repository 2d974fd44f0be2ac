"""The check of new operations of a class of nodes, for chapter 1."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ...micrograd import Value
from ..nodes import backward, expect_data, expect_grad, missing
from ..numbers import close
from ..running import run
from ..verdict import Verdict, checker, fail, stop, stopped


class Case(NamedTuple):
    """A method, its operands, and the factors below and above it that the gradient passes."""

    name: str
    numbers: tuple[float, ...]
    below: float = 2.0
    above: float = 3.0

    def written(self, *operands: str) -> str:
        """Return the call as the reader would write it."""
        return " / ".join(operands) if len(operands) == 2 else f"{operands[0]}.{self.name}()"


CASES = [
    Case("exp", (0.7,)),
    Case("exp", (-1.3,), 0.5, -1.5),
    Case("log", (2.5,)),
    Case("log", (0.3,), 0.5, 4.0),
    Case("__truediv__", (6.0, 4.0)),
    Case("__truediv__", (-1.2, 0.5), 0.25, -2.5),
    Case("__truediv__", (0.3, -7.0), -0.5, 1.25),
]
# Zero, small and large numbers come later: other mistakes should show before.
EXTREME = [
    Case("exp", (0.0,)),
    Case("log", (1e-6,), 2.0, 0.25),
    Case("__truediv__", (0.0, 4.0)),
    Case("__truediv__", (3e-6, 2e-6), 0.5, 0.25),
    Case("log", (1e-20,), 2.0, 0.25),
    Case("__truediv__", (3e-20, 2e-20), 0.5, 0.25),
    Case("exp", (100.0,)),
    Case("exp", (-110.0,), 2.0, 1e48),  # so that the gradient is not near 0
]


# Both are used more than once, and either branch may send back first: at x = 2 and a = 5.
REPEATED: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("x.exp() / x + x.log() * x", lambda x, a: x.exp() / x + x.log() * x),
    ("x.log() * x + x.exp() / x", lambda x, a: x.log() * x + x.exp() / x),
    ("x / a + x * x", lambda x, a: x / a + x * x),
    ("x * x + x / a", lambda x, a: x * x + x / a),
    ("x / x", lambda x, a: x / x),
    ("a / x * a", lambda x, a: a / x * a),
    ("a / x + a * a", lambda x, a: a / x + a * a),
    ("a * a + a / x", lambda x, a: a * a + a / x),
    ("x / a + a * a", lambda x, a: x / a + a * a),
    ("a * a + x / a", lambda x, a: a * a + x / a),
    ("(x * a) / x.exp()", lambda x, a: (x * a) / x.exp()),
]
# Two results of the same method are there before the first sends back.
AT_ONCE: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("x.exp() * a + x.exp()", lambda x, a: x.exp() * a + x.exp()),
    ("x.exp() * a.exp()", lambda x, a: x.exp() * a.exp()),
    ("x.log() * a + x.log()", lambda x, a: x.log() * a + x.log()),
    ("x.log() * a.log()", lambda x, a: x.log() * a.log()),
    ("(x / a) * x + x / a", lambda x, a: (x / a) * x + x / a),
    ("(x / a) * x + a / x", lambda x, a: (x / a) * x + a / x),
]
# A node between root and leaves is used twice.
SHARED: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("y * y with y = x / a", lambda x, a: (lambda y: y * y)(x / a)),
    ("y * y.exp() with y = x / a", lambda x, a: (lambda y: y * y.exp())(x / a)),
    ("y.exp() * y with y = x / a", lambda x, a: (lambda y: y.exp() * y)(x / a)),
]
ABOVE = "The number above the line may be 0. Divide only by the one below."
FLOWS_IN = "Does _backward read the gradient of an operand? What flows in is out.grad."
ONCE = "y is used twice: it should send back once, when both uses have added to its gradient."
CUT_OFF = "Take math.exp of the number as it is, in double precision. Nothing is cut off."
OWN = "Two results are there at once. Does the _backward of each use its own out?"


@checker
def operators(answer: Any) -> str:
    """Check a class with ``+`` and ``*`` that has learned ``/``, ``exp`` and ``log``."""
    if not isinstance(answer, type):
        fail(f"Pass the class itself, not an object of it. Received {answer!r}.")
    for name in ("exp", "log", "__truediv__"):
        cases = [case for case in CASES if case.name == name]
        for case in cases:
            _check_value(answer, case)
        for case in cases:
            for position in range(len(case.numbers)):
                _check_derivative(answer, case, position)
    for case in EXTREME:
        _check_value(answer, case)
        for position in range(len(case.numbers)):
            _check_derivative(answer, case, position)
    for case in CASES + EXTREME:
        for position in (0, 1) if len(case.numbers) == 2 else ():
            _check_other(answer, case, position)
    for text, combine in REPEATED:
        _check_repeated(answer, text, combine)
    for text, combine in AT_ONCE:
        _check_repeated(answer, text, combine, OWN)
    for text, combine in SHARED:
        _check_repeated(answer, text, combine, ONCE)
    return "exp, log and division give the right values and gradients, for repeated use too."


def _check_value(answer: type, case: Case) -> None:
    shown = case.written(*[f"{answer.__name__}({number})" for number in case.numbers])
    method = getattr(answer, case.name, missing(case.name))
    operands = [answer(number) for number in case.numbers]
    results: list[Any] = []
    problem = stopped(lambda: results.append(run(method, *operands, shown=shown)))
    if not all(map(close, [operand.data for operand in operands], case.numbers)):
        fail(
            f"{shown} changed the data of an operand.", "Put the result into out; self.data stays."
        )
    if problem is not None:
        _stop_with_cause(problem, answer, None)
    expect_data(results[0], _value(case), shown)


class Chained(NamedTuple):
    """An operation on x * a and perhaps a leaf c."""

    x: Any
    nodes: list[Any]
    result: Any
    shown: str
    values: str


def _chained(answer: type, case: Case, position: int) -> Chained:
    """Make a graph in which the operand at a position is x * a, and the other one a leaf."""
    start = case.numbers[position] / case.below
    x = answer(start)
    nodes, names = [answer(number) for number in case.numbers], ["c"] * len(case.numbers)
    nodes[position] = run(operator.mul, x, answer(case.below), shown="x * a")
    names[position] = "(x * a)"
    values = [f"x = {start:g}", f"a = {case.below:g}"]
    values += [f"c = {number:g}" for number, name in zip(case.numbers, names) if name == "c"]
    result = run(getattr(answer, case.name), *nodes, shown=case.written(*names))
    return Chained(x, nodes, result, f"{case.written(*names)} * b", ", ".join(values))


def _check_derivative(answer: type, case: Case, position: int) -> None:
    """Stop unless the gradient passes through the operation, to a leaf below it."""
    x, nodes, result, shown, values = _chained(answer, case, position)

    def go_back() -> None:
        backward(run(operator.mul, result, answer(case.above), shown=shown), shown)

    if (problem := stopped(go_back)) is not None:
        _stop_with_cause(problem, answer, result)
    derivative, hint = _derivative(case, position)
    expected = derivative * case.below * case.above
    others = [_grad(node) for i, node in enumerate(nodes) if i != position]
    received = _grad(x)
    if case.name == "exp" and abs(case.numbers[0]) > 50:
        hint = CUT_OFF
    elif close(received, derivative * case.below):
        hint = "Multiply by out.grad: what flows in."
    elif close(received, 0.0):
        if close(_grad(nodes[position]), derivative * case.above):
            hint = "The gradient reaches x * a, and not x. Is each operand in _children?"
        elif any(others):
            hint = (
                "The other operand gets its gradient, and this one none. _backward has to add to "
                "the gradients of both."
            )
        else:
            hint = (
                "No gradient arrives. Is the result made with _children, and is out._backward set?"
            )
    else:
        wrong = _mistakes(case, position)
        factor = case.below * case.above
        hint = next((text for slope, text in wrong if close(received, slope * factor)), hint)
    expect_grad(
        x,
        expected,
        f"With {values} and b = {case.above:g}, the gradient of x in {shown}",
        hint,
    )


def _check_other(answer: type, case: Case, position: int) -> None:
    """Stop unless the gradient of a leaf is right where the other operand is no leaf."""
    other = 1 - position
    graph = _chained(answer, case, position)
    out = run(operator.mul, graph.result, answer(case.above), shown=graph.shown)
    backward(out, graph.shown)
    slope, hint = _derivative(case, other)
    expect_grad(
        graph.nodes[other],
        slope * case.above,
        f"With {graph.values} and b = {case.above:g}, the gradient of c in {graph.shown}",
        hint,
    )


def _check_repeated(
    answer: type, text: str, combine: Callable[[Any, Any], Any], hint: str = ""
) -> None:
    """Stop unless value and gradients are those that the package's class finds."""
    leaves = {"x": answer(2.0), "a": answer(5.0)}
    rights = {"x": Value(2.0), "a": Value(5.0)}
    out, right = run(combine, *leaves.values(), shown=text), combine(*rights.values())
    expect_data(out, right.data, f"{text} for x = 2 and a = 5")
    backward(out, text)
    right.backward()
    for name, leaf in leaves.items():
        uses = text.replace("exp", "").count(name)
        if not uses:
            continue  # an engine may leave None where nothing arrives
        expect_grad(
            leaf,
            rights[name].grad,
            f"With x = 2 and a = 5, the gradient of {name} in {text}",
            hint or (FLOWS_IN if uses == 1 else _add_up(name)),
        )


def _add_up(name: str) -> str:
    return f"{name} is used more than once. Does every use add to the gradient, with += and not =?"


def _value(case: Case) -> float:
    a, *others = case.numbers
    if case.name == "exp":
        return math.exp(a)
    return a / others[0] if others else math.log(a)


def _derivative(case: Case, position: int) -> tuple[float, str]:
    """Return a local derivative, and how it reads."""
    a, *others = case.numbers
    if case.name == "exp":
        return math.exp(a), "eˣ is its own derivative."
    if case.name == "log":
        return 1 / a, "The derivative of log x is 1/x."
    b = others[0]
    if position == 0:
        return 1 / b, "∂(a/b)/∂a = 1/b."
    return -a / b**2, "∂(a/b)/∂b = −a/b²."


def _mistakes(case: Case, position: int) -> list[tuple[float, str]]:
    """Return wrong local derivatives, with their hints."""
    if position == 0:
        return []
    a, b = case.numbers
    return [
        (a / b**2, "∂(a/b)/∂b = −a/b²: mind the minus."),
        (-1 / b**2, "∂(a/b)/∂b = −a/b²: the factor a is missing."),
        (-a / b, "∂(a/b)/∂b = −a/b²: b is squared."),
    ]


def _grad(node: Any) -> float:
    """Return a gradient; zero where there is none, as None in PyTorch."""
    return float(node.grad) if getattr(node, "grad", None) is not None else 0.0


def _stop_with_cause(problem: Verdict, answer: type, result: Any) -> None:
    """Stop with a problem, and a hint where its cause shows in the result of the operation."""
    name = answer.__name__
    hint = problem.hint
    if "unexpected keyword argument '_" in problem.message:
        hint = f"Make the result with {name}(...). Other classes are made in other ways."
    elif f"must be real number, not {name}" in problem.message:
        hint = "The functions of math take a plain number: self.data, not self."
    elif f"'float' and '{name}'" in problem.message:
        hint = "An operand is a node. Its number is in its data: other.data, not other."
    elif re.match(".* / .* raised ZeroDivisionError", problem.message):
        hint = ABOVE
    elif result is None:
        pass
    elif hasattr(getattr(result, "_children", ()), "data"):
        hint = "_children has to be a tuple. For one entry it needs a comma: (self,)."
    elif getattr(result, "_backward", len) is None:
        hint = (
            "out._backward = _backward has no parentheses. With them, the function is called "
            "at once, and what it returns, None, is stored."
        )
    elif not isinstance(result, answer):
        hint = f"The result is a {type(result).__name__}. Make it with {name}(...)."
    stop(Verdict(problem.status, problem.message, hint))
