"""The token explorer for each reader: screen reader, keyboard, phone, paper, no scripts."""

from collections.abc import Iterator

import pytest
from browser import Chromium, Visit
from explorer_page import PAGE, built, wait_for, write
from tokenizer_texts import gpt2, gpt4

from interactions.token_explorer.vocabularies import trained

themes = pytest.mark.parametrize("theme", ["light", "dark"])

# Contrast of everything in an explorer that has text of its own, as it is seen: what is partly
# transparent, or stands in something that is, mixes with what lies below it.
CONTRASTS = """() => {
  const parse = (color) => {
    const [r, g, b, alpha = 1] = color.match(/[\\d.]+/g).map(Number);
    return [[r, g, b], alpha];
  };
  const mix = (below, above, alpha) => below.map((v, i) => v + (above[i] - v) * alpha);
  const ground = (el) => {
    if (!el) return [255, 255, 255];
    const [color, alpha] = parse(getComputedStyle(el).backgroundColor);
    return mix(ground(el.parentElement), color, alpha);
  };
  const seen = (el, color) => {
    for (; el; el = el.parentElement) {
      color = mix(ground(el.parentElement), color, Number(getComputedStyle(el).opacity));
    }
    return color;
  };
  const light = (color) => {
    const [r, g, b] = color.map((value) => {
      const c = value / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const hasText = (el) => el.checkVisibility() &&
    [...el.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  return [...document.querySelectorAll(".token-explorer *")].filter(hasText).map((el) => {
    const [color, alpha] = parse(getComputedStyle(el).color);
    const ink = mix(ground(el), color, alpha);
    const [low, high] = [ink, ground(el)].map((c) => light(seen(el, c))).sort((a, b) => a - b);
    return [`${el.tagName}.${el.className}`, (high + 0.05) / (low + 0.05)];
  });
}"""


@pytest.fixture
def visit(chromium: Chromium) -> Iterator[Visit]:
    with chromium.visit(built().html / PAGE) as opened:
        yield opened
        assert opened.errors == []


