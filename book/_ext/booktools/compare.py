"""Compare the outputs of two builds of the book: `python -m booktools compare [A B]`.

Without arguments, run in the folder with _config.yml, it builds the book twice from nothing in
temporary folders. Exit status: 0 same, 1 different, 2 not comparable or a build failed.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbformat import NotebookNode

from bookbuild.book.settings import CONFIG
from booktools.builds import BUILD, UnknownPageError, run, select, short_build
from booktools.outputs import DifferentCellsError, compare_notebooks

__all__ = ["compare_builds", "main"]

LOG_LINES = 40


class NotComparableError(ValueError):
    """The builds can't be compared; the message says why and what to do."""


def executed_notebooks(build: Path) -> dict[str, NotebookNode]:
    """Read the executed notebooks of a build, by name of the page.

    Parameters
    ----------
    build
        The folder ``_build``, or the one that holds it.
    """
    candidates = [build / "executed", build / "_build" / "executed"]
    folder = next((path for path in candidates if path.is_dir()), None)
    if folder is None:
        raise NotComparableError(
            f"{build} holds no executed chapters: run `jupyter-book build .` first"
        )
    return {
        path.relative_to(folder).with_suffix("").as_posix(): nbformat.read(path, as_version=4)
        for path in sorted(folder.rglob("*.ipynb"))
    }


def compare_builds(first: Path, second: Path, chosen: list[str] | None = None) -> int:
    """Compare two builds, print one line for each chapter, and each difference.

    Returns
    -------
    int
        Number of differences.

    Raises
    ------
    NotComparableError
        When chapters or cells are not the same, or there is no output to compare.
    """
    one, two = executed_notebooks(first), executed_notebooks(second)
    if one.keys() != two.keys():
        only = sorted(one.keys() ^ two.keys())
        raise NotComparableError(f"only one of the builds has {', '.join(only)}")
    outputs = differences = 0
    names = select(sorted(one), chosen) if chosen else sorted(one)
    for name in names:
        try:
            result = compare_notebooks(one[name], two[name])
        except DifferentCellsError as error:
            raise NotComparableError(f"{name}: {error}") from error
        outputs += result.outputs
        differences += len(result.differences)
        verdict = f"{len(result.differences)} differences" if result.differences else "same"
        skipped = f", {result.skipped} timing cells skipped" if result.skipped else ""
        print(f"{name}: {verdict}, {result.outputs} outputs compared{skipped}")
        for text in result.differences:
            print(f"   {name}, {text}")
    if not outputs:
        raise NotComparableError(f"there was no output to compare in {len(names)} chapters")
    print(f"{differences} differences in {outputs} outputs of {len(names)} chapters")
    return differences


def cold_build(source: Path, output: Path, chosen: list[str] | None) -> None:
    """Build the book, or the chosen chapters of it, from nothing into `output`."""
    if chosen:
        command = short_build(source, output, chosen)
    else:
        command = [*BUILD, str(source), "--path-output", str(output)]
    log = output / "log.txt"
    if run(command, log):
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        raise NotComparableError("\n".join(["a build failed:", *tail]))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module's docstring. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m booktools compare", description=__doc__)
    parser.add_argument("builds", nargs="*", type=Path, metavar="BUILD", help="two build folders")
    parser.add_argument(
        "--chapters", nargs="+", metavar="NAME", help="only these, such as 01-micrograd"
    )
    options = parser.parse_args(arguments)
    try:
        if options.builds:
            if len(options.builds) != 2:
                parser.error(f"give two build folders or none, not {len(options.builds)}")
            first, second = options.builds
            return int(compare_builds(first, second, options.chapters) > 0)
        if not Path(CONFIG).is_file():
            parser.error(f"there is no {CONFIG} in {Path.cwd()}: run this where it is")
        with TemporaryDirectory() as one, TemporaryDirectory() as two:
            for number, folder in enumerate((one, two), start=1):
                print(f"build {number} of 2", flush=True)
                cold_build(Path.cwd(), Path(folder), options.chapters)
            return int(compare_builds(Path(one), Path(two), options.chapters) > 0)
    except (NotComparableError, UnknownPageError) as error:
        print(f"not comparable: {error}", file=sys.stderr)
        return 2
