"""The check of chapter 5 for the gradients of all parameters."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.backprop import BatchNormMLP, steps
from zerotohero.check import backprop

Answer = Callable[..., Any]


def gradients(p: Any, X: torch.Tensor, Y: torch.Tensor, **changes: Any) -> dict[str, torch.Tensor]:
    """Compute all seven gradients in a form of the test's own, perhaps with a mistake."""
    n, n_embd = len(X), p.C.shape[1]
    correction = changes.get("correction", 1)
    gain, bias = (p.bnbias, p.bngain) if changes.get("swapped") else (p.bngain, p.bnbias)
    embcat = p.C[X].flatten(1)
    pre = embcat @ p.W1 + p.b1
    var = pre.var(0, correction=changes.get("forward", 1))
    std = (var + changes.get("eps", 1e-5)).sqrt() + changes.get("eps_outside", 0.0)
    if changes.get("no_root"):
        std = var + 1e-5
    raw = (pre if changes.get("no_mean") else pre - pre.mean(0)) / std
    h = torch.tanh(gain * raw + bias)
    if changes.get("no_tanh"):
        h = gain * raw + bias
    dlogits = F.softmax(h @ p.W2 + p.b2, 1) - F.one_hot(Y, 27)
    dlogits = dlogits / changes.get("divisor", n)
    dh = dlogits @ p.W2.T
    da = dh if changes.get("linear") else dh * (1 - h.square())
    draw = da * gain
    dpre = (draw - draw.mean(0) - raw * (draw * raw).sum(0) / (n - correction)) / std
    if "batchnorm" in changes:
        dpre = changes["batchnorm"](da, gain, raw, 1 / std)
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


def by_autograd(p: Any, X: torch.Tensor, Y: torch.Tensor) -> dict[str, torch.Tensor]:
    for tensor in vars(p).values():
        tensor.requires_grad_()
    model = BatchNormMLP(torch.Generator(), n_embd=p.C.shape[1], n_hidden=len(p.b1))
    vars(model).update(vars(p))
    steps.forward(model, X, Y).loss.backward()
    return {name: tensor.grad for name, tensor in vars(p).items()}


pytestmark = pytest.mark.usefixtures("one_thread")

FORWARD_EPS = "The forward pass: 1e-5 is added to the variance, before the root is taken."
TYPED_IN = (
    "32 is the size of the batch on this page. The check uses others: take the number of "
    "examples from what you are given."
)
BY_HAND = "Autograd is ruled out in this chapter's exercises: write the backward pass by hand."


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
            "The forward pass: tanh is missing.",
        ),
        ({"eps": 0.0}, ["b2 of"], FORWARD_EPS),
        ({"eps": 0.0, "eps_outside": 1e-5}, ["b2 of"], FORWARD_EPS),
        (
            {"no_root": True},
            ["b2 of"],
            "The forward pass: divide by the root of the variance, not by the variance.",
        ),
        (
            {"no_mean": True},
            ["b2 of"],
            "The forward pass: the mean over the batch is not subtracted.",
        ),
        (
            {"eps": 0.1},
            ["b2 of"],
            "It needs the logits and little more. Is the forward pass right?",
        ),
        (
            {"linear": True},
            ["bnbias of", "entry (0, 0) should be"],
            "The way back through tanh is missing: its derivative is 1 − h².",
        ),
        ({"divisor": 32}, ["b2 of"], TYPED_IN),
        (
            {"correction": 0},
            ["W1 of", "entry (0, 0) should be"],
            "W1 depends on BatchNorm's backward pass. The variance divides by n − 1. That factor "
            "stays in the last term.",
        ),
        (  # gain times the inverse root times what arrives: no word about b1, whose gradient is 0
            {"batchnorm": lambda d, gain, raw, inv: gain * inv * d},
            ["W1 of", "entry (0, 0) should be"],
            "W1 depends on BatchNorm's backward pass. Every example moves the mean and the "
            "variance of all.",
        ),
        (
            {"batchnorm": lambda d, gain, raw, inv: gain * inv * (d - d.mean(0))},
            ["W1 of", "entry (0, 0) should be"],
            "W1 depends on BatchNorm's backward pass. A change of one example moves the variance "
            "of all. That term is missing.",
        ),
        (
            {"batchnorm": lambda d, gain, raw, inv: inv * (d - d.mean(0))},
            ["W1 of", "entry (0, 0) should be"],
            "",
        ),
        (
            {"last_wins": True},
            ["C of", "should be"],
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
        backprop.gradients(lambda *args: list(gradients(*args).values())),
        "for 6 examples should return a dictionary, not list.",
        hint=AS_DICTIONARY,
    )
    outcome(
        backprop.gradients(lambda *args: {**gradients(*args), "W2": None}),
        "W2 of",
        "should be a tensor, received None.",
    )


AS_DICTIONARY = "Return a dictionary: {'C': ..., 'W1': ...}."


