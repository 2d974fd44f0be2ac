"""Characters as tokens."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zerotohero.vocabulary import Vocabulary


def test_characters_are_sorted() -> None:
    vocabulary = Vocabulary("banana\n!")
    assert vocabulary.characters == "\n!abn"
    assert len(vocabulary) == 5
    ids = vocabulary.encode("nab!")
    assert ids.tolist() == [4, 2, 3, 1]
    assert ids.dtype == torch.int64
    assert vocabulary.decode(ids) == vocabulary.decode([4, 2, 3, 1]) == "nab!"


def test_no_text_at_all() -> None:
    with pytest.raises(ValueError, match=r"^text must hold at least one character, got none$"):
        Vocabulary("")
    empty = Vocabulary("a").encode("")
    assert (empty.shape, empty.dtype) == ((0,), torch.int64)
    assert Vocabulary("a").decode(empty) == ""


@given(st.text(min_size=1), st.data())
def test_round_trip(text: str, data: st.DataObject) -> None:
    vocabulary = Vocabulary(text)
    assert list(vocabulary.characters) == sorted(set(text))
    assert Vocabulary(vocabulary.characters).characters == vocabulary.characters
    other = "".join(data.draw(st.lists(st.sampled_from(text))))
    for part in (text, other):
        ids = vocabulary.encode(part)
        assert ids.shape == (len(part),)
        assert [vocabulary.characters[i] for i in ids.tolist()] == list(part)
        assert vocabulary.decode(ids) == vocabulary.decode(ids.tolist()) == part


@given(st.text(alphabet="abc"), st.characters(exclude_characters="abc"), st.text())
def test_an_unknown_character_is_named_with_its_position(before: str, odd: str, after: str) -> None:
    with pytest.raises(ValueError, match="not in the vocabulary") as caught:
        Vocabulary("abc").encode(before + odd + after)
    assert str(caught.value).endswith(f"{odd!r} at position {len(before)}")


@pytest.mark.parametrize("number", [-1, 3, 10**9])
def test_an_id_out_of_range(number: int) -> None:
    for ids in ([0, number], torch.tensor([0, number])):
        with pytest.raises(ValueError, match=rf"^ids must be from 0 to 2, got {number}$"):
            Vocabulary("abc").decode(ids)


@pytest.mark.parametrize(
    "ids",
    [
        [1.7],
        ["1"],
        "01",
        b"01",
        [None],
        [True],
        [1, True],
        [np.True_],
        [np.float64(1)],
        [torch.tensor(True)],
        [[1]],
        np.array([1.0]),
        np.array([True]),
        torch.tensor([1.0]),
        torch.tensor([True]),
        torch.tensor([[1]]),
        torch.tensor(1),
    ],
)
def test_what_is_not_an_id(ids: object) -> None:
    with pytest.raises(TypeError):
        Vocabulary("abc").decode(ids)


INTEGERS = [np.int8, np.uint8, np.int64, np.intp]


@given(st.lists(st.integers(-4, 6)), st.sampled_from([int, torch.tensor, *INTEGERS]))
def test_decode_takes_integers_of_every_kind_and_no_others(ids: list[int], kind: type) -> None:
    vocabulary = Vocabulary("abc")
    if kind is np.uint8:
        ids = [abs(i) for i in ids]
    forms: list[object] = [[kind(i) for i in ids], (kind(i) for i in ids)]
    if kind in INTEGERS:
        forms.append(np.array(ids, dtype=kind))
    elif kind is torch.tensor:
        forms.append(torch.tensor(ids, dtype=torch.int64))
    wrong = [i for i in ids if not 0 <= i < 3]
    for form in forms:
        if wrong:
            with pytest.raises(ValueError, match=rf"^ids must be from 0 to 2, got {wrong[0]}$"):
                vocabulary.decode(form)
        else:
            assert vocabulary.decode(form) == "".join("abc"[i] for i in ids)


WORDS = st.lists(st.text(st.characters(exclude_characters="."), min_size=1), min_size=1)


@given(WORDS)
def test_of_words(words: list[str]) -> None:
    vocabulary = Vocabulary.of_words(words)
    assert vocabulary.characters == "." + "".join(sorted(set("".join(words))))
    text = "." + ".".join(words) + "."
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_what_is_not_a_list_of_words() -> None:
    for words, message in (
        ([], "at least one word, got none"),
        (["a", ""], r"words\[1\] is empty"),
        (
            ["ab", "a.b"],
            r"words\[1\] is 'a\.b': '\.' is the boundary, which marks where words start and end",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            Vocabulary.of_words(words)
    with pytest.raises(TypeError, match="list of words"):
        Vocabulary.of_words("anna")
    for words, odd in ((["a", 3], "words[1] must be a string, got int"), (b"ab", "words[0] must")):
        with pytest.raises(TypeError, match=re.escape(odd)):
            Vocabulary.of_words(words)
    assert Vocabulary.of_words(["a.b"], boundary="#").characters == "#.ab"
    for boundary in ("", "##"):
        with pytest.raises(ValueError, match="boundary must be one character"):
            Vocabulary.of_words(["a"], boundary)


@pytest.mark.parametrize("text", [b"abc", ["ab", "c"], None, 5])
def test_what_is_not_a_text(text: object) -> None:
    uses: list[Any] = [Vocabulary, Vocabulary("abc").encode]
    for use in uses:
        with pytest.raises(TypeError, match=r"^text must be a string, got "):
            use(text)
    with pytest.raises(TypeError, match=r"^boundary must be a string, got int$"):
        Vocabulary.of_words(["a"], 5)


@given(WORDS)
def test_a_text_has_no_boundary_and_words_have_one(words: list[str]) -> None:
    assert Vocabulary("".join(words)).boundary is None
    vocabulary = Vocabulary.of_words(words)
    assert vocabulary.boundary == "." == vocabulary.decode([0])
