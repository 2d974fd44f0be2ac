"""Right answers to the exercises of chapter 5, as readers may write them."""

import numpy as np
import torch
import torch.nn.functional as F

from zerotohero.backprop import BatchNormMLP, fused, steps

# -- back to the shape of the value ----------------------------------------------------


def unbroadcast__sum_to_size(grad, shape):
    return grad.sum_to_size(shape)


def unbroadcast__all_at_once(grad, shape):
    missing = grad.ndim - len(shape)
    dims = [i for i in range(grad.ndim) if i < missing or shape[i - missing] == 1]
    return grad.sum(dims).reshape(shape) if dims else grad


def unbroadcast__from_the_right(grad, shape):
    for i in range(1, grad.ndim + 1):
        if i > len(shape) or shape[-i] != grad.shape[-i]:
            grad = grad.sum(-i, keepdim=True)
    return grad.reshape(shape)


def unbroadcast__numpy_lists(grad, shape):
    missing = grad.ndim - len(shape)
    axes = tuple(range(missing))
    axes += tuple(i + missing for i, size in enumerate(shape) if size < grad.shape[i + missing])
    return np.asarray(grad).sum(axis=axes).reshape(shape).tolist()


def unbroadcast__copy_by_copy(grad, shape):
    """Add each entry to that of which it is a copy."""
    source = torch.arange(torch.Size(shape).numel()).view(shape).expand(grad.shape)
    total = torch.zeros(torch.Size(shape).numel(), dtype=torch.float64)
    total.index_add_(0, source.flatten(), grad.double().flatten())
    return total.view(shape)


# -- every line ------------------------------------------------------------------------


class lines__other_words:
    def logprobs(v, d):
        return -F.one_hot(v.Y, 27) / len(v.Y)

    def probs(v, d):
        return v.probs**-1 * d.logprobs

    def counts_sum_inv(v, d):
        return torch.einsum("nc,nc->n", d.probs, v.counts)[:, None]

    def counts_sum(v, d):
        return -d.counts_sum_inv * v.counts_sum_inv**2

    def counts(v, d):
        return d.counts_sum + d.probs / v.counts_sum

    def norm_logits(v, d):
        gradient = d.counts.clone()
        gradient *= v.norm_logits.exp()
        return gradient

    def logit_maxes(v, d):
        return (-d.norm_logits).sum(dim=1).unsqueeze(1)

    def logits(v, d):
        return d.norm_logits + F.one_hot(v.logits.max(1).indices, 27) * d.logit_maxes

    def h(v, d):
        return torch.einsum("nc,hc->nh", d.logits, v.W2)

    def W2(v, d):
        return (d.logits.T @ v.h).T

    def b2(v, d):
        return torch.ones(len(v.Y)) @ d.logits

    def hpreact(v, d):
        return d.h - d.h * v.h * v.h

    def bngain(v, d):
        return torch.einsum("nh,nh->h", d.hpreact, v.bnraw)[None]

    def bnbias(v, d):
        return d.hpreact.sum(0)[None]

    def bnraw(v, d):
        return v.bngain * d.hpreact

    def bnvar_inv(v, d):
        return d.bnraw.mul(v.hprebn - v.bnmeani).sum(0, keepdim=True)

    def bnvar(v, d):
        return d.bnvar_inv * (-0.5) * v.bnvar_inv**3

    def bndiff2(v, d):
        return torch.ones_like(v.bndiff2) / (len(v.Y) - 1) * d.bnvar

    def bndiff(v, d):
        return v.bnvar_inv * d.bnraw + d.bndiff2 * v.bndiff + v.bndiff * d.bndiff2

    def bnmeani(v, d):
        return d.bndiff.sum(0, keepdim=True).neg()

    def hprebn(v, d):
        return d.bndiff.add(d.bnmeani, alpha=1 / v.n)

    def embcat(v, d):
        return (v.W1 @ d.hprebn.T).T

    def W1(v, d):
        return torch.einsum("ne,nh->eh", v.embcat, d.hprebn)

    def b1(v, d):
        return np.asarray(d.hprebn).sum(0)

    def emb(v, d):
        return torch.stack(d.embcat.split(v.C.shape[1], dim=1), 1)

    def C(v, d):
        rows = F.one_hot(v.X.flatten(), len(v.C)).float()
        return rows.T @ d.emb.reshape(len(rows), -1)


