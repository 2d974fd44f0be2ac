"""The token explorer as a reader meets it: what is loaded when, and what stands in the boxes."""

import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Chromium, Visit
from build_scratch import ROOT, STRICT
from explorer_page import CHAPTER, PAGE, built, explorer_book, labels, wait_for, write
from tokenizer_texts import gpt2, gpt4

from interactions.token_explorer.vocabularies import (
    CHOICES,
    character_classes,
    trained,
    vocabulary_script,
)
from zerotohero.tokenizer import RegexTokenizer

LARGE = [choice.name for choice in CHOICES if not choice.at_once]


@pytest.fixture
def visit(chromium: Chromium) -> Iterator[Visit]:
    with chromium.visit(built().html / PAGE) as opened:
        yield opened
        assert opened.errors == []
        assert opened.outside(built().html) == []


def vocabularies(visit: Visit) -> set[str]:
    """Vocabularies that the page has asked for."""
    return {m[1] for url in visit.requests if (m := re.search(r"tokenizer/(\w+)\.js", url))}


def test_large_vocabularies_are_loaded_when_chosen(visit: Visit) -> None:
    assert vocabularies(visit) == {"unicode", "shakespeare"}
    visit.page.get_by_role("radio", name="GPT-2's").check()
    write(visit, "Hello world", 2)
    assert vocabularies(visit) == {"unicode", "shakespeare", "gpt2"}
    assert labels(visit) == [
        f"Hello, id {gpt2().encode('Hello')[0]}, bytes 48 65 6C 6C 6F",
        f"space world, id {gpt2().encode(' world')[0]}, bytes 20 77 6F 72 6C 64",
    ]
    visit.page.get_by_role("radio", name="GPT-4's").check()
    visit.page.wait_for_function("() => tokenExplorer.vocabularies.cl100k_base")
    wait_for(visit, 2)


def test_a_page_without_an_explorer_loads_nothing_of_it(chromium: Chromium) -> None:
    with chromium.visit(built().html / "book/index.html") as visit:
        assert not [url for url in visit.requests if "tokenizer/" in url or "explorer" in url]


def test_what_is_small_on_arrival(chromium: Chromium) -> None:
    folder = built().html.resolve().as_uri() + "/"
    with chromium.visit(built().html / PAGE) as visit:
        files = [
            built().html / url.removeprefix(folder).split("?")[0]
            for url in visit.requests
            if "tokenizer/" in url or "token-explorer" in url
        ]
    assert len(files) > 6
    assert (
        sum(file.stat().st_size for file in files) < 49_000
    )  # not compressed; 47,403 when last measured


def test_special_tokens_only_when_they_are_wanted(visit: Visit) -> None:
    text = "<|endoftext|>"
    write(visit, text, len(trained().encode(text, "none")))
    visit.page.get_by_role("checkbox", name="Special tokens").check()
    wait_for(visit, 1)
    assert labels(visit)[0].startswith(f"special token {text}, id 1024")


def test_what_cannot_be_seen_has_a_mark_and_a_name(visit: Visit) -> None:
    write(visit, "\t\u200d", len(trained().encode("\t\u200d")))
    found = labels(visit)
    assert found[0].startswith("tab")
    assert any(label.startswith("byte E2") for label in found)  # a part of a character


