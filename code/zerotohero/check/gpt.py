"""Checks for the exercises of chapter 7."""

from __future__ import annotations

import copy
from typing import Any

import torch

from ..gpt import GPT, GPTConfig, Vocabulary
from .tensors import expect_tensor
from .verdict import checker, fail, run

DIGITS = Vocabulary("0123456789+=")
IGNORED = -100


def _random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@checker
def averages(answer: Any) -> str:
    """Check a function ``(x)`` that returns the mean of every token and all before it."""
    for shape in ((2, 5, 3), (1, 4, 4)):
        x = _random(*shape, seed=1)
        T = shape[1]
        shown = f"averages(x), x of shape {shape}"
        received = run(answer, x.clone(), shown=shown)
        sums, n = x.cumsum(1), torch.arange(1, T + 1)[:, None]
        before = torch.cat([torch.zeros(shape[0], 1, shape[2]), sums[:, :-1] / n[:-1]], 1)
        from_here = x.flip(1).cumsum(1).flip(1) / n.flip(0)
        expect_tensor(
            received,
            sums / n,
            shown,
            [
                (sums, "Those are sums. Each row of the matrix has to add up to 1."),
                (sums / T, "Each token has its own number of predecessors: divide row by row."),
                (x.mean(1, keepdim=True).expand(shape), "The future is in it. Use tril."),
                (from_here, "That is the mean of the future: the triangle is the wrong one."),
                (before, "A token also hears itself."),
            ],
        )
    return "A triangular matrix averages the past, for all tokens at once."


def _attend(parts: list[torch.Tensor], scale: float, *, mask: bool = True) -> torch.Tensor:
    """Attend with queries, keys and values (B, n_head, T, head_size), written out."""
    q, k, v = parts
    scores = q @ k.mT * scale
    if mask:
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, float("-inf"))
    return scores.softmax(-1) @ v


@checker
def attention(answer: Any) -> str:
    """Check a function ``(x, Wq, Wk, Wv, n_head)``: causal attention of all heads at once."""
    for B, T, C, n_head in ((2, 6, 8, 2), (3, 5, 12, 3)):
        x = _random(B, T, C, seed=2)
        matrices = [_random(C, C, seed=seed) / C**0.25 for seed in (3, 4, 5)]
        shown = f"attention(x, Wq, Wk, Wv, {n_head}), x of shape {(B, T, C)}"
        given = [W.clone() for W in matrices]
        received = run(answer, x.clone(), *given, n_head, shown=shown)
        d = C // n_head
        split = [(x @ W).view(B, T, n_head, d).transpose(1, 2) for W in matrices]
        mixed = [(x @ W).view(B, n_head, T, d) for W in matrices]

        def merged(out: torch.Tensor) -> torch.Tensor:
            return out.transpose(1, 2).flatten(2)

        heads = _attend(split, scale=d**-0.5)
        q, k, v = split
        future = torch.ones(T, T).triu(1) == 1
        late = (q @ k.mT * d**-0.5).softmax(-1).masked_fill(future, 0.0) @ v
        down = (q @ k.mT * d**-0.5).masked_fill(future, float("-inf")).softmax(-2) @ v
        one = _attend([(x @ W)[:, None] for W in matrices], scale=C**-0.5)
        expect_tensor(
            received,
            merged(heads),
            shown,
            [
                (
                    merged(_attend(split, scale=C**-0.5)),
                    "Scale by the size of a head, not by the number of channels.",
                ),
                (merged(_attend(split, scale=1.0)), "The scores are not scaled."),
                (
                    merged(_attend(split, scale=d**-0.5, mask=False)),
                    "Tokens look into the future: the mask is missing.",
                ),
                (
                    heads.flatten(1).view(B, T, C),
                    "Put the heads behind the tokens again before you join them: transpose.",
                ),
                (
                    _attend(mixed, scale=d**-0.5).view(B, T, C),
                    "view(B, n_head, T, d) mixes tokens and heads. First (B, T, n_head, d), "
                    "then transpose.",
                ),
                (
                    merged(_attend(mixed, scale=d**-0.5)),
                    "view(B, n_head, T, d) mixes tokens and heads. First (B, T, n_head, d), "
                    "then transpose.",
                ),
                (merged(late), "Mask the scores before the softmax, or rows do not add up to 1."),
                (merged(down), "Softmax over the keys: the last dimension."),
                (one[:, 0], "That is a single head. Split the channels."),
            ],
            tolerance=1e-4,
        )
    return "All heads at once, and each of them as if it were alone."