class lines__loops(lines__other_words):
    def logprobs(v, d):
        gradient = torch.zeros(v.logprobs.shape)
        for i, y in enumerate(v.Y):
            gradient[i, y] = -1 / v.n
        return gradient

    def logits(v, d):
        gradient = d.norm_logits.clone()
        for i, row in enumerate(v.logits):
            gradient[i, row.argmax()] += d.logit_maxes[i, 0]
        return gradient

    def b2(v, d):
        return sum(d.logits)

    def hprebn(v, d):
        return [row + d.bnmeani[0] / v.n for row in d.bndiff]

    def C(v, d):
        gradient = torch.zeros_like(v.C)
        for i, context in enumerate(v.X):
            for j, ix in enumerate(context):
                gradient[ix] += d.emb[i, j]
        return gradient


class lines__double(lines__other_words):
    def logprobs(v, d):
        gradient = np.zeros((v.n, 27))
        gradient[np.arange(v.n), v.Y] = -1 / v.n
        return gradient

    def counts_sum_inv(v, d):
        return (d.probs.double() * v.counts).sum(1, keepdim=True)

    def hpreact(v, d):
        return (d.h * (1 - torch.tanh(v.hpreact) ** 2)).numpy()

    def bnvar(v, d):
        return -(v.bnvar.double() + 1e-5).pow(-3 / 2) / 2 * d.bnvar_inv

    def emb(v, d):
        return d.embcat.reshape(len(v.X), 3, -1).tolist()

    def C(v, d):
        gradient = np.zeros(v.C.shape)
        np.add.at(gradient, v.X, d.emb)
        return gradient


# -- cross-entropy ---------------------------------------------------------------------


def cross_entropy__in_place(logits, Y):
    d = F.softmax(logits, 1)
    d[range(len(Y)), Y] -= 1
    d /= len(Y)
    return d


def cross_entropy__exponentials(logits, Y):
    counts = (logits - logits.max(1, keepdim=True).values).exp()
    p = counts / counts.sum(1, keepdim=True)
    return (p - torch.eye(logits.shape[1])[Y]) / len(Y)


def cross_entropy__numpy(logits, Y):
    z, y = np.asarray(logits), np.asarray(Y)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    return p / len(y)


def cross_entropy__lists(logits, Y):
    rows = []
    for z, y in zip(logits, Y):
        row = (z - z.logsumexp(0)).exp().tolist()
        row[y] -= 1
        rows.append([x / len(logits) for x in row])
    return rows


def cross_entropy__scattered(logits, Y):
    n = logits.shape[0]
    pull = torch.full((n, 1), -1 / n, dtype=torch.float64)
    return (logits.double().log_softmax(1).exp() / n).scatter_add(1, Y[:, None], pull)


# -- batch normalization ---------------------------------------------------------------


def batchnorm__as_in_the_lecture(dhpreact, bngain, bnraw, bnvar_inv):
    n = dhpreact.shape[0]
    third = n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0)
    return bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - third)


def batchnorm__by_lines(dhpreact, bngain, bnraw, bnvar_inv):
    n, dbnraw, bndiff = len(bnraw), dhpreact * bngain, bnraw / bnvar_inv
    dbnvar = -0.5 * bnvar_inv**3 * (dbnraw * bndiff).sum(0, keepdim=True)
    dbndiff = dbnraw * bnvar_inv + 2 / (n - 1) * bndiff * dbnvar
    return dbndiff - dbndiff.mean(0)


def batchnorm__numpy(dhpreact, bngain, bnraw, bnvar_inv):
    d, gain, r, s = map(np.asarray, (dhpreact, bngain, bnraw, bnvar_inv))
    along = np.einsum("nh,nh->h", d, r) / (len(d) - 1)
    return gain * s * (d - d.mean(axis=0) - r * along)


def batchnorm__neuron_by_neuron(dhpreact, bngain, bnraw, bnvar_inv):
    columns = []
    for j in range(dhpreact.shape[1]):
        d, r = dhpreact[:, j], bnraw[:, j]
        d = d - d.mean()
        columns.append(bngain[0, j] * bnvar_inv[0, j] * (d - r * (d @ r) / (len(d) - 1)))
    return torch.stack(columns, dim=1)


def batchnorm__matrices(dhpreact, bngain, bnraw, bnvar_inv):
    """One matrix for each neuron: the derivatives of all its outputs by all its inputs."""
    n, r = len(bnraw), bnraw.T
    jacobian = torch.eye(n) - 1 / n - r[:, :, None] * r[:, None, :] / (n - 1)
    return bngain * bnvar_inv * torch.einsum("hij,jh->ih", jacobian, dhpreact)


# -- all gradients ---------------------------------------------------------------------


def cross_entropy(logits, Y):
    """As the page's answer: `gradients` of the page calls it."""
    return (logits.softmax(1) - F.one_hot(Y, logits.shape[1])) / len(Y)


def batchnorm(dhpreact, bngain, bnraw, bnvar_inv):
    """As the page's answer: `gradients` of the page calls it."""
    n = len(dhpreact)
    along = (dhpreact * bnraw).sum(0, keepdim=True) / (n - 1)
    return bngain * bnvar_inv * (dhpreact - dhpreact.mean(0, keepdim=True) - bnraw * along)


