"""List, fetch and verify the data sets: ``python -m zerotohero.data --help``."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

from zerotohero.data import store
from zerotohero.data.errors import DataError
from zerotohero.data.progress import fetch_all
from zerotohero.data.registry import REGISTRY


def findings() -> Iterator[tuple[str, str, store.Finding]]:
    """Yield name, edition and what was found, for every folder. Uses no network."""
    for dataset in REGISTRY.values():
        for folder in store.places():
            yield dataset.name, "lecture", store.look(folder / dataset.file, dataset)
        if other := dataset.embedded:
            for folder in store.embedded_places():
                yield dataset.name, "embedded", store.look(folder / other.file, other)


def show() -> bool:
    """Print the files that were found; return whether all of them are right."""
    right = True
    present = set()
    for name, edition, finding in findings():
        if finding.state == "missing":
            continue
        present.add((name, edition))
        right &= finding.state == "verified"
        detail = "" if finding.state == "verified" else f"  ({finding.detail})"
        print(f"{name:<18} {edition:<9} {finding.state:<11} {finding.path}{detail}")
    absent = [name for name in REGISTRY if (name, "lecture") not in present]
    for name in absent:
        print(f"{name:<18} {'lecture':<9} missing")
    if absent:
        print("Missing files are fetched when they are first used, or by --fetch.")
    return right


def fetch(names: Sequence[str]) -> bool:
    """Fetch data sets, report on each, and return whether all are there."""
    complete = True
    for name in REGISTRY if "all" in names else names:
        try:
            fetch_all([name])
        except DataError as error:
            complete = False
            print(f"{name}: {error}", file=sys.stderr)
    return complete


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 after a failed fetch or a damaged file."""
    parser = argparse.ArgumentParser(
        prog="python -m zerotohero.data",
        description="List the book's data sets, fetch them, and verify them.",
    )
    known = ", ".join(REGISTRY)
    parser.add_argument("--fetch", nargs="+", metavar="NAME", help=f"fetch these: {known}, or all")
    parser.add_argument("--verify", action="store_true", help="exit with 1 if a file is damaged")
    options = parser.parse_args(arguments)
    complete = fetch(options.fetch) if options.fetch else True
    right = show() if options.verify or not options.fetch else True
    return 0 if complete and (right or not options.verify) else 1


def run() -> int:
    """Run the command; end quietly when the reader of its output, such as ``head``, stops."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush
        return 141  # the shell's status for a program that a broken pipe has ended
    return code


if __name__ == "__main__":
    sys.exit(run())
