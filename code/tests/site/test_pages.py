"""The pages of the built site: light, readable, without a request to anybody else.

They need a built book (`make book`); the parts of the extension are tested by themselves.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import chapter_source
import pytest
from browser import ALL, Chromium, Visit
from bs4 import BeautifulSoup
from build_scratch import ROOT
from docutils import nodes

from bookbuild.transform.facts import chapter_facts, first_paragraph, video, words
from bookbuild.write.theme.finish import check_theme
from bookbuild.write.theme.icons import ICONS, ThemeChanged, missing_icons
from bookbuild.write.theme.markup import corrected
from bookbuild.write.theme.weight import describe, image, lighten_drawings, lighten_script

HTML = ROOT / "_build" / "html"
CHAPTERS = [path.stem for path in chapter_source.CHAPTERS]
PAGES = [
    "index",
    *(path.stem for path in sorted((ROOT / "book").glob("*.md")) if path.stem != "index"),
]
MADE = ["search", "genindex", "py-modindex"]  # pages that the build adds
# Elements that reach beyond the window, although nothing around them can be scrolled.
CUT_OFF = """() => [...document.querySelectorAll(".bd-article *")].filter((el) => {
    if (el.getBoundingClientRect().right <= innerWidth + 1 || !el.checkVisibility()) return false;
    for (let around = el; around; around = around.parentElement) {
        const style = getComputedStyle(around);
        if (/auto|scroll/.test(style.overflowX)) return false;
        if (style.clip !== "auto" || style.clipPath !== "none") return false; // read out, not shown
    }
    return true;
}).map((el) => el.outerHTML.slice(0, 200))"""


# -- the pages in a browser


@pytest.mark.parametrize("name", [*(f"book/{name}" for name in PAGES), *MADE])
def test_a_page_asks_nobody_else_and_fits_a_phone(chromium: Chromium, name: str) -> None:
    with chromium.visit(HTML / f"{name}.html", width=390) as visit:
        visit.page.add_style_tag(content=ALL)
        visit.settle()
        assert visit.outside(HTML) == []
        assert visit.errors == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visit.page.evaluate(CUT_OFF) == []
        assert not [url for url in visit.requests if "fontawesome" in url]


def test_what_is_cut_off_is_noticed(chromium: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        """<!DOCTYPE html><div class="bd-article" style="contain: paint">
        <p id="wide" style="width: 900px">cut off</p>
        <div style="overflow-x: auto"><p style="width: 900px">can be scrolled</p></div></div>""",
        encoding="utf-8",
    )
    with chromium.visit(page, width=390) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        (found,) = visit.page.evaluate(CUT_OFF)
        assert 'id="wide"' in found


@pytest.fixture
def chapter(chromium: Chromium) -> Iterator[Visit]:
    with chromium.visit(HTML / "book" / "02-bigrams.html") as visit:
        yield visit
        assert visit.errors == []


def test_the_parts_of_a_page_still_work(chapter: Visit) -> None:
    page = chapter.page
    before = page.evaluate("document.documentElement.dataset.theme")
    page.locator(".theme-switch-button").first.click()
    page.locator(".theme-switch-button").first.click()
    assert page.evaluate("document.documentElement.dataset.theme") != before
    assert page.locator("mjx-container").count() > 5  # formulas are set
    hint = page.locator("details, .toggle-button").first
    assert hint.count() == 1
    assert page.locator(".copybtn").count() > 5
    page.keyboard.press("Control+k")
    assert page.locator(
        "#pst-search-dialog input, .search-button__search-container input"
    ).first.is_visible()


@pytest.mark.parametrize("name", ["index", *CHAPTERS, "changelog"])
def test_the_search_is_in_sight(chromium: Chromium, name: str) -> None:
    """Also where the theme has scrolled the sidebar to the chapter that is read."""
    with chromium.visit(HTML / "book" / f"{name}.html", height=700) as visit:
        visit.settle()
        assert visit.page.locator(".search-button-field:visible").count() == 1
        box = visit.page.locator(".bd-sidebar-primary .search-button-field").bounding_box()
        assert box is not None
        assert 0 <= box["y"] < 250
        middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        field = "([x, y]) => !!document.elementFromPoint(x, y).closest('.search-button-field')"
        assert visit.page.evaluate(field, middle)


def test_an_icon_is_drawn_with_the_small_font(chapter: Visit) -> None:
    chapter.page.wait_for_function("() => document.fonts.status === 'loaded'")
    icon = chapter.page.locator("i.fas, i.fa-solid").first
    family = icon.evaluate("icon => getComputedStyle(icon, '::before').fontFamily")
    assert "Font Awesome" in family
    assert (HTML / "_static" / "icons.woff").stat().st_size < 20_000


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_says_what_it_takes(name: str) -> None:
    page = (HTML / "book" / f"{name}.html").read_text(encoding="utf-8")
    found = re.search(r'<p class="chapter-facts">(.*?)</p>', page, re.DOTALL)
    assert found
    text = re.sub(r"<[^>]*>", "", found[1])
    assert re.fullmatch(r"\d+ min to read · \d+ (s|min) to run · Video · Source", text), text
    assert "https://www.youtube.com/watch?v=" in found[1]
    assert f"/book/{name}.md" in found[1]


# -- the parts of the extension


def doctree(*paragraphs: str) -> nodes.document:
    from docutils.utils import new_document

    document = new_document("page")
    document += [nodes.paragraph("", text) for text in paragraphs]
    return document


@pytest.mark.parametrize("name", CHAPTERS)
def test_search_engines_read_prose(name: str) -> None:
    page = (HTML / "book" / f"{name}.html").read_text(encoding="utf-8")
    found = re.findall(r'<meta (name|property)="(?:og:)?description" content="([^"]*)"', page)
    assert {kind for kind, _ in found} == {"name", "property"}
    for _, text in found:
        assert "Video" not in text
        assert "[" not in text
        assert len(text) > 100


def test_words_are_counted_in_prose_only() -> None:
    document = doctree("Three words here.", "And two.")
    output = nodes.container("", nodes.paragraph("", "not this"), nb_element="cell_output")
    document += output
    assert words(document) == 5


def test_facts() -> None:
    document = doctree("word " * 1000)
    line = chapter_facts(document, 95.0, "https://example.org/page.md", "https://youtu.be/abc")
    assert line.astext() == "5 min to read · 2 min to run · Video · Source"
    assert chapter_facts(doctree("a"), 29.6, "s", "v").astext().startswith("1 min to read · 30 s")


def test_the_first_video_counts() -> None:
    document = doctree("text")
    for address in ("https://example.org", "https://youtu.be/one", "https://youtu.be/two"):
        document += nodes.paragraph("", "", nodes.reference("", "link", refuri=address))
    assert video(document) == "https://youtu.be/one"
    assert video(doctree("none")) is None


def test_the_description_is_the_first_paragraph() -> None:
    long = "In this chapter we build an engine that finds derivatives by itself. " * 5
    assert first_paragraph(doctree("Short.", long)) == long
    cited = long.replace("engine", "engine [Karpathy, 2022, Vaswani et al., 2017]", 1)
    assert first_paragraph(doctree(cited)) == long
    short = describe(long)
    assert len(short) <= 157
    assert long.startswith(short.removesuffix(" …"))
    assert describe("Few  words.") == "Few words."


def test_an_image_waits_until_it_is_needed() -> None:
    tag = image('<img src="a.png" alt="x" />', lambda source: (30, 20))
    size = 'width="30" height="20"'
    assert tag == f'<img loading="lazy" decoding="async" {size} src="a.png" alt="x" />'
    assert size not in image('<img src="a.png" style="width: 5px" />', lambda source: (30, 20))
    unknown = image('<img src="a.png" />', lambda source: None)
    assert "width" not in unknown
    assert image('<img loading="eager" src="a.png">', lambda s: None).count("loading") == 1


@pytest.mark.parametrize("name", [*(f"book/{name}" for name in PAGES), *MADE])
def test_a_button_is_called_what_stands_on_it(name: str) -> None:
    soup = BeautifulSoup((HTML / f"{name}.html").read_bytes(), "html.parser")
    for button in soup.select("button, summary"):
        text, label = button.get_text(" ", strip=True), button.get("aria-label")
        assert not (text and label) or text.lower() in str(label).lower(), button


def test_a_link_to_an_exercise_begins_with_a_letter() -> None:
    soup = BeautifulSoup((HTML / "book" / "02-bigrams.html").read_bytes(), "html.parser")
    links = soup.select(".solution .admonition-title a")
    assert links
    for link in links:
        assert link.get_text() == link.get_text().strip()
        assert str(link.previous_sibling).endswith(" ")


GOOD = """<html><head><meta name="viewport" content="width=device-width">
<script src="_static/documentation_options.js?v=1"></script><script>let a = 1</script>
<script defer="defer" src="a.js"></script></head>
<body><div id="pst-primary-sidebar" role="region" aria-label="Book">"""


@pytest.mark.parametrize(
    ("old", "new", "flaw"),
    [
        ('defer="defer"', "", "a script blocks the page"),
        ("a.js", "scripts/fontawesome.js", "the script of all icons is loaded"),
        ("a.js", "searchindex.js", "the scripts of the search are loaded"),
        ("<script>", '<link rel="preload" as="script"><script>', "scripts are loaded beforehand"),
        ("<script>", '<meta name="viewport"><script>', "there must be one viewport"),
        ('role="region"', "", "the sidebar is no landmark"),
    ],
)
def test_a_changed_theme_is_noticed(old: str, new: str, flaw: str) -> None:
    check_theme(GOOD)
    with pytest.raises(ThemeChanged, match=flaw):
        check_theme(GOOD.replace(old, new, 1))


def test_a_changed_tag_is_noticed() -> None:
    def visit(translator: SimpleNamespace, node: nodes.Node) -> None:
        translator.body += ["<b>", "bold"]

    translator = SimpleNamespace(body=["before <b>"])
    corrected(visit, "<b>", "<strong>")(translator, nodes.paragraph())
    assert "".join(translator.body) == "before <b><strong>bold"
    with pytest.raises(ThemeChanged, match="visit no longer writes '<i>'"):
        corrected(visit, "<i>", "<em>")(translator, nodes.paragraph())


def test_the_script_of_the_theme_measures_nothing(tmp_path: Path) -> None:
    path = tmp_path / "scripts" / "pydata-sphinx-theme.js"
    path.parent.mkdir()
    measure = "e=>{e.tabIndex=e.scrollWidth>e.clientWidth?0:-1}"
    text = "a();document.querySelectorAll(%s).forEach(" + measure + ");b();\n"
    path.write_text(text % '["pre",".x > .y"].join(", ")', encoding="utf-8")
    for _ in range(2):
        lighten_script(tmp_path)
        assert path.read_text(encoding="utf-8") == text % '"nothing-that-scrolls"'
    path.write_text(text % '["code"].join(", ")', encoding="utf-8")
    with pytest.raises(ThemeChanged, match=r"what pydata-sphinx-theme\.js measures"):
        lighten_script(tmp_path)


def test_drawings_are_as_fine_as_an_eye_can_see(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    text = '<svg><path d="M %s L 1.5 -0.001234" id="1.2345"/><text x="%s">3.14159</text></svg>'
    path.write_text(text % ("12.345678 -7.999999", "10.126"), encoding="utf-8")
    for _ in range(2):
        lighten_drawings(tmp_path)
        expected = (text % ("12.35 -8", "10.13")).replace("-0.001234", "0")
        assert path.read_text(encoding="utf-8") == expected


def test_an_icon_that_was_cut_is_noticed() -> None:
    known = sorted(ICONS)[0]
    assert missing_icons(f'<i class="fa-solid fa-{known}"></i>') == set()
    assert missing_icons('<i class="fas fa-dragon"></i>') == {"dragon"}
    assert missing_icons('<i class="fab fa-github"></i>') != set()


def test_the_site_has_no_large_icon_files() -> None:
    static = HTML / "_static"
    assert not list(static.rglob("fontawesome*.js"))
    assert not (static / "vendor" / "fontawesome").exists()
    assert not list(Path(static).rglob("*.map"))