def gradients__whole(p, X, Y):
    n = len(X)
    embcat = torch.cat([p.C[X[:, j]] for j in range(X.shape[1])], 1)
    pre = embcat @ p.W1 + p.b1
    std = (pre.var(0) + 1e-5).sqrt()
    raw = (pre - pre.mean(0)) / std
    h = torch.tanh(p.bngain * raw + p.bnbias)
    dlogits = F.softmax(h @ p.W2 + p.b2, 1)
    dlogits[torch.arange(n), Y] -= 1
    dlogits = dlogits / n
    da = dlogits @ p.W2.T * (1 - h.square())
    draw = da * p.bngain
    dpre = (draw - draw.mean(0) - raw * (draw * raw).sum(0) / (n - 1)) / std
    demb = (dpre @ p.W1.T).view(*X.shape, -1)
    return {
        "b2": dlogits.sum(0),
        "C": torch.zeros_like(p.C).index_put_((X,), demb, accumulate=True),
        "W1": embcat.T @ dpre,
        "b1": torch.zeros_like(p.b1),
        "W2": h.T @ dlogits,
        "bngain": (da * raw).sum(0)[None],
        "bnbias": da.sum(0)[None],
    }


def gradients__package(p, X, Y):
    model = BatchNormMLP(torch.Generator())
    vars(model).update(vars(p))
    d = fused.backward(fused.forward(model, X, Y))
    return {name: getattr(d, name) for name in vars(p)}


def gradients__steps(p, X, Y):
    model = BatchNormMLP(torch.Generator())
    for name, value in vars(p).items():
        setattr(model, name, value.double())
    d = steps.backward(steps.forward(model, X, Y))
    return {name: getattr(d, name) for name in vars(p)}


def gradients__numpy(p, X, Y):
    C, W1, b1, W2, b2, gain, bias = (
        np.asarray(t) for t in (p.C, p.W1, p.b1, p.W2, p.b2, p.bngain, p.bnbias)
    )
    n, x, y = len(X), np.asarray(X), np.asarray(Y)
    embcat = C[x].reshape(n, -1)
    pre = embcat @ W1 + b1
    inv = 1 / np.sqrt(pre.var(axis=0, ddof=1) + 1e-5)
    raw = (pre - pre.mean(axis=0)) * inv
    h = np.tanh(gain * raw + bias)
    logits = h @ W2 + b2
    counts = np.exp(logits)
    dlogits = (counts / counts.sum(axis=1, keepdims=True) - np.eye(len(b2))[y]) / n
    da = (dlogits @ W2.T) * (1 - h**2)
    dpre = gain * inv * (da - da.mean(axis=0) - raw * (da * raw).sum(axis=0) / (n - 1))
    dC = np.zeros_like(C)
    np.add.at(dC, x, (dpre @ W1.T).reshape(*x.shape, -1))
    return dict(
        C=dC,
        W1=embcat.T @ dpre,
        b1=dpre.sum(axis=0),
        W2=h.T @ dlogits,
        b2=dlogits.sum(axis=0),
        bngain=(da * raw).sum(axis=0, keepdims=True),
        bnbias=da.sum(axis=0, keepdims=True),
    )


# -- layer normalization ---------------------------------------------------------------


def layernorm__sums(dy, gain, raw, var_inv):
    H = dy.shape[1]
    d = gain * dy
    second, third = d.sum(1, keepdim=True), (d * raw).sum(1, keepdim=True)
    return var_inv / H * (H * d - second - raw * third)


def layernorm__row_by_row(dy, gain, raw, var_inv):
    for d, r, s in zip(dy * gain, raw, var_inv):
        yield s * (d - d.mean() - r * (d @ r) / len(r))


def layernorm__numpy(dy, gain, raw, var_inv):
    d, r = np.asarray(dy * gain), np.asarray(raw)
    along = np.mean(d * r, axis=1, keepdims=True)
    return ((d - d.mean(axis=1, keepdims=True) - r * along) * np.asarray(var_inv)).tolist()


def layernorm__by_lines(dy, gain, raw, var_inv):
    H, draw, diff = len(gain), dy * gain, raw / var_inv
    dvar = -0.5 * var_inv**3 * (draw * diff).sum(1, keepdim=True)
    ddiff = draw * var_inv + 2 / H * diff * dvar
    return ddiff - ddiff.mean(1, keepdim=True)


def layernorm__turned(dy, gain, raw, var_inv):
    """The expression of BatchNorm, on its side: population variance, and the gain before it."""
    d, r = (dy * gain).T, raw.T
    return (var_inv.T * (d - d.mean(0) - r * (d * r).mean(0))).T
