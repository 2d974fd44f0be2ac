"""Scalars that remember how they were made, and find their own derivatives.

What this module does *not* do: vectors (chapter 2), second derivatives, and
exponents that are themselves a ``Value``.

Source: lecture 1 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Union

Number = Union["Value", float]


class Value:
    """One number in an expression graph.

    Parameters
    ----------
    data : float
        The number itself.
    label : str, optional
        A name, shown when the graph is drawn.

    Attributes
    ----------
    data : float
        The number.
    grad : float
        The derivative of the node that ``backward`` was called on, with respect to
        this node. Zero until then.

    Raises
    ------
    TypeError
        If ``data`` is not a real number.
    """

    # Slots keep a node small: a network makes tens of thousands of them.
    __slots__ = ("_children", "_local_grads", "_op", "data", "grad", "label")

    data: float
    grad: float
    label: str
    _op: str  # what made this node; empty for a leaf
    _children: tuple[Value, ...]  # the nodes it was made from
    _local_grads: tuple[float, ...]  # d(this) / d(child), one for each child

    # NumPy scalars on the left (np.float64(2) * v) leave the work to Value.
    __array_ufunc__ = None

    def __init__(self, data: float, label: str = "") -> None:
        if not isinstance(data, Real):
            raise TypeError(f"data must be a real number, got {data!r} ({type(data).__name__})")
        self.data = float(data)
        self.grad = 0.0
        self.label = label
        self._op = ""
        self._children = ()
        self._local_grads = ()

    def __repr__(self) -> str:
        name = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data!r}, grad={self.grad!r}{name})"

    # -- operators: each line states a result and its local derivatives --------

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
        if not isinstance(exponent, Real):
            raise TypeError(f"exponent must be a plain number, got {exponent!r}")
        exponent = float(exponent)
        out, local_grad = _power(self.data, exponent)
        return _node(out, f"^{exponent:g}", (self,), (local_grad,))

    def __radd__(self, other: float) -> Value:  # 2 + v
        return self + other

    def __rmul__(self, other: float) -> Value:  # 2 * v
        return self * other

    def __rsub__(self, other: float) -> Value:  # 2 - v
        return Value(other) - self

    def __rtruediv__(self, other: float) -> Value:  # 2 / v
        return Value(other) / self

    def __rpow__(self, base: float) -> Value:  # 2 ** v
        raise TypeError(
            f"exponent must be a plain number, got a Value (in {base!r} ** Value); "
            "for a positive base, write (exponent * math.log(base)).exp()"
        )

    # -- functions -------------------------------------------------------------

    def tanh(self) -> Value:
        """Squash to the range from -1 to 1."""
        t = math.tanh(self.data)
        return _node(t, "tanh", (self,), (1.0 - t * t,))

    def relu(self) -> Value:
        """Replace a negative number by zero. The derivative at zero is taken as 0."""
        local_grad = 1.0 if self.data > 0.0 else 0.0
        return _node(max(self.data, 0.0), "ReLU", (self,), (local_grad,))

    def exp(self) -> Value:
        """Raise e to this power. ``OverflowError`` above 709.78."""
        try:
            e = math.exp(self.data)
        except OverflowError:
            raise OverflowError(f"exp({self.data!r}) is larger than the largest float") from None
        return _node(e, "exp", (self,), (e,))

    def log(self) -> Value:
        """Take the natural logarithm. ``ValueError`` for zero or less."""
        if self.data <= 0.0:
            raise ValueError(f"log needs a positive number, got {self.data!r}")
        return _node(math.log(self.data), "log", (self,), (1.0 / self.data,))

    # -- backpropagation ---------------------------------------------------------

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


def topological_order(root: Value) -> list[Value]:
    """List every node below ``root`` once, children before parents; ``root`` is last.

    The work list replaces recursion, so the depth of a graph is not limited.
    """
    order: list[Value] = []
    seen: set[Value] = set()
    todo: list[Value | None] = [root]
    entered: list[Value] = []
    while todo:
        node = todo.pop()
        if node is None:  # everything below the node entered last is listed
            order.append(entered.pop())
        elif node not in seen:
            seen.add(node)
            entered.append(node)
            todo.append(None)
            todo.extend(node._children)
    return order


def _node(
    data: float, op: str, children: tuple[Value, ...], local_grads: tuple[float, ...]
) -> Value:
    """Make the result of an operation. Skips the checks of ``Value(...)``, for speed."""
    out = Value.__new__(Value)
    out.data = data
    out.grad = 0.0
    out.label = ""
    out._op = op
    out._children = children
    out._local_grads = local_grads
    return out


def _power(base: float, exponent: float) -> tuple[float, float]:
    """Return ``base ** exponent`` and its derivative with respect to ``base``."""
    if base < 0.0 and not exponent.is_integer():
        raise ValueError(f"a negative base ({base!r}) has no real power {exponent!r}")
    if base == 0.0 and exponent < 0.0:
        raise ZeroDivisionError(f"zero cannot be raised to the negative power {exponent!r}")
    if exponent == 0.0:
        return 1.0, 0.0
    if base == 0.0 and exponent < 1.0:
        return 0.0, math.inf  # the square root is vertical at zero
    try:
        return base**exponent, exponent * base ** (exponent - 1.0)
    except OverflowError:
        raise OverflowError(
            f"{base!r} ** {exponent!r} (or its derivative) is larger than the largest float"
        ) from None
