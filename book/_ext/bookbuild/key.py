"""The key of the execution cache: what a chapter's outputs hang on besides its own cells.

jupyter-cache knows the cells of a notebook only. A change in the package, its data registry, the
pinned versions or Python would leave old outputs on the pages. So each such state has a folder of
its own, named by the key. Comments and docstrings don't count: they change no output.

`python -m bookbuild.key`, run in the folder with _config.yml, prints the key.
"""

import ast
import hashlib
import importlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from sphinx.errors import SphinxError

from bookbuild.settings import page_settings

__all__ = ["CacheKeyError", "cache_key", "editions", "key_of_book"]

IGNORED_FOLDERS = {"__pycache__"}
PACKAGE, REQUIREMENTS = "code/zerotohero", "requirements.txt"  # unless _config.yml names others


class CacheKeyError(SphinxError):
    """The key can't be computed; the message names the file or data set."""

    category = "Execution cache"


def strip_docstrings(tree: ast.Module) -> ast.Module:
    """Remove the docstrings of `tree` (in place) and return it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        match node.body:
            case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                node.body = rest
    return tree


def file_text(path: Path) -> str:
    """Text that stands for a file: its syntax tree if it is Python, else the hash of its bytes."""
    content = path.read_bytes()
    if path.suffix != ".py":
        return hashlib.sha256(content).hexdigest()
    try:
        # bytes, so that Python finds the encoding; dump leaves out lines and columns
        return ast.dump(strip_docstrings(ast.parse(content, filename=str(path))))
    except (SyntaxError, ValueError) as error:
        raise CacheKeyError(f"{path} can't be parsed: {error}") from error


def package_files(package: Path) -> list[Path]:
    """Files of the package, sorted; without byte code, build leftovers and hidden files."""

    def counts(relative: Path) -> bool:
        return not any(
            part.startswith(".") or part in IGNORED_FOLDERS or part.endswith(".egg-info")
            for part in relative.parts
        )

    return sorted(p for p in package.rglob("*") if counts(p.relative_to(package)) and p.is_file())


def pins(requirements: Path) -> list[str]:
    """Lines of a requirements file without comments and blank lines, sorted."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    # as pip does: a comment starts at the beginning of a line or after white space
    bare = (f" {line}".split(" #", maxsplit=1)[0].strip() for line in lines)
    return sorted(line for line in bare if line)


def editions(package: Path, names: Iterable[str]) -> dict[str, str]:
    """Edition of each data set, asked of ``<package>.data.edition(name)``, which may fetch it.

    Raises
    ------
    CacheKeyError
        When the package can't tell; the message names the data set and gives the cause.
    """
    found = {}
    for name in sorted(set(names)):
        module = f"{package.name}.data"
        try:
            found[name] = str(importlib.import_module(module).edition(name))
        except Exception as error:  # whatever the package raises, the message must name the data
            raise CacheKeyError(
                f"a page declares `data: [{name}]`, but {module}.edition({name!r}) failed: "
                f"{type(error).__name__}: {error}"
            ) from error
    return found


def cache_key(package: Path, requirements: Path, data_editions: Mapping[str, str]) -> str:
    """Key of the execution cache, 24 hexadecimal digits.

    Parameters
    ----------
    package
        Folder of the package that the chapters import.
    requirements
        File with the pinned versions.
    data_editions
        Edition of each data set that a page declares.

    Raises
    ------
    CacheKeyError
        When the folder or the file is missing, or a Python file can't be parsed.
    """
    if not package.is_dir():
        raise CacheKeyError(f"there is no folder {package}: set bookbuild_package in _config.yml")
    if not requirements.is_file():
        raise CacheKeyError(
            f"there is no file {requirements}: set bookbuild_requirements in _config.yml"
        )
    state = {
        "package": [
            (path.relative_to(package).as_posix(), file_text(path))
            for path in package_files(package)
        ],
        "pins": pins(requirements),
        "python": [platform.python_implementation(), *sys.version_info[:3]],
        "editions": dict(data_editions),
    }
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:24]


def key_of_book(root: Path) -> str:
    """Key of the book in the folder `root`: that of a build with its ``_config.yml``.

    For what keeps the execution cache between builds, and must know the key before one.

    Raises
    ------
    CacheKeyError
        As `cache_key` and `editions`, or when there is no ``_config.yml``.
    """
    path = root / "_config.yml"
    if not path.is_file():
        raise CacheKeyError(f"there is no _config.yml in {root.resolve()}: run this where it is")
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))["sphinx"]["config"]
    package = (root / settings.get("bookbuild_package", PACKAGE)).resolve()
    pages = (root / "book").rglob("*.md")
    names = {name for page in pages for name in page_settings(page).data}
    sys.path.insert(0, str(package.parent))
    try:
        known = editions(package, names)
    finally:
        sys.path.remove(str(package.parent))
    return cache_key(package, root / settings.get("bookbuild_requirements", REQUIREMENTS), known)


if __name__ == "__main__":
    print(key_of_book(Path.cwd()))
