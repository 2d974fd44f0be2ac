"""Cross-entropy and normalization, each backward in one expression; the network made of them.

Sources: lecture 5 of *Neural Networks: Zero to Hero*; Ioffe and Szegedy (2015) for BatchNorm;
Ba, Kiros and Hinton (2016) for LayerNorm.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
import torch.nn.functional as F

from ..arguments import require_int
from .model import EPS, BatchNormMLP, require_batch, require_shapes


def cross_entropy_backward(logits: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the mean cross-entropy: softmax minus one-hot, over n.

    Parameters
    ----------
    logits : Tensor, shape (n, number of classes)
    Y : Tensor of int64, shape (n,)
        Target classes; ``F.one_hot`` raises if one is out of range.
    """
    n, classes = logits.shape
    require_shapes(Y=(Y, (n,)))
    return (logits.softmax(1) - F.one_hot(Y, classes)) / n


def batchnorm_backward(
    dhpreact: torch.Tensor, bngain: torch.Tensor, bnraw: torch.Tensor, bnvar_inv: torch.Tensor
) -> torch.Tensor:
    """Return the gradient of the input of batch normalization, from that of its output.

    The variance is the sample variance, which divides by n - 1, as in the lecture.

    Parameters
    ----------
    dhpreact : Tensor, shape (n, H)
        The gradient of the output, ``bngain * bnraw + bnbias``.
    bngain : Tensor, shape (1, H)
    bnraw : Tensor, shape (n, H)
        The normalized input.
    bnvar_inv : Tensor, shape (1, H)
        1 / sqrt(variance + eps).
    """
    n, H = dhpreact.shape
    require_int(2, n=n)
    require_shapes(bngain=(bngain, (1, H)), bnraw=(bnraw, (n, H)), bnvar_inv=(bnvar_inv, (1, H)))
    projection = (dhpreact * bnraw).sum(0, keepdim=True) / (n - 1)  # (1, H)
    return bngain * bnvar_inv * (dhpreact - dhpreact.mean(0, keepdim=True) - bnraw * projection)


def layernorm_backward(
    dy: torch.Tensor, gain: torch.Tensor, raw: torch.Tensor, var_inv: torch.Tensor
) -> torch.Tensor:
    """Return the gradient of the input of layer normalization, from that of its output.

    Each row is normalized by its own mean and population variance (which divides by the width),
    as in ``torch.nn.LayerNorm``.

    Parameters
    ----------
    dy : Tensor, shape (n, width)
        The gradient of the output, ``gain * raw + bias``.
    gain : Tensor, shape (width,)
    raw : Tensor, shape (n, width)
        The normalized input.
    var_inv : Tensor, shape (n, 1)
        1 / sqrt(variance + eps).
    """
    n, width = dy.shape
    require_shapes(gain=(gain, (width,)), raw=(raw, (n, width)), var_inv=(var_inv, (n, 1)))
    dxhat = dy * gain  # the gain differs along the row: it has to stay inside the means
    projection = (dxhat * raw).mean(1, keepdim=True)  # (n, 1)
    return var_inv * (dxhat - dxhat.mean(1, keepdim=True) - raw * projection)


def forward(
    model: BatchNormMLP, X: torch.Tensor, Y: torch.Tensor, *, checked: bool = False
) -> SimpleNamespace:
    """Compute the loss of a batch, and keep what ``backward`` of this module needs.

    Arguments and errors are those of ``steps.forward``; ``checked`` says that X and Y are part of
    what ``require_batch`` has seen before.
    """
    if not checked:
        require_batch(model, X, Y)
    v = SimpleNamespace(X=X, Y=Y, n=len(X), **model.named_parameters())
    v.embcat = v.C[X].view(v.n, -1)  # (n, block_size * n_embd)
    v.hprebn = v.embcat @ v.W1 + v.b1  # (n, H)
    bndiff = v.hprebn - v.hprebn.mean(0, keepdim=True)  # (n, H)
    bnvar = (bndiff * bndiff).sum(0, keepdim=True) / (v.n - 1)  # (1, H)
    v.bnvar_inv = (bnvar + EPS) ** -0.5  # (1, H)
    v.bnraw = bndiff * v.bnvar_inv  # (n, H)
    v.hpreact = v.bngain * v.bnraw + v.bnbias  # (n, H)
    v.h = torch.tanh(v.hpreact)  # (n, H)
    v.logits = v.h @ v.W2 + v.b2  # (n, vocab_size)
    v.loss = F.cross_entropy(v.logits, Y)  # one number
    return v


def backward(v: SimpleNamespace) -> SimpleNamespace:
    """Compute the gradients of the seven parameters and of the intermediate values, by name.

    Parameters
    ----------
    v : SimpleNamespace
        What ``forward`` returned. Not changed.
    """
    d = SimpleNamespace()
    d.logits = cross_entropy_backward(v.logits, v.Y)
    d.h = d.logits @ v.W2.T
    d.W2 = v.h.T @ d.logits
    d.b2 = d.logits.sum(0)
    d.hpreact = d.h * (1 - v.h * v.h)
    d.bngain = (d.hpreact * v.bnraw).sum(0, keepdim=True)
    d.bnbias = d.hpreact.sum(0, keepdim=True)
    d.hprebn = batchnorm_backward(d.hpreact, v.bngain, v.bnraw, v.bnvar_inv)
    d.embcat = d.hprebn @ v.W1.T
    d.W1 = v.embcat.T @ d.hprebn
    d.b1 = d.hprebn.sum(0)
    d.C = torch.zeros_like(v.C)
    d.C.index_add_(0, v.X.flatten(), d.embcat.view(-1, v.C.shape[1]))
    return d
