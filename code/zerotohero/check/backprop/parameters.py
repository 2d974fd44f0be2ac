"""The check of the exercise of chapter 5 that asks for the gradients of all parameters."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from ...backprop import BatchNormMLP, cross_entropy_backward, steps
from ...backprop.model import EPS, PARAMETERS
from ..running import run
from ..verdict import checker, fail
from .fused import CLASSES, batchnorm_mistakes
from .hints import (
    PAGE_N,
    SIZES_IN_ERROR,
    TYPED_IN,
    Mistakes,
    by_hand,
    expect_gradient,
    hinted,
)

FORWARD = "It needs the logits and little more. Is the forward pass right?"
FORWARD_BESSEL = "The forward pass: its variance has to divide by n − 1, as var(0, keepdim=True)."
FORWARD_EPS = "The forward pass: 1e-5 is added to the variance, before the root is taken."
FORWARD_SWAPPED = "The forward pass: bngain is the factor, and bnbias is added."
FORWARD_TANH = "The forward pass: tanh is missing."
FORWARD_ROOT = "The forward pass: divide by the root of the variance, not by the variance."
FORWARD_MEAN = "The forward pass: the mean over the batch is not subtracted."
TANH = "The way back through tanh is missing: its derivative is 1 − h²."
TANH_OF = "The derivative of tanh is 1 − h², where h is its value."
OF_H = "The factor of W2 is h, the value after tanh, not the one before."
OF_RAW = "The factor of bngain is bnraw, the normalized value."
NO_BATCHNORM = (
    "The way back through BatchNorm is missing: from the gradient of hpreact to that of hprebn."
)
EXCHANGED = "bngain and bnbias are exchanged."
ADD_UP = "Characters occur several times: add up, as index_add_."
SHIFT = (
    "BatchNorm removes any shift that all examples share, so this gradient is zero, up to rounding."
)
NONE = "Something is None here: does each function that you call return its result?"
AS_DICTIONARY = "Return a dictionary: {'C': ..., 'W1': ...}."
NO_OTHERS = "The training below changes the parameter of each key, and there are seven."


@checker
def gradients(answer: Any) -> str:
    """Check a function ``(p, X, Y)`` that returns the gradients of the seven parameters by name.

    ``p`` holds the parameters. Autograd is ruled out.
    """
    for n, n_embd, n_hidden in ((6, 2, 5), (11, 3, 4)):
        model = _network(n_embd, n_hidden)
        g = torch.Generator().manual_seed(n)
        X = torch.randint(0, 6, (n, 3), generator=g)
        Y = torch.randint(0, 27, (n,), generator=g)
        v = steps.forward(model, X, Y)
        right = steps.backward(v)
        right.b1.zero_()  # exactly: what is left of it is rounding
        shown = f"gradients(p, X, Y) for {n} examples"
        p = SimpleNamespace(**{k: t.clone() for k, t in model.named_parameters().items()})
        most = int(Y.max()) + 1  # so many columns has F.one_hot(Y)
        columns = rf"\((27|{most})\) must match .* \((27|{most})\)"
        errors = [
            (rf"\b({PAGE_N})\b", TYPED_IN),
            SIZES_IN_ERROR,
            ("NoneType", NONE),
            (columns, CLASSES),
        ]
        with torch.no_grad(), hinted(*errors):
            received = run(by_hand(answer), p, X.clone(), Y.clone(), shown=shown)
        found = _dictionary(received, shown)
        # From the output back: the first wrong gradient on the way is the one to look at. That of
        # b1 is zero and comes last: it says nothing about the way.
        for name in ("b2", "W2", "bnbias", "bngain", "W1", "C", "b1"):
            expect_gradient(
                found[name],
                getattr(right, name),
                f"{name} of {shown}",
                partial(MISTAKES.get(name, _none), v, right),
                n=n,
                otherwise={"b2": FORWARD, "b1": SHIFT}.get(name, ""),
            )
    return "The gradients of all seven parameters, without autograd."


def _dictionary(received: Any, shown: str) -> Mapping[str, Any]:
    """Return a dictionary of seven tensors or arrays: what the training of the page works with."""
    if not isinstance(received, Mapping):
        fail(f"{shown} should return a dictionary, not {type(received).__name__}.", AS_DICTIONARY)
    missing = [name for name in PARAMETERS if name not in received]
    if missing:
        fail(
            f"{shown} should return a gradient for each parameter by name; "
            f"missing: {', '.join(missing)}.",
            AS_DICTIONARY,
        )
    others = [str(key) for key in received if key not in PARAMETERS]
    if others:
        names = ", ".join(others)
        fail(
            f"{shown} should return the seven gradients and nothing else; received: {names}.",
            NO_OTHERS,
        )
    for name in PARAMETERS:
        if not isinstance(received[name], (torch.Tensor, np.ndarray)):
            fail(f"{name} of {shown} should be a tensor, received {reprlib.repr(received[name])}.")
        if isinstance(received[name], np.ndarray):
            _expect_usable(received[name], f"{name} of {shown}")
    return received


def _expect_usable(array: np.ndarray[Any, Any], shown: str) -> None:
    try:
        torch.as_tensor(array)
    except (TypeError, ValueError):
        fail(f"{shown} is an array of {array.dtype}, which torch.as_tensor does not take as it is.")


def _network(n_embd: int, n_hidden: int) -> BatchNormMLP:
    g = torch.Generator().manual_seed(n_hidden)
    model = BatchNormMLP(g, n_embd=n_embd, n_hidden=n_hidden)
    model.W1[:, 1] *= 0.008  # a tiny variance, so that epsilon can be seen
    model.b1[1] *= 0.1  # it would make the differences from the mean less exact
    model.W2 *= 10
    model.bngain += torch.linspace(-0.3, 0.3, n_hidden)
    model.bnbias += torch.linspace(0.4, -0.4, n_hidden)
    return model


def _none(_v: SimpleNamespace, _right: SimpleNamespace) -> Mistakes:
    return []


def _of_b2(v: SimpleNamespace, _right: SimpleNamespace) -> Mistakes:
    """Return what mistakes of the forward pass make of the first gradient on the way back."""
    population = v.bndiff * (v.bndiff2.mean(0) + EPS) ** -0.5
    no_eps = v.bndiff * v.bnvar**-0.5
    outside = v.bndiff / (v.bnvar**0.5 + EPS)
    hidden = [
        (torch.tanh(v.bngain * population + v.bnbias), FORWARD_BESSEL),
        (torch.tanh(v.bngain * no_eps + v.bnbias), FORWARD_EPS),
        (torch.tanh(v.bngain * outside + v.bnbias), FORWARD_EPS),
        (torch.tanh(v.bnbias * v.bnraw + v.bngain), FORWARD_SWAPPED),
        (torch.tanh(v.bngain * v.bndiff / (v.bnvar + EPS) + v.bnbias), FORWARD_ROOT),
        (torch.tanh(v.bngain * v.hprebn * v.bnvar_inv + v.bnbias), FORWARD_MEAN),
        (v.hpreact, FORWARD_TANH),
    ]
    return [(cross_entropy_backward(h @ v.W2 + v.b2, v.Y).sum(0), hint) for h, hint in hidden]


def _of_w2(v: SimpleNamespace, right: SimpleNamespace) -> Mistakes:
    return [(v.hpreact.T @ right.logits, OF_H)]


def _of_bnbias(v: SimpleNamespace, right: SimpleNamespace) -> Mistakes:
    before = right.h * (1 - v.hpreact**2)
    return [
        (right.bngain, EXCHANGED),
        (right.h.sum(0, keepdim=True), TANH),
        (before.sum(0, keepdim=True), TANH_OF),
    ]


def _of_bngain(v: SimpleNamespace, right: SimpleNamespace) -> Mistakes:
    return [
        (right.bnbias, EXCHANGED),
        ((right.h * v.bnraw).sum(0, keepdim=True), TANH),
        ((right.h * (1 - v.hpreact**2) * v.bnraw).sum(0, keepdim=True), TANH_OF),
        ((right.hpreact * v.hprebn).sum(0, keepdim=True), OF_RAW),
        ((right.hpreact * v.bndiff).sum(0, keepdim=True), OF_RAW),
    ]


def _of_w1(v: SimpleNamespace, right: SimpleNamespace) -> Mistakes:
    """Return what mistakes in BatchNorm's backward pass make of the weights before it."""
    forgotten = [right.hpreact, right.bnraw]
    return [(v.embcat.T @ d, NO_BATCHNORM) for d in forgotten] + [
        (v.embcat.T @ dhprebn, f"W1 depends on BatchNorm's backward pass. {hint}")
        for dhprebn, hint in batchnorm_mistakes(right.hpreact, v.bngain, v.bnraw, v.bnvar_inv)
    ]


def _of_c(v: SimpleNamespace, right: SimpleNamespace) -> Mistakes:
    lost = torch.zeros_like(v.C)
    lost[v.X] = right.emb
    first = torch.zeros_like(v.C)
    for i, vector in zip(v.X.flatten().flip(0), right.emb.flatten(0, 1).flip(0)):
        first[i] = vector
    found = [(lost, ADD_UP), (first, ADD_UP)]
    for d in (right.hpreact, right.bnraw):
        demb = (d @ v.W1.T).view(v.emb.shape)
        found.append((torch.zeros_like(v.C).index_put((v.X,), demb, accumulate=True), NO_BATCHNORM))
    return found


MISTAKES = {
    "b2": _of_b2,
    "W2": _of_w2,
    "bnbias": _of_bnbias,
    "bngain": _of_bngain,
    "W1": _of_w1,
    "C": _of_c,
}
