"""Verify that the built site's notebooks run, or publish them. Run this where _config.yml is.

check     every notebook, in a fresh environment with only the package, offline
binder    one notebook, in an environment made from what Binder reads, as repo2docker makes it
publish   commit the notebooks to the branch that Colab and Binder read
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from bookbuild.book.settings import page_settings
from bookbuild.execute.results import MEMORY_LIMIT, machine, write_json
from booktools.builds import select
from booktools.notebooks import environments
from booktools.notebooks.binder import FOLDER as BINDER
from booktools.notebooks.binder import binder_files, write_files
from booktools.notebooks.proof import MIRROR, Run, run_notebook
from booktools.notebooks.publish import PublishError, publish
from notebook_export.export import FOLDER

ROOT = Path()


def threads(name: str) -> int | str:
    """Threads that a chapter asks for."""
    page = ROOT / "book" / f"{name}.md"
    return page_settings(page).threads if page.is_file() else 1


def report(runs: Sequence[Run], record: Path, what: str) -> int:
    """Print the runs, write them to `record`, and return the exit status."""
    wrong = False
    for run in runs:
        over = run.memory > MEMORY_LIMIT
        wrong |= over or run.failure is not None
        mark = "  TOO MUCH MEMORY" if over else ""
        print(f"{run.name:<24} {run.seconds:8.1f} s {run.memory / 1e6:8,.0f} MB{mark}")
        if run.failure:
            print(f"FAILED {run.name}: {run.failure}", file=sys.stderr)
    rows = [run.as_record() for run in runs]
    write_json(record, {"what": what, "machine": machine(), "runs": rows})
    print(f"written to {record}")
    return int(wrong)


def run_all(paths: Sequence[Path], python: Path, mirror: str | None) -> list[Run]:
    """Run notebooks: those of one thread side by side, one a core, then the others alone."""
    count = {path: threads(path.stem) for path in paths}

    def run(path: Path) -> Run:
        print(f"executing {path.stem}", flush=True)
        return run_notebook(path, python, mirror, threads=count[path])

    side_by_side = [path for path in paths if count[path] == 1]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        runs = dict(zip(side_by_side, pool.map(run, side_by_side), strict=True))
    return [runs.get(path) or run(path) for path in paths]


def built(build: Path, names: Sequence[str]) -> list[Path]:
    """Return the notebooks `names` of a build, by default all.

    Raises
    ------
    ValueError
        If there is none, or not one of them; names are as `booktools.builds.select` has them.
    """
    found = {path.stem: path for path in sorted((build / "html" / FOLDER).glob("*.ipynb"))}
    if not found:
        raise ValueError(f"there are no notebooks in {build}: run `make book` first")
    return [found[name] for name in (select(list(found), list(names)) if names else found)]


def check(names: Sequence[str], build: Path, python: Path | None, mirror: str | None) -> int:
    """Run the notebooks `names`, by default all, and return the exit status."""
    paths = built(build, names)
    with TemporaryDirectory(prefix="notebooks-") as name:
        if python is None:
            print("making a fresh environment with the package", flush=True)
            wheel = environments.build_wheel(ROOT.resolve(), Path(name))
            python = environments.installed(ROOT.resolve(), wheel, Path(name) / "environment")
        runs = run_all(paths, python, mirror)
    what = "exported notebooks, each from an empty folder, with only the package installed"
    return report(runs, build / "notebooks-check.json", what)


def binder(name: str, build: Path, mirror: str | None) -> int:
    """Run a notebook as Binder would open it, and return the exit status.

    Everything is as published except the package, whose commit may not be on the web yet.
    """
    (path,) = built(build, [name])
    with TemporaryDirectory(prefix="binder-") as folder:
        print("making an environment from what is published in .binder/", flush=True)
        wheel = environments.build_wheel(ROOT.resolve(), Path(folder))
        package = f"{wheel.name.partition('-')[0]}[book] @ {wheel.as_uri()}"
        repository = Path(folder) / "repository"
        write_files(repository / BINDER, binder_files(ROOT, package))
        python = environments.like_binder(repository, Path(folder))
        print(f"executing {name}", flush=True)
        run = run_notebook(path, python, mirror, threads=threads(name), folder=repository)
    what = "an exported notebook, in an environment made from what is published in .binder/"
    return report([run], build / "binder-check.json", what)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 fine, 1 something failed, 2 can't be done."""
    parser = argparse.ArgumentParser(
        prog="python -m booktools notebooks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--build", type=Path, default=ROOT / "_build", help="folder of the build")
    parser.add_argument(
        "--mirror", default=os.environ.get(MIRROR), help=f"folder of data sets, like {MIRROR}"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="execute the exported notebooks")
    checking.add_argument("names", nargs="*", metavar="NAME", help="only these, such as 02-bigrams")
    checking.add_argument("--python", type=Path, help="use this environment instead of a fresh one")
    binding = commands.add_parser("binder", help="execute a notebook as Binder would")
    binding.add_argument("name", nargs="?", default="02-bigrams", metavar="NAME")
    publishing = commands.add_parser("publish", help="commit the notebooks to their branch")
    publishing.add_argument("--push", metavar="REMOTE", help="and push it to this repository")
    options = parser.parse_args(arguments)
    try:
        match options.command:
            case "check":
                return check(options.names, options.build, options.python, options.mirror)
            case "binder":
                return binder(options.name, options.build, options.mirror)
        print(publish(ROOT, options.build / "html" / FOLDER, options.push))
    except (PublishError, RuntimeError, ValueError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0
