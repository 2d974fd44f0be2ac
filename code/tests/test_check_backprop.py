"""The checks of chapter 5, all of them: stubs and junk. Then sums, and all parameters."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from test_check_micrograd import outcome
from test_check_mlp import Odd, forgets, raises

from zerotohero import check
from zerotohero.backprop import BatchNormMLP, fused, steps

backprop = check.backprop
Answer = Callable[..., Any]
CHECKS = ("unbroadcast", "lines", "cross_entropy", "batchnorm", "gradients", "layernorm")
ONE_FUNCTION = [name for name in CHECKS if name != "lines"]


# -- all exercises -------------------------------------------------------------------------


def test_these_are_all() -> None:
    made = {name for name, x in vars(backprop).items() if hasattr(x, "__wrapped__")}
    made -= {"_values"}  # cached
    assert made == set(CHECKS) == set(backprop.__all__)


@pytest.mark.parametrize("name", ONE_FUNCTION)
def test_a_stub_is_not_done_yet(name: str) -> None:
    def empty(*_: Any) -> None: ...

    def documented(*_: Any) -> None:
        """Say what is to be done."""

    for stub in (None, ..., empty, documented, raises(NotImplementedError())):
        assert getattr(backprop, name)(stub).status == "not done yet"


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize(
    "junk",
    [
        5,
        "text",
        torch.zeros(3),
        raises(ValueError("no")),
        raises(SystemExit()),
        lambda: 1,
        lambda *_: 1.5,
        lambda *_: "text",
        lambda *_: (1, 2),
        lambda *_: ([[1, 2], [3]], "x"),
        lambda *_: iter(()),
        lambda *_: {"C": "text"},
        lambda *_: torch.tensor(math.nan),
        lambda *_: torch.zeros(0, 27),
        lambda *_: torch.zeros(2, 3, dtype=torch.complex64),
        lambda *_: BatchNormMLP,
        lambda *_: Odd(),
        Odd(),
    ],
)
def test_junk_is_wrong_and_raises_nothing(name: str, junk: Any) -> None:
    verdict = getattr(backprop, name)(junk)
    assert verdict.status == "wrong"
    assert verdict.message


@pytest.mark.parametrize("name", ONE_FUNCTION)
def test_a_missing_return(name: str) -> None:
    hint = "Does every path through the function return?"
    outcome(getattr(backprop, name)(forgets), "returned None", hint=hint)


# -- sum and broadcast ---------------------------------------------------------------------


def unbroadcast(grad: torch.Tensor, shape: tuple[int, ...], **changes: Any) -> torch.Tensor:
    """Sum dimension by dimension, perhaps with a mistake."""
    while changes.get("leading", True) and grad.ndim > len(shape):
        grad = grad.sum(0)
    for dim, size in enumerate(shape):
        if size == 1 and grad.shape[dim] > 1:
            grad = grad.sum(dim, keepdim=changes.get("keepdim", True))
    return grad


@pytest.mark.parametrize(
    "answer",
    [
        unbroadcast,
        lambda grad, shape: grad.sum_to_size(shape),
        lambda grad, shape: grad.sum_to_size(shape).tolist(),
    ],
)
def test_unbroadcast_right(answer: Answer) -> None:
    verdict = backprop.unbroadcast(answer)
    assert verdict, verdict.message
    assert "sum over all its copies" in verdict.message


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            lambda grad, shape: unbroadcast(grad, shape, keepdim=False),
            ["(4, 3), (1, 3)) should have shape (1, 3), received (3,)"],
            "Keep the summed dimension: keepdim=True.",
        ),
        (
            lambda grad, shape: unbroadcast(grad, shape, leading=False),
            ["(4, 3), (3,)) should have shape (3,), received (4, 3)"],
            "Nothing was summed: which dimensions had to be stretched, or were missing?",
        ),
        (
            lambda grad, shape: grad,
            ["should have shape (1, 3), received (4, 3)"],
            "Nothing was summed: which dimensions had to be stretched, or were missing?",
        ),
        (
            lambda grad, shape: unbroadcast(grad, shape) * grad.sum_to_size(shape).numel() / 12,
            ["should be", "received"],
            "A sum, not a mean: each use counts in full.",
        ),
        (
            lambda grad, shape: grad.sum().expand(shape),
            ["entry (0, 0) should be"],
            "Sum only over the dimensions that were stretched.",
        ),
        (
            lambda grad, shape: grad.sum(),
            ["should have shape (1, 3), received ()"],
            "Sum only over the dimensions that were stretched.",
        ),
        (
            lambda grad, shape: -unbroadcast(grad, shape),
            ["entry (0, 0) should be"],
            "The sign is turned around.",
        ),
        (
            lambda grad, shape: grad.sum(0, keepdim=True),
            ["(4, 3), (4, 1)) should have shape (4, 1), received (1, 3)"],
            "",
        ),
        (
            lambda grad, shape: grad.sum(0, keepdim=True) if len(shape) == 1 else
            unbroadcast(grad, shape),
            ["(4, 3), (3,)) should have shape (3,), received (1, 3)"],
            "This value has one dimension only: sum without keepdim.",
        ),
    ],
)  # fmt: skip
def test_unbroadcast_wrong(answer: Answer, words: list[str], hint: str) -> None:
    outcome(backprop.unbroadcast(answer), *words, hint=hint)


# -- exercise 4: all parameters ------------------------------------------------------------


def gradients(p: Any, X: torch.Tensor, Y: torch.Tensor, **changes: Any) -> dict[str, torch.Tensor]:
    """Compute all seven gradients in a form of the test's own, perhaps with a mistake."""
    n, n_embd = len(X), p.C.shape[1]
    correction = changes.get("correction", 1)
    gain, bias = (p.bnbias, p.bngain) if changes.get("swapped") else (p.bngain, p.bnbias)
    embcat = p.C[X].flatten(1)
    pre = embcat @ p.W1 + p.b1
    std = (pre.var(0, correction=changes.get("forward", 1)) + 1e-5).sqrt()
    raw = (pre - pre.mean(0)) / std
    h = torch.tanh(gain * raw + bias)
    if changes.get("no_tanh"):
        h = gain * raw + bias
    dlogits = F.softmax(h @ p.W2 + p.b2, 1) - F.one_hot(Y, 27)
    dlogits = dlogits / changes.get("divisor", n)
    dh = dlogits @ p.W2.T
    da = dh if changes.get("linear") else dh * (1 - h.square())
    draw = da * gain
    dpre = (draw - draw.mean(0) - raw * (draw * raw).sum(0) / (n - correction)) / std
    demb = (dpre @ p.W1.T).view(n, -1, n_embd)
    dC = torch.zeros_like(p.C)
    if changes.get("last_wins"):
        dC[X] += demb
    else:
        dC.index_add_(0, X.flatten(), demb.flatten(0, 1))
    return {
        "C": dC,
        "W1": embcat.T @ dpre,
        "b1": dpre.sum(0),
        "W2": h.T @ dlogits,
        "b2": dlogits if changes.get("unsummed") else dlogits.sum(0),
        "bngain": (da * raw).sum(0, keepdim=not changes.get("flat")),
        "bnbias": da.sum(0, keepdim=True) * changes.get("sign", 1),
    }


