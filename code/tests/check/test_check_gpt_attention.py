"""The check of chapter 7's attention: known mistakes, and loops over the heads."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from check_answers import outcome

from zerotohero.check.gpt import attention
from zerotohero.gpt import GPTConfig, MultiHeadAttention

T = torch.Tensor
Answer = Callable[[T, T, T, T, int], Any]


def in_heads(z: T, n_head: int) -> T:
    B, T, C = z.shape
    return z.view(B, T, n_head, C // n_head).transpose(1, 2)


def together(z: T) -> T:
    B, n_head, T, d = z.shape
    return z.transpose(1, 2).reshape(B, T, n_head * d)


def masked(scores: T) -> T:
    return scores.masked_fill(torch.ones(scores.shape[-2:]).tril() == 0, -math.inf)


def softmax_of(scores: T) -> T:
    return masked(scores).softmax(-1)


def with_parts(
    cut: Callable[[T, int], T] = in_heads,
    weigh: Callable[[T], T] = softmax_of,
    join: Callable[[T], Any] = together,
    scale: Callable[[int, int], float] = lambda d, C: d**-0.5,
) -> Answer:
    """Return attention whose parts may be replaced by wrong ones."""

    def answer(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> Any:
        q, k, v = (cut(x @ W, n_head) for W in (Wq, Wk, Wv))
        C = x.shape[-1]
        return join(weigh(q @ k.mT * scale(C // n_head, C)) @ v)

    return answer


def fused(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> T:
    q, k, v = (in_heads(x @ W, n_head) for W in (Wq, Wk, Wv))
    return together(F.scaled_dot_product_attention(q, k, v, is_causal=True))


# -- wrong answers -------------------------------------------------------------------------


def hides(hidden: Callable[[T], T], fill: float = -math.inf) -> Callable[[T], T]:
    """Return a softmax with a mask of its own."""

    def weigh(scores: T) -> T:
        ones = torch.ones(scores.shape[-2:], dtype=torch.bool)
        return scores.masked_fill(hidden(ones), fill).softmax(-1)

    return weigh


def as_view(z: T, n_head: int) -> T:
    B, T, C = z.shape
    return z.view(B, n_head, T, C // n_head)


def interleaved(z: T, n_head: int) -> T:
    B, T, C = z.shape
    return z.view(B, T, C // n_head, n_head).permute(0, 3, 1, 2)


def uncut(z: T, n_head: int) -> T:
    return z.unflatten(2, (n_head, -1))  # without a transpose


def only_reshaped(z: T) -> T:
    B, n_head, T, d = z.shape
    return z.reshape(B, T, n_head * d)


ROOT = "Divide the scores by the square root of the head size."
MIXES = "view(B, n_head, T, d) mixes tokens and heads. First (B, T, n_head, d), then transpose."
JOIN = "Put the heads after the tokens again before you join them: transpose."
NEIGHBORS = "Neighboring channels belong to one head: view(B, T, n_head, d)."
SINGLE = "That is a single head. Split the channels."
ZERO = "In a softmax a score of 0 counts. Mask with −∞."
LATE = "Mask the scores before the softmax, or rows do not add up to 1."
TURNED = "The mask is reversed: it hides the past."


@pytest.mark.parametrize(
    ("changes", "words", "hint"),
    [
        (
            {"scale": lambda d, C: C**-0.5},
            "(0, 1, 0)",
            "Scale by the size of a head, not by the number of channels.",
        ),
        ({"scale": lambda d, C: 1}, "(0, 1, 0)", "The scores are not scaled."),
        ({"scale": lambda d, C: 1 / d}, "(0, 1, 0)", ROOT),
        ({"scale": lambda d, C: math.sqrt(d)}, "(0, 1, 0)", ROOT),
        (
            {"scale": lambda d, C: 1, "weigh": lambda scores: softmax_of(scores) * 4**-0.5},
            "(0, 0, 0)",
            "Scale the scores, not what comes out of the softmax.",
        ),
        (
            {"weigh": lambda scores: scores.softmax(-1)},
            "(0, 0, 0)",
            "Tokens look into the future: the mask is missing.",
        ),
        ({"weigh": hides(lambda ones: ones.tril(-1))}, "(0, 0, 0)", TURNED),
        ({"weigh": hides(lambda ones: ones.tril())}, "(0, 0, 0)", TURNED),
        (
            {"weigh": hides(lambda ones: ones.triu())},
            "received nan",
            "A token also attends to itself: leave the diagonal in.",
        ),
        ({"weigh": hides(lambda ones: ones.triu(1), fill=0)}, "(0, 0, 0)", ZERO),
        ({"weigh": hides(lambda ones: ones.triu(1), fill=1e-9)}, "(0, 0, 0)", ZERO),
        ({"weigh": lambda scores: scores.tril().softmax(-1)}, "(0, 0, 0)", ZERO),
        ({"weigh": lambda scores: scores.softmax(-1).tril()}, "(0, 0, 0)", LATE),
        (
            {"weigh": lambda scores: masked(scores).softmax(-2)},
            "(0, 0, 0)",
            "Softmax over the keys: the last dimension.",
        ),
        ({"join": lambda z: z}, "shape (2, 6, 12), received (2, 3, 6, 4)", JOIN),
        ({"join": only_reshaped}, "(0, 0, 4)", JOIN),
        ({"cut": as_view, "join": only_reshaped}, "(0, 0, 4)", MIXES),
        ({"cut": as_view}, "(0, 0, 4)", MIXES),
        ({"cut": interleaved}, "(0, 0, 1)", NEIGHBORS),
        (
            {"cut": interleaved, "join": lambda z: z.permute(0, 2, 3, 1).flatten(2)},
            "(0, 1, 0)",
            NEIGHBORS,
        ),
        ({"cut": lambda z, n_head: z[:, None]}, "(0, 1, 0)", SINGLE),
        (
            {"cut": lambda z, n_head: z, "join": lambda z: z, "scale": lambda d, C: C**-0.5},
            "(0, 1, 0)",
            SINGLE,
        ),
        ({"weigh": masked}, "received nan", ""),
        ({"join": lambda z: together(z) * math.nan}, "received nan", ""),
        ({"join": lambda z: z.sum(1)}, "shape (2, 6, 12), received (2, 6, 4)", ""),
        ({"join": lambda z: together(z) + 0j}, "should hold real numbers", ""),
        ({"join": lambda z: (together(z), z)}, "should be a tensor", ""),
        ({"cut": uncut}, "shape (2, 6, 12), received (2, 3, 24)", ""),
        (
            {"cut": uncut, "join": lambda z: z.flatten(2)},
            "(0, 0, 4)",
            "That attends from head to head. The tokens have to be the second to last dimension.",
        ),
    ],
)
def test_attention_wrong(changes: dict[str, Any], words: str, hint: str) -> None:
    where = "attention(x, Wq, Wk, Wv, 3), x of shape (2, 6, 12)"
    outcome(attention(with_parts(**changes)), where, words, hint=hint)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            lambda x, Wq, Wk, Wv, n_head: fused(x, Wk, Wq, Wv, n_head),
            "Queries look for keys: q @ k.mT, not k @ q.mT.",
        ),
        (
            lambda x, Wq, Wk, Wv, n_head: fused(x, Wq, Wk, torch.eye(x.shape[-1]), n_head),
            "Average the values, x @ Wv, not x.",
        ),
        (
            lambda x, Wq, Wk, Wv, n_head: fused(x, Wq.T, Wk.T, Wv.T, n_head),
            "The queries are x @ Wq. F.linear would turn the matrix around.",
        ),
        (lambda x, Wq, Wk, Wv, n_head: fused(x, Wq, Wk, Wv, 1), SINGLE),
        (lambda x, Wq, Wk, Wv, n_head: fused(x, Wq, Wk, Wk, n_head), ""),
    ],
)
def test_attention_with_other_matrices(answer: Answer, hint: str) -> None:
    where = "attention(x, Wq, Wk, Wv, 3), x of shape (2, 6, 12): entry (0, "
    outcome(attention(answer), where, hint=hint)


def test_attention_right_for_one_shape_only() -> None:
    def three_heads(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> T:
        return fused(x, Wq, Wk, Wv, 3)

    def six_tokens(scores: T) -> T:
        return (scores + torch.full((6, 6), -math.inf).triu(1)).softmax(-1)

    second = "attention(x, Wq, Wk, Wv, 7), x of shape (2, 5, 28)"
    third = "attention(x, Wq, Wk, Wv, 5), x of shape (3, 4, 10)"
    outcome(attention(three_heads), second + " raised RuntimeError")
    outcome(attention(with_parts(weigh=six_tokens)), second + " raised RuntimeError")
    of_four = attention(with_parts(scale=lambda d, C: 0.5))
    outcome(of_four, third + ": entry (0, 1, 0)", hint=ROOT)
    of_two = attention(with_parts(join=lambda z: together(z)[:2]))
    outcome(of_two, third + " should have shape (3, 4, 10), received (2, 4, 10)")


def test_attention_of_an_input_that_it_changes() -> None:
    hint = "+=, an index on the left of =, and methods that end in _ change the tensor itself."

    def zeroed(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> T:
        out = fused(x, Wq, Wk, Wv, n_head)
        x.zero_()
        return out

    def scaled(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> T:
        Wq /= 1
        Wq *= (x.shape[-1] // n_head) ** -0.5
        return with_parts(scale=lambda d, C: 1)(x, Wq, Wk, Wv, n_head)

    outcome(attention(zeroed), "(2, 6, 12) changed x, which it was given.", hint=hint)
    outcome(attention(scaled), "(2, 6, 12) changed Wq, which it was given.", hint=hint)


# -- loops over the heads ------------------------------------------------------------------


def head_by_head(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> T:
    d, results = x.shape[-1] // n_head, []
    for h in range(n_head):
        q, k, v = (x @ W[:, h * d : (h + 1) * d] for W in (Wq, Wk, Wv))
        results.append(softmax_of(q @ k.transpose(1, 2) / math.sqrt(d)) @ v)
    return torch.cat(results, dim=-1)


def token_by_token(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> np.ndarray:
    """Loop over everything, in NumPy; no token asks for a mask."""
    B, T, C = x.shape
    d = C // n_head
    q, k, v = ((x @ W).numpy().astype(float) for W in (Wq, Wk, Wv))
    out = np.zeros((B, T, C))
    for b, t, h in np.ndindex(B, T, n_head):
        own = slice(h * d, (h + 1) * d)
        weights = np.exp(k[b, : t + 1, own] @ q[b, t, own] / np.sqrt(d))
        out[b, t, own] = weights @ v[b, : t + 1, own] / weights.sum()
    return out


def with_heads(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> T:
    _, T, C = x.shape
    layer = MultiHeadAttention(GPTConfig(1, T, C, n_head, 1))
    d = C // n_head
    with torch.no_grad():
        for h, head in enumerate(layer.heads):
            for part, W in zip((head.query, head.key, head.value), (Wq, Wk, Wv), strict=True):
                part.weight.copy_(W[:, h * d : (h + 1) * d].T)
        layer.proj.load_state_dict({"weight": torch.eye(C), "bias": torch.zeros(C)})
    return layer(x)


def in_lists(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> list[Any]:
    d, C = x.shape[-1] // n_head, x.shape[-1]
    q, k, v = ((x @ W).tolist() for W in (Wq, Wk, Wv))
    results = []
    for Q, K, V in zip(q, k, v, strict=True):
        rows = []
        for t in range(len(Q)):
            row = []
            for c in range(C):
                own = range(c // d * d, c // d * d + d)
                scores = [sum(Q[t][i] * K[s][i] for i in own) / d**0.5 for s in range(t + 1)]
                weights = [math.exp(score) for score in scores]
                total = sum(w * V[s][c] for s, w in enumerate(weights))
                row.append(total / sum(weights))
            rows.append(row)
        results.append(rows)
    return results


def by_pieces(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> T:
    pieces = ((x @ W).chunk(n_head, dim=-1) for W in (Wq, Wk, Wv))
    heads = map(functools.partial(F.scaled_dot_product_attention, is_causal=True), *pieces)
    return torch.cat(list(heads), dim=-1)


def in_a_generator(x: T, Wq: T, Wk: T, Wv: T, n_head: int) -> Iterator[T]:
    q, k, v = (in_heads(x @ W, n_head) for W in (Wq, Wk, Wv))
    for b in range(len(x)):
        heads = [
            F.scaled_dot_product_attention(q[b, h], k[b, h], v[b, h], is_causal=True)
            for h in range(n_head)
        ]
        yield torch.cat(heads, dim=-1)


@pytest.mark.parametrize(
    "answer",
    [head_by_head, token_by_token, with_heads, by_pieces, in_a_generator],
)
def test_attention_by_a_loop(answer: Answer) -> None:
    hint = "Make the heads a dimension next to the batch: then one product serves all of them."
    outcome(
        attention(answer),
        "A loop over the heads is ruled out in this exercise.",
        "attention(x, Wq, Wk, Wv, 3), x of shape (2, 6, 48) runs ",
        "attention(x, Wq, Wk, Wv, 24), x of shape (2, 6, 48) runs ",
        hint=hint,
    )


def test_attention_entry_by_entry() -> None:
    """That goes over the heads, too, though the number of channels says how often."""
    hint = "Make the heads a dimension next to the batch: then one product serves all of them."
    where = "A loop over the heads is ruled out in this exercise. attention(x, Wq, Wk, Wv, 24), "
    outcome(attention(in_lists), where, "lines and calls.", hint=hint)


def test_attention_may_prepare_something_once() -> None:
    kept: list[T] = []

    def with_a_buffer(scores: T) -> T:
        if not kept or len(kept[0]) < scores.shape[-1]:
            n = scores.shape[-1]
            kept[:] = [torch.full((n, n), -math.inf).triu(1)]
        n = scores.shape[-1]
        return (scores + kept[0][:n, :n]).softmax(-1)

    assert attention(with_parts(weigh=with_a_buffer))


@pytest.mark.parametrize("size", [8, 16, 64])
def test_attention_with_a_mask_of_a_fixed_size(size: int) -> None:
    def fixed(scores: T) -> T:
        T_ = scores.shape[-1]
        hidden = torch.ones(size, size).tril()[:T_, :T_] == 0
        return scores.masked_fill(hidden, -math.inf).softmax(-1)

    outcome(attention(with_parts(weigh=fixed)), "x of shape (2, 70, 6) raised RuntimeError")


def test_attention_with_a_mask_of_the_number_of_channels() -> None:
    def masked_by_channels(x: T, Wq: T, Wk: T, Wv: T, n_head: int, only: int | None = None) -> T:
        C = x.shape[-1]

        def weigh(scores: T) -> T:
            T_ = scores.shape[-1]
            size = C if only in (None, C) else T_
            hidden = torch.ones(size, size).triu(1)[:T_, :T_] == 1
            return scores.masked_fill(hidden, -math.inf).softmax(-1)

        return with_parts(weigh=weigh)(x, Wq, Wk, Wv, n_head)

    outcome(attention(masked_by_channels), "x of shape (2, 70, 6) raised RuntimeError")
    of_one = attention(lambda *given: masked_by_channels(*given, only=1))
    outcome(of_one, "x of shape (2, 3, 1): entry")  # a mask of one number fits any scores


# -- sizes of 1, and large scores ----------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *args: fused(*args).squeeze(), "(1, 3, 6) should have shape (1, 3, 6), received"),
        (lambda *args: fused(*args).squeeze(0), "(1, 3, 6) should have shape (1, 3, 6), received"),
        (lambda *args: fused(*args).squeeze(1), "(3, 1, 8) should have shape (3, 1, 8), received"),
        (lambda *args: fused(*args) if args[-1] > 1 else args[0], "(x, Wq, Wk, Wv, 1), x of shape"),
        (
            lambda *args: fused(*args) if args[-1] < args[0].shape[-1] else args[0] @ args[3],
            "(x, Wq, Wk, Wv, 5), x of shape (2, 3, 5): entry",
        ),
    ],
)
def test_attention_with_sizes_of_1(answer: Answer, words: str) -> None:
    outcome(attention(answer), words)


@pytest.mark.parametrize("fill", [-50, -100, -150, -200, -300, -500])
def test_attention_with_a_mask_that_is_not_low_enough(fill: float) -> None:
    answer = with_parts(weigh=hides(lambda ones: ones.triu(1), fill=fill))
    mask = "Mask with −∞: next to large scores, a number such as −100 is not low enough."
    outcome(attention(answer), "with scores in the hundreds: entry", hint=mask)


NAN = (
    "Mask with −∞ before the softmax. exp by itself gets too large, and weights masked "
    "afterwards can all be 0: 0/0."
)


def test_attention_with_exp_alone() -> None:
    def weigh(scores: T) -> T:
        weights = scores.exp().tril()
        return weights / weights.sum(-1, keepdim=True)

    answer = with_parts(weigh=weigh)
    outcome(attention(answer), "with scores in the hundreds: entry", "received nan", hint=NAN)


def test_attention_with_weights_masked_after_the_softmax() -> None:
    def weigh(scores: T) -> T:
        weights = scores.softmax(-1).tril()
        return weights / weights.sum(-1, keepdim=True)

    answer = with_parts(weigh=weigh)
    outcome(attention(answer), "with scores in the hundreds: entry", "received nan", hint=NAN)


def test_attention_with_a_mask_for_scores_in_the_hundreds() -> None:
    assert attention(with_parts(weigh=hides(lambda ones: ones.triu(1), fill=-1000)))


def test_attention_that_masks_by_value() -> None:
    def weigh(scores: T) -> T:
        scores = scores.tril()
        scores[scores == 0] = -math.inf
        return scores.softmax(-1)

    hint = "A score may be 0, too: mask by position, not by value."
    where = "attention(x, Wq, Wk, Wv, 3), x of shape (2, 5, 12), x[1, 2] zero: entry (1, 2, 0)"
    outcome(attention(with_parts(weigh=weigh)), where, "received nan", hint=hint)


def test_attention_with_large_scores_in_another_way_wrong() -> None:
    answer = with_parts(weigh=lambda scores: softmax_of(scores.clamp(-50, 50)))
    outcome(attention(answer), "with scores in the hundreds: entry")
