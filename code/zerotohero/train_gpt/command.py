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

import torch

from zerotohero.arguments import require_int
from zerotohero.console import one_line, run_command, say
from zerotohero.data import DataError

from . import checkpoint
from .loop import train
from .settings import KINDS, PRESETS, Settings

PROGRAM = "python -m zerotohero.train_gpt"
MOST_THREADS = max(64, os.cpu_count() or 1)  # PyTorch crashes when it can't start as many
EPILOG = """\
In --out: checkpoint.json and checkpoint-*.safetensors, losses.csv, samples/, and at the end
result.json. Ctrl-C saves a checkpoint and stops. On --resume, settings may change that only watch
the training (--eval-every, --eval-windows, --sample-every, --sample-tokens, --checkpoint-every),
and those of the schedule (--steps, ...) as long as the steps made would have been the same.
To train with two processes: torchrun --nproc_per_node=2 -m zerotohero.train_gpt --out DIR ...
From Python, zerotohero.train_gpt.load_model(DIR) gives back the model.
"""


def _help(field: dataclasses.Field[object]) -> str:
    """Say what a setting is, and its value in each preset, or in all of them."""
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
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add(
        "--from",
        type=Path,
        metavar="DIR",
        dest="start_from",
        help="start from the weights of the training in DIR, with its sizes and vocabulary",
    )
    add("--device", default="cpu", help="cpu, cuda or mps (cpu)")
    add("--threads", type=int, help=f"of PyTorch, at most {MOST_THREADS} (its own choice)")
    add("--quiet", action="store_true", help="show no progress")
    group = parser.add_argument_group(
        "settings", "each takes the place of the preset's, which is in parentheses"
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


def settings_from(options: argparse.Namespace) -> Settings:
    """Return the settings of the preset, or of the checkpoint, with those of the command line."""
    given = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(Settings)
        if getattr(options, field.name) is not None
    }
    folder = options.out if options.resume else options.start_from
    if folder and options.preset is None:
        base = checkpoint.load(folder)[0].settings
    else:
        base = PRESETS[options.preset or "cpu"]
    return dataclasses.replace(base, **given)


def how_to_go_on(options: argparse.Namespace) -> str:
    """Say what an interrupted training has left, and the command that goes on from it."""
    state = checkpoint.state_in(options.out)
    if state is None:
        return "nothing was saved"
    size = os.environ.get("WORLD_SIZE", "1")
    start = PROGRAM if size == "1" else f"torchrun --nproc_per_node={size} -m zerotohero.train_gpt"
    parts = [*start.split(), "--resume", "--out", str(options.out)]
    for name in ("text", "threads"):
        if (value := getattr(options, name)) is not None:
            parts += [f"--{name}", str(value)]
    if options.device != "cpu":
        parts += ["--device", options.device]
    return f"step {state.step:,} of {state.settings.steps:,} is saved; go on: {shlex.join(parts)}"


def run(arguments: Sequence[str] | None = None) -> int:
    """Train as the arguments say, and return the exit status."""
    try:
        options = make_parser().parse_args(arguments)
    except SystemExit as end:  # after --help, or bad usage
        return int(end.code or 0)
    if options.threads is not None:
        require_int(1, MOST_THREADS, threads=options.threads)
        torch.set_num_threads(options.threads)
    if options.resume and options.start_from:
        raise ValueError("--resume goes on in --out, and --from starts anew: choose one")
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
        if arguments is None:  # the process ends now, and needs no other Ctrl-C to stop
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if os.environ.get("RANK", "0") != "0":  # process 0 speaks for all
            return 130
        raise KeyboardInterrupt(how_to_go_on(options)) from None
    except FloatingPointError:
        if os.environ.get("RANK", "0") != "0":  # all have the same loss
            return 1
        raise
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 1 after an error, 130 when interrupted."""
    return run_command(lambda: run(arguments), (DataError, FloatingPointError, MemoryError))
