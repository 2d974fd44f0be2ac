"""Answers to the first exercise of chapter 5: each line in another form than in the package."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F

Namespace = SimpleNamespace
Line = Callable[[Namespace, Namespace], torch.Tensor]


def repeated_rows(v: Namespace, d: Namespace) -> torch.Tensor:
    """Walk over all places, as a plain loop."""
    dC = torch.zeros_like(v.C)
    for i, context in enumerate(v.X.tolist()):
        for j, ix in enumerate(context):
            dC[ix] += d.emb[i, j]
    return dC


def in_place(v: Namespace, d: Namespace) -> torch.Tensor:
    """Change what came in: the next line must not notice."""
    d.counts *= v.counts
    v.counts.zero_()
    return d.counts


def onehot_maxes(v: Namespace, d: Namespace) -> torch.Tensor:
    return d.norm_logits + F.one_hot(v.logits.max(1).indices, 27) * d.logit_maxes


RIGHT: dict[str, Line] = {
    "logprobs": lambda v, d: -F.one_hot(v.Y, 27).float() / len(v.Y),
    "probs": lambda v, d: v.probs**-1 * d.logprobs,
    "counts_sum_inv": lambda v, d: torch.einsum("nc,nc->n", d.probs, v.counts)[:, None],
    "counts_sum": lambda v, d: -d.counts_sum_inv * v.counts_sum_inv**2,
    "counts": lambda v, d: v.counts_sum_inv * d.probs + d.counts_sum.expand(-1, 27),
    "norm_logits": in_place,
    "logit_maxes": lambda v, d: (-d.norm_logits).sum(dim=1).unsqueeze(1),
    "logits": onehot_maxes,
    "h": lambda v, d: torch.einsum("nc,hc->nh", d.logits, v.W2),
    "W2": lambda v, d: torch.einsum("nh,nc->hc", v.h, d.logits),
    "b2": lambda v, d: torch.ones(len(v.Y)) @ d.logits,
    "hpreact": lambda v, d: d.h - d.h * v.h * v.h,
    "bngain": lambda v, d: torch.einsum("nh,nh->h", d.hpreact, v.bnraw)[None],
    "bnbias": lambda v, d: d.hpreact.sum(0)[None],
    "bnraw": lambda v, d: v.bngain * d.hpreact,
    "bnvar_inv": lambda v, d: (v.bndiff * d.bnraw).sum(0, keepdim=True),
    "bnvar": lambda v, d: d.bnvar_inv * (-0.5) * v.bnvar_inv**3,
    "bndiff2": lambda v, d: torch.ones_like(v.bndiff2) / (len(v.Y) - 1) * d.bnvar,
    "bndiff": lambda v, d: v.bnvar_inv * d.bnraw + d.bndiff2 * v.bndiff + v.bndiff * d.bndiff2,
    "bnmeani": lambda v, d: -(d.bndiff.sum(0, keepdim=True)),
    "hprebn": lambda v, d: d.bndiff + torch.ones_like(v.hprebn) * d.bnmeani / len(v.Y),
    "embcat": lambda v, d: (v.W1 @ d.hprebn.T).T,
    "W1": lambda v, d: (d.hprebn.T @ v.embcat).T,
    "b1": lambda v, d: np.asarray(d.hprebn).sum(0),
    "emb": lambda v, d: torch.stack(d.embcat.split(v.C.shape[1], dim=1), 1),
    "C": repeated_rows,
}
