"""Chapter 2: counting all bigrams of the names, beside a loop over a ``Counter``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from timing import Row, compare

from zerotohero.bigrams import CHARACTERS, count_bigrams

NAMES = Path(__file__).resolve().parents[1] / "zerotohero" / "data" / "names-ssa-2018.txt"


def rows() -> Iterator[Row]:
    """Yield the comparison: the embedded edition, so that every machine counts the same."""
    names = NAMES.read_text(encoding="utf-8").split()

    def in_a_loop() -> Counter[tuple[str, str]]:
        counts: Counter[tuple[str, str]] = Counter()
        for name in names:
            text = f".{name}."
            for pair in pairwise(text):
                counts[pair] += 1
        return counts

    counts, pairs = count_bigrams(names), in_a_loop()
    assert int(counts.sum()) == sum(pairs.values())
    for (first, second), n in pairs.items():
        assert counts[CHARACTERS.index(first), CHARACTERS.index(second)] == n
    yield compare(
        f"counting {sum(pairs.values()):,} bigrams", lambda: count_bigrams(names), in_a_loop
    )
