"""The chapters as their files hold them: cells, exercises, included sources, glued names."""

import ast
import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from myst_nb.core.read import read_myst_markdown_notebook

from bookbuild.book.settings import read_toc

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "code" / "zerotohero"
TOC = ROOT / "_toc.yml"
PARTS = yaml.safe_load(TOC.read_text(encoding="utf-8"))["parts"]
NUMBERED = {part["caption"] for part in PARTS if part.get("numbered")}
CHAPTERS = [  # in order
    ROOT / f"{name}.md" for part in read_toc(TOC) if part.caption in NUMBERED for name in part.pages
]
# A listing in a notebook: its code, with the links to its lines below it.
NOTEBOOK_LISTING = re.compile(r"^```python\n((?:(?!```\n).*\n)*)```\n\n(\[.*#L\d.*)$", re.M)


class Cell(NamedTuple):
    """One cell: ``code`` or ``markdown``, its text, and its front matter."""

    kind: str
    source: str
    metadata: dict[str, Any]

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)


Definition = ast.ClassDef | ast.FunctionDef


class Include(NamedTuple):
    """A ``literalinclude`` or ``listing``: the file, and the object of it that is shown.

    A ``listing`` leaves out most of each docstring, and may show some members of a class only.
    """

    path: Path
    name: str
    only: tuple[str, ...] = ()
    listing: bool = False

    def shown(self) -> Definition:
        """Return what is shown: the definition as it stands in the file, or a part of a class."""
        definition = find(self.path, self.name)
        assert definition is not None, f"{self.path.name} has no {self.name}"
        if self.only:
            assert isinstance(definition, ast.ClassDef), f"{self.name} is not a class"
            docstring = definition.body[: ast.get_docstring(definition) is not None]
            chosen = [node for node in definition.body if defines(node) & {*self.only}]
            definition.body = [*docstring, *chosen]
        return definition

    def parts(self) -> set[str]:
        """Return the names of the functions and methods that are shown."""
        return parts(self.shown(), self.name)


