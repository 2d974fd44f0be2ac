"""Every operator of ``Value`` beside PyTorch in double precision, and what it refuses."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest
import torch

from zerotohero.micrograd import Value
from zerotohero.reproduce import published_figures

Function = Callable[..., Any]

TWO_NODES: dict[str, Function] = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x / y": lambda x, y: x / y,
}
WITH_CONSTANT: dict[str, Function] = {
    "x + k": lambda x, k: x + k,
    "k + x": lambda x, k: k + x,
    "x - k": lambda x, k: x - k,
    "k - x": lambda x, k: k - x,
    "x * k": lambda x, k: x * k,
    "k * x": lambda x, k: k * x,
    "x / k": lambda x, k: x / k,
    "k / x": lambda x, k: k / x,
}
FUNCTIONS: dict[str, Function] = {
    "neg": lambda x: -x,
    "tanh": lambda x: x.tanh(),
    "relu": lambda x: x.relu(),
    "exp": lambda x: x.exp(),
}


def same(function: Function, *numbers: float, on_torch: Function | None = None) -> None:
    """Assert the same value and gradients as PyTorch's, for one program."""
    nodes = [Value(number) for number in numbers]
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in numbers]
    out, expected = function(*nodes), (on_torch or function)(*tensors)
    assert isinstance(out, Value)
    out.backward()
    expected.backward()
    assert out.data == pytest.approx(expected.item(), rel=1e-14, abs=1e-15)
    for node, tensor in zip(nodes, tensors):
        assert tensor.grad is not None
        assert node.grad == pytest.approx(tensor.grad.item(), rel=1e-14, abs=1e-15)


@pytest.mark.parametrize(
    ("x", "y"), [(1.5, -0.7), (-2.0, 3.0), (0.3, 0.3), (0.0, 1e-3), (-1e8, 1e8)]
)
@pytest.mark.parametrize("name", TWO_NODES)
def test_two_nodes(name: str, x: float, y: float) -> None:
    same(TWO_NODES[name], x, y)


@pytest.mark.parametrize(
    "k", [3, -2.5, True, np.float64(1.5), np.float32(0.25), np.int64(-4), Fraction(1, 8)], ids=repr
)
@pytest.mark.parametrize("name", WITH_CONSTANT)
def test_a_plain_number_on_either_side(name: str, k: Any) -> None:
    function = WITH_CONSTANT[name]
    for x in (1.7, -0.4):
        same(lambda node: function(node, k), x, on_torch=lambda t: function(t, float(k)))


