"""Plain Markdown, as Jupyter, Colab and editors all read it: escapes, fences, quotes, tables."""

import re

__all__ = [
    "display_math",
    "escape",
    "escape_start",
    "fence",
    "indent",
    "inline_code",
    "quote",
    "table_cell",
]


def escape(text: str) -> str:
    """Escape what Markdown would take for markup in a piece of running text.

    A line break becomes a space: so nothing but the start of a paragraph can look like a list or
    a heading (see `escape_start`).
    """
    text = re.sub(r"\s*\n\s*", " ", text)
    text = text.replace("\\", "\\\\").replace("`", "\\`").replace("*", "\\*").replace("$", "\\$")
    # An underscore within a word is no markup.
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text).replace("](", "]\\(")


def escape_start(paragraph: str) -> str:
    """Escape the start of a paragraph that Markdown would take for a block.

    That is a list, a heading, a quote, a rule (``---``), a fence (``~~~``) or the target of links
    (``[a]: b``). `escape` has taken care of asterisks, underscores and backticks.
    """
    paragraph = re.sub(r"^(\d{1,9})([.)])(?=\s|$)", r"\1\\\2", paragraph)
    return re.sub(r"^(?=(?:[-+]|#{1,6})(?:\s|$)|-[-\s]*$|>|~~~|\[[^]]*\]:)", r"\\", paragraph)


def inline_code(text: str) -> str:
    """Code within a line; with as many backticks as it takes."""
    text = re.sub(r"\s*\n\s*", " ", text)
    runs = re.findall(r"`+", text)
    ticks = "`"
    while ticks in runs:
        ticks += "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def fence(text: str, language: str) -> str:
    """Block of code that is shown, not run."""
    ticks = "```"
    while ticks in text:
        ticks += "`"
    return f"{ticks}{language}\n{text.rstrip()}\n{ticks}\n\n"


def display_math(latex: str, tag: str = "", *, bare: bool = False) -> str:
    r"""Write a formula on a line of its own.

    It has to be one line of the file: Jupyter takes formulas out before it reads quotes and lists,
    whose marks at the start of further lines would become part of the formula.

    Parameters
    ----------
    latex
        The formula. Rows that are separated by ``\\`` outside an environment are set as Sphinx
        does, in ``split``.
    tag
        Its number.
    bare
        Whether `latex` brings an environment of its own (as ``align``), that needs no dollars.
    """
    # Nothing may be lost with the line breaks: a comment would swallow the rest.
    rows = [re.sub(r"(?<!\\)%.*", "", row).strip() for row in latex.strip().splitlines()]
    line = " ".join(row for row in rows if row)
    if bare:
        return f"{line}\n\n"
    if "\\\\" in re.sub(r"\\begin\{(.+?)\}.*\\end\{\1\}", "", line):
        line = rf"\begin{{split}} {line} \end{{split}}"
    number = rf" \tag{{{tag}}}" if tag else ""
    return f"$$ {line}{number} $$\n\n"


def indent(text: str, first: str) -> str:
    """Put `first` before the first line of a block, and as much white space before the others."""
    rest = " " * len(first)
    lines = text.strip().splitlines()
    return first + "\n".join([*lines[:1], *(rest + line if line else "" for line in lines[1:])])


def quote(text: str) -> str:
    """Block quote of a piece of Markdown."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines()) + "\n\n"


def table_cell(text: str) -> str:
    r"""Content of a table's cell on one line; a bar would end the cell.

    Within a formula it becomes ``\vert``, since not every reader knows ``\|`` there.
    """
    text = re.sub(r"\s*\n\s*", " ", text.strip())
    parts = re.split(r"((?<!\\)\$[^$]*(?<!\\)\$)", text)
    return "".join(
        part.replace("\\|", "\\Vert ").replace("|", "\\vert ")
        if part.startswith("$")
        else part.replace("|", "\\|")
        for part in parts
    )
