"""The checks of the softmax loss and of the training step."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from check_answers import outcome

from zerotohero.check import micrograd
from zerotohero.micrograd import MLP, Value

# -- softmax -------------------------------------------------------------


def probabilities(logits: list[Value]) -> list[Value]:
    counts = [z.exp() for z in logits]
    return [count / sum(counts) for count in counts]


ONLY = "Only the label's probability counts."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            lambda z, k: probabilities(z)[k].log(),
            "The likelihood is below 1, its log below 0: put a minus in front.",
        ),
        (lambda z, k: probabilities(z)[k], "That is the probability itself. Take −log of it."),
        (lambda z, k: -probabilities(z)[k], "The logarithm is missing: −log p, not −p."),
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
        (
            lambda z, k: -(z[k].exp() / sum(z)).log(),
            "Exponentiate the logits in the sum, too.",
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
            ["The gradients of the logits in softmax", "entry 0 should be 0.2386", "received 0"],
            FLOAT,
        ),
        (
            lambda z, k: Value((-probabilities(z)[k].log()).data),
            ["The gradients of the logits in softmax", "received 0"],
            FLOAT,
        ),
        (
            lambda z, k: (-probabilities(z)[k].log()).data,
            ["should return a Value, received 2.18"],
            "Keep to Value's operators. A float has no history.",
        ),
        (lambda z, k: probabilities(z), ["should return a Value, received [Value"], ""),
    ],
)
def test_softmax_without_a_history(answer: Any, words: list[str], hint: str) -> None:
    outcome(micrograd.softmax_nll(answer), *words, hint=hint)


def in_place(z: list[Value], k: int) -> Value:
    for i in range(len(z)):
        z[i] = z[i].exp()
    return -(z[k] / sum(z)).log()


def takes_out(z: list[Value], k: int) -> Value:
    right = z.pop(k).exp()
    return -(right / (sum(x.exp() for x in z) + right)).log()


def writes_data(z: list[Value], k: int) -> Value:
    loss = -probabilities(z)[k].log()
    for x in z:
        x.data = 0.0
    return loss


def labels(z: list[Value], k: int) -> Value:
    z[k].label = "right"
    return -probabilities(z)[k].log()


def goes_back(z: list[Value], k: int) -> Value:
    loss = -probabilities(z)[k].log()
    loss.backward()
    return loss


def zeroes(z: list[Value], k: int) -> Value:
    for x in z:
        x.grad = 0.0
    return -probabilities(z)[k].log()


def goes_back_and_zeroes(z: list[Value], k: int) -> Value:
    loss = goes_back(z, k)
    for x in z:
        x.grad = 0.0
    return loss


NEW_LIST = "Make a new list for the exponentials."
ZEROED = "To set the gradients to zero is up to the caller, too."
MATH = "The functions of math know only plain numbers. A Value has z.exp() and p.log()."
NUMPY = "NumPy's functions know only plain numbers. A Value has z.exp() and p.log()."
POWER = "A number can't be raised to a Value. Write z.exp() for e to the z."


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (in_place, ["label=1) changed the list of logits"], NEW_LIST),
        (takes_out, ["changed the list of logits"], NEW_LIST),
        (
            writes_data,
            ["changed the data of a logit"],
            "z.exp() makes a new Value; z stays.",
        ),
        (
            goes_back,
            ["changed the gradients of the logits"],
            "Return the loss and leave backward() to the caller: gradients add up over calls.",
        ),
        (
            labels,
            ["label=1) changed a logit."],
            "Leave the logits as they are, with their labels.",
        ),
        (zeroes, ["changed the gradients of the logits"], ZEROED),
        (goes_back_and_zeroes, ["changed the gradients of the logits"], ZEROED),
        (
            lambda z, k: -(math.exp(z[k]) / sum(math.exp(x) for x in z)),
            ["raised TypeError: must be real number, not Value", "lambda z, k: -(math.exp(z[k])"],
            MATH,
        ),
        (lambda z, k: -math.log(probabilities(z)[k]), ["must be real number"], MATH),
        (lambda z, k: -np.log(probabilities(z)[k]), ["does not support ufuncs"], NUMPY),
        (lambda z, k: math.e ** z[k], ["raised TypeError: unsupported operand"], POWER),
        (lambda z, k: z[k].exponential(), ["has no attribute 'exponential'"], ""),
        (lambda z, k: -probabilities(z)[k + 1].log(), ["received 0.43285547"], ""),
        (lambda z, k: math.exp("1"), ["must be real number, not str"], ""),
    ],
)
def test_softmax_by_other_means(answer: Any, words: list[str], hint: str) -> None:
    outcome(micrograd.softmax_nll(answer), *words, hint=hint)


def clipped(low: float, high: float) -> Callable[..., Value]:
    def answer(z: list[Value], k: int) -> Value:
        p = probabilities(z)[k]
        if not low < p.data < high:
            p = p * 0 + min(max(p.data, low), high)
        return -p.log()

    return answer


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        (lambda z, k: -(probabilities(z)[k] + 1e-8).log(), "([0.0, 40.0], label=0) should be 40"),
        (
            lambda z, k: -(z[k].exp() / (sum(x.exp() for x in z) + 1e-8)).log(),
            "([-20.0, -20.0], label=1) should be 0.69314718",
        ),
        (clipped(1e-3, 1.0), "([0.0, 40.0], label=0) should be 40, received 6.9077553"),
        (
            lambda z, k: -(z[k].exp() / (sum(x.exp() for x in z) + 1e-18)).log(),
            "([-40.0, -40.0], label=1) should be 0.69314718",
        ),
        (
            lambda z, k: -(probabilities(z)[k] + 1e-30).log(),
            "([40.0, -40.0], label=1) should be 80",
        ),
        (clipped(1e-18, 1.0), "([40.0, -40.0], label=1) should be 80, received 41.446532"),
        (clipped(0.0, 0.999), "([20.0, 0.0], label=0) should be 2.06115"),
    ],
)
def test_nothing_is_added_or_cut_off(answer: Callable[..., Value], numbers: str) -> None:
    hint = "Take sum and probability as they are: nothing is added, and nothing is cut off."
    outcome(micrograd.softmax_nll(answer), numbers, hint=hint)


# -- a training step -----------------------------------------------------


def squared_error(model: MLP, xs: Any, ys: Any) -> Any:
    return sum((model(x) - y) ** 2 for x, y in zip(xs, ys))


def move(model: MLP, rate: float) -> None:
    for p in model.parameters():
        p.data -= rate * p.grad


def step(
    zero: str = "first",
    sign: int = 1,
    result: str = "before",
    mean: bool = False,
    half: bool = False,
) -> Any:
    """Return a training step: right by default, or wrong in one way."""

    def training_step(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
        loss = squared_error(model, xs, ys) / (len(xs) if mean else 2 if half else 1)
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
            "model": model,
            "after": squared_error(model, xs, ys),
            "nothing": None,
        }[result]

    return training_step


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


def moves_only(layers: slice) -> Callable[..., Any]:
    def answer(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
        loss = squared_error(model, xs, ys)
        model.zero_grad()
        loss.backward()
        for layer in model.layers[layers]:
            for p in layer.parameters():
                p.data -= learning_rate * p.grad
        return loss

    return answer


def at_a_rate(rate: float) -> Callable[..., Any]:
    return lambda model, xs, ys, learning_rate: step()(model, xs, ys, rate)


def at_half_the_rate(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
    return step()(model, xs, ys, learning_rate / 2)


def replaces(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
    loss = squared_error(model, xs, ys)
    model.zero_grad()
    loss.backward()
    for neuron in (n for layer in model.layers for n in layer.neurons):
        neuron.w = [w - learning_rate * w.grad for w in neuron.w]
        neuron.b = neuron.b - learning_rate * neuron.b.grad
    return loss


def new_parameters(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
    loss = squared_error(model, xs, ys)
    model.zero_grad()
    loss.backward()
    for neuron in (n for layer in model.layers for n in layer.neurons):
        neuron.w = [Value(w.data - learning_rate * w.grad) for w in neuron.w]
        neuron.b = Value(neuron.b.data - learning_rate * neuron.b.grad)
    return loss


def neither_zero_nor_backward(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
    loss = squared_error(model, xs, ys)
    move(model, learning_rate)
    return loss


def without_the_result(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
    loss = squared_error(model, xs, ys)
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data - learning_rate * p.grad  # the mistake that is tested
    return loss


def stores_values(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
    loss = squared_error(model, xs, ys)
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data = p - learning_rate * p.grad  # type: ignore[assignment] # the mistake
    return loss


def takes_the_examples(model: MLP, xs: Any, ys: Any, learning_rate: float) -> Any:
    loss = step()(model, list(xs), list(ys), learning_rate)
    xs.clear()
    return loss


MEAN = "The loss is the sum over the examples, not their mean."
HALF = "The loss is the sum of squared errors, without a factor of 1/2."
AFTER = "That is the loss after the update."
UPHILL = "The gradient points uphill: subtract it."
RATE = "The step is the same for another learning_rate. Is the argument used?"
STILL = "Gradients from before are still there: set them to zero before backward()."
BIASES = "The biases are parameters, too. model.parameters() lists all of them."
SOME = "Some parameters did not move. model.parameters() lists all of them."
GRAPH = "Change the number p.data. Otherwise, each step makes the graph larger."
THERE = (
    "The gradients are there. The data of p has to change: p.data -= …, whereas p = … and "
    "p -= … only give the name p to something else."
)
UNMOVED = (
    "Is backward() called? Are the gradients set to zero before it, and not between "
    "it and the update? Is p.data changed, and not p?"
)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (step(zero="never"), ["Step 1", "ys, 0.05): parameter", "should move by"], STILL),
        (step(zero="last"), ["Step 1", "ys, 0.05): parameter", "should move by"], STILL),
        (
            neither_zero_nor_backward,
            ["Step 1", "should move by"],
            "Those are the gradients from before. Is backward() called?",
        ),
        (
            new_parameters,
            ["Step 1 of training_step(model, xs, ys, 0.05) put new parameters into the model."],
            "Change the number p.data, and keep p: others may hold the same parameters.",
        ),
        (step(zero="between"), ["Step 1", "changed no parameter"], UNMOVED),
        (no_backward, ["Step 1", "changed no parameter"], UNMOVED),
        (moves_copies, ["Step 1", "changed no parameter"], THERE),
        (without_the_result, ["Step 1", "changed no parameter"], THERE),
        (step(sign=-1), ["Step 1", "moved up the slope"], UPHILL),
        (at_a_rate(0.05), ["Step 2", "ys, 0.02): parameter", "it moved by"], RATE),
        (at_a_rate(0.1), ["Step 1", "it moved by"], RATE),
        (at_a_rate(1.0), ["Step 1", "it moved by"], RATE),
        (at_half_the_rate, ["Step 1", "it moved by"], ""),
        (forgets_the_biases, ["Step 1", "should move by", "it moved by 0"], BIASES),
        (moves_only(slice(1)), ["Step 1", "it moved by 0"], SOME),
        (moves_only(slice(1, None)), ["Step 1", "it moved by 0"], SOME),
        (replaces, ["Step 1", "made a parameter the result of an operation"], GRAPH),
        (
            stores_values,
            ["Step 1", "made the data of a parameter a Value"],
            "p.data is a plain number, and so is p.data - learning_rate * p.grad.",
        ),
        (
            step(mean=True),
            ["should return the loss before the update, 3.4660745; received 1.1553582."],
            MEAN,
        ),
        (step(half=True), ["should return the loss before the update"], HALF),
        (step(result="after"), ["should return the loss before the update"], AFTER),
        (step(result="model"), ["should return the loss", "received MLP"], ""),
        (
            step(result="nothing"),
            ["returned None"],
            "Does every path through the function return?",
        ),
        (
            takes_the_examples,
            ["changed xs, which it was given"],
            "Methods such as sort, shuffle and append change the list itself. Work on a copy.",
        ),
    ],
)
def test_training_step_wrong(answer: Callable[..., Any], words: list[str], hint: str) -> None:
    outcome(micrograd.training_step(answer), *words, hint=hint)
