"""The check of a step of training, for chapter 1."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...micrograd import MLP, Value
from ..numbers import close, written
from ..running import run
from ..verdict import checker, fail

Inputs = list[list[float]]


class Step(NamedTuple):
    """What a step is made with: all of it differs between steps."""

    xs: Inputs
    ys: list[float]
    rate: float


# For each network, its sizes and its steps.
NETWORKS: list[tuple[tuple[int, list[int]], list[Step]]] = [
    (
        (3, [2, 1]),
        [
            Step([[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0]], [1.0, -1.0, -1.0], 0.05),
            Step([[1.0, -2.0, 0.5], [0.25, 1.5, -1.0]], [-0.5, 1.0], 0.02),
            Step([[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0]], [1.0, -1.0, -1.0], 0.1),
        ],
    ),
    (
        (2, [3, 2, 1]),
        [
            Step([[0.5, -1.0]], [0.75], 0.2),
            Step([[1.5, 0.5], [-0.5, 2.0], [1.0, 1.0], [-1.0, 0.25]], [1.0, -1.0, 0.5, 0.0], 0.01),
        ],
    ),
]


@checker
def training_step(answer: Any) -> str:
    """Check a function ``(model, xs, ys, learning_rate)`` that makes one step of descent."""
    for (nin, nouts), steps in NETWORKS:
        model, twin = (MLP(nin, nouts, rng=random.Random(7)) for _ in range(2))
        for number, step in enumerate(steps, start=1):
            shown = f"Step {number} of training_step(model, xs, ys, {step.rate})"
            _check_step(answer, model, twin, step, shown)
    return "Forward, zero, backward, update: the order holds over several steps."


def _check_step(answer: Any, model: MLP, twin: MLP, step: Step, shown: str) -> None:
    """Stop unless the model, with gradients from before, moves as its twin does."""
    xs, ys, rate = step
    before = [p.data for p in twin.parameters()]
    loss = _squared_error(twin, xs, ys)
    twin.zero_grad()
    loss.backward()
    gradient = [p.grad for p in twin.parameters()]
    right = [-rate * g for g in gradient]
    given = model.parameters()
    for i, p in enumerate(given):
        p.grad = 0.5 + i % 4
    late = [-rate * (g + p.grad) for g, p in zip(gradient, given)]
    never = [-rate * p.grad for p in given]
    for p, move in zip(twin.parameters(), right):
        p.data += move
    examples = [list(x) for x in xs]
    received = run(answer, model, examples, list(ys), rate, shown=shown, may_change=(0,))
    parameters = model.parameters()
    if any(isinstance(p.data, Value) for p in parameters):
        fail(
            f"{shown} made the data of a parameter a Value.",
            "p.data is a plain number, and so is p.data - learning_rate * p.grad.",
        )
    moved = [p.data - x for p, x in zip(parameters, before)]
    if not any(moved):
        _fail_unmoved(parameters, shown)
    _check_loss(received, loss.data, _squared_error(twin, xs, ys).data, len(xs), shown)
    _check_moves(answer, model, moved, right, late, never, shown)
    if any(p._children for p in parameters):
        fail(
            f"{shown} made a parameter the result of an operation.",
            "Change the number p.data. Otherwise, each step makes the graph larger.",
        )
    if any(p is not q for p, q in zip(parameters, given)):
        fail(
            f"{shown} put new parameters into the model.",
            "Change the number p.data, and keep p: others may hold the same parameters.",
        )


def _squared_error(model: MLP, xs: Inputs, ys: list[float]) -> Value:
    total = Value(0.0)
    for x, y in zip(xs, ys):
        out = model(x)
        assert isinstance(out, Value)
        total = total + (out - y) ** 2
    return total


def _fail_unmoved(parameters: Sequence[Value], shown: str) -> None:
    if any(p.grad for p in parameters):
        hint = (
            "The gradients are there. The data of p has to change: p.data -= …, whereas p = … and "
            "p -= … only give the name p to something else."
        )
    else:
        hint = (
            "Is backward() called? Are the gradients set to zero before it, and not between "
            "it and the update? Is p.data changed, and not p?"
        )
    fail(f"{shown} changed no parameter.", hint)


def _check_loss(received: Any, before: float, after: float, examples: int, shown: str) -> None:
    number = received.data if isinstance(received, Value) else received
    if close(number, before):
        return
    hints = [
        (after, "That is the loss after the update."),
        (before / examples, "The loss is the sum over the examples, not their mean."),
        (before / 2, "The loss is the sum of squared errors, without a factor of 1/2."),
    ]
    fail(
        f"{shown} should return the loss before the update, {written(before)}; received "
        f"{written(number)}.",
        next((hint for wrong, hint in hints if close(number, wrong)), ""),
    )


def _near(moved: float, right: float) -> bool:
    return abs(moved - right) <= 1e-8 + 1e-5 * abs(right)


def _check_moves(
    answer: Any,
    model: MLP,
    moved: list[float],
    right: list[float],
    late: list[float],
    never: list[float],
    shown: str,
) -> None:
    """Stop unless each parameter moved as is right.

    ``late`` are the moves that come out when gradients from before are still there, ``never``
    those by them alone.
    """
    off = [i for i, (m, r) in enumerate(zip(moved, right)) if not _near(m, r)]
    if not off:
        return
    if all(_near(m, -r) for m, r in zip(moved, right)):
        fail(f"{shown} moved up the slope.", "The gradient points uphill: subtract it.")
    hint = ""
    if all(map(_near, moved, late)):
        hint = "Gradients from before are still there: set them to zero before backward()."
    elif all(map(_near, moved, never)):
        hint = "Those are the gradients from before. Is backward() called?"
    elif not any(moved[i] for i in off):
        hint = "Some parameters did not move. model.parameters() lists all of them."
        biases = [neuron.b for layer in model.layers for neuron in layer.neurons]
        if all(any(model.parameters()[i] is b for b in biases) for i in off):
            hint = "The biases are parameters, too. model.parameters() lists all of them."
    elif _ignores_rate(answer):
        hint = "The step is the same for another learning_rate. Is the argument used?"
    worst = max(off, key=lambda i: abs(moved[i] - right[i]))
    fail(
        f"{shown}: parameter {worst} should move by {written(right[worst])}, "
        f"it moved by {written(moved[worst])}.",
        hint,
    )


def _ignores_rate(answer: Any) -> bool:
    """Whether a new network moves in the same way with two learning rates."""
    (nin, nouts), (step, *_) = NETWORKS[0]
    models = [MLP(nin, nouts, rng=random.Random(7)) for _ in range(2)]
    for model, rate in zip(models, (step.rate, 2 * step.rate)):
        shown = f"training_step(model, xs, ys, {rate})"
        xs = [list(x) for x in step.xs]
        run(answer, model, xs, list(step.ys), rate, shown=shown, may_change=(0,))
    one, other = ([p.data for p in model.parameters()] for model in models)
    return one == other
