"""The checks of slopes: right answers of several kinds, and known mistakes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from check_answers import outcome

from zerotohero.check import micrograd

Function = Callable[..., float]
Point = Sequence[float]


# -- exercise 1: the derivatives on paper --------------------------------------------


def gradient(a: float, b: float, c: float) -> list[float]:
    return [-3 * a**2 - 1 / (2 * a**0.5), 3 * math.cos(3 * b) + 2.5 * b**1.5, c**-2.0]


def by_autograd(a: float, b: float, c: float) -> list[torch.Tensor]:
    at = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (a, b, c)]
    a_, b_, c_ = at
    (-(a_**3) + (3 * b_).sin() - 1 / c_ + b_**2.5 - a_.sqrt()).backward()
    return [x.grad.detach() for x in at if x.grad is not None]


@pytest.mark.parametrize(
    "answer",
    [gradient, lambda *p: tuple(gradient(*p)), lambda *p: np.array(gradient(*p)), by_autograd],
)
def test_analytic_gradient_right(answer: Function) -> None:
    assert micrograd.analytic_gradient(answer)


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
        (1, lambda a, b, c: math.cos(3 * b), ""),
    ],
)
def test_analytic_gradient_wrong(entry: int, wrong: Function, hint: str) -> None:
    def answer(a: float, b: float, c: float) -> list[float]:
        return [wrong(a, b, c) if i == entry else x for i, x in enumerate(gradient(a, b, c))]

    expected, received = gradient(2, 3, 4)[entry], wrong(2, 3, 4)
    numbers = f"entry {entry} should be {expected:.8g}, received {received:.8g}"
    outcome(micrograd.analytic_gradient(answer), "(2.0, 3.0, 4.0)", numbers, hint=hint)


def test_analytic_gradient_of_another_shape() -> None:
    outcome(
        micrograd.analytic_gradient(lambda a, b, c: gradient(a, b, c)[:2]),
        "should return 3 numbers",
    )
    outcome(
        micrograd.analytic_gradient(lambda a, b, c: 4.0), "should return 3 numbers, received 4.0"
    )
    outcome(
        micrograd.analytic_gradient(lambda a, b, c: [0, 0, 0]), "should be -12.353553, received 0"
    )


def test_analytic_gradient_right_at_one_point_only() -> None:
    outcome(micrograd.analytic_gradient(lambda a, b, c: gradient(2, 3, 4)), "(1.0, 0.5, -2.0)")


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


def with_arrays(steps: tuple[int, int]) -> Callable[..., Any]:
    def answer(f: Function, point: Point, h: float) -> Any:
        x, e = np.array(point), h * np.eye(len(point))
        ahead, back = (np.array([f(*(x + s * row)) for row in e]) for s in steps)
        return (ahead - back) / (h * (steps[0] - steps[1]))

    return answer


ONE_SIDED = "That is one-sided. Step back by h as well."
TWICE = "The two points are 2h apart: divide by 2h."
DIVIDE = "Divide by the step h."
TURNED = "The sign is reversed: the point ahead comes first."
BACKWARD = "That is the step backward: f(x) − f(x − h)."
TOGETHER = "Move one input at a time; the others stay put."
LATER = "That is the symmetric difference: it comes next."
WHOLE = "Step by the whole h to each side."
UNDO = "Undo each nudge before the next one."


def test_differences_right() -> None:
    for answer in (forward, with_arrays((1, 0)), lambda f, p, h: tuple(forward(f, p, h))):
        assert micrograd.numerical_gradient(answer)
    for answer in (symmetric, with_arrays((1, -1)), lambda f, p, h: iter(symmetric(f, p, h))):
        assert micrograd.symmetric_gradient(answer)


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


@pytest.mark.parametrize(
    ("answer", "numbers", "hint"),
    [
        (not_divided, "entry 0 should be 12.61, received 1.261", DIVIDE),
        (backward, "entry 0 should be 12.61, received 11.41", BACKWARD),
        (symmetric, "entry 0 should be 12.61, received 12.01", LATER),
        (divided_by_h, "entry 0 should be 12.61, received 24.02", TWICE),
        (by_halves, "entry 0 should be 12.61, received 12.0025", LATER),
        (never_undone, "0.01): entry 1 should be 1.01, received 0.02", UNDO),
        (from_the_last_nudge, "0.01): entry 1 should be 1.01, received 1.02", UNDO),
        (everywhere(lambda f, p, i, h: -forward(f, p, h)[i]), "received -12.61", TURNED),
        (
            together,
            "(product_and_square, [3.0, -1.0], 0.01): entry 0 should be -1, received",
            TOGETHER,
        ),
        (lambda f, p, h: [12.0], "entry 0 should be 12.61, received 12", ""),
        # Where one entry is right and another wrong, the right one gives no hint.
        (lambda f, p, h: [forward(f, p, h)[0], *[5.0] * (len(p) - 1)], "entry 1", ""),
        (lambda f, p, h: forward(f, p, h)[:1], "should return 2 numbers", ""),
    ],
)
def test_numerical_gradient_wrong(answer: Function, numbers: str, hint: str) -> None:
    outcome(micrograd.numerical_gradient(answer), numbers, hint=hint)


@pytest.mark.parametrize(
    ("answer", "numbers", "hint"),
    [
        (forward, "entry 0 should be 12.01, received 12.61", ONE_SIDED),
        (not_divided, "entry 0 should be 12.01, received 1.261", DIVIDE),
        (backward, "entry 0 should be 12.01, received 11.41", BACKWARD),
        (divided_by_h, "entry 0 should be 12.01, received 24.02", TWICE),
        (by_halves, "entry 0 should be 12.01, received 12.0025", WHOLE),
        (two_never_undone, "0.01): entry 1 should be 1, received", UNDO),
        (left_on_one_side(1), "0.01): entry 1 should be 1, received 0.99", UNDO),
        (left_on_one_side(-1), "0.01): entry 1 should be 1, received 1.01", UNDO),
        (everywhere(lambda f, p, i, h: -symmetric(f, p, h)[i]), "received -12.01", TURNED),
        (together_symmetric, "product_and_square", TOGETHER),
        (lambda f, p, h: [symmetric(f, p, h)[0], *[5.0] * (len(p) - 1)], "entry 1", ""),
    ],
)
def test_symmetric_gradient_wrong(answer: Function, numbers: str, hint: str) -> None:
    outcome(micrograd.symmetric_gradient(answer), numbers, hint=hint)


@pytest.mark.parametrize("name", ["numerical_gradient", "symmetric_gradient"])
def test_the_given_list_is_not_to_be_changed(name: str) -> None:
    def careless(f: Function, point: list[float], h: float) -> list[float]:
        for i in range(len(point)):
            point[i] += h
        return [0.0] * len(point)

    outcome(getattr(micrograd, name)(careless), "changed the list", "2.1", hint="Work on a copy.")
