"""Right answers to the exercises of chapter 2, as readers may write them."""

import math
import random
from collections import Counter
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F

from zerotohero.bigrams import CHARACTERS, CountingModel, V, build_contexts, ngrams

stoi = {ch: i for i, ch in enumerate(CHARACTERS)}  # of the page
characters = CHARACTERS


# -- probabilities from counts ----------------------------------------------------------


def normalize_rows__turned(counts):
    return (counts.T / counts.sum(1)).T


def normalize_rows__new_axis(counts):
    return counts / counts.sum(dim=1)[:, None]


def normalize_rows__numpy(counts):
    table = counts.numpy().astype(np.float64)
    return table / table.sum(axis=1, keepdims=True)


def normalize_rows__lists(counts):
    rows = []
    for row in counts.tolist():
        total = sum(row)
        rows.append([n / total for n in row])
    return rows


def normalize_rows__copy_changed(counts):
    P = counts.clone().float()
    for i in range(len(P)):
        P[i] /= P[i].sum()
    return P


def normalize_rows__einsum(counts):
    return torch.einsum("ij,i->ij", counts.double(), 1 / counts.double().sum(1))


def normalize_rows__f_normalize(counts):
    return F.normalize(counts.double(), p=1, dim=1)


def normalize_rows__rows_stacked(counts):
    return [row / row.sum() for row in counts]


def normalize_rows__expanded(counts):
    sums = counts.sum(1).unsqueeze(1).expand(counts.shape[0], counts.shape[1])
    return torch.true_divide(counts, sums)


def normalize_rows__fractions(counts):
    return [[float(Fraction(int(n), int(sum(row)))) for n in row] for row in counts]


def normalize_rows__generator(counts):
    for row in counts.numpy():
        yield tuple(row / row.sum())


# -- trigrams -----------------------------------------------------------------------------


def trigram_counts__bincount(words):
    contexts, targets = ngrams(words, 3)
    return torch.bincount(contexts * 27 + targets, minlength=27**3).view(27, 27, 27)


def trigram_counts__numpy_add_at(words):
    table = np.zeros((27, 27, 27))
    for word in words:
        ids = [0, 0, *(ord(letter) - ord("a") + 1 for letter in word), 0]
        np.add.at(table, (ids[:-2], ids[1:-1], ids[2:]), 1)
    return table


def trigram_counts__lists(words):
    found = Counter(t for word in words for t in zip(f"..{word}", f".{word}.", f"{word}."))
    return [[[found[a, b, c] for c in CHARACTERS] for b in CHARACTERS] for a in CHARACTERS]


def trigram_counts__index_put(words):
    X, Y = build_contexts(words, 2)
    T = torch.zeros(27, 27, 27)
    T.index_put_((X[:, 0], X[:, 1], Y), torch.ones(len(Y)), accumulate=True)
    return T


def trigram_counts__sliding(words):
    T = torch.zeros((V, V, V), dtype=torch.float64)
    for word in words:
        i = j = 0
        for letter in word + ".":
            k = CHARACTERS.index(letter)
            T[i, j, k] = T[i, j, k] + 1
            i, j = j, k
    return T


def trigram_counts__dictionary(words):
    counts = {}
    for w in words:
        w = [".", "."] + list(w) + ["."]
        for i in range(len(w) - 2):
            key = (w[i], w[i + 1], w[i + 2])
            counts[key] = counts.get(key, 0) + 1
    T = np.zeros((27, 27, 27), dtype=np.int32)
    for (a, b, c), n in counts.items():
        T[stoi[a], stoi[b], stoi[c]] = n
    return T


def trigram_counts__flat(words):
    flat = [0] * 27**3
    for word in words:
        ids = [0, 0] + [stoi[c] for c in word] + [0]
        for n in range(2, len(ids)):
            flat[(ids[n - 2] * 27 + ids[n - 1]) * 27 + ids[n]] += 1
    return torch.tensor(flat).reshape(27, 27, 27)


# -- train, dev, test -----------------------------------------------------------------------


def split__sample(words, seed):
    mixed = random.Random(seed).sample(words, len(words))
    first = 8 * len(words) // 10
    second = 9 * len(words) // 10
    return [mixed[:first], mixed[first:second], mixed[second:]]


def split__numpy(words, seed):
    mixed = np.random.default_rng(seed).permutation(words)
    return np.split(mixed, [round(len(words) * 0.8), round(len(words) * 0.9)])


def split__randperm(words, seed):
    order = torch.randperm(len(words), generator=torch.Generator().manual_seed(seed))
    tenth = len(words) // 10
    sizes = [len(words) - 2 * tenth, tenth, tenth]
    return tuple([words[i] for i in part] for part in order.split(sizes))


def split__indices(words, seed):
    order = list(range(len(words)))
    random.Random(seed).shuffle(order)
    a = int(len(words) * 0.8)
    b = a + int(len(words) * 0.1)
    for part in (order[:a], order[a:b], order[b:]):
        yield [words[i] for i in part]


def split__tenths(words, seed):
    s = list(words)
    random.Random(seed).shuffle(s)
    n = len(s) // 10
    return s[: 8 * n], s[8 * n : 9 * n], s[9 * n :]


