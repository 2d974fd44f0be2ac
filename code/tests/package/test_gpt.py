"""Chapter 7's attention and blocks, against loops, PyTorch's own attention, and each other."""

import math
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zerotohero.gpt import (
    Block,
    CausalSelfAttention,
    FeedForward,
    GPTConfig,
    Head,
    KVCache,
    MultiHeadAttention,
)

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = GPTConfig(vocab_size=11, block_size=8, n_embd=12, n_head=3, n_layer=2)


def rand(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(42)  # draws the weights of layers below


# -- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vocab_size", "block_size", "n_embd", "n_head", "n_layer"])
@pytest.mark.parametrize("size", [0, -3])
def test_a_size_is_at_least_one(name: str, size: int) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be at least 1, got {size}$"):
        replace(SMALL, **{name: size})


@pytest.mark.parametrize("name", ["vocab_size", "block_size", "n_embd", "n_head", "n_layer"])
@pytest.mark.parametrize("size", [32.0, "8", True, None])
def test_a_size_is_whole(name: str, size: object) -> None:
    with pytest.raises(TypeError, match=rf"^{name} must be an int, got {size!r}$"):
        replace(SMALL, **{name: size})


def test_heads_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"n_head must divide n_embd, got n_head=5 and n_embd=12"):
        replace(SMALL, n_head=5)
    assert SMALL.head_size == 4


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, math.nan])
def test_dropout_out_of_range(fraction: float) -> None:
    with pytest.raises(ValueError, match=rf"^dropout must .*, got {fraction}$"):
        replace(SMALL, dropout=fraction)


@pytest.mark.parametrize("fraction", ["0.1", None, False])
def test_dropout_is_a_number(fraction: Any) -> None:
    with pytest.raises(TypeError, match=rf"^dropout must be a number, got {fraction!r}$"):
        replace(SMALL, dropout=fraction)


# -- one head ----------------------------------------------------------------------------------


def head_in_loops(head: Head, x: torch.Tensor) -> torch.Tensor:
    """Attention, number by number."""
    B, T, _ = x.shape
    size = head.key.weight.shape[0]
    out = torch.zeros(B, T, size)
    for b in range(B):
        q, k, v = ((part.weight @ x[b].T).T.tolist() for part in (head.query, head.key, head.value))
        for t in range(T):
            scores = [
                math.exp(sum(q[t][i] * k[s][i] for i in range(size)) / math.sqrt(size))
                for s in range(t + 1)
            ]
            for i in range(size):
                gathered = sum(score * v[s][i] for s, score in enumerate(scores))
                out[b, t, i] = gathered / sum(scores)
    return out


