"""Characters as tokens."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zerotohero.gpt import Vocabulary


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
def test_an_unknown_character_is_named_with_its_place(before: str, odd: str, after: str) -> None:
    with pytest.raises(ValueError, match="not in the vocabulary") as caught:
        Vocabulary("abc").encode(before + odd + after)
    assert str(caught.value).endswith(f"{odd!r} at place {len(before)}")


@pytest.mark.parametrize("number", [-1, 3, 10**9])
def test_an_id_out_of_range(number: int) -> None:
    for ids in ([0, number], torch.tensor([0, number])):
        with pytest.raises(ValueError, match=rf"^ids must be from 0 to 2, got {number}$"):
            Vocabulary("abc").decode(ids)
