"""The gradient checker: right gradients pass, a planted mistake is named."""

import math
import random
from typing import Any

import pytest

from zerotohero.micrograd import MLP, GradientMismatch, Value, check_gradients


class Careless(Value):
    """Forgets the minus sign in the derivative of a difference."""

    def __sub__(self, other: Any) -> Value:
        out = super().__sub__(other)
        out._local_grads = (1.0, 1.0)
        return out


def smooth(a: Value, b: Value) -> Value:
    return (a * b).tanh() / (b.exp() + 1) + (a * a + 1).log() ** 1.5


def difference(p: Value, q: Value) -> Value:
    return 3 * (p - q)


def test_right_gradients_pass() -> None:
    rows = check_gradients(smooth, [Value(0.6, "a"), Value(-1.2, "b")])
    assert [row.name for row in rows] == ["a", "b"]
    for row in rows:
        assert row.backward == pytest.approx(row.numerical, rel=1e-6)
        assert abs(row.backward) > 0.01


def test_values_are_the_derivatives() -> None:
    (row,) = check_gradients(lambda x: x**3, [2.0])
    assert row.name == "input 0"
    assert row.backward == 12.0
    assert row.numerical == pytest.approx(12.0, rel=1e-8)


def test_a_planted_mistake_is_named() -> None:
    with pytest.raises(GradientMismatch) as caught:
        check_gradients(difference, [Careless(3.0, "p"), Careless(1.0, "q")])
    for word in ("difference", "gradient of q", "should be -3", "gave 3"):
        assert word in str(caught.value)
    assert isinstance(caught.value, AssertionError)


def test_a_mistake_in_an_unnamed_input() -> None:
    with pytest.raises(GradientMismatch, match=r"gradient of input 1 should be -3"):
        check_gradients(difference, [Careless(3.0), Careless(1.0)])


def test_a_small_mistake_is_found_and_tolerances_are_arguments() -> None:
    def slightly_off(x: Value) -> Value:
        out = x * 1.0
        out._local_grads = (1.001, 0.0)
        return out

    with pytest.raises(GradientMismatch):
        check_gradients(slightly_off, [1.0])
    check_gradients(slightly_off, [1.0], rtol=0.01)
    check_gradients(slightly_off, [1.0], atol=0.01)


def test_all_parameters_of_a_network() -> None:
    model = MLP(3, [4, 4, 1], rng=random.Random(1))

    def loss(*_: Value) -> Value:
        out = model([1.0, -2.0, 0.5])
        assert isinstance(out, Value)
        return (out - 1) ** 2

    assert len(check_gradients(loss, model.parameters())) == 41


def test_the_same_node_twice() -> None:
    x = Value(3.0, "x")
    rows = check_gradients(lambda a, b: a * b, [x, x])
    assert [row.backward for row in rows] == [6.0, 6.0]


def test_data_and_gradients_are_restored() -> None:
    a, b = Value(0.1, "a"), Value(0.7, "b")
    a.grad, b.grad = 5.0, -1.0
    check_gradients(smooth, [a, b])
    assert (a.data, a.grad, b.data, b.grad) == (0.1, 5.0, 0.7, -1.0)


def test_restored_after_a_mismatch() -> None:
    p, q = Careless(3.0), Careless(1.0)
    q.grad = 2.0
    with pytest.raises(GradientMismatch):
        check_gradients(difference, [p, q])
    assert (p.data, p.grad, q.data, q.grad) == (3.0, 0.0, 1.0, 2.0)


@pytest.mark.parametrize("fatal_call", [1, 2, 3])
def test_restored_after_an_exception(fatal_call: int) -> None:
    calls = 0

    def fails(x: Value) -> Value:
        nonlocal calls
        calls += 1
        if calls == fatal_call:
            raise OSError("gone")
        return x * x

    x = Value(0.1)
    x.grad = 7.0
    with pytest.raises(OSError, match="gone"):
        check_gradients(fails, [x])
    assert (x.data, x.grad) == (0.1, 7.0)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_no_number_fails(wrong: float) -> None:
    def planted(x: Value) -> Value:
        out = x * 1.0
        out._local_grads = (wrong, 0.0)
        return out

    with pytest.raises(GradientMismatch, match=f"gave {wrong}"):
        check_gradients(planted, [1.0])


@pytest.mark.parametrize("factor", [1e308, -1e308])
def test_a_difference_that_overflows_proves_nothing(factor: float) -> None:
    def steep(x: Value) -> Value:
        return x * factor

    x = 1.7976931
    assert math.isfinite(x * factor)
    assert math.isinf((x + 1e-5) * factor)
    with pytest.raises(OverflowError, match="inf, not a finite number"):
        check_gradients(steep, [x])


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"inputs": 2.0}, TypeError, "inputs must be a list of numbers, got 2.0"),
        ({"inputs": Value(2.0)}, TypeError, "inputs must be a list of numbers, got Value"),
        ({"h": 0}, ValueError, "h must be from 1e-12 to 1.0, got 0"),
        ({"h": 1e-20}, ValueError, "h must be"),
        ({"h": math.nan}, ValueError, "h must be finite"),
        ({"rtol": -1}, ValueError, "rtol must not be negative, got -1"),
        ({"atol": "small"}, TypeError, "atol must be a number, got 'small'"),
    ],
)
def test_arguments_out_of_range(given: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check_gradients(**{"f": lambda x: x * x, "inputs": [2.0]} | given)


@pytest.mark.parametrize("returned", [3.0, None, [Value(1.0)]])
def test_f_must_return_a_value(returned: Any) -> None:
    with pytest.raises(TypeError, match=f"f must return a Value, got {type(returned).__name__}"):
        check_gradients(lambda x: returned, [1.0])


def test_a_large_input_gets_a_larger_step() -> None:
    (row,) = check_gradients(lambda x: x * x, [1e8])
    assert row.backward == 2e8


def test_a_callable_without_a_name() -> None:
    class Wrong:
        def __call__(self, x: Value) -> Value:
            return Value(x.data * 2)  # the history is lost

        def __repr__(self) -> str:
            return "<the wrong one>"

    with pytest.raises(GradientMismatch, match=r"<the wrong one>.*should be 2.*gave 0"):
        check_gradients(Wrong(), [1.0])
