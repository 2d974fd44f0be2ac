"""Train a tokenizer, encode and decode: ``python -m zerotohero.tokenizer --help``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from ..arguments import require_int
from ..console import run_command, say
from ..data import DataError
from ..files import decode_utf8, read_limited
from . import files
from .fast import Merge
from .published import GPT2Tokenizer, GPT4Tokenizer
from .tokenizers import BasicTokenizer, RegexTokenizer, Tokenizer, find_special

PUBLISHED: dict[str, Callable[[], Tokenizer]] = {"gpt2": GPT2Tokenizer, "gpt4": GPT4Tokenizer}
MAX_TEXT_BYTES = 2**30


def progress(num_merges: int) -> Callable[[int, Merge], None]:
    """Return a function that writes up to ten lines in the course of the merges, to stderr."""
    every = max(1, (num_merges + 9) // 10)
    start = time.perf_counter()

    def report(idx: int, merge: Merge) -> None:
        done = idx - 255
        if done % every == 0:
            left = (time.perf_counter() - start) * (num_merges / done - 1)
            times = f"{merge.occurrences:,} occurrences"
            say(f"merge {done:,} of {num_merges:,}: {times}, {left:.0f} s left")

    return report


def open_model(name: str) -> Tokenizer:
    """Return the tokenizer that is called ``gpt2`` or ``gpt4``, or that a model file holds."""
    if name in PUBLISHED:
        return PUBLISHED[name]()
    if not Path(name).exists():
        raise ValueError(f"--model {name}: no such file; the known names are gpt2 and gpt4")
    model = files.read_model(name)
    tokenizer = RegexTokenizer() if model.pattern else BasicTokenizer()
    tokenizer._take(model, name)
    return tokenizer


def read_text(name: str) -> str:
    """Read a text, line ends as they are; ``-`` stands for standard input.

    ``ValueError`` where it is not UTF-8, or too large.
    """
    if name != "-":
        return decode_utf8(read_limited(name, MAX_TEXT_BYTES), name)
    if sys.stdin is None:
        raise ValueError("standard input is closed")
    content = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise ValueError(f"standard input has more than {MAX_TEXT_BYTES:,} bytes, the limit")
    return decode_utf8(content, "standard input")


def output() -> TextIO:
    """Return standard output; ``ValueError`` if it is closed."""
    if sys.stdout is None:
        raise ValueError("standard output is closed")
    return sys.stdout


def outputs(prefix: str, overwrite: bool) -> list[Path]:
    """Return the files to write, after a look at whether they can be written."""
    paths = [Path(f"{prefix}{ending}") for ending in (".model", ".vocab")]
    if os.path.basename(prefix) in ("", ".", ".."):  # noqa: PTH119 # Path drops a slash at the end
        raise ValueError(f"--out {prefix}: expected a folder and the beginning of a file name")
    folder = paths[0].parent
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise ValueError(f"--out {prefix}: there is no folder {folder}, or it is not writable")
    for path in paths:
        if path.is_dir():
            raise ValueError(f"{path} is a folder: choose another name")
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # other errors, such as a name that is too long, end the command
            if not overwrite:
                raise ValueError(f"{path} exists: choose another name, or pass --overwrite")
    return paths


def train(options: argparse.Namespace) -> None:
    """Train on a file and save the model."""
    require_int(256, 256 + files.MAX_MERGES, **{"--vocab-size": options.vocab_size})
    if options.pattern == "":
        raise ValueError("--pattern is empty: to train without splitting, pass --basic")
    tokenizer = BasicTokenizer() if options.basic else RegexTokenizer(options.pattern)
    paths = outputs(options.out, options.overwrite)
    text = read_text(options.file).removeprefix("\ufeff")
    tokenizer.train(text, options.vocab_size, on_merge=progress(options.vocab_size - 256))
    tokenizer.save(options.out)
    say(f"wrote {paths[0]} and {paths[1]}")


def encode(options: argparse.Namespace) -> None:
    """Write the ids of a text to standard output, on one line."""
    tokenizer, text = open_model(options.model), read_text(options.file)
    found = find_special(text, tokenizer.special_tokens)
    if found and options.special == "none_raise":
        raise ValueError(
            f"the text contains the special token {found!r}: to encode it as such, pass "
            "--special all; as other text, --special none"
        )
    print(*tokenizer.encode(text, options.special), file=output())


def decode(options: argparse.Namespace) -> None:
    """Write the bytes of ids to standard output, as they are."""
    tokenizer = open_model(options.model)
    ids = [files.whole_number(word, files.MAX_ID) for word in read_text(options.file).split()]
    output().buffer.write(tokenizer.decode_bytes(ids))


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    main = argparse.ArgumentParser(
        prog="python -m zerotohero.tokenizer",
        description="Train a tokenizer, encode and decode.",
        epilog="A byte order mark at the start of a text is kept by encode and decode, which "
        "change no byte; train leaves it out.",
    )
    commands = main.add_subparsers(required=True, metavar="train | encode | decode")

    command = commands.add_parser("train", help="learn merges from a text")
    add = command.add_argument
    add("file", metavar="FILE", help="a text in UTF-8; - for standard input")
    size = "256 for the bytes, plus the number of merges"
    add("--vocab-size", type=int, required=True, metavar="N", help=size)
    out = "write PREFIX.model, to encode and decode with, and PREFIX.vocab, human-readable"
    add("--out", required=True, metavar="PREFIX", help=out)
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--basic", action="store_true", help="do not split the text")
    split = "split by this regular expression; by default GPT-4's"
    kind.add_argument("--pattern", metavar="REGEX", help=split)
    add("--overwrite", action="store_true", help="replace files that are there")
    command.set_defaults(run=train)

    for run, what in ((encode, "text to ids"), (decode, "ids to text")):
        command = commands.add_parser(run.__name__, help=what)
        add, file = command.add_argument, "by default standard input, as with -"
        add("file", nargs="?", default="-", metavar="FILE", help=file)
        add("--model", required=True, help="gpt2, gpt4 or a model file")
        command.set_defaults(run=run)
        if run is encode:
            special = (
                "whether special tokens in the text count as such: all of them; none, so that "
                "they are encoded like other text; by default (none_raise) they are an error"
            )
            kinds = ["all", "none", "none_raise"]
            add("--special", choices=kinds, default="none_raise", help=special)
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 1 after an error."""

    def run() -> int:
        options = parser().parse_args(arguments)
        options.run(options)
        return 0

    return run_command(run, (DataError, MemoryError))


if __name__ == "__main__":
    sys.exit(main())
