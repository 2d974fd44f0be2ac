"""Which files of a package some code depends on: what it imports, and what that imports in turn.

Read from the syntax trees alone; nothing is imported. An import counts wherever it stands, also
within a function, and so does a string that names a module ("zerotohero.train_gpt"), as in
``python -m`` and ``importlib``, or imports one, as the body of a cell magic, a string for IPython.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

__all__ = ["PackageSource", "UnreadableError"]


class UnreadableError(ValueError):
    """A file of the package is not Python; the message names it."""


class PackageSource:
    """The source files of the package in `folder`, each read once.

    Attributes
    ----------
    folder
        The package's folder.
    name
        Its name, as it is imported.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        self.tree = cache(self.read)
        self.direct = cache(self.imported_by)
        name = re.escape(self.name)
        self.mention = re.compile(rf"\b{name}(?:\.\w+)+")
        self.quoted = re.compile(rf"\bfrom\s+({name}(?:\.\w+)*)\s+import\b([\w\s,(]+)")

    def files(self) -> list[Path]:
        """All files, sorted; without byte code, build leftovers and hidden files."""

        def counts(relative: Path) -> bool:
            return not any(
                part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info")
                for part in relative.parts
            )

        found = (path for path in self.folder.rglob("*") if counts(path.relative_to(self.folder)))
        return sorted(path for path in found if path.is_file())

    def read(self, path: Path) -> ast.Module:
        """Syntax tree of a file, without its docstrings."""
        try:
            # bytes, so that Python finds the encoding
            return without_docstrings(ast.parse(path.read_bytes(), filename=str(path)))
        except (SyntaxError, ValueError) as error:
            raise UnreadableError(f"{path} can't be parsed: {error}") from error

    def module(self, name: str) -> list[Path]:
        """Files of a module by its dotted name: its own and its parents'; empty if there is none.

        A package that can be run brings ``__main__.py`` along.
        """
        root, *parts = name.split(".")
        if root != self.name:
            return []
        found, folder = [self.folder / "__init__.py"], self.folder
        for part in parts:
            if (folder / part / "__init__.py").is_file():
                folder = folder / part
                found.append(folder / "__init__.py")
            elif (folder / f"{part}.py").is_file():
                found.append(folder / f"{part}.py")
                break
            else:
                break  # an object within the module
        return [path for path in found if path.is_file()]

    def named_in(self, tree: ast.AST, package: str = "") -> Iterator[str]:
        """Yield the dotted names in the imports of a tree that lies in the package `package`."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
                yield from (f"{base}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                for mention in self.mention.findall(node.value):
                    yield mention
                    yield f"{mention}.__main__"
                for base, names in self.quoted.findall(node.value):
                    yield from (f"{base}.{name}" for name in re.findall(r"\w+", names))

    def imported_by(self, path: Path) -> list[Path]:
        """Files of the package that a file of it imports itself."""
        folder = path.parent.relative_to(self.folder).parts
        names = self.named_in(self.tree(path), ".".join([self.name, *folder]))
        return [file for name in names for file in self.module(name)]

    def reached(self, trees: Iterable[ast.AST]) -> list[Path]:
        """Files that code depends on, sorted.

        Parameters
        ----------
        trees
            Syntax trees of the code.

        Returns
        -------
        list
            Modules, and the files that are not Python and lie in their packages.

        Raises
        ------
        UnreadableError
            When a module that is reached can't be parsed.
        """
        waiting = [
            file for tree in trees for name in self.named_in(tree) for file in self.module(name)
        ]
        seen: set[Path] = set()
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen.add(path)
                waiting += self.direct(path)
        packages = {path.parent for path in seen}
        data = {
            path
            for path in self.files()
            if path.suffix != ".py" and self.package_of(path) in packages
        }
        return sorted(seen | data)

    def package_of(self, path: Path) -> Path:
        """Find the nearest folder above a file that is a package."""
        return next(p for p in path.parents if p == self.folder or (p / "__init__.py").is_file())


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Remove the docstrings of `tree` (in place) and return it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        match node.body:
            case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                node.body = rest
    return tree
