"""Checks for the exercises of chapter 1."""

from __future__ import annotations

import math
import random
from itertools import islice
from typing import Any

from ...micrograd import MLP, Value
from ...micrograd import topological_order as reference_order
from ..numbers import close, expect_numbers
from ..running import run
from ..verdict import checker, fail

Point = tuple[float, float, float]


@checker
def softmax_nll(answer: Any) -> str:
    """Check a function ``(logits, label)`` that returns the negative log likelihood."""
    # In the first case, every misconception below gives a number of its own.
    for data, label in [([0.5, -0.25, 1.5], 1), ([0.0, 3.0, -2.0, 1.0], 3), ([2.0, 2.0], 0)]:
        logits = [Value(x) for x in data]
        shown = f"softmax_nll({data}, label={label})"
        out = run(answer, logits, label, shown=shown)
        if not isinstance(out, Value):
            fail(f"{shown} should return a Value, received {out!r}.", "Keep to Value's operators.")
        total = sum(math.exp(x) for x in data)
        p = [math.exp(x) / total for x in data]
        loss = -math.log(p[label])
        if not close(out.data, loss):
            hints = [
                (-loss, "The likelihood is below 1, its log below 0: put a minus in front."),
                (p[label], "That is the probability itself. Take −log of it."),
                (-data[label], "That is −logit. Exponentiate and normalize first."),
                (math.log(total), "That is the log of the sum alone. Which logit has the label?"),
                (-math.log2(p[label]), "Use the natural logarithm."),
                (-sum(math.log(q) for q in p), "Only the label's probability counts."),
                (-sum(math.log(q) for q in p) / len(p), "Only the label's probability counts."),
                (-math.log(p[0]), "The label is an index: take the probability at that index."),
            ]
            hint = next((text for wrong, text in hints if close(out.data, wrong)), "")
            fail(f"{shown} should be {loss:.8g}, received {out.data:.8g}.", hint)
        out.backward()
        expected = [q - (i == label) for i, q in enumerate(p)]
        expect_numbers(
            [x.grad for x in logits],
            expected,
            f"the gradients of the logits in {shown}",
            otherwise="The value is right. Was a Value turned into a float on the way (.data)?",
        )
    return "Values and gradients hold: each gradient is p − 1 at the label, and p elsewhere."


@checker
def topological_order(answer: Any) -> str:
    """Check a function ``(root)`` that lists every node once, children before parents."""
    a = Value(3.0, "a")
    b = a + a
    b.label = "b"
    c = b + b
    c.label = "c"
    d = c * a + b
    d.label = "d"
    cases = [("d, with b = a + a, c = b + b, d = c·a + b", d), ("a single node", Value(1.0, "x"))]
    chain = Value(1.0)
    for _ in range(20_000):
        chain = chain + 1.0
    deep = (
        "Recursion goes one call deeper for each node. "
        "Keep a list of your own of what is still to do."
    )
    for shown, root in [*cases, ("a chain of 20,000 additions", chain)]:
        call = f"topological_order of {shown}"
        received = run(answer, root, shown=call, too_deep=deep)
        try:
            order = list(islice(received, 1_000_000))  # a generator may have no end
        except TypeError:
            fail(f"{call} should be a list, received {received!r}.")
        except RecursionError:  # a generator only starts to work here
            fail(f"{call} raised RecursionError.", deep)
        expected = set(reference_order(root))
        if len(order) != len(set(order)):
            fail(
                f"In {shown}, {len(order) - len(set(order))} nodes are listed more than once.",
                "Remember the nodes that you have seen.",
            )
        for item in order:
            if item not in expected:
                fail(f"In {shown}, {item!r} is listed, which is not a node of the graph.")
        if set(order) != expected:
            fail(f"In {shown}, {len(expected)} nodes should be listed, received {len(order)}.")
        position = {node: i for i, node in enumerate(order)}
        for node in order:
            for child in node._children:
                if position[child] > position[node]:
                    turned = order[0] is root and len(order) > 1
                    fail(
                        f"In {shown}, {_name(node)} comes before {_name(child)}, its child.",
                        "The list is reversed: the root should come last." * turned
                        or "A node may be listed only after all of its children.",
                    )
    return "Every node once, children before parents, and no recursion limit."


@checker
def training_step(answer: Any) -> str:
    """Check a function ``(model, xs, ys, learning_rate)`` that makes one step of descent."""
    xs = [(2.0, 3.0, -1.0), (3.0, -1.0, 0.5), (0.5, 1.0, 1.0)]
    ys = [1.0, -1.0, -1.0]
    model, twin = (MLP(3, [2, 1], rng=random.Random(7)) for _ in range(2))
    for step in (1, 2):
        shown = f"step {step} of training_step(model, xs, ys, 0.05)"
        before = [p.data for p in twin.parameters()]
        loss = _squared_error(twin, xs, ys)
        twin.zero_grad()
        loss.backward()
        for p in twin.parameters():
            p.data -= 0.05 * p.grad
        received = run(answer, model, xs, ys, 0.05, shown=shown)
        after = [p.data for p in model.parameters()]
        moved = [x - y for x, y in zip(after, before)]
        right = [p.data - x for p, x in zip(twin.parameters(), before)]
        if not any(moved):
            fail(
                f"{shown} changed no parameter.",
                "Is backward() called? Are the gradients set to zero before it, and not between "
                "it and the update? Is p.data changed, and not p?",
            )
        if all(close(m, -r) for m, r in zip(moved, right)):
            fail(f"{shown} moved up the slope.", "The gradient points uphill: subtract it.")
        if not all(close(m, r) for m, r in zip(moved, right)):
            hint = (
                "Gradients of the step before are still there: zero them first."
                if step == 2
                else ""
            )
            worst = max(range(len(right)), key=lambda i: abs(moved[i] - right[i]))
            fail(
                f"{shown}: parameter {worst} should move by {right[worst]:.8g}, "
                f"it moved by {moved[worst]:.8g}.",
                hint or "The loss is the sum of squared errors over the examples.",
            )
        number = received.data if isinstance(received, Value) else received
        if not close(number, loss.data):
            fail(
                f"{shown} should return the loss before the update, {loss.data:.8g}; "
                f"received {number!r}."
            )
    return "Forward, zero, backward, update: the order holds over two steps."


def _squared_error(model: MLP, xs: list[Point], ys: list[float]) -> Value:
    total = Value(0.0)
    for x, y in zip(xs, ys):
        out = model(x)
        assert isinstance(out, Value)
        total = total + (out - y) ** 2
    return total


def _name(node: Any) -> str:
    return node.label or repr(node)