@pytest.mark.parametrize("x", [-3.0, -0.5, -0.0, 0.0, 1e-9, 0.8, 2.0, 25.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, x: float) -> None:
    same(FUNCTIONS[name], x)


@pytest.mark.parametrize("x", [1e-12, 0.5, 1.0, 7.0])
def test_log(x: float) -> None:
    same(lambda v: v.log(), x)


@pytest.mark.parametrize("k", [-2, -1, 0, 1, 2, 3, -1.0, 4.0, np.int64(3), np.float64(-2.0)])
@pytest.mark.parametrize("x", [-2.5, -1.0, 0.4, 3.0])
def test_whole_powers(x: float, k: Any) -> None:
    same(lambda v: v**k, x, on_torch=lambda t: t ** float(k))


@pytest.mark.parametrize("k", [-1.5, 0.5, 1 / 3, 2.5, np.float64(0.5), Fraction(1, 4)])
@pytest.mark.parametrize("x", [1e-6, 0.4, 3.0])
def test_fractional_powers(x: float, k: Any) -> None:
    same(lambda v: v**k, x, on_torch=lambda t: t ** float(k))


@pytest.mark.parametrize("k", [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0])
def test_powers_of_zero(k: float) -> None:
    same(lambda v: v**k, 0.0)  # the square root's derivative is infinite there, as PyTorch's is


def test_square_root_at_zero() -> None:
    x = Value(0.0)
    root = x**0.5
    root.backward()
    assert root.data == 0.0
    assert x.grad == math.inf


def test_relu_keeps_nan() -> None:
    assert math.isnan(Value(math.nan).relu().data)


def test_tanh_saturates_without_an_error() -> None:
    for x in (-1000.0, 1000.0):
        same(lambda v: v.tanh(), x)


# -- what is refused -----------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (lambda: Value("x"), TypeError, ["data", "'x'", "str"]),  # type: ignore[arg-type] # refused
        (lambda: Value(None), TypeError, ["data", "None"]),  # type: ignore[arg-type] # refused
        (lambda: Value(1j), TypeError, ["data", "1j", "complex"]),  # type: ignore[arg-type] # refused
        (lambda: Value(torch.tensor(1.0)), TypeError, ["data", "tensor"]),
        (lambda: Value(1.0) + "x", TypeError, ["'x'"]),  # type: ignore[operator] # refused
        (lambda: [1.0] * Value(2.0), TypeError, ["[1.0]"]),  # type: ignore[operator] # refused
        (lambda: np.array([1.0, 2.0]) * Value(2.0), TypeError, ["array([1., 2.])"]),
        (lambda: Value(2.0) ** cast("Any", Value(3.0)), TypeError, ["exponent", "Value", ".log()"]),
        (lambda: 2 ** Value(3.0), TypeError, ["exponent", "2 ** Value"]),
        (lambda: np.float64(2.5) ** Value(3.0), TypeError, ["exponent", "2.5"]),
        (lambda: Value(2.0) ** "3", TypeError, ["exponent", "'3'"]),  # type: ignore[operator] # refused
        (lambda: Value(-8.0) ** 0.5, ValueError, ["-8.0", "0.5"]),
        (lambda: Value(-8.0) ** (1 / 3), ValueError, ["-8.0", "0.333"]),
        (lambda: Value(0.0).log(), ValueError, ["log", "0.0"]),
        (lambda: Value(-2.5).log(), ValueError, ["log", "-2.5"]),
        (lambda: Value(3.5) / 0, ZeroDivisionError, ["3.5", "zero"]),
        (lambda: Value(3.5) / Value(0.0), ZeroDivisionError, ["3.5", "zero"]),
        (lambda: Value(3.5) / Value(-0.0), ZeroDivisionError, ["3.5", "zero"]),
        (lambda: 1 / Value(0.0), ZeroDivisionError, ["1.0", "zero"]),
        (lambda: Value(0.0) ** -1, ZeroDivisionError, ["-1.0"]),
        (lambda: Value(0.0) ** -0.5, ZeroDivisionError, ["-0.5"]),
        (lambda: Value(1000.0).exp(), OverflowError, ["exp(1000.0)"]),
        (lambda: Value(1e200) ** 2, OverflowError, ["1e+200 ** 2.0"]),
    ],
)
def test_refused(bad: Callable[[], object], error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        bad()
    for word in words:
        assert word in str(caught.value)


def test_refusing_leaves_the_operands_alone() -> None:
    a, b = Value(3.0, "a"), Value(0.0, "b")
    with pytest.raises(ZeroDivisionError):
        a / b
    assert (a.data, a.grad, b.data, b.grad) == (3.0, 0.0, 0.0, 0.0)


# -- what a node is ------------------------------------------------------------


def test_data_is_a_plain_float() -> None:
    for number in (2, True, np.float32(2), np.int64(2), Fraction(2)):
        assert type(Value(number).data) is float  # type: ignore[arg-type] # real, but no float


def test_representation() -> None:
    assert repr(Value(2, "w")) == "Value(data=2.0, grad=0.0, label='w')"
    assert repr(Value(-0.5)) == "Value(data=-0.5, grad=0.0)"


def test_equal_numbers_are_different_nodes() -> None:
    assert len({Value(1.0), Value(1.0)}) == 2


# -- published figures ---------------------------------------------------------


def close_to(key: str) -> Any:
    return pytest.approx(published_figures()[key]["published"], abs=1e-4)


def test_the_neuron_of_the_lecture() -> None:
    x1, x2, w1, w2 = (Value(x) for x in (2.0, 0.0, -3.0, 1.0))
    out = (x1 * w1 + x2 * w2 + 6.8813735870195432).tanh()
    out.backward()
    assert out.data == close_to("lecture1.neuron.out")
    for name, node in {"x1": x1, "x2": x2, "w1": w1, "w2": w2}.items():
        assert node.grad == close_to(f"lecture1.neuron.grads.{name}")


def test_the_expression_of_the_readme() -> None:
    a, b = Value(-4.0), Value(2.0)
    c, d = a + b, a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert g.data == close_to("lecture1.expression.g")
    assert a.grad == close_to("lecture1.expression.dg_da")
    assert b.grad == close_to("lecture1.expression.dg_db")


def test_the_softmax_exercise() -> None:
    logits = [Value(x) for x in (0.0, 3.0, -2.0, 1.0)]
    counts = [z.exp() for z in logits]
    loss = -(counts[3] / sum(counts)).log()
    loss.backward()
    assert loss.data == close_to("lecture1.exercise_softmax_nll.loss")
    assert [z.grad for z in logits] == close_to("lecture1.exercise_softmax_nll.grads")


def test_the_exercise_gradient() -> None:
    a, b, c = Value(2.0), Value(3.0), Value(4.0)
    without_sine = -(a**3) - 1 / c + b**2.5 - a**0.5  # Value has no sine
    without_sine.backward()
    gradient = [a.grad, b.grad + 3 * math.cos(9.0), c.grad]
    assert without_sine.data + math.sin(9.0) == close_to("lecture1.exercise_gradient.value")
    assert gradient == close_to("lecture1.exercise_gradient.gradient")
