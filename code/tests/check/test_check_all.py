"""All checks of all chapters: stubs, junk, and a missing return."""

import ast
import math
from typing import Any

import pytest
import torch
from chapter_source import CHAPTERS, check_module, checks, exercises
from check_answers import JUNK, STUBS, Odd, forgets, outcome
from check_modules import MODULES, checks_of

from zerotohero.backprop import BatchNormMLP
from zerotohero.gpt import GPT, GPTConfig, Vocabulary
from zerotohero.layers import BatchNorm1d, Linear
from zerotohero.mlp import MLP
from zerotohero.tokenizer import BasicTokenizer

OF_CHAPTERS = {name: MODULES[name] for name in map(check_module, CHAPTERS)}
pytestmark = pytest.mark.usefixtures("embedded_names")


CHECKS = {
    f"{chapter}.{name}": check_
    for chapter, module in OF_CHAPTERS.items()
    for name, check_ in checks_of(module).items()
}
# Checks that want a class for each of whose methods a stub may be left: the page's stub is one.
OF_CLASSES = {
    f"{check_module(path)}.{name.removeprefix('check.')}"
    for path in CHAPTERS
    for exercise in exercises(path)
    if any(isinstance(node, ast.ClassDef) for node in exercise.stub[-1].tree.body)
    for name in checks(exercise.stub[-1])
}
OF_ONE_FUNCTION = sorted(set(CHECKS) - OF_CLASSES)


class HollowLinear(Linear):
    """A layer without anything in it."""

    def __init__(self) -> None:
        pass


class HollowGPT(GPT):
    """A model without anything in it."""

    def __init__(self) -> None:
        pass


def tiny(**sizes: int) -> GPT:
    config = {"vocab_size": 6, "block_size": 8, "n_embd": 16, "n_head": 2, "n_layer": 1, **sizes}
    return GPT(GPTConfig(**config))


# What is junk in this chapter, and might be an answer in another.
OF_CHAPTER: dict[str, list[Any]] = {
    "mlp": [lambda *_: MLP],
    "batchnorm": [
        lambda *_: dict.fromkeys(("C", "W1", "b1", "W2", "b2")),
        lambda *_: dict.fromkeys(("C", "W1", "b1", "W2", "b2"), math.nan),
        lambda *_: MLP,
        lambda *_: Linear,
        lambda *_: Linear(1, 1),
        lambda *_: HollowLinear(),
        lambda *_: BatchNorm1d(6),
    ],
    "backprop": [lambda *_: BatchNormMLP],
    "wavenet": [],
    "gpt": [
        lambda *_: "17+25=240",
        lambda *_: (torch.full((3, 8), math.nan), torch.full((3, 8), math.nan)),
        lambda *_: (torch.zeros(0, 8), torch.zeros(0, 8)),
        lambda x, *_: x,
        lambda *given: given,
        lambda *_: GPT,
        lambda *_: HollowGPT(),
        lambda *_: tiny(),
        lambda *_: tiny(block_size=2),
        lambda *_: tiny(n_layer=2),
        GPT,
        Vocabulary,
    ],
    "tokenizer": [
        lambda *_: ({}, {}),
        lambda *_: ({}, range(300)),
        Odd,
        BasicTokenizer(),
    ],
}


@pytest.mark.parametrize("module", OF_CHAPTERS.values(), ids=OF_CHAPTERS)
def test_what_a_chapter_offers_are_checks(module: Any) -> None:
    made = set(checks_of(module))
    assert made
    assert made == set(getattr(module, "__all__", made))


@pytest.mark.parametrize("name", OF_ONE_FUNCTION)
def test_a_stub_is_not_done_yet(name: str) -> None:
    for answer in STUBS:
        assert CHECKS[name](answer).status == "not done yet"


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("which", range(len(JUNK)))
def test_junk_is_wrong_and_raises_nothing(name: str, which: int) -> None:
    verdict = CHECKS[name](JUNK[which])
    assert verdict.status == "wrong"
    assert verdict.message


@pytest.mark.parametrize("name", CHECKS)
def test_junk_of_the_chapter(name: str) -> None:
    for junk in OF_CHAPTER.get(name.split(".")[0], []):
        verdict = CHECKS[name](junk)
        assert verdict.status == "wrong"
        assert verdict.message


@pytest.mark.parametrize("name", OF_ONE_FUNCTION)
def test_a_missing_return(name: str) -> None:
    hint = "Does every path through the function return?"
    outcome(CHECKS[name](forgets), "returned None", hint=hint)