def _problem(a: int, b: int, *, backwards: bool = True, width: int = 3) -> str:
    total = f"{a + b:0{width}d}"
    return f"{a:02d}+{b:02d}={total[::-1] if backwards else total}"


def _masked(texts: list[str], first: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Encode problems; targets before place ``first`` do not count."""
    ids = torch.stack([DIGITS.encode(text) for text in texts])
    targets = ids[:, 1:].clone()
    targets[:, :first] = IGNORED
    return ids[:, :-1], targets


@checker
def addition(answer: Any) -> str:
    """Check a function ``(a, b)`` that returns inputs and masked targets of additions."""
    for a, b in (([17, 5, 99], [25, 3, 99]), ([0, 80], [1, 46])):
        shown = f"addition({a}, {b})"
        received = run(answer, torch.tensor(a), torch.tensor(b), shown=shown)
        if not isinstance(received, (tuple, list)) or len(received) != 2:
            fail(f"{shown} should return idx and targets, received {type(received).__name__}.")
        pairs = list(zip(a, b))
        right = [_problem(x, y) for x, y in pairs]
        idx, targets = _masked(right, 5)
        forwards = _masked([_problem(x, y, backwards=False) for x, y in pairs], 5)
        turn = "Write the sum backwards, with the ones first."
        expect_tensor(received[0], idx, f"idx of {shown}", [(forwards[0], turn)])
        hidden = targets.clone()
        hidden[:, 5] = IGNORED
        expect_tensor(
            received[1],
            targets,
            f"targets of {shown}",
            [
                (forwards[1], turn),
                (_masked(right, 0)[1], "The question should not count: −100 for its targets."),
                (_masked(right, 4)[1], "The sign = belongs to the question: mask it, too."),
                (hidden, "One too many is masked: the first digit of the sum counts."),
                (idx, "A target is the next character: shift by one."),
            ],
        )
    return "The loss will count the digits of the sum, and nothing else."


@checker
def squared_relu(answer: Any) -> str:
    """Check a function ``(x)``: the square of a ReLU."""
    x = torch.tensor([[-2.0, -0.5, 0.0, 0.5], [1.0, 3.0, -1.0, 2.0]])
    received = run(answer, x.clone(), shown="squared_relu(x)")
    expect_tensor(
        received,
        torch.relu(x).square(),
        "squared_relu(x)",
        [
            (torch.relu(x), "That is the ReLU. Square it."),
            (x.square(), "Negative inputs give 0: first the ReLU, then the square."),
            (torch.relu(x) * x.abs().sqrt(), "The square, not the root."),
        ],
    )
    return "Zero on the left, a parabola on the right."


@checker
def finetune(answer: Any) -> str:
    """Check a function ``(model, data, steps)`` that returns a fine-tuned copy of a model."""
    config = GPTConfig(vocab_size=5, block_size=8, n_embd=16, n_head=2, n_layer=1)
    model = GPT(config, generator=torch.Generator().manual_seed(1))
    before = copy.deepcopy(model.state_dict())
    data = torch.tensor([0, 1, 2, 3, 4, 3, 2, 1] * 40)
    idx, targets = data[:160].view(-1, 8), data[1:161].view(-1, 8)
    with torch.no_grad():
        start = float(model(idx, targets)[1])
    shown = "finetune(model, data, 200)"
    received = run(answer, model, data, 200, shown=shown)
    if not isinstance(received, GPT):
        fail(f"{shown} should return a GPT, received {type(received).__name__}.")
    if received is model or any(
        not torch.equal(p, before[name]) for name, p in model.state_dict().items()
    ):
        fail(f"{shown} changed the model that it was given.", "Train a copy: copy.deepcopy.")
    received.eval()
    with torch.no_grad():
        loss = float(received(idx, targets)[1])
    if not loss < 0.5 * start:
        fail(
            f"{shown}: the loss on the data went from {start:.3f} to {loss:.3f}, and should be "
            f"below {0.5 * start:.3f}.",
            "Does each step draw a batch, set the gradients to zero, and call backward and step?",
        )
    return f"The copy learned the new text: its loss went from {start:.3f} to {loss:.3f}."
