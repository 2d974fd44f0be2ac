"""Chapter 1: forward + backward, beside the PyPI package ``micrograd``."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterator
from typing import Any

import micrograd.engine
import micrograd.nn
from timing import Row, compare

import zerotohero.micrograd as ours

POINTS, CHAIN = 100, 10_000


def rows() -> Iterator[Row]:
    """Yield the comparisons."""
    sys.setrecursionlimit(1_000_000)  # the other engine recurses; ours does not
    rng = random.Random(0)
    points = [(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(POINTS)]

    our_model = ours.MLP(2, [16, 16, 1], activation="relu", last_linear=True, rng=rng)
    their_model = micrograd.nn.MLP(2, [16, 16, 1])
    for p, q in zip(our_model.parameters(), their_model.parameters()):
        q.data = p.data

    def step(model: Any, zero: Any) -> Any:
        model.zero_grad()
        total = zero
        for point in points:
            total = total + model(point)
        total.backward()
        return total

    def our_step() -> Any:
        return step(our_model, ours.Value(0.0))

    def their_step() -> Any:
        return step(their_model, micrograd.engine.Value(0.0))

    our_step(), their_step()
    for p, q in zip(our_model.parameters(), their_model.parameters()):
        assert math.isclose(p.grad, q.grad, rel_tol=1e-9, abs_tol=1e-9)
    yield compare(
        f"MLP(2, [16, 16, 1]) on {POINTS} points: forward + backward", our_step, their_step
    )

    def chain(value: Any) -> Any:
        x = value(1.0)
        y = x
        for _ in range(CHAIN):
            y = y + x
        y.backward()
        assert x.grad == CHAIN + 1
        return y

    yield compare(
        f"chain of {CHAIN:,} nodes: forward + backward",
        lambda: chain(ours.Value),
        lambda: chain(micrograd.engine.Value),
    )
