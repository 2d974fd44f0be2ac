"""Random expression graphs: the same program on ``Value``, in PyTorch, and in exact arithmetic.

Exact means 60 decimal digits: there a symmetric difference can take a step of 1e-20, and is
right to far more digits than a float has.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotohero.micrograd import Value, topological_order

LARGEST = 4


class Operation(NamedTuple):
    """How to compute it, how to compute it on decimals, and which operands are allowed."""

    function: Callable[[Any, Any], Any]
    exact: Callable[[Decimal, Decimal], Decimal] | None = None
    allowed: Callable[[Decimal, Decimal], bool] = lambda a, b: True

    def on_decimals(self, a: Decimal, b: Decimal) -> Decimal:
        return (self.exact or self.function)(a, b)


def exact_tanh(a: Decimal, _: Decimal) -> Decimal:
    return 1 - 2 / ((2 * a).exp() + 1)


OPERATIONS = {
    "a + b": Operation(lambda a, b: a + b),
    "a - b": Operation(lambda a, b: a - b),
    "a * b": Operation(lambda a, b: a * b),
    "a / b": Operation(lambda a, b: a / b, None, lambda a, b: abs(b) > 0.5),
    "-a": Operation(lambda a, _: -a),
    "3 - a": Operation(lambda a, _: 3 - a),
    "1 + a": Operation(lambda a, _: 1 + a),
    "2 * a": Operation(lambda a, _: 2 * a),
    "a / 4": Operation(lambda a, _: a / 4),
    "2 / a": Operation(lambda a, _: 2 / a, None, lambda a, _: abs(a) > 0.5),
    "a²": Operation(lambda a, _: a**2),
    "a⁻³": Operation(lambda a, _: a**-3, None, lambda a, _: abs(a) > 0.5),
    "√a": Operation(lambda a, _: a**0.5, lambda a, _: a.sqrt(), lambda a, _: a > 0.2),
    "tanh a": Operation(lambda a, _: a.tanh(), exact_tanh),
    "relu a": Operation(
        lambda a, _: a.relu(), lambda a, _: max(a, Decimal(0)), lambda a, _: abs(a) > 0.01
    ),
    "exp a": Operation(lambda a, _: a.exp()),
    "log a": Operation(lambda a, _: a.log(), lambda a, _: a.ln(), lambda a, _: a > 0.2),
}


class Program(NamedTuple):
    """Leaves, and steps: an operation and the numbers of its operands."""

    leaves: tuple[float, ...]
    steps: tuple[tuple[str, int, int], ...]

    def nodes(self, leaves: Sequence[Any]) -> list[Any]:
        """Run it on ``Value`` objects or tensors; the last node is the result."""
        made = list(leaves)
        for name, i, j in self.steps:
            made.append(OPERATIONS[name].function(made[i], made[j]))
        return made

    def exactly(self, leaves: Sequence[Decimal]) -> Decimal:
        made = list(leaves)
        for name, i, j in self.steps:
            made.append(OPERATIONS[name].on_decimals(made[i], made[j]))
        return made[-1]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Draw operands first, then an operation that is defined for them and gives nothing large."""
    leaves = draw(st.lists(st.floats(-2, 2), min_size=1, max_size=4))
    values = [Decimal(x) for x in leaves]
    steps = []
    for _ in range(draw(st.integers(1, 14))):
        i = draw(st.integers(max(0, len(values) - 4), len(values) - 1))  # a recent one
        j = draw(st.integers(0, len(values) - 1))
        a, b = values[i], values[j]
        results = {
            name: operation.on_decimals(a, b)
            for name, operation in OPERATIONS.items()
            if operation.allowed(a, b)
        }
        name = draw(st.sampled_from([k for k, result in results.items() if abs(result) < LARGEST]))
        values.append(results[name])
        steps.append((name, i, j))
    return Program(tuple(leaves), tuple(steps))


def run(program: Program) -> tuple[Value, list[Value], float]:
    """Return root and leaves after a backward pass, and the rounding error to allow."""
    leaves = [Value(x) for x in program.leaves]
    root = program.nodes(leaves)[-1]
    root.backward()
    largest = max(abs(node.grad) for node in topological_order(root))
    return root, leaves, 1e-12 * max(1.0, largest) ** 2


@settings(deadline=None, max_examples=200)
@given(programs())
def test_as_in_pytorch(program: Program) -> None:
    root, leaves, error = run(program)
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in program.leaves]
    expected = program.nodes(tensors)[-1]
    expected.backward()
    assert root.data == pytest.approx(expected.item(), rel=1e-12, abs=error)
    for node, tensor in zip(leaves, tensors):
        right = 0.0 if tensor.grad is None else tensor.grad.item()  # None: not below the root
        assert node.grad == pytest.approx(right, rel=1e-12, abs=error)


@settings(deadline=None, max_examples=100)
@given(programs())
def test_as_exact_differences(program: Program) -> None:
    root, leaves, error = run(program)
    with localcontext() as context:
        context.prec = 60
        at = [Decimal(x) for x in program.leaves]
        assert root.data == pytest.approx(float(program.exactly(at)), rel=1e-12, abs=error)
        h = Decimal("1e-20")
        for i, node in enumerate(leaves):
            ahead, back = ([x + s * (k == i) for k, x in enumerate(at)] for s in (h, -h))
            slope = (program.exactly(ahead) - program.exactly(back)) / (2 * h)
            assert node.grad == pytest.approx(float(slope), rel=1e-12, abs=error)
