"""What all tokenizers share: training, encoding, decoding, special tokens, files.

A kind of tokenizer says how it splits a text; all else is here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Iterator
from os import PathLike

from . import files, special
from .encoding import encode_chunk
from .naive import Pair
from .training import Merge, count_chunks, learn_merges

CACHED_CHUNKS, CACHED_LENGTH = 2**17, 64  # how many chunks are remembered, and how long they may be


class Tokenizer:
    """A byte-level tokenizer.

    Read the attributes, but do not change the dictionaries in place.

    Attributes
    ----------
    merges : dict
        Pair of ids to the id of its token, in the order in which they were learned.
    vocab : dict
        Id to bytes: of the single bytes, the merges and the special tokens.
    special_tokens : dict
        Text to id.
    pattern : str
        Regular expression that splits a text; empty for a tokenizer that does not split.
    byte_shuffle : bytes
        The id of each of the 256 bytes: the byte itself, but for GPT-2 and GPT-4.
    """

    def __init__(self) -> None:
        self.merges: dict[Pair, int] = {}
        self.special_tokens: dict[str, int] = {}
        self.pattern = ""
        self.byte_shuffle = bytes(range(256))
        self.vocab = self._build_vocab()
        self._cache: dict[str, list[int]] = {}

    def _split(self, text: str) -> Iterator[str]:
        """Yield the chunks of a text."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it splits a text")

    def _build_vocab(self) -> dict[int, bytes]:
        vocab = {idx: bytes([byte]) for byte, idx in enumerate(self.byte_shuffle)}
        for (left, right), idx in self.merges.items():
            vocab[idx] = vocab[left] + vocab[right]
        for token, idx in self.special_tokens.items():
            vocab[idx] = token.encode("utf-8")
        return vocab

    # -- training --------------------------------------------------------------------

    def train(
        self,
        text: str,
        vocab_size: int,
        verbose: bool = False,
        *,
        on_merge: Callable[[int, Merge], None] | None = None,
    ) -> None:
        """Learn the merges from a text; what was learned before is forgotten.

        Parameters
        ----------
        text : str
            Surrogates are replaced as in ``encode``.
        vocab_size : int
            256 for the bytes, plus the number of merges. Special tokens come on top.
        verbose : bool
            Print a line for every merge.
        on_merge : callable, optional
            Called after each merge, with its new id and the ``Merge``.

        Raises
        ------
        TypeError
            If ``text`` is no text or ``vocab_size`` no integer.
        ValueError
            If ``vocab_size`` is below 256, or above what the text allows: each merge needs a
            pair. Or if a special token has one of the ids.
        """
        text = special.clean(text)
        vocab_size = special.integer("vocab_size", vocab_size)
        if vocab_size < 256:
            raise ValueError(f"vocab_size must be at least 256, for the bytes; got {vocab_size}")
        for token, idx in self.special_tokens.items():
            if idx < vocab_size:
                raise ValueError(
                    f"the special token {token!r} has the id {idx}, which a vocabulary of "
                    f"{vocab_size} needs: register special tokens after training"
                )
        merges: dict[Pair, int] = {}
        vocab = {idx: bytes([idx]) for idx in range(256)}
        num_merges = vocab_size - 256
        for merge in learn_merges(count_chunks(self._split(text)), num_merges):
            (left, right), idx = merge.pair, 256 + len(merges)
            merges[left, right] = idx
            vocab[idx] = vocab[left] + vocab[right]
            if verbose:
                print(
                    f"merge {len(merges)}/{num_merges}: {left}, {right} -> {idx} "
                    f"({vocab[idx]!r}), {merge.occurrences} times"
                )
            if on_merge:
                on_merge(idx, merge)
        if len(merges) < num_merges:
            raise ValueError(
                f"vocab_size {vocab_size} is too large for this text: after {len(merges)} merges "
                f"no pair is left, so at most {256 + len(merges)} is possible"
            )
        self._adopt(merges, self.special_tokens)

    def _adopt(self, merges: dict[Pair, int], special_tokens: dict[str, int]) -> None:
        self.merges, self.special_tokens = merges, special_tokens
        self.vocab = self._build_vocab()
        self._cache = {}

    # -- encoding --------------------------------------------------------------------

    def encode(self, text: str, allowed_special: str | Collection[str] = "none_raise") -> list[int]:
        """Turn a text into ids.

        Surrogates cannot be written in UTF-8. As in tiktoken, a pair of them becomes the
        character that it stands for, and a lone one becomes U+FFFD.

        Parameters
        ----------
        text : str
        allowed_special : str or collection of str
            Which special tokens in the text count as such: ``"all"``; ``"none"``, so that they
            are encoded like other text; ``"none_raise"``, the same, but their occurrence is an
            error; or a set of them, so that the others are encoded like other text. Texts in
            the set that are not registered mean nothing. Where several special tokens start at
            one place, the longest counts.

        Raises
        ------
        TypeError
            If ``text`` is no text.
        ValueError
            If ``allowed_special`` is something else, or a special token occurs that must not.
        """
        text = special.clean(text)
        allowed = special.choose(text, self.special_tokens, allowed_special)
        if not allowed:
            return self.encode_ordinary(text)
        ids: list[int] = []
        for part, is_special in special.cut(text, allowed):
            ids += [self.special_tokens[part]] if is_special else self.encode_ordinary(part)
        return ids

    def encode_ordinary(self, text: str) -> list[int]:
        """Turn a text into ids; special tokens are encoded like other text.

        ``TypeError`` if ``text`` is no text.
        """
        ids: list[int] = []
        for chunk in self._split(special.clean(text)):
            chunk_ids = self._cache.get(chunk)
            if chunk_ids is None:
                chunk_ids = self._encode_chunk(chunk.encode("utf-8"))
                if len(self._cache) >= CACHED_CHUNKS:
                    self._cache.clear()
                if len(chunk) <= CACHED_LENGTH:
                    self._cache[chunk] = chunk_ids
            ids += chunk_ids
        return ids

    def _encode_chunk(self, text_bytes: bytes) -> list[int]:
        """Turn one chunk into ids."""
        return encode_chunk(text_bytes.translate(self.byte_shuffle), self.merges)

    # -- decoding --------------------------------------------------------------------

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids into text; bytes that are no valid UTF-8 become U+FFFD. As ``decode_bytes``."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Turn ids into bytes.

        Raises
        ------
        TypeError
            If ``ids`` holds anything but integers.
        ValueError
            If an id is unknown: the message says which, and where.
        """
        if isinstance(ids, str) or not isinstance(ids, Iterable):
            raise TypeError(f"ids must be a list of integers, got {ids!r}")
        ids = list(ids)
        try:
            return b"".join(map(self.vocab.__getitem__, map(operator.index, ids)))
        except (TypeError, KeyError):
            for position, given in enumerate(ids):
                idx = special.integer(f"ids[{position}]", given)
                if idx not in self.vocab:
                    raise ValueError(f"ids[{position}] is {idx}, which is no token's id") from None
            raise

    # -- special tokens ----------------------------------------------------------------

    def register_special_tokens(self, special_tokens: dict[str, int]) -> None:
        """Set the special tokens, in place of those there were.

        Parameters
        ----------
        special_tokens : dict
            Text to id, which no other token may have.

        Raises
        ------
        TypeError
            If a token is no text or an id no integer.
        ValueError
            If a token is empty or holds a surrogate, or its id is negative or another token's.
        """
        taken = {*self.byte_shuffle, *self.merges.values()}
        self._adopt(self.merges, special.check(special_tokens, taken))

    # -- files -----------------------------------------------------------------------

    def save(self, file_prefix: str | PathLike[str]) -> None:
        """Write ``file_prefix.model``, to load again, and ``file_prefix.vocab``, to look at.

        Each is written whole or not at all, in place of a file of that name.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        files.write_model(
            f"{file_prefix}.model", files.Model(self.pattern, self.special_tokens, self.merges)
        )
        files.write_vocab(f"{file_prefix}.vocab", self.vocab, self.merges)

    def load(self, model_file: str | PathLike[str]) -> None:
        """Read a model file: ours, or one that minbpe has written.

        When the file is refused, the tokenizer stays as it was.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is damaged, of another kind of tokenizer, or no model file: the message names
            file and line.
        """
        model = files.read_model(model_file)
        try:
            self._use_pattern(model.pattern)
        except ValueError as error:
            raise files.refuse(model_file, files.PATTERN_LINE, str(error)) from None
        self._adopt(model.merges, model.special_tokens)

    def _use_pattern(self, pattern: str) -> None:
        """Split by this pattern from now on. ``ValueError`` if the tokenizer cannot."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it splits a text")
