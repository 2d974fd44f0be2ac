"""Measure the pages of the built site with Lighthouse: `make lighthouse`.

Lighthouse is the npm package of that name, fetched by ``npx``; ``LIGHTHOUSE`` names another
command, ``CHROME_PATH`` the browser. Each page is loaded in a browser of its own, with an empty
cache, as a phone and as a desktop, several times; the medians go to `RECORD`, which the book shows.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bookbuild.execute.kernels import cores
from bookbuild.execute.results import processor, write_json
from bookbuild.transform.quality import RECORD
from booktools.browser import CHROME_PATH, NoBrowserError, find_browser
from booktools.serve import serve

VERSION = "12.8.2"  # the last one that runs on Node 20
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-extensions"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
PREFIX = "/a/prefix/"


class NotMeasuredError(RuntimeError):
    """A page can't be measured; the message says why."""


def command() -> list[str]:
    """Return the command that runs Lighthouse.

    Raises
    ------
    NotMeasuredError
        When there is no such program.
    """
    found = shlex.split(os.environ.get("LIGHTHOUSE") or f"npx --yes lighthouse@{VERSION}")
    if shutil.which(found[0]) is None:
        raise NotMeasuredError(
            f"there is no program {found[0]}: install Node, or set LIGHTHOUSE to a command"
        )
    return found


def run(address: str, device: str) -> dict[str, Any]:
    """Load one page once.

    Parameters
    ----------
    address
        Of the page.
    device
        ``"phone"`` or ``"desktop"``; both as Lighthouse simulates them.

    Returns
    -------
    dict
        Lighthouse's report.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        preset = ["--preset=desktop"] if device == "desktop" else []
        done = subprocess.run(
            [
                *command(),
                address,
                *preset,
                "--throttling-method=simulate",
                f"--only-categories={','.join(CATEGORIES)}",
                f"--chrome-flags={FLAGS}",
                "--output=json",
                f"--output-path={path}",
                "--quiet",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:]
            raise NotMeasuredError(
                f"Lighthouse failed on {address} ({done.returncode}): {''.join(said)}"
            )
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if error := report.get("runtimeError"):
        raise NotMeasuredError(f"Lighthouse on {address}: {error['message']}")
    return report


def summary(reports: list[dict[str, Any]], site: str) -> dict[str, Any]:
    """Summarize the reports of one page.

    Returns
    -------
    dict
        Medians of the scores (0 to 100), of the weight of all requests together (bytes as sent) and
        of the times (ms); third parties asked; names of the audits of which something is wrong.
    """
    audits = [report["audits"] for report in reports]

    def middle(values: list[float]) -> int:
        return round(median(values))

    requests = [r for a in audits for r in a["network-requests"]["details"]["items"]]
    foreign = {r["url"] for r in requests if not r["url"].startswith((site, "data:", "blob:"))}
    flaws = {
        ref["id"]
        for report in reports
        for name in CATEGORIES[1:]
        for ref in report["categories"][name]["auditRefs"]
        if ref["weight"] and report["audits"][ref["id"]]["score"] not in (1, None)
    }
    return {
        "scores": {
            name: middle([100 * report["categories"][name]["score"] for report in reports])
            for name in CATEGORIES
        },
        "bytes": middle([a["total-byte-weight"]["numericValue"] for a in audits]),
        "requests": middle([len(a["network-requests"]["details"]["items"]) for a in audits]),
        "first_paint": middle([a["first-contentful-paint"]["numericValue"] for a in audits]),
        "largest_paint": middle([a["largest-contentful-paint"]["numericValue"] for a in audits]),
        "blocked": middle([a["total-blocking-time"]["numericValue"] for a in audits]),
        "shift": round(median(a["cumulative-layout-shift"]["numericValue"] for a in audits), 3),
        "third_parties": sorted(foreign),
        "flaws": sorted(flaws),
        "benchmark": middle([report["environment"]["benchmarkIndex"] for report in reports]),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a line for each page and device, and write the record."""
    parser = argparse.ArgumentParser(
        prog="python -m booktools lighthouse", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--site", type=Path, default=Path("_build") / "html")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--devices", nargs="+", default=["phone", "desktop"])
    parser.add_argument("--record", type=Path, default=Path(RECORD))
    parser.add_argument("pages", nargs="*", help="default: the front page and the chapters")
    given = parser.parse_args(arguments)
    try:
        command()
        if path := find_browser():  # else Lighthouse looks for Chrome itself
            os.environ[CHROME_PATH] = path
        with serve(given.site, PREFIX) as site:
            rows, versions = measure(given, site)
    except (NotMeasuredError, NoBrowserError, FileNotFoundError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 2
    load = f"load average {os.getloadavg()[1]:.1f}" if hasattr(os, "getloadavg") else ""
    record = {
        "command": "make lighthouse",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": ", ".join(filter(None, [processor(), f"{cores()} cores", load])),
        "versions": sorted(versions),
        "runs": given.runs,
        "pages": rows,
    }
    write_json(given.record, record)
    return 0


def measure(given: argparse.Namespace, site: str) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """Measure the pages of the site at an address; return a row for each, and the versions."""
    chapters = sorted((given.site / "book").glob("[0-9][0-9]-*.html"))
    pages = given.pages or ["book/index", *(f"book/{path.stem}" for path in chapters)]
    rows: dict[str, dict[str, Any]] = {}
    versions: set[str] = set()
    for page in pages:
        for device in given.devices:
            reports = [run(f"{site}{page}.html", device) for _ in range(given.runs)]
            versions |= {
                f"Lighthouse {r['lighthouseVersion']}, {browser(r['environment'])}" for r in reports
            }
            row = summary(reports, site)
            rows.setdefault(page, {})[device] = row
            scores = " ".join(f"{score:4d}" for score in row["scores"].values())
            print(
                f"{page:24} {device:8} {scores}  {row['bytes'] / 1000:6.0f} kB"
                f"  FCP {row['first_paint']} LCP {row['largest_paint']}"
                f" TBT {row['blocked']} CLS {row['shift']}"
                f"  {' '.join(row['flaws'] + row['third_parties'])}",
                flush=True,
            )
    return rows, versions


def browser(environment: dict[str, Any]) -> str:
    """Name and version of the browser of a report."""
    agent = str(environment["hostUserAgent"])
    name = next(part for part in agent.split() if "Chrome/" in part)
    return name.replace("HeadlessChrome/", "Chromium ").replace("Chrome/", "Chromium ")
