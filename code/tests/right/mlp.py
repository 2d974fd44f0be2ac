"""Right answers to the exercises of chapter 3."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F

from zerotohero.bigrams import CHARACTERS, CountingModel, V, context_codes
from zerotohero.check.mlp import networks
from zerotohero.mlp import MLP, build_contexts, split_words

stoi = {ch: i for i, ch in enumerate(CHARACTERS)}

# -- contexts --------------------------------------------------------------------------


def contexts__as_the_lecture(words, block_size):
    X, Y = [], []
    for word in words:
        context = [0] * block_size
        for ch in word + ".":
            ix = stoi[ch]
            X.append(context)
            Y.append(ix)
            context = context[1:] + [ix]
    return X, Y


def contexts__list_of_tensors(words, block_size):
    X, Y = [], []
    for word in words:
        context = torch.zeros(block_size, dtype=torch.int32)
        for ch in word + ".":
            X.append(context)
            Y.append(torch.tensor([stoi[ch]]))
            context = torch.cat([context[1:], Y[-1]])
    return X, torch.cat(Y)


def contexts__with_arrays(words, block_size):
    X, Y = [], []
    for word in words:
        ids = np.array([0] * block_size + [ord(ch) - ord("a") + 1 for ch in word] + [0])
        X.append(np.lib.stride_tricks.sliding_window_view(ids, block_size)[:-1])
        Y.append(ids[block_size:])
    return [np.concatenate(X), np.concatenate(Y)]


def contexts__tuples(words, block_size):
    texts = ["." * block_size + word + "." for word in words]
    pairs = [(t[i - block_size : i], t[i]) for t in texts for i in range(block_size, len(t))]
    X = tuple(tuple(CHARACTERS.index(ch) for ch in context) for context, _ in pairs)
    return X, tuple(CHARACTERS.index(target) for _, target in pairs)


def contexts__floats(words, block_size):
    X, Y = [], []
    for word in words:
        ids = [0.0] * block_size
        for ch in [*word, "."]:
            X.append(ids[-block_size:])
            Y.append(float(CHARACTERS.find(ch)))
            ids.append(Y[-1])
    return torch.tensor(X), torch.tensor(Y)


def contexts__generator(words, block_size):
    X, Y = build_contexts(words, block_size)
    yield X
    yield Y


# -- embeddings ------------------------------------------------------------------------


def embed__flat(C, X):
    return (F.one_hot(X.flatten(), 27).float() @ C).view(-1, 3, C.shape[1])


def embed__einsum(C, X):
    return torch.einsum("npv,ve->npe", F.one_hot(X, 27).float(), C)


def embed__with_numpy(C, X):
    return np.eye(27)[X.numpy()] @ C.numpy()


def embed__identity(C, X):
    return torch.eye(27)[X].matmul(C)


def embed__comparison(C, X):
    one_hot = X[:, :, None] == torch.arange(27)
    return torch.tensordot(one_hot.double(), C.double(), dims=1)


def embed__scattered(C, X):
    one_hot = C.new_zeros((*X.shape, len(C))).scatter_(2, X.unsqueeze(2), 1)
    return F.linear(one_hot, C.T)


def embed__summed(C, X):
    return (F.one_hot(X, 27)[..., None] * C).sum(2)


def embed__rows_of_a_loop(C, X):
    rows = []
    for context in X:
        rows.append(F.one_hot(context, 27).to(C.dtype) @ C)
    return torch.stack(rows)


def embed__lists(C, X):
    one_hot = [[[float(i == v) for v in range(27)] for i in row] for row in X.tolist()]
    return (torch.tensor(one_hot) @ C).tolist()


def embed__lookup_of_the_encoding(C, X):
    return F.embedding(X, torch.eye(27)) @ C


def embed__module_of_the_encoding(C, X):
    return torch.nn.Embedding.from_pretrained(torch.eye(27))(X) @ C


def embed__column_by_column(C, X):
    one_hot = F.one_hot(X, 27).float()
    return torch.stack([one_hot @ column for column in C.T], -1)


def embed__context_by_context(C, X):
    places = torch.arange(27)
    return torch.vmap(lambda context: (context[:, None] == places).float() @ C)(X)


def embed__filled_in(C, X):
    one_hot = torch.zeros(X.numel(), len(C))
    one_hot[torch.arange(X.numel()), X.flatten()] = 1
    return torch.stack((one_hot @ C).split(3))


# -- a sensible first loss -------------------------------------------------------------


def uniform_start__zeros(generator):
    model = MLP(generator)
    model.W2.zero_()
    model.b2.zero_()
    return model


def uniform_start__drawn_again(generator):
    model = MLP(generator)
    model.W2 = torch.randn((200, 27), generator=generator) * 0.001
    model.b2 = torch.full((27,), 7.0)
    return model


def uniform_start__small_hidden(generator):
    model = MLP(generator)
    for p in (model.W1, model.b1):
        p *= 1e-4
    model.b2 -= model.b2
    return model


def uniform_start__trainable(generator):
    model = MLP(generator)
    with torch.no_grad():
        model.W2.mul_(0.01)
        model.b2.fill_(0)
    model.W2.requires_grad_()
    return model


# -- direct connections ----------------------------------------------------------------


def direct_connections__short(model, W3, X):
    return model(X) + model.C[X].flatten(1) @ W3


def direct_connections__stacked(model, W3, X):
    emb = model.C[X].view(len(X), -1)
    h = torch.tanh(torch.addmm(model.b1, emb, model.W1))
    return torch.cat([h, emb], 1) @ torch.cat([model.W2, W3]) + model.b2


def direct_connections__row_by_row(model, W3, X):
    rows = []
    for context in X:
        emb = torch.cat([model.C[ix] for ix in context])
        h = (emb @ model.W1 + model.b1).tanh()
        rows.append(h @ model.W2 + model.b2 + emb @ W3)
    return torch.stack(rows)


def direct_connections__double(model, W3, X):
    emb = F.one_hot(X, 27).double() @ model.C.double()
    emb = emb.flatten(1)
    h = torch.tanh(emb @ model.W1.double() + model.b1)
    return h @ model.W2.double() + (model.b2 + emb @ W3.double())


# -- beating the lecture ---------------------------------------------------------------


@cache
def _letters():
    Y = build_contexts(split_words(networks.names())[0])[1]
    return torch.bincount(Y, minlength=V) / len(Y)


@cache
def _counts(k):
    """Count what follows k characters in the training words."""
    X, Y = build_contexts(split_words(networks.names())[0])
    cells = context_codes(X[:, 3 - k :], V) * V + Y
    return torch.bincount(cells, minlength=V ** (k + 1)).view(-1, V).double()


@cache
def _four_grams():
    return CountingModel(4, smoothing=0.1).fit(split_words(networks.names())[0])


def beat_the_lecture__interpolated(X):
    probs = _letters()
    for k in (1, 2, 3):
        counts = _counts(k)[context_codes(X[:, 3 - k :], 27)]
        probs = (counts + 5 * probs) / (counts.sum(1, keepdim=True) + 5)
    return probs.log()


def beat_the_lecture__four_grams(X):
    codes = X[:, 0] * 27 * 27 + X[:, 1] * 27 + X[:, 2]
    return _four_grams().log_probabilities(codes).float()


def beat_the_lecture__with_numpy(X):
    codes = X.numpy() @ [27 * 27, 27, 1]
    counts = _counts(3).numpy()[codes]
    return np.log(counts + 0.1)


def beat_the_lecture__with_gradients(X):
    log_probs = _four_grams().log_probabilities(context_codes(X, 27))
    return log_probs.requires_grad_()
