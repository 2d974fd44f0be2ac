"""Classes of nodes as readers may write them: the same engine in three styles."""

import math
from collections.abc import Callable
from typing import Any

import torch


class Closure:
    """With a closure for each operation, as in the lecture."""

    def __init__(self, data: float, _children: tuple["Closure", ...] = ()) -> None:
        self.data, self.grad, self._children = data, 0.0, _children
        self._backward: Callable[[], None] = lambda: None

    def _then(self, data: float, *shares: tuple["Closure", float]) -> "Closure":
        out = type(self)(data, tuple(node for node, _ in shares))

        def send() -> None:
            for node, slope in shares:
                node.grad += slope * out.grad

        out._backward = send
        return out

    def __add__(self, other: "Closure") -> "Closure":
        return self._then(self.data + other.data, (self, 1.0), (other, 1.0))

    def __mul__(self, other: "Closure") -> "Closure":
        return self._then(self.data * other.data, (self, other.data), (other, self.data))

    def __truediv__(self, other: "Closure") -> "Closure":
        out = self.data / other.data
        return self._then(out, (self, 1 / other.data), (other, -out / other.data))

    def exp(self) -> "Closure":
        return self._then(math.exp(self.data), (self, math.exp(self.data)))

    def log(self) -> "Closure":
        return self._then(math.log(self.data), (self, 1 / self.data))

    def backward(self) -> None:
        order: list[Closure] = []

        def visit(node: Closure) -> None:
            if node not in order:
                for child in node._children:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node._backward()


class LocalGradients:
    """With pairs of child and local derivative; sends back along every path."""

    def __init__(
        self, data: float, shares: tuple[tuple["LocalGradients", float], ...] = ()
    ) -> None:
        self.data, self.grad, self.shares = data, 0.0, shares

    def __add__(self, other: "LocalGradients") -> "LocalGradients":
        return LocalGradients(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other: "LocalGradients") -> "LocalGradients":
        return LocalGradients(self.data * other.data, ((self, other.data), (other, self.data)))

    def __truediv__(self, other: "LocalGradients") -> "LocalGradients":
        return self * LocalGradients(1 / other.data, ((other, -1 / other.data**2),))

    def exp(self) -> "LocalGradients":
        return LocalGradients(math.exp(self.data), ((self, math.exp(self.data)),))

    def log(self) -> "LocalGradients":
        return LocalGradients(math.log(self.data), ((self, 1 / self.data),))

    def backward(self, flowing_in: float = 1.0) -> None:
        self.grad += flowing_in
        for node, slope in self.shares:
            node.backward(slope * flowing_in)


class Torch:
    """With PyTorch beneath: data and gradients are tensors."""

    def __init__(self, data: Any) -> None:
        self.tensor = torch.as_tensor(data, dtype=torch.float64)
        if self.tensor.is_leaf:
            self.tensor.requires_grad_()

    data = property(lambda self: self.tensor.detach())
    grad = property(lambda self: self.tensor.grad)

    def __add__(self, other: "Torch") -> "Torch":
        return Torch(self.tensor + other.tensor)

    def __mul__(self, other: "Torch") -> "Torch":
        return Torch(self.tensor * other.tensor)

    def __truediv__(self, other: "Torch") -> "Torch":
        return Torch(self.tensor / other.tensor)

    def exp(self) -> "Torch":
        return Torch(self.tensor.exp())

    def log(self) -> "Torch":
        return Torch(self.tensor.log())

    def backward(self) -> None:
        self.tensor.backward()
