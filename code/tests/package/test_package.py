"""The package as a whole: what it does not shadow, who imports whom, docstrings."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from chapter_source import CHAPTERS, check_module, code_cells

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "code" / "zerotohero"
MODULES = sorted(PACKAGE.rglob("*.py"))

LEAVES = {"figures", "check", "reproduce"}  # only chapters import them
SHARED = {"data", "progress"}  # serve all, and import none of them


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


def taught() -> dict[str, int]:
    """Return the number of the first chapter that imports a module, which is the one it is for."""
    found: dict[str, int] = {}
    for number, chapter in enumerate(CHAPTERS, start=1):
        for cell in code_cells(chapter):
            for node in ast.walk(cell.tree):
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                    for name in names:
                        if name.startswith("zerotohero."):
                            found.setdefault(name.split(".")[1], number)
    return {name: number for name, number in found.items() if name not in LEAVES | SHARED}


TAUGHT = taught()


def lecture(path: Path) -> int | None:
    """Return the number of a module's chapter; None for what serves all."""
    if top(path) == "check":
        modules = {check_module(chapter): n for n, chapter in enumerate(CHAPTERS, start=1)}
        return modules.get(path.stem.partition("_")[0])
    return TAUGHT.get(top(path))


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
    assert imported(PACKAGE / "check" / "micrograd.py") == {"micrograd", "check"}
    assert imported(PACKAGE / "reproduce.py") == {"data"}
    assert "data" in imported(PACKAGE / "data" / "__main__.py")


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_no_module_imports_a_later_lecture(path: Path) -> None:
    own = lecture(path)
    for name in imported(path):
        if name in TAUGHT and own is not None:
            assert TAUGHT[name] <= own, f"{module_id(path)} imports {name}, of a later lecture"
        assert name not in TAUGHT or top(path) not in SHARED, f"{name} is not for all lectures"


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_nothing_imports_a_leaf(path: Path) -> None:
    assert imported(path) & LEAVES <= {top(path)}


# -- docstrings --------------------------------------------------------------------


def public(tree: ast.Module) -> list[ast.AST]:
    """Return the public classes and functions of a module, and the public methods."""
    found: list[ast.AST] = []
    todo: list[ast.Module | ast.ClassDef] = [tree]
    while todo:
        for node in todo.pop().body:
            if isinstance(
                node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            ) and not node.name.startswith("_"):
                found.append(node)
                if isinstance(node, ast.ClassDef):
                    todo.append(node)
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
