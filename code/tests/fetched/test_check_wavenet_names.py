"""The check of chapter 6's last exercise, with the lecture's edition of the names."""

import importlib
from collections.abc import Callable, Iterator

import pytest
import torch
from right_answers import RIGHT, Right, made

from zerotohero.bigrams import LETTERS, CountingModel
from zerotohero.check import wavenet
from zerotohero.data import edition, names
from zerotohero.mlp import split_words

MODELS = [right for right in RIGHT if right[:2] == ("wavenet", "beat_the_lecture")]
COUNTS = vars(importlib.import_module("right.wavenet"))["_counts"]
HINT = "Train it with the training names alone."


@pytest.fixture(autouse=True)
def counts_of_this_edition() -> Iterator[None]:
    COUNTS.cache_clear()
    yield
    COUNTS.cache_clear()


@pytest.mark.parametrize("right", MODELS, ids=lambda right: right.kind)
def test_good_models_are_accepted(right: Right) -> None:
    assert edition() == "lecture"
    verdict = wavenet.beat_the_lecture(made(right))
    assert verdict, verdict


def test_a_model_that_knows_all_names_is_told_from_a_good_one() -> None:
    counting = CountingModel(7, vocabulary=LETTERS).fit(names())
    weights = 27 ** torch.arange(5, -1, -1)
    verdict = wavenet.beat_the_lecture(
        lambda X: counting.log_probabilities((X[:, 2:] * weights).sum(1)).exp().add(0.001).log()
    )
    assert verdict.hint.startswith("Has it seen them?")


@pytest.mark.parametrize("order", [3, 4, 5])
def test_a_model_that_knows_dev_is_told_from_an_honest_one(order: int) -> None:
    train, dev, _ = split_words(names())

    def model_of(words: list[str]) -> Callable[[torch.Tensor], torch.Tensor]:
        counting = CountingModel(order, smoothing=0.1, vocabulary=LETTERS).fit(words)
        weights = 27 ** torch.arange(order - 2, -1, -1)
        return lambda X: counting.log_probabilities((X[:, 9 - order :] * weights).sum(1))

    assert wavenet.beat_the_lecture(model_of(train)).hint != HINT
    assert wavenet.beat_the_lecture(model_of(dev)).hint == HINT
