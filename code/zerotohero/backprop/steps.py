"""The forward pass in twenty named steps, and the backward pass line by line.

``v`` holds the values by name, ``d`` the gradients: ``d.logits`` is the derivative of the loss
with respect to ``v.logits`` and has its shape.

Source: lecture 5 of *Neural Networks: Zero to Hero*.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch

from .model import EPS, BatchNormMLP, require_batch


def forward(model: BatchNormMLP, X: torch.Tensor, Y: torch.Tensor) -> SimpleNamespace:
    """Compute the loss of a batch in small steps, and keep every value.

    As in the lecture, a probability that rounds to 0 (a logit about 100 below the largest) makes
    the loss infinite and its gradients NaN, where ``fused`` still computes them.

    Parameters
    ----------
    model : BatchNormMLP
        Not changed.
    X : Tensor of int64, shape (n, block_size)
        Contexts.
    Y : Tensor of int64, shape (n,)
        The characters that follow them.

    Returns
    -------
    SimpleNamespace
        X, Y, the number of examples n, the seven parameters, and the twenty steps.

    Raises
    ------
    ValueError
        If the shapes do not fit, an id is out of range, or the batch has fewer than two examples.
    TypeError
        If X or Y does not hold int64 ids.
    """
    require_batch(model, X, Y)
    n = len(X)
    v = SimpleNamespace(X=X, Y=Y, n=n, **model.named_parameters())
    # embeddings and hidden layer, of H neurons
    v.emb = v.C[X]  # (n, block_size, n_embd)
    v.embcat = v.emb.view(n, -1)  # (n, block_size * n_embd)
    v.hprebn = v.embcat @ v.W1 + v.b1  # (n, H)
    # batch normalization
    v.bnmeani = v.hprebn.sum(0, keepdim=True) / n  # (1, H)
    v.bndiff = v.hprebn - v.bnmeani  # (n, H)
    v.bndiff2 = v.bndiff**2  # (n, H)
    v.bnvar = v.bndiff2.sum(0, keepdim=True) / (n - 1)  # (1, H)
    v.bnvar_inv = (v.bnvar + EPS) ** -0.5  # (1, H)
    v.bnraw = v.bndiff * v.bnvar_inv  # (n, H)
    v.hpreact = v.bngain * v.bnraw + v.bnbias  # (n, H)
    # tanh and output layer
    v.h = torch.tanh(v.hpreact)  # (n, H)
    v.logits = v.h @ v.W2 + v.b2  # (n, vocab_size)
    # cross-entropy
    v.logit_maxes = v.logits.max(1, keepdim=True).values  # (n, 1)
    v.norm_logits = v.logits - v.logit_maxes  # (n, vocab_size)
    v.counts = v.norm_logits.exp()  # (n, vocab_size)
    v.counts_sum = v.counts.sum(1, keepdim=True)  # (n, 1)
    v.counts_sum_inv = v.counts_sum**-1  # (n, 1)
    v.probs = v.counts * v.counts_sum_inv  # (n, vocab_size)
    v.logprobs = v.probs.log()  # (n, vocab_size)
    v.loss = -v.logprobs[torch.arange(n), Y].mean()  # one number
    return v


def backward(v: SimpleNamespace) -> SimpleNamespace:
    """Compute the gradient of the loss with respect to every value, from the last to the first.

    Parameters
    ----------
    v : SimpleNamespace
        What ``forward`` returned. Not changed.

    Returns
    -------
    SimpleNamespace
        26 gradients, under the names of the values; each has the shape of its value.
    """
    d = SimpleNamespace()
    # cross-entropy
    d.logprobs = torch.zeros_like(v.logprobs)
    d.logprobs[torch.arange(v.n), v.Y] = -1 / v.n
    d.probs = d.logprobs / v.probs
    d.counts_sum_inv = (d.probs * v.counts).sum(1, keepdim=True)
    d.counts_sum = -d.counts_sum_inv * v.counts_sum**-2
    d.counts = d.probs * v.counts_sum_inv + d.counts_sum
    d.norm_logits = d.counts * v.counts
    d.logit_maxes = -d.norm_logits.sum(1, keepdim=True)
    d.logits = d.norm_logits.clone()
    d.logits[torch.arange(v.n), v.logits.argmax(1)] += d.logit_maxes[:, 0]
    # output layer and tanh
    d.h = d.logits @ v.W2.T
    d.W2 = v.h.T @ d.logits
    d.b2 = d.logits.sum(0)
    d.hpreact = d.h * (1 - v.h**2)
    # batch normalization
    d.bngain = (d.hpreact * v.bnraw).sum(0, keepdim=True)
    d.bnbias = d.hpreact.sum(0, keepdim=True)
    d.bnraw = d.hpreact * v.bngain
    d.bnvar_inv = (d.bnraw * v.bndiff).sum(0, keepdim=True)
    d.bnvar = d.bnvar_inv * -0.5 * (v.bnvar + EPS) ** -1.5
    d.bndiff2 = (d.bnvar / (v.n - 1)).expand_as(v.bndiff2)
    d.bndiff = d.bnraw * v.bnvar_inv + d.bndiff2 * 2 * v.bndiff
    d.bnmeani = -d.bndiff.sum(0, keepdim=True)
    d.hprebn = d.bndiff + d.bnmeani / v.n
    # hidden layer and embeddings
    d.embcat = d.hprebn @ v.W1.T
    d.W1 = v.embcat.T @ d.hprebn
    d.b1 = d.hprebn.sum(0)
    d.emb = d.embcat.view(v.emb.shape)
    d.C = torch.zeros_like(v.C)
    d.C.index_add_(0, v.X.flatten(), d.emb.flatten(0, 1))
    return d
