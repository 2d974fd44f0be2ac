"""N-gram models of random words, beside counting with dictionaries and plain floats."""

import math
from collections import defaultdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotohero.bigrams import CHARACTERS, LETTERS, CountingModel, V, count_bigrams, ngrams

ORDERS = st.integers(1, 6)
WORD = st.text("ab", min_size=1, max_size=5) | st.text(CHARACTERS[1:], min_size=1, max_size=12)
WORDS = st.lists(WORD, min_size=1, max_size=12)
Table = dict[str, dict[str, int]]


def examples(words: list[str], order: int) -> list[tuple[str, str]]:
    """List the context before each character, and the character, word by word."""
    found = []
    for word in words:
        text = "." * (order - 1) + word + "."
        for end in range(order - 1, len(text)):
            found.append((text[end - order + 1 : end], text[end]))
    return found


def count(words: list[str], order: int) -> Table:
    table: Table = defaultdict(lambda: defaultdict(int))
    for context, following in examples(words, order):
        table[context][following] += 1
    return table


def probability(table: Table, context: str, following: str, smoothing: float) -> float:
    row = table.get(context, {})
    total = sum(row.values()) + 27 * smoothing
    return (row.get(following, 0) + smoothing) / total if total else 0.0


def number(context: str) -> int:
    result = 0
    for character in context:
        result = 27 * result + CHARACTERS.index(character)
    return result


@settings(deadline=None, max_examples=100)
@given(WORDS, ORDERS)
def test_examples_as_listed_word_by_word(words: list[str], order: int) -> None:
    contexts, targets = ngrams(words, order)
    assert contexts.dtype == targets.dtype == torch.int64
    expected = examples(words, order)
    assert contexts.tolist() == [number(context) for context, _ in expected]
    assert targets.tolist() == [CHARACTERS.index(following) for _, following in expected]
    assert len(targets) == sum(len(word) + 1 for word in words)


@settings(deadline=None, max_examples=100)
@given(WORDS)
def test_bigrams_as_counted_in_a_dictionary(words: list[str]) -> None:
    table = count(words, 2)
    assert count_bigrams(words).tolist() == [
        [table[a][b] if a in table else 0 for b in CHARACTERS] for a in CHARACTERS
    ]


@settings(deadline=None, max_examples=100)
@given(WORDS, ORDERS, st.sampled_from([0.0, 0.01, 0.5, 1.0, 7.0]) | st.floats(1e-6, 1e6))
def test_probabilities_are_relative_frequencies(
    words: list[str], order: int, smoothing: float
) -> None:
    model, table = CountingModel(order, smoothing, LETTERS).fit(words), count(words, order)
    contexts = sorted(table)
    log_probs = model.log_probabilities(torch.tensor([number(c) for c in contexts]))
    assert log_probs.shape == (len(contexts), V)
    for context, row in zip(contexts, log_probs.exp().tolist()):
        right = [probability(table, context, following, smoothing) for following in CHARACTERS]
        assert row == pytest.approx(right, rel=1e-9, abs=1e-15)
        assert sum(row) == pytest.approx(1)


@settings(deadline=None, max_examples=100)
@given(WORDS, WORDS, ORDERS, st.sampled_from([0.0, 0.01, 1.0]) | st.floats(1e-6, 1e6))
def test_nll_of_other_words_in_plain_floats(
    words: list[str], others: list[str], order: int, smoothing: float
) -> None:
    table = count(words, order)
    model = CountingModel(order, smoothing, LETTERS).fit(words)
    for evaluated in (words, others):
        found = [probability(table, *example, smoothing) for example in examples(evaluated, order)]
        if min(found) == 0:
            assert model.nll(evaluated) == math.inf
        else:
            right = -math.fsum(map(math.log, found)) / len(found)
            assert model.nll(evaluated) == pytest.approx(right, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("order", range(2, 15))
@pytest.mark.parametrize("smoothing", [1e-310, 1e-9, 1.0, 1e6])
def test_an_unseen_context_is_uniform_with_smoothing(order: int, smoothing: float) -> None:
    model = CountingModel(order, smoothing, LETTERS).fit(["ab", "ac"])
    unseen = torch.tensor([27 ** (order - 1) - 1, number("q" * (order - 1))])  # beyond, between
    uniform = torch.full((2, V), -math.log(27), dtype=torch.float64)
    torch.testing.assert_close(model.log_probabilities(unseen), uniform)


@pytest.mark.parametrize("order", range(1, 15))
def test_the_unseen_is_impossible_without_smoothing(order: int) -> None:
    model = CountingModel(order, vocabulary=LETTERS).fit(["ab", "ac"])
    assert model.nll(["zzz"]) == math.inf
    assert model.nll(["ab", "zzz"]) == math.inf
    assert model.nll(["ab"]) < 1.5
    if order > 1:
        unseen = torch.tensor([27 ** (order - 1) - 1, number("q" * (order - 1))])
        assert model.log_probabilities(unseen).eq(-math.inf).all()


@pytest.mark.parametrize("order", [7, 13, 14])
def test_long_contexts_do_not_overflow(order: int) -> None:
    words = ["z" * 20, "zzzy" * 5, "y" + "z" * 13, "abcdefghijklmnopqrstuvwxyz"]
    contexts, _ = ngrams(words, order)
    assert contexts.tolist() == [number(context) for context, _ in examples(words, order)]
    table, model = count(words, order), CountingModel(order, vocabulary=LETTERS).fit(words)
    right = [math.log(probability(table, *example, 0)) for example in examples(words, order)]
    assert model.nll(words) == pytest.approx(-math.fsum(right) / len(right))


def test_fitting_again_counts_anew() -> None:
    model = CountingModel(vocabulary=LETTERS).fit(["ab"])
    assert model.fit(["cd"]) is model
    assert model.nll(["cd"]) == 0
    assert model.nll(["ab"]) == math.inf
