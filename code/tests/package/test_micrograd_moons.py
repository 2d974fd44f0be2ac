"""Two half moons: on their circles without noise, and as wide as the noise with it."""

import math
import random
import statistics
from typing import Any

import pytest

from zerotohero.micrograd import make_moons


def test_without_noise_all_points_lie_on_their_half_circles() -> None:
    points, labels = make_moons(101, noise=0.0, rng=random.Random(1))
    assert labels == [-1, 1] * 50 + [-1]
    for (x, y), label in zip(points, labels, strict=True):
        cx, cy = (0.0, 0.0) if label == -1 else (1.0, 0.5)
        assert math.hypot(x - cx, y - cy) == pytest.approx(1.0)
        assert (y - cy) * label <= 0  # the upper half of one, the lower half of the other


def test_noise_is_the_standard_deviation_of_both_coordinates() -> None:
    moved = [make_moons(1, noise=0.2, rng=Fixed(seed))[0][0] for seed in range(2000)]
    for k in range(2):
        spread = statistics.pstdev([point[k] for point in moved], mu=Fixed.at[k])
        assert spread == pytest.approx(0.2, rel=0.06)


class Fixed(random.Random):
    """Draws the angle 1 always, and other noise for each seed."""

    at = (math.cos(1.0), math.sin(1.0))

    def uniform(self, a: float, b: float) -> float:
        return 1.0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_samples": 0}, "n_samples must be at least 1, got 0"),
        ({"n_samples": 2.5}, "n_samples must be an int, got 2.5"),
        ({"noise": -0.1}, "noise must not be negative, got -0.1"),
        ({"noise": math.nan}, "noise must be finite"),
        ({"noise": "0.1"}, "noise must be a number, got '0.1'"),
    ],
)
def test_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make_moons(**{"n_samples": 4, "noise": 0.1, "rng": random.Random(0)} | given)