def by_package(p: Any, X: torch.Tensor, Y: torch.Tensor) -> SimpleNamespace:
    model = BatchNormMLP(torch.Generator(), n_embd=p.C.shape[1], n_hidden=len(p.b1))
    vars(model).update(vars(p))
    return fused.backward(fused.forward(model, X, Y))


def by_autograd(p: Any, X: torch.Tensor, Y: torch.Tensor) -> dict[str, torch.Tensor]:
    for tensor in vars(p).values():
        tensor.requires_grad_()
    model = BatchNormMLP(torch.Generator(), n_embd=p.C.shape[1], n_hidden=len(p.b1))
    vars(model).update(vars(p))
    steps.forward(model, X, Y).loss.backward()
    return {name: tensor.grad for name, tensor in vars(p).items()}


@pytest.mark.parametrize("answer", [gradients, by_package])
def test_gradients_right(answer: Answer) -> None:
    verdict = backprop.gradients(answer)
    assert verdict, verdict
    assert "without autograd" in verdict.message


@pytest.mark.parametrize(
    ("changes", "words", "hint"),
    [
        (
            {"divisor": 1},
            ["b2 of gradients(p, X, Y) for 6 examples: entry (0,) should be"],
            "Too large by the factor n. Where does the mean over the examples enter?",
        ),
        (
            {"unsummed": True},
            ["b2 of", "should have shape (27,), received (6, 27)"],
            "This value was broadcast forward, so add up the gradients of all its uses: a sum.",
        ),
        (
            {"flat": True},
            ["bngain of", "should have shape (1, 5), received (5,)"],
            "Keep the summed dimension: keepdim=True.",
        ),
        ({"sign": -1}, ["bnbias of", "entry (0, 0) should be"], "The sign is turned around."),
        (
            {"forward": 0},
            ["b2 of", "entry (0,) should be"],
            "The forward pass: its variance has to divide by n − 1, as var(0, keepdim=True).",
        ),
        (
            {"forward": 0, "correction": 0},
            ["b2 of", "entry (0,) should be"],
            "The forward pass: its variance has to divide by n − 1, as var(0, keepdim=True).",
        ),
        (
            {"swapped": True},
            ["b2 of", "entry (0,) should be"],
            "The forward pass: bngain is the factor, and bnbias is added.",
        ),
        (
            {"no_tanh": True},
            ["b2 of", "entry (0,) should be"],
            "It needs the logits and little more. Is the forward pass right?",
        ),
        ({"linear": True}, ["bnbias of", "entry (0, 0) should be"], ""),
        (
            {"correction": 0},
            ["W1 of", "entry (0, 0) should be"],
            "With BatchNorm as if its variance divided by n. Here it divides by n − 1.",
        ),
        (
            {"last_wins": True},
            ["C of", "entry (1, 0) should be"],
            "Characters occur several times: add up, as index_add_.",
        ),
    ],
)
def test_gradients_wrong(changes: dict[str, Any], words: list[str], hint: str) -> None:
    outcome(backprop.gradients(lambda *args: gradients(*args, **changes)), *words, hint=hint)


def exchanged(*args: Any) -> dict[str, torch.Tensor]:
    found = gradients(*args)
    return {**found, "bngain": found["bnbias"], "bnbias": found["bngain"]}


def test_gradients_wrong_in_other_ways() -> None:
    hint = "bngain and bnbias are exchanged."
    outcome(backprop.gradients(exchanged), "bnbias of", hint=hint)
    outcome(
        backprop.gradients(
            lambda *args: {**exchanged(*args), "bnbias": gradients(*args)["bnbias"]}
        ),
        "bngain of",
        hint=hint,
    )
    outcome(
        backprop.gradients(by_autograd),
        "raised RuntimeError",
        "does not require grad",
        hint="Autograd is switched off here. Write the backward pass by hand.",
    )
    outcome(
        backprop.gradients(lambda *args: list(gradients(*args).values())),
        "missing: C, W1, b1, W2, b2, bngain, bnbias.",
        hint="Return a dictionary: {'C': ..., 'W1': ...}, or a namespace.",
    )
    outcome(
        backprop.gradients(lambda *args: {**gradients(*args), "W2": None}),
        "W2 of",
        "should return a tensor, received None.",
    )
