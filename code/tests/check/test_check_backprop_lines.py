"""The check of the 26 lines of chapter 5, with known mistakes planted in every line."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from check_answers import outcome
from right.backprop import lines__other_words

from zerotohero.backprop import batchnorm_backward, steps
from zerotohero.check import backprop, running
from zerotohero.check.backprop.lines import LINES
from zerotohero.check.verdict import Verdict

Line = Callable[[Any, Any], Any]
RIGHT: dict[str, Line] = {name: vars(lines__other_words)[name] for name in LINES}

pytestmark = pytest.mark.usefixtures("one_thread")

SIGN = "The sign is reversed."
UNSUMMED = "This value was broadcast forward, so add up the gradients of all its uses: a sum."
WRONG_DIMENSION = "That is the sum over the wrong dimension."
KEEP = "Keep the summed dimension: keepdim=True."
DROP = "This value has one dimension only: sum without keepdim."
TRANSPOSED = "That is the transpose of what is asked for."
TIMES_N = "Too large by the factor n. Where does the mean over the examples enter?"
OVER_N = "Too small by the factor n. The mean is in the gradients from above already."
PRODUCT = "Two matrices: which is multiplied from which side, and which one is transposed?"
POWER = "The derivative of x⁻¹ is −x⁻²."
ROOT = "The derivative of x to the power −1/2 is −1/2 times x to the power −3/2."
FIT = (
    "Right only where the gradients fit together. Use the gradient of the step in which the value "
    "is used."
)
OWN = "Right for the gradients of this loss alone. Use d, not the loss."
ROWS = "Each row of C collects the gradients of all positions that hold its character."
NO_MEAN = "A sum, not a mean: each use counts in full."
TYPED_IN = (
    "32 is the size of the batch on this page. The check uses others: take the number of "
    "examples from what you are given."
)
CLONE = "A line returns its gradient, and leaves v and d as they are: clone() before a change."
NAMES = (
    "v has the values, and d the gradients of what comes after this value; both under the "
    "names of the stub."
)
VIEW = "view moved no number: view(v.emb.shape) brings each back to its position."

SUMS = {  # what is summed in a line, and over which dimension
    "counts_sum_inv": (lambda v, d: d.probs * v.counts, 1),
    "logit_maxes": (lambda v, d: -d.norm_logits, 1),
    "b2": (lambda v, d: d.logits, 0),
    "bngain": (lambda v, d: d.hpreact * v.bnraw, 0),
    "bnbias": (lambda v, d: d.hpreact, 0),
    "bnvar_inv": (lambda v, d: d.bnraw * v.bndiff, 0),
    "bnmeani": (lambda v, d: -d.bndiff, 0),
    "b1": (lambda v, d: d.hprebn, 0),
}
ONE_ROW = ["bngain", "bnbias", "bnvar_inv", "bnvar", "bnmeani"]
ONE_COLUMN = ["counts_sum_inv", "counts_sum", "logit_maxes"]
MATRICES = ["h", "W2", "embcat", "W1"]


def as_class(**lines: Any) -> type:
    return type("Answer", (), lines)


def planted(name: str, mistake: Line) -> Verdict:
    """Check a class in which all lines are right but one."""
    return backprop.lines(as_class(**RIGHT | {name: mistake}))


def names_it(name: str, mistake: Line, hint: str) -> None:
    """Assert that the verdict names the line, counts the others as right, and gives the hint."""
    verdict = planted(name, mistake)
    outcome(verdict, "25 of 26 lines are right.", hint=hint)
    assert verdict.message.startswith(f"{name}(v, d)"), verdict


# -- right, or not there ---------------------------------------------------------------------


def test_answers_of_several_kinds_are_right() -> None:
    static = {name: staticmethod(line) for name, line in RIGHT.items()}
    for answer in (as_class(**RIGHT), as_class(**static), as_class(**static)(), RIGHT):
        verdict = backprop.lines(answer)
        assert verdict, verdict
        assert "All 26 lines are right" in verdict.message
    assert backprop.lines(SimpleNamespace(**RIGHT))

    class SetInInit:
        def __init__(self) -> None:
            for name, line in RIGHT.items():
                setattr(self, name, line)

    assert backprop.lines(SetInInit())


def test_the_package_passes_its_own_check() -> None:
    def line(name: str) -> Line:
        def one(v: Any, d: Any) -> Any:
            # The whole pass, for one line: right for the network's own gradients alone.
            return getattr(steps.backward(v), name)

        return one

    verdict = backprop.lines({name: line(name) for name in LINES})
    # logprobs depends on no gradient from above. All others have to use what they are given.
    words = "probs(v, d) with other gradients in d: ", "1 of 26 lines are right."
    outcome(verdict, *words, hint=OWN)


def stub(v: Any, d: Any) -> None: ...


def test_a_stub_is_not_done_yet() -> None:
    def unready(v: Any, d: Any) -> None:
        raise NotImplementedError

    for nothing in (stub, ..., unready):
        verdict = backprop.lines(as_class(**dict.fromkeys(RIGHT, nothing)))
        assert verdict.status == "not done yet"
        assert verdict.message == "0 of 26 lines are right. Next: logprobs, of shape (n, 27)."
    for nothing in (None, ...):
        assert backprop.lines(nothing).status == "not done yet"


@pytest.mark.parametrize("name", RIGHT)
def test_each_line_stands_alone(name: str) -> None:
    """One line may be filled in before all others; an untouched line is the next."""
    verdict = backprop.lines(as_class(**dict.fromkeys(RIGHT, stub) | {name: RIGHT[name]}))
    assert verdict.status == "not done yet"
    assert verdict.message.startswith("1 of 26 lines are right. Next: ")

    rest = {other: line for other, line in RIGHT.items() if other != name}
    for answer in (as_class(**rest), as_class(**rest, **{name: stub})):
        verdict = backprop.lines(answer)
        assert verdict.status == "not done yet"
        assert verdict.message.startswith(f"25 of 26 lines are right. Next: {name}, of shape (")


def test_the_first_wrong_line_is_named() -> None:
    wrong = {name: lambda v, d: torch.zeros(1) for name in ("counts", "h", "C")}
    outcome(backprop.lines(as_class(**RIGHT | wrong)), "counts(v, d)", "23 of 26 lines are right.")
    half = dict.fromkeys(RIGHT, stub) | {"C": lambda v, d: -RIGHT["C"](v, d)}
    outcome(backprop.lines(as_class(**half)), "C(v, d)", "0 of 26 lines are right.", hint=SIGN)


def test_other_objects() -> None:
    for other in (dict, {}, lambda v, d: 1, 5, torch.zeros(3)):
        outcome(
            backprop.lines(other),
            "Expected a class with one function for each gradient",
            hint="Keep the names of the stub: logprobs, probs, and so on.",
        )
    words = "Expected a function, received 5"
    outcome(backprop.lines(as_class(**RIGHT | {"h": 5})), words, hint=running.NOT_CALLED)


# -- mistakes that can be made in every line --------------------------------------------------


@pytest.mark.parametrize("name", RIGHT)
def test_wrong_sign(name: str) -> None:
    special = {"counts_sum": POWER, "bnvar": ROOT}
    names_it(name, lambda v, d: -RIGHT[name](v, d), special.get(name, SIGN))


@pytest.mark.parametrize("name", RIGHT)
def test_times_n_and_over_n(name: str) -> None:
    special = {"logprobs": "The loss is a mean: each example counts 1/n."}
    names_it(name, lambda v, d: RIGHT[name](v, d) * v.n, special.get(name, TIMES_N))
    over_examples = name in SUMS and SUMS[name][1] == 0
    names_it(name, lambda v, d: RIGHT[name](v, d) / v.n, NO_MEAN if over_examples else OVER_N)


@pytest.mark.parametrize("name", RIGHT)
def test_another_factor(name: str) -> None:
    hint = "Every entry is 3 times what it should be."
    names_it(name, lambda v, d: RIGHT[name](v, d) * 3, hint)


@pytest.mark.parametrize("name", RIGHT)
def test_a_line_that_fails_or_forgets_to_return(name: str) -> None:
    def fails(v: Any, d: Any) -> None:
        return v.nowhere

    def forgets(v: Any, d: Any) -> None:
        result = RIGHT[name](v, d)
        assert result is not None

    def misspells(v: Any, d: Any) -> Any:
        return nowhere  # type: ignore[name-defined] # noqa: F821 # what is tested

    words = f"{name}(v, d) raised AttributeError", "The line that raised it: return v.nowhere"
    outcome(planted(name, fails), *words, hint=NAMES)
    outcome(planted(name, misspells), f"{name}(v, d) raised NameError", hint="")
    hint = "Does every path through the function return?"
    outcome(planted(name, forgets), f"{name}(v, d) returned None", hint=hint)


@pytest.mark.parametrize("name", [n for n in RIGHT if n not in ("b1", "b2", "emb")])
def test_transposed(name: str) -> None:
    special = dict.fromkeys([*ONE_ROW, *ONE_COLUMN], "")
    names_it(name, lambda v, d: RIGHT[name](v, d).T, special.get(name, TRANSPOSED))


@pytest.mark.parametrize("name", SUMS)
def test_missing_sum_over_the_broadcast_dimension(name: str) -> None:
    summand, _ = SUMS[name]
    names_it(name, summand, UNSUMMED)


@pytest.mark.parametrize("name", SUMS)
def test_sum_over_the_wrong_dimension(name: str) -> None:
    summand, dim = SUMS[name]
    for keepdim in (True, False):
        names_it(name, lambda v, d: summand(v, d).sum(1 - dim, keepdim=keepdim), WRONG_DIMENSION)  # noqa: B023


@pytest.mark.parametrize("name", SUMS)
def test_mean_instead_of_sum(name: str) -> None:
    summand, dim = SUMS[name]
    names_it(name, lambda v, d: summand(v, d).mean(dim).view_as(LINES[name].right(v, d)), NO_MEAN)


@pytest.mark.parametrize("name", [*ONE_ROW, *ONE_COLUMN])
def test_missing_keepdim(name: str) -> None:
    names_it(name, lambda v, d: RIGHT[name](v, d).flatten(), KEEP)


@pytest.mark.parametrize("name", ["b1", "b2"])
def test_keepdim_where_there_is_none(name: str) -> None:
    names_it(name, lambda v, d: SUMS[name][0](v, d).sum(0, keepdim=True), DROP)


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("h", lambda v, d: (d.logits, v.W2)),
        ("h", lambda v, d: (v.W2.T, d.logits)),
        ("W2", lambda v, d: (v.h, d.logits)),
        ("W2", lambda v, d: (v.h.T, d.logits.T)),
        ("embcat", lambda v, d: (d.hprebn, v.W1)),
        ("embcat", lambda v, d: (v.W1.T, d.hprebn)),
        ("W1", lambda v, d: (v.embcat, d.hprebn)),
        ("W1", lambda v, d: (v.embcat.T, d.hprebn.T)),
    ],
)
def test_transposed_factor(name: str, factors: Any) -> None:
    def product(v: Any, d: Any) -> torch.Tensor:
        a, b = factors(v, d)
        return a @ b

    outcome(planted(name, product), f"{name}(v, d) raised RuntimeError", hint=PRODUCT)


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("h", lambda v, d: v.W2 @ d.logits.T),
        ("W2", lambda v, d: d.logits.T @ v.h),
        ("embcat", lambda v, d: v.W1 @ d.hprebn.T),
        ("W1", lambda v, d: d.hprebn.T @ v.embcat),
    ],
)
def test_factors_turned_around(name: str, product: Line) -> None:
    names_it(name, product, TRANSPOSED)


@pytest.mark.parametrize("name", [n for n in RIGHT if n != "logprobs"])
def test_numbers_of_one_batch_are_not_a_rule(name: str) -> None:
    """A line that returns the network's own gradient, whatever arrives, is found out."""
    verdict = planted(name, lambda v, d: getattr(steps.backward(v), name))
    zero = name == "logit_maxes"  # its own gradient is zero: that has a hint of its own
    hint = LINES[name].mistakes[0][1] if zero else OWN
    outcome(verdict, f"{name}(v, d) with other gradients in d", hint=hint)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("bnmeani", lambda v, d: -(d.bnraw * v.bnvar_inv).sum(0, keepdim=True)),
        ("hprebn", lambda v, d: batchnorm_backward(d.hpreact, v.bngain, v.bnraw, v.bnvar_inv)),
        (
            "counts",
            lambda v, d: (d.probs - (d.probs * v.probs).sum(1, keepdim=True)) * v.counts_sum_inv,
        ),
        ("norm_logits", lambda v, d: v.probs * (d.probs - (d.probs * v.probs).sum(1)[:, None])),
        ("logits", lambda v, d: d.counts * v.counts),
        ("b2", lambda v, d: d.norm_logits.sum(0)),
        ("b1", lambda v, d: torch.zeros_like(v.b1)),
        ("hprebn", lambda v, d: d.bndiff - d.bndiff.mean(0)),
    ],
)
def test_lines_that_are_right_where_the_gradients_fit(name: str, line: Line) -> None:
    verdict = planted(name, line)
    assert verdict.message.startswith(f"{name}(v, d) with other gradients in d"), verdict
    exact = {"b2": "Which gradient belongs", "b1": "Right for the"}
    assert verdict.hint.startswith(exact.get(name, FIT)), verdict


