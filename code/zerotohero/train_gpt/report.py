"""What a training shows and writes on the way."""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
import time
from pathlib import Path

import torch

from zerotohero.gpt import GPT

from .checkpoint import State
from .distributed import Group
from .files import write


class Report:
    """Writes a line to standard error every few seconds, and after each evaluation.

    Parameters
    ----------
    steps : int
        Number of steps that the training has in all.
    done : int
        Number of those that were made before an interruption.
    tokens : int
        Tokens in a batch.
    shown : bool
        Whether to write at all.
    every : float
        Seconds between lines.
    """

    def __init__(
        self, steps: int, done: int, tokens: int, *, shown: bool, every: float = 10.0
    ) -> None:
        self.steps, self.done, self.tokens = steps, done, tokens
        self.shown, self.every = shown, every
        self.start = self.last = time.perf_counter()
        self.computing = 0.0  # seconds in steps, since the last line
        self.losses: list[float] = []  # since the last line

    def __call__(self, made: int, loss: float, seconds: float) -> None:
        """Take note of a step: how many are made now, its loss, how long it took."""
        self.losses.append(loss)
        self.computing += seconds
        if time.perf_counter() - self.last > self.every:
            self.line(made)

    def line(self, made: int, val: float | None = None) -> None:
        """Write a line now."""
        now = time.perf_counter()
        if self.shown:
            parts = [f"step {made:,} of {self.steps:,}"]
            if self.losses:
                parts.append(f"train {sum(self.losses) / len(self.losses):.4f}")
            if val is not None:
                parts.append(f"val {val:.4f}")
            if self.computing:
                rate = len(self.losses) * self.tokens / self.computing
                parts.append(f"{rate:,.0f} tokens/s")
            if made > self.done:
                left = (now - self.start) / (made - self.done) * (self.steps - made)
                parts.append(f"{left:.0f} s left")
            print(", ".join(parts), file=sys.stderr)
        self.last, self.computing, self.losses = now, 0.0, []


def write_losses(out: Path, state: State) -> None:
    """Write the loss curve as CSV: updates made, loss of the batch, estimate of validation.

    A loss is measured before its update, so the first line is for 0 updates. Numbers are
    written in full.
    """
    val = dict(state.evaluations)
    losses = dict(enumerate(state.losses))
    rows = [
        f"{made},{losses.get(made, '')},{val.get(made, '')}"
        for made in sorted(losses.keys() | val.keys())
    ]
    write(out / "losses.csv", "\n".join(["updates,train,val", *rows, ""]))


def write_sample(out: Path, made: int, text: str) -> None:
    """Write a sample to a file that is named for the updates made."""
    write(out / "samples" / f"{made:08}.txt", text)


def write_result(out: Path, state: State, model: GPT, val_loss: float, group: Group) -> None:
    """Write what came out, how long it took, and on what, as JSON."""
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
    write(out / "result.json", json.dumps(found, indent=1) + "\n")
