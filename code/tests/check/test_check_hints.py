"""No idle hint: every hint that a check can give is asked for in its chapter's tests."""

import ast
from pathlib import Path

import pytest
from chapter_source import CHAPTERS, PACKAGE, check_module
from check_modules import MODULES, checks_of

TESTS = Path(__file__).parent
CHECKS = PACKAGE / "check"
OF_CHAPTERS = sorted(map(check_module, CHAPTERS))


def modules_of(chapter: str) -> list[Path]:
    """Return the files with a chapter's checks: those of a folder, or one module."""
    return sorted(CHECKS.glob(f"{chapter}/*.py")) or [CHECKS / f"{chapter}.py"]


def sentences(path: Path) -> set[str]:
    """Return the texts in a module that are sentences, but no docstring, no praise, no f-string."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= set(ast.walk(node))
        elif isinstance(node, ast.FunctionDef) and is_checker(node):
            for statement in ast.walk(node):
                if isinstance(statement, ast.Return):  # praise; elsewhere it may be a hint
                    skipped |= set(ast.walk(statement))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and node not in skipped
        and isinstance(node.value, str)
        and node.value.endswith((".", "?"))
        and any(map(str.isalpha, node.value))  # a lone dot is no sentence
    }


def is_checker(function: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "checker" for d in function.decorator_list)


def test_every_module_with_checks_is_of_a_chapter() -> None:
    assert {name for name, module in MODULES.items() if checks_of(module)} == set(OF_CHAPTERS)


@pytest.mark.parametrize("chapter", OF_CHAPTERS)
def test_every_hint_is_reached_by_an_answer(chapter: str) -> None:
    """The tests beside this one compare whole hints, so a hint that stands there is reached."""
    tests = TESTS.glob(f"test_check_{chapter}*.py")
    tried = {text for test in tests for text in sentences(test)}
    found = 0
    for path in modules_of(chapter):
        hints = sentences(path)
        assert hints <= tried, f"{path.name}: no test for {sorted(hints - tried)}"
        found += len(hints)
    assert found
