"""The checks of slopes: right answers of several kinds, and known mistakes."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from check_answers import outcome

from zerotohero.check import micrograd
from zerotohero.check.micrograd import derivatives
from zerotohero.check.numbers import close

Function = Callable[..., float]
Point = Sequence[float]


# -- exercise 1: the derivatives on paper --------------------------------------------


def gradient(a: float, b: float, c: float) -> list[float]:
    return [-3 * a**2 - 1 / (2 * a**0.5), 3 * math.cos(3 * b) + 2.5 * b**1.5, c**-2.0]


@pytest.mark.parametrize(
    ("entry", "wrong", "hint"),
    [
        (1, lambda a, b, c: math.cos(3 * b) + 2.5 * b**1.5, "The inner derivative of sin 3b is 3."),
        (
            1,
            lambda a, b, c: -3 * math.cos(3 * b) + 2.5 * b**1.5,
            "The derivative of sin is cos, with plus.",
        ),
        (2, lambda a, b, c: -1 / c**2, "−1/c is −c⁻¹: the two minus signs cancel."),
        (0, lambda a, b, c: -3 * a**2, "f has two terms with a: the square root counts too."),
        (0, lambda a, b, c: -3 * a**2 + 0.5 * a**-0.5, "The square root of a is subtracted in f."),
        (0, lambda a, b, c: 3 * a**2 - 0.5 * a**-0.5, "a³ is subtracted in f."),
        (1, lambda a, b, c: 3 * math.cos(3 * b), "f has two terms with b."),
        (1, lambda a, b, c: 2.5 * b**1.5, "f has two terms with b."),
        (
            1,
            lambda a, b, c: 3 * math.cos(3 * b) + 2.5 * b**2.5,
            "The power rule lowers the exponent by 1: 2.5 to 1.5.",
        ),
        (
            1,
            lambda a, b, c: 3 * math.cos(3 * b) + b**1.5,
            "The power rule puts the exponent, 2.5, in front.",
        ),
        (
            0,
            lambda a, b, c: -3 * a**2 - a**-0.5,
            "The power rule puts the exponent of √a, 1/2, in front.",
        ),
        (
            0,
            lambda a, b, c: -3 * a**2 - 0.5 * a**0.5,
            "√a is a to the power 1/2: one less is −1/2.",
        ),
        (1, lambda a, b, c: math.cos(3 * b), ""),
    ],
)
def test_analytic_gradient_wrong(entry: int, wrong: Function, hint: str) -> None:
    def answer(a: float, b: float, c: float) -> list[float]:
        return [wrong(a, b, c) if i == entry else x for i, x in enumerate(gradient(a, b, c))]

    expected, received = gradient(3, 2, 4)[entry], wrong(3, 2, 4)
    numbers = f"entry {entry} ({'abc'[entry]}) should be {expected:.8g}, received {received:.8g}"
    outcome(micrograd.analytic_gradient(answer), "(3.0, 2.0, 4.0)", numbers, hint=hint)


def test_analytic_gradient_of_another_shape() -> None:
    outcome(
        micrograd.analytic_gradient(lambda a, b, c: gradient(a, b, c)[:2]),
        "should return 3 numbers",
    )
    outcome(
        micrograd.analytic_gradient(lambda a, b, c: 4.0), "should return 3 numbers, received 4.0"
    )
    outcome(
        micrograd.analytic_gradient(lambda a, b, c: [0, 0, 0]), "should be -27.288675, received 0"
    )


def test_analytic_gradient_right_at_one_point_only() -> None:
    outcome(micrograd.analytic_gradient(lambda a, b, c: gradient(3, 2, 4)), "(1.0, 0.5, -2.0)")


# -- exercises 2 and 3: differences --------------------------------------------------


def at(f: Function, point: Point, i: int, step: float) -> float:
    return f(*[x + step * (k == i) for k, x in enumerate(point)])


def everywhere(rule: Callable[[Function, Point, int, float], float]) -> Callable[..., list[float]]:
    return lambda f, point, h: [rule(f, point, i, h) for i in range(len(point))]


forward = everywhere(lambda f, p, i, h: (at(f, p, i, h) - f(*p)) / h)
backward = everywhere(lambda f, p, i, h: (f(*p) - at(f, p, i, -h)) / h)
symmetric = everywhere(lambda f, p, i, h: (at(f, p, i, h) - at(f, p, i, -h)) / (2 * h))
together = everywhere(lambda f, p, i, h: (f(*[x + h for x in p]) - f(*p)) / h)
together_symmetric = everywhere(
    lambda f, p, i, h: (f(*[x + h for x in p]) - f(*[x - h for x in p])) / (2 * h)
)


ONE_SIDED = "That is one-sided. Step back by h as well."
TWICE = "The two points are 2h apart: divide by 2h."
PARENTHESES = "Put the difference in parentheses. Without them, only its second part is divided."
TIMES_H = "/ 2 * h divides by 2 and then multiplies by h. Write / (2 * h)."
DISTANCE = "Divide by the distance between the two points, 2h."
IGNORED = "The result is the same for twice the h. Is the argument h used?"
ONE_SIDE = "The step goes to one side only: f(x + h) − f(x)."
AHEAD = "That is one-sided, backward. Step ahead by h as well."
DIVIDE = "Divide by the step h."
TURNED = "The sign is reversed: the point ahead comes first."
BACKWARD = "That is the step backward: f(x) − f(x − h)."
TOGETHER = "Move one input at a time; the others stay put."
LATER = "That is the symmetric difference: it comes next."
WHOLE = "Step by the whole h to each side."
UNDO = "Undo each nudge before the next one."


not_divided = everywhere(lambda f, p, i, h: at(f, p, i, h) - f(*p))
divided_by_h = everywhere(lambda f, p, i, h: (at(f, p, i, h) - at(f, p, i, -h)) / h)
by_halves = everywhere(lambda f, p, i, h: (at(f, p, i, h / 2) - at(f, p, i, -h / 2)) / h)


def never_undone(f: Function, point: Point, h: float) -> list[float]:
    nudged, slopes = list(point), []
    for i in range(len(point)):
        nudged[i] += h
        slopes.append((f(*nudged) - f(*point)) / h)
    return slopes


def from_the_last_nudge(f: Function, point: Point, h: float) -> list[float]:
    nudged, slopes = list(point), []
    for i in range(len(point)):
        here = f(*nudged)
        nudged[i] += h
        slopes.append((f(*nudged) - here) / h)
    return slopes


def two_never_undone(f: Function, point: Point, h: float) -> list[float]:
    ahead, back, slopes = list(point), list(point), []
    for i in range(len(point)):
        ahead[i] += h
        back[i] -= h
        slopes.append((f(*ahead) - f(*back)) / (2 * h))
    return slopes


def left_on_one_side(first: int) -> Callable[..., list[float]]:
    """Return symmetric differences on one copy, which stays at the side visited last."""

    def answer(f: Function, point: Point, h: float) -> list[float]:
        nudged, slopes = list(point), []
        for i in range(len(point)):
            nudged[i] += first * h
            one = f(*nudged)
            nudged[i] -= 2 * first * h
            slopes.append((one - f(*nudged)) / (2 * first * h))
        return slopes

    return answer


def fixed(rule: Callable[[Function, Point, float], list[float]], h: float) -> Function:
    """Return differences with a step of their own."""
    return lambda f, point, _: rule(f, point, h)


times_h = everywhere(lambda f, p, i, h: (at(f, p, i, h) - at(f, p, i, -h)) / 2 * h)
forward_times_h = everywhere(lambda f, p, i, h: (at(f, p, i, h) - f(*p)) * h)
bare = everywhere(lambda f, p, i, h: at(f, p, i, h) - f(*p) / h)
bare_symmetric = everywhere(lambda f, p, i, h: at(f, p, i, h) - at(f, p, i, -h) / (2 * h))
bare_times_h = everywhere(lambda f, p, i, h: at(f, p, i, h) - at(f, p, i, -h) / 2 * h)
halved = everywhere(lambda f, p, i, h: (at(f, p, i, h) - at(f, p, i, -h)) / 2)
not_divided_symmetric = everywhere(lambda f, p, i, h: at(f, p, i, h) - at(f, p, i, -h))
one_sided_by_2h = everywhere(lambda f, p, i, h: (at(f, p, i, h) - f(*p)) / (2 * h))


def first_for_all(rule: Callable[[Function, Point, float], list[float]]) -> Function:
    return lambda f, point, h: rule(f, point, h)[:1] * len(point)


@pytest.mark.parametrize(
    ("answer", "numbers", "hint"),
    [
        (not_divided, "entry 0 (x) should be 12.765625, received 1.5957031", DIVIDE),
        (forward_times_h, "received 0.19946289", DIVIDE),
        (bare, "received -54.404297", PARENTHESES),
        (backward, "received 11.265625", BACKWARD),
        (symmetric, "received 12.015625", LATER),
        (divided_by_h, "received 24.03125", ONE_SIDE),
        (by_halves, "received 12.003906", LATER),
        (never_undone, "[3.0, 0.5], 0.25): entry 1 (y) should be 4.25, received 5", UNDO),
        (from_the_last_nudge, "0.25): entry 1 (y) should be 4.25, received 4.5", UNDO),
        (everywhere(lambda f, p, i, h: -forward(f, p, h)[i]), "received -12.765625", TURNED),
        (
            together,
            "(product_and_square, [3.0, 0.5], 0.25): entry 0 (x) should be 0.5, received 5",
            TOGETHER,
        ),
        (fixed(forward, 1e-6), "entry 0 (x) should be 12.765625, received 12.000006", IGNORED),
        (fixed(forward, 0.1), "received 12.61", IGNORED),
        (lambda f, p, h: [12.0], "received 12", IGNORED),
        (lambda f, p, h: [h], "received 0.125", ""),
        (first_for_all(forward), "0.25): entry 1 (y) should be 4.25, received 0.5", ""),
        # Where one entry is right and another wrong, the right one gives no hint.
        (lambda f, p, h: [forward(f, p, h)[0], *[7.0] * (len(p) - 1)], "entry 1", ""),
        (lambda f, p, h: forward(f, p, h)[:1], "should return 2 numbers", ""),
        (lambda f, p, h: [], "should return 1 number, received []", ""),
        (lambda f, p, h: 12.0, "should return 1 number, received 12.0", ""),
        (
            lambda f, p, h: [f(p)],
            "0.125) calls f with a list or an array.",
            "f takes its inputs one by one: f(*point).",
        ),
        (
            lambda f, p, h: [f(np.array(p))],
            "calls f with a list",
            "f takes its inputs one by one: f(*point).",
        ),
        (lambda f, p, h: [f(*p, h)], "takes 1 positional argument", ""),
    ],
)
def test_numerical_gradient_wrong(answer: Function, numbers: str, hint: str) -> None:
    outcome(micrograd.numerical_gradient(answer), numbers, hint=hint)


@pytest.mark.parametrize(
    ("answer", "numbers", "hint"),
    [
        (forward, "entry 0 (x) should be 12.015625, received 12.765625", ONE_SIDED),
        (not_divided, "received 1.5957031", ONE_SIDED),
        (one_sided_by_2h, "received 6.3828125", ONE_SIDED),
        (backward, "received 11.265625", AHEAD),
        (divided_by_h, "received 24.03125", TWICE),
        (times_h, "received 0.18774414", TIMES_H),
        (halved, "received 1.5019531", DISTANCE),
        (not_divided_symmetric, "received 3.0039062", DISTANCE),
        (bare_symmetric, "received -16.771484", PARENTHESES),
        (bare_times_h, "received 9.1837158", PARENTHESES),
        (by_halves, "received 12.003906", WHOLE),
        (two_never_undone, "0.25): entry 1 (y) should be 4, received", UNDO),
        (left_on_one_side(1), "0.25): entry 1 (y) should be 4, received 3.75", UNDO),
        (left_on_one_side(-1), "0.25): entry 1 (y) should be 4, received 4.25", UNDO),
        (everywhere(lambda f, p, i, h: -symmetric(f, p, h)[i]), "received -12.015625", TURNED),
        (together_symmetric, "product_and_square", TOGETHER),
        (fixed(symmetric, 1e-5), "received 12", IGNORED),
        # The slopes of a parabola are the same for every h, also where they are wrong.
        (first_for_all(symmetric), "0.25): entry 1 (y) should be 4, received 0.5", ""),
        (lambda f, p, h: [symmetric(f, p, h)[0], *[7.0] * (len(p) - 1)], "entry 1", ""),
    ],
)
def test_symmetric_gradient_wrong(answer: Function, numbers: str, hint: str) -> None:
    outcome(micrograd.symmetric_gradient(answer), numbers, hint=hint)


def with_array(
    nudge: Callable[[Function, Any, int, float], float],
    of: Callable[[Point], Any] = np.array,
) -> Function:
    """Return differences that are made with an array."""
    return lambda f, point, h: [nudge(f, of(point), i, h) for i in range(len(point))]


def by_an_array_of_ints(f: Function, u: Any, i: int, h: float) -> float:
    here = f(*u)
    u[i] += h
    return (f(*u) - here) / h


def by_an_array_of_ints_twice(f: Function, u: Any, i: int, h: float) -> float:
    u[i] += h
    ahead = f(*u)
    u[i] -= 2 * h
    return (ahead - f(*u)) / (2 * h)


def by_index(rule: Callable[..., list[float]]) -> Function:
    return lambda f, p, h: [rule(f, p, h)[p.index(x)] for x in p]


def by_equality(f: Function, point: Point, h: float) -> list[float]:
    return [(f(*[y + h if y == x else y for y in point]) - f(*point)) / h for x in point]


def by_equality_twice(f: Function, point: Point, h: float) -> list[float]:
    def at(x: float, step: float) -> float:
        return f(*[y + step if y == x else y for y in point])

    return [(at(x, h) - at(x, -h)) / (2 * h) for x in point]


def unless_zero(rule: Callable[..., list[float]]) -> Function:
    return lambda f, p, h: [slope if x else 0.0 for slope, x in zip(rule(f, p, h), p)]


def taken_away(f: Function, point: list[float], h: float) -> list[float]:
    slopes = []
    for i in range(len(point)):
        here = f(*point)
        point[i] += h
        slopes.append((f(*point) - here) / h)
        point[i] -= h
    return slopes


def taken_away_twice(f: Function, point: list[float], h: float) -> list[float]:
    slopes = []
    for i in range(len(point)):
        point[i] += h
        ahead = f(*point)
        point[i] -= 2 * h
        slopes.append((ahead - f(*point)) / (2 * h))
        point[i] += h
    return slopes


def in_single_precision(f: Function, u: Any, i: int, h: float) -> float:
    here = float(f(*u))
    u[i] += h
    return (float(f(*u)) - here) / h


def by_rows(f: Function, point: Point, h: float) -> list[float]:
    moved = torch.tensor([float(x) for x in point]) + h * torch.eye(len(point))
    return [(f(*row.tolist()) - f(*point)) / h for row in moved]


def by_rows_twice(f: Function, point: Point, h: float) -> list[float]:
    steps = h * np.eye(len(point), dtype=np.float32)
    x = np.array(point, dtype=np.float32)
    return [(f(*(x + s).tolist()) - f(*(x - s).tolist())) / (2 * h) for s in steps]


def single_precision(point: Point) -> torch.Tensor:
    return torch.tensor([float(x) for x in point])


WHOLE_NUMBERS = "An array of ints keeps only the whole part of a number. Make it of floats."
EQUAL = "Two inputs may hold the same number: index finds the first of them. Count the inputs."
ROUNDING = (
    "To add h and take it away again leaves a rounding error. "
    "Put the old number back, or work on a copy."
)
COARSE = "Single precision is too coarse for small differences. Use double precision."


@pytest.mark.parametrize(
    ("name", "answer", "numbers", "hint"),
    [
        ("numerical", with_array(by_an_array_of_ints), "(exercise_f, [2, 3, 4]", WHOLE_NUMBERS),
        (
            "symmetric",
            with_array(by_an_array_of_ints_twice),
            "(exercise_f, [2, 3, 4]",
            WHOLE_NUMBERS,
        ),
        ("numerical", by_index(forward), "[1.0, 1.0], 0.25): entry 1 (y)", EQUAL),
        ("symmetric", by_index(symmetric), "[1.0, 1.0], 0.25): entry 1 (y)", EQUAL),
        ("numerical", by_equality, "[1.0, 1.0], 0.25): entry 0 (x)", TOGETHER),
        ("symmetric", by_equality_twice, "[1.0, 1.0], 0.25): entry 0 (x)", TOGETHER),
        ("numerical", unless_zero(forward), "(of_four, [0.0, 1.5, 0.0, 1.5], 0.125): entry", ""),
        ("symmetric", unless_zero(symmetric), "(of_four, [0.0, 1.5, 0.0, 1.5], 0.125): entry", ""),
        ("numerical", taken_away, "(cube, [0.3], 0.1) changed the list", ROUNDING),
        ("symmetric", taken_away_twice, "(cube, [0.3], 0.1) changed the list", ROUNDING),
        ("numerical", with_array(in_single_precision, single_precision), "should be", COARSE),
        ("numerical", by_rows, "(of_four, [0.3, -0.7, 1.1, 2.3], 0.0001): entry", COARSE),
        ("symmetric", by_rows_twice, "(of_four, [0.3, -0.7, 1.1, 2.3], 0.0001): entry", COARSE),
    ],
)
def test_what_shows_only_at_some_points(
    name: str, answer: Function, numbers: str, hint: str
) -> None:
    outcome(getattr(micrograd, f"{name}_gradient")(answer), numbers, hint=hint)


def test_a_list_may_be_used_again() -> None:
    buffer: list[float] = []

    def answer(f: Function, point: Point, h: float) -> list[float]:
        buffer.clear()
        buffer.extend(x + 1 for x in forward(f, point, h))
        return buffer

    outcome(micrograd.numerical_gradient(answer), "should be 12.765625, received 13.765625")


def test_a_set_has_no_order() -> None:
    outcome(
        micrograd.analytic_gradient(lambda a, b, c: {*gradient(a, b, c)}),
        "analytic_gradient(3.0, 2.0, 4.0) should return 3 numbers, received a set.",
        hint="A set has no order.",
    )


def test_minus_zero_is_written_as_zero() -> None:
    outcome(micrograd.analytic_gradient(lambda a, b, c: [-0.0, 0, 0]), "received 0.")


@pytest.mark.parametrize("name", ["numerical_gradient", "symmetric_gradient"])
def test_the_given_list_is_not_to_be_changed(name: str) -> None:
    def careless(f: Function, point: list[float], h: float) -> list[float]:
        for i in range(len(point)):
            point[i] += h
        return [0.0] * len(point)

    outcome(getattr(micrograd, name)(careless), "changed the list", "2.1", hint="Work on a copy.")


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("analytic_gradient", gradient),
        ("numerical_gradient", forward),
        ("symmetric_gradient", symmetric),
    ],
)
def test_no_two_mistakes_give_the_same_number(
    name: str, right: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the hint of one would be given for the other."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(derivatives, "expect_numbers", lambda *args, **_: asked.append(args))
    assert getattr(micrograd, name)(right)
    compared = 0
    for _, expected, shown, mistakes in asked:
        wrong = [m for m in mistakes if not close(m[1], expected[m[0]])]
        for (i, one, hint), (j, other, another) in combinations(wrong, 2):
            if i == j and hint != another:
                assert not close(one, other), (shown, i, hint, another)
                compared += 1
    assert compared