def test_what_the_training_of_the_page_cannot_use() -> None:
    """Its loop goes through the items, and subtracts each from the parameter of that name."""

    def namespace(*args: Any) -> Any:
        return SimpleNamespace(**gradients(*args))

    words = "should return a dictionary, not SimpleNamespace."
    outcome(backprop.gradients(namespace), words, hint=AS_DICTIONARY)
    words = "should return a gradient for each parameter by name; missing: C."
    without = {"C"}
    outcome(
        backprop.gradients(
            lambda *args: {k: t for k, t in gradients(*args).items() if k not in without}
        ),
        words,
        hint=AS_DICTIONARY,
    )
    outcome(
        backprop.gradients(lambda *args: {**gradients(*args), "loss": torch.tensor(1.0)}),
        "should return the seven gradients and nothing else; received: loss.",
        hint="The training below changes the parameter of each key, and there are seven.",
    )
    outcome(
        backprop.gradients(lambda *args: {k: t.tolist() for k, t in gradients(*args).items()}),
        "C of gradients(p, X, Y) for 6 examples should be a tensor, received [[",
    )


def test_arrays_that_torch_does_not_take() -> None:
    def longs(*args: Any) -> Any:
        return {k: np.asarray(t, dtype=np.longdouble) for k, t in gradients(*args).items()}

    words = f"C of gradients(p, X, Y) for 6 examples is an array of {np.dtype(np.longdouble)}, "
    outcome(backprop.gradients(longs), words)


@pytest.mark.parametrize("kind", [torch.Tensor.double, torch.Tensor.float, np.asarray])
def test_what_the_training_of_the_page_can_use(kind: Answer) -> None:
    """The loop as on the page."""

    def answer(*args: Any) -> Any:
        return {name: kind(t) for name, t in gradients(*args).items()}

    assert backprop.gradients(answer)
    model = BatchNormMLP(torch.Generator().manual_seed(1), n_embd=2, n_hidden=5)
    X, Y = torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([0, 7])
    before = model.C.clone()
    for name, gradient in answer(model, X, Y).items():
        getattr(model, name).sub_(0.1 * torch.as_tensor(gradient))
    assert not torch.equal(model.C, before)


SIZES = (
    "10, 30 and 64 are sizes of this page's network. The check uses others: take the sizes from "
    "what you are given."
)


