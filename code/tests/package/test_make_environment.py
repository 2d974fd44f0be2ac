"""The environment that ``make`` sets up, tried with stand-ins for Python."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SUPPORTED = SpecifierSet(PROJECT["requires-python"])

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
    text = FAKE.format(real=shlex.quote(sys.executable), minor=minor)
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
@pytest.mark.parametrize("minor", range(9, 20))
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
        fitting = [f"3.{minor}" for minor in range(40) if f"3.{minor}" in SUPPORTED]
        assert f"{fitting[0]} to {fitting[-1]}" in done.stderr
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
def test_make_makes_an_environment_anew_after_its_folder_was_renamed(tmp_path: Path) -> None:
    """The programs in it, and what is installed from the folder, go by the old path."""
    old, new = tmp_path / "a book", tmp_path / "another name"
    old.mkdir()
    python = f"PYTHON={fake_python(tmp_path / 'python', 12)}"
    make(old, python)
    assert make(old)[1] == []
    old.rename(new)
    assert {VENV, INSTALL} <= set(make(new, python)[1])
    assert make(new)[1] == []


@with_make
def test_make_makes_an_environment_anew_whose_python_is_gone(tmp_path: Path) -> None:
    python = f"PYTHON={fake_python(tmp_path / 'python', 12)}"
    make(tmp_path, python)
    for name in ("python", "python3.12"):
        link = tmp_path / ".venv" / "bin" / name
        link.unlink()
        link.symlink_to(tmp_path / "uninstalled")
    assert {VENV, INSTALL} <= set(make(tmp_path, python)[1])
