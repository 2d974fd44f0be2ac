"""Model files: line-based text files with a checksum.

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

from ..files import decode_utf8, read_limited, write_atomically
from .naive import Pair

OURS, MINBPE = "zerotohero tokenizer v1", "minbpe v1"  # the first line of a file
PATTERN_LINE = 2
# What a file may hold, so that reading one of unknown origin takes little memory:
MAX_MERGES, MAX_SPECIAL, MAX_ID = 2**20, 2**14, 2**31 - 1
MAX_FILE_BYTES, MAX_TOKEN_BYTES, MAX_VOCAB_BYTES = 2**25, 2**16, 2**26


class Model(NamedTuple):
    """What a model file holds: the attributes of a tokenizer of the same names."""

    pattern: str
    special_tokens: dict[str, int]
    merges: dict[Pair, int]


class LimitedVocabulary:
    """The bytes of the tokens, merge by merge, within the limits on their size."""

    def __init__(self) -> None:
        self.tokens = [bytes([idx]) for idx in range(256)]
        self.total = 0  # bytes of the tokens of merges

    def add(self, left: int, right: int) -> bytes:
        """Return the next token. ``ValueError`` if it, or all together, have too many bytes."""
        idx, token = len(self.tokens), self.tokens[left] + self.tokens[right]
        size = len(token)
        self.tokens.append(token)
        self.total += size
        if size > MAX_TOKEN_BYTES:
            raise ValueError(f"token {idx} has {size:,} bytes; the limit is {MAX_TOKEN_BYTES:,}")
        if self.total > MAX_VOCAB_BYTES:
            raise ValueError(f"the tokens up to {idx} have more than {MAX_VOCAB_BYTES:,} bytes")
        return token


def format_error(path: str | PathLike[str], line: int, problem: str) -> ValueError:
    """Return the error that names file and line."""
    return ValueError(f"{os.fspath(path)}, line {line}: {problem}")


# -- writing -------------------------------------------------------------------------


def write_model(path: str | PathLike[str], model: Model) -> None:
    """Write a model file. ``OSError`` if that fails; a file that was there is then unharmed."""
    lines = [
        OURS,
        f"pattern {json.dumps(model.pattern)}",
        f"special tokens {len(model.special_tokens)}",
        *(f"{json.dumps(token)} {idx}" for token, idx in model.special_tokens.items()),
        f"merges {len(model.merges)}",
        *(f"{left} {right}" for left, right in model.merges),
    ]
    content = "".join(f"{line}\n" for line in lines)
    write_atomically(path, f"{content}sha256 {hashlib.sha256(content.encode()).hexdigest()}\n")


def write_vocab(
    path: str | PathLike[str], vocab: Mapping[int, bytes], merges: Mapping[Pair, int]
) -> None:
    """Write a human-readable file: each token, and its pair. ``OSError`` as above."""
    pairs = {idx: pair for pair, idx in merges.items()}
    lines = []
    for idx, token in vocab.items():
        parts = "".join(f"[{render_token(vocab[part])}]" for part in pairs.get(idx, ()))
        lines.append(f"{parts}{' -> ' if parts else ''}[{render_token(token)}] {idx}\n")
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
    reader = _Reader(read_limited(path, MAX_FILE_BYTES))
    try:
        return reader.model()
    except ValueError as error:
        raise format_error(path, reader.number, str(error)) from None


class _Reader:
    """The lines of a file, and the number of the one that was read last.

    The methods raise ``ValueError``, whose message says what is wrong with this line.
    """

    def __init__(self, content: bytes) -> None:
        # What follows the last line end: nothing, unless the file has been cut off.
        *self.lines, self.rest = content.split(b"\n")
        self.number = 0
        self.special_ids: set[int] = set()
        self.vocabulary = LimitedVocabulary()

    def model(self) -> Model:
        first = self.line()
        ours = first == OURS
        if not ours and first.removesuffix("\r") != MINBPE:
            raise ValueError(f"expected '{OURS}' or '{MINBPE}', got {first[:40]!r}")
        if not ours:  # which ends lines with a carriage return, too, on Windows
            self.lines = [line.removesuffix(b"\r") for line in self.lines]
        model = Model(json_string(self.line("pattern ")) if ours else self.line(), {}, {})
        for _ in range(whole_number(self.line("special tokens " if ours else ""), MAX_SPECIAL)):
            token, _, idx = self.line().rpartition(" ")
            self.add_special(model, json_string(token) if ours else token, idx)
        if ours:
            for _ in range(whole_number(self.line("merges "), MAX_MERGES)):
                self.add_merge(model)
            self.check_end()
        else:
            while self.has_more():
                self.add_merge(model)
        return model

    def has_more(self) -> bool:
        return self.number < len(self.lines) or self.rest != b""

    def line(self, prefix: str = "") -> str:
        """Return the rest of the next line after the prefix that it must have."""
        self.number += 1
        if self.number > len(self.lines):
            raise ValueError(f"the file ends {'within' if self.rest else 'before'} this line")
        line = decode_utf8(self.lines[self.number - 1], "the line")
        if not line.startswith(prefix):
            raise ValueError(f"expected '{prefix}...', got {line[:40]!r}")
        return line.removeprefix(prefix)

    def add_special(self, model: Model, token: str, number: str) -> None:
        idx = whole_number(number, MAX_ID)
        if not token or idx < 256 or idx in self.special_ids or token in model.special_tokens:
            problem = "is already taken, empty or below 256"
            raise ValueError(f"the special token {token[:40]!r} or its id {idx} {problem}")
        self.special_ids.add(idx)
        model.special_tokens[token] = idx

    def add_merge(self, model: Model) -> None:
        idx, line = len(self.vocabulary.tokens), self.line()
        parts = line.split(" ")
        if len(parts) != 2:
            raise ValueError(f"expected the two ids of a merge, got {line[:40]!r}")
        left, right = (whole_number(part, MAX_ID) for part in parts)
        if max(left, right) >= idx:
            raise ValueError(f"token {idx} must be made of earlier ones, got {left} and {right}")
        if (left, right) in model.merges:
            raise ValueError(f"the pair {left}, {right} has been merged before")
        if idx in self.special_ids:
            raise ValueError(f"the id {idx} of this merge is that of a special token")
        if len(model.merges) == MAX_MERGES:  # minbpe's files do not say how many there are
            raise ValueError(f"there are more than {MAX_MERGES:,} merges")
        self.vocabulary.add(left, right)
        model.merges[left, right] = idx

    def check_end(self) -> None:
        line = self.line()
        above = b"".join(line + b"\n" for line in self.lines[: self.number - 1])
        if line != f"sha256 {hashlib.sha256(above).hexdigest()}":
            raise ValueError("the checksum is wrong: a line above, or this one, has been altered")
        if self.has_more():
            self.line()
            raise ValueError("expected the end of the file")


def whole_number(text: str, most: int) -> int:
    """Read a whole number as we write it: no sign, no space, no leading zeros."""
    if not re.fullmatch("0|[1-9][0-9]{0,9}", text) or int(text) > most:
        raise ValueError(f"expected a whole number up to {most:,}, got {text[:40]!r}")
    return int(text)


def json_string(text: str) -> str:
    """Read a JSON string without surrogates."""
    try:
        value = json.loads(text)
        value.encode("utf-8")
    except (ValueError, AttributeError, RecursionError):
        raise ValueError(f"expected a JSON string, got {text[:40]!r}") from None
    assert isinstance(value, str)
    return value
