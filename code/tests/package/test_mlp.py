"""Chapter 3's data and model: contexts, split, layers against torch.nn, loss and sampling."""

import copy
import math
import os
import random
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from zerotohero.batchnorm import DeepMLP
from zerotohero.bigrams import CHARACTERS, LETTERS, CountingModel
from zerotohero.layers import BatchNorm1d, Embedding, FlattenConsecutive, Linear, Sequential
from zerotohero.mlp import MLP, build_contexts, nll, sample, split_words, step_decay, train
from zerotohero.vocabulary import Vocabulary

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
    with pytest.raises(ValueError, match=r"words\[1\] is 'b\.c': '\.' is the boundary"):
        build_contexts(["a", "b.c"])
    with pytest.raises(ValueError, match=r"words\[0\] is 'Ava': 'A' is not in"):
        build_contexts(["Ava"], 2)
    with pytest.raises(ValueError, match=r"words\[1\] is empty"):
        build_contexts(["a", ""])
    with pytest.raises(TypeError, match="got the string 'emma'"):
        build_contexts("emma")


# -- split ---------------------------------------------------------------------------------


@given(st.lists(letters, min_size=1, max_size=60), st.integers(0, 2**32))
def test_split_covers_all_words_once(words: list[str], seed: int) -> None:
    before, state = list(words), random.getstate()
    parts = split_words(words, seed)
    assert words == before
    assert random.getstate() == state, "the global random state is not touched"
    assert sum((Counter(part) for part in parts), Counter()) == Counter(words)
    ends = [int(share * len(words)) for share in (0.8, 0.9, 1.0)]
    assert [len(part) for part in parts] == [ends[0], ends[1] - ends[0], ends[2] - ends[1]]


@pytest.mark.parametrize(
    ("words", "error"), [("emma", TypeError), (["a", 3], TypeError), ([], ValueError)]
)
def test_split_takes_words(words: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^words"):
        split_words(words)


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


@pytest.mark.parametrize("ids", [[0, -1, 2], [0, 27, 2]])
def test_an_id_that_is_not_in_the_table(ids: list[int]) -> None:
    with pytest.raises(IndexError, match=r"^X must hold ids from 0 to 26, got -?\d+ to \d+$"):
        MLP(seeded(1))(torch.tensor([ids]))


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
        self.model = CountingModel(block_size + 1, vocabulary=LETTERS).fit(words)
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


@pytest.mark.parametrize("max_length", [1, 20])
def test_a_word_without_an_end_is_cut_with_a_warning(max_length: int) -> None:
    model = MLP(seeded(14))
    model.b2[0] = -math.inf
    with pytest.warns(UserWarning, match=f"no end after max_length={max_length} letters"):
        drawn = sample(model, 2, 3, seeded(1), max_length=max_length)
    assert [len(word) for word in drawn] == [max_length] * 2


def test_untrained_networks_end() -> None:
    """With large random weights, many a network would repeat itself without an end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        models = [MLP(seeded(seed), 1, 2, 30) for seed in range(5)]
        drawn = [model.sample(1, seeded(1))[0] for model in models]
    assert max(map(len, drawn)) == 1000
    assert len(caught) == sum(len(word) == 1000 for word in drawn)


@pytest.mark.parametrize("weight", [math.nan, math.inf])
def test_logits_that_are_not_finite_draw_nothing(weight: float) -> None:
    model = MLP(seeded(15))
    model.b2[4] = weight
    with pytest.raises(FloatingPointError, match="probabilities are not finite"):
        model.sample(1, seeded(1))


def test_other_alphabets() -> None:
    words = ["åsa", "björn", "örjan", "åke", "märta", "sören", "göran"]
    vocabulary = Vocabulary.of_words(words)
    X, Y = build_contexts(words, 2, vocabulary)
    text = [("." * 2 + word + ".") for word in words]
    expected = [t[i : i + 3] for t in text for i in range(len(t) - 2)]
    assert [vocabulary.decode([*x, y]) for x, y in zip(X, Y)] == expected
    model = MLP(seeded(16), 2, 3, 20, vocab_size=len(vocabulary))
    before = nll(model, X, Y)
    train(model, X, Y, steps=300, learning_rate=0.1, generator=seeded(17), progress=False)
    assert nll(model, X, Y) < before
    drawn = model.sample(9, seeded(18), vocabulary)
    assert set("".join(drawn)) <= set(vocabulary.characters[1:])
    with pytest.raises(ValueError, match=r"of 15 characters, but the vocabulary has 27"):
        model.sample(1, seeded(18))
    with pytest.raises(ValueError, match="'å' is not in"):
        build_contexts(words)


class Net(nn.Module):
    """PyTorch's own layers, with one that draws and one that keeps statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Embedding(27, 4), nn.Flatten(), nn.BatchNorm1d(12), nn.Dropout(), nn.Linear(12, 27)
        )

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.layers(X)


