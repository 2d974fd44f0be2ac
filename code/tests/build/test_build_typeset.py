"""Formulas that are set when the book is built."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from build_scratch import COMMAND, EXTENSIONS, ROOT, STRICT, Book

from bookbuild.write.math import STYLE_CLASS, FormulaError, Typesetter

HTML = ROOT / "_build" / "html"
FORMULAS = r"""# A page on $q$

Let $x < y$, ($x$) and *$z$*: $w$ be, by {eq}`pair`, $k$, {eq}`pair`,

$$
a &= b \\
  &= 1
$$ (pair)

## Of $v$

\begin{align}
u &= 1
\end{align}

{eq}`pair` is numbered.
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Typesetter]:
    engine = Typesetter()
    yield engine
    engine.close()


def letters(shown: str) -> str:
    """The characters of a formula, from the names of their classes."""
    codes = re.findall(r'class="mjx-c([0-9A-F]+)', shown)
    return "".join(chr(int(code, 16)) for code in codes)


def test_a_formula_has_a_form_for_the_eye_and_one_for_the_ear(engine: Typesetter) -> None:
    engine.begin()
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
    engine.begin()
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
    engine.begin()
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
    engine.begin()
    with pytest.raises(FormulaError, match=re.escape(reason)) as caught:
        engine.convert(tex, display=False)
    assert repr(tex) in str(caught.value)
    assert "mjx-container" in engine.convert("x", display=False), "the engine goes on"


def test_the_style_sheet_holds_what_a_page_uses(engine: Typesetter) -> None:
    engine.begin()
    engine.convert("x", display=False)
    first = engine.styles("../fonts")
    assert 'url("../fonts/MathJax_Math-Italic.woff")' in first
    assert ".mjx-c1D465.TEX-I::before" in first
    assert ".mjx-c1D466.TEX-I::before" not in first
    engine.begin()
    engine.convert("y", display=False)
    second = engine.styles("fonts")
    assert ".mjx-c1D466.TEX-I::before" in second
    assert ".mjx-c1D465.TEX-I::before" not in second, "nothing of the page before"


# -- pages


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A book with formulas in its text, in a heading, and in the title of a page."""
    pages = {"book/01-one.md": FORMULAS, "book/02-two.md": "# Two\n\nNo formula.\n"}
    book = Book.create(tmp_path_factory.mktemp("formulas"), pages)
    status, log = book.build(*STRICT)
    assert status == 0, log
    return book


def soup_of(book: Book, name: str) -> BeautifulSoup:
    return BeautifulSoup(book.page(name), "html.parser")


def test_formulas_are_set_where_they_stand(book: Book) -> None:
    article = soup_of(book, "book/01-one.html").select_one("article")
    assert article is not None
    inline = [letters(str(tag)) for tag in article.select("p span.math")]
    assert inline == [
        "\U0001d465<\U0001d466",
        "\U0001d465",
        "\U0001d467",
        "\U0001d464",
        "\U0001d458",
    ]
    pair, aligned = article.select("div.math")
    assert letters(str(pair)) == "\U0001d44e=\U0001d44f=1"
    assert letters(str(aligned)) == "\U0001d462=1"
    number = pair.select_one("span.eqno")
    assert number is not None
    assert number.get_text().startswith("(1)")
    assert article.select_one('p a[href="#equation-pair"]') is not None
    assert pair["id"] == "equation-pair"


@pytest.mark.parametrize("name", ["book/01-one", "book/02-two", "search", "404"])
def test_titles_are_set_in_the_sidebar_and_every_character_has_its_rule(
    book: Book, name: str
) -> None:
    soup = soup_of(book, f"{name}.html")
    title = soup.select_one('#pst-primary-sidebar a[href$="01-one.html"], a.current')
    assert title is not None
    assert "\U0001d45e" in letters(str(soup.select_one("#pst-primary-sidebar")))
    (style,) = soup.select(f"head > style.{STYLE_CLASS}")
    used = {code for tag in soup.select("mjx-c") for code in tag["class"] if "mjx-c" in code}
    assert used
    assert {code for code in used if f".{code}" not in style.get_text()} == set()
    assert "mathjax" not in " ".join(map(str, soup.select("script"))).lower()
    assert "\\(" not in soup.get_text()


def test_a_style_sheet_holds_what_its_page_uses(book: Book) -> None:
    pages = [soup_of(book, f"book/{name}.html") for name in ("01-one", "02-two")]
    one, two = (str(page.select_one(f"style.{STYLE_CLASS}")) for page in pages)
    assert ".mjx-c1D466" in one
    assert ".mjx-c1D466" not in two
    assert 'url("../_static/mathjax/output/chtml/fonts/woff-v2/' in two


def test_what_closes_a_sentence_stays_beside_its_formula(book: Book) -> None:
    soup = soup_of(book, "book/01-one.html")
    assert [str(tag.contents[-1]) for tag in soup.select("span.unbroken")] == [",", ")", ","]
    for tag in soup.select("mjx-container"):
        tag.clear()
    (line,) = [p.get_text() for p in soup.select("p") if p.get_text().startswith("Let ")]
    assert line == "Let , () and :  be, by (1), , (1),"


def test_a_bad_formula_is_named_and_stops_the_strict_build(tmp_path: Path) -> None:
    text = "# One\n\nFirst.\n\nLet $\\oops$ be, and $x$.\n"
    book = Book.create(tmp_path, {"book/01-one.md": text})
    status, log = book.build(*STRICT)
    assert status != 0
    assert "MathJax can't read a formula: Undefined control sequence \\oops" in log
    (line,) = [line for line in log.splitlines() if "MathJax can't read" in line]
    assert "book/01-one.md:5: " in line
    page = book.page("book/01-one.html")
    assert r"\(\oops\)" in page
    assert page.count("<mjx-container") == 1


# -- the end of a process; from Python 3.13 on, one whose engine runs would not end

LIMIT = 100  # seconds, of which none of these needs more than a few


@pytest.mark.parametrize("end", ["", "raise SystemError", "typesetter().close()"])
def test_a_script_that_sets_a_formula_ends(end: str) -> None:
    script = f"from bookbuild.write.math import typesetter\ntypesetter().convert('x', False)\n{end}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**Book(ROOT).environment(), "PYTHONPATH": str(EXTENSIONS)},
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    assert (done.returncode == 0) == ("raise" not in end), done.stderr


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        ("", "build succeeded"),
        ("def stop(*_):\n    raise ValueError('stopped')\n", "stopped"),
        ("def stop(*_):\n    raise KeyboardInterrupt\n", "Interrupted"),
    ],
)
def test_a_build_ends_however_it_goes(tmp_path: Path, extension: str, message: str) -> None:
    book = Book.create(tmp_path, {"book/01-one.md": FORMULAS, "book/02-two.md": "# Two\n"})
    if extension:
        event = "app.connect('html-page-context', stop, priority=999)"
        book.write("ext/stopping.py", f"{extension}\ndef setup(app):\n    {event}\n")
        config = yaml.safe_load((tmp_path / "_config.yml").read_text(encoding="utf-8"))
        config["sphinx"]["local_extensions"]["stopping"] = "ext"
        book.write("_config.yml", yaml.safe_dump(config))
    done = subprocess.run(
        COMMAND,
        cwd=tmp_path,
        env=book.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=LIMIT,
        check=False,
    )
    assert message in done.stdout
    assert (done.returncode == 0) == (not extension)
