"""Checks of derivatives, for chapter 1: on paper, and differences."""

from __future__ import annotations

import functools
import inspect
import math
import struct
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from ..numbers import close, expect_numbers
from ..running import run
from ..verdict import Verdict, checker, fail, stop, stopped

Function = Callable[..., float]
Point = list[float]
# Makes a slope of the values here, ahead and back, and of the step h.
Difference = Callable[[float, float, float, float], float]
Mistake = tuple[Difference, str]


def _exercise_f(a: float, b: float, c: float) -> float:
    return float(-(a**3) + math.sin(3 * b) - 1 / c + b**2.5 - math.sqrt(a))


def _gradient(a: float, b: float, c: float) -> list[float]:
    return [-3 * a**2 - 0.5 / math.sqrt(a), 3 * math.cos(3 * b) + 2.5 * b**1.5, 1 / c**2]


@checker
def analytic_gradient(answer: Any) -> str:
    """Check a function ``(a, b, c)`` that returns the three derivatives of exercise 1."""
    for a, b, c in [(3.0, 2.0, 4.0), (1.0, 0.5, -2.0), (4.0, 1.0, 0.5), (0.7, 2.2, -0.6)]:
        shown = f"analytic_gradient({a}, {b}, {c})"
        received = run(answer, a, b, c, shown=shown)
        cos, power, root = math.cos(3 * b), b**1.5, math.sqrt(a)
        misconceptions = [
            (1, cos + 2.5 * power, "The inner derivative of sin 3b is 3."),
            (1, -3 * cos + 2.5 * power, "The derivative of sin is cos, with plus."),
            (1, 3 * cos, "f has two terms with b."),
            (1, 2.5 * power, "f has two terms with b."),
            (1, 3 * cos + 2.5 * b**2.5, "The power rule lowers the exponent by 1: 2.5 to 1.5."),
            (1, 3 * cos + power, "The power rule puts the exponent, 2.5, in front."),
            (2, -1 / c**2, "−1/c is −c⁻¹: the two minus signs cancel."),
            (0, -3 * a**2, "f has two terms with a: the square root counts too."),
            (0, -3 * a**2 + 0.5 / root, "The square root of a is subtracted in f."),
            (0, 3 * a**2 - 0.5 / root, "a³ is subtracted in f."),
            (0, -3 * a**2 - 1 / root, "The power rule puts the exponent of √a, 1/2, in front."),
            (0, -3 * a**2 - 0.5 * root, "√a is a to the power 1/2: one less is −1/2."),
        ]
        expect_numbers(received, _gradient(a, b, c), shown, misconceptions, names=("a", "b", "c"))
    return "All three derivatives hold, at four different points."


# -- differences -----------------------------------------------------------------------


def _cube(x: float) -> float:
    return x**3


def _product_and_square(x: float, y: float) -> float:
    return x * y + y**2


def _of_four(w: float, x: float, y: float, z: float) -> float:
    return w * x * y - z**2 * x + math.sin(y) + w**3


# Points and steps are sums of powers of two, so that a nudge can be taken away exactly; but for
# the last two cases: for those who rely on that, and for those who nudge in single precision.
CASES: list[tuple[Function, Point, float]] = [
    (_cube, [2.0], 0.125),
    (_product_and_square, [3.0, 0.5], 0.25),
    (_exercise_f, [2.0, 3.0, 4.0], 0.5),
    (_of_four, [1.5, -0.5, 2.0, 3.25], 0.0625),
    (_product_and_square, [-2.5, 0.75], 0.375),
    (_product_and_square, [1.0, 1.0], 0.25),
    (_of_four, [0.0, 1.5, 0.0, 1.5], 0.125),
    (_exercise_f, [2, 3, 4], 0.25),
    (_cube, [0.3], 0.1),
    (_of_four, [0.3, -0.7, 1.1, 2.3], 1e-4),
]
UNDO = "Undo each nudge before the next one."
TOGETHER = "Move one input at a time; the others stay put."
PARENTHESES = "Put the difference in parentheses. Without them, only its second part is divided."
EQUAL = "Two inputs may hold the same number: index finds the first of them. Count the inputs."
WHOLE_NUMBERS = "An array of ints keeps only the whole part of a number. Make it of floats."
COARSE = "Single precision is too coarse for small differences. Use double precision."
IGNORED = "The result is the same for twice the h. Is the argument h used?"


