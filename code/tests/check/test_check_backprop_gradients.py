"""The check of chapter 5 for the gradients of all parameters."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.backprop import BatchNormMLP, fused, steps
from zerotohero.check import backprop

Answer = Callable[..., Any]


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
        ({"sign": -1}, ["bnbias of", "entry (0, 0) should be"], "The sign is reversed."),
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
