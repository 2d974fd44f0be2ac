"""N-gram models: what they refuse, their one interface, and the published figures."""

import math
import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zerotohero.bigrams import (
    CHARACTERS,
    LETTERS,
    CountingModel,
    NeuralModel,
    NgramModel,
    V,
    count_bigrams,
    encode,
    ngrams,
)
from zerotohero.vocabulary import Vocabulary

EMBEDDED = Path(__file__).parents[2] / "zerotohero" / "data" / "names-ssa-2018.txt"
MIRROR = os.environ.get("ZEROTOHERO_DATA_MIRROR")

ABC = Vocabulary.of_words(["abc"])
MAKE = [CountingModel, NeuralModel, NgramModel]


def known(model: NgramModel) -> NgramModel:
    model.fit(["abcdefghijklmnopqrstuvwxyz"])
    return model


USES = {
    "encode": encode,
    "count_bigrams": count_bigrams,
    "ngrams": lambda words: ngrams(words, 4),
    "CountingModel.fit": CountingModel(3, vocabulary=LETTERS).fit,
    "CountingModel.nll": known(CountingModel()).nll,
    "NeuralModel.fit": NeuralModel(vocabulary=LETTERS).fit,
    "NeuralModel.nll": known(NeuralModel(1)).nll,
}
FITS = {"CountingModel": lambda: CountingModel(3), "NeuralModel": lambda: NeuralModel()}
uses = pytest.mark.parametrize("use", USES.values(), ids=USES)
fits = pytest.mark.parametrize("make", FITS.values(), ids=FITS)


# -- what is refused ---------------------------------------------------------------------


@uses
@pytest.mark.parametrize(
    "wrong", ["A", "é", "ß", "ø", " ", "-", "\n", "\0", "😀", "\U0010ffff", "\ud83d", "`", "{"]
)
@pytest.mark.parametrize("place", ["{}mma", "em{}ma", "emma{}", "{}"])
def test_a_letter_that_is_not_in_the_vocabulary_is_named(use, wrong: str, place: str) -> None:
    word = place.format(wrong)
    with pytest.raises(ValueError, match=r"Vocabulary\.of_words\(words\)") as caught:
        use(["ava", word, "mia"])
    assert str(caught.value).startswith(f"words[1] is {word!r}: {wrong!r} is not in")


@uses
@pytest.mark.parametrize("word", [".mma", "em.ma", "emma.", "."])
def test_a_word_with_the_boundary_is_named(use, word: str) -> None:
    with pytest.raises(ValueError, match=r"'\.' is the boundary.* boundary=") as caught:
        use(["ava", word, "mia"])
    assert str(caught.value).startswith(f"words[1] is {word!r}")


@uses
def test_no_word_and_empty_words(use) -> None:
    for nothing in ([], ()):
        with pytest.raises(ValueError, match="words must hold at least one word, got none"):
            use(nothing)
    for words, place in (
        (["", "ava"], 0),
        (["ava", ""], 1),
        (["ava", "", "", "b"], 1),
        (["", "."], 0),  # not mended by the other word
    ):
        with pytest.raises(ValueError, match=rf"words\[{place}\] is empty; every word needs"):
            use(words)


@uses
def test_a_string_is_not_a_list_of_words(use) -> None:
    with pytest.raises(TypeError, match="must be a list of words, got the string 'emma'"):
        use("emma")
    with pytest.raises(TypeError, match=r"words\[1\] must be a string, got int"):
        use(["emma", 3])


@fits
def test_words_that_a_vocabulary_cannot_come_from(make) -> None:
    for bad, error in (
        ([], ValueError),
        (["ab", ""], ValueError),
        (["ab", "a.b"], ValueError),
        ("ab", TypeError),
        (["ab", 3], TypeError),
    ):
        model = make()
        with pytest.raises(error, match="words"):
            model.fit(bad)
        assert model.vocabulary is None
        with pytest.raises(RuntimeError, match=r"call fit\(words\) first"):
            model.nll(["ab"])


