"""What a listing shows of a Python file: an object's own lines, docstrings cut to one.

The file is read, not imported. Of each docstring the first line stays; everything else, comments
and decorators too, is shown as it stands in the file.
"""

import ast
import difflib
import io
import re
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Excerpt", "PythonSource", "UnknownObjectError", "find_module"]

OPENING = re.compile(r"[a-zA-Z]*(\"\"\"|'''|\"|')")
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class UnknownObjectError(ValueError):
    """There is no such module or object; the message says what there is."""

    @classmethod
    def create(cls, owner: str, name: str, known: Iterable[str]) -> "UnknownObjectError":
        """Say that `owner` has no `name`, and what it has: `known`."""
        names = sorted(set(known))
        message = f"{owner} has no {name!r}; it has: {', '.join(names) or 'nothing'}."
        if close := difflib.get_close_matches(name, names):
            message += f" Did you mean {' or '.join(close)}?"
        return cls(message)


def find_module(package: Path, name: str) -> tuple[Path, list[str], list[str]]:
    """Find the file of a dotted name.

    Parameters
    ----------
    package
        Folder of the package.
    name
        Of an object in it, from the package's own name on.

    Returns
    -------
    tuple
        The file; the parts of the name that are the module, and those that are the object.

    Raises
    ------
    UnknownObjectError
        When the name belongs to another package, names a module, or leads nowhere.
    """
    first, *rest = name.split(".")
    if first != package.name:
        raise UnknownObjectError(
            f"{name!r} is not in the package {package.name!r}: give the full name of an object, "
            f"from {package.name!r} on"
        )
    folder, module = package, [first]
    while rest and (folder / rest[0] / "__init__.py").is_file():
        folder /= rest[0]
        module.append(rest.pop(0))
    path = folder / "__init__.py"
    known = PythonSource(path.read_text(encoding="utf-8")).names()
    if rest and rest[0] not in known:
        path = folder / f"{rest[0]}.py"
        if not path.is_file():
            modules = {file.stem for file in folder.glob("[!_]*.py")}
            modules |= {file.parent.name for file in folder.glob("*/__init__.py")}
            raise UnknownObjectError.create(".".join(module), rest[0], known | modules)
        module.append(rest.pop(0))
        known = PythonSource(path.read_text(encoding="utf-8")).names()
    if not rest:
        raise UnknownObjectError(
            f"{name!r} is a module, not an object; it has: {', '.join(sorted(known)) or 'nothing'}."
        )
    return path, module, rest


@dataclass(frozen=True)
class Excerpt:
    """What is shown, and the lines of the whole object in its file, from 1."""

    text: str
    first: int
    last: int