def split__popping(words, seed):
    left = sorted(words)
    random.Random(seed).shuffle(left)
    dev = [left.pop() for _ in range(len(words) // 10)]
    test = [left.pop() for _ in range(len(words) // 10)]
    return left, dev, test


# -- smoothing ------------------------------------------------------------------------------


def best_smoothing__own_counting(train, dev, candidates):
    pairs, triples = Counter(), Counter()
    for word in train:
        text = ".." + word + "."
        for a, b, c in zip(text, text[1:], text[2:]):
            pairs[a, b] += 1
            triples[a, b, c] += 1
    best, lowest = None, math.inf
    for k in candidates:
        loss = 0.0
        for word in dev:
            text = ".." + word + "."
            for a, b, c in zip(text, text[1:], text[2:]):
                loss -= math.log((triples[a, b, c] + k) / (pairs[a, b] + 27 * k))
        if loss < lowest:
            best, lowest = k, loss
    return best


def best_smoothing__own_table(train, dev, candidates):
    N = torch.zeros(27, 27, 27)
    for word in train:
        for a, b, c in zip(".." + word, "." + word + ".", word + "."):
            N[stoi[a], stoi[b], stoi[c]] += 1
    X, Y = build_contexts(dev, 2)
    losses = []
    for k in candidates:
        P = N + k
        P = P / P.sum(2, keepdim=True)
        losses.append(-P[X[:, 0], X[:, 1], Y].log().mean())
    return torch.tensor(candidates)[torch.stack(losses).argmin()]


def best_smoothing__argmin(train, dev, candidates):
    losses = [CountingModel(3, smoothing=k).fit(train).nll(dev) for k in candidates]
    return np.array(candidates)[np.argmin(losses)]


def best_smoothing__dictionary(train, dev, candidates):
    losses = {}
    for k in candidates:
        model = CountingModel(order=3, smoothing=k)
        model.fit(train)
        losses[k] = model.nll(dev)
    return min(losses, key=losses.get)


def best_smoothing__sorted(train, dev, candidates):
    return sorted((CountingModel(3, k).fit(train).nll(dev), k) for k in candidates)[0][1]


# -- rows instead of one-hot vectors ------------------------------------------------------------


def logits_by_row__list_of_rows(W, xs):
    return [W[x] for x in xs]


def logits_by_row__stack(W, xs):
    rows = []
    for x in xs.tolist():
        rows.append(W[x])
    return torch.stack(rows)


def logits_by_row__embedding(W, xs):
    return F.embedding(xs, W)


def logits_by_row__index_select(W, xs):
    return W.index_select(0, xs)


def logits_by_row__gather(W, xs):
    return W.gather(0, xs[:, None].expand(len(xs), W.shape[1]))


def logits_by_row__flat(W, xs):
    columns = W.shape[1]
    return W.reshape(-1)[xs[:, None] * columns + torch.arange(columns)]


def logits_by_row__entries(W, xs):
    return tuple(tuple(W[x, j] for j in range(W.shape[1])) for x in xs)


def logits_by_row__rows_in_order(W, xs):
    rows = list(W)
    for x in xs:
        yield rows[x]


def logits_by_row__mapped(W, xs):
    return torch.vmap(lambda x: W.index_select(0, x[None])[0])(xs)


# -- cross-entropy --------------------------------------------------------------------------------


def cross_entropy__logsumexp(logits, ys):
    return (logits.logsumexp(1) - logits[torch.arange(len(ys)), ys]).mean()


def cross_entropy__log_softmax(logits, ys):
    return -F.log_softmax(logits, dim=1)[range(len(ys)), ys].mean()


def cross_entropy__gather(logits, ys):
    top = logits.amax(1, keepdim=True)
    log_sum = (logits - top).exp().sum(1, keepdim=True).log() + top
    return (log_sum - logits.gather(1, ys[:, None])).mean()


def cross_entropy__loop(logits, ys):
    total = 0
    for row, y in zip(logits, ys):
        top = row.max().item()
        total = total + top + (row - top).exp().sum().log() - row[y]
    return total / len(ys)


def cross_entropy__mask(logits, ys):
    z = logits - logits.max(dim=1, keepdim=True)[0].detach()
    log_p = z - z.exp().sum(dim=1, keepdim=True).log()
    mask = ys[:, None] == torch.arange(logits.shape[1])
    return -log_p[mask].sum() / len(logits)


def cross_entropy__differences(logits, ys):
    d = logits - logits[torch.arange(len(ys)), ys][:, None]
    top = d.max(1).values
    return (top + torch.log(torch.exp(d - top[:, None]).sum(1))).mean()


def cross_entropy__einsum(logits, ys):
    log_p = torch.log_softmax(logits.double(), 1)
    right = torch.eye(logits.shape[1], dtype=torch.float64)[ys]
    return -torch.einsum("nc,nc->", log_p, right) / logits.shape[0]


def cross_entropy__distribution(logits, ys):
    return -torch.distributions.Categorical(logits=logits).log_prob(ys).mean()
