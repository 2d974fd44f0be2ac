"""Sampling: what can be drawn, how often, and the same from both models."""

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from zerotohero.bigrams import LETTERS, CountingModel, NeuralModel, NgramModel

EMBEDDED = Path(__file__).parents[2] / "zerotohero" / "data" / "names-ssa-2018.txt"
WORDS = ["emma", "ava", "mia", "amelia", "ella", "eva", "em"]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """On a busy machine, threads that wait for each other slow small steps a hundredfold."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_what_is_certain_is_drawn_every_time() -> None:
    assert CountingModel(2).fit(["abc"]).sample(5, seeded(0)) == ["abc"] * 5
    assert CountingModel(4).fit(["aab"]).sample(5, seeded(0)) == ["aab"] * 5
    assert CountingModel(9).fit(["banana"]).sample(5, seeded(0)) == ["banana"] * 5


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
def test_without_smoothing_only_ngrams_that_occur_are_drawn(order: int) -> None:
    model = CountingModel(order).fit(WORDS)
    drawn = model.sample(50, seeded(order))
    assert all(math.isfinite(model.nll([word])) for word in drawn if word)
    if order > 1:
        assert "" not in drawn
    if order == 6:
        assert set(drawn) <= set(WORDS)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equal_probabilities_give_equal_words(order: int, smoothing: float) -> None:
    counting = CountingModel(order, smoothing, LETTERS).fit(WORDS)
    neural = NeuralModel(order, vocabulary=LETTERS)
    contexts = torch.arange(27 ** (order - 1))
    shift = torch.linspace(-3, 3, len(contexts))[:, None]  # a constant for each row
    logits = counting.log_probabilities(contexts).clamp(min=-1000).float()
    neural.W = logits + shift
    assert neural.nll(WORDS) == pytest.approx(counting.nll(WORDS), rel=1e-5)
    for seed in range(3):
        assert neural.sample(20, seeded(seed)) == counting.sample(20, seeded(seed))


def test_a_trained_net_draws_the_words_of_the_counts() -> None:
    names = EMBEDDED.read_text(encoding="utf-8").split()
    net, counting = NeuralModel(2, seeded(2147483647)), CountingModel(2).fit(names)
    history = net.fit(names, steps=1000, learning_rate=50.0)
    assert counting.nll(names) < history[-1] < 2.457
    drawn = net.sample(5, seeded(2147483647))
    assert drawn == counting.sample(5, seeded(2147483647))


def share(drawn: list[str], word: str) -> float:
    return Counter(drawn)[word] / len(drawn)


def test_frequencies_of_words_at_order_2() -> None:
    """Products of relative frequencies, by hand: a starts 3 of 4 words; b or dot follow a."""
    model: NgramModel = CountingModel(2).fit(["ab", "ab", "a", "b"])
    drawn = model.sample(3000, seeded(11))
    assert set(drawn) == {"ab", "a", "b"}
    expected = {"ab": 3 / 4 * 2 / 3, "a": 3 / 4 * 1 / 3, "b": 1 / 4}
    for word, p in expected.items():
        assert share(drawn, word) == pytest.approx(p, abs=4 * (p * (1 - p) / 3000) ** 0.5)


@pytest.mark.parametrize("order", [1, 3])
def test_frequencies_of_words_at_other_orders(order: int) -> None:
    model = CountingModel(order, 0.01).fit(WORDS)
    drawn = model.sample(1500, seeded(12))
    often = [word for word, n in Counter(drawn).most_common(8) if word and n > 10]
    assert len(often) >= 3
    for word in often:
        p = math.exp(-model.nll([word]) * (len(word) + 1))
        assert share(drawn, word) == pytest.approx(p, abs=4 * (p * (1 - p) / 1500) ** 0.5)


def test_smoothing_lets_anything_be_drawn() -> None:
    drawn = CountingModel(2, 1000.0, LETTERS).fit(["ab"]).sample(300, seeded(13))
    letters = Counter("".join(drawn))
    assert len(letters) == 26
    assert share(drawn, "") == pytest.approx(1 / 27, abs=0.04)
    assert max(letters.values()) < 1.5 * min(letters.values())


# -- no word without a limit ---------------------------------------------------------------


@pytest.mark.parametrize("max_length", [1, 7, 1000])
def test_a_word_without_an_end_is_cut_with_a_warning(max_length: int) -> None:
    endless = NeuralModel(vocabulary=LETTERS)
    endless.W[:, 0] = -math.inf
    with pytest.warns(UserWarning, match=f"no end after max_length={max_length} letters"):
        drawn = endless.sample(2, seeded(1), max_length)
    assert [len(word) for word in drawn] == [max_length] * 2


def test_words_below_the_limit_are_drawn_without_a_warning() -> None:
    model = CountingModel().fit(["abc"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.sample(2, seeded(1), max_length=4) == ["abc", "abc"]


@pytest.mark.parametrize("weight", [math.nan, math.inf])
def test_weights_that_are_not_finite_draw_nothing(weight: float) -> None:
    model = NeuralModel(vocabulary=LETTERS)
    model.W[0, 3] = weight
    with pytest.raises(FloatingPointError, match="probabilities are not finite"):
        model.sample(1, seeded(1))
