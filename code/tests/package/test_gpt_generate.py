"""Sampling from chapter 7's GPT: the cache changes nothing, and the settings do what they say."""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_gpt_model import SMALL, generator, ids, loud, with_heads_of

from zerotohero.gpt import GPT, KVCache

pytestmark = pytest.mark.usefixtures("one_thread")


# -- the cache ---------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(2, 8), st.sets(st.integers(1, 7)), st.integers(0, 99))
def test_a_text_in_pieces_has_the_logits_of_the_whole(
    B: int, T: int, cuts: set[int], seed: int
) -> None:
    """The loop of heads, which knows no cache, on the whole text."""
    heads = loud(attention="heads").double()
    batched, x = with_heads_of(heads).eval(), ids(B, T, seed=seed)
    ends = sorted({cut for cut in cuts if cut < T} | {T})
    caches = [KVCache(SMALL) for _ in batched.blocks]
    with torch.no_grad():
        pieces = [batched(x[:, i:j], caches=caches)[0] for i, j in zip([0, *ends], ends)]
        torch.testing.assert_close(torch.cat(pieces, 1), heads(x)[0], rtol=1e-11, atol=1e-11)
    assert {cache.length for cache in caches} == {T}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_piece_after_a_filled_cache_in_other_types(dtype: torch.dtype) -> None:
    model, x = loud().eval(), ids(2, 8)
    whole, _ = model(x)
    model, caches = model.to(dtype), [KVCache(SMALL) for _ in model.blocks]
    with torch.no_grad():
        pieces = [model(x[:, i : i + 4], caches=caches)[0].float() for i in (0, 4)]
    tolerance = 1e-5 if dtype == torch.float32 else 0.3
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=0, atol=tolerance)