def test_what_stands_side_by_side_is_one_piece_of_the_page(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("radio", name="GPT-4's").check()
    write(visit, " " * 300, len(gpt4().encode(" " * 300)))
    first = page.get_by_role("option").first
    assert gpt4().encode(" " * 300)[0] == gpt4().encode(" " * 128)[0]
    assert first.locator(".te-mark").count() == 1
    assert first.locator(".te-text").inner_text() == "·" * 64 + " … and 64 more bytes"
    label = first.get_attribute("aria-label") or ""
    assert label.startswith("64 times space … and 64 more bytes, id ")
    pieces = """(bytes) => tokenExplorer.readable(bytes).map(
      ({ kind, shown, names }) => [kind, shown, ...names.flatMap(Object.values)])"""
    given = [*b" \n\na", 0x80, 0x80, *"\u200d\u200d\u0301".encode()]
    assert page.evaluate(pieces, given) == [
        ["mark", "·↵↵", "space", 1, "line end", 2],
        ["text", "a"],
        ["broken", "80 80", "byte 80", 2],
        ["code", "U+200D U+200D", "U+200D", 2],
        ["mark", "◌", "combining", 1],
        ["text", "\u0301"],
    ]


@pytest.mark.parametrize("most", [4, 5, 6, 7, 64])
def test_no_character_is_torn_where_a_long_token_is_cut(visit: Visit, most: int) -> None:
    rng = random.Random(most)
    texts = ["".join(rng.choices("aé한🙂", k=rng.randrange(40))) for _ in range(300)]
    cut = "([tokens, most]) => tokens.map((bytes) => tokenExplorer.cutAt(bytes, most))"
    found = visit.page.evaluate(cut, [[list(text.encode()) for text in texts], most])
    for text, end in zip(texts, found, strict=True):
        fit = text.encode()[:most].decode(errors="ignore")
        assert end == len(fit.encode()), (text, end)
    broken = [0x80] * 200
    assert most - 3 <= visit.page.evaluate(cut, [[broken], most])[0] <= most


def test_a_long_text_is_counted_in_full(visit: Visit) -> None:
    text = "to be or not to be, " * 2000
    tokens = len(trained().encode(text))
    write(visit, text, tokens)
    page = visit.page
    assert page.get_by_role("option").count() == 1000
    note = page.get_by_text(f"The first 1,000 of {tokens:,} tokens are shown; all are counted.")
    assert note.is_visible()
    page.get_by_role("button", name="Show more").click()
    page.wait_for_selector("[aria-posinset='1001']:focus")
    numbers = "() => [...document.querySelectorAll('.te-token')].map((box) => box.ariaPosInSet)"
    assert page.evaluate(numbers) == [str(i) for i in range(1, 2001)]
    # Twice in a row, before the first thousand has been made.
    page.evaluate("() => [1, 2].map(() => document.querySelector('.te-more button').click())")
    page.wait_for_function("() => document.querySelectorAll('.te-token').length === 4000")
    assert page.evaluate(numbers) == [str(i) for i in range(1, 4001)]


def test_a_shorter_text_takes_boxes_away(visit: Visit) -> None:
    write(visit, "a" * 1500, len(trained().encode("a" * 1500)))
    write(visit, "zq", 2)
    assert [label.split(",")[0] for label in labels(visit)] == ["z", "q"]


def test_a_megabyte_of_one_letter(visit: Visit) -> None:
    write(visit, "a" * 1_000_000, len(trained().encode("a" * 1_000_000)))


def test_without_its_files_a_tokenizer_cannot_be_chosen(chromium: Chromium, tmp_path: Path) -> None:
    book = explorer_book(tmp_path / "poor", CHAPTER)
    # The package by itself, so that it does not find the files of this checkout.
    shutil.copytree(ROOT / "code" / "zerotohero", tmp_path / "alone" / "zerotohero")
    nowhere = {
        "PYTHONPATH": str(tmp_path / "alone"),
        "ZEROTOHERO_CACHE": str(tmp_path / "none"),
        "ZEROTOHERO_DATA_MIRROR": (tmp_path / "no-mirror").as_uri(),
        "https_proxy": "http://127.0.0.1:9",  # nobody listens there
        "PIP_NO_INDEX": "1",
    }
    status, log = book.build("--all", *STRICT, **nowhere)
    assert status == 0, log
    with chromium.visit(book.html / PAGE) as visit:
        for choice in CHOICES:
            radio = visit.page.locator(f"input[value={choice.name}]")
            assert radio.is_disabled()
        assert visit.page.get_by_text("was not available when this page was built").count() == 3
        assert visit.errors == []


def test_ids_of_merges_must_follow_each_other() -> None:
    tokenizer = RegexTokenizer()
    tokenizer.train("aaab" * 10, 258)
    tokenizer.merges[next(iter(tokenizer.merges))] = 300
    with pytest.raises(ValueError, match="ids of the merges must be 256, 257"):
        vocabulary_script("bad", "nobody", "gpt4", tokenizer)


def test_the_classes_are_those_of_regex() -> None:
    classes = character_classes()
    numbers = [int(number, 36) for number in classes["spaces"].split()]
    found, end = [], 0
    for gap, length in zip(numbers[::2], numbers[1::2]):
        found += range(end + gap, end + gap + length)
        end += gap + length
    assert found == [
        i for i in range(0x110000) if re.fullmatch(r"\s", chr(i)) and i not in range(0x1C, 0x20)
    ]
    assert classes["contractions"]["s"] == "Ssſ"
