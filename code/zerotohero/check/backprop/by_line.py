"""The check of the 26 lines of chapter 5: calls each one, and looks for what is wrong in it."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import torch

from ...backprop import BatchNormMLP, steps
from ..running import run
from ..tensors import as_tensor, expect_tensor
from ..verdict import Found, Verdict, checker, fail, stop, stopped
from .hints import (
    NO_MEAN,
    PAGE_N,
    SIZES_IN_ERROR,
    TYPED_IN,
    WRONG_DIMENSION,
    Mistakes,
    by_hand,
    expect_gradient,
    hinted,
)
from .lines import CLASSES, LINES, Line

OWN = "Right for the gradients of this loss alone. Use d, not the loss."
FIT = (
    "Right only where the gradients fit together. Use the gradient of the step in which the value "
    "is used."
)
KEEP_NAMES = "Keep the names of the stub: logprobs, probs, and so on."
EPS_NAME = "EPS is a name of the package's file. Write its value here, 1e-5."
SELF = "There is no self here: each function has two parameters, v and d."
UNCHANGED = "A line returns its gradient, and leaves v and d as they are: clone() before a change."
NAMES = (
    "v has the values, and d the gradients of what comes after this value; both under the "
    "names of the stub."
)

Values = tuple[SimpleNamespace, SimpleNamespace]
"""The values of a network, and the gradients."""


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
            KEEP_NAMES,
        )
    right, missing, wrong = 0, [], None
    lent = _lent()
    for name, line in given.items():
        verdict = stopped(partial(_check_line, name, line, lent))
        if verdict is None:
            right += 1
            continue
        lent = _lent()  # it may have changed them
        if verdict.status == "not done yet":
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
    own = {} if isinstance(answer, type) else getattr(answer, "__dict__", {})
    if name in own:  # a namespace, or what an object's __init__ has set
        return own[name]
    return getattr(answer if isinstance(answer, type) else type(answer), name, None)


def _check_line(name: str, function: Any, lent: list[Values]) -> None:
    if function is None or function is ...:
        stop(Verdict("not done yet", f"{name} is missing."))
    line = LINES[name]
    errors = [
        ("NameError.*'EPS'", EPS_NAME),
        ("missing 1 required positional argument: 'd'", SELF),
        ("AttributeError: 'types.SimpleNamespace'", NAMES),
        (rf"\b({PAGE_N}|{PAGE_N - 1})\b", TYPED_IN),
        SIZES_IN_ERROR,
        (rf"\((27|{_most()})\) must match .* \((27|{_most()})\)[\s\S]*one_hot", CLASSES),
    ]
    if line.otherwise:  # a hint about shapes
        errors.append(("raised (RuntimeError|IndexError|ValueError)", line.otherwise))
    names = list(LINES)
    above = names[: names.index(name)]  # the gradients of what comes after the value
    for made_up, (all_v, all_d) in zip((False, True), lent):
        v = SimpleNamespace(**vars(all_v))
        d = SimpleNamespace(**{other: getattr(all_d, other) for other in above})
        shown = f"{name}(v, d)" + (" with other gradients in d" if made_up else "")
        with hinted(*errors):
            received = run(by_hand(function), v, d, shown=shown, may_change=(0, 1))
        right_v, right_d = _values(made_up)
        _expect_unchanged(v, right_v, [*vars(right_v)], "v", shown)
        _expect_unchanged(d, right_d, above, "d", shown)
        right = _right(name, made_up)
        fits = (
            made_up
            and _is_another_rule(received, right, shown)
            and _is_right_where_gradients_fit(name, function)
        )
        expect_gradient(
            received,
            right,
            shown,
            partial(_mistakes, name, line, made_up),
            n=v.n,
            otherwise=FIT if fits else line.otherwise,
        )


def _is_another_rule(received: Any, right: torch.Tensor, shown: str) -> bool:
    """Return whether most entries are wrong: an epsilon or a clamp changes a few, or a little."""
    if stopped(partial(expect_tensor, received, right, shown)) is None:
        return False
    try:
        numbers = as_tensor(received, shown).double()
    except Found:
        return False
    off = (numbers - right).abs() > 0.01 * right.abs() if numbers.shape == right.shape else None
    return off is not None and bool(off.double().mean() > 0.5)


def _is_right_where_gradients_fit(name: str, function: Any) -> bool:
    """Call a line once more: on the second network, but with its real gradients."""
    v = _copy(_values(True)[0])
    real = steps.backward(v)
    right = getattr(real, name)
    above = list(LINES)[: list(LINES).index(name)]
    d = SimpleNamespace(**{other: getattr(real, other) for other in above})

    def again() -> None:
        expect_tensor(run(by_hand(function), v, d, shown=name, may_change=(0, 1)), right, name)

    return stopped(again) is None


def _mistakes(name: str, line: Line, made_up: bool) -> Mistakes:
    """Return what usual mistakes make of a line."""
    v, d = _values(made_up)
    found = [(wrong(v, d), hint) for wrong, hint in line.mistakes]
    if line.summand:
        terms = line.summand(v, d)
        for keepdim in (True, False):
            found.append((terms.sum(1 - line.dim, keepdim=keepdim), WRONG_DIMENSION))
        found.append((terms.mean(line.dim).view(_right(name, made_up).shape), NO_MEAN))
    on_page = SimpleNamespace(**vars(v) | {"n": PAGE_N})
    found.append((line.right(on_page, d), TYPED_IN))
    if made_up:
        found.append((getattr(steps.backward(v), name), OWN))
    return found


def _expect_unchanged(
    now: SimpleNamespace, before: SimpleNamespace, names: list[str], which: str, shown: str
) -> None:
    """Stop if a line has changed what it was given.

    As ``run`` does, but for 50 tensors it has to be quick; and it can say which one it is.
    """
    for name in dict.fromkeys([*names, *vars(now)]):
        mine = getattr(now, name, None)
        given = getattr(before, name) if name in names else None  # else: added
        same = (
            torch.equal(mine, given)
            if isinstance(mine, torch.Tensor) and isinstance(given, torch.Tensor)
            else mine is given
        )
        if not same:
            verb = "changed" if name in names else "added"
            fail(f"{shown} {verb} {which}.{name}.", UNCHANGED)


def _lent() -> list[Values]:
    """Copy every tensor: what a line changes must not reach the next line."""
    return [(_copy(v), _copy(d)) for v, d in map(_values, (False, True))]


def _copy(names: SimpleNamespace) -> SimpleNamespace:
    tensors = vars(names).items()
    return SimpleNamespace(
        **{k: t.clone() if isinstance(t, torch.Tensor) else t for k, t in tensors}
    )


def _most() -> int:
    """Return how many columns F.one_hot makes of the largest logits, if not told."""
    return int(_values(False)[0].logits.argmax(1).max()) + 1


@cache
def _right(name: str, made_up: bool) -> torch.Tensor:
    """Return the right gradient; exactly zero where all that is left of it is rounding."""
    right = LINES[name].right(*_values(made_up))
    return torch.zeros_like(right) if bool(right.abs().max() < 1e-6) else right


@cache
def _values(made_up: bool) -> Values:
    """Return values and gradients of a small network, with large numbers and repeated ids."""
    sizes = (7, 3, 4) if made_up else (9, 2, 5)  # nowhere the same size twice
    n, n_embd, n_hidden = sizes
    g = torch.Generator().manual_seed(n)
    model = BatchNormMLP(g, n_embd=n_embd, n_hidden=n_hidden)
    model.W2 *= 30 if made_up else 10  # counts below 1e-5, so that a clamp can be seen
    model.W1[:, 0] *= 0.02  # a small variance, so that epsilon can be seen
    model.bngain += torch.linspace(0.5, 1.5, n_hidden)
    X = torch.randint(0, 5, (n, 3), generator=g)
    Y = torch.randint(0, 27, (n,), generator=g)
    v = steps.forward(model, X, Y)
    d = steps.backward(v)
    if made_up:
        d = SimpleNamespace(**{k: torch.randn(t.shape, generator=g) for k, t in vars(d).items()})
        d.counts /= v.counts  # as large as 1/p makes them: small values count
        d.counts_sum_inv *= 100
    return v, d
