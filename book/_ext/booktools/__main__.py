"""Run one of the book's tools, in the folder with _config.yml.

chapter     build one chapter, or a few, without the others
compare     compare the outputs of two builds
lighthouse  measure the pages of the built site
links       try the links to other sites
notebooks   verify that the built notebooks run, or publish them
pdf         print the built pages as one PDF
serve       serve the built site on this machine

`python -m booktools COMMAND --help` says more.
"""

import importlib
import sys

COMMANDS = ("chapter", "compare", "lighthouse", "links", "notebooks", "pdf", "serve")


def main(arguments: list[str]) -> int:
    """Run the command that `arguments` begin with, and return its exit status."""
    match arguments:
        case ["-h" | "--help"]:
            print(__doc__)
            return 0
        case [command, *rest] if command in COMMANDS:
            status: int = importlib.import_module(f"booktools.{command}").main(rest)
            return status
    print(f"expected one of {', '.join(COMMANDS)}, got {arguments[:1]}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
