"""Markdown of exported notebooks, against an independent reader of CommonMark."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from notebook_export import markdown

COMMONMARK = MarkdownIt("commonmark")
TABLES = MarkdownIt("commonmark").enable("table")
# What a sentence is made of, and what Markdown could take for markup.
MARKS = (
    r"a b word x_y n_embd _x x_ __init__ * ** 2*3 ` `` $ $5 < <b> </b> <!-- & &amp; &lt; [ ] ]( ![ "
    r"( ) \ \* \( # ## - + 1. 1) > | ~ é → { } {x} : . , ~~~ --- === *** ___ ]:"
)
PIECES = st.sampled_from([*MARKS.split(), "\n"])
SENTENCES = st.lists(PIECES, min_size=1, max_size=12).map(" ".join) | st.lists(PIECES).map("".join)


def shown(text: str, reader: MarkdownIt = COMMONMARK) -> str:
    """Return what a reader sees of one paragraph, and fail if there is anything else."""
    tokens = reader.parse(text)
    if not tokens:
        return ""
    assert [t.type for t in tokens] == ["paragraph_open", "inline", "paragraph_close"], tokens
    children = tokens[1].children or []
    assert {t.type for t in children} <= {"text", "text_special"}, children
    return "".join(t.content for t in children)


def one_line(text: str) -> str:
    return " ".join(text.split())


@given(SENTENCES)
@example("~~~")
@example("~~~~ python")
@example("---")
@example("- - -")
@example("***")
@example("___")
@example("===")
@example("[a]: b")
def test_escaped_text_is_read_as_it_is(text: str) -> None:
    paragraph = markdown.escape_start(markdown.escape(text).strip())
    assert one_line(shown(paragraph)) == one_line(text)


@given(SENTENCES)
def test_no_dollar_of_the_text_starts_a_formula(text: str) -> None:
    assert not re.search(r"(?<!\\)(\\\\)*\$", markdown.escape(text))


def test_what_needs_no_escape_stays() -> None:
    plain = "n_embd, x < y, a & b, [Karpathy, 2022], 3. May (1 > 0)"
    assert markdown.escape(plain) == plain


@given(SENTENCES.filter(str.strip))
def test_inline_code(text: str) -> None:
    (_, inline, _) = COMMONMARK.parse(f"see {markdown.inline_code(text)}.")
    code = [t.content for t in inline.children or [] if t.type == "code_inline"]
    assert [one_line(c) for c in code] == [one_line(text)]


@given(st.lists(SENTENCES).map("\n".join))
def test_fence_keeps_every_character(text: str) -> None:
    tokens = COMMONMARK.parse(markdown.fence(text, "python"))
    assert [t.type for t in tokens] == ["fence"]
    assert (tokens[0].info, tokens[0].content.rstrip()) == ("python", text.rstrip())


@pytest.mark.parametrize("first", ["- ", "12. "])
def test_indented_blocks_stay_in_their_item(first: str) -> None:
    text = "one\n\n```python\nx = 1\n\n\ny = 2\n```\n\n- inner\n"
    tokens = COMMONMARK.parse(markdown.indent(text, first) + "\n\nafter")
    top = [t.type for t in tokens if t.level == 0]
    assert [kind.split("_")[0] for kind in top[:2]] == [top[0].split("_")[0]] * 2
    assert [t.content for t in tokens if t.type == "fence"] == ["x = 1\n\n\ny = 2\n"]
    assert "bullet_list_open" in [t.type for t in tokens if t.level == 2]


def test_quote_holds_everything() -> None:
    tokens = COMMONMARK.parse(markdown.quote("**Note**\n\n```\na\n\nb\n```\n\n- c"))
    assert (tokens[0].type, tokens[-1].type) == ("blockquote_open", "blockquote_close")
    assert [t.content for t in tokens if t.type == "fence"] == ["a\n\nb\n"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a | b", r"a \| b"),
        (r"$p(a|b)$ or | ", r"$p(a\vert b)$ or \|"),
        (r"$\|x\|$", r"$\Vert x\Vert $"),
        (r"costs \$5 | \$6", r"costs \$5 \| \$6"),
    ],
)
def test_bars_in_tables(given: str, expected: str) -> None:
    assert markdown.table_cell(given) == expected
    rows = TABLES.parse(f"| a | b |\n| --- | --- |\n| {expected} | 2 |\n")
    assert sum(t.type == "td_open" for t in rows) == 2


def test_formulas_are_one_line() -> None:
    assert markdown.display_math("\na =\nb % why\n", "2.1") == "$$ a = b \\tag{2.1} $$\n\n"
    assert markdown.display_math("50\\% of\nx") == "$$ 50\\% of x $$\n\n"
    rows = markdown.display_math("a &= b \\\\\n c &= d")
    assert rows == "$$ \\begin{split} a &= b \\\\ c &= d \\end{split} $$\n\n"
    matrix = "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"
    assert markdown.display_math(matrix) == f"$$ {matrix} $$\n\n"
    align = "\\begin{align} a &= b \\end{align}"
    assert markdown.display_math(align, bare=True) == f"{align}\n\n"
