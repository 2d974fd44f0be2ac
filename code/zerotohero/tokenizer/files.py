"""Model files: text, line by line, that no change goes unnoticed in.

::

    zerotohero tokenizer v1
    pattern "..."                     a JSON string, so that it fits into a line
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
import secrets
import unicodedata
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from .naive import Pair
from .special import clean

FORMAT, VERSION = "zerotohero tokenizer v", 1
MINBPE = "minbpe v1"
PATTERN_LINE = 2


class Model(NamedTuple):
    """What a model file holds: the attributes of a tokenizer of the same names."""

    pattern: str
    special_tokens: dict[str, int]
    merges: dict[Pair, int]


def refuse(path: str | PathLike[str], line: int, problem: str) -> ValueError:
    """Return the error that names file and line."""
    return ValueError(f"{os.fspath(path)}, line {line}: {problem}")


# -- writing -------------------------------------------------------------------------


def write_model(path: str | PathLike[str], model: Model) -> None:
    """Write a model file. ``OSError`` if that fails; a file that was there is then unharmed."""
    lines = [f"{FORMAT}{VERSION}", f"pattern {json.dumps(model.pattern)}"]
    lines.append(f"special tokens {len(model.special_tokens)}")
    lines += [f"{json.dumps(token)} {idx}" for token, idx in model.special_tokens.items()]
    lines.append(f"merges {len(model.merges)}")
    lines += [f"{left} {right}" for left, right in model.merges]
    content = "".join(f"{line}\n" for line in lines).encode("utf-8")
    _write(path, content + f"sha256 {hashlib.sha256(content).hexdigest()}\n".encode())


def write_vocab(
    path: str | PathLike[str], vocab: Mapping[int, bytes], merges: Mapping[Pair, int]
) -> None:
    """Write a file to look at: each token, and its pair. ``OSError`` as above."""
    pairs = {idx: pair for pair, idx in merges.items()}
    lines = []
    for idx, token in vocab.items():
        line = f"[{render_token(token)}] {idx}"
        if idx in pairs:
            left, right = (render_token(vocab[part]) for part in pairs[idx])
            line = f"[{left}][{right}] -> {line}"
        lines.append(f"{line}\n")
    _write(path, "".join(lines).encode("utf-8"))


def render_token(token: bytes) -> str:
    """Return a token as text on one line: control characters are escaped.

    Bytes that are no valid UTF-8 become U+FFFD.
    """
    return "".join(
        f"\\u{ord(c):04x}" if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" else c
        for c in token.decode("utf-8", errors="replace")
    )


def _write(path: str | PathLike[str], content: bytes) -> None:
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


# -- reading -------------------------------------------------------------------------


def read_model(path: str | PathLike[str]) -> Model:
    """Read a model file: ours, or minbpe's.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is truncated, altered, of a later version, or no model file: the message names
        file and line.
    """
    reader = _Reader(path)
    first = reader.next_line()
    if first.removesuffix("\r") == MINBPE:
        return _read_minbpe(reader)
    if first == f"{FORMAT}{VERSION}":
        return _read_ours(reader)
    if first == f"{FORMAT}{VERSION}\r":
        raise reader.refuse("the line ends have been changed: expected a line feed alone")
    if first.startswith(FORMAT):
        raise reader.refuse(f"this is version {first.removeprefix(FORMAT)!r}, which is not known")
    raise reader.refuse(f"expected '{FORMAT}{VERSION}' or '{MINBPE}', got {first[:40]!r}")


class _Reader:
    """The lines of a file, and the number of the one that was read last."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = path
        self.content = Path(path).read_bytes()
        # What follows the last line end: nothing, unless the file has been cut off.
        *self.lines, self.rest = self.content.split(b"\n")
        self.number = 0

    def refuse(self, problem: str) -> ValueError:
        return refuse(self.path, self.number, problem)

    def more(self) -> bool:
        return self.number < len(self.lines) or self.rest != b""

    def next_line(self) -> str:
        self.number += 1
        if self.number > len(self.lines):
            raise self.refuse(f"the file ends {'within' if self.rest else 'before'} this line")
        try:
            return self.lines[self.number - 1].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refuse(f"it is not UTF-8 ({error.reason})") from None

    def number_in(self, text: str) -> int:
        """Read a whole number as we write it: no sign, no space, no zero in front."""
        if not re.fullmatch("0|[1-9][0-9]{0,17}", text):
            raise self.refuse(f"expected a whole number, got {text[:40]!r}")
        return int(text)

    def count(self, name: str) -> int:
        line = self.next_line()
        if not line.startswith(f"{name} "):
            raise self.refuse(f"expected '{name}' and their number, got {line[:40]!r}")
        return self.number_in(line.removeprefix(f"{name} "))

    def string(self, text: str) -> str:
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, str) or value != clean(value):
            raise self.refuse(f"expected a text as a JSON string, got {text[:40]!r}")
        return value

    def special(self, token: str, number: str, model: Model) -> None:
        idx = self.number_in(number)
        if not token:
            raise self.refuse("the special token is empty")
        if idx < 256 or idx in model.special_tokens.values() or token in model.special_tokens:
            raise self.refuse(f"the special token {token!r} or its id {idx} is there already")
        model.special_tokens[token] = idx

    def merge(self, line: str, model: Model) -> None:
        idx = 256 + len(model.merges)
        parts = line.split(" ")
        if len(parts) != 2:
            raise self.refuse(f"expected the two ids of a merge, got {line[:40]!r}")
        pair = self.number_in(parts[0]), self.number_in(parts[1])
        if max(pair) >= idx:
            raise self.refuse(f"token {idx} is made of {pair}, which it comes before")
        if pair in model.merges:
            raise self.refuse(f"the pair {pair} has been merged before")
        if idx in model.special_tokens.values():
            raise self.refuse(f"the id {idx} of this merge is that of a special token")
        model.merges[pair] = idx


def _read_ours(reader: _Reader) -> Model:
    line = reader.next_line()
    if not line.startswith("pattern "):
        raise reader.refuse(f"expected 'pattern' and a JSON string, got {line[:40]!r}")
    model = Model(reader.string(line.removeprefix("pattern ")), {}, {})
    for _ in range(reader.count("special tokens")):
        token, _, number = reader.next_line().rpartition(" ")
        reader.special(reader.string(token), number, model)
    for _ in range(reader.count("merges")):
        reader.merge(reader.next_line(), model)
    line = reader.next_line()
    above = b"".join(line + b"\n" for line in reader.lines[: reader.number - 1])
    if line != f"sha256 {hashlib.sha256(above).hexdigest()}":
        raise reader.refuse("the checksum is wrong: a line above, or this one, has been altered")
    if reader.more():
        reader.next_line()
        raise reader.refuse("expected the end of the file")
    return model


def _read_minbpe(reader: _Reader) -> Model:
    """Read a file of minbpe, which ends lines with a carriage return, too, on Windows."""

    def next_line() -> str:
        return reader.next_line().removesuffix("\r")

    model = Model(next_line(), {}, {})
    for _ in range(reader.number_in(next_line())):
        token, _, number = next_line().rpartition(" ")
        reader.special(token, number, model)
    while reader.more():
        reader.merge(next_line(), model)
    return model
