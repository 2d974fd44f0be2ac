"""Compare the gradients of ``backward`` with finite differences, and name a wrong one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..arguments import require_number
from .engine import Number, Value


class GradientCheck(NamedTuple):
    """One argument's gradient, from backpropagation and from a symmetric difference."""

    name: str
    backward: float
    numerical: float


class GradientMismatch(AssertionError):
    """Backpropagation and finite differences disagree."""


def check_gradients(
    f: Callable[..., Value],
    inputs: Sequence[Number],
    *,
    h: float = 1e-5,
    rtol: float = 1e-5,
    atol: float = 1e-7,
) -> list[GradientCheck]:
    """Check every gradient of ``f(*inputs)`` against ``(f(x + h) - f(x - h)) / 2h``.

    Parameters
    ----------
    f : callable
        Takes one ``Value`` for each input and returns a ``Value``. For the parameters
        of a network: ``check_gradients(lambda *parameters: loss(), model.parameters())``.
    inputs : sequence of Value or float
        Where to check. The data and gradients of given ``Value`` objects are restored.
    h : float
        Step of the difference, scaled by the size of the input where that is above 1.
    rtol, atol : float
        Allowed difference: ``atol + rtol * |numerical|``.

    Returns
    -------
    list of GradientCheck
        Name, backward gradient and numerical gradient of each input.

    Raises
    ------
    GradientMismatch
        Naming the function, the input, what was expected and what was received.
    TypeError, ValueError
        If ``f`` does not return a ``Value``, ``inputs`` is not a list of numbers, or ``h``,
        ``rtol`` or ``atol`` is out of range.
    """
    if not isinstance(inputs, Iterable):
        raise TypeError(f"inputs must be a list of numbers, got {inputs!r}")
    require_number(1e-12, 1.0, h=h)  # a smaller step would be lost in rounding
    require_number(0.0, rtol=rtol, atol=atol)
    values = [x if isinstance(x, Value) else Value(x) for x in inputs]
    remembered = [(v.data, v.grad) for v in values]
    try:
        for v in values:
            v.grad = 0.0
        out = f(*values)
        if not isinstance(out, Value):
            raise TypeError(f"f must return a Value, got {type(out).__name__}")
        out.backward()
        checks = []
        for i, v in enumerate(values):
            numerical = _symmetric_difference(f, values, v, h)
            checks.append(GradientCheck(v.label or f"input {i}", v.grad, numerical))
    finally:
        for v, (data, grad) in zip(values, remembered):
            v.data, v.grad = data, grad
    name = getattr(f, "__name__", repr(f))
    for check in checks:
        error = abs(check.backward - check.numerical)
        allowed = atol + rtol * abs(check.numerical)
        if not (error <= allowed < math.inf):  # nan and infinity prove nothing: they fail
            raise GradientMismatch(
                f"{name}: the gradient of {check.name} should be {check.numerical:.8g} "
                f"(finite differences), but backward gave {check.backward:.8g}"
            )
    return checks


def _symmetric_difference(
    f: Callable[..., Value], values: list[Value], v: Value, h: float
) -> float:
    x = v.data
    step = h * max(1.0, abs(x))
    v.data = x + step
    above, x_above = f(*values).data, v.data
    v.data = x - step
    below, x_below = f(*values).data, v.data
    v.data = x
    return (above - below) / (x_above - x_below)  # the step that floats really took
