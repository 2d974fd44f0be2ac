"""The chapters beside the package: what they include, glue, draw, and ask in exercises."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from chapter_source import (
    CHAPTERS,
    PACKAGE,
    Cell,
    Exercise,
    check_module,
    checks,
    code_cells,
    exercises,
    glued,
    includes,
    used_names,
)
from check_modules import MODULES, checks_of

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


# -- included sources -----------------------------------------------------------------


@each_chapter
def test_included_sources_exist(chapter: Path) -> None:
    for include in includes(chapter):
        assert include.path.is_relative_to(PACKAGE), include
        assert include.path.is_file(), include
        assert include.name, f"{include.path.name} is included without :pyobject:"
        assert include.shown()


# -- figures and numbers in prose -------------------------------------------------------


def draws(cell: Cell) -> bool:
    """Whether a cell uses Matplotlib's plots, or ends with a drawn graph."""
    tree = cell.tree
    plots = any(isinstance(n, ast.Name) and n.id == "plt" for n in ast.walk(tree))
    last = tree.body[-1] if tree.body else None
    graph = (
        isinstance(last, ast.Expr)
        and isinstance(last.value, ast.Call)
        and ast.unparse(last.value.func) == "draw_graph"
    )
    return plots or graph


@each_chapter
def test_the_readers_of_chapters_find_what_is_there(chapter: Path) -> None:
    """As many as a plain search of the text finds, so that no test below passes for want of any."""
    text = chapter.read_text(encoding="utf-8")
    listings = text.count("```{literalinclude}") + text.count("```{listing}")
    assert len(includes(chapter)) == listings
    assert len(exercises(chapter)) == text.count("```{exercise-start}") > 0
    assert len(code_cells(chapter)) == text.count("```{code-cell}")


def test_there_are_chapters_that_draw_and_that_glue() -> None:
    """A single one may do without either."""
    assert any(draws(cell) for chapter in CHAPTERS for cell in code_cells(chapter))
    assert any(map(used_names, CHAPTERS))


@each_chapter
def test_every_picture_has_an_alternative_text_and_a_caption(chapter: Path) -> None:
    drawing = [cell for cell in code_cells(chapter) if draws(cell)]
    for cell in drawing:
        settings: dict[str, Any] = cell.metadata.get("mystnb", {})
        for part, field in (("image", "alt"), ("figure", "caption"), ("figure", "name")):
            text = settings.get(part, {}).get(field, "")
            assert str(text).strip(), f"no {field} for the picture of:\n{cell.source}"


@each_chapter
def test_pictures_have_names_of_their_own(chapter: Path) -> None:
    settings = [cell.metadata.get("mystnb", {}) for cell in code_cells(chapter)]
    names = [s["figure"]["name"] for s in settings if "name" in s.get("figure", {})]
    assert len(names) == len(set(names))


@each_chapter
def test_numbers_in_prose_come_from_a_cell(chapter: Path) -> None:
    patterns = list(glued(chapter))
    used = used_names(chapter)
    missing = {name for name in used if not any(re.fullmatch(p, name) for p in patterns)}
    assert not missing, "used in the text, but glued in no cell"
    idle = {p for p in patterns if not any(re.fullmatch(p, name) for name in used)}
    assert not idle, "glued, but not used in the text"


# -- exercises --------------------------------------------------------------------------

each_exercise = pytest.mark.parametrize(
    "exercise",
    [
        pytest.param(exercise, id=f"{chapter.stem}-{exercise.label}")
        for chapter in CHAPTERS
        for exercise in exercises(chapter)
    ],
)


@each_chapter
def test_every_check_has_its_exercise_and_every_exercise_its_check(chapter: Path) -> None:
    asked = [call for exercise in exercises(chapter) for call in checks(exercise.stub[-1])]
    made = checks_of(MODULES[check_module(chapter)])
    assert sorted(asked) == sorted(f"check.{name}" for name in made)


def test_each_chapter_has_a_check_module_of_its_own() -> None:
    used = [check_module(chapter) for chapter in CHAPTERS]
    assert len(set(used)) == len(used)


@each_exercise
def test_exercise_has_a_stub_a_hint_and_a_solution(exercise: Exercise) -> None:
    (stub,) = exercise.stub
    last = stub.tree.body[-1]
    assert isinstance(last, ast.Expr), "the check is the last line of the stub, and shows itself"
    (called,) = checks(stub)
    assert ast.unparse(last.value).startswith(called)
    assert "{admonition} Hint" in exercise.between
    assert exercise.between.count(":class: dropdown") >= 1
    (solved,) = [cell for cell in exercise.solution if checks(cell)]
    assert checks(solved) == [called]
    asserted = [ast.unparse(n.test) for n in ast.walk(solved.tree) if isinstance(n, ast.Assert)]
    assert any(re.match(r"verdict\b(?! or)", test) for test in asserted)
    assert ast.unparse(solved.tree.body[-1]) == "verdict"
