"""Sampling: what can be drawn, how often, and the same from both models."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from zerotohero.bigrams import CountingModel, NeuralModel, NgramModel

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
    counting, neural = CountingModel(order, smoothing).fit(WORDS), NeuralModel(order)
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
    drawn = CountingModel(2, 1000.0).fit(["ab"]).sample(300, seeded(13))
    letters = Counter("".join(drawn))
    assert len(letters) == 26
    assert share(drawn, "") == pytest.approx(1 / 27, abs=0.04)
    assert max(letters.values()) < 1.5 * min(letters.values())
