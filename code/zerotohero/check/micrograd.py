"""Checks for the exercises of chapter 1."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from ..micrograd import MLP, Value
from ..micrograd import topological_order as reference_order
from .nodes import backward, expect_data, expect_grad, missing
from .verdict import checker, close, expect_numbers, fail, run

Point = tuple[float, float, float]


def _f(a: float, b: float, c: float) -> float:
    return float(-(a**3) + math.sin(3 * b) - 1 / c + b**2.5 - math.sqrt(a))


def _gradient(a: float, b: float, c: float) -> list[float]:
    return [-3 * a**2 - 0.5 / math.sqrt(a), 3 * math.cos(3 * b) + 2.5 * b**1.5, 1 / c**2]


@checker
def analytic_gradient(answer: Any) -> str:
    """Check a function ``(a, b, c)`` that returns the three derivatives of exercise 1."""
    for a, b, c in [(2.0, 3.0, 4.0), (1.0, 0.5, -2.0), (4.0, 1.0, 0.5)]:
        shown = f"analytic_gradient({a}, {b}, {c})"
        received = run(answer, a, b, c, shown=shown)
        misconceptions = [
            (1, math.cos(3 * b) + 2.5 * b**1.5, "The inner derivative of sin 3b is 3."),
            (1, -3 * math.cos(3 * b) + 2.5 * b**1.5, "The derivative of sin is cos, with plus."),
            (2, -1 / c**2, "−1/c is −c⁻¹: the two minus signs cancel."),
            (0, -3 * a**2, "f has two terms with a: the square root counts too."),
            (0, -3 * a**2 + 0.5 / math.sqrt(a), "The square root of a is subtracted in f."),
            (0, 3 * a**2 - 0.5 / math.sqrt(a), "a³ is subtracted in f."),
        ]
        expect_numbers(received, _gradient(a, b, c), shown, misconceptions)
    return "All three derivatives hold, at three different points."


def _product_and_square(x: float, y: float) -> float:
    return x * y + y**2


def _cube(x: float) -> float:
    return x**3


@checker
def numerical_gradient(answer: Any) -> str:
    """Check a function ``(f, point, h)`` that returns the forward differences of ``f``."""
    _check_differences(
        answer,
        "numerical_gradient",
        lambda here, ahead, back, h: (ahead - here) / h,
    )
    return "Forward differences, for functions of one and of two inputs."


@checker
def symmetric_gradient(answer: Any) -> str:
    """Check a function ``(f, point, h)`` that returns the symmetric differences of ``f``."""
    _check_differences(
        answer,
        "symmetric_gradient",
        lambda here, ahead, back, h: (ahead - back) / (2 * h),
    )
    return "Symmetric differences: the error now shrinks with h², not with h."


def _moved(f: Callable[..., float], point: list[float], i: int, step: float) -> float:
    return f(*[x + step if j == i else x for j, x in enumerate(point)])


def _check_differences(
    answer: Any,
    name: str,
    difference: Callable[[float, float, float, float], float],
) -> None:
    cases: list[tuple[Callable[..., float], list[float], float]] = [
        (_cube, [2.0], 0.1),
        (_product_and_square, [3.0, -1.0], 0.01),
        (_f, [2.0, 3.0, 4.0], 1e-3),
    ]
    for f, point, h in cases:
        given = list(point)
        shown = f"{name}({f.__name__.strip('_')}, {point}, {h})"
        received = run(answer, f, given, h, shown=shown)
        if given != point:
            fail(f"{shown} changed the list that it was given to {given}.", "Work on a copy.")
        here = f(*point)
        # Where all inputs are moved at once; with a single input that is right.
        together = difference(here, f(*[x + h for x in point]), f(*[x - h for x in point]), h)
        expected, misconceptions = [], []
        for i in range(len(point)):
            ahead, back = _moved(f, point, i, h), _moved(f, point, i, -h)
            expected.append(difference(here, ahead, back, h))
            misconceptions += [
                (i, ahead - here, "Divide by the step h."),
                (i, (here - back) / h, "That is the step backward: f(x) − f(x − h)."),
                (i, (ahead - back) / h, "The two points are 2h apart: divide by 2h."),
                (i, (ahead - back) / (2 * h), "That is the symmetric difference: it comes next."),
                (i, (ahead - here) / h, "That is one-sided. Step back by h as well."),
                (i, -expected[i], "The sign is turned around: the point ahead comes first."),
                (i, together, "Move one input at a time; the others stay put."),
            ]
        expect_numbers(received, expected, shown, misconceptions)


@checker
def operators(answer: Any) -> str:
    """Check a class with ``+`` and ``*`` that has learned ``/``, ``exp`` and ``log``."""
    if not isinstance(answer, type):
        fail(f"Pass the class itself, not an object of it. Received {answer!r}.")
    for name, x in [("exp", 0.7), ("log", 2.5)]:
        right = math.exp(x) if name == "exp" else math.log(x)
        slope = right if name == "exp" else 1 / x
        node = answer(x)
        shown = f"{answer.__name__}({x}).{name}()"
        out = run(getattr(answer, name, missing(name)), node, shown=shown)
        expect_data(out, right, shown)
        backward(out, shown)
        hint = "The derivative of log x is 1/x." if name == "log" else "eˣ is its own derivative."
        expect_grad(node, slope, f"after y = {shown}; y.backward(), x.grad", hint)
    a, b = answer(6.0), answer(4.0)
    shown = f"{answer.__name__}(6.0) / {answer.__name__}(4.0)"
    out = run(getattr(answer, "__truediv__", missing("__truediv__")), a, b, shown=shown)
    expect_data(out, 1.5, shown)
    backward(out, shown)
    expect_grad(a, 0.25, f"the gradient of the numerator of {shown}", "∂(a/b)/∂a = 1/b.")
    expect_grad(
        b,
        -0.375,
        f"the gradient of the denominator of {shown}",
        "∂(a/b)/∂b = −a/b²: mind the minus.",
    )
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
            f"the gradient of x = 2 in {text}",
            "x is used four times. Every use adds to the gradient: += instead of =.",
        )
    return "exp, log and division give the right values and gradients, for repeated use too."


@checker
def softmax_nll(answer: Any) -> str:
    """Check a function ``(logits, label)`` that returns the negative log likelihood."""
    # In the first case, every misconception below gives a number of its own.
    for data, label in [([0.5, -0.25, 1.5], 1), ([0.0, 3.0, -2.0, 1.0], 3), ([2.0, 2.0], 0)]:
        logits = [Value(x) for x in data]
        shown = f"softmax_nll({data}, label={label})"
        out = run(answer, logits, label, shown=shown)
        if not isinstance(out, Value):
            fail(f"{shown} should return a Value, received {out!r}.", "Keep to Value's operators.")
        total = sum(math.exp(x) for x in data)
        p = [math.exp(x) / total for x in data]
        loss = -math.log(p[label])
        if not close(out.data, loss):
            hints = [
                (-loss, "The likelihood is below 1, its log below 0: put a minus in front."),
                (p[label], "That is the probability itself. Take −log of it."),
                (-data[label], "That is −logit. Exponentiate and normalize first."),
                (math.log(total), "That is the log of the sum alone. Which logit has the label?"),
                (-math.log2(p[label]), "Use the natural logarithm."),
                (-sum(math.log(q) for q in p), "Only the label's probability counts."),
                (-sum(math.log(q) for q in p) / len(p), "Only the label's probability counts."),
                (-math.log(p[0]), "The label is an index: take the probability at that index."),
            ]
            hint = next((text for wrong, text in hints if close(out.data, wrong)), "")
            fail(f"{shown} should be {loss:.8g}, received {out.data:.8g}.", hint)
        out.backward()
        expected = [q - (i == label) for i, q in enumerate(p)]
        expect_numbers(
            [x.grad for x in logits],
            expected,
            f"the gradients of the logits in {shown}",
            otherwise="The value is right. Was a Value turned into a float on the way (.data)?",
        )
    return "Values and gradients hold: each gradient is p − 1 at the label, and p elsewhere."


@checker
def topological_order(answer: Any) -> str:
    """Check a function ``(root)`` that lists every node once, children before parents."""
    a = Value(3.0, "a")
    b = a + a
    b.label = "b"
    c = b + b
    c.label = "c"
    d = c * a + b
    d.label = "d"
    cases = [("d, with b = a + a, c = b + b, d = c·a + b", d), ("a single node", Value(1.0, "x"))]
    chain = Value(1.0)
    for _ in range(20_000):
        chain = chain + 1.0
    for shown, root in [*cases, ("a chain of 20,000 additions", chain)]:
        received = run(answer, root, shown=f"topological_order of {shown}")
        try:
            order = list(received)
        except TypeError:
            fail(f"topological_order of {shown} should be a list, received {received!r}.")
        expected = set(reference_order(root))
        if len(order) != len(set(order)):
            fail(
                f"In {shown}, {len(order) - len(set(order))} nodes are listed more than once.",
                "Remember the nodes that you have seen.",
            )
        for item in order:
            if item not in expected:
                fail(f"In {shown}, {item!r} is listed, which is no node of the graph.")
        if set(order) != expected:
            fail(f"In {shown}, {len(expected)} nodes should be listed, received {len(order)}.")
        place = {node: i for i, node in enumerate(order)}
        for node in order:
            for child in node._children:
                if place[child] > place[node]:
                    turned = order[0] is root and len(order) > 1
                    fail(
                        f"In {shown}, {_name(node)} comes before {_name(child)}, its child.",
                        "The list is turned around: the root should come last." * turned
                        or "A node may be listed only after all of its children.",
                    )
    return "Every node once, children before parents, and no recursion limit."


@checker
def training_step(answer: Any) -> str:
    """Check a function ``(model, xs, ys, learning_rate)`` that makes one step of descent."""
    xs = [(2.0, 3.0, -1.0), (3.0, -1.0, 0.5), (0.5, 1.0, 1.0)]
    ys = [1.0, -1.0, -1.0]
    model, twin = (MLP(3, [2, 1], rng=random.Random(7)) for _ in range(2))
    for step in (1, 2):
        shown = f"step {step} of training_step(model, xs, ys, 0.05)"
        before = [p.data for p in twin.parameters()]
        loss = _squared_error(twin, xs, ys)
        twin.zero_grad()
        loss.backward()
        for p in twin.parameters():
            p.data -= 0.05 * p.grad
        received = run(answer, model, xs, ys, 0.05, shown=shown)
        after = [p.data for p in model.parameters()]
        moved = [x - y for x, y in zip(after, before)]
        right = [p.data - x for p, x in zip(twin.parameters(), before)]
        if not any(moved):
            fail(
                f"{shown} changed no parameter.",
                "Are the gradients set to zero between backward and the update?",
            )
        if all(close(m, -r) for m, r in zip(moved, right)):
            fail(f"{shown} moved up the slope.", "The gradient points uphill: subtract it.")
        if not all(close(m, r) for m, r in zip(moved, right)):
            hint = (
                "Gradients of the step before are still there: zero them first."
                if step == 2
                else ""
            )
            worst = max(range(len(right)), key=lambda i: abs(moved[i] - right[i]))
            fail(
                f"{shown}: parameter {worst} should move by {right[worst]:.8g}, "
                f"it moved by {moved[worst]:.8g}.",
                hint or "The loss is the sum of squared errors over the examples.",
            )
        number = received.data if isinstance(received, Value) else received
        if not close(number, loss.data):
            fail(
                f"{shown} should return the loss before the update, {loss.data:.8g}; "
                f"received {number!r}."
            )
    return "Forward, zero, backward, update: the order holds over two steps."


def _squared_error(model: MLP, xs: list[Point], ys: list[float]) -> Value:
    total = Value(0.0)
    for x, y in zip(xs, ys):
        out = model(x)
        assert isinstance(out, Value)
        total = total + (out - y) ** 2
    return total


def _name(node: Any) -> str:
    return node.label or repr(node)
