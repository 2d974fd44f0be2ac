"""Train a tokenizer, encode and decode: ``python -m zerotohero.tokenizer --help``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from zerotohero.data import DataError

from . import files
from .base import Tokenizer
from .basic import BasicTokenizer
from .gpt2 import GPT2Tokenizer
from .gpt4 import GPT4Tokenizer
from .regex_tokenizer import RegexTokenizer
from .training import Merge


def progress(num_merges: int) -> Callable[[int, Merge], None]:
    """Return a function that writes up to ten lines in the course of the merges, to stderr."""
    every = max(1, (num_merges + 9) // 10)
    start = time.perf_counter()

    def report(idx: int, merge: Merge) -> None:
        done = idx - 255
        if done % every == 0:
            left = (time.perf_counter() - start) * (num_merges / done - 1)
            print(
                f"merge {done:,} of {num_merges:,}: {merge.occurrences:,} occurrences, "
                f"{left:.0f} s left",
                file=sys.stderr,
            )

    return report


def open_model(name: str) -> Tokenizer:
    """Return the tokenizer that is called ``gpt2`` or ``gpt4``, or that a model file holds."""
    if name == "gpt2":
        return GPT2Tokenizer()
    if name == "gpt4":
        return GPT4Tokenizer()
    tokenizer = RegexTokenizer() if files.read_model(name).pattern else BasicTokenizer()
    tokenizer.load(name)
    return tokenizer


def read_text(name: str) -> str:
    """Read a text, line ends as they are; ``-`` stands for standard input.

    ``ValueError`` where it is not UTF-8.
    """
    content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = "standard input" if name == "-" else name
        raise ValueError(f"{place}: byte {error.start} is not UTF-8 ({error.reason})") from None


def train(options: argparse.Namespace) -> None:
    """Train on a file and save the model."""
    outputs = [Path(f"{options.out}{ending}") for ending in (".model", ".vocab")]
    for path in outputs:
        if path.exists() and not options.overwrite:
            raise ValueError(f"{path} is there already: choose another name, or pass --overwrite")
    text = read_text(options.file)
    tokenizer = BasicTokenizer() if options.basic else RegexTokenizer(options.pattern)
    tokenizer.train(text, options.vocab_size, on_merge=progress(max(options.vocab_size - 256, 1)))
    tokenizer.save(options.out)
    print(f"wrote {outputs[0]} and {outputs[1]}", file=sys.stderr)


def encode(options: argparse.Namespace) -> None:
    """Write the ids of a text to standard output, on one line."""
    ids = open_model(options.model).encode(read_text(options.file), options.special)
    print(*ids)


def decode(options: argparse.Namespace) -> None:
    """Write the bytes of ids to standard output, as they are."""
    tokenizer = open_model(options.model)
    ids = []
    for number, word in enumerate(read_text(options.file).split(), 1):
        if not (word.isascii() and word.isdigit()):
            raise ValueError(f"id {number} must be a whole number, got {word!r}")
        ids.append(int(word))
    sys.stdout.buffer.write(tokenizer.decode_bytes(ids))


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    main = argparse.ArgumentParser(
        prog="python -m zerotohero.tokenizer", description="Train a tokenizer, encode and decode."
    )
    commands = main.add_subparsers(required=True, metavar="train | encode | decode")

    command = commands.add_parser("train", help="learn merges from a text")
    command.add_argument("file", metavar="FILE", help="a text in UTF-8; - for standard input")
    command.add_argument("--vocab-size", type=int, required=True, metavar="N")
    command.add_argument("--out", required=True, metavar="PREFIX", help="of .model and .vocab")
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--basic", action="store_true", help="do not split the text")
    kind.add_argument("--pattern", help="split by this regular expression; by default GPT-4's")
    command.add_argument("--overwrite", action="store_true", help="replace files that are there")
    command.set_defaults(run=train)

    for run, what in ((encode, "text to ids"), (decode, "ids to text")):
        command = commands.add_parser(run.__name__, help=what)
        command.add_argument("file", nargs="?", default="-", metavar="FILE", help="or: stdin")
        command.add_argument("--model", required=True, help="a model file, gpt2 or gpt4")
        command.set_defaults(run=run)
        if run is encode:
            command.add_argument(
                "--special",
                choices=["all", "none", "none_raise"],
                default="none_raise",
                help="whether special tokens in the text count as such; by default an error",
            )
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 after an error."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough, like `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