@pytest.mark.parametrize("order", [0, -1, -7])
@pytest.mark.parametrize("use", [*MAKE, lambda order: ngrams(["ab"], order)])
def test_an_order_below_1_is_named(use, order: int) -> None:
    with pytest.raises(ValueError, match=f"order must be .*1.*, got {order}"):
        use(order)


@pytest.mark.parametrize("order", [2.0, 2.5, float("nan"), "2", None, True])
@pytest.mark.parametrize("use", [*MAKE, lambda order: ngrams(["ab"], order)])
def test_an_order_that_is_not_a_whole_number_is_named(use, order: object) -> None:
    with pytest.raises(TypeError, match=f"order must be an int, got {order!r}"):
        use(order)


@pytest.mark.parametrize(("letters", "most"), [(1, 64), (3, 32), (7, 22), (26, 14), (999, 7)])
def test_a_context_that_does_not_fit_into_64_bits(letters: int, most: int) -> None:
    word = "".join(map(chr, range(0x4E00, 0x4E00 + letters)))
    vocabulary = Vocabulary.of_words([word])
    contexts, _ = ngrams([word[-1] * most], most, vocabulary)
    last = sum(letters * (letters + 1) ** i for i in range(most - 1))
    assert contexts[-1] == last < 2**63
    for order in (most + 1, 10**9):
        with pytest.raises(ValueError, match=f"order must be from 1 to {most}, got {order}"):
            ngrams([word], order, vocabulary)
        with pytest.raises(ValueError, match=f"order must be from 1 to {most}, got {order}"):
            CountingModel(order).fit([word])


def test_a_neural_model_has_at_most_ten_million_weights() -> None:
    with pytest.raises(ValueError, match=r"27 characters, got 5: .* 27 \*\* 5 weights"):
        NeuralModel(5, vocabulary=LETTERS)
    assert NeuralModel(4, vocabulary=LETTERS).W.shape == (V**3, V)
    with pytest.raises(ValueError, match=r"3 characters, got 15: .* 3 \*\* 15 weights"):
        NeuralModel(15).fit(["ab"])


@pytest.mark.parametrize("smoothing", [-1, -1e-9, float("nan"), float("inf"), float("-inf")])
def test_bad_smoothing_is_named(smoothing: float) -> None:
    with pytest.raises(ValueError, match=f"smoothing must .*, got {smoothing}"):
        CountingModel(2, smoothing)


def test_bad_numbers_are_named() -> None:
    model = NeuralModel(vocabulary=LETTERS)
    for name, wrong in (
        ("steps", -1),
        ("weight_decay", -0.1),
        ("weight_decay", float("nan")),
        ("learning_rate", -1.0),
        ("learning_rate", float("inf")),
    ):
        with pytest.raises(ValueError, match=f"{name} must .*, got {wrong}"):
            model.fit(["ab"], **{name: wrong})
    for name, wrong in (("n", -2), ("max_length", 0)):
        with pytest.raises(ValueError, match=f"{name} must .*, got {wrong}"):
            model.sample(**({"n": 1, "generator": torch.Generator()} | {name: wrong}))
    assert model.W.count_nonzero() == 0


def test_a_counting_model_without_counts_says_so() -> None:
    for use in (lambda m: m.nll(["a"]), lambda m: m.sample(1, torch.Generator())):
        with pytest.raises(RuntimeError, match=r"no vocabulary yet: call fit\(words\) first"):
            use(CountingModel())
        with pytest.raises(RuntimeError, match=r"no counts yet: call fit\(words\) first"):
            use(CountingModel(vocabulary=LETTERS))


def test_the_base_class_names_who_lacks_a_method() -> None:
    class Lazy(NgramModel):
        pass

    for use in (lambda m: m.fit(["a"]), lambda m: m.nll(["a"])):
        with pytest.raises(NotImplementedError, match="Lazy must implement"):
            use(Lazy(2, LETTERS))


# -- one interface -----------------------------------------------------------------------


