"""The check of the softmax loss, for chapter 1."""

from __future__ import annotations

import math
from typing import Any

from ...micrograd import Value
from .. import nodes
from ..numbers import close, expect_numbers, written
from ..running import run
from ..verdict import Verdict, checker, fail, stop, stopped

# In the first case, every misconception gives a number of its own.
CASES: list[tuple[list[float], int]] = [
    ([0.5, -0.25, 1.5], 1),
    ([0.0, 3.0, -2.0, 1.0], 3),
    ([2.0, 2.0], 0),
    ([-1.5, 0.25, 0.25, -0.75, 2.25], 2),
    ([-0.5, 1.25], 1),
]
# What is added to a probability or to the sum, or cut off, shows here.
EXTREME: list[tuple[list[float], int]] = [
    ([0.0, 40.0], 0),
    ([-20.0, -20.0], 1),
    ([20.0, 0.0], 0),
    ([-40.0, -40.0], 1),
    ([40.0, -40.0], 1),
]


@checker
def softmax_nll(answer: Any) -> str:
    """Check a function ``(logits, label)`` that returns the negative log likelihood."""
    for data, label in CASES + EXTREME:
        shown = f"softmax_nll({data}, label={label})"
        logits = [Value(x) for x in data]
        before = [0.25 * (i + 1) for i in range(len(data))]
        for x, grad in zip(logits, before):
            x.grad = grad
        out = _loss(answer, logits, label, shown)
        total = sum(math.exp(x) for x in data)
        p = [math.exp(x) / total for x in data]
        if not close(out.data, -math.log(p[label])):
            _fail_value(out, data, p, label, shown)
        nodes.backward(out, shown)
        expect_numbers(
            [x.grad - grad for x, grad in zip(logits, before)],
            [q - (i == label) for i, q in enumerate(p)],
            f"The gradients of the logits in {shown}",
            otherwise="The value is right. Was a Value turned into a float on the way (.data)?",
        )
    return "Values and gradients hold: each gradient is p − 1 at the label, and p elsewhere."


def _loss(answer: Any, logits: list[Value], label: int, shown: str) -> Value:
    """Return the answer's loss, after which the logits have to be as they were."""
    given, data = list(logits), [x.data for x in logits]
    grads, history = [x.grad for x in logits], [_history(x) for x in logits]
    received: list[Any] = []

    def call() -> None:  # what it changes is looked for below: there is more to say about it
        received.append(run(answer, logits, label, shown=shown, may_change=(0,)))

    if (problem := stopped(call)) is not None:
        stop(problem if problem.hint else Verdict(problem.status, problem.message, _cause(problem)))
    out = received[0]
    if len(logits) != len(given) or any(x is not y for x, y in zip(logits, given)):
        fail(f"{shown} changed the list of logits.", "Make a new list for the exponentials.")
    if [x.data for x in logits] != data:
        fail(f"{shown} changed the data of a logit.", "z.exp() makes a new Value; z stays.")
    if [x.grad for x in logits] != grads:
        hint = "Return the loss and leave backward() to the caller: gradients add up over calls."
        if not any(x.grad for x in logits):
            hint = "To set the gradients to zero is up to the caller, too."
        fail(f"{shown} changed the gradients of the logits.", hint)
    if [_history(x) for x in logits] != history:
        fail(f"{shown} changed a logit.", "Leave the logits as they are, with their labels.")
    if not isinstance(out, Value):
        hint = "Keep to Value's operators. A float has no history." * isinstance(out, (int, float))
        fail(f"{shown} should return a Value, received {out!r}.", hint)
    return out


def _history(x: Value) -> tuple[object, ...]:
    return x.label, x._op, x._children, x._local_grads


def _cause(problem: Verdict) -> str:
    """Return a hint for an exception that a plain number would not have raised."""
    if "must be real number, not Value" in problem.message:
        return "The functions of math know only plain numbers. A Value has z.exp() and p.log()."
    if "operand 'Value' does not support ufuncs" in problem.message:
        return "NumPy's functions know only plain numbers. A Value has z.exp() and p.log()."
    if "for ** or pow(): 'float' and 'Value'" in problem.message:
        return "A number can't be raised to a Value. Write z.exp() for e to the z."
    return ""


def _fail_value(out: Value, data: list[float], p: list[float], label: int, shown: str) -> None:
    loss = -math.log(p[label])
    total, plain = sum(math.exp(x) for x in data), sum(data)
    hints = [
        (-loss, "The likelihood is below 1, its log below 0: put a minus in front."),
        (p[label], "That is the probability itself. Take −log of it."),
        (-p[label], "The logarithm is missing: −log p, not −p."),
        (-data[label], "That is −logit. Exponentiate and normalize first."),
        (math.log(total), "That is the log of the sum alone. Which logit has the label?"),
        (-math.log2(p[label]), "Use the natural logarithm."),
        (-sum(math.log(q) for q in p), "Only the label's probability counts."),
        (-sum(math.log(q) for q in p) / len(p), "Only the label's probability counts."),
        (-math.log(p[0]), "The label is an index: take the probability at that index."),
    ]
    if plain > 0:
        sums = "Exponentiate the logits in the sum, too."
        hints += [(math.log(plain) - data[label], sums)]
    hint = next((text for wrong, text in hints if close(out.data, wrong)), "")
    if (data, label) in EXTREME:
        hint = "Take sum and probability as they are: nothing is added, and nothing is cut off."
    fail(f"{shown} should be {written(loss)}, received {written(out.data)}.", hint)