def test_a_line_that_fails_for_another_reason() -> None:
    """Nothing of v is to blame on the gradients."""
    calls = []

    def counted(v: Any, d: Any) -> torch.Tensor:
        calls.append(1)
        return v.embcat.T @ d.hprebn if len(calls) == 1 else torch.ones(9, 4)

    outcome(planted("W1", counted), "with other gradients in d", hint=PRODUCT)
    verdict = planted("probs", lambda v, d: d.logprobs / (v.probs + 1e-9))
    outcome(verdict, "probs(v, d)", hint="")


def test_the_short_form_is_not_the_line_of_logits() -> None:
    def short(v: Any, d: Any) -> torch.Tensor:
        return (v.logits.softmax(1) - torch.nn.functional.one_hot(v.Y, 27)) / v.n

    outcome(planted("logits", short), "logits(v, d) with other gradients in d", hint=OWN)


# -- what a line may not do, and sizes that are typed in ---------------------------------------


def in_place(v: Any, d: Any) -> Any:
    d.counts *= v.counts
    return d.counts


def numpy_in_place(v: Any, d: Any) -> Any:
    gradient = d.counts.numpy()
    gradient *= v.counts.numpy()
    return gradient


def into_values(v: Any, d: Any) -> Any:
    gradient = d.counts * v.counts
    v.counts.zero_()
    return gradient


