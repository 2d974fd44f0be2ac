"""Chapter 3's data and model: contexts, split, layers against torch.nn, loss and sampling."""

import math
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from zerotohero.bigrams import CHARACTERS, CountingModel
from zerotohero.mlp import MLP, build_contexts, nll, sample, split_words, step_decay

EMBEDDED = Path(__file__).parents[2] / "zerotohero" / "data" / "names-ssa-2018.txt"
MIRROR = os.environ.get("ZEROTOHERO_DATA_MIRROR")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- contexts ------------------------------------------------------------------------------


def lecture_loop(words: Sequence[str], block_size: int) -> tuple[list[list[int]], list[int]]:
    X, Y = [], []
    for word in words:
        context = [0] * block_size
        for character in word + ".":
            X.append(context)
            Y.append(CHARACTERS.index(character))
            context = [*context[1:], Y[-1]]
    return X, Y


def test_contexts_of_emma() -> None:
    X, Y = build_contexts(["emma"])
    assert X.tolist() == [[0, 0, 0], [0, 0, 5], [0, 5, 13], [5, 13, 13], [13, 13, 1]]
    assert Y.tolist() == [5, 13, 13, 1, 0]


letters = st.text(CHARACTERS[1:], min_size=1, max_size=9)


@given(st.lists(letters, min_size=1, max_size=8), st.integers(1, 6))
def test_contexts_are_those_of_a_loop(words: list[str], block_size: int) -> None:
    before = list(words)
    X, Y = build_contexts(words, block_size)
    assert (X.tolist(), Y.tolist()) == lecture_loop(words, block_size)
    assert words == before
    assert X.dtype == Y.dtype == torch.int64
    assert (X.shape, Y.shape) == ((len(Y), block_size), (sum(len(word) + 1 for word in words),))
    assert X.is_contiguous()
    assert Y.is_contiguous()


def test_contexts_share_no_memory() -> None:
    X, Y = build_contexts(("ab", "c"), 2)
    X.fill_(9)
    assert Y.tolist() == [1, 2, 0, 3, 0]
    assert build_contexts(("ab", "c"), 2)[0].tolist() == lecture_loop(["ab", "c"], 2)[0]


@pytest.mark.parametrize("block_size", [0, -1])
def test_a_bad_block_size_is_named(block_size: int) -> None:
    with pytest.raises(ValueError, match=f"block_size must be at least 1, got {block_size}"):
        build_contexts(["ab"], block_size)


def test_bad_words_are_named() -> None:
    with pytest.raises(ValueError, match="words must hold at least one word"):
        build_contexts([])
    with pytest.raises(ValueError, match=r"words\[1\] is 'b\.c': expected .*, got '\.'"):
        build_contexts(["a", "b.c"])
    with pytest.raises(ValueError, match=r"words\[0\] is 'Ava': expected .*, got 'A'"):
        build_contexts(["Ava"], 2)
    with pytest.raises(ValueError, match=r"words\[1\] is empty"):
        build_contexts(["a", ""])
    with pytest.raises(TypeError, match="got the text 'emma'"):
        build_contexts("emma")


# -- split ---------------------------------------------------------------------------------


@given(st.lists(letters, max_size=60), st.integers(0, 2**32))
def test_split_covers_all_words_once(words: list[str], seed: int) -> None:
    before, state = list(words), random.getstate()
    parts = split_words(words, seed)
    assert words == before
    assert random.getstate() == state, "the global random state is not touched"
    assert sum((Counter(part) for part in parts), Counter()) == Counter(words)
    ends = [int(share * len(words)) for share in (0.8, 0.9, 1.0)]
    assert [len(part) for part in parts] == [ends[0], ends[1] - ends[0], ends[2] - ends[1]]


def test_split_is_that_of_the_lecture() -> None:
    words = [a + b for a in "abcdefgh" for b in "klmnopqr"]
    shuffled, state = list(words), random.getstate()
    random.seed(42)
    random.shuffle(shuffled)  # changes the global state, as the lecture does
    first = split_words(words, 42)
    random.seed(7)
    assert split_words(tuple(words)) == first
    random.setstate(state)
    assert [*first[0], *first[1], *first[2]] == shuffled
    assert [len(part) for part in first] == [51, 6, 7]
    assert split_words(words, 43) != first


def test_split_of_the_embedded_names() -> None:
    words = EMBEDDED.read_text(encoding="utf-8").split()
    parts = split_words(words)
    assert [len(part) for part in parts] == [25805, 3226, 3226]
    assert sum(len(build_contexts(part)[0]) for part in parts) == 229_804


# -- model ---------------------------------------------------------------------------------

SIZES = [(3, 10, 200), (3, 2, 100), (1, 1, 1), (5, 4, 7)]
sizes = pytest.mark.parametrize(("block_size", "n_embd", "n_hidden"), SIZES)


def test_the_lectures_model_has_11897_parameters() -> None:
    assert sum(p.numel() for p in MLP(seeded(1)).parameters()) == 11_897


