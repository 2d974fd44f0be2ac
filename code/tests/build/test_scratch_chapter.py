"""A chapter is added by the steps of the guide, in a copy of the repository, and nothing else is.

The steps: the module, the check module, their tests, the page, and its line in ``_toc.yml``.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from build_scratch import EXTENSIONS, ROOT, plain
from chapter_source import CHAPTERS

NUMBER = f"{len(CHAPTERS) + 1:02}"
NAME = f"{NUMBER}-scratch"

MODULE = '''\
"""A chapter that a test adds: numbers made larger."""

__all__ = ["double"]


def double(number: float) -> float:
    """Return twice the number."""
    return 2 * number
'''

CHECKS = '''\
"""Checks for the exercises of the chapter that a test adds."""

from typing import Any

from ..scratch import double
from .verdict import checker, close, fail, run


@checker
def triple(answer: Any) -> str:
    """Check a function ``(number)`` that returns three times the number."""
    for number in (1.5, -2.0):
        shown = f"triple({number})"
        received = run(answer, number, shown=shown)
        expected = double(number) + number
        if not close(received, expected):
            hint = "That is twice the number." if close(received, double(number)) else ""
            fail(f"{shown} should be {expected}, received {received!r}.", hint)
    return "Three times the number."
'''

TESTS = """\
from zerotohero.check import scratch as check
from zerotohero.scratch import double


def test_double() -> None:
    assert double(1.5) == 1.5 + 1.5


def test_triple_has_a_hint_for_twice_the_number() -> None:
    assert check.triple(lambda number: number + number + number)
    assert check.triple(double).hint == "That is twice the number."
"""

if (EXTENSIONS / "bookbuild" / "transform" / "listings.py").is_file():
    LISTING = """\
```{listing} zerotohero.scratch.double
```
"""
else:
    LISTING = """\
```{literalinclude} ../code/zerotohero/scratch.py
:language: python
:pyobject: double
```
"""

PAGE = f"""\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
zerotohero:
  budget: 30
---

# Numbers made larger

A {{term}}`derivative` and a {{term}}`gradient` are numbers, like a {{term}}`loss`,
a {{term}}`learning rate` or a {{term}}`logit`. We make one larger.

```{{code-cell}} ipython3
from zerotohero.check import scratch as check
from zerotohero.reproduce import glue
from zerotohero.scratch import double

print(double(1.5))
```

{LISTING}
```{{code-cell}} ipython3
:tags: [check]

larger = double(1.5)
assert larger == 1.5 + 1.5
glue(larger=larger)
```

Twice 1.5 is {{glue:text}}`larger:.1f`.

```{{exercise-start}} Three times
:label: ex-triple
```

Write `triple(number)`, which returns three times the number.

```{{exercise-end}}
```

```{{code-cell}} ipython3
def triple(number): ...


check.triple(triple)
```

:::{{admonition}} Hint
:class: dropdown
Twice the number, and once more.
:::

```{{solution-start}} ex-triple
:class: dropdown
```

```{{code-cell}} ipython3
def triple(number):
    return double(number) + number


verdict = check.triple(triple)
assert verdict
verdict
```

```{{solution-end}}
```
"""

NEW = {
    f"book/{NAME}.md": PAGE,
    "code/zerotohero/scratch.py": MODULE,
    "code/zerotohero/check/scratch.py": CHECKS,
    "code/tests/check/test_check_scratch.py": TESTS,
}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, with the chapter."""
    copy = tmp_path_factory.mktemp("repository") / "copy"
    made = shutil.ignore_patterns("_build", ".git", ".venv", "runs", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=made)
    for name, text in NEW.items():
        assert not (copy / name).exists()
        (copy / name).write_text(text, encoding="utf-8")
    toc = yaml.safe_load((copy / "_toc.yml").read_text(encoding="utf-8"))
    (part,) = (
        part for part in toc["parts"] if {"file": f"book/{CHAPTERS[-1].stem}"} in part["chapters"]
    )
    part["chapters"].append({"file": f"book/{NAME}"})
    (copy / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def run(copy: Path) -> Run:
    """Run a module of Python in the copy, where the code of the copy is imported."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("ZEROTOHERO_")}
        path = os.pathsep.join(str(copy / part) for part in ("code", "book/_ext"))
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=copy,
            env=clean | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def built(run: Run) -> str:
    """What the build of the chapter printed."""
    done = run("booktools", "chapter", NUMBER)
    assert done.returncode == 0, done.stdout
    return plain(done.stdout)


def test_the_chapter_is_executed_and_shown(copy: Path, built: str) -> None:
    assert f"executed book/{NAME}.md" in built
    page = copy / "_build" / "chapter" / "_build" / "html" / "book" / f"{NAME}.html"
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    shown = " ".join(soup.get_text().split())
    assert "Twice 1.5 is 3.0." in shown
    assert "Return twice the number." in shown  # the listing
    assert "Three times the number." in shown  # the verdict on the solution


def test_it_gives_no_warning(built: str) -> None:
    warnings = [line for line in built.splitlines() if "WARNING" in line and NAME in line]
    # The glossary is another page, and not built here.
    assert not [line for line in warnings if "term not in glossary" not in line]


@pytest.mark.usefixtures("built")
def test_the_repository_s_own_tests_accept_it(run: Run) -> None:
    others = " or ".join(chapter.stem for chapter in CHAPTERS)
    files = ("code/tests/book", "code/tests/check/test_check_scratch.py")
    whole = "code/tests/package/test_package.py"
    done = run("pytest", "-q", "-p", "no:cacheprovider", *files, whole, "-k", f"not ({others})")
    assert done.returncode == 0, done.stdout
    assert NAME in run("pytest", "--collect-only", "-q", *files, "-k", NAME).stdout
