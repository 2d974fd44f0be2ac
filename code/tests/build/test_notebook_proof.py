"""Notebooks run where only the package is installed, offline: the short chapters, and the proof.

The others take minutes: `make notebooks-check` runs them all, in an environment of its own.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path
from threading import Barrier

import nbformat
import pytest
from build_scratch import ROOT
from chapter_source import CHAPTERS, code_cells
from nbformat import NotebookNode

from bookbuild.book.settings import page_settings
from booktools.notebooks import commands as notebooks
from booktools.notebooks import environments
from booktools.notebooks.proof import Run, environment, run_notebook, without_network
from notebook_export.first import first_cell, requirement
from zerotohero import data

SHORT = ["01-micrograd", "02-bigrams"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the package from its wheel, and not the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    wheel = environments.build_wheel(ROOT, folder)
    return environments.borrowed(wheel, folder / "env")


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the names, as far as they are available here."""
    folder = tmp_path_factory.mktemp("mirror")
    if data.edition("names") == "lecture":
        path = data.fetch("names")
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def write(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def first(*data: str) -> NotebookNode:
    name, version = PROJECT["name"], PROJECT["version"]
    return first_cell(name, version, requirement(name, "https://localhost/a/b", "0" * 40), data)


def notebook_of(chapter: Path, folder: Path) -> Path:
    """Return the exported notebook, if it was exported from these cells; else make its cells.

    A strict build fails if the code cells of the two differ.
    """
    sources = [cell.source for cell in code_cells(chapter)]
    exported = ROOT / "_build" / "html" / "notebooks" / f"{chapter.stem}.ipynb"
    if exported.is_file():
        cells = [c for c in nbformat.read(exported, as_version=4).cells if c.cell_type == "code"]
        if [cell.source for cell in cells[1:]] == sources:
            return exported
    return write(folder / exported.name, first(*page_settings(chapter).data).source, *sources)


# -- the short chapters --------------------------------------------------------------------


@pytest.mark.parametrize("chapter", [c for c in CHAPTERS if c.stem in SHORT], ids=lambda c: c.stem)
def test_a_chapter_runs_where_only_the_package_is(
    chapter: Path, python: Path, mirror: Path, tmp_path: Path
) -> None:
    run = run_notebook(notebook_of(chapter, tmp_path), python, str(mirror))
    assert run.failure is None, run.failure
    assert run.memory < 1.5e9


def test_the_environment_that_lends_keeps_its_own_package(tmp_path: Path) -> None:
    """Pip removes what it replaces, even when it installs to another place."""

    def installed() -> set[str]:
        command = [sys.executable, "-m", "pip", "list", "--format=freeze"]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
        return {line for line in done.stdout.splitlines() if "zerotohero" in line}

    before = installed()
    environments.borrowed(environments.build_wheel(ROOT, tmp_path), tmp_path / "env")
    assert installed() == before


def test_only_notebooks_of_one_thread_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    running, met = set(), Barrier(2)

    def fake(path: Path, python: Path, mirror: str | None, *, threads: int) -> Run:
        running.add(path.stem)
        if path.stem == "greedy":
            assert running == {"greedy"}
        else:
            met.wait(timeout=30)  # both are here at the same time
        running.remove(path.stem)
        return Run(path.stem, 1.0, threads, "", None, None)

    counts = {"one": 1, "greedy": 2, "other": 1}
    monkeypatch.setattr(notebooks, "threads", counts.get)
    monkeypatch.setattr(notebooks, "run_notebook", fake)
    monkeypatch.setattr(notebooks.os, "cpu_count", lambda: 2)
    runs = notebooks.run_all([Path(f"{name}.ipynb") for name in counts], Path("python"), None)
    assert {run.name: run.memory for run in runs} == counts
    assert [run.name for run in runs] == list(counts)


def test_the_short_chapters_are_there() -> None:
    assert set(SHORT) <= {chapter.stem for chapter in CHAPTERS}


# -- what the package has to bring -----------------------------------------------------------


def imported(chapter: Path) -> set[str]:
    found = set()
    for cell in code_cells(chapter):
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
    return found - set(sys.stdlib_module_names)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.stem)
def test_the_package_requires_all_that_a_chapter_imports(chapter: Path) -> None:
    book = PROJECT.get("optional-dependencies", {}).get("book", [])  # what the first cell asks for
    asked = [*PROJECT["dependencies"], *book]
    required = {re.split(r"[\[<>=~ ]", line)[0].lower() for line in asked}
    providers = metadata.packages_distributions()
    for module in imported(chapter) - {PROJECT["name"]}:
        names = {name.lower() for name in providers.get(module, [module])}
        assert names & required, f"{chapter.name} imports {module}, which {names} brings"


# -- the first cell --------------------------------------------------------------------------