@sizes
def test_draws_in_order(block_size: int, n_embd: int, n_hidden: int) -> None:
    generator, other = seeded(2147483647), seeded(2147483647)
    model = MLP(generator, block_size, n_embd, n_hidden)
    assert model.block_size == block_size
    shapes = ((27, n_embd), (block_size * n_embd, n_hidden), (n_hidden,), (n_hidden, 27), (27,))
    parameters = model.parameters()
    assert len(parameters) == 5
    for p, own, shape in zip(parameters, ("C", "W1", "b1", "W2", "b2"), shapes):
        assert p is getattr(model, own)
        assert torch.equal(p, torch.randn(shape, generator=other))
        assert not p.requires_grad
    assert torch.equal(generator.get_state(), other.get_state()), "nothing else was drawn"


def twin(model: MLP) -> nn.Module:
    """Return the same network, of torch's own layers."""
    layers = nn.Sequential(
        nn.Embedding(*model.C.shape),
        nn.Flatten(),
        nn.Linear(*model.W1.shape),
        nn.Tanh(),
        nn.Linear(*model.W2.shape),
    )
    own = (model.C, model.W1.T, model.b1, model.W2.T, model.b2)
    with torch.no_grad():
        for p, value in zip(layers.parameters(), own, strict=True):
            p.copy_(value)
    return layers


@sizes
def test_forward_and_loss_as_torch_nn(block_size: int, n_embd: int, n_hidden: int) -> None:
    model = MLP(seeded(3), block_size, n_embd, n_hidden)
    X = torch.randint(0, 27, (40, block_size), generator=seeded(4))
    Y = torch.randint(0, 27, (40,), generator=seeded(5))
    expected = twin(model)(X)
    assert model(X).shape == (40, 27)
    torch.testing.assert_close(model(X), expected.detach(), rtol=1e-4, atol=1e-4)
    loss = nll(model, X, Y)
    assert type(loss) is float
    assert loss == pytest.approx(F.cross_entropy(expected, Y).item(), rel=1e-5)


def test_forward_takes_inputs_of_any_strides() -> None:
    model, X = MLP(seeded(6)), torch.randint(0, 27, (3, 50), generator=seeded(7))
    turned = X.T
    assert not turned.is_contiguous()
    torch.testing.assert_close(model(turned), model(turned.contiguous()))


@pytest.mark.parametrize("wrong", ["block_size", "n_embd", "n_hidden"])
@pytest.mark.parametrize("size", [0, -3])
def test_a_bad_size_is_named_and_nothing_drawn(wrong: str, size: int) -> None:
    generator = seeded(8)
    with pytest.raises(ValueError, match=f"{wrong} must be at least 1, got {size}"):
        MLP(generator, **{wrong: size})
    assert torch.equal(generator.get_state(), seeded(8).get_state())


def test_loss_of_equal_logits_is_log_27_and_leaves_no_graph() -> None:
    model = MLP(seeded(9))
    model.W2.zero_()
    model.b2.fill_(3.0)
    model.W1.requires_grad_()
    X, Y = build_contexts(["emma", "ava"])
    assert nll(model, X, Y) == pytest.approx(math.log(27), rel=1e-6)
    assert model.W1.grad is None


# -- sampling and schedule -------------------------------------------------------------------


class Counted:
    """A counting model with the interface of chapter 3's models."""

    def __init__(self, words: Sequence[str], block_size: int) -> None:
        self.model = CountingModel(block_size + 1).fit(words)
        self.place = 27 ** torch.arange(block_size).flip(0)

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        return self.model.log_probabilities((X * self.place).sum(1))

    def parameters(self) -> list[torch.Tensor]:
        return []


@pytest.mark.parametrize("block_size", [1, 2, 3, 5])
def test_draws_what_a_counting_model_draws(block_size: int) -> None:
    words = ["emma", "ava", "mia", "amelia", "ella", "eva", "em"]
    model = Counted(words, block_size)
    for seed in range(3):
        drawn = sample(model, 20, block_size, seeded(seed))
        assert drawn == model.model.sample(20, seeded(seed))
        assert len(set(drawn)) > 2


def test_an_mlp_samples_with_its_own_block_size() -> None:
    for block_size in (1, 4):
        model = MLP(seeded(10), block_size, 2, 5)
        model.W2 *= 0.1
        model.W2.requires_grad_()
        drawn = model.sample(15, seeded(11))
        assert drawn == sample(model, 15, block_size, seeded(11))
        assert drawn != model.sample(15, seeded(12))
        one_by_one = seeded(11)
        assert [model.sample(1, one_by_one)[0] for _ in range(15)] == drawn
        assert set("".join(drawn)) <= set(CHARACTERS[1:])


def test_number_of_samples() -> None:
    model = MLP(seeded(13))
    assert model.sample(0, seeded(1)) == []
    with pytest.raises(ValueError, match="n must not be negative, got -2"):
        model.sample(-2, seeded(1))


def test_step_decay() -> None:
    schedule = step_decay(0.1, 3)
    assert [schedule(step) for step in range(5)] == pytest.approx([0.1, 0.1, 0.1, 0.01, 0.01])
    schedule = step_decay(2.0, after=1, factor=0.5)
    assert [schedule(0), schedule(1), schedule(10**9)] == [2.0, 1.0, 1.0]
    assert step_decay(0.4, 0)(0) == pytest.approx(0.04)
