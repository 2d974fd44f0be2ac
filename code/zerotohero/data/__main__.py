"""List, fetch and verify the data sets: ``python -m zerotohero.data --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence

from ..console import run_command, say
from . import fetch_all, store
from .registry import REGISTRY, DataError


def findings() -> Iterator[tuple[str, str, store.Finding]]:
    """Yield name, edition and what was found, for every folder. Uses no network."""
    for name, dataset in REGISTRY.items():
        for folder in store.folders():
            yield name, "lecture", store.look(folder / dataset.file, dataset)
        if other := dataset.embedded:
            yield name, "embedded", store.look(store.embedded_path(other), other)


def show() -> bool:
    """Print the files that were found; return whether all of them are right."""
    right = True
    absent = dict.fromkeys(REGISTRY)
    for name, edition, finding in findings():
        if finding.state != "missing":
            verified = finding.state == "verified"
            detail = "" if verified else f"  ({finding.detail})"
            print(f"{name:<18} {edition:<9} {finding.state:<11} {finding.path}{detail}")
            right &= verified
            if edition == "lecture":
                absent.pop(name, None)
    for name in absent:
        print(f"{name:<18} {'lecture':<9} missing")
    if absent:
        print("Missing files are fetched when they are first used, or by --fetch.")
    return right


def fetch(names: Iterable[str]) -> bool:
    """Fetch data sets, report on each, and return whether all are there."""
    complete = True
    for name in names:
        try:
            fetch_all([name])
        except DataError as error:
            complete = False
            say(f"error: {error}")
    return complete


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 after a failed fetch or a damaged file."""
    parser = argparse.ArgumentParser(
        prog="python -m zerotohero.data",
        description="List the book's data sets, fetch them, and verify them.",
    )
    known = [*REGISTRY, "all"]
    parser.add_argument(
        "--fetch",
        nargs="+",
        choices=known,
        metavar="NAME",
        help=f"fetch these: {', '.join(REGISTRY)}, or all",
    )
    parser.add_argument("--verify", action="store_true", help="exit with 1 if a file is damaged")
    options = parser.parse_args(arguments)
    wanted = options.fetch or []
    complete = fetch(REGISTRY if "all" in wanted else wanted)
    right = show() if options.verify or not wanted else True
    return 0 if complete and (right or not options.verify) else 1


if __name__ == "__main__":
    sys.exit(run_command(main, (DataError,)))