def test_the_sizes_of_this_page_are_typed_in() -> None:
    def viewed(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
        return p.C[X].view(-1, 10)

    def context(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
        return p.C[X].view(-1, 30)

    def added(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
        rows = p.C[X].flatten(0, 1)
        return torch.zeros(27, 10).index_add_(0, X.flatten(), rows)

    for answer in (viewed, context, added):
        outcome(backprop.gradients(answer), "for 6 examples raised", hint=SIZES)
    outcome(
        backprop.gradients(lambda *args: {**gradients(*args), "C": torch.zeros(27, 10)}),
        "C of gradients(p, X, Y) for 6 examples should have shape (27, 2), received (27, 10)",
        hint=SIZES,
    )


def with_b1(value: Answer) -> Answer:
    return lambda *args: {**gradients(*args), "b1": value(*args)}


def test_b1_comes_last_and_is_zero() -> None:
    """BatchNorm takes any shift out again: the check does not compare with what rounding leaves."""
    for right in (lambda p, X, Y: torch.zeros(len(p.b1)), lambda p, X, Y: np.zeros(len(p.b1))):
        assert backprop.gradients(with_b1(right))
    outcome(
        backprop.gradients(with_b1(lambda p, X, Y: torch.full_like(p.b1, 0.001))),
        "b1 of gradients(p, X, Y) for 6 examples: entry (0,) should be 0, received 0.001",
        hint="BatchNorm removes any shift that all examples share, so this gradient is zero, up to "
        "rounding.",
    )
    outcome(
        backprop.gradients(with_b1(lambda p, X, Y: torch.zeros(1, len(p.b1)))),
        "b1 of",
        "should have shape (5,), received (1, 5)",
        hint="This value has one dimension only: sum without keepdim.",
    )


def without_tanh_for_the_gain(p: Any, X: Any, Y: Any) -> Any:
    return {**gradients(p, X, Y), "bngain": gradients(p, X, Y, linear=True)["bngain"]}


def first_wins(p: Any, X: torch.Tensor, Y: Any) -> Any:
    found = gradients(p, X, Y)
    values = SimpleNamespace(**vars(p))
    model = BatchNormMLP(torch.Generator(), n_embd=p.C.shape[1], n_hidden=len(p.b1))
    vars(model).update(vars(values))
    demb = steps.backward(steps.forward(model, X, Y)).emb
    found["C"] = torch.zeros_like(p.C)
    for i, row in zip(X.flatten().flip(0), demb.flatten(0, 1).flip(0)):
        found["C"][i] = row
    return found


def test_gradients_that_miss_something() -> None:
    hint = "The way back through tanh is missing: its derivative is 1 − h²."
    outcome(backprop.gradients(without_tanh_for_the_gain), "bngain of", hint=hint)
    hint = "Characters occur several times: add up, as index_add_."
    outcome(backprop.gradients(first_wins), "C of", hint=hint)


# -- one step with the wrong value --------------------------------------------------------------


def steps_of(p: Any, X: torch.Tensor, Y: torch.Tensor) -> tuple[Any, Any]:
    model = BatchNormMLP(torch.Generator(), n_embd=p.C.shape[1], n_hidden=len(p.b1))
    vars(model).update(vars(p))
    v = steps.forward(model, X, Y)
    return v, steps.backward(v)


TANH_OF = "The derivative of tanh is 1 − h², where h is its value."
OF_RAW = "The factor of bngain is bnraw, the normalized value."
NO_BATCHNORM = (
    "The way back through BatchNorm is missing: from the gradient of hpreact to that of hprebn."
)


def without_batchnorm_for_c(v: Any, d: Any) -> torch.Tensor:
    demb = (d.hpreact @ v.W1.T).view(v.emb.shape)
    return torch.zeros_like(v.C).index_put((v.X,), demb, accumulate=True)


@pytest.mark.parametrize(
    ("name", "line", "hint"),
    [
        ("W1", lambda v, d: v.embcat.T @ d.hpreact, NO_BATCHNORM),
        ("W1", lambda v, d: v.embcat.T @ d.bnraw, NO_BATCHNORM),
        ("C", without_batchnorm_for_c, NO_BATCHNORM),
        (
            "W2",
            lambda v, d: v.hpreact.T @ d.logits,
            "The factor of W2 is h, the value after tanh, not the one before.",
        ),
        ("bngain", lambda v, d: (d.hpreact * v.hprebn).sum(0, keepdim=True), OF_RAW),
        ("bngain", lambda v, d: (d.hpreact * v.bndiff).sum(0, keepdim=True), OF_RAW),
        ("bnbias", lambda v, d: (d.h * (1 - v.hpreact**2)).sum(0)[None], TANH_OF),
        ("bngain", lambda v, d: (d.h * (1 - v.hpreact**2) * v.bnraw).sum(0)[None], TANH_OF),
    ],
)
def test_one_gradient_from_the_wrong_value(name: str, line: Answer, hint: str) -> None:
    def answer(*args: Any) -> Any:
        return {**gradients(*args), name: line(*steps_of(*args))}

    outcome(backprop.gradients(answer), f"{name} of", "entry", hint=hint)


def test_classes_that_do_not_occur() -> None:
    def short(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
        v, _ = steps_of(p, X, Y)
        return {"b2": (v.logits.softmax(1) - F.one_hot(Y)).sum(0)}

    hint = (
        "Without a number of classes, F.one_hot goes up to the largest one in Y. The number of "
        "classes is logits.shape[1]."
    )
    outcome(backprop.gradients(short), "raised RuntimeError", hint=hint)


# -- autograd ------------------------------------------------------------------------------


def enabled(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
    with torch.enable_grad():
        return by_autograd(p, X, Y)


def by_functional(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
    def loss(values: dict[str, torch.Tensor]) -> torch.Tensor:
        q = SimpleNamespace(**values)
        pre = q.C[X].flatten(1) @ q.W1 + q.b1
        raw = (pre - pre.mean(0)) * (pre.var(0) + 1e-5) ** -0.5
        return F.cross_entropy(torch.tanh(q.bngain * raw + q.bnbias) @ q.W2 + q.b2, Y)

    return torch.func.grad(loss)(vars(p))


def by_autograd_grad(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
    with torch.enable_grad():
        copies = {name: tensor.clone().requires_grad_() for name, tensor in vars(p).items()}
        model = BatchNormMLP(torch.Generator(), n_embd=p.C.shape[1], n_hidden=len(p.b1))
        vars(model).update(copies)
        loss = steps.forward(model, X, Y).loss
        return dict(zip(copies, torch.autograd.grad(loss, list(copies.values()))))


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (by_autograd, "backward"),
        (enabled, "backward"),
        (by_functional, "grad"),
        (by_autograd_grad, "grad"),
    ],
)
def test_autograd_is_ruled_out(answer: Answer, name: str) -> None:
    outcome(backprop.gradients(answer), f"{name} is ruled out in this exercise.", hint=BY_HAND)


def test_another_error_is_not_taken_for_autograd() -> None:
    def misspelled(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
        p.W1.grad = None
        return p.embedding[X]

    outcome(backprop.gradients(misspelled), "raised AttributeError", "return p.embedding[X]")

    def rows(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
        logits = torch.zeros(len(X), 27)
        logits[torch.arange(32), Y] -= 1
        return logits

    outcome(backprop.gradients(rows), "raised IndexError", hint=TYPED_IN)


def test_an_exercise_that_is_not_done_yet() -> None:
    def cross_entropy(logits: Any, Y: Any) -> Any: ...

    def answer(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
        return cross_entropy(p.C[X], Y) @ p.W2.T

    hint = "Something is None here: does each function that you call return its result?"
    outcome(backprop.gradients(answer), "raised TypeError", hint=hint)


def test_gradients_may_not_change_the_parameters() -> None:
    def trains(p: Any, X: torch.Tensor, Y: torch.Tensor) -> Any:
        found = gradients(p, X, Y)
        p.W2 -= 0.1 * found["W2"]
        return found

    words = "gradients(p, X, Y) for 6 examples changed p, which it was given."
    outcome(backprop.gradients(trains), words, hint="Work on a copy.")