def cut_in_two(model: GPT, x: torch.Tensor, at: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits of the beginning and of the rest, which continues it in caches."""
    caches = [KVCache(SMALL) for _ in model.blocks]
    return model(x[:, :at], caches=caches)[0], model(x[:, at:], caches=caches)[0]


def gradients(model: GPT, logits: torch.Tensor) -> list[torch.Tensor]:
    loss = (logits * torch.arange(11) ** 0.5).sin().sum()
    return list(torch.autograd.grad(loss, [*model.blocks.parameters()]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_cache_works_with_gradients_on(dtype: torch.dtype) -> None:
    """Gradients are right for all that one call has added; in float32, too, bit for bit."""
    model, x = loud().to(dtype), ids(2, 7)
    caches = [KVCache(SMALL) for _ in model.blocks]
    whole, cached = model(x)[0], model(x, caches=caches)[0]
    assert torch.equal(whole, cached)
    for right, found in zip(gradients(model, whole), gradients(model, cached), strict=True):
        assert torch.equal(right, found)


def test_gradients_through_two_calls_are_right_or_refused() -> None:
    """The second call writes into the tensors of the first."""
    model, x = loud().double(), ids(2, 7)
    whole = model(x)[0]
    first, second = cut_in_two(model, x, 4)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        gradients(model, first + second[:, -1:])


def test_a_cache_filled_without_gradients_goes_on_with_them() -> None:
    model, x = loud(), ids(2, 7)
    caches = [KVCache(SMALL) for _ in model.blocks]
    with torch.no_grad():
        model(x[:, :4], caches=caches)
    rest = model(x[:, 4:], caches=caches)[0]
    torch.testing.assert_close(rest, model(x)[0][:, 4:])
    assert all(gradient.isfinite().all() for gradient in gradients(model, rest))


def test_caches_that_do_not_fit_are_refused() -> None:
    model = loud().eval()
    full, other = (KVCache(SMALL) for _ in range(2))
    with torch.no_grad():
        model(ids(1, 6), caches=[full, other])
    twice, uneven = [KVCache(SMALL)] * 2, [full, KVCache(SMALL)]
    for caches in (twice, uneven, [KVCache(SMALL)], [KVCache(SMALL) for _ in range(3)]):
        with pytest.raises(
            ValueError, match=rf"^caches must be 2 different ones, .*, got {len(caches)} "
        ):
            model(ids(1, 1), caches=caches)
    with pytest.raises(ValueError, match=r"^idx must hold at most block_size = 8 tokens, got 9$"):
        model(ids(1, 3), caches=[full, other])
    with pytest.raises(ValueError, match=r"^k must be .*, like the earlier keys, got"):
        model(ids(2, 1), caches=[full, other])
    with pytest.raises(ValueError, match=r"^attention=\"heads\" takes no caches, got 2$"):
        loud(attention="heads")(ids(1, 1), caches=[KVCache(SMALL) for _ in range(2)])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("prompt", [1, 3, 8, 13])
@pytest.mark.parametrize("how", [{}, {"temperature": 0.5}, {"top_k": 3}])
def test_the_cache_changes_no_token(seed: int, prompt: int, how: dict[str, Any]) -> None:
    """Thirty new tokens: far past the end of the context, which is eight."""
    model = loud()
    with_cache, without = (
        model.generate(
            ids(2, prompt, seed=seed), 30, generator=generator(seed), use_cache=use, **how
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


@pytest.mark.parametrize("how", [{"top_k": 1}, {"temperature": 0}, {"temperature": 1e-4}])
def test_the_surest_token(how: dict[str, Any]) -> None:
    model, idx = loud().eval(), ids(2, 3)
    drawn = model.generate(idx, 12, **how)
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


def with_logits(logits: list[float], dtype: torch.dtype = torch.float32) -> GPT:
    """A model that gives these logits after any text."""
    model = GPT(replace(SMALL, vocab_size=len(logits))).to(dtype)
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.bias.copy_(torch.tensor(logits))
    return model


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=9), st.integers(1, 12))
def test_top_k_leaves_k_however_many_are_equal(logits: list[float], k: int) -> None:
    """Hot enough that each candidate comes up: of nine, one is missing once in 10²⁸ times."""
    best = sorted(range(len(logits)), key=lambda i: (-logits[i], i))[:k]
    prompt = torch.zeros(600, 1, dtype=torch.int64)
    drawn = with_logits(logits).generate(
        prompt, 1, top_k=k, temperature=1e6, generator=generator(1)
    )
    assert sorted(set(drawn[:, 1].tolist())) == sorted(best)


def test_of_many_equal_tokens_the_first_are_left() -> None:
    """So many that a sort might change the order of equal ones."""
    drawn = with_logits(5000 * [1.0]).generate(
        torch.zeros(200, 1, dtype=torch.int64), 1, top_k=3, generator=generator(1)
    )
    assert set(drawn[:, 1].tolist()) == {0, 1, 2}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [1.0, 1e30, 3e38])
@pytest.mark.parametrize("temperature", [0, 0.0, 5e-324, 1e-50, 1e-40, 1.2e-38, 1e-20, 1e-4])
def test_the_colder_the_surer(temperature: float, size: float, dtype: torch.dtype) -> None:
    model = with_logits([-size, 0.5 * size, size, 0.75 * size], dtype)
    drawn = model.generate(torch.zeros(50, 1, dtype=torch.int64), 2, temperature=temperature)
    assert (drawn[:, 1:] == 2).all()


def test_without_heat_the_lowest_id_of_equal_ones() -> None:
    model, prompt = with_logits([0.0, 2.0, 2.0, 1.0, 2.0]), torch.zeros(50, 1, dtype=torch.int64)
    for how in ({"temperature": 0}, {"temperature": 0, "top_k": 3}, {"top_k": 1}):
        assert (model.generate(prompt, 3, **how)[:, 1:] == 1).all()


@pytest.mark.parametrize("temperature", [1e6, 1e30])
def test_heat_without_limit_draws_evenly(temperature: float) -> None:
    prompt = torch.zeros(20_000, 1, dtype=torch.int64)
    drawn = with_logits([5.0, -5.0, 0.0, 2.0]).generate(
        prompt, 1, temperature=temperature, generator=generator(1)
    )
    fractions = drawn[:, 1].bincount(minlength=4) / len(prompt)
    torch.testing.assert_close(fractions, torch.full((4,), 0.25), rtol=0, atol=0.016)


def test_a_token_may_be_impossible() -> None:
    model, prompt = with_logits([0.0, -math.inf, 0.0]), torch.zeros(100, 1, dtype=torch.int64)
    for how in ({}, {"temperature": 0}, {"temperature": 1e30}, {"top_k": 2}):
        drawn = model.generate(prompt, 3, generator=generator(1), **how)
        assert 1 not in drawn


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


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("n", [0, 1, 9])
def test_the_result_is_a_tensor_of_its_own(n: int, dtype: torch.dtype) -> None:
    prompt = ids(2, 3).to(dtype)
    drawn = loud().generate(prompt, n, top_k=1)
    assert (drawn.shape, drawn.dtype) == ((2, 3 + n), torch.int64)
    drawn.zero_()
    assert torch.equal(prompt, ids(2, 3).to(dtype))


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


def test_each_part_has_its_own_mode_again() -> None:
    model = loud().train()
    model.blocks[0].eval()
    before = [module.training for module in model.modules()]
    model.generate(ids(1, 2), 3)
    assert [module.training for module in model.modules()] == before


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
        (torch.zeros(1, 0, dtype=torch.int64), r"idx must have shape .* not empty, got \(1, 0\)"),
        (torch.zeros(0, 1, dtype=torch.int64), r"idx must have shape .* not empty, got \(0, 1\)"),
        (torch.zeros(3, dtype=torch.int64), r"idx must have shape \(B, T\), .* got \(3,\)"),
        (torch.tensor([[1, 11]]), r"idx must hold ids from 0 to 10, got 11"),
        (torch.tensor([[-1, 2]]), r"idx must hold ids from 0 to 10, got -1"),
        (torch.tensor([[11] + 20 * [0]]), r"idx must hold ids from 0 to 10, got 11"),
    ],
)
def test_bad_prompts(idx: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loud().generate(idx, 3)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"temperature": -1.0}, "temperature must not be negative, got -1.0"),
        ({"temperature": math.nan}, "temperature must be finite, got nan"),
        ({"temperature": math.inf}, "temperature must be finite, got inf"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"top_k": -2}, "top_k must be at least 1, got -2"),
        ({"max_new_tokens": -1}, "max_new_tokens must not be negative, got -1"),
    ],
)
def test_bad_settings(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loud().generate(ids(1, 2), **({"max_new_tokens": 3} | setting))


@pytest.mark.parametrize(
    "setting", [{"temperature": "1"}, {"top_k": 2.0}, {"max_new_tokens": 3.0}, {"top_k": True}]
)
def test_settings_of_a_wrong_type(setting: dict[str, Any]) -> None:
    (name,) = setting
    with pytest.raises(TypeError, match=f"^{name} must be an? "):
        loud().generate(ids(1, 2), **({"max_new_tokens": 3} | setting))


@pytest.mark.parametrize("how", [{}, {"top_k": 2}, {"temperature": 0}])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_not_finite_are_named(bad: float, how: dict[str, Any]) -> None:
    for logits in ([0.0, bad, 1.0], 3 * [-math.inf]):
        with pytest.raises(FloatingPointError, match=r"^logits must be finite"):
            with_logits(logits).generate(torch.zeros(2, 1, dtype=torch.int64), 3, **how)
