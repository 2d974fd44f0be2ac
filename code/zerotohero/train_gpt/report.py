"""What a training shows while it runs, and the files it writes for people to read."""

from __future__ import annotations

import dataclasses
import json
import platform
import time
from pathlib import Path

import torch

from zerotohero.console import say
from zerotohero.files import write_atomically
from zerotohero.gpt import GPT

from .checkpoint import State
from .distributed import Group
from .settings import Settings


class Report:
    """Writes a line to standard error every few seconds, and after each evaluation.

    Parameters
    ----------
    settings : Settings
        Of the training.
    steps_done : int
        Number of steps that were made before an interruption.
    shown : bool
        Whether to write at all.
    every : float
        Seconds between lines.
    """

    def __init__(
        self, settings: Settings, steps_done: int, *, shown: bool, every: float = 10.0
    ) -> None:
        self.steps, self.resumed_at = settings.steps, steps_done
        self.shown, self.every = shown, every
        self.tokens = settings.batch_size * settings.block_size
        self.start = self.last = time.perf_counter()
        self.computing = 0.0  # seconds in steps, since the last line
        self.losses: list[float] = []  # since the last line

    def say(self, message: str) -> None:
        """Write a message, if anything is to be shown."""
        if self.shown:
            say(message)
        self.last = time.perf_counter()

    def step(self, steps_done: int, loss: float, seconds: float) -> None:
        """Record a step: how many are done now, its loss, the time it took."""
        self.losses.append(loss)
        self.computing += seconds
        if time.perf_counter() - self.last > self.every:
            self.line(steps_done)

    def line(self, steps_done: int, val: float | None = None) -> None:
        """Write a line now."""
        shown = [f"step {steps_done:,} of {self.steps:,}"]
        if self.losses:
            shown.append(f"train {sum(self.losses) / len(self.losses):.4f}")
        if val is not None:
            shown.append(f"val {val:.4f}")
        if self.computing:
            rate = len(self.losses) * self.tokens / self.computing
            shown.append(f"{rate:,.0f} tokens/s")
        if made := steps_done - self.resumed_at:
            left = (time.perf_counter() - self.start) / made * (self.steps - steps_done)
            shown.append(f"{left:.0f} s left" if steps_done < self.steps else "evaluating")
        self.say(", ".join(shown))
        self.computing, self.losses = 0.0, []

    def evaluating(self, done: int, of: int) -> None:
        """Record a batch of the last evaluation."""
        if time.perf_counter() - self.last > self.every:
            self.say(f"evaluating on the whole validation split: {100 * done // of} %")


def write_losses(out: Path, state: State) -> None:
    """Write the loss curve as CSV: updates made, loss of the batch, estimate of validation.

    A loss is measured before its update, so the first line is for 0 updates. Numbers are
    written in full.
    """
    losses, val = dict(enumerate(state.losses)), dict(state.evaluations)
    rows = [
        f"{updates},{losses.get(updates, '')},{val.get(updates, '')}"
        for updates in sorted(losses.keys() | val.keys())
    ]
    write_atomically(out / "losses.csv", "\n".join(["updates,train,val", *rows, ""]))


def sample_file(step: int) -> str:
    """Return the path of a sample within its folder."""
    return f"samples/{step:08}.txt"


def write_result(out: Path, state: State, model: GPT, val_loss: float, group: Group) -> None:
    """Write the result, how long it took, and on what machine, as JSON."""
    settings = state.settings
    found = {
        "val_loss": val_loss,
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": state.step,
        "tokens": state.step * settings.batch_size * settings.block_size,
        "seconds": state.seconds,
        "device": str(group.device),
        "processes": group.size,
        "threads": torch.get_num_threads(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "settings": dataclasses.asdict(settings),
    }
    write_atomically(out / "result.json", json.dumps(found, indent=1, allow_nan=False) + "\n")
