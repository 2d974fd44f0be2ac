"""Right answers to the exercises of chapter 4, in other words than the page's."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F

from zerotohero.layers import Linear

# -- 4.1: BatchNorm, the forward pass --------------------------------------------------


def normalize__with_var(x, gamma, beta, eps):
    mean = x.mean(dim=0, keepdim=True)
    var = x.var(dim=0, keepdim=True, correction=0)
    xhat = (x - mean) / (var + eps) ** 0.5
    return xhat * gamma + beta


def normalize__in_numpy(x, gamma, beta, eps):
    a, g, b = (t.numpy().astype(float) for t in (x, gamma, beta))
    var = (a**2).mean(0) - a.mean(0) ** 2
    return g * (a - a.mean(0)) / np.sqrt(var + eps) + b


def normalize__number_by_number(x, gamma, beta, eps):
    columns = []
    for values, g, b in zip(x.T.tolist(), gamma.tolist(), beta.tolist()):
        mu = sum(values) / len(values)
        var = sum((value - mu) ** 2 for value in values) / len(values)
        columns.append([g * (value - mu) / math.sqrt(var + eps) + b for value in values])
    return [list(row) for row in zip(*columns)]


def normalize__scale_and_shift(x, gamma, beta, eps):
    var, mean = torch.var_mean(x.double(), 0, correction=0)
    a = gamma * torch.rsqrt(var + eps)
    return a * x + (beta - a * mean)


def normalize__scale_and_shift_in_float32(x, gamma, beta, eps):
    mean = x.mean(0)
    scale = gamma / torch.sqrt((x - mean).square().mean(0) + eps)
    return x * scale + (beta - mean * scale)


def normalize__row_by_row(x, gamma, beta, eps):
    deviations = x - x.sum(0) / len(x)
    var = torch.einsum("ij,ij->j", deviations, deviations) / len(x)
    for row in deviations:
        yield torch.addcmul(beta, gamma, row / torch.sqrt(var + eps))


def normalize__of_the_other_variance(x, gamma, beta, eps):
    n = x.shape[0]
    var = x.var(0) * (n - 1) / n
    out = x - x.mean(0)
    out /= torch.sqrt(var + eps)
    out *= gamma
    out += beta
    return out.requires_grad_()


# -- 4.2: the running averages ---------------------------------------------------------


def running__with_sums(running_mean, running_var, x, momentum):
    n, share = len(x), 1 - momentum
    new = x.sum(0) / n
    unbiased = ((x - new) ** 2).sum(0) / (n - 1)
    return share * running_mean + momentum * new, share * running_var + momentum * unbiased


def running__a_step_toward(running_mean, running_var, x, momentum):
    return (
        running_mean.lerp(x.mean(0), momentum),
        running_var + momentum * (x.var(0) - running_var),
    )


def running__on_copies(running_mean, running_var, x, momentum):
    running_mean, running_var = running_mean.clone(), running_var.clone()
    running_mean += momentum * (x.mean(0) - running_mean)
    running_var.mul_(1 - momentum).add_(momentum * x.var(0))
    return [running_mean.tolist(), running_var.numpy()]


def running__one_after_the_other(running_mean, running_var, x, momentum):
    for old, new in ((running_mean, x.mean(0)), (running_var, x.var(0))):
        yield (1 - momentum) * old + momentum * new


def running__both_at_once(running_mean, running_var, x, momentum):
    old = torch.stack([running_mean, running_var]).double()
    new = torch.stack([x.mean(0), x.std(0) ** 2])
    return old * (1 - momentum) + new * momentum


def running__in_numpy(running_mean, running_var, x, momentum):
    a = x.numpy().astype(float)
    new = a.mean(0), a.var(0, ddof=1)
    old = running_mean.numpy(), running_var.numpy()
    return tuple((1 - momentum) * r + momentum * v for r, v in zip(old, new))


# -- 4.3: all zeros --------------------------------------------------------------------


def zero_start__by_counting(X, Y):
    targets = Y.tolist()
    return {
        "b2": [1 / 27 - targets.count(c) / len(targets) for c in range(27)],
        "W2": [[0] * 27 for _ in range(200)],
        "b1": [0.0] * 200,
        "W1": np.zeros((30, 200)),
        "C": torch.zeros(27, 10),
    }


def zero_start__with_bincount(X, Y):
    shapes = {"C": (27, 10), "W1": (30, 200), "b1": 200, "W2": (200, 27)}
    grads = {name: torch.zeros(shape) for name, shape in shapes.items()}
    counts = torch.bincount(Y, minlength=27)
    grads["b2"] = 1 / 27 - counts / counts.sum()
    return grads


def zero_start__with_softmax(X, Y):
    dlogits = F.softmax(torch.zeros(len(Y), 27), dim=1)
    dlogits[torch.arange(len(Y)), Y] -= 1
    dlogits /= len(Y)
    h = torch.zeros(len(Y), 200)
    return dict(
        C=torch.zeros(27, 10),
        W1=torch.zeros(30, 200),
        b1=torch.zeros(200),
        W2=h.T @ dlogits,
        b2=dlogits.sum(0),
    )


def zero_start__in_numpy(X, Y):
    dlogits = (1 / 27 - np.eye(27)[Y.numpy()]) / len(Y)
    C, W1, b1, W2 = (np.zeros(shape) for shape in ((27, 10), (30, 200), 200, (200, 27)))
    return {"C": C, "W1": W1, "b1": b1, "W2": W2, "b2": dlogits.sum(axis=0)}


# -- 4.4: which zeros are too many? ----------------------------------------------------


def learns__three_cases(nonzero):
    if {"C", "W1"} <= nonzero:
        return True
    if "C" in nonzero or "W1" in nonzero:
        return "W2" in nonzero or "b1" in nonzero
    return False


def learns__step_by_step(nonzero):
    alive = nonzero
    for step in range(3):
        more = set(alive)
        if "b1" in alive or {"C", "W1"} <= alive:
            more.add("W2")
        if {"C", "W2"} <= alive:
            more.add("W1")
        if {"W1", "W2"} <= alive:
            more.add("C")
        alive = more
    return {"C", "W1", "W2"} <= alive


def learns__with_zeros_and_ones(nonzero):
    c, w1, w2, b1 = (int(name in nonzero) for name in ("C", "W1", "W2", "b1"))
    return c & w1 | (c | w1) & (w2 | b1)


def learns__with_numpy(nonzero):
    has = np.isin(["C", "W1", "W2", "b1"], list(nonzero))
    return np.sum([has[0], has[1], has[2:].any()]) > 1


def learns__with_a_tensor(nonzero):
    three = torch.tensor(["C" in nonzero, "W1" in nonzero, not nonzero.isdisjoint({"b1", "W2"})])
    return three.sum() >= 2


def learns__a_list_of_the_smallest(nonzero):
    enough = ("C", "W1"), ("C", "W2"), ("C", "b1"), ("W1", "W2"), ("W1", "b1")
    return any(nonzero.issuperset(pair) for pair in enough)


# -- 4.5: a gain for any nonlinearity --------------------------------------------------


def gain__with_numpy(f, z):
    return 1 / np.sqrt(np.mean(f(z).numpy().astype(float) ** 2))


def gain__with_a_norm(f, z):
    return math.sqrt(len(z)) / f(z).norm().item()


def gain__before_and_after(f, z):
    return (z.square().mean() / f(z).square().mean()).sqrt()


def gain__number_by_number(f, z):
    total = 0.0
    for value in f(z).tolist():
        total += value * value
    return (total / len(z)) ** -0.5


def gain__of_numbers_of_its_own(f, z):
    own = torch.randn(200_000)
    return f(own).square().mean().item() ** -0.5


def gain__by_integration(f, z):
    x = torch.linspace(-8, 8, 10_001)
    density = torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
    return torch.trapezoid(f(x).square() * density, x).rsqrt()[None]


# -- 4.6: folding BatchNorm away -------------------------------------------------------


def fold__without_a_case(linear, bn):
    b = torch.zeros(bn.dim) if linear.bias is None else linear.bias
    scale = bn.gamma * (bn.running_var + bn.eps).rsqrt()
    new = Linear(len(linear.weight), bn.dim)
    new.weight.copy_(torch.einsum("io,o->io", linear.weight, scale))
    new.bias.copy_(bn.beta + scale * (b - bn.running_mean))
    return new


def fold__by_probing(linear, bn):
    fan_in, fan_out = linear.weight.shape
    new = Linear(fan_in, fan_out)
    new.bias = bn(linear(torch.zeros(1, fan_in)))[0]
    new.weight = bn(linear(torch.eye(fan_in))) - new.bias
    return new


def fold__by_torch(linear, bn):
    weight, bias = torch.nn.utils.fusion.fuse_linear_bn_weights(
        linear.weight.T.contiguous(),
        linear.bias,
        bn.running_mean,
        bn.running_var,
        bn.eps,
        bn.gamma,
        bn.beta,
    )
    new = Linear(*linear.weight.shape)
    new.weight, new.bias = weight.T, bias
    return new


def fold__a_copy(linear, bn):
    new = copy.deepcopy(linear)
    a = bn.gamma / torch.sqrt(bn.running_var + bn.eps)
    new.weight *= a
    new.bias = bn.beta - bn.running_mean * a
    if linear.bias is not None:
        new.bias += linear.bias * a
    return new


def fold__in_double(linear, bn):
    std = (bn.running_var.double() + bn.eps).sqrt()
    new = Linear(*linear.weight.shape)
    new.weight = (linear.weight.double() / std * bn.gamma).float().requires_grad_()
    shift = -bn.running_mean if linear.bias is None else linear.bias - bn.running_mean
    new.bias = (bn.beta + shift / std * bn.gamma).float()
    return new


class fold__a_class_of_its_own(Linear):
    def __init__(self, linear, bn):
        super().__init__(*linear.weight.shape)
        for j in range(bn.dim):
            a = bn.gamma[j] / math.sqrt(bn.running_var[j] + bn.eps)
            b = 0.0 if linear.bias is None else linear.bias[j]
            self.weight[:, j] = a * linear.weight[:, j]
            self.bias[j] = a * (b - bn.running_mean[j]) + bn.beta[j]


# -- 4.7: GroupNorm --------------------------------------------------------------------


def groupnorm__with_view(x, num_groups, gamma, beta, eps):
    groups = x.view(*x.shape[:-1], num_groups, x.shape[-1] // num_groups)
    centered = groups - groups.mean(-1, keepdim=True)
    var = centered.square().mean(-1, keepdim=True)
    return (centered / torch.sqrt(var + eps)).view(x.shape) * gamma + beta


def groupnorm__all_split(x, num_groups, gamma, beta, eps):
    x, gamma, beta = (t.unflatten(-1, (num_groups, -1)) for t in (x, gamma, beta))
    var, mean = torch.var_mean(x, -1, keepdim=True, correction=0)
    return (gamma * (x - mean) * (var + eps).rsqrt() + beta).flatten(-2)


def groupnorm__chunk_by_chunk(x, num_groups, gamma, beta, eps):
    parts = []
    for part in x.chunk(num_groups, dim=-1):
        mean = part.mean(dim=-1, keepdim=True)
        var = part.var(dim=-1, keepdim=True, unbiased=False)
        parts.append((part - mean) / torch.sqrt(var + eps))
    return gamma * torch.cat(parts, dim=-1) + beta


def groupnorm__slice_by_slice(x, num_groups, gamma, beta, eps):
    out = x.double()
    size = len(gamma) // num_groups
    for start in range(0, len(gamma), size):
        part = out[..., start : start + size]
        part -= part.mean(-1, keepdim=True)
        part /= (part.square().mean(-1, keepdim=True) + eps).sqrt()
    return (out * gamma + beta).tolist()


def groupnorm__in_numpy(x, num_groups, gamma, beta, eps):
    a = x.numpy().astype(float).reshape(-1, num_groups, len(gamma) // num_groups)
    mean, var = a.mean(2, keepdims=True), a.var(2, keepdims=True)
    xhat = (a - mean) / np.sqrt(var + eps)
    return xhat.reshape(x.shape) * gamma.numpy() + beta.numpy()


def groupnorm__by_recursion(x, num_groups, gamma, beta, eps):
    def normalized(features):
        if features.ndim > 1:
            return torch.stack([normalized(part) for part in features])
        groups = features.split(len(gamma) // num_groups)
        return torch.cat([(g - g.mean()) / (g.var(correction=0) + eps).sqrt() for g in groups])

    return normalized(x) * gamma + beta
