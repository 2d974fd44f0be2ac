"""Glossary, notation, errata and start page: what they promise about the chapters."""

import ast
import re
from pathlib import Path

import pytest
from chapter_source import (
    CHAPTERS,
    ROOT,
    Cell,
    code_cells,
    glued,
    includes,
    prose,
    used_names,
)
from pybtex.database import parse_file

from zerotohero import figures

BOOK = ROOT / "book"
LINK = re.compile(r"\]\(([\w-]+\.md)#([^)\s]+)\)")
NUMBERED = re.compile(r"chapter (\d)", re.I)


def page(name: str) -> str:
    return (BOOK / f"{name}.md").read_text(encoding="utf-8")


def chapter(number: str) -> Path | None:
    """Return the file of a chapter, or None while it is not written."""
    return next((path for path in CHAPTERS if path.stem.startswith(f"0{number}-")), None)


def code_names(path: Path) -> set[str]:
    """Return every name in the cells of a chapter and in the sources that it includes."""
    trees: list[ast.AST] = [cell.tree for cell in code_cells(path)]
    trees += [include.shown() for include in includes(path)]
    names: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.arg) or (isinstance(node, ast.keyword) and node.arg):
                names.add(node.arg)
            elif isinstance(node, ast.FunctionDef):
                names.add(node.name)
    return names


# -- glossary ---------------------------------------------------------------------------


def glossary() -> list[tuple[list[str], str]]:
    """List the entries: their terms, and the definition."""
    (body,) = re.findall(r"^```\{glossary\}\n(.*?)^```$", page("glossary"), re.M | re.S)
    entries = []
    for block in body.strip("\n").split("\n\n"):
        lines = block.split("\n")
        terms = [line for line in lines if not line.startswith(" ")]
        assert lines[: len(terms)] == terms, block
        entries.append((terms, " ".join(line.strip() for line in lines[len(terms) :])))
    return entries


ENTRIES = glossary()


def linked(path: Path) -> list[str]:
    """List the terms that a chapter links, as the glossary spells them."""
    return _targets(prose(path))


def test_the_glossary_is_in_alphabetic_order() -> None:
    first = [terms[0].replace("–", "-").casefold() for terms, _ in ENTRIES]
    assert first == sorted(first)
    every = [term.casefold() for terms, _ in ENTRIES for term in terms]
    assert len(every) == len(set(every)), "a term stands in the glossary twice"
    assert len(ENTRIES) >= 80


@pytest.mark.parametrize(("terms", "text"), ENTRIES, ids=[terms[0] for terms, _ in ENTRIES])
def test_an_entry_is_short_and_leads_to_the_section_that_teaches_it(
    terms: list[str], text: str
) -> None:
    assert 20 < len(text) < 450, terms
    links = LINK.findall(text)
    for file, _ in links:  # Sphinx checks the section
        assert (BOOK / file).is_file()
    named = set(NUMBERED.findall(text))
    missing = [n for n in named if chapter(n) and not any(f.startswith(f"0{n}-") for f, _ in links)]
    assert not missing, f"{terms[0]}: link the section of chapter {', '.join(missing)}"
    assert links or any(chapter(n) is None for n in named), f"{terms[0]}: no link to a section"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_link_terms_that_are_there_and_each_once(path: Path) -> None:
    known = {term.casefold(): terms[0] for terms, _ in ENTRIES for term in terms}
    terms = linked(path)
    assert terms
    unknown = [term for term in terms if term.casefold() not in known]
    assert not unknown, "linked, but not in the glossary"
    twice = {term for term in terms if terms.count(term) > 1}
    assert not twice, "link a term where it is introduced, and nowhere else"
    headings = re.findall(r"^#+ .*$", prose(path), re.M)
    assert not [heading for heading in headings if "{term}" in heading]
    for paragraph in prose(path).split("\n\n"):
        entries = [known[t.casefold()] for t in _targets(paragraph)]
        assert len(entries) == len(set(entries)), paragraph


def _targets(text: str) -> list[str]:
    found = re.findall(r"\{term\}`([^`]+)`", text)
    return [m[1] if (m := re.search(r"<([^>]+)>$", t)) else t for t in found]


def test_the_glossary_is_linked_from_the_chapters() -> None:
    used = {term.casefold() for path in CHAPTERS for term in linked(path)}
    entries = [terms for terms, text in ENTRIES if LINK.search(text)]
    assert len(entries) > 100
    assert not [terms for terms in entries if not used & {term.casefold() for term in terms}]


# -- notation ---------------------------------------------------------------------------


