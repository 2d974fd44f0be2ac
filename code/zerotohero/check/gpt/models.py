"""Checks for the exercises of chapter 7."""

from __future__ import annotations

import copy
import math
import reprlib
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ...gpt import GPT, GPTConfig, Vocabulary
from ..running import run
from ..tensors import expect_tensor
from ..verdict import checker, fail
from .attention import random_tensor

SIGNS = "0123456789+="
DIGITS = Vocabulary(SIGNS)
IGNORED = -100


@checker
def averages(answer: Any) -> str:
    """Check a function ``(x)`` that returns the mean of every token and all before it."""
    for shape in ((2, 5, 3), (1, 4, 4)):
        x, T = random_tensor(*shape, seed=1), shape[1]
        shown = f"averages(x), x of shape {shape}"
        received = run(answer, x.clone(), shown=shown)
        tril, triu = torch.ones(T, T).tril(), torch.ones(T, T).triu()
        before = tril.tril(-1) / tril.tril(-1).sum(1, keepdim=True)  # the first row is NaN
        itself = "A token also hears itself."
        expect_tensor(
            received,
            tril / tril.sum(1, keepdim=True) @ x,
            shown,
            [
                (tril @ x, "Those are sums. Each row of the matrix has to add up to 1."),
                (tril / T @ x, "Each token has its own number of predecessors: divide row by row."),
                (tril / tril.sum(1) @ x, "Those sums belong to the rows: keepdim=True."),
                (tril / tril.sum(0) @ x, "Its rows have to add up to 1, not its columns."),
                (tril.softmax(1) @ x, "In a softmax a score of 0 counts. Mask with −∞."),
                (x.mean(1, keepdim=True).expand(shape), "The future is in it. Use tril."),
                (
                    triu / triu.sum(1, keepdim=True) @ x,
                    "That is the mean of the future: the triangle is the wrong one.",
                ),
                (before @ x, itself),
                (before.nan_to_num() @ x, itself),
            ],
        )
    return "A triangular matrix averages the past, for all tokens at once."


def _problems(
    pairs: list[tuple[int, int]],
    written: Callable[[int], str],
    encode: Callable[[str], torch.Tensor] = DIGITS.encode,
) -> torch.Tensor:
    """Return the ids of all characters, (N, 9); ``written`` turns a sum into text."""
    return torch.stack([encode(f"{a:02d}+{b:02d}={written(a + b)}") for a, b in pairs])


def _masked(ids: torch.Tensor, stop: int, start: int = 0, value: int = IGNORED) -> torch.Tensor:
    masked = ids.clone()
    masked[:, start:stop] = value
    return masked


def _unsorted(text: str) -> torch.Tensor:
    return torch.tensor([SIGNS.index(character) for character in text])


@checker
def addition(answer: Any) -> str:
    """Check a function ``(a, b)`` that returns inputs and masked targets of additions."""
    for a, b in (([17, 5, 99], [25, 3, 99]), ([0, 80], [1, 46])):
        shown = f"addition({a}, {b})"
        received = run(answer, torch.tensor(a), torch.tensor(b), shown=shown)
        if not isinstance(received, (tuple, list)) or len(received) != 2:
            fail(f"{shown} should return idx and targets, received {reprlib.repr(received)}.")
        pairs = list(zip(a, b, strict=True))
        ids = _problems(pairs, lambda total: f"{total:03d}"[::-1])
        forwards = _problems(pairs, lambda total: f"{total:03d}")
        filled_late = _problems(pairs, lambda total: str(total)[::-1].zfill(3))
        unsorted = _problems(pairs, lambda total: f"{total:03d}"[::-1], _unsorted)
        targets = _masked(ids[:, 1:], 5)
        turn = "Write the sum backwards, with the ones first."
        fill = "First three digits, then backwards: 42, 042, 240."
        clone = "idx keeps the question. targets = ids[:, 1:] is a view of the same ids: clone it."
        expect_tensor(
            received[0],
            ids[:, :-1],
            f"idx of {shown}",
            [
                (forwards[:, :-1], turn),
                (filled_late[:, :-1], fill),
                (unsorted[:, :-1], "Encode with Vocabulary, which sorts its characters."),
                *((_masked(ids, stop, 1)[:, :-1], clone) for stop in (5, 6, 7)),
                (_masked(ids, 6)[:, :-1], clone),
                (targets, "idx comes first, then targets."),
                (ids, "The last character is a target only. idx ends before it."),
            ],
        )
        shift = "A target is the next character: shift by one."
        ignored = "The number for targets that do not count is −100."
        expect_tensor(
            received[1],
            targets,
            f"targets of {shown}",
            [
                (_masked(forwards[:, 1:], 5), turn),
                (_masked(filled_late[:, 1:], 5), fill),
                (ids[:, 1:], "The question should not count: −100 for its targets."),
                (_masked(ids[:, 1:], 4), "The sign = belongs to the question: mask it, too."),
                (
                    _masked(ids[:, 1:], 6),
                    "One too many is masked: the first digit of the sum counts.",
                ),
                *((_masked(ids[:, :-1], stop), shift) for stop in (0, 5, 6)),
                *((_masked(ids[:, 1:], 5, value=value), ignored) for value in (-1, 0, 100)),
            ],
        )
        for name, part in zip(("idx", "targets"), received, strict=True):
            dtype = torch.as_tensor(part).dtype
            if dtype != torch.int64:
                fail(f"{name} of {shown} should be of torch.int64, received {dtype}.")
    return "The loss will count the digits of the sum, and nothing else."


