"""What ``backward`` does on a graph: order, accumulation, repeated passes, depth."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from zerotohero.micrograd import Value, topological_order


def leaf(number: float) -> torch.Tensor:
    return torch.tensor(number, dtype=torch.float64, requires_grad=True)


def gradient(tensor: torch.Tensor) -> float:
    assert tensor.grad is not None
    return float(tensor.grad)


def test_a_chain_of_100_000_nodes() -> None:
    weights = [Value(float(i)) for i in range(100)]
    total = Value(0.0)
    for i in range(100_000):
        total = total + weights[i % 100] * 0.5
    total.backward()
    assert total.data == 0.5 * 1000 * sum(range(100))
    assert {w.grad for w in weights} == {500.0}
    assert len(topological_order(total)) == 1 + 100 + 3 * 100_000


class Counted(tuple[Value, ...]):
    """Children that count how often they are walked through."""

    walks = 0

    def __iter__(self) -> Iterator[Value]:
        Counted.walks += 1
        return super().__iter__()


def test_each_node_is_visited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node has 2^60 paths to the root here: who follows each of them never ends."""
    monkeypatch.setattr(Counted, "walks", 0)
    x = Value(1.0)
    top = x
    for _ in range(60):
        top = top + top
        top._children = Counted(top._children)
    order = topological_order(top)
    assert len(order) == len(set(order)) == 61
    assert Counted.walks == 60
    top.backward()
    assert Counted.walks == 60 + 2 * 60  # to order them, and to send back
    assert x.grad == 2.0**60


def test_order_of_a_graph_with_sharing() -> None:
    a, b = Value(2.0, "a"), Value(3.0, "b")
    c = a * b
    d = (c + a).tanh() * c
    order = topological_order(d)
    assert order[-1] is d
    assert len(order) == len(set(order)) == 6
    place = {node: i for i, node in enumerate(order)}
    assert all(place[child] < place[node] for node in order for child in node._children)


def test_a_node_added_to_itself() -> None:
    a = Value(3.0)
    b = a + a
    b.backward()
    assert a.grad == 2.0


def test_two_levels_of_sharing() -> None:
    a = Value(3.0)
    b = a + a
    c = b + b
    c.backward()
    assert (c.grad, b.grad, a.grad) == (1.0, 2.0, 4.0)


def test_x_to_the_x_by_products() -> None:
    x = Value(3.0)
    (x * x * x).backward()
    assert x.grad == 27.0


def test_backward_on_a_leaf() -> None:
    x, t = Value(3.0), leaf(3.0)
    for _ in range(2):
        x.backward()
        t.backward()
        assert x.grad == gradient(t)


def shared(a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Return a subgraph, and two roots above it."""
    s = a * b + a
    return s, (s * s + b).tanh(), s / b - a * 3


def test_a_second_pass_adds_the_right_amount() -> None:
    a, b, a_t, b_t = Value(0.4), Value(0.7), leaf(0.4), leaf(0.7)
    root, root_t = shared(a, b)[1], shared(a_t, b_t)[1]
    for _ in range(3):
        root.backward()
        root_t.backward(retain_graph=True)
        assert a.grad == pytest.approx(gradient(a_t), rel=1e-14)
        assert b.grad == pytest.approx(gradient(b_t), rel=1e-14)


def test_two_roots_that_share_a_subgraph() -> None:
    a, b, a_t, b_t = Value(0.4), Value(0.7), leaf(0.4), leaf(0.7)
    _, *roots = shared(a, b)
    _, *roots_t = shared(a_t, b_t)
    for i in (0, 1, 0):
        roots[i].backward()
        roots_t[i].backward(retain_graph=True)
        assert a.grad == pytest.approx(gradient(a_t), rel=1e-14)
        assert b.grad == pytest.approx(gradient(b_t), rel=1e-14)


def test_nodes_in_the_middle_hold_the_gradient_of_the_last_pass() -> None:
    """PyTorch's retain_grad adds passes up; forgetting the first one shows the second alone."""
    a, b, a_t, b_t = Value(0.4), Value(0.7), leaf(0.4), leaf(0.7)
    s, *roots = shared(a, b)
    s_t, *roots_t = shared(a_t, b_t)
    s_t.retain_grad()
    for i in (0, 0, 1):
        s_t.grad = None
        roots[i].backward()
        roots_t[i].backward(retain_graph=True)
        assert s.grad == pytest.approx(gradient(s_t), rel=1e-14)
        assert roots[i].grad == 1.0


def test_a_root_inside_another_graph() -> None:
    a, a_t = Value(0.4), leaf(0.4)
    inner, inner_t = a * a, a_t * a_t
    outer, outer_t = inner.exp() + inner, inner_t.exp() + inner_t
    outer.backward()
    outer_t.backward(retain_graph=True)
    inner.backward()
    inner_t.backward()
    assert a.grad == pytest.approx(gradient(a_t), rel=1e-14)


def test_gradients_belong_to_the_forward_pass() -> None:
    x, y = Value(2.0), Value(5.0)
    product = x * y
    x.data = y.data = 100.0
    product.backward()
    assert (x.grad, y.grad) == (5.0, 2.0)


def test_forgetting_a_deep_graph_does_not_crash() -> None:
    program = """
import gc
from zerotohero.micrograd import Value
total = Value(0.0)
for _ in range(300_000):
    total = total + 1.0
total.backward()
del total
gc.collect()
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
