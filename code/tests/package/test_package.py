"""The package as a whole: what it does not shadow, who imports whom, docstrings."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from chapter_source import CHAPTERS, PACKAGE, ROOT, check_module

from bookbuild.execute.imports import PackageSource

MODULES = sorted(PACKAGE.rglob("*.py"))

# What a chapter teaches has the name of the module that checks its exercises.
LECTURES = [check_module(chapter) for chapter in CHAPTERS]
LEAVES = {"figures", "check", "reproduce"}  # only chapters import them
SOURCE = PackageSource(PACKAGE)


def module_id(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imported(path: Path) -> set[str]:
    """Return the modules and subpackages directly below ``zerotohero`` that a module imports."""
    parts = ("zerotohero", *path.relative_to(PACKAGE).with_suffix("").parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: len(parts) - node.level]) if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            names = [f"{source}.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("zerotohero.")}
    return found


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


# -- the standard library's module `code` ----------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        "import code; code.InteractiveConsole; print(code.__file__)",
        "import sys; sys.path.insert(0, {root!r}); import code; print(code.__file__)",
        "import code, pdb, doctest; pdb.Pdb().do_interact; doctest.testmod; print(code.__file__)",
    ],
)
def test_the_standard_librarys_code_is_not_shadowed(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program.format(root=str(ROOT))],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == Path(ast.__file__).parent


def test_the_folder_is_no_package() -> None:
    assert not (ROOT / "code" / "__init__.py").exists()
    assert not (ROOT / "__init__.py").exists()


# -- who imports whom --------------------------------------------------------------


def test_the_reader_of_imports_sees_them() -> None:
    assert imported(PACKAGE / "check" / "micrograd" / "order.py") == {
        "micrograd",
        "check",
    }
    assert imported(PACKAGE / "reproduce.py") == {"data"}
    assert "data" in imported(PACKAGE / "data" / "__main__.py")


@pytest.mark.parametrize("name", LECTURES)
def test_no_lecture_needs_a_later_one(name: str) -> None:
    """Not by way of other modules either, be it the lecture's code or the checks of it."""
    programs = [f"import zerotohero.{name}", f"import zerotohero.check.{name}"]
    reached = {top(path) for path in SOURCE.reached(map(ast.parse, programs))}
    assert name in reached
    assert not reached & set(LECTURES[LECTURES.index(name) + 1 :])


@pytest.mark.parametrize("name", LECTURES)
def test_a_chapter_reaches_its_own_checks_and_no_others(name: str) -> None:
    """What a change there executes is that chapter alone."""
    cell = ast.parse(f"from zerotohero.check import {name} as check")
    checks = PACKAGE / "check"
    shared = {path for path in checks.glob("*.py") if path.stem not in LECTURES}
    own = {p for p in SOURCE.reached([cell]) if p.is_relative_to(checks)} - shared
    assert own  # a module, or a folder
    assert {path.relative_to(checks).with_suffix("").parts[0] for path in own} == {name}


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_nothing_imports_a_leaf(path: Path) -> None:
    assert imported(path) & LEAVES <= {top(path)}


# -- docstrings --------------------------------------------------------------------


def public(tree: ast.Module) -> list[ast.AST]:
    """Return the public classes and functions of a module, and the public methods."""
    found: list[ast.AST] = []
    waiting: list[ast.Module | ast.ClassDef] = [tree]
    while waiting:
        for node in waiting.pop().body:
            if isinstance(
                node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            ) and not node.name.startswith("_"):
                found.append(node)
                if isinstance(node, ast.ClassDef):
                    waiting.append(node)
    return found


def test_the_reader_of_docstrings_sees_methods() -> None:
    tree = ast.parse((PACKAGE / "micrograd" / "engine.py").read_text(encoding="utf-8"))
    names = {getattr(node, "name", "") for node in public(tree)}
    assert {"Value", "tanh", "backward", "topological_order"} <= names
    assert not any(name.startswith("_") for name in names)


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    for node in public(tree):
        assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        assert ast.get_docstring(node), f"line {node.lineno}: {node.name} has no docstring"
