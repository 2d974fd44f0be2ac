"""The data layer where there is no checkout, as on Colab: installed by pip, or only copied."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
SCRIPT = """
import json, warnings
from zerotohero.data import edition, names, store
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    count = len(names())
print(json.dumps([count, edition(), [w.category.__name__ for w in caught],
                  store.checkout_data() is None]))
"""
EXPECTED = '[32257, "embedded", ["EditionWarning"], true]\n'


def run(path: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Ask for the names in a fresh process that finds the package in `path`, without a network."""
    blocked = "import socket\ndef refuse(*_, **__): raise OSError('no network')\n"
    blocked += "socket.getaddrinfo = refuse\n"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ZEROTOHERO_")}
    environment |= {"PYTHONPATH": str(path), "ZEROTOHERO_CACHE": str(cwd / "cache")}
    command = [sys.executable, "-c", blocked + SCRIPT]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def copy_package(target: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CHECKOUT / "code" / "zerotohero", target / "zerotohero", ignore=ignore)


def test_copied_package(tmp_path: Path) -> None:
    copy_package(tmp_path / "site")
    done = run(tmp_path / "site", tmp_path)
    assert done.stdout == EXPECTED, done.stderr
    (tmp_path / "site" / "zerotohero" / "data" / "names-ssa-2018.txt").unlink()
    done = run(tmp_path / "site", tmp_path)
    assert "DataError: names.txt is not available." in done.stderr
    assert "names-ssa-2018.txt: not there" in done.stderr


def test_wheel(tmp_path: Path) -> None:
    """Build the package, look into its wheel, install it, and use it from there."""
    pytest.importorskip("setuptools", minversion="77", reason="building needs setuptools")
    source, site = tmp_path / "source", tmp_path / "site"
    copy_package(source / "code")
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    (source / "README.md").write_text("The book's own is not needed here.\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, *build, "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("zerotohero-*.whl")
    members = zipfile.ZipFile(wheel).namelist()
    assert "zerotohero/data/registry.json" in members
    assert "zerotohero/data/names-ssa-2018.txt" in members
    install = ["install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel]
    subprocess.run([*pip, *install], check=True)
    done = run(site, tmp_path)
    assert done.stdout == EXPECTED, done.stderr
