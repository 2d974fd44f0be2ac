"""The neural n-gram model beside one-hot vectors and PyTorch's cross-entropy."""

import re
import warnings
from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotohero.bigrams import CHARACTERS, LETTERS, CountingModel, NeuralModel, V, ngrams
from zerotohero.training import TrainingWarning

WORDS = st.lists(
    st.text("ab", min_size=1, max_size=4) | st.text(CHARACTERS[1:], min_size=1, max_size=6),
    min_size=1,
    max_size=4,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """On a busy machine, threads that wait for each other slow small steps a hundredfold."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def naive_loss(W: torch.Tensor, words: list[str], order: int, weight_decay: float) -> torch.Tensor:
    """Average the losses of single examples; each is a one-hot vector times the weights."""
    losses = []
    for word in words:
        ids = [0] * (order - 1) + [CHARACTERS.index(c) for c in word] + [0]
        for end in range(order - 1, len(ids)):
            row = sum(ids[end - back] * V ** (back - 1) for back in range(1, order))
            x = F.one_hot(torch.tensor(row), len(W)).to(W.dtype)
            losses.append(F.cross_entropy((x @ W)[None], torch.tensor([ids[end]])))
    return torch.stack(losses).mean() + weight_decay * (W**2).mean()


@pytest.mark.filterwarnings("ignore::zerotohero.training.TrainingWarning")
@settings(deadline=None, max_examples=30)
@given(
    WORDS,
    st.integers(1, 3),
    st.integers(0, 99),
    st.sampled_from([0.0, 0.01, 3.0]),
    st.sampled_from([0.5, 50.0]),
)
def test_every_step_as_with_single_examples(
    words: list[str], order: int, seed: int, weight_decay: float, learning_rate: float
) -> None:
    model = NeuralModel(order, seeded(seed), LETTERS)
    W = model.W.double().requires_grad_()  # the reference has twice the digits
    history = model.fit(words, 2, learning_rate, weight_decay)
    losses = []
    for _ in range(2):
        loss = naive_loss(W, words, order, weight_decay)
        (gradient,) = torch.autograd.grad(loss, W)
        W = (W - learning_rate * gradient).detach().requires_grad_()
        losses.append(loss.item())
    assert history == pytest.approx(losses, rel=1e-5, abs=1e-6)
    torch.testing.assert_close(model.W, W.detach().float(), rtol=1e-4, atol=1e-4)
    assert not model.W.requires_grad
    # of the model's own weights: those of the reference may differ by more than the loss does
    expected = naive_loss(model.W.double(), words, order, 0).item()
    assert model.nll(words) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_loss_and_gradient_of_the_counted_form(order: int) -> None:
    """The gradient is the difference of two tables: what the model expects, and what is there."""
    words = ["emma", "ava", "mia", "amelia", "em"]
    model = NeuralModel(order, seeded(3), LETTERS)
    before = model.W.double()
    xs, ys = ngrams(words, order)
    seen = torch.zeros_like(before).index_put_(
        (xs, ys), torch.ones(len(xs), dtype=torch.float64), accumulate=True
    )
    expected = seen.sum(1, keepdim=True) * before.softmax(1)
    (loss,) = model.fit(words, steps=1, learning_rate=1.0)
    assert loss == pytest.approx(F.cross_entropy(before[xs], ys).item(), rel=1e-6)
    torch.testing.assert_close(before - model.W, (expected - seen) / len(xs), rtol=0, atol=1e-6)


def test_weights_and_steps() -> None:
    assert NeuralModel(3, vocabulary=LETTERS).W.shape == (729, 27)
    assert NeuralModel(vocabulary=LETTERS).W.count_nonzero() == 0
    model = NeuralModel(2, seeded(4), LETTERS)
    assert torch.equal(model.W, torch.randn(27, 27, generator=seeded(4)))
    before = model.W.clone()
    assert model.fit(["emma"], steps=0) == []
    assert torch.equal(model.W, before)
    assert len(model.fit(["emma"], steps=7)) == 7


def test_before_training_every_character_is_as_likely() -> None:
    assert NeuralModel(vocabulary=LETTERS).nll(["emma"]) == pytest.approx(3.295836866)  # log 27


def test_training_may_be_continued() -> None:
    at_once, in_parts = NeuralModel(2, seeded(1)), NeuralModel(2, seeded(1))
    history = at_once.fit(["emma", "ava"], 5)
    assert in_parts.fit(["emma", "ava"], 2) + in_parts.fit(["emma", "ava"], 3) == history
    assert torch.equal(at_once.W, in_parts.W)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("seed", [None, 7])
def test_long_training_reaches_the_logs_of_the_frequencies(order: int, seed: int | None) -> None:
    words = ["ab", "abb", "b", "ba", "aab", "cab", "ab"]
    model = NeuralModel(order, None if seed is None else seeded(seed), LETTERS)
    untouched = model.W.clone()
    xs, ys = ngrams(words, order)
    largest_share = xs.bincount().max().item() / len(xs)  # of a row; more than 4 / share diverges
    history = model.fit(words, steps=4000, learning_rate=3 / largest_share)
    for row in range(len(model.W)):
        followers = ys[xs == row]
        if len(followers) == 0:
            assert torch.equal(model.W[row], untouched[row])
            continue
        occurring, counts = followers.unique(return_counts=True)
        logits = model.W[row, occurring]
        right = (counts / len(followers)).log()
        # Equal up to a constant, as softmax does not see one. What never occurs goes to −∞.
        torch.testing.assert_close(logits - logits[0], right - right[0], rtol=0, atol=0.03)
        assert model.W[row].softmax(0)[occurring].sum() > 0.98
    best = CountingModel(order).fit(words).nll(words)
    assert history[-1] == pytest.approx(model.nll(words), abs=1e-4)
    assert best < model.nll(words) < best + 5e-3


def test_where_every_character_occurs_the_logs_are_reached_exactly() -> None:
    words = ["thequickbrownfox", "jumps", "over", "thelazydog"]
    model = NeuralModel(1, seeded(8))
    model.fit(words, steps=3000, learning_rate=10.0)
    right = (ngrams(words, 1)[1].bincount(minlength=V) / 39).log()
    difference = model.W[0] - right
    torch.testing.assert_close(difference, difference.mean().expand(V), rtol=0, atol=1e-4)
    assert model.nll(words) == pytest.approx(CountingModel(1).fit(words).nll(words), abs=1e-6)


def test_weight_decay_pulls_toward_the_uniform_distribution() -> None:
    words = ["ab", "abb", "b", "ba"]
    losses, spreads = [], []
    for weight_decay in (0.0, 0.1, 10.0):
        model = NeuralModel(vocabulary=LETTERS)
        model.fit(words, steps=300, learning_rate=5.0, weight_decay=weight_decay)
        losses.append(model.nll(words))
        spreads.append(model.W.std().item())
    assert losses == sorted(losses)
    assert spreads == sorted(spreads, reverse=True)


# -- the learning rate -------------------------------------------------------------------------

FEW = st.lists(st.text("abcdeéö", min_size=1, max_size=7), min_size=1, max_size=6)


@settings(deadline=None, max_examples=50)
@given(FEW, st.integers(1, 3), st.integers(0, 99) | st.none(), st.sampled_from([0.0, 0.1, 2.0]))
def test_by_default_no_step_raises_the_loss(
    words: list[str], order: int, seed: int | None, weight_decay: float
) -> None:
    model = NeuralModel(order, None if seed is None else seeded(seed))
    history = model.fit(words, weight_decay=weight_decay)
    assert all(later <= earlier + 1e-5 for earlier, later in pairwise(history))
    if weight_decay == 0:
        assert model.nll(words) == pytest.approx(
            CountingModel(order).fit(words).nll(words), abs=0.1
        )


@pytest.mark.parametrize("words", [["emma", "olivia", "ava", "isabella", "sophia"], ["aaa"]])
def test_a_rate_that_is_too_large_for_few_words_is_named(words: list[str]) -> None:
    with pytest.warns(TrainingWarning, match=r"rose in \d+ of 200 steps: learning_rate=50 is too"):
        NeuralModel().fit(words, learning_rate=50.0)
    best = CountingModel().fit(words).nll(words)
    model = NeuralModel()
    model.fit(words)
    assert best < model.nll(words) < best + 0.03


@pytest.mark.parametrize("steps", [1, 200])
@pytest.mark.parametrize("rate", [1e40, 1e300])
def test_no_weight_is_lost_to_infinity(rate: float, steps: int) -> None:
    model = NeuralModel()
    model.fit(["emma"])
    before = model.W.clone()
    with pytest.raises(FloatingPointError, match=r"step \d+: is the learning rate too large"):
        model.fit(["emma"], steps, learning_rate=rate)
    assert torch.equal(model.W, before)
    assert not model.W.requires_grad


def test_the_safe_rate_of_the_message_is_safe() -> None:
    words = ["ab", "abb", "b", "ba", "aab", "cab", "ab"]
    with pytest.warns(TrainingWarning) as caught:
        NeuralModel().fit(words, learning_rate=300.0)
    found = re.search(r"can't raise it with (\S+)\)", str(caught[0].message))
    assert found
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NeuralModel().fit(words, learning_rate=float(found[1]))
