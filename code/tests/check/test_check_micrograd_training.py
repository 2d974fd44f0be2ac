"""The checks of the softmax loss and of the training step."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from check_answers import outcome

from zerotohero.check import micrograd
from zerotohero.micrograd import MLP, Value

# -- softmax -------------------------------------------------------------


def probabilities(logits: list[Value]) -> list[Value]:
    counts = [z.exp() for z in logits]
    return [count / sum(counts) for count in counts]


def shifted(logits: list[Value], label: int) -> Value:
    largest = max(z.data for z in logits)
    counts = [(z - largest).exp() for z in logits]
    return -(counts[label] / sum(counts)).log()


@pytest.mark.parametrize(
    "answer",
    [
        lambda z, k: -probabilities(z)[k].log(),
        shifted,
        lambda z, k: sum(x.exp() for x in z).log() - z[k],
        lambda z, k: (sum((x - z[k]).exp() for x in z)).log(),
    ],
)
def test_softmax_right(answer: Callable[..., Any]) -> None:
    assert micrograd.softmax_nll(answer)


ONLY = "Only the label's probability counts."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            lambda z, k: probabilities(z)[k].log(),
            "The likelihood is below 1, its log below 0: put a minus in front.",
        ),
        (lambda z, k: probabilities(z)[k], "That is the probability itself. Take −log of it."),
        (lambda z, k: -z[k], "That is −logit. Exponentiate and normalize first."),
        (
            lambda z, k: sum(x.exp() for x in z).log(),
            "That is the log of the sum alone. Which logit has the label?",
        ),
        (lambda z, k: -probabilities(z)[k].log() / math.log(2), "Use the natural logarithm."),
        (lambda z, k: -sum(p.log() for p in probabilities(z)), ONLY),
        (lambda z, k: -sum(p.log() for p in probabilities(z)) / len(z), ONLY),
        (
            lambda z, k: -probabilities(z)[0].log(),
            "The label is an index: take the probability at that index.",
        ),
        (lambda z, k: Value(7.0), ""),
    ],
)
def test_softmax_wrong(answer: Callable[..., Any], hint: str) -> None:
    data = (0.5, -0.25, 1.5)
    right = torch.nn.functional.cross_entropy(
        torch.tensor(data, dtype=torch.float64), torch.tensor(1)
    )
    received = answer([Value(x) for x in data], 1).data
    numbers = f"label=1) should be {right.item():.8g}, received {received:.8g}"
    outcome(micrograd.softmax_nll(answer), numbers, hint=hint)


FLOAT = "The value is right. Was a Value turned into a float on the way (.data)?"


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda z, k: -(z[k].exp() / sum(x.exp().data for x in z)).log(),
            ["gradients of the logits", "entry 0 should be 0.2386", "received 0"],
            FLOAT,
        ),
        (
            lambda z, k: Value((-probabilities(z)[k].log()).data),
            ["gradients of the logits", "received 0"],
            FLOAT,
        ),
        (
            lambda z, k: (-probabilities(z)[k].log()).data,
            ["should return a Value, received 2.18"],
            "Keep to Value's operators.",
        ),
    ],
)
def test_softmax_without_a_history(answer: Any, words: list[str], hint: str) -> None:
    outcome(micrograd.softmax_nll(answer), *words, hint=hint)


# -- a training step -----------------------------------------------------


def squared_error(model: MLP, xs: Any, ys: Any) -> Any:
    return sum((model(x) - y) ** 2 for x, y in zip(xs, ys))


def move(model: MLP, rate: float) -> None:
    for p in model.parameters():
        p.data -= rate * p.grad


def step(zero: str = "first", sign: int = 1, result: str = "before", mean: bool = False) -> Any:
    """Return a training step: right by default, or wrong in one way."""

    def training_step(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
        loss = squared_error(model, xs, ys) / (len(xs) if mean else 1)
        if zero == "first":
            model.zero_grad()
        loss.backward()
        if zero == "between":
            model.zero_grad()
        move(model, sign * learning_rate)
        if zero == "last":
            model.zero_grad()
        return {
            "before": loss,
            "number": loss.data,
            "after": squared_error(model, xs, ys),
            "nothing": None,
        }[result]

    return training_step


def example_by_example(model: MLP, xs: Any, ys: Any, learning_rate: float) -> float:
    for p in model.parameters():
        p.grad = 0.0
    total = 0.0
    for x, y in zip(xs, ys):
        error = model(x) - y
        total += error.data**2
        (error * error).backward()
    move(model, learning_rate)
    return total


@pytest.mark.parametrize(
    "answer", [step(), step(zero="last"), step(result="number"), example_by_example]
)
def test_training_step_right(answer: Callable[..., Any]) -> None:
    assert micrograd.training_step(answer)


def moves_copies(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
    loss = squared_error(model, xs, ys)
    loss.backward()
    for p in model.parameters():
        p -= learning_rate * p.grad  # the mistake that is tested
    return loss


def no_backward(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
    loss = squared_error(model, xs, ys)
    model.zero_grad()
    move(model, learning_rate)
    return loss


def forgets_the_biases(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
    kept = [neuron.b.data for layer in model.layers for neuron in layer.neurons]
    loss = step()(model, xs, ys, learning_rate)
    for neuron, b in zip((n for layer in model.layers for n in layer.neurons), kept):
        neuron.b.data = b
    return loss


LOSS = "The loss is the sum of squared errors over the examples."
UNMOVED = (
    "Is backward() called? Are the gradients set to zero before it, and not between "
    "it and the update? Is p.data changed, and not p?"
)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            step(zero="never"),
            ["step 2", "should move by", "it moved by"],
            "Gradients of the step before are still there: zero them first.",
        ),
        (step(zero="between"), ["step 1", "changed no parameter"], UNMOVED),
        (moves_copies, ["step 1", "changed no parameter"], UNMOVED),
        (no_backward, ["step 1", "changed no parameter"], UNMOVED),
        (
            step(sign=-1),
            ["step 1", "moved up the slope"],
            "The gradient points uphill: subtract it.",
        ),
        (step(mean=True), ["step 1", "should move by", "it moved by"], LOSS),
        (forgets_the_biases, ["should move by", "it moved by 0"], LOSS),
        (step(result="after"), ["should return the loss before the update", "received"], ""),
        (
            step(result="nothing"),
            ["returned None"],
            "Does every path through the function return?",
        ),
    ],
)
def test_training_step_wrong(answer: Callable[..., Any], words: list[str], hint: str) -> None:
    outcome(micrograd.training_step(answer), *words, hint=hint)