def into_the_namespace(v: Any, d: Any) -> Any:
    d.norm_logits = d.counts * v.counts
    return d.norm_logits


def takes_away(v: Any, d: Any) -> Any:
    gradient = d.counts * v.counts
    del d.counts
    return gradient


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (in_place, "d.counts"),
        (numpy_in_place, "d.counts"),
        (into_values, "v.counts"),
        (takes_away, "d.counts"),
    ],
)
def test_a_line_that_changes_what_it_is_given(change: Line, what: str) -> None:
    """It is told, and the lines after it still get the right numbers."""
    outcome(
        planted("norm_logits", change),
        f"norm_logits(v, d) changed {what}.\n25 of 26 lines are right.",
        hint=CLONE,
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("logprobs", lambda v, d: picked(torch.zeros_like(v.logprobs), torch.arange(32), v.Y, v.n)),
        ("logprobs", lambda v, d: picked(torch.zeros_like(v.logprobs), range(32), v.Y, v.n)),
        ("logprobs", lambda v, d: picked(torch.zeros(32, 27), range(v.n), v.Y, v.n)),
        ("logprobs", lambda v, d: picked(torch.zeros_like(v.logprobs), range(v.n), v.Y, 32)),
        ("b2", lambda v, d: torch.ones(32) @ d.logits),
        ("bndiff2", lambda v, d: (d.bnvar / 31).expand_as(v.bndiff2)),
        ("bndiff2", lambda v, d: (d.bnvar / (v.n - 1)).expand(32, -1)),
        ("hprebn", lambda v, d: d.bndiff + d.bnmeani / 32),
        ("emb", lambda v, d: d.embcat.view(32, 3, -1)),
    ],
)
def test_the_size_of_this_page_is_typed_in(name: str, line: Line) -> None:
    outcome(planted(name, line), f"{name}(v, d)", "25 of 26", hint=TYPED_IN)