class PythonSource:
    """The text of a Python file, of which parts are shown."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.tree = ast.parse(text)
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        # where a logical line ends, and the lines that begin within a string
        self.ends = [token.start[0] for token in tokens if token.type == tokenize.NEWLINE]
        self.inside = {
            line
            for token in tokens
            if tokenize.tok_name[token.type] in {"STRING", "FSTRING_MIDDLE"}
            for line in range(token.start[0] + 1, token.end[0] + 1)
        }
        self.cut: dict[int, str | None] = {}  # lines that are shown otherwise; None for not at all
        for node in ast.walk(self.tree):
            if isinstance(node, DEFINITIONS) and (docstring := docstring_of(node)):
                self.cut_docstring(docstring)

    def cut_docstring(self, docstring: ast.Expr) -> None:
        """Keep the first line of a docstring."""
        first, last = docstring.lineno, docstring.end_lineno or docstring.lineno
        if first == last:
            return
        head = self.lines[first - 1].encode()  # columns are counted in bytes
        tail = self.lines[last - 1].encode()
        before, rest = head[: docstring.col_offset].decode(), head[docstring.col_offset :].decode()
        after = tail[docstring.end_col_offset :].decode()
        opening = OPENING.match(rest)
        assert opening is not None, rest
        inner = [rest[opening.end() :], *self.lines[first : last - 1]]
        inner.append(tail[: docstring.end_col_offset].decode().removesuffix(opening[1]))
        texts = (line.strip().removesuffix("\\").strip() for line in inner)
        summary = next(filter(None, texts), "")
        self.cut[first] = f"{before}{opening[0]}{summary}{opening[1]}{after}"
        self.cut |= dict.fromkeys(range(first + 1, last + 1))

    def names(self) -> set[str]:
        """Names that the file defines."""
        return set().union(*map(names_of, self.tree.body))

    def excerpt(self, module: str, name: Sequence[str], only: Sequence[str] = ()) -> Excerpt:
        """Return what is shown of an object.

        Parameters
        ----------
        module
            Name of the module, for messages.
        name
            Parts of the object's name: a class and its method, say.
        only
            Names in a class: its head is shown, and of its body these.

        Raises
        ------
        UnknownObjectError
            When there is no such object, or `only` is given for what is not a class.
        """
        owner, body = module, self.tree.body
        found: list[ast.stmt] = []
        for part in name:
            found = members(owner, body, [part])
            siblings, owner = body, f"{owner}.{part}"
            body = found[-1].body if isinstance(found[-1], ast.ClassDef) else []
        if not only:
            lines = self.arranged(siblings, found)
        elif isinstance(node := found[-1], ast.ClassDef):
            shown = members(owner, body, only)
            docstring = docstring_of(node)
            end = next(line for line in self.ends if line >= node.lineno)
            lines = [*range(self.start(node), end + 1)]
            lines += self.arranged(body, [*([docstring] if docstring else []), *shown])
        else:
            raise UnknownObjectError(f"{owner} is not a class: there is nothing to choose from it")
        indent = " " * found[0].col_offset
        texts = [self.shown(line, indent) for line in lines if self.cut.get(line, "") is not None]
        last = found[-1].end_lineno or found[-1].lineno
        return Excerpt("\n".join(texts), self.start(found[0]), last)

    def shown(self, line: int, indent: str) -> str:
        """Text of a line, from 1, without an indentation; 0 is a blank line."""
        text = self.cut.get(line) or (self.lines[line - 1] if line else "")
        return text if line in self.inside else text.removeprefix(indent)

    def arranged(self, body: list[ast.stmt], chosen: list[ast.stmt]) -> list[int]:
        """Lines of the chosen statements of a body, as far apart as they stand in the file."""
        lines: list[int] = []
        gap = 0
        for statement in body:
            start = self.start(statement)
            blank = next(n for n in range(start) if n + 1 == start or self.lines[start - 2 - n])
            gap = max(gap, blank)
            if statement in chosen:
                lines += [0] * gap if lines else []
                lines += range(start, (statement.end_lineno or start) + 1)
                gap = 0
        return lines

    def start(self, statement: ast.stmt) -> int:
        """First line of a statement: of its decorators, and of the comment right above."""
        decorators = statement.decorator_list if isinstance(statement, DEFINITIONS) else []
        line = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
        comment = f"{' ' * statement.col_offset}#"
        while line > 1 and self.lines[line - 2].startswith(comment):
            line -= 1
        return line


def docstring_of(node: ast.AST) -> ast.Expr | None:
    """Return the statement that is the docstring of a class or function, or None."""
    match node:
        case ast.ClassDef(body=[ast.Expr(ast.Constant(str())) as first, *_]):
            return first
        case ast.FunctionDef(body=[ast.Expr(ast.Constant(str())) as first, *_]):
            return first
        case ast.AsyncFunctionDef(body=[ast.Expr(ast.Constant(str())) as first, *_]):
            return first
    return None


def names_of(statement: ast.stmt) -> set[str]:
    """Names that a statement defines: of a class, a function, or a variable."""
    if isinstance(statement, DEFINITIONS):
        return {statement.name}
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def members(owner: str, body: list[ast.stmt], names: Sequence[str]) -> list[ast.stmt]:
    """Return the statements of a body that define `names`; a property may have several."""
    known = set().union(*map(names_of, body))
    for name in names:
        if name not in known:
            raise UnknownObjectError.create(owner, name, known)
    return [statement for statement in body if names_of(statement) & set(names)]
