"""What a chapter depends on, read from its source, against what Python really imports."""

import ast
import json
import os
import random
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest
from chapter_source import CHAPTERS, PACKAGE, ROOT, check_module, code_cells

from bookbuild.book.settings import page_settings
from bookbuild.execute.imports import PackageSource
from bookbuild.execute.key import ChapterKeys

SOURCE = PackageSource(PACKAGE)
MODULES = sorted(
    ".".join(("zerotohero", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    )
    for path in PACKAGE.rglob("*.py")
    if path.stem != "__main__"
)
# Imports in turn what each line names, in a process of its own, and says what is loaded then.
CHILD = """\
import json, os, sys
for line in sys.stdin:
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        exec(json.loads(line))
        loaded = [m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == {name!r}]
        with os.fdopen(writing, "w") as pipe:
            json.dump(loaded, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        print(pipe.read())
    os.waitpid(child, 0)
"""


def loaded(package: Path, programs: list[str], first: str = "") -> list[set[Path]]:
    """Files of a package that Python has loaded after each program, each in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", f"{first}\n{CHILD.format(name=package.name)}"],
        input="".join(json.dumps(program) + "\n" for program in programs),
        env={**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return [set(map(Path, json.loads(line))) for line in done.stdout.splitlines()]


def found(source: PackageSource, program: str) -> set[Path]:
    """Modules among the files that a program is said to depend on."""
    return {path for path in source.reached([ast.parse(program)]) if path.suffix == ".py"}


@cache
def loaded_by_module() -> dict[str, set[Path]]:
    programs = [f"import {name}" for name in MODULES]
    # the slow ones of others are loaded once, before the processes part
    return dict(zip(MODULES, loaded(PACKAGE, programs, "import torch, matplotlib.pyplot")))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="imports in forked processes")
@pytest.mark.parametrize("name", MODULES)
def test_nothing_that_a_module_loads_is_overlooked(name: str) -> None:
    missed = loaded_by_module()[name] - found(SOURCE, f"import {name}")
    assert not missed


def imports(names: list[str], rng: random.Random) -> str:
    """A few imports of some of the modules, in all their forms."""
    lines = []
    for name in rng.sample(names, min(len(names), rng.randrange(3))):
        parent, _, last = name.rpartition(".")
        lines.append(
            rng.choice(
                [
                    f"import {name}",
                    f"import {name} as other",
                    f"from {parent} import {last}",
                    f"from {name} import value",
                    f"import importlib; importlib.import_module({name!r})",
                    f"def f():\n    import {name}\nf()",
                ]
            )
        )
    return "\n".join([*lines, "value = 1"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="imports in forked processes")
def test_made_up_packages(tmp_path: Path) -> None:
    """In these everything that is imported is loaded, so both sets are the same."""
    rng = random.Random(1)
    for number in range(20):
        package = tmp_path / str(number) / "toy"
        files = ["__init__", "a", "b", "c", "sub/__init__", "sub/d", "sub/e", "sub/deep/__init__"]
        names = [".".join(("toy", *file.split("/"))).removesuffix(".__init__") for file in files]
        for position, file in enumerate(files):
            path = package / f"{file}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            # of later ones only: cycles would fail; and packages of nothing, as below
            later = [] if file.endswith("__init__") else names[position + 1 :]
            path.write_text(imports([n for n in later if n != "toy"], rng), encoding="utf-8")
        programs = [imports(names[1:], rng) for _ in range(6)]
        source = PackageSource(package)
        for program, files_loaded in zip(programs, loaded(package, programs), strict=True):
            assert found(source, program) == files_loaded, program


# -- the chapters of this book


def keys(package: Path) -> dict[Path, str]:
    """Key of each chapter with the package in some folder."""
    editions = {name: "any" for page in CHAPTERS for name in page_settings(page).data}
    of = ChapterKeys(package, ROOT / "requirements.txt", editions)
    made = {}
    for chapter in CHAPTERS:
        cells = [nbformat.v4.new_code_cell(cell.source) for cell in code_cells(chapter)]
        made[chapter] = of.key(nbformat.v4.new_notebook(cells=cells))
    return made


@cache
def keys_of_this_package() -> dict[Path, str]:
    return keys(PACKAGE)


def changed_by(package: Path, module: str) -> set[Path]:
    """Chapters that are executed again after an edit of a module."""
    path = package / module
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\nADDED = 1\n", encoding="utf-8")
    after = keys(package)
    path.write_text(text, encoding="utf-8")
    return {chapter for chapter in CHAPTERS if keys_of_this_package()[chapter] != after[chapter]}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("copy") / PACKAGE.name
    return Path(shutil.copytree(PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_check_executes_its_own_chapter_alone(copied: Path, chapter: Path) -> None:
    assert changed_by(copied, f"check/{check_module(chapter)}/__init__.py") == {chapter}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="imports in forked processes")
@pytest.mark.parametrize("module", ["layers.py", "bigrams.py", "mlp.py", "figures.py"])
def test_a_module_executes_the_chapters_that_load_it(copied: Path, module: str) -> None:
    programs = [
        "\n".join(
            ast.unparse(node)
            for cell in code_cells(chapter)
            for node in ast.walk(cell.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
        )
        for chapter in CHAPTERS
    ]
    after = loaded(PACKAGE, programs, "import torch, matplotlib.pyplot")
    loading = {chapter for chapter, files in zip(CHAPTERS, after) if PACKAGE / module in files}
    assert loading
    assert changed_by(copied, module) == loading
