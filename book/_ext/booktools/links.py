"""Try the links to other sites, and report those that are broken: `python -m booktools links`.

Run in the folder with _config.yml. Sphinx's linkcheck does the work, in a build of its own that
executes nothing. The report, in Markdown, is `_build/linkcheck/report.md`, empty when nothing is
broken. Exit status: 0 nothing is broken, 1 something is, 2 the check itself failed.
"""

import argparse
import json
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from bookbuild.book.settings import CONFIG, TOC, read_config
from booktools.builds import BUILD, run_quietly

__all__ = ["broken", "main", "report"]

BROKEN = {"broken", "timeout"}
FOLDER = Path("_build") / "linkcheck"


def broken(results: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Results of linkcheck whose link is broken, by address, each in the order of its places."""
    found = defaultdict(list)
    for result in results:
        if result["status"] in BROKEN:
            found[str(result["uri"])].append(result)
    return {
        uri: sorted(places, key=lambda place: (place["filename"], place["lineno"]))
        for uri, places in sorted(found.items())
    }


def cell(text: str) -> str:
    """Text in a cell of a Markdown table; shortened, as some servers answer with a whole page."""
    words = " ".join(text.split())
    return (words if len(words) <= 160 else f"{words[:159]}…").replace("|", "\\|")


def report(results: Iterable[dict[str, Any]]) -> str:
    """Table of the broken links; empty when there is none."""
    found = broken(results)
    if not found:
        return ""
    rows = [
        f"| <{uri}> | {cell(str(places[0]['info']) or places[0]['status'])} | "
        + ", ".join(f"`{place['filename']}`, line {place['lineno']}" for place in places)
        + " |"
        for uri, places in found.items()
    ]
    return "\n".join(
        [
            f"{len(found)} of the book's links to other sites did not work when they were tried.",
            "",
            "| address | what came back | where |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def config_without_execution(root: Path) -> str:
    """Text of the book's configuration, but nothing is executed, or missed for it."""
    config = read_config(root)
    config["execute"] = {"execute_notebooks": "off"}
    settings = config["sphinx"]["config"]
    settings["suppress_warnings"] = [*settings.get("suppress_warnings", []), "mystnb.glue"]
    return yaml.safe_dump(config)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module's docstring. Returns the exit status."""
    argparse.ArgumentParser(prog="python -m booktools links", description=__doc__).parse_args(
        arguments
    )
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    config = FOLDER / CONFIG
    config.write_text(config_without_execution(Path()), encoding="utf-8")
    print("reading the pages and trying their links to other sites", flush=True)
    paths = [".", "--path-output", str(FOLDER), "--config", str(config), "--toc", TOC]
    builder = ["--builder", "custom", "--custom-builder", "linkcheck"]
    status = run_quietly([*BUILD, *paths, *builder])
    output = FOLDER / "_build" / "linkcheck" / "output.json"
    if not output.is_file():
        print("the links were not tried, because the build failed first", file=sys.stderr)
        return 2
    lines = output.read_text(encoding="utf-8").splitlines()
    text = report(json.loads(line) for line in lines if line.strip())
    if status and not text:
        print("the build failed, but not because of a broken link", file=sys.stderr)
        return 2
    (FOLDER / "report.md").write_text(text, encoding="utf-8")
    print(text or f"{len(lines)} links, none broken")
    return int(bool(text))