@checker
def squared_relu(answer: Any) -> str:
    """Check a function ``(x)``: the square of a ReLU."""
    table = torch.tensor([[-2.0, -0.5, 0.0, 0.5], [1.0, 3.0, -1.0, 2.0]])
    for x in (table, random_tensor(2, 3, 4, seed=6)):
        shown = f"squared_relu(x), x of shape {tuple(x.shape)}"
        negative = "Negative inputs give 0: first the ReLU, then the square."
        expect_tensor(
            run(answer, x.clone(), shown=shown),
            torch.relu(x).square(),
            shown,
            [
                (torch.relu(x), "That is the ReLU. Square it."),
                (2 * torch.relu(x), "The square, not the double."),
                (torch.relu(x).sqrt(), "The square, not the root."),
                (x.square(), negative),
                (x * x.abs(), negative),
            ],
        )
    return "Zero on the left, a parabola on the right."


@checker
def finetune(answer: Any) -> str:
    """Check a function ``(model, data, steps)`` that returns a fine-tuned copy of a model."""
    config = GPTConfig(vocab_size=6, block_size=8, n_embd=16, n_head=2, n_layer=1)
    with torch.random.fork_rng(devices=[]):  # PyTorch's layers draw from its own generator
        model = GPT(config, generator=torch.Generator().manual_seed(1))
    data = torch.tensor([0, 1, 2, 3, 4, 3, 2, 1] * 40)
    start = _loss(model, data)

    shown = "finetune(model, data, 200)"
    tuned = _tuned(answer, model, data, 200, shown)
    loss = _loss(tuned, data)
    went = f"{shown}: the loss on the data went from {start:.3f} to {loss:.3f}"
    if _same_weights(tuned, model):
        fail(
            f"{went}.",
            "The copy is as it was. Do the loss and the optimizer use the copy, and does each "
            "step call backward and step?",
        )
    if not loss < 0.5 * start:
        fail(
            f"{went}, and should be below {0.5 * start:.3f}.",
            "Does each step draw a batch of data and set the gradients to zero? A learning rate "
            "of 0.003 will do.",
        )
    if _length_of_gradient(tuned) > 30:  # of one step it is near 1, added up it is above 100
        fail(
            f"{went}, but the gradients have added up over the steps.",
            "Set the gradients to zero in each step.",
        )

    shown = "finetune(model, data, 1)"
    early = _loss(_tuned(answer, model, data, 1, shown), data)
    if early < 0.7 * start:
        fail(
            f"{shown}: the loss on the data went from {start:.3f} to {early:.3f} in one step.",
            "Does the loop take as many steps as it is told to?",
        )
    return f"The copy learned the new text: its loss went from {start:.3f} to {loss:.3f}."


def _tuned(answer: Any, model: GPT, data: torch.Tensor, steps: int, shown: str) -> GPT:
    """Run an answer; stop unless it returns a GPT that began as a copy of ``model``."""
    kept = copy.deepcopy(model)
    received = run(answer, model, data.clone(), steps, shown=shown)
    if not isinstance(received, GPT):
        fail(f"{shown} should return a GPT, received {type(received).__name__}.")
    if received is model or not _same_weights(model, kept):
        fail(f"{shown} changed the model that it was given.", "Train a copy: copy.deepcopy.")
    # Token 5 does not occur in the data, so training leaves its vector as it was, up to
    # weight decay. In a new model it points somewhere else.
    vectors = (gpt.token_embedding.weight[5] for gpt in (received, kept))
    if received.config != model.config or F.cosine_similarity(*vectors, dim=0) < 0.9:
        fail(
            f"{shown} returned a model that does not start from the given one.",
            "Train a copy of the model, not a new one.",
        )
    return received


def _loss(model: GPT, data: torch.Tensor) -> float:
    idx, targets = data[:160].view(-1, 8), data[1:161].view(-1, 8)
    with torch.no_grad():
        return float(model.eval()(idx, targets)[1])


def _same_weights(one: GPT, other: GPT) -> bool:
    return all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))


def _length_of_gradient(model: GPT) -> float:
    return math.hypot(*(p.grad.norm().item() for p in model.parameters() if p.grad is not None))
