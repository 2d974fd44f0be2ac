"""Chapter 7: tokens a second at the lecture's sizes, in training and in generation.

Two threads, where there are two. A batch has 16 sequences, not the lecture's 64, to keep a step
at a second or two. Dropout is off, so that all forms give the same loss.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from zerotohero.gpt import GPT, CausalSelfAttention, GPTConfig
from zerotohero.train_gpt.distributed import autocast, has_bfloat16

CONFIG = GPTConfig(vocab_size=65, block_size=256, n_embd=384, n_head=6, n_layer=6)
BATCH_SIZE, STEPS, TEXTS = 16, 3, 4
CPU = torch.device("cpu")


class Speed(NamedTuple):
    """One way to do the same work; tokens a second, from the median time."""

    form: str
    tokens: float


@contextmanager
def _two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _in_turns(
    forms: dict[str, Callable[[], torch.Tensor]], tokens: int, repeats: int, tolerance: float
) -> list[Speed]:
    """Time all forms in turns, after a warm-up in which they must give the same."""
    first: torch.Tensor | None = None
    for form, function in forms.items():
        result = function()
        first = result if first is None else first
        assert torch.allclose(result, first, atol=tolerance, rtol=0), f"{form} differs"
    times: dict[str, list[float]] = {form: [] for form in forms}
    for _ in range(repeats):
        for form, function in forms.items():
            start = time.perf_counter()
            function()
            times[form].append(time.perf_counter() - start)
    return [Speed(form, tokens / statistics.median(record)) for form, record in times.items()]


def _batched(model: GPT) -> GPT:
    """Return the batched form of a model with a loop of heads."""
    other = GPT(CONFIG)
    state = {n: value for n, value in model.state_dict().items() if ".attention." not in n}
    other.load_state_dict(state, strict=False)
    for ours, theirs in zip(other.blocks, model.blocks, strict=True):
        ours.attention = CausalSelfAttention.from_heads(theirs.attention, CONFIG)
    return other


def _step(model: GPT, dtype: str, x: torch.Tensor, y: torch.Tensor) -> Callable[[], torch.Tensor]:
    """Return a function that makes one training step, with AdamW, and returns the loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)

    def step() -> torch.Tensor:
        with autocast(dtype, CPU):
            _, loss = model(x, y)
        assert loss is not None
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach().float()

    return step


def training() -> list[Speed]:
    """Measure forward, backward and update: loop of heads, batched, batched in bfloat16."""
    generator = torch.Generator().manual_seed(1)
    heads = GPT(CONFIG, attention="heads", generator=generator)
    shape = (2, BATCH_SIZE, CONFIG.block_size)
    x, y = torch.randint(0, CONFIG.vocab_size, shape, generator=generator)
    models = {
        "loop of heads, float32": (heads, "float32"),
        "batched, float32": (_batched(heads), "float32"),
    }
    if has_bfloat16(CPU):
        models["batched, bfloat16"] = (_batched(heads), "bfloat16")
    forms = {form: _step(model, dtype, x, y) for form, (model, dtype) in models.items()}
    with _two_threads():
        return _in_turns(forms, x.numel(), STEPS, tolerance=0.01)


def generation(texts: int, repeats: int) -> list[Speed]:
    """Measure generating from one character to a full context, in single precision."""
    model = GPT(CONFIG, generator=torch.Generator().manual_seed(1))
    prompt, new = torch.zeros(texts, 1, dtype=torch.int64), CONFIG.block_size - 1

    def form(use_cache: bool) -> Callable[[], torch.Tensor]:
        return lambda: model.generate(
            prompt, new, generator=torch.Generator().manual_seed(2), use_cache=use_cache
        )

    forms = {"without cache": form(False), "with cache": form(True)}
    with _two_threads():
        return _in_turns(forms, texts * new, repeats, tolerance=0)
