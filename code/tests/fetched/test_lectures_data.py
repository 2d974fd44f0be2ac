"""The lectures' own data: figures of the names, the text, and tiktoken without a network."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tokenizer_texts import shakespeare, stored

from zerotohero import data
from zerotohero.bigrams import CountingModel
from zerotohero.mlp import build_contexts, split_words


@pytest.fixture(scope="module")
def names() -> list[str]:
    with stored():
        assert data.edition("names") == "lecture"
        return data.names()


def test_the_lectures_own_files(names: list[str]) -> None:
    text = shakespeare()
    assert (len(names), len(set(names))) == (32033, 29494)
    assert {min(map(len, names)), max(map(len, names))} == {2, 15}
    assert (len(text), len(set(text))) == (1115394, 65)


def test_figures_of_the_lecture(names: list[str]) -> None:
    pairs = Counter(pair for name in names for pair in zip(f".{name}", f"{name}."))
    assert sum(pairs.values()) == 228146
    assert [pairs[a, b] for a, b in ("n.", "a.", "an")] == [6763, 6640, 5438]
    losses = [CountingModel(2, k).fit(names).nll(names) for k in (0, 1)]
    assert losses == pytest.approx([2.454014489, 2.45457682], abs=5e-9)


def test_split_of_the_lectures_names(names: list[str]) -> None:
    parts = split_words(names, 42)
    assert [len(part) for part in parts] == [25626, 3203, 3204]
    assert [len(build_contexts(part)[0]) for part in parts] == [182_625, 22_655, 22_866]


def test_tiktoken_offline() -> None:
    script = (
        "import socket, tiktoken\n"
        "socket.socket.connect = socket.getaddrinfo = None\n"  # any use of the network fails
        "from zerotohero import data\n"
        "data.tiktoken_cache()\n"
        "print(tiktoken.get_encoding('cl100k_base').encode('hello world'))\n"
        "print(tiktoken.get_encoding('gpt2').encode('hello world'))\n"
    )
    with stored():
        environment = os.environ | {"PYTHONPATH": str(Path(data.__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True
        )
    assert done.stdout == "[15339, 1917]\n[31373, 995]\n", done.stderr
