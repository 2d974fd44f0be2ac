"""The check of the 26 lines of chapter 5: mistakes that belong to one line."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome
from test_check_backprop_lines import MATRICES, RIGHT, SUMS, Line, names_it, planted

pytestmark = pytest.mark.usefixtures("one_thread")

SPREAD = "A sum forward is a broadcast backward: every entry that was added gets the gradient."
LOCAL = "That is the local derivative alone. Multiply it by the gradient from above."
PASSED_ON = "The gradient from above, as it came. Multiply it by the local derivative."
FACTOR = "The derivative with respect to one factor is the other factor. It is missing here."
POWER = "The derivative of x⁻¹ is −x⁻²."
EXP = "exp is its own derivative: multiply by counts."
TANH = "The derivative of tanh is 1 − h², where h is its value."
BESSEL = "The variance divides by n − 1, not by n."
SQUARE = "The derivative of x² is 2x."
ROOT = "The derivative of x to the power −1/2 is −1/2 times x to the power −3/2."
REPEATED = "A character that occurs several times gets the sum of all its gradients."
ADDED = "Two uses: their gradients are added."
ROWS = "Each row of C collects the gradients of all positions that hold its character."
VIEW = "view moved no number: view(v.emb.shape) brings each back to its position."


def largest(v: Any, d: Any) -> torch.Tensor:
    return F.one_hot(v.logits.argmax(1), 27) * d.logit_maxes


def overwrites(v: Any, d: Any) -> torch.Tensor:
    dC = torch.zeros_like(v.C)
    dC[v.X] += d.emb
    return dC


def averages(v: Any, d: Any) -> torch.Tensor:
    uses = torch.bincount(v.X.flatten(), minlength=27).clamp(min=1)
    return RIGHT["C"](v, d) / uses[:, None]


OF_PRODUCT = "Which gradient belongs to the result of this product?"
OF_ADDITION = "Which gradient belongs to the result of this addition?"
CLASSES = "Without a number of classes, F.one_hot goes up to the largest one it is given: add 27."

MISTAKES: list[tuple[str, Line, str]] = [
    (
        "logprobs",
        lambda v, d: -F.one_hot(v.Y, 27).float(),
        "The loss is a mean: each example counts 1/n.",
    ),
    (
        "logprobs",
        lambda v, d: -torch.ones_like(v.logprobs) / v.n,
        "Only the entries that the loss picks have a gradient. The others get zero.",
    ),
    ("logprobs", lambda v, d: -F.one_hot(v.Y) / v.n, CLASSES),
    ("probs", lambda v, d: v.probs**-1, LOCAL),
    ("probs", lambda v, d: d.logprobs.clone(), PASSED_ON),
    ("probs", lambda v, d: v.probs * d.logprobs, "The derivative of log p is 1/p."),
    ("counts_sum_inv", lambda v, d: d.probs.sum(1)[:, None], FACTOR),
    ("counts_sum", lambda v, d: -(v.counts_sum_inv**2), LOCAL),
    ("counts_sum", lambda v, d: -d.counts_sum_inv * v.counts_sum_inv, POWER),
    ("counts_sum", lambda v, d: d.counts_sum_inv / v.counts_sum, POWER),
    ("counts_sum", lambda v, d: -d.counts_sum_inv, POWER),
    ("counts", lambda v, d: d.probs / v.counts_sum, "counts has a second use: in counts_sum."),
    (
        "counts",
        lambda v, d: torch.ones_like(v.counts) * d.counts_sum,
        "counts has another use: in probs.",
    ),
    ("counts", lambda v, d: d.counts_sum, "counts has another use: in probs."),
    ("counts", lambda v, d: d.counts_sum + d.probs, FACTOR),
    ("counts", lambda v, d: d.probs * v.counts_sum_inv - d.counts_sum, ADDED),
    ("norm_logits", lambda v, d: v.norm_logits.exp(), LOCAL),
    ("norm_logits", lambda v, d: d.counts, PASSED_ON),
    ("norm_logits", lambda v, d: v.norm_logits * d.counts, EXP),
    ("norm_logits", lambda v, d: d.counts / v.counts, EXP),
    (
        "logit_maxes",
        lambda v, d: torch.zeros_like(v.logit_maxes),
        "With the gradients of this network the sum is zero. But the line has to pass on "
        "whatever arrives.",
    ),
    ("logits", lambda v, d: d.norm_logits, "logits has a second use: in logit_maxes."),
    ("logits", largest, "logits has another use: in norm_logits."),
    (
        "logits",
        lambda v, d: d.logit_maxes + d.norm_logits,
        "The gradient of a maximum belongs to the largest entry of the row alone.",
    ),
    ("logits", lambda v, d: d.norm_logits - largest(v, d), ADDED),
    ("logits", lambda v, d: d.norm_logits + F.one_hot(v.logits.argmax(1)) * d.logit_maxes, CLASSES),
    ("norm_logits", lambda v, d: d.counts * v.counts.clamp(min=1e-5), ""),
    ("probs", lambda v, d: d.logprobs / (v.probs + 1e-7), ""),
    ("counts_sum", lambda v, d: -d.counts_sum_inv / (v.counts_sum + 1e-5) ** 2, ""),
    ("h", lambda v, d: d.norm_logits @ v.W2.T, OF_PRODUCT),
    ("h", lambda v, d: d.counts @ v.W2.T, OF_PRODUCT),
    ("W2", lambda v, d: v.h.T @ d.norm_logits, OF_PRODUCT),
    ("b2", lambda v, d: d.norm_logits.sum(0), OF_ADDITION),
    ("embcat", lambda v, d: d.bndiff @ v.W1.T, OF_PRODUCT),
    ("W1", lambda v, d: v.embcat.T @ d.bndiff, OF_PRODUCT),
    ("W1", lambda v, d: v.embcat.T @ d.hpreact, OF_PRODUCT),
    ("b1", lambda v, d: d.bndiff.sum(0), OF_ADDITION),
    ("hpreact", lambda v, d: 1 - v.h * v.h, LOCAL),
    ("hpreact", lambda v, d: d.h, PASSED_ON),
    ("hpreact", lambda v, d: (1 - v.h) * d.h, TANH),
    ("hpreact", lambda v, d: v.h**2 * d.h, TANH),
    ("hpreact", lambda v, d: (1 - v.hpreact**2) * d.h, TANH),
    (
        "hpreact",
        lambda v, d: (1 - v.h.tanh() ** 2) * d.h,
        "h is the tanh already: don't apply it again.",
    ),
    ("bngain", lambda v, d: d.hpreact.sum(0)[None], FACTOR),
    (
        "bnbias",
        lambda v, d: v.bnbias * d.hpreact.sum(0),
        "bnbias is added: its local derivative is 1.",
    ),
    ("bnraw", lambda v, d: v.bngain * torch.ones_like(v.bnraw), LOCAL),
    ("bnraw", lambda v, d: v.bngain, ""),
    ("bnraw", lambda v, d: d.hpreact, FACTOR),
    (
        "bnraw",
        lambda v, d: v.bngain * d.hpreact.sum(0),
        "bnraw was not broadcast: no sum here.",
    ),
    ("bnvar_inv", lambda v, d: d.bnraw.sum(0)[None], FACTOR),
    (
        "bnvar_inv",
        lambda v, d: (v.bnraw * d.bnraw).sum(0)[None],
        "bnraw is the product; the other factor is bndiff.",
    ),
    ("bnvar", lambda v, d: -0.5 * v.bnvar_inv**3, LOCAL),
    ("bnvar", lambda v, d: 0.5 * v.bnvar_inv**3 * d.bnvar_inv, ROOT),
    ("bnvar", lambda v, d: -(v.bnvar_inv**3) * d.bnvar_inv, ROOT),
    ("bnvar", lambda v, d: -0.5 * v.bnvar_inv * d.bnvar_inv, ROOT),
    ("bnvar", lambda v, d: 0.5 * v.bnvar_inv * d.bnvar_inv, ROOT),
    (
        "bnvar",
        lambda v, d: -0.5 * v.bnvar**-1.5 * d.bnvar_inv,
        "The root is taken of bnvar + 1e-5, not of bnvar.",
    ),
    ("bndiff2", lambda v, d: (d.bnvar / v.n).expand(v.n, -1), BESSEL),
    ("bndiff2", lambda v, d: d.bnvar / v.n, BESSEL),
    ("bndiff2", lambda v, d: d.bnvar.expand(v.n, -1), BESSEL),
    ("bndiff2", lambda v, d: d.bnvar, BESSEL),
    ("bndiff2", lambda v, d: d.bnvar / (v.n - 1), SPREAD),
    (
        "bndiff",
        lambda v, d: v.bnvar_inv * d.bnraw,
        "bndiff has a second use: in bndiff2.",
    ),
    (
        "bndiff",
        lambda v, d: 2 * v.bndiff * d.bndiff2,
        "bndiff has another use: in bnraw.",
    ),
    ("bndiff", lambda v, d: v.bnvar_inv * d.bnraw + v.bndiff * d.bndiff2, SQUARE),
    ("bndiff", lambda v, d: v.bnvar_inv * d.bnraw + 2 * d.bndiff2, SQUARE),
    ("bndiff", lambda v, d: d.bnraw + 2 * v.bndiff * d.bndiff2, FACTOR),
    ("bndiff", lambda v, d: v.bnvar_inv * d.bnraw - 2 * v.bndiff * d.bndiff2, ADDED),
    ("hprebn", lambda v, d: d.bndiff, "hprebn has a second use: in bnmeani."),
    (
        "hprebn",
        lambda v, d: d.bnmeani.expand(v.n, -1) / v.n,
        "hprebn has another use: in bndiff.",
    ),
    ("hprebn", lambda v, d: d.bnmeani / v.n, "hprebn has another use: in bndiff."),
    ("hprebn", lambda v, d: d.bnmeani + d.bndiff, "In the mean, each example counts 1/n."),
    (
        "hprebn",
        lambda v, d: d.bndiff - d.bnmeani / v.n,
        "The minus sign is in the gradient of bnmeani already.",
    ),
    ("emb", lambda v, d: d.embcat, "The numbers are right; give them the shape of emb."),
    ("emb", lambda v, d: d.embcat.view(v.n, -1, 3).transpose(1, 2), VIEW),
    ("C", overwrites, REPEATED),
    ("C", averages, ROWS),
    (
        "C",
        lambda v, d: d.emb,
        "The rows of C are asked for: put each gradient into its row.",
    ),
]


@pytest.mark.parametrize(("name", "mistake", "hint"), MISTAKES)
def test_mistakes_of_one_line(name: str, mistake: Line, hint: str) -> None:
    names_it(name, mistake, hint)


def test_what_is_left_of_rounding_is_zero() -> None:
    verdict = planted("b1", lambda v, d: d.bndiff.sum(0))
    outcome(verdict, "b1(v, d): entry (0,) should be 0, received", hint=OF_ADDITION)


def test_every_line_has_a_mistake_of_its_own() -> None:
    tried = {name for name, _, _ in MISTAKES} | set(SUMS) | set(MATRICES)
    assert tried == set(RIGHT)
