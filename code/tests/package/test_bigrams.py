"""N-gram models: what they refuse, their one interface, and the published figures."""

import os
from collections import Counter
from pathlib import Path

import pytest
import torch

from zerotohero.bigrams import (
    CHARACTERS,
    CountingModel,
    NeuralModel,
    NgramModel,
    V,
    count_bigrams,
    encode,
    ngrams,
)

EMBEDDED = Path(__file__).parents[2] / "zerotohero" / "data" / "names-ssa-2018.txt"
MIRROR = os.environ.get("ZEROTOHERO_DATA_MIRROR")

USES = {
    "encode": encode,
    "count_bigrams": count_bigrams,
    "ngrams": lambda words: ngrams(words, 4),
    "CountingModel.fit": CountingModel(3).fit,
    "CountingModel.nll": CountingModel(2).fit(["ab"]).nll,
    "NeuralModel.fit": NeuralModel().fit,
    "NeuralModel.nll": NeuralModel(1).nll,
}
uses = pytest.mark.parametrize("use", USES.values(), ids=USES)


# -- what is refused ---------------------------------------------------------------------


@uses
@pytest.mark.parametrize(
    "wrong", [".", "A", "é", "ß", "ø", " ", "-", "\n", "\0", "😀", "\U0010ffff", "\ud83d", "`", "{"]
)
@pytest.mark.parametrize("place", ["{}mma", "em{}ma", "emma{}", "{}"])
def test_another_character_is_named(use, wrong: str, place: str) -> None:
    word = place.format(wrong)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 # the whole message is compared
        use(["ava", word, "mia"])
    message = f"words[1] is {word!r}: expected only letters a to z, got {wrong!r}"
    assert str(caught.value) == message


@uses
def test_no_word_and_empty_words(use) -> None:
    for nothing in ([], ()):
        with pytest.raises(ValueError, match="words must hold at least one word, got none"):
            use(nothing)
    for words, place in ((["", "ava"], 0), (["ava", ""], 1), (["ava", "", "", "b"], 1)):
        with pytest.raises(ValueError, match=rf"words\[{place}\] is empty; a word needs a letter"):
            use(words)
    with pytest.raises(ValueError, match=r"words\[1\] is '\.'"):  # not mended by the empty word
        use(["", "."])


@uses
def test_a_text_is_not_a_list_of_words(use) -> None:
    with pytest.raises(TypeError, match=r"got the text 'emma': write \['emma'\]"):
        use("emma")
    with pytest.raises(TypeError, match="item 1: expected str instance, int found"):
        use(["emma", 3])


@pytest.mark.parametrize("order", [0, -1, -7, 15, 100, 2.0, 2.5, float("nan"), "2", None])
@pytest.mark.parametrize(
    "use", [CountingModel, NeuralModel, NgramModel, lambda order: ngrams(["ab"], order)]
)
def test_a_bad_order_is_named(use, order) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 # the whole message is compared
        use(order)
    assert str(caught.value) == f"order must be a whole number from 1 to 14, got {order!r}"


def test_a_neural_model_has_at_most_order_4() -> None:
    with pytest.raises(ValueError, match=r"at most 4 \(27 \*\* order weights\), got 5"):
        NeuralModel(5)
    assert NeuralModel(4).W.shape == (V**3, V)


@pytest.mark.parametrize("smoothing", [-1, -1e-9, float("nan"), float("inf"), float("-inf")])
def test_bad_smoothing_is_named(smoothing: float) -> None:
    with pytest.raises(ValueError, match=f"finite and not negative, got {smoothing}"):
        CountingModel(2, smoothing)


def test_bad_steps_decay_and_number_of_words() -> None:
    model = NeuralModel()
    with pytest.raises(ValueError, match="steps must not be negative, got -1"):
        model.fit(["ab"], steps=-1)
    with pytest.raises(ValueError, match=r"weight_decay must not be negative, got -0\.1"):
        model.fit(["ab"], weight_decay=-0.1)
    with pytest.raises(ValueError, match="n must not be negative, got -2"):
        model.sample(-2, torch.Generator())
    assert model.W.count_nonzero() == 0


def test_a_counting_model_without_counts_says_so() -> None:
    for use in (lambda m: m.nll(["a"]), lambda m: m.sample(1, torch.Generator())):
        with pytest.raises(RuntimeError, match=r"no counts yet: call fit\(words\) first"):
            use(CountingModel())


def test_the_base_class_names_who_lacks_a_method() -> None:
    class Lazy(NgramModel):
        pass

    for use in (lambda m: m.fit(["a"]), lambda m: m.nll(["a"])):
        with pytest.raises(NotImplementedError, match="Lazy does not say"):
            use(Lazy(2))


# -- one interface -----------------------------------------------------------------------


MODELS = {
    "counting": lambda: CountingModel(2),
    "counting, order 5, smoothed": lambda: CountingModel(5, 0.5),
    "neural": lambda: NeuralModel(2),
    "neural, order 3, random": lambda: NeuralModel(3, torch.Generator().manual_seed(1)),
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
    assert probabilities.shape == (2, V)
    assert probabilities.dtype == torch.float64  # means of a quarter of a million need the digits
    assert probabilities.sum(1).tolist() == pytest.approx([1, 1], abs=1e-12)
    drawn = model.sample(20, torch.Generator().manual_seed(5))
    assert len(drawn) == 20
    assert set("".join(drawn)) <= set(CHARACTERS[1:])
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