def of_ours() -> Sequential:
    return Sequential(
        Embedding(27, 4, generator=seeded(1)),
        FlattenConsecutive(3),
        BatchNorm1d(12),
        Linear(12, 27, generator=seeded(2)),
    )


def deep() -> DeepMLP:
    return DeepMLP(
        torch.randn((27, 4), generator=seeded(1)),
        [BatchNorm1d(12), Linear(12, 27, generator=seeded(2))],
    )


@pytest.mark.parametrize("make", [Net, of_ours, deep])
@pytest.mark.parametrize("training", [True, False])
def test_evaluation_changes_no_model_and_company_does_not_matter(
    make: Callable[[], Any], training: bool
) -> None:
    model = make()
    model.train(training)
    modes = [getattr(layer, "training", None) for layer in layers_of(model)]
    before = copy.deepcopy(state_of(model))
    X, Y = build_contexts(["emma", "ava", "olivia"])
    alone = [nll(model, X[i : i + 1], Y[i : i + 1]) for i in range(len(X))]
    assert nll(model, X, Y) == pytest.approx(sum(alone) / len(alone), rel=1e-5)
    drawn = sample(model, 3, 3, seeded(3))
    assert sample(model, 3, 3, seeded(3)) == drawn
    assert [getattr(layer, "training", None) for layer in layers_of(model)] == modes
    assert all(torch.equal(a, b) for a, b in zip(before, state_of(model), strict=True))


class InAList:
    """A network as the lecture writes it: its layers in a list, and no mode of its own."""

    def __init__(self) -> None:
        self.layers = [*of_ours().layers, Sequential(BatchNorm1d(27))]

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            X = layer(X)
        return X


def test_evaluation_finds_layers_in_a_list() -> None:
    model, X, Y = InAList(), *build_contexts(["emma", "ava"])
    norms = [model.layers[2], model.layers[4].layers[0]]
    norms[1].eval()
    alone = [nll(model, X[i : i + 1], Y[i : i + 1]) for i in range(len(X))]  # refused in training
    assert nll(model, X, Y) == pytest.approx(sum(alone) / len(alone), rel=1e-5)
    sample(model, 1, 3, seeded(1))
    assert [norm.training for norm in norms] == [True, False]
    assert not any(norm.running_mean.any() for norm in norms)


def layers_of(model: Any) -> list[Any]:
    return [*model.modules()] if isinstance(model, nn.Module) else [model, *model.layers]


def state_of(model: Any) -> list[torch.Tensor]:
    if isinstance(model, nn.Module):
        return list(model.state_dict().values())
    return [t for layer in layers_of(model) for t in vars(layer).values() if torch.is_tensor(t)]


def test_a_loss_needs_examples() -> None:
    X, Y = build_contexts(["emma"])
    with pytest.raises(ValueError, match="at least one example, got none"):
        nll(MLP(seeded(1)), X[:0], Y[:0])
    with pytest.raises(ValueError, match="same length, got 5 and 4"):
        nll(MLP(seeded(1)), X, Y[:4])


def test_step_decay() -> None:
    schedule = step_decay(0.1, 3)
    assert [schedule(step) for step in range(5)] == pytest.approx([0.1, 0.1, 0.1, 0.01, 0.01])
    schedule = step_decay(2.0, after=1, factor=0.5)
    assert [schedule(0), schedule(1), schedule(10**9)] == [2.0, 1.0, 1.0]
    assert step_decay(0.4, 0)(0) == pytest.approx(0.04)