@pytest.mark.parametrize("T", [1, 2, 5, 8])
def test_head_against_loops(T: int) -> None:
    head, x = Head(SMALL), rand(2, T, 12)
    torch.testing.assert_close(head(x), head_in_loops(head, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("T", [1, 5, 8])
def test_head_against_pytorch(T: int) -> None:
    head, x = Head(SMALL), rand(2, T, 12)
    expected = F.scaled_dot_product_attention(
        head.query(x), head.key(x), head.value(x), is_causal=True
    )
    torch.testing.assert_close(head(x), expected, rtol=1e-5, atol=1e-6)


def test_the_first_token_sees_itself_only() -> None:
    head, x = Head(SMALL), rand(3, 4, 12)
    torch.testing.assert_close(head(x)[:, 0], head.value(x)[:, 0])


def test_scores_are_scaled_by_the_size_of_the_head() -> None:
    """Twice the queries, a quarter of the keys... the scale is 1 / sqrt(4), not 1 / sqrt(12)."""
    head, x = Head(SMALL), rand(1, 2, 12)
    with torch.no_grad():
        scores = (head.query(x) @ head.key(x).mT)[0, 1] / 2
        weights = scores.softmax(0)
        torch.testing.assert_close(head(x)[0, 1], weights @ head.value(x)[0])


def test_dropout_of_a_head_is_off_in_evaluation() -> None:
    head, x = Head(replace(SMALL, dropout=0.5)), rand(2, 8, 12)
    assert not torch.equal(head(x), head(x))
    head.eval()
    torch.testing.assert_close(head(x), head_in_loops(head, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("T", [0, 9])
def test_a_head_refuses_more_tokens_than_its_mask_has(T: int) -> None:
    with pytest.raises(ValueError, match=rf"^T must be from 1 to 8, got {T}$"):
        Head(SMALL)(rand(2, T, 12))


def test_the_mask_is_not_part_of_a_checkpoint() -> None:
    assert set(Head(SMALL).state_dict()) == {"key.weight", "query.weight", "value.weight"}


# -- several heads -----------------------------------------------------------------------------


def test_several_heads_are_heads_side_by_side() -> None:
    several, x = MultiHeadAttention(SMALL), rand(2, 6, 12)
    gathered = torch.cat([head_in_loops(head, x) for head in several.heads], -1)
    torch.testing.assert_close(several(x), several.proj(gathered), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("n_head", "T"), [(1, 8), (2, 5), (3, 1), (6, 8), (12, 7)])
def test_batched_heads_equal_a_loop_of_heads(n_head: int, T: int, training: bool) -> None:
    config = replace(SMALL, n_head=n_head)
    loop = MultiHeadAttention(config).train(training)
    batched = CausalSelfAttention.from_heads(loop, config).train(training)
    inputs = [rand(3, T, 12).requires_grad_() for _ in range(2)]
    outputs = [loop(inputs[0]), batched(inputs[1])]
    torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)

    for out in outputs:
        (out * rand(3, T, 12, seed=2)).sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-5, atol=1e-5)
    parts = ("query", "key", "value")
    grads = [getattr(head, part).weight.grad for part in parts for head in loop.heads]
    torch.testing.assert_close(torch.cat(grads), batched.qkv.weight.grad, rtol=1e-5, atol=1e-5)
    for name in ("weight", "bias"):
        ours, theirs = (getattr(m.proj, name).grad for m in (loop, batched))
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_from_heads_copies() -> None:
    loop = MultiHeadAttention(SMALL)
    batched = CausalSelfAttention.from_heads(loop, SMALL)
    before = batched.proj.weight.clone()
    with torch.no_grad():
        loop.proj.weight.zero_()
        loop.heads[0].key.weight.zero_()
    assert torch.equal(batched.proj.weight, before)
    assert batched.qkv.weight.abs().min() > 0


def test_from_heads_keeps_the_precision() -> None:
    loop = MultiHeadAttention(SMALL).double()
    batched, x = CausalSelfAttention.from_heads(loop, SMALL), rand(2, 5, 12).double()
    torch.testing.assert_close(loop(x), batched(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sizes", [(2, 12), (3, 24), (6, 24)])
def test_from_heads_refuses_other_sizes(sizes: tuple[int, int]) -> None:
    other = replace(SMALL, n_head=sizes[0], n_embd=sizes[1])
    with pytest.raises(ValueError, match=rf"= {re.escape(str(sizes))}, got \(3, 12\)$"):
        CausalSelfAttention.from_heads(MultiHeadAttention(SMALL), other)


def test_a_block_of_heads_refuses_a_cache() -> None:
    with pytest.raises(ValueError, match="takes no cache"):
        Block(SMALL, batched=False)(rand(1, 2, 12), KVCache(SMALL))


def test_both_forms_have_as_many_parameters() -> None:
    counts = [
        sum(p.numel() for p in form(SMALL).parameters())
        for form in (MultiHeadAttention, CausalSelfAttention)
    ]
    assert counts == [12 * 36 + 12 * 12 + 12] * 2


def test_dropout_of_the_batched_form() -> None:
    config = replace(SMALL, dropout=0.5)
    batched, x = CausalSelfAttention(config), rand(2, 8, 12)
    assert not torch.equal(batched(x), batched(x))
    batched.eval()
    assert torch.equal(batched(x), batched(x))


@pytest.mark.parametrize("form", [MultiHeadAttention, CausalSelfAttention])
def test_dropout_keeps_the_mean(form: Any) -> None:
    """A token that sees itself only: what is dropped is made up for by what is kept."""
    several = form(replace(SMALL, dropout=0.25))
    x = rand(1, 1, 12).expand(40_000, 1, 12)
    with torch.no_grad():
        dropped = several(x)
        clear = several.eval()(x[:1])
    torch.testing.assert_close(dropped.mean(0), clear[0], rtol=0.05, atol=0.02)


@pytest.mark.parametrize("first", [1, 3, 8])
def test_a_cache_continues(first: int) -> None:
    batched, x, cache = CausalSelfAttention(SMALL).eval(), rand(2, 8, 12), KVCache(SMALL)
    with torch.no_grad():
        parts = [batched(x[:, :first], cache)]
        parts += [batched(x[:, t : t + 1], cache) for t in range(first, 8)]
        torch.testing.assert_close(torch.cat(parts, 1), batched(x), rtol=1e-5, atol=1e-6)
    assert cache.length == 8


def test_what_a_cache_keeps() -> None:
    cache = KVCache(SMALL)
    k, v = rand(2, 3, 8, 4), rand(2, 3, 8, 4, seed=2)
    for start, end in [(0, 3), (3, 4), (4, 8)]:
        keys, values = cache.append(k[:, :, start:end], v[:, :, start:end])
        assert torch.equal(keys, k[:, :, :end])
        assert torch.equal(values, v[:, :, :end])
    with pytest.raises(ValueError, match=r"^k must fit into 8 positions, got 1 after 8$"):
        cache.append(k[:, :, :1], v[:, :, :1])


@pytest.mark.parametrize(
    "other", [rand(1, 3, 2, 4), rand(2, 1, 2, 4), rand(2, 3, 2, 1), rand(2, 3, 2, 4).double()]
)
def test_what_does_not_continue_a_cache_is_refused(other: torch.Tensor) -> None:
    """Sizes of 1 would be broadcast, and float64 rounded."""
    cache = KVCache(SMALL)
    cache.append(rand(2, 3, 5, 4), rand(2, 3, 5, 4))
    with pytest.raises(
        ValueError, match=r"^k must be \(2, 3, 2, 4\), .*, like the earlier keys, got"
    ):
        cache.append(other, other)
    assert cache.length == 5


# -- feed-forward and block --------------------------------------------------------------------


def test_feed_forward_treats_each_token_by_itself() -> None:
    layer, x = FeedForward(SMALL), rand(2, 5, 12)
    first, _, second, _ = layer.net
    assert first.weight.shape == (48, 12)
    expected = (x @ first.weight.T + first.bias).clamp(min=0) @ second.weight.T + second.bias
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer(x)[:, 3], layer(x[:, 3]))


@pytest.mark.parametrize("batched", [True, False])
def test_block_is_two_steps_beside_a_residual_path(batched: bool) -> None:
    block, x = Block(SMALL, batched=batched), rand(2, 5, 12)
    middle = x + block.attention(F.layer_norm(x, (12,)))
    expected = middle + block.feed_forward(F.layer_norm(middle, (12,)))
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("n_head", [1, 3, 4])
def test_block_against_pytorchs_transformer_layer(n_head: int) -> None:
    config = replace(SMALL, n_head=n_head)
    block, x = Block(config), rand(2, 7, 12)
    theirs = nn.TransformerEncoderLayer(
        12, n_head, 48, dropout=0.0, activation="relu", batch_first=True, norm_first=True
    )
    with torch.no_grad():
        for p in block.parameters():
            p.copy_(torch.randn(p.shape) / 3)
        theirs.self_attn.in_proj_weight.copy_(block.attention.qkv.weight)
        theirs.self_attn.in_proj_bias.zero_()
        theirs.self_attn.out_proj.load_state_dict(block.attention.proj.state_dict())
        theirs.linear1.load_state_dict(block.feed_forward.net[0].state_dict())
        theirs.linear2.load_state_dict(block.feed_forward.net[2].state_dict())
        theirs.norm1.load_state_dict(block.ln1.state_dict())
        theirs.norm2.load_state_dict(block.ln2.state_dict())
    mask = nn.Transformer.generate_square_subsequent_mask(7)
    torch.testing.assert_close(block(x), theirs(x, mask), rtol=1e-5, atol=1e-5)
