"""Checks of a node of an expression graph, whatever class it is of: data and gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .numbers import close, written
from .running import guarded
from .verdict import fail


def missing(name: str) -> Callable[..., Any]:
    """Return a stand-in for a method that the class lacks; calling it ends the check."""

    def stand_in(*_: Any) -> Any:
        fail(f"The class has no method {name}.")

    return stand_in


def backward(out: Any, shown: str) -> None:
    """Call ``out.backward()``; an exception, or no end in time, ends the check."""
    guarded(lambda: out.backward(), f"backward() on {shown}")


def expect_data(out: Any, expected: float, shown: str) -> None:
    """Stop unless ``out`` is a node that holds the expected number."""
    if not hasattr(out, "data"):
        fail(f"{shown} should be a node of the class, received {out!r}.")
    if not close(out.data, expected):
        fail(f"{shown} should hold {written(expected)}, received {written(out.data)}.")


def expect_grad(node: Any, expected: float, shown: str, hint: str) -> None:
    """Stop, with the hint, unless the gradient of a node is the expected one."""
    if not close(node.grad, expected):
        fail(f"{shown} should be {written(expected)}, received {written(node.grad)}.", hint)
