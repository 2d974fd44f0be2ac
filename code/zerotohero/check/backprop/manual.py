"""Checks for the exercises of chapter 5."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import torch

from ...backprop import BatchNormMLP, cross_entropy_backward, steps
from ...backprop.model import EPS, PARAMETERS
from ..running import run
from ..tensors import expect_tensor
from ..verdict import Verdict, checker, fail, stop, stopped
from .hints import usual_mistake
from .lines import LINES


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- sum and broadcast -----------------------------------------------------------------


@checker
def unbroadcast(answer: Any) -> str:
    """Check a function ``(grad, shape)`` that sums a gradient down to the shape of its value."""
    for full, shape in (
        ((4, 3), (1, 3)),
        ((4, 3), (4, 1)),
        ((4, 3), (3,)),
        ((4, 3), ()),
        ((2, 4, 3), (4, 1)),
        ((4, 3), (4, 3)),
        ((1, 3), (1, 3)),
    ):
        grad = torch.randn(full, generator=_generator(1))
        value = torch.zeros(shape, requires_grad=True)
        (right,) = torch.autograd.grad(value.expand(full), value, grad)
        shown = f"unbroadcast(grad of shape {full}, {shape})"
        received = run(answer, grad.clone(), shape, shown=shown)
        missing = len(full) - len(shape)
        stretched = [i for i in range(len(full)) if i < missing or shape[i - missing] < full[i]]
        mean = grad.mean(stretched).view(shape) if stretched else right
        mistakes = [
            (grad.sum().expand(shape), "Sum only over the dimensions that were stretched."),
            (grad.sum(), "Sum only over the dimensions that were stretched."),
            (mean, "A sum, not a mean: each use counts in full."),
            (grad, "Nothing was summed: which dimensions had to be stretched, or were missing?"),
        ]
        hint = usual_mistake(received, right)
        expect_tensor(received, right, shown, mistakes, otherwise=hint)
    return "Where a value was broadcast, its gradient is the sum over all its copies."


# -- exercise 1: every line ------------------------------------------------------------


@checker
def lines(answer: Any) -> str:
    """Check a class (or dictionary) with one function ``(v, d)`` for each of the 26 gradients.

    Each function gets the values ``v`` and the right gradients ``d`` of what comes after it,
    whatever the other functions do. It is called on a small network, and then on another one
    with made-up gradients: the rule of a line does not depend on where its gradient came from.
    """
    given = {name: _line(answer, name) for name in LINES}
    if all(line is None for line in given.values()):
        fail(
            f"Expected a class with one function for each gradient, received "
            f"{reprlib.repr(answer)}.",
            "Keep the names of the stub: logprobs, probs, and so on.",
        )
    right, missing, wrong = 0, [], None
    for name, line in given.items():
        verdict = stopped(partial(_check_line, name, line))
        if verdict is None:
            right += 1
        elif verdict.status == "not done yet":
            missing.append(name)
        elif wrong is None:  # the first; a wrong verdict is false
            wrong = verdict
    count = f"{right} of {len(LINES)} lines are right."
    if wrong is not None:
        fail(f"{wrong.message}\n{count}", wrong.hint)
    if missing:
        shape = _SHAPES[missing[0]]
        stop(Verdict("not done yet", f"{count} Next: {missing[0]}, of shape {shape}."))
    return f"All {right} lines are right: the whole backward pass, from the loss to C."


_SHAPES = {
    **dict.fromkeys(("logprobs", "probs", "counts", "norm_logits", "logits"), "(n, 27)"),
    **dict.fromkeys(("counts_sum_inv", "counts_sum", "logit_maxes"), "(n, 1)"),
    **dict.fromkeys(("h", "hpreact", "bnraw", "bndiff2", "bndiff", "hprebn"), "(n, H)"),
    **dict.fromkeys(("bngain", "bnbias", "bnvar_inv", "bnvar", "bnmeani"), "(1, H)"),
    "W2": "(H, 27)",
    "b2": "(27,)",
    "embcat": "(n, 3 * E)",
    "W1": "(3 * E, H)",
    "b1": "(H,)",
    "emb": "(n, 3, E)",
    "C": "(27, E)",
}


def _line(answer: Any, name: str) -> Any:
    """Return the function of a line, or None. A tensor has no lines, though it has names."""
    if isinstance(answer, Mapping):
        return answer.get(name)
    if isinstance(answer, torch.Tensor):
        return None
    place = answer if isinstance(answer, (type, SimpleNamespace)) else type(answer)
    return getattr(place, name, None)


def _check_line(name: str, function: Any) -> None:
    if function is None or function is ...:
        stop(Verdict("not done yet", f"{name} is missing."))
    for made_up in (False, True):
        v, d = _values(made_up)
        line = LINES[name]
        right = line.right(v, d)
        shown = f"{name}(v, d)" + (" with other gradients in d" if made_up else "")
        received = run(function, *map(_copy, (v, d)), shown=shown, raised=line.otherwise)
        mistakes = [(wrong(v, d), hint) for wrong, hint in line.mistakes]
        if line.summand:
            terms = line.summand(v, d)
            for keepdim in (True, False):
                other = terms.sum(1 - line.dim, keepdim=keepdim)
                mistakes.append((other, "That is the sum over the wrong dimension."))
        if made_up:
            own = getattr(steps.backward(v), name)
            mistakes.append(
                (own, "Right for the gradients of this loss alone. Use d, not the loss.")
            )
        hint = usual_mistake(received, right, v.n) or line.otherwise
        expect_tensor(received, right, shown, mistakes, otherwise=hint)


def _copy(names: SimpleNamespace) -> SimpleNamespace:
    """Copy every tensor: what a line does in place must not reach the next line."""
    tensors = vars(names).items()
    return SimpleNamespace(
        **{k: t.clone() if isinstance(t, torch.Tensor) else t for k, t in tensors}
    )


@cache
def _values(made_up: bool) -> tuple[SimpleNamespace, SimpleNamespace]:
    """Return values and gradients of a small network, with large numbers and repeated ids."""
    model = BatchNormMLP(_generator(1), n_embd=2, n_hidden=4 if made_up else 5)
    model.W2 *= 10
    model.W1[:, 0] *= 0.02  # a small variance, so that epsilon can be seen
    model.bngain += torch.linspace(0.5, 1.5, model.bngain.shape[1])
    n = 7 if made_up else 8
    X = torch.randint(0, 5, (n, 3), generator=_generator(2))
    Y = torch.randint(0, 27, (n,), generator=_generator(3))
    v = steps.forward(model, X, Y)
    d = steps.backward(v)
    if made_up:
        g = _generator(4)
        d = SimpleNamespace(**{k: torch.randn(t.shape, generator=g) for k, t in vars(d).items()})
    return v, d


# -- exercise 4: all parameters --------------------------------------------------------


@checker
def gradients(answer: Any) -> str:
    """Check a function ``(p, X, Y)`` that returns the gradients of the seven parameters by name.

    ``p`` holds the parameters. Nothing is recorded while the function runs: there is no autograd.
    """
    for n in (6, 11):
        model = BatchNormMLP(_generator(n), n_embd=2, n_hidden=5)
        X = torch.randint(0, 6, (n, 3), generator=_generator(7))
        Y = torch.randint(0, 27, (n,), generator=_generator(8))
        v = steps.forward(model, X, Y)
        right = steps.backward(v)
        shown = f"gradients(p, X, Y) for {n} examples"
        p = SimpleNamespace(**{k: t.clone() for k, t in model.named_parameters().items()})
        with torch.no_grad():
            received = run(
                answer, p, X.clone(), Y.clone(), shown=shown, raised=_no_autograd(answer)
            )
        found = received if isinstance(received, Mapping) else getattr(received, "__dict__", {})
        missing = [name for name in PARAMETERS if name not in found]
        if missing:
            fail(
                f"{shown} should return a gradient for each parameter by name; "
                f"missing: {', '.join(missing)}.",
                "Return a dictionary: {'C': ..., 'W1': ...}, or a namespace.",
            )
        # From the output back: the first wrong gradient on the way is the one to look at.
        for name in ("b2", "W2", "bnbias", "bngain", "b1", "W1", "C"):
            mistakes = _mistakes_before(v, right, name)
            if name in ("b1", "W1", "C"):
                other = _without_bessel(v, right)
                hint = "With BatchNorm as if its variance divided by n. Here it divides by n − 1."
                mistakes.append((getattr(other, name), hint))
            if name == "C":
                lost = torch.zeros_like(v.C)
                lost[X] = right.emb
                mistakes.append((lost, "Characters occur several times: add up, as index_add_."))
            gradient = getattr(right, name)
            hint = usual_mistake(found[name], gradient, n)
            if name == "b2" and not hint:
                hint = "It needs the logits and little more. Is the forward pass right?"
            expect_tensor(found[name], gradient, f"{name} of {shown}", mistakes, otherwise=hint)
    return "The gradients of all seven parameters, without autograd."


def _mistakes_before(
    v: SimpleNamespace, right: SimpleNamespace, name: str
) -> list[tuple[torch.Tensor, str]]:
    """List what the forward pass, or a mix-up of gain and bias, makes of a gradient."""
    if name == "b2":  # the first gradient that shows a wrong forward pass
        population = v.bndiff * (v.bndiff2.mean(0) + EPS) ** -0.5
        hint = "The forward pass: its variance has to divide by n − 1, as var(0, keepdim=True)."
        swapped = "The forward pass: bngain is the factor, and bnbias is added."
        return [
            (_b2_of(v, v.bngain * population + v.bnbias), hint),
            (_b2_of(v, v.bnbias * v.bnraw + v.bngain), swapped),
        ]
    other = {"bnbias": right.bngain, "bngain": right.bnbias}
    return [(other[name], "bngain and bnbias are exchanged.")] if name in other else []


def _b2_of(v: SimpleNamespace, hpreact: torch.Tensor) -> torch.Tensor:
    return cross_entropy_backward(torch.tanh(hpreact) @ v.W2 + v.b2, v.Y).sum(0)


def _no_autograd(answer: Any) -> str:
    names = getattr(getattr(answer, "__code__", None), "co_names", ())
    if {"backward", "grad"} & set(names):
        return "Autograd is switched off here. Write the backward pass by hand."
    return ""


def _without_bessel(v: SimpleNamespace, right: SimpleNamespace) -> SimpleNamespace:
    """Return the gradients after BatchNorm, computed as if its variance divided by n."""
    along = (right.hpreact * v.bnraw).mean(0, keepdim=True)
    centered = right.hpreact - right.hpreact.mean(0, keepdim=True)
    dhprebn = v.bngain * v.bnvar_inv * (centered - v.bnraw * along)
    demb = (dhprebn @ v.W1.T).view(v.emb.shape)
    return SimpleNamespace(
        b1=dhprebn.sum(0),
        W1=v.embcat.T @ dhprebn,
        C=torch.zeros_like(v.C).index_put_((v.X,), demb, accumulate=True),
    )
