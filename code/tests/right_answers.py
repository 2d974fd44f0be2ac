"""The right answers to all exercises: those of the pages, and others written by hand.

A file of `right/` holds those of a chapter: functions and classes named check__kind. What they
need is imported there, and the solution of a page finds there what its page has defined before.
"""

import ast
import importlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from chapter_source import CHAPTERS, Definition, check_module, exercises
from check_modules import MODULES, checks_of

HERE = Path(__file__).parent


class Right(NamedTuple):
    """A right answer: the check's name, what kind of answer it is, and its definition."""

    chapter: str
    check: str
    kind: str
    tree: Definition
    helpers: tuple[ast.stmt, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.check}: {self.kind}"


@cache
def of_tests(chapter: str) -> list[Right]:
    """Read the right answers in `right/<chapter>.py`: functions named check__kind."""
    source = HERE.joinpath("right", f"{chapter}.py").read_text(encoding="utf-8")
    return [
        Right(chapter, *node.name.split("__"), node)
        for node in ast.parse(source).body
        if isinstance(node, Definition) and "__" in node.name and not node.name.startswith("_")
    ]


@cache
def of_page(path: Path) -> list[Right]:
    """Read the solutions of a page: the definition that is passed to the check."""
    found = []
    for exercise in exercises(path):
        statements = [node for cell in exercise.solution for node in cell.tree.body]
        definitions = {n.name: n for n in statements if isinstance(n, Definition)}
        for node in ast.walk(ast.Module(statements, [])):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="check"), attr=name),
                    args=[ast.Name(id=passed)],
                ) if passed in definitions:
                    helpers = [
                        n
                        for n in statements
                        if isinstance(n, Definition | ast.Import | ast.ImportFrom)
                        and n is not definitions[passed]
                    ]
                    right = Right(
                        check_module(path), name, "page", definitions[passed], tuple(helpers)
                    )
                    found.append(right)
    return found


RIGHT = [right for path in CHAPTERS for right in (*of_page(path), *of_tests(check_module(path)))]
IDS = [f"{right.chapter}.{right.check}-{right.kind}" for right in RIGHT]


CHECKS = {check_module(path): checks_of(MODULES[check_module(path)]) for path in CHAPTERS}


def made(right: Right, tree: Definition | None = None, **names: Any) -> Any:
    """Run the definition of an answer, or another one in its place, and return what it defines."""
    tree = tree or right.tree
    module = importlib.import_module(f"right.{right.chapter}")
    namespace = dict(vars(module)) | names
    body = [*right.helpers, tree]
    code = ast.fix_missing_locations(ast.Module(body, []))
    exec(compile(code, f"<{right.name}>", "exec"), namespace)
    return namespace[tree.name]