MODELS = {
    "counting": lambda: CountingModel(2),
    "counting, order 5, smoothed": lambda: CountingModel(5, 0.5),
    "counting, all letters": lambda: CountingModel(3, 0.1, LETTERS),
    "neural": lambda: NeuralModel(2),
    "neural, order 3, random": lambda: NeuralModel(3, torch.Generator().manual_seed(1)),
    "neural, all letters": lambda: NeuralModel(2, vocabulary=LETTERS),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_one_interface(make) -> None:
    words = ["emma", "ava", "mia"]
    model: NgramModel = make()
    model.fit(words)
    losses = [model.nll(words), model.nll(tuple(words)), model.nll(words * 3), model.nll(words[:1])]
    assert all(type(loss) is float for loss in losses)
    assert losses[:1] * 2 == pytest.approx(losses[1:3])
    probabilities = model.log_probabilities(torch.tensor([0, 0])).exp()  # of the first letter
    assert model.vocabulary is not None
    assert probabilities.shape == (2, len(model.vocabulary))
    assert probabilities.dtype == torch.float64  # means of a quarter of a million need the digits
    assert probabilities.sum(1).tolist() == pytest.approx([1, 1], abs=1e-12)
    drawn = model.sample(20, torch.Generator().manual_seed(5))
    assert len(drawn) == 20
    assert set("".join(drawn)) <= set(model.vocabulary.characters[1:])
    assert model.sample(20, torch.Generator().manual_seed(5)) == drawn
    assert model.sample(20, torch.Generator().manual_seed(6)) != drawn
    one_by_one = torch.Generator().manual_seed(5)
    assert [model.sample(1, one_by_one)[0] for _ in range(20)] == drawn
    assert model.sample(0, torch.Generator()) == []
    assert words == ["emma", "ava", "mia"]


def test_encode() -> None:
    assert encode(["ab", "z"]).tolist() == [0, 1, 2, 0, 26, 0]
    assert encode(("ab", "z"), dots=3).tolist() == [0, 0, 0, 1, 2, 0, 0, 0, 26, 0]
    assert encode(["ab"]).dtype == torch.int64
    assert "".join(CHARACTERS[i] for i in encode([CHARACTERS[1:]])) == CHARACTERS + "."


@pytest.mark.parametrize("kind", [list, tuple])
def test_count_bigrams(kind: type) -> None:
    counts = count_bigrams(kind(["emma", "ava"]))
    assert counts.dtype == torch.int64
    assert counts.shape == (27, 27)
    place = {c: i for i, c in enumerate(CHARACTERS)}
    for pair in (".e", "em", "mm", "ma", ".a", "av", "va"):
        assert counts[place[pair[0]], place[pair[1]]] == 1
    assert counts[place["a"], 0] == 2
    assert counts.sum() == 9  # nothing else, and nothing from one word to the next


# -- any alphabet ------------------------------------------------------------------------

SWEDISH = ["åsa", "björn", "örjan", "åke", "märta", "sören", "göran", "ängla"]


def test_the_letters_of_the_english_names() -> None:
    assert CHARACTERS == LETTERS.characters == ".abcdefghijklmnopqrstuvwxyz"
    assert V == len(LETTERS) == 27


@pytest.mark.parametrize(
    "words", [SWEDISH, ["zoë", "chloé", "noël"], ["小明", "😀!"], ["ivan", "ян"]]
)
def test_the_vocabulary_comes_from_the_words(words: list[str]) -> None:
    characters = "." + "".join(sorted(set("".join(words))))
    vocabulary = Vocabulary.of_words(words)
    position = {c: i for i, c in enumerate(characters)}
    expected = [position[c] for c in "." + ".".join(words) + "."]
    assert encode(words, vocabulary=vocabulary).tolist() == expected
    pairs = Counter(pairwise(expected))
    counts = count_bigrams(words, vocabulary)
    assert {(i, j): int(counts[i, j]) for i, j in counts.nonzero().tolist()} == pairs
    for make in (lambda: CountingModel(3, 0.01), lambda: NeuralModel(2)):
        model = make()
        model.fit(words)
        assert model.vocabulary.characters == characters
        assert set("".join(model.sample(20, torch.Generator().manual_seed(1)))) <= set(characters)
        with pytest.raises(ValueError, match=r"words\[1\] is 'Q': 'Q' is not in"):
            model.nll([words[0], "Q"])


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_other_letters_need_a_vocabulary_of_all_words(make) -> None:
    model = make()
    model.fit(["emma", "ava"])
    with pytest.raises(ValueError, match="is not in the vocabulary"):
        model.fit(SWEDISH)  # a vocabulary that was set stays
    both = Vocabulary.of_words([*SWEDISH, "emma"])
    model = CountingModel(2, smoothing=0.1, vocabulary=both).fit(["emma", "ava"][:1])
    assert math.isfinite(model.nll(SWEDISH))
    assert CountingModel(2, 0.1).fit(SWEDISH).nll(SWEDISH) < model.nll(SWEDISH)


def test_another_boundary() -> None:
    words = ["j.r.", "m.c."]
    vocabulary = Vocabulary.of_words(words, boundary="#")
    assert vocabulary.decode(encode(words, vocabulary=vocabulary)) == "#j.r.#m.c.#"
    assert set(CountingModel(5, vocabulary=vocabulary).fit(words).sample(9, torch.Generator())) <= {
        *words
    }
    with pytest.raises(ValueError, match=r"words\[1\] is 'm#c': '#' is the boundary"):
        encode(["j.r.", "m#c"], vocabulary=vocabulary)


@pytest.mark.parametrize("words", [["ava"], ["ab"], [".a"]])
def test_a_vocabulary_without_a_boundary_is_refused(words: list[str]) -> None:
    vocabulary = Vocabulary("".join(words))  # of a text: its first character is a letter
    for use in (encode, count_bigrams, lambda w, vocabulary: ngrams(w, 2, vocabulary)):
        with pytest.raises(ValueError, match=r"must have a boundary: Vocabulary\.of_words"):
            use(words, vocabulary=vocabulary)


@given(st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=6), st.integers(1, 8))
def test_ngrams_are_the_contexts_with_their_ids_as_digits(words: list[str], order: int) -> None:
    contexts, targets = ngrams(words, order, ABC)
    padded = ["." * (order - 1) + word + "." for word in words]
    parts = [text[i : i + order] for text in padded for i in range(len(text) - order + 1)]
    assert [".abc"[i] for i in targets.tolist()] == [part[-1] for part in parts]
    digits = ["".join(str(".abc".index(c)) for c in part[:-1]) for part in parts]
    assert contexts.tolist() == [int(number or "0", 4) for number in digits]


def test_a_loss_of_nothing_is_not_minus_nothing() -> None:
    assert str(CountingModel(5).fit(["ab"]).nll(["ab"])) == "0.0"


# -- the figures of the lecture ------------------------------------------------------------


def figures(names: list[str]) -> tuple[Counter, float, float]:
    """Return bigrams that Python has counted, and the models' two losses."""
    pairs = Counter(pair for name in names for pair in zip(f".{name}", f"{name}."))
    counts = count_bigrams(names)
    for (a, b), n in pairs.items():
        assert counts[CHARACTERS.index(a), CHARACTERS.index(b)] == n
    assert counts.sum() == sum(pairs.values())
    losses = [CountingModel(2, k).fit(names).nll(names) for k in (0, 1)]
    return pairs, losses[0], losses[1]


def test_figures_of_the_embedded_edition() -> None:
    names = EMBEDDED.read_text(encoding="utf-8").split()
    pairs, nll, add_one = figures(names)
    assert (len(names), sum(pairs.values())) == (32257, 229804)
    assert nll == pytest.approx(2.454395, abs=5e-7)
    assert add_one == pytest.approx(2.454951, abs=5e-7)