@checker
def numerical_gradient(answer: Any) -> str:
    """Check a function ``(f, point, h)`` that returns the forward differences of ``f``."""
    later = "That is the symmetric difference: it comes next."
    _check_differences(
        answer,
        "numerical_gradient",
        lambda here, ahead, back, h: (ahead - here) / h,
        [
            (lambda here, ahead, back, h: ahead - here, "Divide by the step h."),
            (lambda here, ahead, back, h: (ahead - here) * h, "Divide by the step h."),
            (lambda here, ahead, back, h: ahead - here / h, PARENTHESES),
            (
                lambda here, ahead, back, h: (here - back) / h,
                "That is the step backward: f(x) − f(x − h).",
            ),
            (lambda here, ahead, back, h: (ahead - back) / (2 * h), later),
            (
                lambda here, ahead, back, h: (ahead - back) / h,
                "The step goes to one side only: f(x + h) − f(x).",
            ),
        ],
        halved=later,
    )
    return "Forward differences, for functions of one to four inputs."


@checker
def symmetric_gradient(answer: Any) -> str:
    """Check a function ``(f, point, h)`` that returns the symmetric differences of ``f``."""
    one_sided = "That is one-sided. Step back by h as well."
    distance = "Divide by the distance between the two points, 2h."
    _check_differences(
        answer,
        "symmetric_gradient",
        lambda here, ahead, back, h: (ahead - back) / (2 * h),
        [
            (
                lambda here, ahead, back, h: (ahead - back) / h,
                "The two points are 2h apart: divide by 2h.",
            ),
            (
                lambda here, ahead, back, h: (ahead - back) / 2 * h,
                "/ 2 * h divides by 2 and then multiplies by h. Write / (2 * h).",
            ),
            (lambda here, ahead, back, h: ahead - back, distance),
            (lambda here, ahead, back, h: (ahead - back) / 2, distance),
            (lambda here, ahead, back, h: ahead - back / (2 * h), PARENTHESES),
            (lambda here, ahead, back, h: ahead - back / 2 * h, PARENTHESES),
            (lambda here, ahead, back, h: (ahead - here) / h, one_sided),
            (lambda here, ahead, back, h: (ahead - here) / (2 * h), one_sided),
            (lambda here, ahead, back, h: ahead - here, one_sided),
            (
                lambda here, ahead, back, h: (here - back) / h,
                "That is one-sided, backward. Step ahead by h as well.",
            ),
        ],
        halved="Step by the whole h to each side.",
    )
    return "Symmetric differences: the error now shrinks with h², not with h."


def _check_differences(
    answer: Any, name: str, difference: Difference, mistakes: list[Mistake], halved: str
) -> None:
    """Stop unless the answer returns these differences; ``halved`` hints at steps of h/2."""
    for f, point, h in CASES:
        shown = f"{name}({f.__name__.strip('_')}, {point}, {h})"
        given = list(point)
        called = OneByOne(f, point, shown)
        received = run(answer, called, given, h, shown=shown, may_change=(1,))
        if given != point:
            _fail_changed(given, point, shown)
        expected = [difference(*_values(f, point, i, h), h) for i in range(len(point))]
        misconceptions = [
            (i, wrong, hint)
            for i in range(len(point))
            for wrong, hint in _misconceptions(f, point, i, h, difference, mistakes, halved)
        ]
        names = tuple(inspect.signature(f).parameters)
        compare = functools.partial(expect_numbers, received, expected, shown, misconceptions)
        problem = stopped(functools.partial(compare, names=names))
        if problem is None:
            continue
        hint = problem.hint
        if called.coarse and not (hint and called.even):
            hint = COARSE
        elif not hint and point == CASES[0][1] and _ignores_h(answer, name, received):
            hint = IGNORED
        stop(Verdict(problem.status, problem.message, hint))


