"""A chapter is added by the steps of the guide, in a copy of the repository, and nothing else is.

The steps: the module, the check module, their tests, the page, and its line in ``_toc.yml``.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from build_scratch import ROOT, STRICT, plain
from chapter_source import CHAPTERS

from bookbuild.execute import CACHE
from booktools.builds import short_build

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
from .numbers import close
from .running import run
from .verdict import checker, fail


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

RIGHT = '''\
"""Right answers to the exercise of the chapter that a test adds."""

from zerotohero.scratch import double  # the solution on the page needs it


def triple__added(number):
    return number + number + number


def triple__in_a_loop(number):
    total = 0.0
    for _ in range(3):
        total += number
    return total
'''

PAGE = """\
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

A {term}`derivative` and a {term}`gradient` are numbers, like a {term}`loss`,
a {term}`learning rate` or one of the {term}`logits`. We make one larger.

```{code-cell} ipython3
from zerotohero.check import scratch as check
from zerotohero.reproduce import glue
from zerotohero.scratch import double

print(double(1.5))
```

```{listing} zerotohero.scratch.double
```

```{code-cell} ipython3
:tags: [check]

larger = double(1.5)
assert larger == 1.5 + 1.5
glue(larger=larger)
```

Twice 1.5 is {glue:text}`larger:.1f`.

```{exercise-start} Three times
:label: ex-triple
```

Write `triple(number)`, which returns three times the number.

```{exercise-end}
```

```{code-cell} ipython3
def triple(number): ...


check.triple(triple)
```

:::{admonition} Hint
:class: dropdown
Twice the number, and once more.
:::

```{solution-start} ex-triple
:class: dropdown
```

```{code-cell} ipython3
def triple(number):
    return double(number) + number


verdict = check.triple(triple)
assert verdict
verdict
```

```{solution-end}
```
"""

NEW = {
    f"book/{NAME}.md": PAGE,
    "code/zerotohero/scratch.py": MODULE,
    "code/zerotohero/check/scratch.py": CHECKS,
    "code/tests/check/test_check_scratch.py": TESTS,
    "code/tests/right/scratch.py": RIGHT,
}


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


def run(copy: Path, command: list[str]) -> tuple[int, str]:
    """Run a command in the copy, where Python imports the code of the copy."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ZEROTOHERO_")}
    path = os.pathsep.join(str(copy / part) for part in ("code", "book/_ext"))
    done = subprocess.run(
        command,
        cwd=copy,
        env=clean | {"PYTHONPATH": path, CACHE: str(copy / "_build" / ".jupyter_cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, plain(done.stdout)


@pytest.fixture(scope="module")
def site(copy: Path) -> Path:
    """The strict build of the front page and the chapter."""
    status, log = run(copy, short_build(copy, copy / "_build" / "one", [NUMBER], *STRICT))
    assert status == 0, log
    assert f"executed book/{NAME}.md" in log
    return copy / "_build" / "one" / "_build" / "html"


def test_the_chapter_is_executed_and_shown(site: Path) -> None:
    page = (site / "book" / f"{NAME}.html").read_text(encoding="utf-8")
    shown = " ".join(BeautifulSoup(page, "html.parser").get_text().split())
    assert "Twice 1.5 is 3.0." in shown
    assert "Return twice the number." in shown  # the listing
    assert "Three times the number." in shown  # the verdict on the solution
    assert (site / "notebooks" / f"{NAME}.ipynb").is_file()


OTHERS = f"not ({' or '.join(chapter.stem for chapter in CHAPTERS)})"


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        pytest.param(["code/tests/book", "code/tests/package/test_package.py"], OTHERS, id="pages"),
        pytest.param(["code/tests/check", "code/tests/mutants"], "scratch", id="checks"),
    ],
)
def test_the_repository_s_own_tests_accept_it(copy: Path, files: list[str], chosen: str) -> None:
    """Those of the pages and of the checks, without those that are about another chapter."""
    tests = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *files, "-k", chosen]
    status, log = run(copy, [*tests, "-v"])
    assert status == 0, log
    assert log.count("scratch") > 1
