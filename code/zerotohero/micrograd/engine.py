"""Scalars that remember how they were made, and find their own derivatives.

What this module does *not* do: vectors (chapter 2), second derivatives, and
exponents that are themselves a ``Value``.

Source: lecture 1 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

import math
from typing import Any, Union, cast

from ..arguments import require_number

Number = Union["Value", float]


class Value:
    """One number in an expression graph.

    Every node holds a finite number: an operation whose result is too large for a float
    raises ``OverflowError``. A derivative that is too large is infinite, as that of the
    square root at 0.

    Parameters
    ----------
    data : float
        The number itself.
    label : str, optional
        A name, shown when the graph is drawn.

    Attributes
    ----------
    grad : float
        The derivative of the node that ``backward`` was called on, with respect to
        this node. Zero until then.

    Raises
    ------
    TypeError, ValueError
        If ``data`` is not a number, or not a finite one.
    """

    # Slots keep a node small: a network makes tens of thousands of them.
    __slots__ = ("_children", "_local_grads", "_op", "data", "grad", "label")
    # NumPy scalars on the left (np.float64(2) * v) leave the work to Value.
    __array_ufunc__ = None

    def __init__(self, data: float, label: str = "") -> None:
        if type(data) is not float or not math.isfinite(data):  # for speed: most are
            require_number(data=data)
        self.data = float(data)
        self.grad = 0.0
        self.label = label
        self._op = ""  # what made this node; empty for a leaf
        self._children: tuple[Value, ...] = ()  # the nodes it was made from
        self._local_grads: tuple[float, ...] = ()  # d(this) / d(child), one for each child

    def __repr__(self) -> str:
        name = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data!r}, grad={self.grad!r}{name})"

    # -- operators: each states a result and its local derivatives ---------------

    def __add__(self, other: Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return _node(self.data + other.data, "+", (self, other), (1.0, 1.0))

    def __mul__(self, other: Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return _node(self.data * other.data, "×", (self, other), (other.data, self.data))

    def __neg__(self) -> Value:
        return _node(-self.data, "neg", (self,), (-1.0,))

    def __sub__(self, other: Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return _node(self.data - other.data, "−", (self, other), (1.0, -1.0))

    def __truediv__(self, other: Number) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        if other.data == 0.0:
            raise ZeroDivisionError(f"division of {self.data!r} by a Value that is zero")
        out = self.data / other.data
        return _node(out, "÷", (self, other), (1.0 / other.data, -out / other.data))

    def __pow__(self, exponent: float) -> Value:
        """Raise to a power that is a plain number."""
        if isinstance(exponent, Value):
            raise TypeError(
                "exponent must be a plain number, got a Value; "
                "for a positive base, write (exponent * base.log()).exp()"
            )
        require_number(exponent=exponent)
        base, exponent = self.data, float(exponent)
        if base < 0.0 and not exponent.is_integer():
            raise ValueError(f"a negative base ({base!r}) has no real power {exponent!r}")
        if base == 0.0 and exponent < 0.0:
            raise ZeroDivisionError(f"zero cannot be raised to the negative power {exponent!r}")
        local_grad = exponent * _power(base, exponent - 1.0) if exponent else 0.0
        return _node(_power(base, exponent), f"^{exponent:g}", (self,), (local_grad,))

    __radd__ = __add__  # 2 + v
    __rmul__ = __mul__  # 2 * v

    def __rsub__(self, other: float) -> Value:  # 2 - v
        return Value(other) - self

    def __rtruediv__(self, other: float) -> Value:  # 2 / v
        return Value(other) / self

    # -- functions -----------------------------------------------------------------

    def tanh(self) -> Value:
        """Squash to the range from -1 to 1."""
        t = math.tanh(self.data)
        return _node(t, "tanh", (self,), (1.0 - t * t,))

    def relu(self) -> Value:
        """Replace a negative number by zero. The derivative at zero is taken as 0."""
        return _node(max(self.data, 0.0), "ReLU", (self,), (1.0 if self.data > 0.0 else 0.0,))

    def exp(self) -> Value:
        """Raise e to this power. ``OverflowError`` above 709.78."""
        try:
            e = math.exp(self.data)
        except OverflowError:
            e = math.inf  # which is refused
        return _node(e, "exp", (self,), (e,))

    def log(self) -> Value:
        """Take the natural logarithm. ``ValueError`` for zero or less."""
        if self.data <= 0.0:
            raise ValueError(f"log needs a positive number, got {self.data!r}")
        return _node(math.log(self.data), "log", (self,), (1.0 / self.data,))

    # -- backpropagation -----------------------------------------------------------

    def backward(self) -> None:
        """Put the derivative of this node with respect to every node into ``grad``.

        Gradients of leaves *accumulate* over calls, as in PyTorch: set them to zero
        before a new step. Gradients of all other nodes are computed afresh, so a
        second call on the same graph adds the right amount to every leaf.
        """
        order = topological_order(self)
        for node in order:
            if node._children:
                node.grad = 0.0
        self.grad += 1.0  # d(self) / d(self)
        for node in reversed(order):
            flowing_in = node.grad
            for child, local_grad in zip(node._children, node._local_grads):
                child.grad += local_grad * flowing_in  # the chain rule; += for repeated use

    # -- copies, flat: so the depth of a graph is not limited -----------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        for node in topological_order(self):
            if id(node) not in memo:
                memo[id(node)] = _copy(node, tuple(memo[id(child)] for child in node._children))
        return cast("Value", memo[id(self)])

    def __reduce_ex__(self, protocol: Any) -> Any:  # for pickle
        if not self._children:
            return super().__reduce_ex__(max(2, protocol))  # all that a leaf holds
        order = topological_order(self)
        position = {node: i for i, node in enumerate(order)}
        nodes = [_copy(node, ()) if node._children else node for node in order]
        return _link, (nodes, [[position[child] for child in node._children] for node in order])


def topological_order(root: Value) -> list[Value]:
    """List every node below ``root`` once, children before parents; ``root`` is last.

    The stack replaces recursion, so the depth of a graph is not limited. A node is on it
    twice: first to put its children above it, and then, when they are done, to be listed.
    """
    order: list[Value] = []
    seen: set[Value] = set()
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            for child in node._children:
                if child not in seen:
                    stack.append((child, False))
    return order


_new, _is_finite = object.__new__, math.isfinite  # looked up once: this is the hot path


def _node(
    data: float, op: str, children: tuple[Value, ...], local_grads: tuple[float, ...]
) -> Value:
    """Make the result of an operation. Skips the checks of ``Value(...)``, for speed."""
    if not _is_finite(data):
        operands = ", ".join(repr(child.data) for child in children)
        raise OverflowError(f"the result of {op} on {operands} is {data}, not a finite number")
    out = _new(Value)
    out.data = data
    out.grad = 0.0
    out.label = ""
    out._op = op
    out._children = children
    out._local_grads = local_grads
    return out


def _power(base: float, exponent: float) -> float:
    """Return ``base ** exponent``: infinity where it is too large for a float."""
    try:
        return float(base**exponent)
    except ZeroDivisionError:
        return math.inf
    except OverflowError:
        return -math.inf if base < 0.0 and exponent % 2.0 == 1.0 else math.inf


def _copy(node: Value, children: tuple[Value, ...]) -> Value:
    """Copy a node, but with other children."""
    twin = node.__class__.__new__(node.__class__)
    own, slots = cast("tuple[dict[str, Any] | None, dict[str, Any]]", node.__getstate__())
    for name, attribute in {**(own or {}), **slots, "_children": children}.items():
        setattr(twin, name, attribute)
    return twin


def _link(nodes: list[Value], children: list[list[int]]) -> Value:
    """Give each node its children, by their positions, and return the root."""
    for node, positions in zip(nodes, children):
        node._children = tuple(nodes[i] for i in positions)
    return nodes[-1]
