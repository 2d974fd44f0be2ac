"""Chapter 7's GPT: parameters, first weights, loss, and that it does not see the future."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from zerotohero.gpt import GPT, CausalSelfAttention, GPTConfig, MultiHeadAttention

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = GPTConfig(vocab_size=11, block_size=8, n_embd=12, n_head=3, n_layer=2)
LECTURE = GPTConfig(vocab_size=65, block_size=256, n_embd=384, n_head=6, n_layer=6, dropout=0.2)
FORMS = ["batched", "heads"]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ids(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, SMALL.vocab_size, shape, generator=generator(seed))


def loud(config: GPTConfig = SMALL, **options: Any) -> GPT:
    """A model with large weights, so that every part of it has a say in the logits."""
    model = GPT(config, generator=generator(3), **options)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator(p.numel())) / 3)
    return model


# -- parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", FORMS)
def test_number_of_parameters_of_the_lecture(attention: Any) -> None:
    with torch.device("meta"):
        model = GPT(LECTURE, attention=attention)
    assert sum(p.numel() for p in model.parameters()) == 10_788_929


@pytest.mark.parametrize("attention", FORMS)
def test_number_of_parameters_by_formula(attention: Any) -> None:
    V, T, C, L = SMALL.vocab_size, SMALL.block_size, SMALL.n_embd, SMALL.n_layer
    block = 3 * C * C + (C * C + C) + (4 * C * C + 4 * C) + (4 * C * C + C) + 4 * C
    model = GPT(SMALL, attention=attention)
    expected = V * C + T * C + L * block + 2 * C + (C * V + V)
    assert sum(p.numel() for p in model.parameters()) == expected


@pytest.mark.parametrize("attention", FORMS)
def test_first_weights(attention: Any) -> None:
    config = GPTConfig(vocab_size=300, block_size=300, n_embd=128, n_head=4, n_layer=2)
    model = GPT(config, attention=attention, generator=generator(5))
    for name, p in model.named_parameters():
        if p.ndim == 2:  # at least 4,096 draws: 1.1 % off is one standard deviation
            assert p.std().item() == pytest.approx(0.02, rel=0.06), name
            assert abs(p.mean().item()) < 0.0016, name
        elif name.endswith("bias"):
            assert not p.any(), name
        else:
            assert torch.equal(p, torch.ones_like(p)), name


def test_the_seed_decides() -> None:
    first, same, other = (GPT(SMALL, generator=generator(seed)) for seed in (1, 1, 2))
    pairs = zip(first.named_parameters(), same.parameters(), other.parameters(), strict=True)
    for (name, p), q, r in pairs:
        assert torch.equal(p, q)
        assert torch.equal(p, r) == (p.ndim == 1), name


def test_without_a_generator_the_seed_of_torch_decides() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        first = GPT(SMALL)
        torch.manual_seed(7)
        same = GPT(SMALL)
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), same.parameters()))


@pytest.mark.parametrize(
    ("attention", "kind"), [("batched", CausalSelfAttention), ("heads", MultiHeadAttention)]
)
def test_the_form_of_attention(attention: Any, kind: type) -> None:
    assert all(type(block.attention) is kind for block in GPT(SMALL, attention=attention).blocks)


def test_unknown_form_of_attention() -> None:
    with pytest.raises(ValueError, match=r"attention must be .*, got 'loop'$"):
        GPT(SMALL, attention="loop")  # type: ignore[arg-type]


# -- logits and loss ---------------------------------------------------------------------------


def with_heads_of(model: GPT) -> GPT:
    """Return the batched form of a model with a loop of heads."""
    other = GPT(model.config).to(model.lm_head.weight)
    state = model.state_dict()
    for i, block in enumerate(model.blocks):
        batched = CausalSelfAttention.from_heads(block.attention, model.config)
        state |= {f"blocks.{i}.attention.{k}": v for k, v in batched.state_dict().items()}
    other.load_state_dict({name: v for name, v in state.items() if ".heads." not in name})
    return other


def test_both_forms_give_the_same_loss_and_gradients() -> None:
    heads = loud(attention="heads")
    batched = with_heads_of(heads)
    losses = []
    for model in (heads, batched):
        logits, loss = model(ids(4, 8), ids(4, 8, seed=2))
        loss.backward()
        losses.append((logits, loss))
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=1e-5)
    for name, p in batched.named_parameters():
        if ".qkv." not in name:
            torch.testing.assert_close(
                p.grad, heads.get_parameter(name).grad, rtol=1e-4, atol=1e-5, msg=name
            )


@pytest.mark.parametrize("attention", FORMS)
def test_causality(attention: Any) -> None:
    model = loud(attention=attention)
    x = ids(3, 8)
    logits, _ = model(x)
    for t in range(8):
        changed = x.clone()
        changed[:, t] = (changed[:, t] + 1) % SMALL.vocab_size
        other, _ = model(changed)
        torch.testing.assert_close(other[:, :t], logits[:, :t])
        assert (other[:, t:] - logits[:, t:]).abs().amax(-1).min() > 1e-4, "all later ones change"


@pytest.mark.parametrize("attention", FORMS)
def test_a_shorter_text_gives_the_same_logits(attention: Any) -> None:
    model = loud(attention=attention)
    x = ids(2, 8)
    logits, loss = model(x)
    assert loss is None
    for t in range(1, 8):
        torch.testing.assert_close(model(x[:, :t])[0], logits[:, :t], rtol=1e-5, atol=1e-5)


def test_sequences_of_a_batch_do_not_talk() -> None:
    model, x = loud(), ids(4, 8)
    together, _ = model(x)
    alone = torch.cat([model(row[None])[0] for row in x])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_the_position_matters() -> None:
    logits, _ = loud()(torch.zeros(1, 8, dtype=torch.int64))
    assert torch.pdist(logits[0]).min() > 0.01


def test_loss_is_pytorchs_cross_entropy() -> None:
    model, x, y = loud(), ids(4, 6), ids(4, 6, seed=2)
    logits, loss = model(x, y)
    log_probs = logits.log_softmax(-1)
    expected = -sum(log_probs[b, t, y[b, t]] for b in range(4) for t in range(6)) / 24
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(loss, F.cross_entropy(logits.mT, y))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_positions_with_minus_100_do_not_count(dtype: torch.dtype) -> None:
    model, x, y = loud(), ids(4, 6), ids(4, 6, seed=2)
    y[:, :3] = -100
    logits, loss = model(x, y.to(dtype))
    torch.testing.assert_close(loss, F.cross_entropy(logits[:, 3:].mT, y[:, 3:]))


# -- other precisions --------------------------------------------------------------------------


@pytest.mark.parametrize("T", [1, 8])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("attention", FORMS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-5), (torch.bfloat16, 0.3)])
def test_a_model_of_another_precision(
    dtype: torch.dtype, tolerance: float, attention: Any, dropout: float, T: int
) -> None:
    """Forward, loss, backward and sampling, without autocast."""
    model = loud(replace(SMALL, dropout=dropout), attention=attention)
    x, y = ids(4, T), ids(4, T, seed=2)
    expected, expected_loss = model.eval()(x, y)
    model = model.to(dtype)
    for use_cache in (True, False):
        model.generate(x, 10, top_k=5, use_cache=use_cache)
    logits, loss = model(x, y)
    assert logits.dtype == dtype
    torch.testing.assert_close(logits.float(), expected, rtol=0, atol=tolerance)
    torch.testing.assert_close(loss.float(), expected_loss, rtol=0, atol=tolerance)

    _, loss = model.train()(x, y)
    loss.backward()
    for name, p in model.named_parameters():
        assert p.grad.dtype == dtype, name
        assert p.grad.isfinite().all(), name


@pytest.mark.parametrize("T", [2, 8])
def test_gradients_in_bfloat16_are_near(T: int) -> None:
    model, x, y = loud(), ids(4, T), ids(4, T, seed=2)
    model(x, y)[1].backward()
    rough = loud().to(torch.bfloat16)
    rough(x, y)[1].backward()
    for (name, p), q in zip(model.named_parameters(), rough.parameters()):
        assert (q.grad.float() - p.grad).norm() < 0.1 * p.grad.norm() + 1e-6, name


@pytest.mark.parametrize("attention", FORMS)
def test_first_loss_is_that_of_no_idea(attention: Any) -> None:
    config = replace(SMALL, vocab_size=65, n_embd=48)
    x = torch.randint(0, 65, (2, 16, 8), generator=generator(9))
    _, loss = GPT(config, attention=attention, generator=generator(1))(x[0], x[1])
    assert loss.item() == pytest.approx(math.log(65), abs=0.05)


def test_it_learns_a_rule() -> None:
    """The next token is this one plus one: certain after a few steps."""
    model = GPT(SMALL, generator=generator(2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    draw = generator(3)
    for _ in range(120):
        start = torch.randint(0, 11, (16, 1), generator=draw)
        x = (start + torch.arange(9)) % 11
        _, loss = model(x[:, :-1], x[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    continued = model.generate(torch.tensor([[4]]), 20, top_k=1)
    assert continued.tolist() == [[(4 + i) % 11 for i in range(21)]]


# -- what is refused ---------------------------------------------------------------------------


def refused(act: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        act()


def test_bad_input() -> None:
    model = GPT(SMALL)
    refused(lambda: model(ids(2, 9)), r"^idx must hold at most block_size = 8 tokens, got 9$")
    refused(lambda: model(ids(8)), r"^idx must have shape \(B, T\), not empty, got \(8,\)$")
    refused(lambda: model(ids(1, 0)), r"not empty, got \(1, 0\)$")
    refused(
        lambda: model(ids(2, 4), ids(2, 5)),
        r"^targets must have shape \(2, 4\), got \(2, 5\)$",
    )


@pytest.mark.parametrize(("wrong", "shown"), [(11, 11), (-1, -1)])
def test_an_unknown_id_is_refused(wrong: int, shown: int) -> None:
    idx = ids(2, 4)
    idx[1, 2] = wrong
    refused(lambda: GPT(SMALL)(idx), rf"^idx must hold ids from 0 to 10, got {shown}$")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([11], "ids from 0 to 10, got 11$"),
        ([-1], "ids from 0 to 10, got -1$"),
        ([-100, -1], "ids from 0 to 10, got -1$"),
        ([-100, -200], "ids from 0 to 10, got -200$"),
        ([-100, 11], "ids from 0 to 10, got 11$"),
        (8 * [-100], "a token to predict, got only -100$"),
    ],
)
def test_an_unknown_target_is_refused(wrong: list[int], message: str) -> None:
    targets = ids(2, 4)
    targets.view(-1)[: len(wrong)] = torch.tensor(wrong)
    refused(lambda: GPT(SMALL)(ids(2, 4), targets), f"^targets must hold {message}")


@pytest.mark.parametrize("name", ["idx", "targets"])
@pytest.mark.parametrize(
    ("convert", "kind"),
    [
        (torch.Tensor.float, "torch.float32"),
        (torch.Tensor.bool, "torch.bool"),
        (torch.Tensor.tolist, "<class 'list'>"),
        (torch.Tensor.numpy, "int64"),
    ],
)
def test_ids_are_tensors_of_whole_numbers(name: str, convert: Any, kind: str) -> None:
    given = {"idx": ids(2, 4), "targets": ids(2, 4)}
    given[name] = convert(given[name])
    with pytest.raises(TypeError, match=rf"^{name} must be a tensor of int64 ids, got {kind}$"):
        GPT(SMALL)(**given)
