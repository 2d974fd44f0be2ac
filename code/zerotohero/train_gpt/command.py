"""The command ``python -m zerotohero.train_gpt``."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from zerotohero.arguments import require_int
from zerotohero.console import one_line, run_command, say
from zerotohero.data import DataError

from . import checkpoint
from .checkpoint import CheckpointError
from .loop import train
from .settings import KINDS, PRESETS, Settings

PROGRAM = "python -m zerotohero.train_gpt"
MAX_THREADS = max(64, os.cpu_count() or 1)  # PyTorch crashes when it can't start so many
ERRORS = (OSError, ValueError, DataError, FloatingPointError, MemoryError)
EPILOG = """\
In --out: checkpoint.json and checkpoint-*.safetensors, losses.csv, samples/, and at the end
result.json. Ctrl-C saves a checkpoint and stops. With --resume, settings that only affect
reporting may change (--eval-every, --eval-windows, --sample-every, --sample-tokens,
--checkpoint-every), and those of the schedule (--steps, --warmup, --decay-start, --final-lr) if the
steps made would have had the same learning rates.
To train with two processes: torchrun --nproc_per_node=2 -m zerotohero.train_gpt --out DIR ...
From Python, zerotohero.train_gpt.load_model(DIR) returns the model.
"""


def _help(field: dataclasses.Field[object]) -> str:
    """Describe a setting, with its value in each preset, or in all of them."""
    values = {name: getattr(preset, field.name) for name, preset in PRESETS.items()}
    same = len(set(values.values())) == 1
    shown = [f"{value}" if same else f"{name} {value}" for name, value in values.items()]
    what = str(field.metadata["what"]).replace("%", "%%")
    return f"{what} ({shown[0] if same else ', '.join(shown)})"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser, with an option for each setting."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Train a GPT on the characters of a text.", epilog=EPILOG
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder for all that is written")
    add("--preset", choices=PRESETS, help="settings to start from (cpu, if none is named)")
    add("--text", type=Path, metavar="FILE", help="UTF-8 (by default Tiny Shakespeare)")
    add("--resume", action="store_true", help="continue from the checkpoint in --out")
    add("--from", type=Path, metavar="DIR", dest="start_from", help="start from the weights in DIR")
    add("--device", default="cpu", help="cpu, cuda or mps (cpu)")
    add("--threads", type=int, help=f"PyTorch threads, up to {MAX_THREADS} (PyTorch's choice)")
    add("--quiet", action="store_true", help="show no progress")
    group = parser.add_argument_group(
        "settings", "each overrides the preset's value, which is in parentheses"
    )
    for field in dataclasses.fields(Settings):
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            type=KINDS[str(field.type)],
            choices=field.metadata.get("choices"),
            metavar=None if "choices" in field.metadata else str(field.type).upper(),
            help=_help(field),
        )
    return parser


def given_in(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the command line gives."""
    names = [field.name for field in dataclasses.fields(Settings)]
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def settings_from(options: argparse.Namespace) -> Settings:
    """Return the settings of the preset, or of the checkpoint, with those of the command line."""
    folder = options.out if options.resume else options.start_from
    if folder and options.preset is None:
        base = checkpoint.load_state(folder).settings
    else:
        base = PRESETS[options.preset or "cpu"]
    return dataclasses.replace(base, **given_in(options))


def how_to_continue(options: argparse.Namespace) -> str:
    """Say what an interrupted training has saved, and the command that continues it."""
    try:
        state = checkpoint.load_state(options.out)
    except (CheckpointError, OSError):
        return "nothing was saved"
    size = os.environ.get("WORLD_SIZE", "1")
    start = PROGRAM if size == "1" else f"torchrun --nproc_per_node={size} -m zerotohero.train_gpt"
    again = {name: getattr(options, name) for name in ("out", "text", "threads")}
    again["device"] = None if options.device == "cpu" else options.device
    if options.resume:  # else they are in the checkpoint
        again |= {"preset": options.preset, **given_in(options)}
    words = [*start.split(), "--resume", *["--quiet"][: options.quiet]]
    for name, value in again.items():
        if value is not None:
            words += ["--" + name.replace("_", "-"), str(value)]
    steps = f"step {state.step:,} of {state.settings.steps:,}"
    return f"{steps} is saved; to continue: {shlex.join(words)}"


def run(arguments: Sequence[str] | None = None) -> int:
    """Train as the arguments say, and return the exit status."""
    options = make_parser().parse_args(arguments)
    if options.threads is not None:
        require_int(1, MAX_THREADS, threads=options.threads)
        torch.set_num_threads(options.threads)
    if options.resume and options.start_from:
        raise ValueError("--resume continues in --out, and --from starts anew: choose one")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: say(f"warning: {one_line(str(message))}")
            train(
                settings_from(options),
                options.out,
                text=options.text,
                resume=options.resume,
                start_from=options.start_from,
                device=options.device,
                progress=not options.quiet,
            )
    except KeyboardInterrupt:
        if arguments is None:  # the process ends now: another Ctrl-C is not needed to stop it
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt(how_to_continue(options)) from None
    return 0


def in_process_0(arguments: Sequence[str] | None) -> int:
    """Run, and in the other processes keep quiet about what process 0 reports as well."""
    try:
        return run(arguments)
    except (ConnectionError, MemoryError):  # may be one process's own
        raise
    except (KeyboardInterrupt, *ERRORS) as error:
        if os.environ.get("RANK", "0") == "0":
            raise
        return 130 if isinstance(error, KeyboardInterrupt) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 1 after an error, 130 when interrupted."""
    return run_command(lambda: in_process_0(arguments), ERRORS)
