"""Right answers to the exercises of chapter 6."""

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from zerotohero.bigrams import LETTERS, CountingModel
from zerotohero.check.wavenet import challenge
from zerotohero.layers import FlattenConsecutive
from zerotohero.mlp import split_words
from zerotohero.wavenet import CausalConv1d, FusedBatchNorm1d

# -- flatten ---------------------------------------------------------------------------


def flatten__by_slices(x, n):
    out = torch.cat([x[:, i::n] for i in range(n)], 2)
    return out[:, 0] if out.shape[1] == 1 else out


def flatten__with_numpy(x, n):
    B, T, C = x.shape
    return x.numpy().reshape((B, n * C) if n == T else (B, T // n, n * C))


def flatten__with_the_layer(x, n):
    return FlattenConsecutive(n)(x)


def flatten__as_lists(x, n):
    out = []
    for example in x.tolist():
        groups = [sum(example[t : t + n], []) for t in range(0, len(example), n)]
        out.append(groups[0] if len(groups) == 1 else groups)
    return out


def flatten__by_unfolding(x, n):
    groups = x.double().unfold(1, n, n)  # (B, T / n, C, n)
    joined = groups.permute(0, 1, 3, 2).reshape(x.shape[0], -1, n * x.shape[2])
    return joined.squeeze(1)


# -- normalize -------------------------------------------------------------------------


def normalize__with_torch(x, gamma, beta, eps):
    flat = F.batch_norm(x.flatten(0, 1), None, None, gamma, beta, True, 0.1, eps)
    return flat.view(x.shape)


def normalize__with_numpy(*given):
    x, gamma, beta = (tensor.numpy().astype(float) for tensor in given[:3])
    eps = given[3]
    return gamma * (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + eps) + beta


def normalize__by_steps(x, gamma, beta, eps):
    n = x.shape[0] * x.shape[1]
    mean = x.sum((0, 1)) / n
    centered = x - mean
    variance = (centered**2).sum((0, 1)) / n
    return centered * (variance + eps) ** -0.5 * gamma + beta


def normalize__feature_by_feature(x, gamma, beta, eps):
    columns = []
    for c in range(x.shape[2]):
        numbers = x[:, :, c].double()
        variance = (numbers**2).mean() - numbers.mean() ** 2
        columns.append(gamma[c] * (numbers - numbers.mean()) / math.sqrt(variance + eps) + beta[c])
    return torch.stack(columns, 2)


def normalize__with_the_layer(x, gamma, beta, eps):
    layer = FusedBatchNorm1d(x.shape[2], eps)
    layer.gamma, layer.beta = gamma, beta
    return layer(x)


def normalize__by_dimensions_from_the_end(x, gamma, beta, eps):
    var, mean = torch.var_mean(x, dim=(-3, -2), unbiased=False, keepdim=True)
    return torch.addcmul(beta, gamma, (x - mean) * torch.rsqrt(var + eps))


# -- multiplications -------------------------------------------------------------------


def multiplications__in_closed_form(contexts, levels, n_embd, n_hidden):
    first, later, output = 2 * n_embd * n_hidden, 2 * n_hidden**2, 27 * n_hidden
    nodes = 2 ** (levels - 1)
    tree = contexts * (nodes * first + (nodes - 1) * later + output)
    ends = sum(2**levels - 2**level for level in range(2, levels + 1))
    slid = (contexts + 2**levels - 2) * first + ((levels - 1) * contexts + ends) * later
    return tree, slid + contexts * output


def multiplications__level_by_level(contexts, levels, n_embd, n_hidden):
    tree = slid = 0
    width = n_embd
    for level in range(1, levels + 1):
        matrix = 2 * width * n_hidden
        tree += contexts * 2 ** (levels - level) * matrix
        slid += (contexts + 2**levels - 2**level) * matrix
        width = n_hidden
    return [tree + contexts * n_hidden * 27, slid + contexts * n_hidden * 27]


def multiplications__as_a_tensor(contexts, levels, n_embd, n_hidden):
    widths = torch.tensor([n_embd] + [n_hidden] * (levels - 1))
    level = torch.arange(1, levels + 1)
    matrices = 2 * widths * n_hidden
    vectors = torch.stack([contexts * 2 ** (levels - level), contexts + 2**levels - 2**level])
    return vectors @ matrices + contexts * n_hidden * 27


def multiplications__from_the_top(contexts, levels, n_embd, n_hidden):
    """Go down: a node needs two vectors, a stretch of positions needs some more."""
    output = contexts * 27 * n_hidden
    counts = np.array([output, output])
    nodes, length = contexts, contexts
    for level in reversed(range(levels)):
        width = n_hidden if level > 0 else n_embd
        counts += np.array([nodes, length]) * 2 * width * n_hidden
        nodes, length = 2 * nodes, length + 2**level
    return counts


# -- dilated ---------------------------------------------------------------------------


def dilated__with_conv1d(x, weight, dilation):
    kernel = weight.view(2, x.shape[2], -1).permute(2, 1, 0)
    return F.conv1d(x.mT, kernel, dilation=dilation).mT


def dilated__with_the_layer(x, weight, dilation):
    layer = CausalConv1d(x.shape[2], weight.shape[1], 2, dilation, bias=False)
    layer.weight = weight
    return layer(x)


def dilated__by_loops(x, weight, dilation):
    pairs = [torch.cat([x[:, t - dilation], x[:, t]], 1) for t in range(dilation, x.shape[1])]
    return torch.stack([pair @ weight for pair in pairs], 1)


def dilated__with_einsum(*given):
    x, weight = (tensor.numpy().astype(float) for tensor in given[:2])
    dilation = given[2]
    halves = weight.reshape(2, x.shape[2], weight.shape[1])
    taps = np.stack([x[:, :-dilation], x[:, dilation:]])
    return np.einsum("kbtc,kcf->btf", taps, halves)


def dilated__with_zeros_cut_off(x, weight, dilation):
    older = torch.zeros_like(x)
    older[:, dilation:] = x[:, : x.shape[1] - dilation]
    return (torch.cat([older, x], -1).double() @ weight.double())[:, dilation:]


# -- gated -----------------------------------------------------------------------------


def gated__by_slices(x, Wf, Wg, Wr):
    newer = x[:, 1::2]
    pairs = torch.cat([x[:, ::2], newer], 2)
    z = torch.tanh(pairs @ Wf) * torch.sigmoid(pairs @ Wg)
    return newer + z @ Wr, z


def gated__with_numpy(*given):
    x, Wf, Wg, Wr = (tensor.numpy().astype(float) for tensor in given)
    B, T, C = x.shape
    p = x.reshape(B, T // 2, 2 * C)
    z = np.tanh(p @ Wf) / (1 + np.exp(-(p @ Wg)))
    return [p[:, :, C:] + z @ Wr, z]


def gated__pair_by_pair(x, Wf, Wg, Wr):
    out, zs = [], []
    for t in range(0, x.shape[1], 2):
        p = x[:, t : t + 2].flatten(1)
        z = (p @ Wf).tanh() * (p @ Wg).sigmoid()
        out.append(x[:, t + 1] + z @ Wr)
        zs.append(z)
    return torch.stack(out, 1), torch.stack(zs, 1)


def gated__one_after_the_other(x, Wf, Wg, Wr):
    p = x.double().unflatten(1, (-1, 2)).flatten(2)
    both = p @ torch.cat([Wf, Wg], 1).double()
    f, g = both.chunk(2, -1)
    z = torch.tanh(f) * (1 + torch.tanh(g / 2)) / 2
    yield x[:, 1::2] + z @ Wr.double()
    yield z


def gated__as_an_array_of_objects(x, Wf, Wg, Wr):
    p = torch.cat([x[:, ::2], x[:, 1::2]], -1)
    both = np.empty(2, dtype=object)
    both[1] = torch.tanh(p @ Wf) * torch.sigmoid(p @ Wg)
    both[0] = x[:, 1::2] + both[1] @ Wr
    return both


def gated__as_values_of_a_dict(x, Wf, Wg, Wr):
    p = x.unflatten(1, (-1, 2)).flatten(2)
    z = torch.tanh(p @ Wf) * torch.sigmoid(p @ Wg)
    return dict(out=torch.baddbmm(x[:, 1::2], z, Wr.expand(len(x), -1, -1)), z=z).values()


# -- beating the lecture ---------------------------------------------------------------


@cache
def _counts(start, step):
    """Return models of eight characters: one counts the training names, one all others."""
    train, dev, test = split_words(challenge.names())
    parts = train, dev + test
    return [CountingModel(9, vocabulary=LETTERS).fit(part[start::step]) for part in parts]


def _good(X, share=0.64, start=0, step=1):
    """Return the logits of a model whose loss is just below the bar.

    To train one takes minutes. This one stands in for it: like an honest one, it does as well on
    the names in dev as on those in test, and better on the training names.
    """
    keys = (X * 27 ** torch.arange(7, -1, -1)).sum(1)
    of_train, of_others = (
        model.log_probabilities(keys).float().exp() for model in _counts(start, step)
    )
    for probabilities in (of_train, of_others):
        probabilities[probabilities.sum(1) == 0] = 1 / 27  # a context that it does not know
    probabilities = 0.7 * of_train + 0.3 * of_others
    return (share * probabilities + (1 - share) / 27).log()


def _first(X):
    """Know one half of the names, and not enough alone."""
    return _good(X, 0.88, 0, 2)


def _second(X):
    return _good(X, 0.88, 1, 2)


def beat_the_lecture__log_probabilities(X):
    return _good(X)


def beat_the_lecture__in_another_dtype(X):
    return _good(X).double()


def beat_the_lecture__as_an_array(X):
    return _good(X).numpy()


def beat_the_lecture__two_networks(X):
    probabilities = [net(X).softmax(1) for net in (_first, _second)]
    return torch.stack(probabilities).mean(0).log()


def beat_the_lecture__in_a_module(X):
    module = nn.Dropout(0.5)
    module.eval()
    return module(_good(X))
