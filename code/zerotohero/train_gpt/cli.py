"""The command ``python -m zerotohero.train_gpt``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from zerotohero.data import DataError

from . import checkpoint
from .loop import train
from .settings import PRESETS, Settings

EPILOG = """\
In --out: checkpoint.json and checkpoint-*.safetensors, losses.csv, samples/, and at the end
result.json. To train with two processes:
torchrun --nproc_per_node=2 -m zerotohero.train_gpt --out DIR ...
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser, with an option for each setting."""
    parser = argparse.ArgumentParser(
        prog="python -m zerotohero.train_gpt",
        description="Train a GPT on the characters of a text.",
        epilog=EPILOG,
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where files go")
    parser.add_argument(
        "--preset", choices=PRESETS, help="settings to start from; cpu if none is named"
    )
    parser.add_argument(
        "--text", type=Path, metavar="FILE", help="UTF-8; by default Tiny Shakespeare"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in DIR")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--threads", type=int, help="of PyTorch; its own choice by default")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    group = parser.add_argument_group("settings", "each takes the place of the preset's")
    for field in dataclasses.fields(Settings):
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            type={"int": int, "float": float, "str": str}[str(field.type)],
            choices=field.metadata.get("choices"),
            metavar=None if "choices" in field.metadata else str(field.type).upper(),
            help=field.metadata["what"].replace("%", "%%"),
        )
    return parser


def settings_from(options: argparse.Namespace) -> Settings:
    """Return the settings of the preset, or of the checkpoint, with those of the command line."""
    given = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(Settings)
        if getattr(options, field.name) is not None
    }
    if options.resume and options.preset is None:
        base = checkpoint.load(options.out)[0].settings
    else:
        base = PRESETS[options.preset or "cpu"]
    return dataclasses.replace(base, **given)


def read(file: Path) -> str:
    """Return the text of a file, with its line ends as they are."""
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"text must be UTF-8: {file}: {error}") from error


def not_permitted(error: PermissionError, out: Path) -> str:
    """Say what must not be read or written, and what to do about it."""
    path = Path(error.filename or out)
    if path == out or path in out.parents or out in path.parents:
        return f"--out {out} can't be written, {path} does not permit it: name another folder"
    return f"{path} can't be read: its permissions do not allow it"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 after an error, 130 when interrupted."""
    options = make_parser().parse_args(arguments)
    try:
        if options.threads is not None:
            if options.threads < 1:
                raise ValueError(f"threads must be at least 1, got {options.threads}")
            torch.set_num_threads(options.threads)
        train(
            settings_from(options),
            options.out,
            text=None if options.text is None else read(options.text),
            resume=options.resume,
            device=options.device,
            progress=not options.quiet,
        )
    except PermissionError as error:
        print(f"error: {not_permitted(error, options.out)}", file=sys.stderr)
        return 1
    except (ValueError, OSError, DataError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; --resume goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0
