"""Checks of derivatives, for chapter 1: on paper, and differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..numbers import expect_numbers
from ..running import run
from ..verdict import checker, fail


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
            (1, 3 * math.cos(3 * b), "f has two terms with b."),
            (1, 2.5 * b**1.5, "f has two terms with b."),
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
        halved="That is the symmetric difference: it comes next.",
    )
    return "Forward differences, for functions of one and of two inputs."


@checker
def symmetric_gradient(answer: Any) -> str:
    """Check a function ``(f, point, h)`` that returns the symmetric differences of ``f``."""
    _check_differences(
        answer,
        "symmetric_gradient",
        lambda here, ahead, back, h: (ahead - back) / (2 * h),
        halved="Step by the whole h to each side.",
    )
    return "Symmetric differences: the error now shrinks with h², not with h."


def _moved(
    f: Callable[..., float], point: list[float], i: int, step: float, left: float = 0.0
) -> float:
    """Return ``f`` where input ``i`` is moved by ``step``, and those before it by ``left``."""
    steps = [left] * i + [step] + [0.0] * (len(point) - i - 1)
    return f(*[x + s for x, s in zip(point, steps)])


def _check_differences(
    answer: Any,
    name: str,
    difference: Callable[[float, float, float, float], float],
    halved: str,
) -> None:
    """Stop unless the answer returns these differences; ``halved`` hints at steps of h/2."""
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
            half_ahead, half_back = _moved(f, point, i, h / 2), _moved(f, point, i, -h / 2)
            expected.append(difference(here, ahead, back, h))
            # First, as nudges left in place can give numbers of the mistakes below. Those show
            # at the first input already, where this one does not.
            misconceptions += [
                (i, wrong, "Undo each nudge before the next one.")
                for wrong in _never_undone(f, point, i, h, difference)
            ]
            misconceptions += [
                (i, ahead - here, "Divide by the step h."),
                (i, (here - back) / h, "That is the step backward: f(x) − f(x − h)."),
                (i, (ahead - back) / h, "The two points are 2h apart: divide by 2h."),
                (i, (ahead - back) / (2 * h), "That is the symmetric difference: it comes next."),
                (i, (half_ahead - half_back) / h, halved),
                (i, (ahead - here) / h, "That is one-sided. Step back by h as well."),
                (i, -expected[i], "The sign is reversed: the point ahead comes first."),
                (i, together, "Move one input at a time; the others stay put."),
            ]
        expect_numbers(received, expected, shown, misconceptions)


def _never_undone(
    f: Callable[..., float],
    point: list[float],
    i: int,
    h: float,
    difference: Callable[[float, float, float, float], float],
) -> list[float]:
    """Return what comes out for input ``i`` when the inputs before it are still nudged."""
    if i == 0:
        return []
    ahead, back = _moved(f, point, i, h, left=h), _moved(f, point, i, -h, left=-h)
    derivatives = [difference(f(*point), ahead, back, h)]
    for left in (h, -h):
        here, ahead, back = (_moved(f, point, i, step, left) for step in (0.0, h, -h))
        derivatives.append(difference(here, ahead, back, h))
    return derivatives
