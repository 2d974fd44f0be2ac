"""Published figures, the records of reproduced ones, and numbers glued into prose."""

import json
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
from chapter_source import CHAPTERS

from zerotohero import reproduce
from zerotohero.reproduce import MIME, NotReproduced, published_figures, reproduced, scientific

Shown = list[dict[str, Any]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Collect what is displayed, instead of displaying it."""
    bundles: Shown = []

    def display(bundle: dict[str, Any], *, raw: bool) -> None:
        assert raw
        bundles.append(bundle)

    monkeypatch.setattr(reproduce, "display", display)
    return bundles


def publish(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    figure = {
        "lecture": 1,
        "what": "a <figure> of ours",
        "published": 2.0,
        "tolerance": 0.25,
        "direction": "equal",
        "names": False,
        "source": "a test",
    }
    monkeypatch.setattr(reproduce, "published_figures", lambda: {"lecture1.x": figure | fields})


# -- the published figures -----------------------------------------------------


def test_published_figures_are_complete() -> None:
    kinds: dict[str, type | tuple[type, ...]] = {
        "lecture": int,
        "what": str,
        "published": (int, float, list),
        "tolerance": (int, float),
        "direction": str,
        "names": bool,
        "source": str,
    }
    figures = published_figures()
    assert {figure["lecture"] for figure in figures.values()} == set(range(1, len(CHAPTERS) + 1))
    for key, figure in figures.items():
        assert figure.keys() == kinds.keys(), key
        for field, kind in kinds.items():
            assert isinstance(figure[field], kind), (key, field)
        assert key.startswith((f"lecture{figure['lecture']}.", "data.")), key
        assert figure["direction"] in ("equal", "at most", "at least"), key
        assert 0 <= figure["tolerance"] < 1, key
        assert figure["what"].strip(), key
        assert figure["source"].strip(), key
        numbers = figure["published"]
        for number in numbers if isinstance(numbers, list) else [numbers]:
            assert type(number) in (int, float), key
            assert np.isfinite(number), key
            if type(number) is int:
                assert figure["tolerance"] == 0, f"{key}: a count has to agree exactly"


def test_no_key_is_written_twice() -> None:
    pairs: list[str] = []

    def collect(items: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs.extend(key for key, _ in items)
        return dict(items)

    path = files("zerotohero").joinpath("published_figures.json")
    json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=collect)
    keys = [key for key in pairs if "." in key]
    assert len(keys) == len(set(keys)) == len(published_figures())


# -- comparing -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "value", "ok"),
    [
        ("equal", 2.0, True),
        ("equal", 2, True),
        ("equal", 2.25, True),
        ("equal", 1.75, True),
        ("equal", 2.26, False),
        ("equal", 1.74, False),
        ("at most", -100.0, True),
        ("at most", 2.25, True),
        ("at most", 2.26, False),
        ("at least", 100.0, True),
        ("at least", 1.75, True),
        ("at least", 1.74, False),
        *[(d, float("nan"), False) for d in ("equal", "at most", "at least")],
        *[(d, float("inf"), False) for d in ("equal", "at most", "at least")],
        *[(d, float("-inf"), False) for d in ("equal", "at most", "at least")],
        ("equal", 10**400, False),
        ("equal", [2.0], False),
        ("equal", [], False),
    ],
)
def test_directions(
    monkeypatch: pytest.MonkeyPatch, shown: Shown, direction: str, value: Any, ok: bool
) -> None:
    publish(monkeypatch, direction=direction)
    if ok:
        reproduced("lecture1.x", value)
        assert shown[0][MIME]["ok"] is True
    else:
        with pytest.raises(NotReproduced) as caught:
            reproduced("lecture1.x", value)
        for word in ("lecture1.x", "a <figure> of ours", "2.0", repr(value), "0.25", direction):
            assert word in str(caught.value)
        assert isinstance(caught.value, AssertionError)
        assert shown == []


@pytest.mark.parametrize(
    ("value", "ok"),
    [
        ([1.0, 2.0, 3.0], True),
        ((1.1, 2.2, 2.8), True),
        (np.array([1, 2, 3]), True),
        (torch.tensor([1.0, 2.0, 3.0]), True),
        ([1.0, 2.0, 3.3], False),
        ([1.0, 2.0], False),
        ([1.0, 2.0, 3.0, 4.0], False),
        ([1.0, 2.0, float("nan")], False),
        ([[1.0], [2.0], [3.0]], False),
        (2.0, False),
    ],
)
def test_lists(monkeypatch: pytest.MonkeyPatch, shown: Shown, value: Any, ok: bool) -> None:
    publish(monkeypatch, published=[1.0, 2.0, 3.0])
    if ok:
        reproduced("lecture1.x", value)
        assert shown[0][MIME]["ours"] == pytest.approx([float(x) for x in value])
        assert all(type(number) in (int, float) for number in shown[0][MIME]["ours"])
    else:
        with pytest.raises(NotReproduced):
            reproduced("lecture1.x", value)


def test_a_count_has_no_tolerance(monkeypatch: pytest.MonkeyPatch, shown: Shown) -> None:
    publish(monkeypatch, published=41, tolerance=0)
    reproduced("lecture1.x", np.int64(41))
    assert shown[0]["text/plain"].endswith("published 41, here 41")
    with pytest.raises(NotReproduced):
        reproduced("lecture1.x", 42)


@pytest.mark.parametrize("value", ["2.0", None, True, 2j, {"a": 2.0}, [2.0, "x"], [None], {2.0}])
def test_no_number(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    publish(monkeypatch)
    with pytest.raises(TypeError, match="value must be a number or a sequence of numbers"):
        reproduced("lecture1.x", value)


def test_an_unknown_key_names_close_ones() -> None:
    with pytest.raises(KeyError) as caught:
        reproduced("lecture1.neuron.uot", 1.0)
    assert "'lecture1.neuron.uot'" in str(caught.value)
    assert "'lecture1.neuron.out'" in str(caught.value)


# -- the record ----------------------------------------------------------------


def test_the_record(monkeypatch: pytest.MonkeyPatch, shown: Shown) -> None:
    publish(monkeypatch)
    reproduced("lecture1.x", torch.tensor(2.125))
    (bundle,) = shown
    assert bundle[MIME] == {
        "key": "lecture1.x",
        "lecture": 1,
        "what": "a <figure> of ours",
        "published": 2.0,
        "tolerance": 0.25,
        "direction": "equal",
        "names": False,
        "source": "a test",
        "ours": 2.125,
        "ok": True,
        "edition": None,
    }
    assert json.loads(json.dumps(bundle)) == bundle
    assert bundle["text/plain"] == "[reproduced] a <figure> of ours: published 2, here 2.125"
    assert "a &lt;figure&gt; of ours" in bundle["text/html"]


@pytest.mark.parametrize("value", [2.0, 99.0])
def test_another_edition_of_the_names_is_not_comparable(
    monkeypatch: pytest.MonkeyPatch, shown: Shown, value: float
) -> None:
    publish(monkeypatch, names=True)
    monkeypatch.setattr("zerotohero.data.edition", lambda name: "embedded")
    reproduced("lecture1.x", value)
    assert shown[0][MIME]["ok"] is None
    assert shown[0][MIME]["edition"] == "embedded"
    assert shown[0][MIME]["ours"] == value
    assert "not comparable" in shown[0]["text/plain"]


@pytest.mark.parametrize(
    ("published", "value"),
    [
        (2.0, float("nan")),
        (2.0, float("inf")),
        (2.0, torch.tensor(float("-inf"))),
        (2.0, [2.0]),
        ([1.0, 2.0], 2.0),
        ([1.0, 2.0], [1.0]),
        ([1.0, 2.0], np.array([1.0, 2.0, 3.0])),
        ([1.0, 2.0], [1.0, float("nan")]),
        ([1.0, 2.0], [[1.0], [2.0]]),
    ],
)
def test_no_edition_excuses_what_cannot_be_compared(
    monkeypatch: pytest.MonkeyPatch, shown: Shown, published: Any, value: Any
) -> None:
    publish(monkeypatch, names=True, published=published)
    monkeypatch.setattr("zerotohero.data.edition", lambda name: "embedded")
    with pytest.raises(NotReproduced, match=r"lecture1\.x"):
        reproduced("lecture1.x", value)
    assert shown == []


def test_the_edition_of_the_lecture_is_compared(
    monkeypatch: pytest.MonkeyPatch, shown: Shown
) -> None:
    publish(monkeypatch, names=True)
    monkeypatch.setattr("zerotohero.data.edition", lambda name: "lecture")
    reproduced("lecture1.x", 2.0)
    assert shown[0][MIME]["ok"] is True
    assert shown[0][MIME]["edition"] == "lecture"
    with pytest.raises(NotReproduced):
        reproduced("lecture1.x", 99.0)


def test_the_edition_is_only_asked_for_figures_of_the_names(
    monkeypatch: pytest.MonkeyPatch, shown: Shown
) -> None:
    publish(monkeypatch)
    monkeypatch.setattr("zerotohero.data.edition", lambda name: pytest.fail("asked"))
    reproduced("lecture1.x", 2.0)
    assert len(shown) == 1


# -- numbers in prose ----------------------------------------------------------


@pytest.mark.parametrize("x", [float("nan"), float("inf"), float("-inf")])
def test_scientific_needs_a_finite_number(x: float) -> None:
    with pytest.raises(ValueError, match=f"x must be finite, got {x!r}"):
        scientific(x)
