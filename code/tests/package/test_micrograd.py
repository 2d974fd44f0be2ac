"""Every operator of ``Value`` beside PyTorch in double precision, and what it refuses."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
    "k", [3, -2.5, np.float64(1.5), np.float32(0.25), np.int64(-4), Fraction(1, 8)], ids=repr
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


def test_tanh_saturates_without_an_error() -> None:
    for x in (-1000.0, 1000.0):
        same(lambda v: v.tanh(), x)


# -- what is refused -----------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (lambda: Value("x"), TypeError, ["data", "'x'"]),  # type: ignore[arg-type] # refused
        (lambda: Value(None), TypeError, ["data", "None"]),
        (lambda: Value(True), TypeError, ["data", "True"]),
        (lambda: Value(math.nan), ValueError, ["data", "finite", "nan"]),
        (lambda: Value(-math.inf), ValueError, ["data", "finite", "-inf"]),  # type: ignore[arg-type] # refused
        (lambda: Value(1j), TypeError, ["data", "1j"]),  # type: ignore[arg-type] # refused
        (lambda: Value(torch.tensor(1.0)), TypeError, ["data", "tensor"]),
        (lambda: Value(1.0) + "x", TypeError, ["'x'"]),  # type: ignore[operator] # refused
        (lambda: [1.0] * Value(2.0), TypeError, ["[1.0]"]),  # type: ignore[operator] # refused
        (lambda: np.array([1.0, 2.0]) * Value(2.0), TypeError, ["array([1., 2.])"]),
        (lambda: Value(2.0) ** cast("Any", Value(3.0)), TypeError, ["exponent", "Value", ".log()"]),
        (lambda: 2 ** Value(3.0), TypeError, ["'int' and 'Value'"]),
        (lambda: np.float64(2.5) ** Value(3.0), TypeError, ["and 'Value'"]),
        (lambda: Value(2.0) ** math.inf, ValueError, ["exponent", "finite", "inf"]),
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
        (lambda: Value(1000.0).exp(), OverflowError, ["exp", "1000.0", "inf"]),
        (lambda: Value(1e200) ** 2, OverflowError, ["^2", "1e+200", "inf"]),
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


# -- numbers that are too large ------------------------------------------------

SIZES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),  # no -0.0
    st.builds(lambda sign, e: sign * 10.0**e, st.sampled_from([1, -1]), st.integers(-320, 308)),
)
EXPONENTS = [-3, -2, -1, -0.5, 0, 0.25, 0.5, 1, 1.5, 2, 3]
ALL: dict[str, Function] = {
    **{name: lambda x, y, f=f: f(x, y) for name, f in TWO_NODES.items()},
    **{name: lambda x, _, f=f: f(x) for name, f in FUNCTIONS.items()},
    "log": lambda x, _: x.log(),
    **{f"x ** {k}": lambda x, _, k=k: x**k for k in EXPONENTS},
}


@pytest.mark.parametrize("name", ALL)
@settings(deadline=None, max_examples=100)
@given(SIZES, SIZES)
def test_a_finite_number_as_in_pytorch_or_an_error(name: str, x: float, y: float) -> None:
    """Derivatives may be infinite: then they are in PyTorch, too, with the same sign."""
    nodes = [Value(x), Value(y)]
    tensors = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (x, y)]
    expected = ALL[name](*tensors)
    if not math.isfinite(expected.item()):
        with pytest.raises((OverflowError, ZeroDivisionError, ValueError)):
            ALL[name](*nodes)
        return
    out = ALL[name](*nodes)
    expected.backward()
    assert out.data == pytest.approx(expected.item(), rel=1e-14, abs=1e-307)
    for child, local_grad in zip(out._children, out._local_grads):
        right = tensors[nodes.index(child)].grad
        assert right is not None
        near = 1e-15 if name == "tanh" else 1e-307  # 1 − t² keeps few digits near zero
        assert local_grad == pytest.approx(right.item(), rel=1e-13, abs=near)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda: Value(1e308) + 1e308, ["+", "1e+308, 1e+308", "inf"]),
        (lambda: -1e308 - Value(1e308), ["−", "-inf"]),
        (lambda: Value(1e200) * Value(-1e200), ["×", "1e+200, -1e+200", "-inf"]),
        (lambda: Value(1e200) / 1e-200, ["÷", "inf"]),
        (lambda: Value(-1e200) ** 3, ["^3", "-1e+200", "-inf"]),
        (lambda: Value(1e-200) ** -2, ["^-2", "1e-200", "inf"]),
        (lambda: Value(709.8).exp(), ["exp", "709.8", "inf"]),
    ],
)
def test_a_result_too_large_names_operation_and_operands(
    bad: Callable[[], object], words: list[str]
) -> None:
    with pytest.raises(OverflowError, match="not a finite number") as caught:
        bad()
    for word in words:
        assert word in str(caught.value)


def test_a_number_that_training_has_spoiled_is_refused_where_it_is_used() -> None:
    w = Value(2.0)
    w.data -= 0.1 * math.nan
    for use in (lambda: w + 1, lambda: 2 * w, lambda: w.relu(), lambda: w.exp(), lambda: w**2):
        with pytest.raises(OverflowError, match="nan"):
            use()


# -- what a node is ------------------------------------------------------------


def test_data_is_a_plain_float() -> None:
    for number in (2, np.float32(2), np.int64(2), Fraction(2)):
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


def readme(a: Any, b: Any) -> Any:
    c, d = a + b, a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


def gates(x: Any) -> Any:
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    return h + q + q * x


def test_micrograds_own_two_programs() -> None:
    """Those of its tests: int operands on both sides, in-place addition, ReLU, powers, division."""
    same(gates, -4.0)
    same(readme, -4.0, 2.0)


def test_the_expression_of_the_readme() -> None:
    a, b = Value(-4.0), Value(2.0)
    g = readme(a, b)
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
