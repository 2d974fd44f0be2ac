"""List, fetch and verify the data sets: ``python -m zerotohero.data --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence

from ..console import run_command, say
from . import fetch_all, store
from .registry import REGISTRY, DataError


def check_files() -> Iterator[tuple[str, str, store.CheckedFile]]:
    """Yield name, edition and state of the data sets' files in every folder, without a network."""
    for name, dataset in REGISTRY.items():
        for folder in store.folders():
            yield name, "lecture", store.check_file(folder / dataset.file, dataset)
        if embedded := dataset.embedded:
            yield name, "embedded", store.check_file(store.embedded_path(embedded), embedded)


def list_files() -> bool:
    """Print the files that are there; return whether all of them are right."""
    right = True
    missing = dict.fromkeys(REGISTRY)
    for name, edition, file in check_files():
        if file.state != "missing":
            verified = file.state == "verified"
            detail = "" if verified else f"  ({file.detail})"
            print(f"{name:<18} {edition:<9} {file.state:<11} {file.path}{detail}")
            right &= verified
            if edition == "lecture":
                missing.pop(name, None)
    for name in missing:
        print(f"{name:<18} {'lecture':<9} missing")
    if missing:
        print("Missing files are fetched when they are first used, or by --fetch.")
    return right


def fetch(names: Iterable[str]) -> bool:
    """Fetch data sets, report on each, and return whether the lecture's edition of all is there."""
    complete = True
    for name in names:
        try:
            complete &= fetch_all([name])[name] == "lecture"
        except DataError as error:
            complete = False
            say(f"error: {error}")
    return complete


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 1 after a failed fetch or a damaged file."""
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
    right = list_files() if options.verify or not wanted else True
    return 0 if complete and (right or not options.verify) else 1


if __name__ == "__main__":
    sys.exit(run_command(main, (DataError,)))