def run_cell(
    python: Path, cell: NotebookNode, folder: Path, check: str = "", **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a first cell, and the code `check` after it in the same process; PATH leads nowhere."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
    environment = {**kept, "HOME": str(folder), "PATH": "", "PIP_NO_INDEX": "1", **variables}
    return subprocess.run(
        [python, "-c", f"{cell.source}\n{check}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_first_cell_shows_nothing_where_all_is(
    python: Path, mirror: Path, tmp_path: Path
) -> None:
    """Neither does it install; IPython would show the value of a last line, as a notebook does."""
    assert any(mirror.iterdir()), "the lecture's names are missing: run `make data`"
    probe = "import subprocess\nsubprocess.run = None  # an installer would need it\n"
    done = subprocess.run(
        [python, "-m", "IPython", "--colors=NoColor", "-c", probe + first("names").source],
        cwd=tmp_path,
        env={**environment(tmp_path, str(mirror)), "IPYTHONDIR": str(tmp_path / "ipython")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_first_cell_says_which_edition_stands_in(python: Path, tmp_path: Path) -> None:
    done = run_cell(python, first("names"), tmp_path, ZEROTOHERO_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "embedded" in line
    assert "names" in line


def test_the_first_cell_lets_threads_sleep_unless_told_otherwise(
    python: Path, tmp_path: Path
) -> None:
    ask = "assert 'torch' not in sys.modules\nprint(os.environ['GOMP_SPINCOUNT'])"
    assert run_cell(python, first(), tmp_path, ask).stdout == "1000\n"
    assert run_cell(python, first(), tmp_path, ask, GOMP_SPINCOUNT="7").stdout == "7\n"


def test_the_first_cell_brings_the_data(python: Path, mirror: Path, tmp_path: Path) -> None:
    assert any(mirror.iterdir()), "the lecture's names are missing: run `make data`"
    found = (
        "from zerotohero.data.__main__ import check_files\n"
        "states = {name: file.state for name, edition, file in check_files()"
        " if edition == 'lecture'}\n"
        "assert states['names'] == 'verified', states\n"
    )
    with_cell = write(tmp_path / "with.ipynb", first("names").source, found)
    assert run_notebook(with_cell, python, str(mirror)).failure is None
    without = write(tmp_path / "without.ipynb", first().source, found)
    assert "AssertionError" in (run_notebook(without, python, str(mirror)).failure or "")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a package, in place of the repository's archive."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "tiny"
    (source / "tiny").mkdir(parents=True)
    (source / "tiny" / "__init__.py").write_text('__version__ = "0.2.0"\n', encoding="utf-8")
    (source / "pyproject.toml").write_text(
        '[project]\nname = "tiny"\nversion = "0.2.0"\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
        encoding="utf-8",
    )
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    build = [*pip, "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An environment with nothing in it, as uv makes it."""
    venv.create(tmp_path / "bare", with_pip=False)
    return environments.interpreter(tmp_path / "bare")


SHOW = "import tiny\nprint(tiny.__version__)"


@pytest.mark.parametrize("there", [None, "0.0.1"], ids=["missing", "old"])
def test_the_first_cell_brings_the_package(tmp_path: Path, tiny: Path, there: str | None) -> None:
    """And the same process has it."""
    folder = tmp_path / "env"
    venv.create(folder, with_pip=True)
    python = environments.interpreter(folder)
    if there:  # found before what pip installs, so that it would hide it in this process
        ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        site = subprocess.run(ask, capture_output=True, encoding="utf-8", check=True).stdout
        old = Path(site.strip()) / "tiny"
        old.mkdir()
        (old / "__init__.py").write_text(f'__version__ = "{there}"\n', encoding="utf-8")
    cell = first_cell("tiny", "0.2.0", f"tiny @ {tiny.as_uri()}")
    done = run_cell(python, cell, folder, SHOW)
    before, after, version = done.stdout.splitlines()
    assert version == "0.2.0", done.stderr
    assert before.startswith("Installing")
    assert "installed" in after


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a script")
def test_the_first_cell_uses_uv_where_there_is_no_pip(
    tmp_path: Path, tiny: Path, bare: Path
) -> None:
    source = f"tiny @ {tiny.as_uri()}"
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(
        f"#!{sys.executable}\n"
        "import subprocess, sys\n"
        "pip, install, option, python, quiet, source = sys.argv[1:]\n"
        f"assert (pip, install, option, source) == ('pip', 'install', '--python', {source!r})\n"
        "command = [sys.executable, '-m', 'pip', '--python', python, install, quiet, source]\n"
        "sys.exit(subprocess.run(command).returncode)\n",
        encoding="utf-8",
    )
    uv.chmod(0o755)
    cell = first_cell("tiny", "0.2.0", source)
    done = run_cell(bare, cell, tmp_path, SHOW, PATH=str(uv.parent))
    assert done.stdout.splitlines()[-1:] == ["0.2.0"], done.stderr


def test_the_first_cell_says_what_to_do_without_an_installer(tmp_path: Path, bare: Path) -> None:
    done = run_cell(bare, first_cell("tiny", "0.2.0", "tiny @ file:///x.whl"), tmp_path)
    assert "install tiny @ file:///x.whl" in done.stderr.splitlines()[-1]


def test_the_first_cell_says_what_to_do_without_a_network(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = environments.interpreter(tmp_path / "env")
    cell = first_cell("tiny", "0.2.0", "tiny @ http://127.0.0.1:9/tiny.zip")
    done = run_cell(python, cell, tmp_path, PIP_RETRIES="0")
    assert done.returncode == 1
    assert "network" in done.stderr.splitlines()[-1]
    assert "127.0.0.1" in done.stderr.splitlines()[-1]  # the command that says more
    assert "ERROR:" not in done.stdout + done.stderr  # pip's


# -- what the proof would notice -------------------------------------------------------------


def failure(python: Path, folder: Path, *sources: str) -> str:
    run = run_notebook(write(folder / "probe.ipynb", *sources), python, None)
    return run.failure or ""


def test_it_notices_a_failing_cell(python: Path, tmp_path: Path) -> None:
    assert "ZeroDivisionError" in failure(python, tmp_path, "1 + 1", "1 / 0", "2")


def test_it_notices_what_is_left_behind(python: Path, tmp_path: Path) -> None:
    source = "open('left.txt', 'w').close()"
    assert failure(python, tmp_path, source) == "it leaves files behind: left.txt"


def test_it_runs_the_wheel_in_an_empty_folder(python: Path, tmp_path: Path) -> None:
    source = (
        "import os, sys, zerotohero\n"
        "assert os.listdir() == []\n"
        f"assert not zerotohero.__file__.startswith({str(ROOT)!r}), zerotohero.__file__\n"
        f"assert {str(ROOT / 'code')!r} not in sys.path"
    )
    assert failure(python, tmp_path, source) == ""


def test_it_has_no_network(python: Path, tmp_path: Path) -> None:
    source = (
        "import urllib.request\n"
        "try:\n    urllib.request.urlopen('http://example.org', timeout=5)\n"
        "except OSError:\n    pass\nelse:\n    raise AssertionError('there is a network')"
    )
    assert failure(python, tmp_path, source) == ""


@pytest.mark.skipif(not without_network()[0], reason="no network namespaces here (Linux, as root)")
def test_its_kernel_sees_no_interface(python: Path, tmp_path: Path) -> None:
    source = "import socket\nassert [name for _, name in socket.if_nameindex()] == ['lo']"
    assert failure(python, tmp_path, source) == ""


def test_it_can_insist_on_an_empty_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.delenv("ZEROTOHERO_REQUIRE_OFFLINE", raising=False)
    assert without_network() == ([], "proxies to nowhere")
    monkeypatch.setenv("ZEROTOHERO_REQUIRE_OFFLINE", "1")
    with pytest.raises(RuntimeError, match="no network namespaces"):
        without_network()


def test_it_measures_memory_of_kernel_and_children(python: Path, tmp_path: Path) -> None:
    quiet = run_notebook(write(tmp_path / "quiet.ipynb", "1"), python, None)
    grown = "block = bytearray(300_000_000)\nfor i in range(0, len(block), 1000): block[i] = 1\n"
    kept = f"{grown}import time\ntime.sleep(1)"
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {kept!r}])"
    own = run_notebook(write(tmp_path / "own.ipynb", grown), python, None)
    children = run_notebook(write(tmp_path / "child.ipynb", child), python, None)
    assert 20e6 < quiet.memory < 200e6
    for run in (own, children):
        assert 300e6 < run.memory < 500e6


def test_the_kernels_environment_knows_nothing_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONPATH", "ZEROTOHERO_CACHE", "TIKTOKEN_CACHE_DIR", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "here")
    made = environment(tmp_path, None)
    assert "here" not in made.values()
    assert made["HOME"] == str(tmp_path)
    assert made["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in environment(tmp_path, None, "all")


def test_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(memory: int, failure: str | None = None) -> Run:
        return Run("01-one", 1.23, memory, "network namespace", 0.5, 2, failure)

    assert notebooks.report([run(10**9)], tmp_path / "r.json", "fine") == 0
    assert notebooks.report([run(10**9), run(1_600_000_000)], tmp_path / "r.json", "large") == 1
    assert "TOO MUCH MEMORY" in capsys.readouterr().out
    assert notebooks.report([run(1, "it broke")], tmp_path / "r.json", "broken") == 1
    assert "it broke" in (tmp_path / "r.json").read_text(encoding="utf-8")
