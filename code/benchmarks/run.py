"""Measure speed, side by side in one run: ``make bench``.

Each row times our code and another library, or a plain loop, on the same work, in turns, after
checking that both give the same results. Times are medians; what counts is the ratio.
"""

from __future__ import annotations

import platform
import sys
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_bigrams
import bench_micrograd


def main() -> None:
    print(f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    print(f"{'what':58} {'ours (ms)':>10} {'theirs (ms)':>12} {'times faster':>13}")
    for row in chain(bench_micrograd.rows(), bench_bigrams.rows()):
        print(f"{row.what:58} {row.ours:10.1f} {row.theirs:12.1f} {row.theirs / row.ours:13.1f}")


if __name__ == "__main__":
    main()
