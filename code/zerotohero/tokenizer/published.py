"""The tokenizers of GPT-2 and GPT-4, read from their published files.

Both models number the single bytes in an order of their own: 0 to 255, but not byte by byte.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from zerotohero import data

from ..files import read_limited, read_text
from .fast import encode_chunk
from .files import MAX_FILE_BYTES, MAX_ID, format_error, whole_number, write_vocab
from .naive import Pair
from .tokenizers import GPT2_SPLIT_PATTERN, GPT4_SPLIT_PATTERN, RegexTokenizer

GPT4_SPECIAL_TOKENS = {
    "<|endoftext|>": 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}


class PublishedTokenizer(RegexTokenizer):
    """A tokenizer whose vocabulary is given; it cannot be trained, and has no model file."""

    def __init__(
        self,
        pattern: str,
        byte_shuffle: bytes,
        merges: dict[Pair, int],
        special_tokens: dict[str, int],
    ) -> None:
        super().__init__(pattern)
        self.byte_shuffle, self.merges = byte_shuffle, merges
        self.register_special_tokens(special_tokens)

    def _refuse(self, *_: object, **__: object) -> None:
        """Refuse: ``NotImplementedError``. A model file does not hold the order of the bytes."""
        problem = "cannot be trained, loaded or saved; save_vocab writes a human-readable file"
        raise NotImplementedError(f"a {type(self).__name__} {problem}")

    train = load = save = _refuse

    def save_vocab(self, vocab_file: str | PathLike[str]) -> None:
        """Write the vocabulary to a human-readable file. ``OSError`` if that fails."""
        write_vocab(vocab_file, self.vocab, self.merges)


class GPT4Tokenizer(PublishedTokenizer):
    """The tokenizer of GPT-4, which tiktoken calls ``cl100k_base``.

    It is made from the published ranks, which are found like the book's other data sets. That
    takes about a second, as the merges have to be recovered.

    Raises
    ------
    zerotohero.data.DataError
        If the file with the ranks is not available.
    """

    def __init__(self) -> None:
        ranks = read_ranks(data.fetch("cl100k_base"))
        merges = recover_merges(ranks)
        super().__init__(GPT4_SPLIT_PATTERN, _byte_shuffle(ranks), merges, GPT4_SPECIAL_TOKENS)


def read_ranks(path: str | PathLike[str]) -> dict[bytes, int]:
    """Read a file of tiktoken: on each line a token in base 64, and its rank, which is its id.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it has another form: the message names file and line.
    """
    ranks: dict[bytes, int] = {}
    known: set[int] = set()
    for number, line in enumerate(read_limited(path, MAX_FILE_BYTES).splitlines(), 1):
        try:
            text, digits = line.decode("ascii").split(" ")
            token, rank = base64.b64decode(text, validate=True), whole_number(digits, MAX_ID)
        except ValueError:
            token = b""
        if not token:
            problem = f"expected a token in base 64 and its rank, got {line[:80]!r}"
            raise format_error(path, number, problem)
        if token in ranks or rank in known:
            problem = f"the token {token[:40]!r} or its rank {rank} is already taken"
            raise format_error(path, number, problem)
        ranks[token] = rank
        known.add(rank)
    return ranks


def recover_merges(ranks: Mapping[bytes, int]) -> dict[Pair, int]:
    """Find the merges from the ranks of the tokens.

    The file of GPT-4 has the tokens in the order in which they were made, but not what each
    was made of. To find out, encode a token with the merges before it: two tokens are left,
    its pair.

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
                f"token {rank}, {token[:40]!r}, is made of {len(parts)} earlier tokens, not two"
            )
        merges[parts[0], parts[1]] = rank
    return merges


def _byte_shuffle(ranks: Mapping[bytes, int]) -> bytes:
    found = [ranks.get(bytes([byte]), -1) for byte in range(256)]
    if sorted(found) != list(range(256)):
        raise ValueError("the 256 single bytes must have the ranks 0 to 255")
    return bytes(found)


class GPT2Tokenizer(PublishedTokenizer):
    """The tokenizer of GPT-2, from its two published files.

    Parameters
    ----------
    vocab_bpe, encoder_json : path, optional
        The merges, and the id of each token. By default the published files, which are found
        like the book's other data sets.

    Raises
    ------
    zerotohero.data.DataError
        If a published file is not available.
    OSError, ValueError
        If a file cannot be read, or is not what it should be.
    """

    def __init__(
        self,
        vocab_bpe: str | PathLike[str] | None = None,
        encoder_json: str | PathLike[str] | None = None,
    ) -> None:
        merges_file = Path(data.fetch("gpt2_vocab_bpe") if vocab_bpe is None else vocab_bpe)
        ids_file = Path(data.fetch("gpt2_encoder_json") if encoder_json is None else encoder_json)
        encoder = _read_encoder(ids_file)
        try:
            byte_shuffle = bytes(encoder[character] for character in bytes_to_unicode().values())
        except (KeyError, ValueError):
            raise ValueError(f"{ids_file}: expected an id below 256 for each byte") from None
        merges: dict[Pair, int] = {}
        lines = read_text(merges_file, MAX_FILE_BYTES).split("\n")
        if not lines[0].startswith("#version"):
            problem = f"expected '#version' and a number, got {lines[0][:40]!r}"
            raise format_error(merges_file, 1, problem)
        for number, line in enumerate(lines[1:-1], 2):
            left, _, right = line.partition(" ")
            try:
                pair, idx = (encoder[left], encoder[right]), encoder[left + right]
            except KeyError as error:
                raise format_error(
                    merges_file, number, f"{error} has no id in {ids_file}"
                ) from None
            if idx != 256 + len(merges) or max(pair) >= idx:
                problem = f"token {idx}, of {pair}, stands where {256 + len(merges)} should"
                raise format_error(merges_file, number, problem)
            merges[pair] = idx
        special_tokens = {token: idx for token, idx in encoder.items() if idx >= 256 + len(merges)}
        super().__init__(GPT2_SPLIT_PATTERN, byte_shuffle, merges, special_tokens)


def _read_encoder(path: Path) -> dict[str, int]:
    text = read_text(path, MAX_FILE_BYTES)
    try:
        encoder: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    ids: list[Any] = list(encoder.values()) if isinstance(encoder, dict) else [None]
    if not {int}.issuperset(map(type, ids)) or sorted(ids) != list(range(len(ids))):
        raise ValueError(f"{path}: expected tokens with the ids 0, 1, 2, ..., without a gap")
    return dict(encoder)


def bytes_to_unicode() -> dict[int, str]:
    """Return the character that stands for each byte in the files of GPT-2.

    Those files are text, so each byte needs a character that can be seen. Printable characters
    of Latin-1 stand for themselves, and the others for the next one from U+0100 on: the space
    becomes Ġ.
    """
    others = itertools.count(0x100)
    characters = {}
    for byte in range(256):
        visible = chr(byte).isprintable() and not chr(byte).isspace()
        characters[byte] = chr(byte if visible else next(others))
    return characters