def rows(title: str) -> list[list[str]]:
    """List the rows of the table below a heading of the notation page."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", page("notation"), re.M | re.S)
    lines = [line for line in section.split("\n") if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize("row", rows("Names in code"), ids=lambda row: row[0])
def test_names_in_code_exist_where_they_are_said_to(row: list[str]) -> None:
    names, _, where = row
    ((file, _),) = LINK.findall(where)
    in_chapter = code_names(BOOK / file)
    for name in re.findall(r"`([^`]+)`", names):
        assert name in in_chapter, f"{file} has no {name}"


@pytest.mark.parametrize("row", [*rows("Shapes"), *rows("Symbols")], ids=lambda row: row[0])
def test_symbols_exist_where_they_are_said_to(row: list[str]) -> None:
    symbol, _, where = row
    ((file, _),) = LINK.findall(where)
    text = prose(BOOK / file)
    maths = re.findall(r"\$\$.*?\$\$|\$[^$\n]+\$", text, re.S)
    letters = symbol.strip("$")
    if re.fullmatch(r"[A-Za-z]", letters):  # not a letter of some \command
        in_code = any(
            re.search(rf"\({letters},|, {letters}\b", c.source) for c in code_cells(BOOK / file)
        )
        assert in_code or any(re.search(rf"(?<![A-Za-z\\]){letters}(?![A-Za-z])", m) for m in maths)
    else:
        squeezed = "".join(maths).replace(" ", "")
        assert letters.replace(" ", "") in squeezed, f"{file} does not use {symbol}"


def test_the_colors_are_those_of_the_figures() -> None:
    table = rows("Colors of figures")
    assert len(table) == 7
    for color, name, _ in table:
        value = getattr(figures, name.strip("`"))
        assert set(re.findall(r"#[0-9a-f]{6}", color)) == {value}


# -- errata -----------------------------------------------------------------------------

ERRATA = BOOK / "errata.md"


def entries_of_the_errata() -> dict[str, list[Cell | str]]:
    """Return the text and the cells below each heading of an entry."""
    from chapter_source import cells

    found: dict[str, list[Cell | str]] = {}
    title = ""
    for cell in cells(ERRATA):
        if cell.kind == "code":
            if title:
                found[title].append(cell)
            continue
        for part in re.split(r"^(?=#{2,3} )", cell.source, flags=re.M):
            if heading := re.match(r"#{2,3} (.*)", part):
                title = heading[1] if part.startswith("### ") else ""
                if title:
                    assert title not in found
                    found[title] = []
            if title:
                found[title].append(part)
    return found


@pytest.mark.parametrize(("title", "parts"), entries_of_the_errata().items())
def test_each_erratum_is_shown_by_a_cell(title: str, parts: list[Cell | str]) -> None:
    lecture = re.match(r"Lecture ([1-8]): ", title)
    assert lecture, "say which lecture"
    (cell,) = (part for part in parts if isinstance(part, Cell))
    asserts = [node for node in ast.walk(cell.tree) if isinstance(node, ast.Assert)]
    assert asserts, "the cell asserts nothing"
    for node in asserts:
        assert any(isinstance(n, ast.Name) for n in ast.walk(node.test)), "it can't fail"
    text = "\n".join(part for part in parts if isinstance(part, str))
    taught = chapter(lecture[1])
    if taught:
        assert f"({taught.name}#" in text, f"link the section of {taught.stem}"


def test_numbers_of_the_errata_come_from_a_cell() -> None:
    patterns = list(glued(ERRATA))
    used = used_names(ERRATA)
    assert all(any(re.fullmatch(p, name) for p in patterns) for name in used)
    assert all(any(re.fullmatch(p, name) for name in used) for p in patterns)


def test_reports_are_cited_by_address() -> None:
    reports = re.findall(
        r"\[[^\]]*#\d+\]\((https://github\.com/[\w.-]+/[\w.-]+/(?:issues|pull)/\d+)\)",
        page("errata"),
    )
    assert len(reports) >= 10
    assert all("karpathy" in url or "pytorch" in url for url in reports)


def test_no_two_works_are_cited_alike() -> None:
    """Works of the same authors and year have a letter: 2022a, 2022b."""
    cited: dict[tuple[str, str], str] = {}
    for key, entry in parse_file(str(ROOT / "book" / "references.bib")).entries.items():
        names = [" ".join([*p.prelast_names, *p.last_names]) for p in entry.persons["author"]]
        authors = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
        other = cited.setdefault((authors, entry.fields["year"]), key)
        assert other == key, f"{other} and {key}: {authors}, {entry.fields['year']}"
