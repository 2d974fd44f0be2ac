"""Measure the pages of the built site with Lighthouse: ``make lighthouse``.

Lighthouse is the npm package of that name, fetched by ``npx``; ``LIGHTHOUSE`` names another
command, ``CHROME_PATH`` the browser. Each page is loaded in a browser of its own, with an empty
cache, as a phone and as a desktop, several times; the medians go to `RECORD`, which the book shows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bookbuild.transform.quality import RECORD
from booktools.serve import serve

VERSION = "12.8.2"  # the last one that runs on Node 20
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-extensions"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
PREFIX = "/a/prefix/"


def command() -> list[str]:
    """Return the command that runs Lighthouse."""
    return shlex.split(os.environ.get("LIGHTHOUSE") or f"npx --yes lighthouse@{VERSION}")


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
        subprocess.run(
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
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if error := report.get("runtimeError"):
        raise RuntimeError(f"Lighthouse on {address}: {error['message']}")
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


def processor() -> str:
    """Model name of the processor, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a line for each page and device, and write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--site", type=Path, default=Path("_build") / "html")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--devices", nargs="+", default=["phone", "desktop"])
    parser.add_argument("--record", type=Path, default=Path(RECORD))
    parser.add_argument("pages", nargs="*", help="default: the front page and the chapters")
    given = parser.parse_args(arguments)
    if "CHROME_PATH" not in os.environ and (found := shutil.which("chromium")):
        os.environ["CHROME_PATH"] = found
    chapters = sorted((given.site / "book").glob("[0-9][0-9]-*.html"))
    pages = given.pages or ["book/index", *(f"book/{path.stem}" for path in chapters)]
    rows: dict[str, dict[str, Any]] = {}
    versions = set()
    with serve(given.site, PREFIX) as site:
        for page in pages:
            for device in given.devices:
                reports = [run(f"{site}{page}.html", device) for _ in range(given.runs)]
                versions |= {
                    f"Lighthouse {r['lighthouseVersion']}, {browser(r['environment'])}"
                    for r in reports
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
    load = f"load average {os.getloadavg()[1]:.1f}" if hasattr(os, "getloadavg") else ""
    record = {
        "command": "make lighthouse",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": ", ".join(filter(None, [processor(), f"{os.cpu_count()} cores", load])),
        "versions": sorted(versions),
        "runs": given.runs,
        "pages": rows,
    }
    given.record.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    given.record.write_text(text, encoding="utf-8")
    return 0


def browser(environment: dict[str, Any]) -> str:
    """Name and version of the browser of a report."""
    agent = str(environment["hostUserAgent"])
    name = next(part for part in agent.split() if "Chrome/" in part)
    return name.replace("HeadlessChrome/", "Chromium ").replace("Chrome/", "Chromium ")