def test_a_line_that_adds_a_name() -> None:
    def counts(v: Any, d: Any) -> Any:
        v.tmp = 1
        return d.counts * v.counts

    for line, what in ((counts, "v.tmp"), (into_the_namespace, "d.norm_logits")):
        words = f"norm_logits(v, d) added {what}.\n25 of 26 lines are right."
        outcome(planted("norm_logits", line), words, hint=CLONE)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("emb", lambda v, d: d.embcat.view(-1, 3, 10)),
        ("C", lambda v, d: torch.zeros(27, 10).index_add_(0, v.X.flatten(), d.emb.flatten(0, 1))),
        ("C", lambda v, d: torch.zeros(27, 10)),
        ("bngain", lambda v, d: torch.zeros(1, 64)),
    ],
)
def test_other_sizes_of_this_page_are_typed_in(name: str, line: Line) -> None:
    hint = (
        "10, 30 and 64 are sizes of this page's network. The check uses others: take the sizes "
        "from what you are given."
    )
    outcome(planted(name, line), f"{name}(v, d)", "25 of 26", hint=hint)


def picked(gradient: torch.Tensor, rows: Any, Y: torch.Tensor, n: int) -> torch.Tensor:
    gradient[rows, Y] = -1 / n
    return gradient


def test_names_that_the_notebook_does_not_have() -> None:
    def with_constant(v: Any, d: Any) -> Any:
        return -0.5 * (v.bnvar + EPS) ** -1.5 * d.bnvar_inv  # type: ignore[name-defined] # noqa: F821

    outcome(
        planted("bnvar", with_constant),
        "bnvar(v, d) raised NameError: name 'EPS' is not defined",
        hint="EPS is a name of the package's file. Write its value here, 1e-5.",
    )

    def with_self(self: Any, v: Any, d: Any) -> Any:
        return d.logprobs / v.probs

    outcome(
        planted("probs", with_self),
        "probs(v, d) raised TypeError",
        hint="There is no self here: each function has two parameters, v and d.",
    )
    lecture = "probs(v, d) raised AttributeError", "has no attribute 'dlogprobs'"
    outcome(planted("probs", lambda v, d: d.dlogprobs / v.probs), *lecture, hint=NAMES)
    before = "probs(v, d) raised AttributeError"  # a gradient that does not come after its own
    outcome(planted("probs", lambda v, d: d.logits / v.probs), before, hint=NAMES)


def test_autograd_is_ruled_out() -> None:
    def asks(v: Any, d: Any) -> Any:
        with torch.enable_grad():
            leaf = v.probs.clone().requires_grad_()
            return torch.autograd.grad(leaf.log(), leaf, d.logprobs)[0]

    hint = "Autograd is ruled out in this chapter's exercises: write the backward pass by hand."
    outcome(planted("probs", asks), "grad is ruled out in this exercise.", "25 of 26", hint=hint)


def test_arrays_and_lists_may_be_returned() -> None:
    for change in (np.asarray, np.longdouble, lambda t: t.tolist(), lambda t: t.double()):
        lines = {
            name: lambda v, d, line=line, change=change: change(torch.as_tensor(line(v, d)))
            for name, line in RIGHT.items()
        }
        assert backprop.lines(lines)
