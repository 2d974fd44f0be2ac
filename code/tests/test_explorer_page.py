"""The token explorer as a reader meets it: keyboard, screen reader, what is loaded when."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Chromium, Visit
from build_scratch import ROOT, STRICT
from explorer_page import CHAPTER, PAGE, built, explorer_book
from tokenizer_texts import gpt2, needs_files

from bookbuild.vocabularies import CHOICES, character_classes, trained, vocabulary_script
from zerotohero.tokenizer import RegexTokenizer

LARGE = [choice.name for choice in CHOICES if not choice.at_once]


@pytest.fixture
def visit(chromium: Chromium) -> Iterator[Visit]:
    with chromium.visit(built().html / PAGE) as opened:
        yield opened
        assert opened.errors == []
        assert opened.outside(built().html) == []


def write(visit: Visit, text: str, tokens: int) -> None:
    """Type a text, and wait for its number of tokens."""
    visit.page.get_by_role("textbox", name="Text").fill(text)
    wait_for(visit, tokens)


def wait_for(visit: Visit, tokens: int) -> None:
    visit.page.wait_for_function(
        "number => document.querySelector('[data-count=tokens]').textContent === number",
        arg=f"{tokens:,}",
    )


def labels(visit: Visit) -> list[str]:
    boxes = visit.page.get_by_role("option").all()
    return [box.get_attribute("aria-label") or "" for box in boxes]


def vocabularies(visit: Visit) -> set[str]:
    """Vocabularies that the page has asked for."""
    return {m[1] for url in visit.requests if (m := re.search(r"tokenizer/(\w+)\.js", url))}


@needs_files
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


@needs_files
def test_a_page_without_an_explorer_loads_nothing_of_it(chromium: Chromium) -> None:
    with chromium.visit(built().html / "book/index.html") as visit:
        assert not [url for url in visit.requests if "tokenizer/" in url or "explorer" in url]


@needs_files
def test_what_is_small_on_arrival(chromium: Chromium) -> None:
    folder = built().html.resolve().as_uri() + "/"
    with chromium.visit(built().html / PAGE) as visit:
        files = [
            built().html / url.removeprefix(folder).split("?")[0]
            for url in visit.requests
            if "tokenizer/" in url or "token-explorer" in url
        ]
    assert len(files) > 6
    assert sum(file.stat().st_size for file in files) < 60_000  # not compressed


@needs_files
def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit.page
    write(visit, "abcabc ", len(trained().encode("abcabc ")))
    page.get_by_role("textbox", name="Text").focus()
    for _ in range(3):  # two switches, then the tokens: one stop of the tab key for all of them
        page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.get_attribute("role") == "option"
    assert focused.get_attribute("aria-posinset") == "1"
    page.keyboard.press("ArrowRight")
    assert page.locator(":focus").get_attribute("aria-posinset") == "2"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")  # there is nothing further left
    assert page.locator(":focus").get_attribute("aria-posinset") == "1"
    page.keyboard.press("End")
    last = page.locator(":focus")
    assert last.get_attribute("aria-posinset") == last.get_attribute("aria-setsize")
    details = page.get_by_role("group", name="The token in focus")
    assert f"Id\n{trained().encode(' ')[-1]}" in details.inner_text()
    assert page.locator("[role=option][tabindex='0']").count() == 1


@needs_files
def test_only_the_counts_are_read_out(visit: Visit) -> None:
    write(visit, "a", 1)
    live = visit.page.locator(".token-explorer [aria-live]")
    assert live.count() == 1
    assert live.get_attribute("aria-live") == "polite"
    visit.page.wait_for_function(
        "() => document.querySelector('.token-explorer [aria-live]').textContent"
        " === '1 token, 1 character, 1 byte'"
    )


@needs_files
def test_special_tokens_only_when_they_are_wanted(visit: Visit) -> None:
    text = "<|endoftext|>"
    write(visit, text, len(trained().encode(text, "none")))
    visit.page.get_by_role("checkbox", name="Special tokens").check()
    wait_for(visit, 1)
    assert labels(visit)[0].startswith(f"special token {text}, id 1024")


@needs_files
def test_what_cannot_be_seen_has_a_mark_and_a_name(visit: Visit) -> None:
    write(visit, "\t\u200d", len(trained().encode("\t\u200d")))
    found = labels(visit)
    assert found[0].startswith("tab")
    assert any(label.startswith("byte E2") for label in found)  # a part of a character


@needs_files
def test_a_long_text_is_counted_in_full(visit: Visit) -> None:
    text = "to be or not to be, " * 2000
    tokens = len(trained().encode(text))
    write(visit, text, tokens)
    page = visit.page
    assert page.get_by_role("option").count() == 1000
    note = page.get_by_text(f"The first 1,000 of {tokens:,} tokens are shown; all are counted.")
    assert note.is_visible()
    page.get_by_role("button", name="Show more").click()
    assert page.get_by_role("option").count() == 2000
    assert page.locator(":focus").get_attribute("aria-posinset") == "1001"


@needs_files
def test_a_megabyte_of_one_letter(visit: Visit) -> None:
    write(visit, "a" * 1_000_000, len(trained().encode("a" * 1_000_000)))


@needs_files
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_and_width_on_a_phone(chromium: Chromium, theme: str) -> None:
    contrast = """() => {
      const light = (color) => {
        const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((v) => {
          const c = v / 255;
          return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      return [...document.querySelectorAll(".te-token *")].map((part) => {
        const box = part.closest(".te-token");
        const pair = [getComputedStyle(part).color, getComputedStyle(box).backgroundColor];
        const [low, high] = pair.map(light).sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
      });
    }"""
    with chromium.visit(built().html / PAGE, width=390, theme=theme) as visit:
        write(visit, "안녕 abc \t def ghi jkl", len(trained().encode("안녕 abc \t def ghi jkl")))
        ratios = visit.page.evaluate(contrast)
        assert len(ratios) > 20
        assert min(ratios) >= 4.5
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390


@needs_files
def test_without_scripts_a_sentence_stands_there(chromium: Chromium) -> None:
    with chromium.visit(built().html / PAGE, javascript=False) as visit:
        assert visit.page.get_by_text("in a browser that runs JavaScript").is_visible()
        assert not visit.page.locator(".token-explorer form").is_visible()


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
        assert visit.page.get_by_text("could not be had when this page was built").count() == 3
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
