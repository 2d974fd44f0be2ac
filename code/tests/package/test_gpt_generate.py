"""Sampling from chapter 7's GPT: the cache changes nothing, and the settings do what they say."""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from test_gpt_model import SMALL, generator, ids, loud

from zerotohero.gpt import GPT, KVCache

pytestmark = pytest.mark.usefixtures("one_thread")


# -- the cache ---------------------------------------------------------------------------------


def test_cached_logits_equal_uncached_ones() -> None:
    model, x = loud().eval(), ids(3, 8)
    whole, _ = model(x)
    for prompt in range(1, 8):
        caches = [KVCache(SMALL) for _ in model.blocks]
        logits = model._logits(x[:, :prompt], caches)
        torch.testing.assert_close(logits, whole[:, :prompt], rtol=1e-5, atol=1e-5)
        for t in range(prompt, 8):
            logits = model._logits(x[:, t : t + 1], caches)
            torch.testing.assert_close(logits[:, 0], whole[:, t], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("prompt", [1, 3, 8, 13])
@pytest.mark.parametrize("settings", [{}, {"temperature": 0.5}, {"top_k": 3}])
def test_the_cache_changes_no_token(seed: int, prompt: int, settings: dict[str, Any]) -> None:
    """Thirty new tokens: far past the end of the context, which is eight."""
    model = loud()
    with_cache, without = (
        model.generate(
            ids(2, prompt, seed=seed), 30, generator=generator(seed), use_cache=use, **settings
        )
        for use in (True, False)
    )
    assert torch.equal(with_cache, without)


def test_the_cache_is_used_until_the_context_is_full() -> None:
    model = loud()
    lengths: dict[bool, list[int]] = {True: [], False: []}
    for use, found in lengths.items():
        hook = model.token_embedding.register_forward_hook(
            lambda _, args, __, found=found: found.append(args[0].shape[1])
        )
        model.generate(ids(1, 3), 9, use_cache=use)
        hook.remove()
    assert lengths[True] == [3, 1, 1, 1, 1, 1, 8, 8, 8]
    assert lengths[False] == [3, 4, 5, 6, 7, 8, 8, 8, 8]


def test_a_loop_of_heads_generates_without_a_cache() -> None:
    model = loud(attention="heads")
    drawn = [
        model.generate(ids(1, 2), 20, generator=generator(1), use_cache=use)
        for use in (True, False)
    ]
    assert torch.equal(*drawn)


# -- what it draws -----------------------------------------------------------------------------


def by_hand(model: GPT, idx: torch.Tensor, new: int, temperature: float, seed: int) -> torch.Tensor:
    """Draw token by token, with ``forward`` alone."""
    model.eval()
    draw = generator(seed)
    for _ in range(new):
        logits, _ = model(idx[:, -SMALL.block_size :])
        probs = torch.exp(logits[:, -1] / temperature)
        probs = probs / probs.sum(-1, keepdim=True)
        idx = torch.cat([idx, torch.multinomial(probs, 1, generator=draw)], 1)
    return idx


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("B", [1, 4])
def test_against_a_loop_by_hand(B: int, temperature: float) -> None:
    model, prompt = loud(), ids(B, 2)
    drawn = model.generate(prompt, 15, temperature=temperature, generator=generator(7))
    assert torch.equal(drawn, by_hand(model, prompt, 15, temperature, 7))
    assert drawn.shape == (B, 17)
    assert torch.equal(drawn[:, :2], prompt)


def test_tokens_are_drawn_as_often_as_they_are_probable() -> None:
    model, n = loud(), 20_000
    prompt = torch.tensor([[3, 1]])
    probs = model.eval()(prompt)[0][0, -1].softmax(-1)
    drawn = model.generate(prompt.expand(n, 2), 1, generator=generator(1))[:, -1]
    counts = Counter(drawn.tolist())
    for token, p in enumerate(probs.tolist()):
        assert abs(counts[token] / n - p) < 5 * math.sqrt(p * (1 - p) / n)


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"temperature": 1e-4}])
def test_the_surest_token(settings: dict[str, Any]) -> None:
    model, idx = loud().eval(), ids(2, 3)
    drawn = model.generate(idx, 12, **settings)
    for _ in range(12):
        logits, _ = model(idx[:, -8:])
        idx = torch.cat([idx, logits[:, -1].argmax(-1, keepdim=True)], 1)
    assert torch.equal(drawn, idx)


@pytest.mark.parametrize("k", [2, 5, 11, 100])
def test_top_k_draws_from_the_k_most_probable(k: int) -> None:
    model, prompt = loud(), torch.tensor([[3, 1]])
    probs = model.eval()(prompt)[0][0, -1].softmax(-1)
    drawn = model.generate(
        prompt.expand(4000, 2), 1, top_k=k, temperature=3, generator=generator(1)
    )
    assert set(drawn[:, -1].tolist()) == set(probs.topk(min(k, 11)).indices.tolist())


def test_the_seed_decides() -> None:
    model = loud()
    first, same, other = (
        model.generate(ids(1, 1), 20, generator=generator(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_generator_of_ones_own_is_all_it_uses() -> None:
    model, state = loud(), torch.get_rng_state()
    model.generate(ids(1, 1), 5, generator=generator(1))
    assert torch.equal(torch.get_rng_state(), state)


def test_no_new_token() -> None:
    prompt = ids(2, 3)
    assert torch.equal(loud().generate(prompt, 0), prompt)


def test_a_prompt_may_be_longer_than_the_context() -> None:
    model, prompt = loud(), ids(1, 20)
    drawn = model.generate(prompt, 3, generator=generator(1))
    short = model.generate(prompt[:, -8:], 3, generator=generator(1))
    assert torch.equal(drawn[:, :20], prompt)
    assert torch.equal(drawn[:, 20:], short[:, 8:])


# -- modes and gradients -----------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_as_before(training: bool) -> None:
    model = loud(replace(SMALL, dropout=0.5)).train(training)
    first = model.generate(ids(1, 2), 10, generator=generator(1))
    assert torch.equal(first, model.generate(ids(1, 2), 10, generator=generator(1)))
    assert {module.training for module in model.modules()} == {training}
    assert not first.requires_grad


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_as_before_after_an_error(
    training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loud().train(training)

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "multinomial", fail)
    with pytest.raises(KeyboardInterrupt):
        model.generate(ids(1, 2), 10)
    assert {module.training for module in model.modules()} == {training}


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("idx", "message"),
    [
        (torch.zeros(1, 0, dtype=torch.int64), r"idx must hold at least one token, got .*\(1, 0\)"),
        (torch.zeros(0, 1, dtype=torch.int64), r"idx must hold at least one token, got .*\(0, 1\)"),
        (torch.zeros(3, dtype=torch.int64), r"idx must hold at least one token, got shape \(3,\)"),
        (torch.tensor([[1, 11]]), r"idx must hold ids from 0 to 10, got"),
        (torch.tensor([[-1, 2]]), r"idx must hold ids from 0 to 10, got"),
    ],
)
def test_bad_prompts(idx: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loud().generate(idx, 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0}, "temperature must be above 0, got 0"),
        ({"temperature": -1.0}, "temperature must be above 0, got -1.0"),
        ({"temperature": math.nan}, "temperature must be above 0, got nan"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"top_k": -2}, "top_k must be at least 1, got -2"),
        ({"max_new_tokens": -1}, "max_new_tokens must not be negative, got -1"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loud().generate(ids(1, 2), **({"max_new_tokens": 3} | settings))
