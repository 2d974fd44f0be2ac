"""Two interleaved half circles: the classic data set that no straight line separates."""

from __future__ import annotations

import math
import random

from ..arguments import require_int, require_number


def make_moons(
    n_samples: int, noise: float, rng: random.Random
) -> tuple[list[tuple[float, float]], list[int]]:
    """Draw points from two half moons, alternately.

    Parameters
    ----------
    n_samples : int
        Number of points; the even ones belong to the upper moon.
    noise : float
        Standard deviation of the normal noise added to both coordinates.
    rng : random.Random
        Draws the angles and the noise.

    Returns
    -------
    points : list of (float, float)
    labels : list of int
        -1 for the upper moon, +1 for the lower one.

    Raises
    ------
    TypeError, ValueError
        If ``n_samples`` is not a positive int, or ``noise`` not a number from 0 on.
    """
    require_int(1, n_samples=n_samples)
    require_number(0, noise=noise)
    points, labels = [], []
    for i in range(n_samples):
        angle = rng.uniform(0.0, math.pi)
        if i % 2 == 0:
            x, y, label = math.cos(angle), math.sin(angle), -1
        else:
            x, y, label = 1.0 - math.cos(angle), 0.5 - math.sin(angle), 1
        points.append((x + rng.gauss(0.0, noise), y + rng.gauss(0.0, noise)))
        labels.append(label)
    return points, labels
