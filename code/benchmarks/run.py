"""Measure speed, side by side in one run: ``make bench``.

Each row times our code and another library, or a plain loop, on the same work, in turns, after
checking that both give the same results. Times are medians; what counts is the ratio.
"""

from __future__ import annotations

import os
import platform
import sys
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
# One thread for all but the GPT, which asks for two. NumPy and torch read these when they are
# imported.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["RAYON_NUM_THREADS"] = "1"  # of tokenizers

import bench_backprop
import bench_bigrams
import bench_gpt
import bench_micrograd
import bench_mlp
import bench_threads
import bench_tokenizer


def main() -> None:
    print(f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    print(f"{'what':58} {'ours (ms)':>10} {'theirs (ms)':>12} {'times faster':>13}")
    for row in chain(bench_micrograd.rows(), bench_bigrams.rows(), bench_tokenizer.rows()):
        print(f"{row.what:58} {row.ours:10.1f} {row.theirs:12.1f} {row.theirs / row.ours:13.1f}")
    for chapter, steps in ((3, bench_mlp.steps()), (5, bench_backprop.measure())):
        title = f"one training step of chapter {chapter}, batch of 32"
        print(f"\n{title:58} {'µs':>10} {'relative':>12}")
        for step in steps:
            relative = step.microseconds / steps[-1].microseconds
            print(f"{step.form:58} {step.microseconds:10.0f} {relative:12.2f}")
    batch, texts = bench_gpt.BATCH_SIZE, bench_gpt.TEXTS
    for title, speeds in (
        (f"training the GPT of chapter 7, batch of {batch}", bench_gpt.training()),
        ("generating a full context, one text", bench_gpt.generation(1, repeats=2)),
        (f"generating a full context, {texts} texts", bench_gpt.generation(texts, repeats=1)),
    ):
        print(f"\n{title:58} {'tokens/s':>10} {'times faster':>12}")
        for speed in speeds:
            faster = speed.tokens / speeds[0].tokens
            print(f"{speed.form:58} {speed.tokens:10.0f} {faster:12.2f}")
    title = "training the GPT of preset cpu, tokens/s"
    print(f"\n{title:58} {'idle':>10} {'next to a busy process':>24}")
    for form in bench_threads.speeds():
        print(f"{form.form:58} {form.idle:10.0f} {form.busy:24.0f}")


if __name__ == "__main__":
    main()