def defines(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds: of a definition, or of variables."""
    if isinstance(node, Definition):
        return {node.name}
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def parts(definition: Definition, name: str) -> set[str]:
    """Return the names of a class's methods, or of a function, or of a class without methods."""
    if isinstance(definition, ast.ClassDef):
        methods = [node for node in definition.body if isinstance(node, Definition)]
        if methods:
            return {part for m in methods for part in parts(m, f"{name}.{m.name}")}
    return {name}


def code_of(tree: ast.AST) -> str:
    """Return all of a tree but its docstrings, to compare it."""
    tree = copy.deepcopy(tree)
    for node in ast.walk(tree):
        if isinstance(node, Definition) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.dump(tree)


class Exercise(NamedTuple):
    """The code cells of an exercise, and of its solution; the text between them."""

    label: str
    stub: list[Cell]
    between: str
    solution: list[Cell]


@cache
def cells(chapter: Path) -> list[Cell]:
    """Read a chapter with MyST-NB's own reader."""
    notebook = read_myst_markdown_notebook(chapter.read_text(encoding="utf-8"), path=str(chapter))
    return [Cell(c.cell_type, c.source, dict(c.metadata)) for c in notebook.cells]


def code_cells(chapter: Path) -> list[Cell]:
    return [cell for cell in cells(chapter) if cell.kind == "code"]


def prose(chapter: Path) -> str:
    return "\n\n".join(cell.source for cell in cells(chapter) if cell.kind == "markdown")


def check_module(chapter: Path) -> str:
    """Return the name of the module that the cells of a chapter import as ``check``."""
    (name,) = {
        alias.name
        for cell in code_cells(chapter)
        for node in ast.walk(cell.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "zerotohero.check"
        for alias in node.names
        if alias.asname == "check"
    }
    return name


def checks(cell: Cell) -> list[str]:
    """Return what a cell calls from ``check``, as it is written there."""
    calls = [ast.unparse(n.func) for n in ast.walk(cell.tree) if isinstance(n, ast.Call)]
    return [call for call in calls if call.startswith("check.")]


def includes(chapter: Path) -> list[Include]:
    """List every ``literalinclude`` and ``listing`` of a chapter."""
    found = []
    directive = re.compile(r"^```\{(literalinclude|listing)\} *(\S+)\n((?::.*\n)*)", re.M)
    for kind, target, lines in directive.findall(prose(chapter)):
        options = dict(re.findall(r"^:(\w+): *(.*?) *$", lines, re.M))
        if kind == "literalinclude":
            path = (chapter.parent / target).resolve()
            found.append(Include(path, options.get("pyobject", "")))
        else:
            only = tuple(re.findall(r"\w+", options.get("only", "")))
            found.append(Include(*package_object(target), only, listing=True))
    return found


def package_object(name: str) -> tuple[Path, str]:
    """Return the file of an object of the package given by its full name, and its name there."""
    path, rest = PACKAGE, name.split(".")[1:]
    while (path / rest[0]).is_dir():
        path /= rest.pop(0)
    file = path / f"{rest[0]}.py"
    return (file, ".".join(rest[1:])) if file.is_file() else (path / "__init__.py", ".".join(rest))


def find(path: Path, name: str) -> ast.ClassDef | ast.FunctionDef | None:
    """Return the definition of an object, given as ``name`` or ``class.name``."""
    here: ast.Module | ast.ClassDef | ast.FunctionDef = ast.parse(path.read_text(encoding="utf-8"))
    for part in name.split("."):
        for node in here.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == part:
                here = node
                break
        else:
            return None
    return None if isinstance(here, ast.Module) else here


def assert_shown_is_shipped(code: str, include: Include) -> None:
    """Compare the code of a listing with the file it is from: its syntax, and its lines."""
    (shown,) = ast.parse(code).body
    assert code_of(shown) == code_of(include.shown()), include
    docstrings = {
        node.body[0].lineno
        for node in ast.walk(shown)
        if isinstance(node, Definition) and ast.get_docstring(node) is not None
    }
    source = include.path.read_text(encoding="utf-8")
    lines = [line.strip() for line in source.splitlines()]
    for number, line in enumerate(code.rstrip("\n").split("\n"), start=1):
        if number in docstrings:
            assert line.strip().strip('"') in source, include
        else:
            assert line.strip() in lines, include


def exercises(chapter: Path) -> list[Exercise]:
    """List the exercises of a chapter, in order, with what belongs to them."""
    found: dict[str, Exercise] = {}
    gates = re.compile(r"^```\{(exercise|solution)-(start|end)\}[^\n]*(?:\n:label: *(\S+))?", re.M)
    solutions = re.compile(r"^```\{solution-start\} *(\S+)", re.M)
    label, inside = "", ""
    for cell in cells(chapter):
        if cell.kind == "code":
            if label and inside in ("stub", "solution"):
                getattr(found[label], inside).append(cell)
            continue
        text = cell.source
        if inside == "stub":
            before = text.split("```{solution-start}")[0]
            found[label] = found[label]._replace(between=found[label].between + before)
        for gate in gates.finditer(text):
            kind, side = gate[1], gate[2]
            if (kind, side) == ("exercise", "start"):
                label = gate[3] or ""
                assert label, f"{chapter.name}: an exercise without a label"
                assert label not in found, f"{chapter.name}: two exercises are labeled {label}"
                found[label] = Exercise(label, [], "", [])
                inside = "exercise"
            elif (kind, side) == ("exercise", "end"):
                inside = "stub"
            elif (kind, side) == ("solution", "start"):
                match = solutions.match(text, gate.start())
                assert match is not None
                assert match[1] == label, f"the solution of {match[1]} follows exercise {label}"
                inside = "solution"
            else:
                inside = label = ""
    return list(found.values())


def glued(chapter: Path) -> Iterator[str]:
    """Yield a pattern for every name that a cell glues; ``**{f"rate_{i}": ...}`` gives one too."""
    for cell in code_cells(chapter):
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "glue":
                for keyword in node.keywords:
                    yield re.escape(keyword.arg) if keyword.arg else _keys(keyword.value)


def _keys(mapping: ast.expr) -> str:
    """Return a pattern for the keys of a dictionary that is spelled out in the call."""
    if isinstance(mapping, ast.DictComp):
        keys: list[ast.expr | None] = [mapping.key]
    else:
        assert isinstance(mapping, ast.Dict), f"which names? glue(**{ast.unparse(mapping)})"
        keys = list(mapping.keys)
    patterns = []
    for key in keys:
        parts = key.values if isinstance(key, ast.JoinedStr) else [key]
        texts = [p.value if isinstance(p, ast.Constant) else None for p in parts]
        patterns.append("".join(".+" if t is None else re.escape(str(t)) for t in texts))
    return "|".join(patterns)


def used_names(chapter: Path) -> set[str]:
    """Return the names that the text of a chapter takes from ``glue``."""
    captions = [str(cell.metadata.get("mystnb", "")) for cell in code_cells(chapter)]
    text = "\n".join([prose(chapter), *captions])
    return set(re.findall(r"\{glue:[a-z]*\}`([^`:]+)", text))
