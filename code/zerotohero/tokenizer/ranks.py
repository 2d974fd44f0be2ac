"""The published vocabularies of GPT-4 and GPT-2, read from their files.

Both models number the single bytes in an order of their own: 0 to 255, but not byte by byte.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .encoding import encode_chunk
from .files import refuse
from .naive import Pair


class Vocabulary(NamedTuple):
    """A published vocabulary.

    Attributes
    ----------
    byte_shuffle : bytes
        The id of each of the 256 bytes.
    merges : dict
        Pair of ids to the id of its token, in the order of the ids.
    special_tokens : dict
        Text to id.
    """

    byte_shuffle: bytes
    merges: dict[Pair, int]
    special_tokens: dict[str, int]


def read_ranks(path: Path) -> dict[bytes, int]:
    """Read a file of tiktoken: on each line a token in base 64, and its rank, which is its id.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it has another form: the message names file and line.
    """
    ranks = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise refuse(path, number, f"expected a token and its rank, got {line!r}") from None
    return ranks


def recover_merges(ranks: Mapping[bytes, int]) -> dict[Pair, int]:
    """Find the merges behind the ranks of tokens.

    The file of GPT-4 has the tokens in the order in which they were made, but not what each
    was made of. That comes out when a token is encoded with the merges before it: then two
    tokens are left, its pair.

    Parameters
    ----------
    ranks : mapping
        Token to rank. The 256 single bytes must have the ranks 0 to 255, in any order.

    Returns
    -------
    dict
        Pair of ranks to the rank of its token.

    Raises
    ------
    ValueError
        If a byte is missing, or a token is not made of two earlier ones.
    """
    byte_shuffle = _byte_shuffle(ranks)
    merges: dict[Pair, int] = {}
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) == 1:
            continue
        parts = encode_chunk(token.translate(byte_shuffle), merges)
        if len(parts) != 2:
            raise ValueError(
                f"token {rank}, {token!r}, is made of {len(parts)} earlier tokens instead of two"
            )
        merges[parts[0], parts[1]] = rank
    return merges


def _byte_shuffle(ranks: Mapping[bytes, int]) -> bytes:
    found = [ranks.get(bytes([byte]), -1) for byte in range(256)]
    if sorted(found) != list(range(256)):
        raise ValueError("the 256 single bytes must have the ranks 0 to 255")
    return bytes(found)


def read_gpt4(path: Path, special_tokens: dict[str, int]) -> Vocabulary:
    """Read the file of ``cl100k_base``. Errors as ``read_ranks`` and ``recover_merges``."""
    ranks = read_ranks(path)
    return Vocabulary(_byte_shuffle(ranks), recover_merges(ranks), special_tokens)


def printable_bytes() -> list[str]:
    """Return the 256 characters that stand for the bytes in the files of GPT-2.

    Those files are text, so each byte needs a character that can be seen. Printable characters
    of Latin-1 stand for themselves, and the others for the next one from U+0100 on: the space
    becomes Ġ.
    """
    characters = []
    beyond = 0x100
    for byte in range(256):
        if chr(byte).isprintable() and not chr(byte).isspace():
            characters.append(chr(byte))
        else:
            characters.append(chr(beyond))
            beyond += 1
    return characters


def read_gpt2(vocab_bpe: Path, encoder_json: Path) -> Vocabulary:
    """Read the two files of GPT-2: the merges, and the id of each token.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If a file has another form, or they do not fit together.
    """
    try:
        encoder = json.loads(encoder_json.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{encoder_json} is no JSON: {error}") from None
    characters = printable_bytes()
    try:
        byte_shuffle = bytes(encoder[character] for character in characters)
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{encoder_json}: expected an id below 256 for each byte") from None
    merges: dict[Pair, int] = {}
    lines = vocab_bpe.read_text(encoding="utf-8").split("\n")
    if not lines[0].startswith("#version"):
        raise refuse(vocab_bpe, 1, f"expected '#version' and a number, got {lines[0][:40]!r}")
    for number, line in enumerate(lines[1:-1], 2):
        left, _, right = line.partition(" ")
        try:
            pair, idx = (encoder[left], encoder[right]), encoder[left + right]
        except KeyError as error:
            raise refuse(vocab_bpe, number, f"{error} has no id in {encoder_json}") from None
        expected = 256 + len(merges)
        if idx != expected:
            raise refuse(vocab_bpe, number, f"token {idx} stands where {expected} should")
        merges[pair] = idx
    special_tokens = {token: idx for token, idx in encoder.items() if idx >= 256 + len(merges)}
    return Vocabulary(byte_shuffle, merges, special_tokens)
