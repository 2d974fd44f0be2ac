"""What ``backward`` does on a graph: order, accumulation, repeated passes, depth."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
    position = {node: i for i, node in enumerate(order)}
    assert all(position[child] < position[node] for node in order for child in node._children)


@st.composite
def graphs(draw: st.DrawFn) -> Value:
    """Draw a graph of sums, differences and tanh, with nodes that are used again and again."""
    nodes = [Value(float(i), f"leaf {i}") for i in range(draw(st.integers(1, 4)))]
    for _ in range(draw(st.integers(0, 25))):
        a, b = (nodes[draw(st.integers(0, len(nodes) - 1))] for _ in range(2))
        nodes.append(draw(st.sampled_from([a + b, a - b, (a + b).tanh(), b + a * 0.5])))
    return nodes[-1]


def by_recursion(root: Value, listed: list[Value]) -> list[Value]:
    """List what is below the last child first, then below the one before it, then the node."""
    if root not in listed:
        for child in reversed(root._children):
            by_recursion(child, listed)
        listed.append(root)
    return listed


@settings(deadline=None)
@given(graphs())
def test_the_order_is_that_of_the_recursive_definition(root: Value) -> None:
    assert topological_order(root) == by_recursion(root, [])


# -- copies ----------------------------------------------------------------------

COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    **{
        f"pickle {protocol}": lambda node, p=protocol: pickle.loads(pickle.dumps(node, p))
        for protocol in (0, pickle.HIGHEST_PROTOCOL)
    },
}
FULL = [name for name in COPIES if name != "copy"]  # the shallow one keeps the leaves


def described(root: Value) -> list[tuple[Any, ...]]:
    """Return all that a graph holds: its nodes in order, and which of them are whose children."""
    order = topological_order(root)
    number = {node: i for i, node in enumerate(order)}
    return [
        (type(n), n.data, n.grad, n.label, n._op, n._local_grads, [number[c] for c in n._children])
        for n in order
    ]


@pytest.mark.parametrize("name", FULL)
@settings(deadline=None, max_examples=30)
@given(graphs())
def test_a_copy_holds_the_same_and_shares_nothing(name: str, root: Value) -> None:
    root.backward()
    root.label = "root"
    twin = COPIES[name](root)
    assert described(twin) == described(root)
    assert not set(topological_order(twin)) & set(topological_order(root))


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_20_000_nodes_in_a_row(name: str) -> None:
    x = Value(1.0, "x")
    y = x
    for _ in range(20_000):
        y = y + x
    y.backward()
    twin = COPIES[name](y)
    assert described(twin) == described(y)
    twin.backward()  # adds to the leaf of the copy
    assert topological_order(twin)[0].grad == 40_002.0
    assert x.grad == (40_002.0 if name == "copy" else 20_001.0)


@pytest.mark.parametrize("name", FULL)
def test_graphs_that_are_copied_together_share_their_leaves(name: str) -> None:
    a = Value(2.0, "a")
    shared = a * 3
    twins = COPIES[name]([shared + a, a, shared * 2])
    assert twins[0]._children[1] is twins[1]
    assert twins[2]._children[0]._children[0] is twins[1]


def test_a_deep_copy_also_shares_what_lies_between() -> None:
    shared = Value(2.0) * 3
    first, middle, second = copy.deepcopy((shared + 1, shared, shared * 2))
    assert first._children[0] is middle is second._children[0]


class Named(Value):
    """A subclass, with an attribute of its own."""

    owner = ""


@pytest.mark.parametrize("name", COPIES)
def test_a_subclass_stays_one(name: str) -> None:
    node = Named(1.5, "w")
    node.owner = "me"
    for twin in (COPIES[name](node), COPIES[name](node + 1)._children[0]):
        assert type(twin) is Named
        assert (twin.owner, twin.data, twin.label) == ("me", 1.5, "w")


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
