"""Characters as tokens."""

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


@pytest.mark.parametrize("ids", [[1.7], ["1"], "01", [None], torch.tensor([1.0])])
def test_what_is_not_an_id(ids: object) -> None:
    with pytest.raises(TypeError):
        Vocabulary("abc").decode(ids)


@given(st.lists(st.text(st.characters(exclude_characters=".")), min_size=1).filter(any))
def test_of_words(words: list[str]) -> None:
    vocabulary = Vocabulary.of_words(words)
    assert vocabulary.characters == "." + "".join(sorted(set("".join(words))))
    text = "." + ".".join(words) + "."
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_words_without_letters_or_with_the_boundary() -> None:
    with pytest.raises(ValueError, match="at least one letter, got none"):
        Vocabulary.of_words(["", ""])
    with pytest.raises(ValueError, match=r"must not hold '\.'.*got 'a\.b'"):
        Vocabulary.of_words(["ab", "a.b"])
    with pytest.raises(TypeError, match="list of words"):
        Vocabulary.of_words("anna")