class OneByOne:
    """A function that ends the check where it is given its inputs in a list."""

    def __init__(self, f: Function, point: Point, shown: str) -> None:
        functools.update_wrapper(self, f)
        self.even = all(map(_is_single, point))  # whether single precision holds the point
        self.f, self.shown = f, shown
        self.coarse = False  # whether it was called with numbers of single precision

    def __call__(self, *args: Any) -> float:
        """Return the value of the function."""
        if any(isinstance(x, (list, tuple)) or getattr(x, "shape", ()) != () for x in args):
            fail(
                f"{self.shown} calls f with a list or an array.",
                "f takes its inputs one by one: f(*point).",
            )
        self.coarse |= any(str(getattr(x, "dtype", "")).endswith("float32") for x in args)
        self.coarse |= not self.even and all(map(_is_single, args))  # as Python's floats
        return self.f(*args)


def _is_single(number: Any) -> bool:
    """Whether single precision holds the number as it is."""
    try:
        return bool(struct.unpack("f", struct.pack("f", number))[0] == number)
    except (struct.error, OverflowError):
        return False


def _fail_changed(given: Point, point: Point, shown: str) -> NoReturn:
    hint = "Work on a copy."
    if len(given) == len(point) and all(map(close, given, point)):
        hint = (
            "To add h and take it away again leaves a rounding error. "
            "Put the old number back, or work on a copy."
        )
    fail(f"{shown} changed the list that it was given to {given}.", hint)


def _values(
    f: Function, point: Point, i: int, h: float, left: float = 0.0
) -> tuple[float, float, float]:
    """Return ``f`` here, and where input ``i`` is moved ahead and back by ``h``.

    The inputs before it are moved by ``left``.
    """

    def at(step: float) -> float:
        steps = [left] * i + [step] + [0.0] * (len(point) - i - 1)
        return f(*[x + s for x, s in zip(point, steps)])

    return at(0.0), at(h), at(-h)


def _misconceptions(
    f: Function,
    point: Point,
    i: int,
    h: float,
    difference: Difference,
    mistakes: list[Mistake],
    halved: str,
) -> Iterator[tuple[float, str]]:
    """Yield the numbers that known mistakes give for input ``i``, with their hints.

    Most show where there is one input. With several, those are left that move more than one, or
    the wrong one, or move it not as far.
    """
    if isinstance(point[i], int):
        ahead, back = (f(*point[:i], int(point[i] + s), *point[i + 1 :]) for s in (h, -h))
        yield difference(f(*point), ahead, back, h), WHOLE_NUMBERS
        return
    if (first := point.index(point[i])) != i:
        yield difference(*_values(f, point, first, h), h), EQUAL
    if len(point) > 1 and i == 0:
        all_ahead, all_back = (f(*[x + step for x in point]) for step in (h, -h))
        yield difference(f(*point), all_ahead, all_back, h), TOGETHER
        return
    if i > 0:
        for wrong in _never_undone(f, point, i, h, difference):
            yield wrong, UNDO
        return
    here, ahead, back = _values(f, point, i, h)
    for mistake, hint in mistakes:
        yield mistake(here, ahead, back, h), hint
    _, half_ahead, half_back = _values(f, point, i, h / 2)
    yield (half_ahead - half_back) / h, halved
    turned = "The sign is reversed: the point ahead comes first."
    yield -difference(here, ahead, back, h), turned


def _never_undone(
    f: Function, point: Point, i: int, h: float, difference: Difference
) -> list[float]:
    """Return what comes out for input ``i`` when the inputs before it are still nudged."""
    here = f(*point)
    _, ahead, _ = _values(f, point, i, h, left=h)
    _, _, back = _values(f, point, i, h, left=-h)
    derivatives = [difference(here, ahead, back, h)]
    for left in (h, -h):
        derivatives.append(difference(*_values(f, point, i, h, left), h))
    return derivatives


def _ignores_h(answer: Any, name: str, received: Any) -> bool:
    """Whether the slope of the cube, which was received, is the same for another step."""
    _, point, h = CASES[0]
    try:
        (slope,) = map(float, received)  # before the next call, which may write into the same list
        (again,) = run(answer, _cube, list(point), 2 * h, shown=f"{name}(cube, {point}, {2 * h})")
        return close(again, slope, 1e-12)
    except (TypeError, ValueError):
        return False