def live_regions(visit: Visit) -> list[bool]:
    """For each live region that the browser tells screen readers of: whether it is polite."""
    session = visit.page.context.new_cdp_session(visit.page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    return [
        {"name": "live", "value": {"type": "token", "value": "polite"}} in node["properties"]
        for node in nodes
        if not node["ignored"] and node["role"]["value"] == "status"
    ]


def test_only_messages_and_counts_are_read_out(visit: Visit) -> None:
    assert live_regions(visit) == [True, True]  # before there is a message
    assert visit.page.locator(".token-explorer [aria-live]").count() == 0
    write(visit, "a", 1)
    counts = visit.page.locator(".te-hidden")
    counts.get_by_text("1 token, 1 character, 1 byte", exact=True).wait_for(state="attached")
    assert visit.page.locator(".te-message").text_content() == ""


# The second is there, but it is not the vocabulary.
@pytest.mark.parametrize("address", ["../_static/missing.js", "../_static/tokenizer/unicode.js"])
def test_a_vocabulary_that_does_not_come_is_read_out(chromium: Chromium, address: str) -> None:
    with chromium.visit(built().html / PAGE) as visit:
        page = visit.page
        write(visit, "Hello world", len(trained().encode("Hello world")))
        message = page.locator(".te-message").element_handle()
        choice = page.get_by_role("radio", name="GPT-2's")
        true_address = choice.get_attribute("data-script")
        lead = "(el, address) => el.dataset.script = address"
        choice.evaluate(lead, address)
        choice.check()
        page.get_by_role("status").get_by_text(f"{address} cannot be loaded").wait_for()
        assert address in (message.text_content() or "")  # in the region that was there before
        assert live_regions(visit) == [True, True]
        # What the other tokenizer made is gone.
        assert page.get_by_role("option").count() == 0
        assert page.locator("[data-count=tokens]").text_content() == "–"
        # The next change tries again.
        choice.evaluate(lead, true_address)
        write(visit, "Hello world, again", len(gpt2().encode("Hello world, again")))
        assert message.text_content() == ""


@themes
def test_contrast(chromium: Chromium, theme: str) -> None:
    text = "안녕 abc \t def ghi\u200d jkl"
    with chromium.visit(built().html / PAGE, width=390, theme=theme) as visit:
        write(visit, text, len(trained().encode(text)))
        visit.page.locator("summary", has_text="How to read this").click()
        found = dict(sorted(visit.page.evaluate(CONTRASTS), key=lambda pair: -pair[1]))
        assert {"SPAN.te-mark", "SPAN.te-mark te-broken", "SPAN.te-id", "SMALL."} <= set(found)
        assert min(found.values()) >= 4.5, found
        # The measure sees what is partly transparent, and what stands in it.
        visit.page.add_style_tag(content=".te-token { opacity: 0.5; } .te-id { opacity: 0.9; }")
        faded = dict(visit.page.evaluate(CONTRASTS))
        assert faded["SPAN.te-bytes"] < 4.5
        assert faded["SPAN.te-id"] < faded["SPAN.te-bytes"]


@pytest.mark.parametrize("name", ["shakespeare", "gpt2", "cl100k_base"])
def test_long_lines_do_not_make_a_phone_scroll_sideways(chromium: Chromium, name: str) -> None:
    text = (
        "x" * 3000 + " " * 300 + "é" * 200 + "=" * 300 + "https://" + "a/" * 500 + "<|endoftext|>"
    )
    tokenizer = {"shakespeare": trained, "gpt2": gpt2, "cl100k_base": gpt4}[name]()
    with chromium.visit(built().html / PAGE, width=390) as visit:
        visit.page.check(f"input[value={name}]")
        write(visit, text, len(tokenizer.encode(text, "none")))
        wide = """() => [...document.querySelectorAll(".token-explorer :not(.te-hidden)")]
          .filter((el) => el.getBoundingClientRect().right > 390).length"""
        assert visit.page.evaluate(wide) == 0
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit.page
    write(visit, "abcabc ", len(trained().encode("abcabc ")))
    page.get_by_role("radio", name="This chapter's").focus()
    page.keyboard.press("ArrowDown")
    assert page.get_by_role("radio", name="GPT-2's").is_checked()
    wait_for(visit, len(gpt2().encode("abcabc ")))
    page.keyboard.press("ArrowUp")
    wait_for(visit, len(trained().encode("abcabc ")))
    # One stop of the tab key for the tokenizers, the text, two switches, and all tokens.
    names = ["text", "special", "bytes"]
    for name in names:
        page.keyboard.press("Tab")
        assert page.locator(":focus").get_attribute("name") == name
    page.keyboard.press("Tab")
    assert page.locator(":focus").get_attribute("role") == "option"
    assert page.locator(":focus").get_attribute("aria-posinset") == "1"
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
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "How to read this"


@themes
def test_the_focus_can_be_seen(chromium: Chromium, theme: str) -> None:
    with chromium.visit(built().html / PAGE, theme=theme) as visit:
        page = visit.page
        page.get_by_role("option").first.wait_for()
        page.get_by_role("radio", name="This chapter's").focus()
        for _ in range(6):
            style = "(el) => [getComputedStyle(el).outlineStyle, getComputedStyle(el).outlineWidth]"
            assert page.locator(":focus").evaluate(style) == ["solid", "3px"]
            page.keyboard.press("Tab")


def test_carriage_returns_that_are_pasted_become_line_ends(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("textbox", name="Text").select_text()
    pasted = """(text) => {
      const data = new DataTransfer();
      data.setData("text/plain", text);
      const event = { clipboardData: data, bubbles: true, cancelable: true };
      const box = document.querySelector(".token-explorer textarea");
      if (box.dispatchEvent(new ClipboardEvent("paste", event)))
        document.execCommand("insertText", false, data.getData("text/plain"));
      return box.value;
    }"""
    assert page.evaluate(pasted, "one\r\ntwo\rthree") == "one\ntwo\nthree"
    wait_for(visit, len(trained().encode("one\ntwo\nthree")))
    assert page.locator("[data-count=characters]").text_content() == "13"


@themes
def test_on_paper_there_are_tokens_and_no_controls(chromium: Chromium, theme: str) -> None:
    with chromium.visit(built().html / PAGE, theme=theme) as visit:
        page = visit.page
        write(visit, "abc \t def", len(trained().encode("abc \t def")))
        page.emulate_media(media="print")
        shown = "(els) => els.filter((el) => el.checkVisibility()).length"
        controls = ".token-explorer :is(input, textarea, button, summary, progress)"
        assert page.locator(controls).evaluate_all(shown) == 0
        assert page.get_by_text("This chapter's, trained on").is_visible()  # the chosen one
        assert not page.get_by_text("GPT-2's").is_visible()
        assert page.locator("[data-count=tokens]").is_visible()
        tokens = page.locator(".te-tokens")
        assert tokens.evaluate("(el) => el.scrollHeight <= el.clientHeight")  # none is cut off
        found = page.evaluate(CONTRASTS)
        assert len(found) > 20
        assert min(ratio for _, ratio in found) >= 4.5, found
        background = "(el) => getComputedStyle(el).backgroundColor"
        assert tokens.locator("span").first.evaluate(background) == "rgb(217, 232, 251)"


def test_nothing_moves(visit: Visit) -> None:
    write(visit, "a", 1)
    moving = """() => [...document.querySelectorAll(".token-explorer *")].filter((el) => {
      const { animationName, transitionDuration, scrollBehavior } = getComputedStyle(el);
      const still = animationName === "none" && /^0s(, 0s)*$/.test(transitionDuration);
      return !still || scrollBehavior !== "auto";
    }).length"""
    assert visit.page.evaluate(moving) == 0


def test_who_comes_back_finds_what_belongs_together(visit: Visit) -> None:
    # A browser may put back what had been chosen, and tells no script of it.
    visit.page.get_by_role("radio", name="GPT-2's").check()
    write(visit, "Hello world", 2)
    visit.page.goto((built().html / "book" / "index.html").resolve().as_uri())
    visit.page.go_back()
    visit.page.get_by_role("option").first.wait_for()
    assert visit.page.get_by_role("radio", name="This chapter's").is_checked()
    example = visit.page.get_by_role("textbox", name="Text").input_value()
    wait_for(visit, len(trained().encode(example, "none")))


def test_without_scripts_a_sentence_stands_there(chromium: Chromium) -> None:
    with chromium.visit(built().html / PAGE, javascript=False) as visit:
        assert visit.page.get_by_text("in a browser that runs JavaScript").is_visible()
        assert not visit.page.locator(".token-explorer form").is_visible()
