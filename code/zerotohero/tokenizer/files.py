"""Model files: text, line by line, that no change goes unnoticed in.

::

    zerotohero tokenizer v1
    pattern "..."                     a JSON string, so that it fits on a line
    special tokens 1
    "<|endoftext|>" 512
    merges 256
    101 32                            the pair of token 256, then that of 257, ...
    sha256 9f86d081...                of everything above

minbpe's files are read, too. They have neither the number of merges nor a checksum, so not
every damage is found in them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Mapping
from os import PathLike
from typing import NamedTuple

from ..files import read_limited, write_atomically
from .naive import Pair

FORMAT, VERSION = "zerotohero tokenizer v", 1
MINBPE = "minbpe v1"
PATTERN_LINE = 2
# What a file may hold, so that reading one of unknown origin takes little memory:
MOST_MERGES, MOST_SPECIAL, MOST_ID = 2**20, 2**14, 2**31 - 1
MOST_FILE_BYTES, MOST_TOKEN_BYTES, MOST_VOCAB_BYTES = 2**25, 2**16, 2**26


class Model(NamedTuple):
    """What a model file holds: the attributes of a tokenizer of the same names."""

    pattern: str
    special_tokens: dict[str, int]
    merges: dict[Pair, int]


def refuse(path: str | PathLike[str], line: int, problem: str) -> ValueError:
    """Return the error that names file and line."""
    return ValueError(f"{os.fspath(path)}, line {line}: {problem}")


def require_size(idx: int, size: int, total: int) -> None:
    """Raise ``ValueError`` if a token, or all tokens of merges together, have too many bytes."""
    if size > MOST_TOKEN_BYTES:
        raise ValueError(f"token {idx} has {size:,} bytes; the limit is {MOST_TOKEN_BYTES:,}")
    if total > MOST_VOCAB_BYTES:
        raise ValueError(f"the tokens up to {idx} have more than {MOST_VOCAB_BYTES:,} bytes")


# -- writing -------------------------------------------------------------------------


def write_model(path: str | PathLike[str], model: Model) -> None:
    """Write a model file. ``OSError`` if that fails; a file that was there is then unharmed."""
    lines = [f"{FORMAT}{VERSION}", f"pattern {json.dumps(model.pattern)}"]
    lines.append(f"special tokens {len(model.special_tokens)}")
    lines += [f"{json.dumps(token)} {idx}" for token, idx in model.special_tokens.items()]
    lines.append(f"merges {len(model.merges)}")
    lines += [f"{left} {right}" for left, right in model.merges]
    content = "".join(f"{line}\n" for line in lines)
    write_atomically(path, f"{content}sha256 {hashlib.sha256(content.encode()).hexdigest()}\n")


def write_vocab(
    path: str | PathLike[str], vocab: Mapping[int, bytes], merges: Mapping[Pair, int]
) -> None:
    """Write a file to look at: each token, and its pair. ``OSError`` as above."""
    pairs = {idx: pair for pair, idx in merges.items()}
    lines = []
    for idx, token in vocab.items():
        line = f"[{render_token(token)}] {idx}\n"
        if idx in pairs:
            left, right = (render_token(vocab[part]) for part in pairs[idx])
            line = f"[{left}][{right}] -> {line}"
        lines.append(line)
    write_atomically(path, "".join(lines))


def render_token(token: bytes) -> str:
    """Return a token as text on one line: control characters are escaped.

    Bytes that are not UTF-8 become U+FFFD.
    """
    return "".join(
        f"\\u{ord(c):04x}" if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" else c
        for c in token.decode("utf-8", errors="replace")
    )


# -- reading -------------------------------------------------------------------------


def read_model(path: str | PathLike[str]) -> Model:
    """Read a model file: ours, or minbpe's.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is truncated, altered, too large, of a later version, or not a model file: the
        message names file and line.
    """
    reader = _Reader(path)
    first = reader.line()
    if first == f"{FORMAT}{VERSION}\r":
        raise reader.refuse("the line ends have been changed: expected a line feed alone")
    ours = first == f"{FORMAT}{VERSION}"
    if not ours and first.removesuffix("\r") != MINBPE:
        known = f"'{FORMAT}{VERSION}' or '{MINBPE}'"
        raise reader.refuse(f"expected {known}, got {first[:40]!r}")
    if not ours:  # which ends lines with a carriage return, too, on Windows
        reader.lines = [line.removesuffix(b"\r") for line in reader.lines]
    model = Model(reader.string(reader.line("pattern ")) if ours else reader.line(), {}, {})
    for _ in range(reader.count("special tokens " if ours else "", MOST_SPECIAL)):
        token, _, number = reader.line().rpartition(" ")
        reader.add_special(model, reader.string(token) if ours else token, number)
    if ours:
        for _ in range(reader.count("merges ", MOST_MERGES)):
            reader.add_merge(model)
        reader.check_end()
    else:
        while reader.has_more():
            reader.add_merge(model)
    return model


class _Reader:
    """The lines of a file, and the number of the one that was read last."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = path
        self.content = read_limited(path, MOST_FILE_BYTES)
        # What follows the last line end: nothing, unless the file has been cut off.
        *self.lines, self.rest = self.content.split(b"\n")
        self.number = 0
        self.special_ids: set[int] = set()
        self.sizes = [1] * 256  # bytes of each token
        self.total = 0

    def refuse(self, problem: str) -> ValueError:
        return refuse(self.path, self.number, problem)

    def has_more(self) -> bool:
        return self.number < len(self.lines) or self.rest != b""

    def line(self, prefix: str = "") -> str:
        """Return the rest of the next line after the prefix that it must have."""
        self.number += 1
        if self.number > len(self.lines):
            raise self.refuse(f"the file ends {'within' if self.rest else 'before'} this line")
        try:
            line = self.lines[self.number - 1].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refuse(f"it is not UTF-8 ({error.reason})") from None
        if not line.startswith(prefix):
            raise self.refuse(f"expected '{prefix}...', got {line[:40]!r}")
        return line.removeprefix(prefix)

    def integer(self, text: str, most: int) -> int:
        """Read a whole number as we write it: no sign, no space, no zero in front."""
        if not re.fullmatch("0|[1-9][0-9]{0,9}", text) or int(text) > most:
            raise self.refuse(f"expected a whole number up to {most:,}, got {text[:40]!r}")
        return int(text)

    def count(self, prefix: str, most: int) -> int:
        return self.integer(self.line(prefix), most)

    def string(self, text: str) -> str:
        try:
            value = json.loads(text)
            value.encode("utf-8")  # no surrogates
        except (ValueError, AttributeError, RecursionError):
            raise self.refuse(f"expected a JSON string, got {text[:40]!r}") from None
        assert isinstance(value, str)
        return value

    def add_special(self, model: Model, token: str, number: str) -> None:
        idx = self.integer(number, MOST_ID)
        if not token:
            raise self.refuse("the special token is empty")
        if idx < 256 or idx in self.special_ids or token in model.special_tokens:
            raise self.refuse(f"the special token {token[:40]!r} or its id {idx} is there already")
        self.special_ids.add(idx)
        model.special_tokens[token] = idx

    def add_merge(self, model: Model) -> None:
        idx, line = len(self.sizes), self.line()
        parts = line.split(" ")
        if len(parts) != 2:
            raise self.refuse(f"expected the two ids of a merge, got {line[:40]!r}")
        left, right = (self.integer(part, MOST_ID) for part in parts)
        if max(left, right) >= idx:
            raise self.refuse(f"token {idx} is made of {left} and {right}, but comes before them")
        if (left, right) in model.merges:
            raise self.refuse(f"the pair {left}, {right} has been merged before")
        if idx in self.special_ids:
            raise self.refuse(f"the id {idx} of this merge is that of a special token")
        if len(model.merges) == MOST_MERGES:
            raise self.refuse(f"there are more than {MOST_MERGES:,} merges")
        self.sizes.append(self.sizes[left] + self.sizes[right])
        self.total += self.sizes[idx]
        try:
            require_size(idx, self.sizes[idx], self.total)
        except ValueError as error:
            raise self.refuse(str(error)) from None
        model.merges[left, right] = idx

    def check_end(self) -> None:
        line = self.line()
        above = b"".join(line + b"\n" for line in self.lines[: self.number - 1])
        if line != f"sha256 {hashlib.sha256(above).hexdigest()}":
            raise self.refuse("the checksum is wrong: a line above, or this one, has been altered")
        if self.has_more():
            self.line()
            raise self.refuse("expected the end of the file")
