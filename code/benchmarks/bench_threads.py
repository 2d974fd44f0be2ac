"""Two threads that wait for each other: how long they should spin before they sleep.

The GPT of preset ``cpu`` is trained for some steps, in processes of their own, since the answer is
read when torch is loaded: on an idle machine, and next to one process that is always busy.
"""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

WARM_UP, STEPS = 3, 60
ALWAYS_BUSY = "while True: pass"
FORMS = {
    "two threads, a short spin": {"OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "1000"},
    "two threads, as OpenMP does": {"OMP_NUM_THREADS": "2"},
    "two threads, no spin": {"OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "0"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


class Speed(NamedTuple):
    """Tokens a second of one form, on an idle machine and next to a busy process."""

    form: str
    idle: float
    busy: float


def tokens_per_second() -> float:
    """Train for `STEPS` steps, after a warm-up, and return the speed."""
    from zerotohero.train_gpt import PRESETS, train

    text = "".join(random.Random(1).choices("abcdefghij \n", k=100_000))
    settings = dataclasses.replace(PRESETS["cpu"], eval_every=0, sample_tokens=0)

    def seconds(steps: int) -> float:
        start = time.perf_counter()
        train(dataclasses.replace(settings, steps=steps), text=text, progress=False)
        return time.perf_counter() - start

    start = seconds(WARM_UP)
    tokens = STEPS * settings.batch_size * settings.block_size
    return tokens / (seconds(WARM_UP + STEPS) - start)


def measured(variables: dict[str, str]) -> float:
    """Run `tokens_per_second` in a process with further variables."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GOMP_", "OMP_", "MKL_"))}
    done = subprocess.run(
        [sys.executable, __file__],
        env=clean | variables,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return float(done.stdout)


@contextmanager
def busy_neighbor() -> Iterator[None]:
    """Keep one core busy."""
    neighbor = subprocess.Popen([sys.executable, "-c", ALWAYS_BUSY])
    try:
        yield
    finally:
        neighbor.kill()
        neighbor.wait()


def speeds() -> list[Speed]:
    """Measure every form, idle and busy in turns."""
    found = []
    for form, variables in FORMS.items():
        idle = measured(variables)
        with busy_neighbor():
            found.append(Speed(form, idle, measured(variables)))
    return found


if __name__ == "__main__":
    # PyTorch reads the variables now, as they are; the trainer would set the short spin before.
    import torch  # noqa: F401 # its threads start with the variables of this process

    print(tokens_per_second())
