"""Formulas that are set when the book is built."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from build_scratch import ROOT, STRICT, Book

from bookbuild.write.math import STYLE_CLASS, FormulaError, Typesetter, typeset

HTML = ROOT / "_build" / "html"
PAGE = """<html data-content_root="../"><head><title>x</title>
<script>window.MathJax = {"options": {}}</script>
<script defer="defer" src="https://cdn/mathjax@3/es5/tex-mml-chtml.js"></script>
</head><body>%s</body></html>"""
INLINE = r'<span class="math notranslate nohighlight">\(%s\)</span>'
DISPLAY = '<div class="math notranslate nohighlight" id="equation-a">\n%s\\[%s\\]</div>'


@pytest.fixture(scope="module")
def engine() -> Typesetter:
    return Typesetter()


def letters(shown: str) -> str:
    """The characters of a formula, from the names of their classes."""
    codes = re.findall(r'class="mjx-c([0-9A-F]+)', shown)
    return "".join(chr(int(code, 16)) for code in codes)


def test_a_formula_has_a_form_for_the_eye_and_one_for_the_ear(engine: Typesetter) -> None:
    engine.begin("fonts")
    shown = BeautifulSoup(engine.convert(r"\frac{a}{2} < b", display=False), "html.parser")
    container = shown.select_one("mjx-container")
    assert container is not None
    assert not container.has_attr("display")
    drawn = container.select_one("mjx-math[aria-hidden=true]")
    assert drawn is not None
    # italic letters are the mathematical ones of Unicode
    assert letters(str(drawn)) == "\U0001d44e2<\U0001d44f"
    spoken = container.select_one("mjx-assistive-mml > math")
    assert spoken is not None
    assert [tag.get_text() for tag in spoken.find_all(["mi", "mn", "mo"])] == ["a", "2", "<", "b"]
    assert spoken.find("mfrac") is not None


def test_a_display_formula_says_so(engine: Typesetter) -> None:
    engine.begin("fonts")
    shown = BeautifulSoup(engine.convert(r"\sum_i x_i", display=True), "html.parser")
    container = shown.select_one("mjx-container[display=true]")
    assert container is not None
    assert shown.select_one("mjx-assistive-mml")["display"] == "block"  # type: ignore[index]
    assert shown.select_one("math")["display"] == "block"  # type: ignore[index]


@pytest.mark.parametrize(
    "tex",
    [
        r"\mathbf{x} \in \mathbb{R}^{n \times m}",
        r"\begin{aligned} a &= b \\ &= c \end{aligned}",
        r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
        r"\underbrace{\text{loss}}_{\ge 0}",
        r"\operatorname{softmax}(z)_i = \frac{e^{z_i}}{\sum_j e^{z_j}}",
        r"\sqrt{\hat\sigma^2 + \epsilon}, \quad \bar{x}, \quad \tfrac12",
        r"\begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}",
    ],
)
def test_what_the_chapters_use_is_known(engine: Typesetter, tex: str) -> None:
    engine.begin("fonts")
    assert "merror" not in engine.convert(tex, display=True)


@pytest.mark.parametrize(
    ("tex", "reason"),
    [
        (r"\frac{1}{2", "Missing close brace"),
        (r"\nosuchcommand x", r"Undefined control sequence \nosuchcommand"),
        (r"\begin{aligned} a", r"Missing \end{aligned}"),
        ("a_1_2", "Double subscripts"),
    ],
)
def test_a_formula_that_cannot_be_read(engine: Typesetter, tex: str, reason: str) -> None:
    engine.begin("fonts")
    with pytest.raises(FormulaError, match=re.escape(reason)) as caught:
        engine.convert(tex, display=False)
    assert repr(tex) in str(caught.value)
    assert "mjx-container" in engine.convert("x", display=False), "the engine goes on"


def test_the_style_sheet_holds_what_a_page_uses(engine: Typesetter) -> None:
    engine.begin("../fonts")
    engine.convert("x", display=False)
    first = engine.styles()
    assert 'url("../fonts/MathJax_Math-Italic.woff")' in first
    assert ".mjx-c1D465.TEX-I::before" in first
    assert ".mjx-c1D466.TEX-I::before" not in first
    engine.begin("fonts")
    engine.convert("y", display=False)
    second = engine.styles()
    assert ".mjx-c1D466.TEX-I::before" in second
    assert ".mjx-c1D465.TEX-I::before" not in second, "nothing of the page before"


def test_a_page_without_formulas_loses_the_scripts_only() -> None:
    page, flaws = typeset(PAGE % "<p>\\(not a formula\\)</p>")
    assert flaws == []
    assert "script" not in page
    assert f'class="{STYLE_CLASS}"' not in page
    assert "<p>\\(not a formula\\)</p>" in page


def test_the_formulas_of_a_page_are_replaced_where_they_stand() -> None:
    number = '<span class="eqno">(1)<a class="headerlink" href="#equation-a">#</a></span>'
    body = (
        f"<p>Let {INLINE % 'x &lt; y'} be</p>{DISPLAY % (number, 'x' + chr(10) + '= 1')}<p>so</p>"
    )
    page, flaws = typeset(PAGE % body)
    assert flaws == []
    soup = BeautifulSoup(page, "html.parser")
    assert soup.find("script") is None
    assert "\\(" not in page
    assert "\\[" not in page
    inline, display = soup.select("mjx-container")
    assert letters(str(inline)) == "\U0001d465<\U0001d466"
    assert inline.parent is not None
    assert inline.parent["class"][0] == "math"
    assert display.find_previous_sibling("span", class_="eqno") is not None
    style = soup.select_one(f"head > style.{STYLE_CLASS}")
    assert style is not None
    assert 'url("../_static/mathjax/output/chtml/fonts/woff-v2/' in str(style)
    again, _ = typeset(PAGE % body)
    assert again == page, "the same page, each time"


def test_what_closes_a_sentence_stays_beside_its_formula() -> None:
    formula = INLINE % "x"
    page, _ = typeset(PAGE % f"<p>({formula}), {formula} and {formula}.</p>")
    soup = BeautifulSoup(page, "html.parser")
    ends = [str(tag.contents[-1]) for tag in soup.select("span.unbroken")]
    assert ends == ["),", "."]


def test_what_cannot_be_read_is_left_and_named() -> None:
    page, flaws = typeset(PAGE % (INLINE % r"\oops" + INLINE % "x"))
    assert len(flaws) == 1
    assert r"'\\oops'" in flaws[0]
    assert r"\(\oops\)" in page
    assert page.count("<mjx-container") == 1


def test_a_bad_formula_stops_the_strict_build(tmp_path: Path) -> None:
    book = Book.create(tmp_path, {"book/01-one.md": "# One\n\nLet $\\oops$ be.\n"})
    status, log = book.build(*STRICT)
    assert status != 0
    assert "01-one: MathJax can't read a formula: Undefined control sequence" in log
