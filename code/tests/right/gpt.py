"""Right answers to chapter 7's exercises."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from zerotohero.gpt import GPT, CausalSelfAttention, GPTConfig, Muon, Vocabulary

# -- what the page has defined before its solutions ----------------------------------------

signs = Vocabulary("0123456789+=")


def generator(seed):
    return torch.Generator().manual_seed(seed)


def get_batch(data, batch_size, block_size, generator):
    starts = torch.randint(len(data) - block_size, (batch_size,), generator=generator)
    positions = starts[:, None] + torch.arange(block_size)
    return data[positions], data[positions + 1]


# -- exercise 1: averages ------------------------------------------------------------------


def averages__softmax(x):
    T = x.shape[1]
    hidden = torch.ones(T, T).triu(1) == 1
    return torch.zeros(T, T).masked_fill(hidden, -math.inf).softmax(-1) @ x


def averages__einsum(x):
    weights = F.normalize(torch.ones(x.size(1), x.size(1)).tril(), p=1, dim=1)
    return torch.einsum("ts,bsc->btc", weights, x)


def averages__cumsum(x):
    return (x.double().cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]).tolist()


def averages__numpy(x):
    T = x.shape[1]
    triangle = np.tri(T) / np.arange(1, T + 1)[:, None]
    return triangle @ x.numpy()


def averages__masked_sum(x):
    t = torch.arange(x.shape[1])
    past = (t[:, None] >= t)[..., None]  # (T, T, 1)
    return (past * x[:, None]).sum(2) / past.sum(1)


def averages__vmap(x):
    def of_sequence(tokens):
        return tokens.cumsum(0) / torch.ones_like(tokens).cumsum(0)

    return torch.vmap(of_sequence)(x)


# -- exercise 2: attention -----------------------------------------------------------------


def attention__fused(x, Wq, Wk, Wv, n_head):
    q, k, v = ((x @ W).unflatten(2, (n_head, -1)).transpose(1, 2) for W in (Wq, Wk, Wv))
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return out.transpose(1, 2).flatten(2)


def attention__einsum(x, Wq, Wk, Wv, n_head):
    q, k, v = ((x @ W).unflatten(2, (n_head, -1)) for W in (Wq, Wk, Wv))
    scores = torch.einsum("bthd,bshd->bhts", q, k) / q.shape[-1] ** 0.5
    past = torch.ones(scores.shape[-2:]).tril()
    weights = (scores + past.log()).softmax(-1)
    return torch.einsum("bhts,bshd->bthd", weights, v).flatten(2)


def attention__one_product(x, Wq, Wk, Wv, n_head):
    B, T, C = x.shape
    qkv = x @ torch.cat([Wq, Wk, Wv], dim=1)  # (B, T, 3C)
    q, k, v = qkv.view(B, T, 3, n_head, C // n_head).permute(2, 0, 3, 1, 4)
    scores = (q @ k.mT / math.sqrt(C // n_head)).double()
    weights = torch.exp(scores).tril()
    weights = (weights / weights.sum(-1, keepdim=True)).float()
    return (weights @ v).permute(0, 2, 1, 3).reshape(B, T, C)


def attention__numpy(x, Wq, Wk, Wv, n_head):
    B, T, C = x.shape
    d = C // n_head

    def cut(W):
        return (x.numpy() @ W.numpy()).reshape(B, T, n_head, d).swapaxes(1, 2)

    scores = cut(Wq) @ cut(Wk).swapaxes(2, 3) / d**0.5
    scores = np.where(np.tri(T) > 0, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return (weights @ cut(Wv)).swapaxes(1, 2).reshape(B, T, C)


def attention__heads_in_the_batch(x, Wq, Wk, Wv, n_head):
    B, T, C = x.shape
    parts = []
    for W in (Wq, Wk, Wv):
        z = (x.double() @ W.double()).reshape(B, T, n_head, C // n_head)
        parts.append(z.transpose(1, 2).flatten(0, 1))  # (B * n_head, T, d)
    q, k, v = parts
    scores = torch.bmm(q, k.transpose(1, 2)) / k.size(2) ** 0.5
    scores = scores + torch.full((T, T), -1e9).triu(1)
    out = torch.bmm(scores.softmax(2), v)
    return out.unflatten(0, (B, n_head)).transpose(1, 2).reshape(B, T, C).tolist()


def attention__sequence_by_sequence(x, Wq, Wk, Wv, n_head):
    """The loop is not one over heads."""
    results = []
    for tokens in x:
        q, k, v = ((tokens @ W).unflatten(1, (n_head, -1)).transpose(0, 1) for W in (Wq, Wk, Wv))
        results.append(F.scaled_dot_product_attention(q, k, v, is_causal=True))
    return torch.stack(results).transpose(1, 2).flatten(2)


def attention__layer(x, Wq, Wk, Wv, n_head):
    """The layer of the chapter, without its projection."""
    _, T, C = x.shape
    layer = CausalSelfAttention(GPTConfig(1, T, C, n_head, 1))
    layer.proj = nn.Identity()
    layer.qkv.weight.data = torch.cat([Wq, Wk, Wv], dim=1).T
    return layer(x)


def attention__channels_of_a_head(x, Wq, Wk, Wv, n_head):
    """A mask says which channels belong to a head; the list is one over channels."""
    _, T, C = x.shape
    d = C // n_head
    heads = torch.tensor([c // d for c in range(C)])
    own = (heads == torch.arange(n_head)[:, None]).float()  # (n_head, C)
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    scores = torch.einsum("btc,bsc,hc->bhts", q, k, own) / d**0.5
    future = torch.ones(T, T).triu(1) > 0
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    return torch.einsum("bhts,bsc,hc->btc", weights, v, own)


def attention__column_by_column(x, Wq, Wk, Wv, n_head):
    projected = [torch.stack([x @ column for column in W.T], dim=-1) for W in (Wq, Wk, Wv)]
    q, k, v = (z.unflatten(-1, (n_head, -1)).transpose(1, 2) for z in projected)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return out.transpose(1, 2).flatten(2)


# -- exercise 3: addition ------------------------------------------------------------------


def addition__without_text(a, b):
    """The ids of digits are the digits and 1; + is 0, and = is 11."""
    s, one = a + b, torch.ones_like(a)
    digits = [a // 10, a % 10, -one, b // 10, b % 10, 10 * one, s % 10, s // 10 % 10, s // 100]
    ids = torch.stack(digits, dim=1) + 1
    return ids[:, :-1], torch.where(torch.arange(8) < 5, -100, ids[:, 1:])


def addition__in_lists(a, b):
    idx, targets = [], []
    for x, y in zip(a, b):  # 0-d tensors format as numbers
        text = f"{x:02d}+{y:02d}={x + y:03d}"
        ids = [sorted("0123456789+=").index(sign) for sign in text[:6] + text[:5:-1]]
        idx.append(ids[:8])
        targets.append([-100] * 5 + ids[6:])
    return idx, targets


def addition__stacked(a, b):
    rows = []
    for i in range(len(a)):
        x, y = int(a[i]), int(b[i])
        rows.append(signs.encode("%02d+%02d=" % (x, y) + ("%03d" % (x + y))[::-1]))
    ids = torch.stack(rows)
    pair = torch.stack((ids[:, :-1], ids[:, 1:]))  # (2, N, 8)
    pair[1, :, :5] = -100
    return pair


def addition__numpy(a, b):
    pairs = zip(a.numpy(), b.numpy())
    texts = [
        str(x).zfill(2) + "+" + str(y).zfill(2) + "=" + str(x + y).zfill(3)[::-1] for x, y in pairs
    ]
    ids = np.array([signs.encode(text).numpy() for text in texts], dtype=np.int32)
    question = np.full((len(ids), 5), -100)
    return [ids[:, :8], np.hstack([question, ids[:, 6:]])]


# -- exercise 4: finetune ------------------------------------------------------------------


def finetune__by_hand(model, data, steps):
    tuned = copy.deepcopy(model)
    for _ in range(steps):
        x, y = get_batch(data, 8, 4, None)
        loss = tuned(x, y)[1]
        tuned.zero_grad()
        loss.backward()
        for p in tuned.parameters():
            p.data -= 0.1 * p.grad
    return tuned


def finetune__new_model(model, data, steps):
    """At a rate that is usual for fine-tuning, with a loss of its own."""
    tuned = GPT(model.config)
    tuned.load_state_dict(model.state_dict())
    optimizer = torch.optim.Adam(tuned.parameters(), lr=5e-5)
    block_size, g = model.config.block_size, torch.Generator()
    for _ in range(steps):
        x, y = get_batch(data, 64, block_size, g)
        F.cross_entropy(tuned(x)[0].flatten(0, 1), y.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()
    return tuned


def finetune__two_batches_a_step(model, data, steps):
    """Summed losses, so that gradients are large."""
    tuned = copy.deepcopy(model)
    optimizer = torch.optim.SGD(tuned.parameters(), lr=1e-4)
    g = generator(1)
    for _ in range(steps):
        for _ in range(2):
            x, y = get_batch(data, 3, 5, g)
            logits, _ = tuned(x)
            F.cross_entropy(logits.mT, y, reduction="sum").backward()
        optimizer.step()
        optimizer.zero_grad()
    return tuned


def finetune__muon(model, data, steps):
    tuned = copy.deepcopy(model)
    matrices = [p for p in tuned.blocks.parameters() if p.ndim == 2]
    others = [p for p in tuned.parameters() if all(p is not m for m in matrices)]
    optimizers = [Muon(matrices, lr=0.01), torch.optim.AdamW(others, lr=3e-3)]
    g = generator(1)
    for _ in range(steps):
        tuned(*get_batch(data, 4, 3, g))[1].backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    return tuned


def finetune__all_of_the_data(model, data, steps):
    """Every step sees everything; gradients without backward."""
    T = model.config.block_size
    n = (len(data) - 1) // T * T
    x, y = data[:n].view(-1, T), data[1 : n + 1].view(-1, T)
    tuned = copy.deepcopy(model)
    parameters = list(tuned.parameters())
    for _ in range(steps):
        gradients = torch.autograd.grad(tuned(x, y)[1], parameters)
        with torch.no_grad():
            for p, gradient in zip(parameters, gradients):
                p -= 0.05 * gradient
    return tuned


def finetune__two_batches_by_hand(model, data, steps):
    tuned = copy.deepcopy(model)
    for _ in range(steps):
        for _ in range(2):
            x, y = get_batch(data, 4, 5, None)
            (tuned(x, y)[1] / 2).backward()
        for p in tuned.parameters():
            p.data -= 0.1 * p.grad
            p.grad = None
    return tuned


# -- exercise 5: squared_relu --------------------------------------------------------------


def squared_relu__functional(x):
    return F.relu(x) ** 2


def squared_relu__product(x):
    return x * x.clamp(min=0)


def squared_relu__where(x):
    return torch.where(x > 0, x.double() ** 2, 0)


def squared_relu__mask(x):
    return (x > 0) * x * x


def squared_relu__in_place(x):
    result = x.clone()
    result[result < 0] = 0
    return result.square_()
