"""The 26 lines of the first exercise of chapter 5, and what can be wrong in each."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import torch

from ...backprop.model import EPS

Rule = Callable[[SimpleNamespace, SimpleNamespace], torch.Tensor]
"""From the values ``v`` and the gradients ``d`` to one gradient."""

LOCAL = "That is the local derivative alone. Multiply it by the gradient from above."
PASSED_ON = "The gradient from above, as it came. Multiply it by the local derivative."
FACTOR = "The derivative with respect to one factor is the other factor. It is missing here."
PRODUCT = "Two matrices: which is multiplied from which side, and which one is transposed?"
OF_PRODUCT = "Which gradient belongs to the result of this product?"
OF_ADDITION = "Which gradient belongs to the result of this addition?"
POWER = "The derivative of x⁻¹ is −x⁻²."
EXP = "exp is its own derivative: multiply by counts."
TANH = "The derivative of tanh is 1 − h², where h is its value."
BESSEL = "The variance divides by n − 1, not by n."
SQUARE = "The derivative of x² is 2x."
ROOT = "The derivative of x to the power −1/2 is −1/2 times x to the power −3/2."
CLASSES = "Without a number of classes, F.one_hot goes up to the largest one it is given: add 27."
REPEATED = "A character that occurs several times gets the sum of all its gradients."


class Line(NamedTuple):
    """One line: the right rule, wrong ones with hints, and for a sum what is added up.

    ``summand`` is summed over ``dim`` in the right rule. ``otherwise`` is the hint for an
    exception, or where nothing else fits.
    """

    right: Rule
    mistakes: tuple[tuple[Rule, str], ...] = ()
    summand: Rule | None = None
    dim: int = 0
    otherwise: str = ""


def _picked(v: SimpleNamespace, number: float) -> torch.Tensor:
    d = torch.zeros_like(v.logprobs)
    d[torch.arange(len(v.Y)), v.Y] = number
    return d


def _largest(v: SimpleNamespace, d: SimpleNamespace) -> torch.Tensor:
    """Bring the gradient of each maximum to the position of the maximum."""
    return torch.zeros_like(v.logits).scatter_(1, v.logits.argmax(1, keepdim=True), d.logit_maxes)


def _looked_up(v: SimpleNamespace, d: SimpleNamespace, *, add: bool) -> torch.Tensor:
    return torch.zeros_like(v.C).index_put_((v.X,), d.emb, accumulate=add)


_LOGITS = ("norm_logits", "counts", "probs", "logprobs")  # of the shape of logits
_HPREBN = ("bndiff", "bndiff2", "bnraw", "hpreact", "h")


def _instead(
    names: tuple[str, ...], rule: Callable[[SimpleNamespace, torch.Tensor], torch.Tensor], hint: str
) -> tuple[tuple[Rule, str], ...]:
    """Return what a rule makes of the gradients of other values."""

    def of(name: str) -> Rule:
        return lambda v, d: rule(v, getattr(d, name))

    return tuple((of(name), hint) for name in names)


LINES: dict[str, Line] = {
    "logprobs": Line(
        lambda v, d: _picked(v, -1 / v.n),
        (
            (lambda v, d: _picked(v, -1.0), "The loss is a mean: each example counts 1/n."),
            (
                lambda v, d: torch.full_like(v.logprobs, -1 / v.n),
                "Only the entries that the loss picks have a gradient. The others get zero.",
            ),
            (lambda v, d: _picked(v, -1 / v.n)[:, : v.Y.max() + 1], CLASSES),
        ),
    ),
    "probs": Line(
        lambda v, d: d.logprobs / v.probs,
        (
            (lambda v, d: 1 / v.probs, LOCAL),
            (lambda v, d: d.logprobs, PASSED_ON),
            (lambda v, d: d.logprobs * v.probs, "The derivative of log p is 1/p."),
        ),
    ),
    "counts_sum_inv": Line(
        lambda v, d: (d.probs * v.counts).sum(1, keepdim=True),
        ((lambda v, d: d.probs.sum(1, keepdim=True), FACTOR),),
        lambda v, d: d.probs * v.counts,
        1,
    ),
    "counts_sum": Line(
        lambda v, d: -d.counts_sum_inv * v.counts_sum**-2,
        (
            (lambda v, d: -(v.counts_sum**-2), LOCAL),
            (lambda v, d: d.counts_sum_inv * v.counts_sum**-2, POWER),
            (lambda v, d: -d.counts_sum_inv * v.counts_sum**-1, POWER),
            (lambda v, d: d.counts_sum_inv * v.counts_sum**-1, POWER),
            (lambda v, d: -d.counts_sum_inv, POWER),
        ),
    ),
    "counts": Line(
        lambda v, d: d.probs * v.counts_sum_inv + d.counts_sum,
        (
            (
                lambda v, d: d.probs * v.counts_sum_inv,
                "counts has a second use: in counts_sum.",
            ),
            (
                lambda v, d: d.counts_sum.expand_as(v.counts),
                "counts has another use: in probs.",
            ),
            (lambda v, d: d.counts_sum, "counts has another use: in probs."),
            (lambda v, d: d.probs + d.counts_sum, FACTOR),
            (
                lambda v, d: d.probs * v.counts_sum_inv - d.counts_sum,
                "Two uses: their gradients are added.",
            ),
        ),
    ),
    "norm_logits": Line(
        lambda v, d: d.counts * v.counts,
        (
            (lambda v, d: v.counts, LOCAL),
            (lambda v, d: d.counts, PASSED_ON),
            (lambda v, d: d.counts * v.norm_logits, EXP),
            (lambda v, d: d.counts / v.counts, EXP),
        ),
    ),
    "logit_maxes": Line(
        lambda v, d: -d.norm_logits.sum(1, keepdim=True),
        (
            (
                lambda v, d: torch.zeros_like(v.logit_maxes),
                "With the gradients of this network the sum is zero. But the line has to pass on "
                "whatever arrives.",
            ),
        ),
        lambda v, d: -d.norm_logits,
        1,
    ),
    "logits": Line(
        lambda v, d: d.norm_logits + _largest(v, d),
        (
            (lambda v, d: d.norm_logits, "logits has a second use: in logit_maxes."),
            (_largest, "logits has another use: in norm_logits."),
            (
                lambda v, d: d.norm_logits + d.logit_maxes,
                "The gradient of a maximum belongs to the largest entry of the row alone.",
            ),
            (
                lambda v, d: d.norm_logits - _largest(v, d),
                "Two uses: their gradients are added.",
            ),
        ),
    ),
    "h": Line(
        lambda v, d: d.logits @ v.W2.T,
        _instead(_LOGITS, lambda v, other: other @ v.W2.T, OF_PRODUCT),
        otherwise=PRODUCT,
    ),
    "W2": Line(
        lambda v, d: v.h.T @ d.logits,
        _instead(_LOGITS, lambda v, other: v.h.T @ other, OF_PRODUCT),
        otherwise=PRODUCT,
    ),
    "b2": Line(
        lambda v, d: d.logits.sum(0),
        _instead(_LOGITS, lambda v, other: other.sum(0), OF_ADDITION),
        summand=lambda v, d: d.logits,
    ),
    "hpreact": Line(
        lambda v, d: d.h * (1 - v.h**2),
        (
            (lambda v, d: 1 - v.h**2, LOCAL),
            (lambda v, d: d.h, PASSED_ON),
            (lambda v, d: d.h * (1 - v.h), TANH),
            (lambda v, d: d.h * v.h**2, TANH),
            (lambda v, d: d.h * (1 - v.hpreact**2), TANH),
            (
                lambda v, d: d.h * (1 - torch.tanh(v.h) ** 2),
                "h is the tanh already: don't apply it again.",
            ),
        ),
    ),
    "bngain": Line(
        lambda v, d: (d.hpreact * v.bnraw).sum(0, keepdim=True),
        ((lambda v, d: d.hpreact.sum(0, keepdim=True), FACTOR),),
        lambda v, d: d.hpreact * v.bnraw,
    ),
    "bnbias": Line(
        lambda v, d: d.hpreact.sum(0, keepdim=True),
        (
            (
                lambda v, d: (d.hpreact * v.bnbias).sum(0, keepdim=True),
                "bnbias is added: its local derivative is 1.",
            ),
        ),
        lambda v, d: d.hpreact,
    ),
    "bnraw": Line(
        lambda v, d: d.hpreact * v.bngain,
        (
            (lambda v, d: v.bngain.expand_as(v.bnraw), LOCAL),
            (lambda v, d: d.hpreact, FACTOR),
            (
                lambda v, d: (d.hpreact * v.bngain).sum(0, keepdim=True),
                "bnraw was not broadcast: no sum here.",
            ),
        ),
    ),
    "bnvar_inv": Line(
        lambda v, d: (d.bnraw * v.bndiff).sum(0, keepdim=True),
        (
            (lambda v, d: d.bnraw.sum(0, keepdim=True), FACTOR),
            (
                lambda v, d: (d.bnraw * v.bnraw).sum(0, keepdim=True),
                "bnraw is the product; the other factor is bndiff.",
            ),
        ),
        lambda v, d: d.bnraw * v.bndiff,
    ),
    "bnvar": Line(
        lambda v, d: -0.5 * (v.bnvar + EPS) ** -1.5 * d.bnvar_inv,
        (
            (lambda v, d: -0.5 * (v.bnvar + EPS) ** -1.5, LOCAL),
            (lambda v, d: 0.5 * (v.bnvar + EPS) ** -1.5 * d.bnvar_inv, ROOT),
            (lambda v, d: -((v.bnvar + EPS) ** -1.5) * d.bnvar_inv, ROOT),
            (lambda v, d: -0.5 * (v.bnvar + EPS) ** -0.5 * d.bnvar_inv, ROOT),
            (lambda v, d: 0.5 * (v.bnvar + EPS) ** -0.5 * d.bnvar_inv, ROOT),
            (
                lambda v, d: -0.5 * v.bnvar**-1.5 * d.bnvar_inv,
                "The root is taken of bnvar + 1e-5, not of bnvar.",
            ),
        ),
    ),
    "bndiff2": Line(
        lambda v, d: (d.bnvar / (v.n - 1)).expand_as(v.bndiff2),
        (
            (lambda v, d: (d.bnvar / v.n).expand_as(v.bndiff2), BESSEL),
            (lambda v, d: d.bnvar / v.n, BESSEL),
            (lambda v, d: d.bnvar.expand_as(v.bndiff2), BESSEL),
            (lambda v, d: d.bnvar, BESSEL),
        ),
    ),
    "bndiff": Line(
        lambda v, d: d.bnraw * v.bnvar_inv + 2 * v.bndiff * d.bndiff2,
        (
            (lambda v, d: d.bnraw * v.bnvar_inv, "bndiff has a second use: in bndiff2."),
            (lambda v, d: 2 * v.bndiff * d.bndiff2, "bndiff has another use: in bnraw."),
            (lambda v, d: d.bnraw * v.bnvar_inv + v.bndiff * d.bndiff2, SQUARE),
            (lambda v, d: d.bnraw * v.bnvar_inv + 2 * d.bndiff2, SQUARE),
            (lambda v, d: d.bnraw + 2 * v.bndiff * d.bndiff2, FACTOR),
            (
                lambda v, d: d.bnraw * v.bnvar_inv - 2 * v.bndiff * d.bndiff2,
                "Two uses: their gradients are added.",
            ),
        ),
    ),
    "bnmeani": Line(
        lambda v, d: -d.bndiff.sum(0, keepdim=True),
        summand=lambda v, d: -d.bndiff,
    ),
    "hprebn": Line(
        lambda v, d: d.bndiff + d.bnmeani / v.n,
        (
            (lambda v, d: d.bndiff, "hprebn has a second use: in bnmeani."),
            (
                lambda v, d: (d.bnmeani / v.n).expand_as(v.hprebn),
                "hprebn has another use: in bndiff.",
            ),
            (lambda v, d: d.bnmeani / v.n, "hprebn has another use: in bndiff."),
            (lambda v, d: d.bndiff + d.bnmeani, "In the mean, each example counts 1/n."),
            (
                lambda v, d: d.bndiff - d.bnmeani / v.n,
                "The minus sign is in the gradient of bnmeani already.",
            ),
        ),
    ),
    "embcat": Line(
        lambda v, d: d.hprebn @ v.W1.T,
        _instead(_HPREBN, lambda v, other: other @ v.W1.T, OF_PRODUCT),
        otherwise=PRODUCT,
    ),
    "W1": Line(
        lambda v, d: v.embcat.T @ d.hprebn,
        _instead(_HPREBN, lambda v, other: v.embcat.T @ other, OF_PRODUCT),
        otherwise=PRODUCT,
    ),
    "b1": Line(
        lambda v, d: d.hprebn.sum(0),
        _instead(_HPREBN, lambda v, other: other.sum(0), OF_ADDITION),
        summand=lambda v, d: d.hprebn,
    ),
    "emb": Line(
        lambda v, d: d.embcat.view(v.emb.shape),
        ((lambda v, d: d.embcat, "The numbers are right; give them the shape of emb."),),
        otherwise="view moved no number: view(v.emb.shape) brings each back to its position.",
    ),
    "C": Line(
        lambda v, d: _looked_up(v, d, add=True),
        (
            (lambda v, d: _looked_up(v, d, add=False), REPEATED),
            (lambda v, d: d.emb, "The rows of C are asked for: put each gradient into its row."),
        ),
        otherwise="Each row of C collects the gradients of all positions that hold its character.",
    ),
}
"""The lines, from the loss to the embeddings."""
