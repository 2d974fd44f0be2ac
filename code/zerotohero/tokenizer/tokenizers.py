"""The tokenizers that are trained, with the interface of minbpe.

``BasicTokenizer`` takes a text as one chunk; ``RegexTokenizer`` splits it first. They share
everything else: training, encoding, decoding, special tokens, files.

Source: lecture 8 of *Neural Networks: Zero to Hero*; minbpe, for the interface; Radford et al.
(2019), *Language Models are Unsupervised Multitask Learners*, section 2.2, for the splitting.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import zip_longest
from os import PathLike
from typing import Any

import regex

from ..arguments import require_int
from . import files
from .fast import Merge, encode_chunk, learn_merges
from .naive import Pair, build_vocab

GPT2_SPLIT_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
GPT4_SPLIT_PATTERN = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}"""
    r"""| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"""
)

CACHED_CHUNKS, CACHED_LENGTH = 2**17, 64  # how many chunks are remembered, and how long they may be
MAX_PATTERN = 100_000  # characters, with its repeats `{n}` written out, as regex compiles them
SPLIT_SECONDS, SPLIT_SPEED = 10, 100_000  # to split a text: seconds, and characters a second


class Tokenizer:
    """A byte-level tokenizer. A subclass must implement ``_split``.

    Read the attributes, but do not change the dictionaries in place.

    Attributes
    ----------
    merges : dict
        Pair of ids to the id of its token, in the order in which they were learned.
    vocab : dict
        Id to bytes: of the single bytes, the merges and the special tokens.
    special_tokens : dict
        String to id.
    pattern : str
        Regular expression that splits a text; empty for a tokenizer that does not split.
    byte_shuffle : bytes
        The id of each of the 256 bytes: the byte itself, except for GPT-2 and GPT-4.
    """

    def __init__(self) -> None:
        self.byte_shuffle = bytes(range(256))
        self.pattern = ""
        self._adopt({}, {})

    def _adopt(self, merges: dict[Pair, int], special_tokens: dict[str, int]) -> None:
        """Take these merges and special tokens from now on."""
        self.merges, self.special_tokens = merges, special_tokens
        byte_of_id = bytes.maketrans(self.byte_shuffle, bytes(range(256)))
        self.vocab = {i: ids.translate(byte_of_id) for i, ids in build_vocab(merges).items()}
        self.vocab |= {idx: token.encode("utf-8") for token, idx in special_tokens.items()}
        self._cache: dict[str, list[int]] = {}  # the ids of chunks

    def _split(self, text: str) -> list[str]:
        """Return the chunks of a text."""
        raise NotImplementedError(f"{type(self).__name__} must implement _split")

    def _use_pattern(self, pattern: str) -> None:
        """Split by this pattern from now on. ``ValueError`` if the tokenizer cannot."""
        if pattern:
            raise ValueError(f"a {type(self).__name__} does not split: use a RegexTokenizer")

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
            If ``text`` is not a string or ``vocab_size`` not an int.
        ValueError
            If ``vocab_size`` is out of range, or more than the text allows: each merge needs a
            pair. If a special token has one of the ids, or a token becomes too long. If the
            pattern does not cover the text.
        TimeoutError, MemoryError
            If the pattern takes too much time or memory to split the text.
        """
        text = _without_surrogates(text)
        require_int(256, 256 + files.MAX_MERGES, vocab_size=vocab_size)
        for token, idx in self.special_tokens.items():
            if idx < vocab_size:
                problem = f"has the id {idx}, which a vocabulary of {vocab_size} needs"
                raise ValueError(
                    f"the special token {token!r} {problem}: register it after training"
                )
        merges: dict[Pair, int] = {}
        vocabulary, num_merges = files.LimitedVocabulary(), vocab_size - 256
        for idx, merge in enumerate(learn_merges(Counter(self._split(text)), num_merges), 256):
            (left, right), occurrences = merge
            token_bytes = vocabulary.add(left, right)
            merges[left, right] = idx
            if verbose:
                pair = f"{left}, {right} -> {idx} ({token_bytes!r})"
                print(f"merge {len(merges)}/{num_merges}: {pair}, {occurrences} times")
            if on_merge:
                on_merge(idx, merge)
        if len(merges) < num_merges:
            problem = f"after {len(merges)} merges no pair is left"
            most = f"a vocabulary of at most {256 + len(merges)} is possible, got {vocab_size}"
            raise ValueError(f"vocab_size is too large for this text: {problem}, so {most}")
        self._adopt(merges, self.special_tokens)

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
            error; or a set of them, so that the others are encoded like other text. Strings in
            the set that are not registered are ignored. Where several special tokens start at
            one position, the longest counts.

        Raises
        ------
        TypeError
            If ``text`` is not a string.
        ValueError
            If ``allowed_special`` is something else, a special token occurs that must not, or
            the pattern does not cover the text.
        TimeoutError, MemoryError
            If the pattern takes too much time or memory to split the text.
        """
        text = _without_surrogates(text)
        allowed = self._allowed(text, allowed_special)
        if not allowed:
            return self._encode_text(text)
        longest_first = "|".join(map(re.escape, sorted(allowed, key=len, reverse=True)))
        ids: list[int] = []
        # The parentheses keep the special tokens in the list: every second part is one.
        for number, part in enumerate(re.split(f"({longest_first})", text)):
            ids += [self.special_tokens[part]] if number % 2 else self._encode_text(part)
        return ids

    def _allowed(self, text: str, allowed_special: str | Collection[str]) -> set[str]:
        """Return the special tokens that count in a text.

        Special tokens mark structure, such as the end of a document. A user's text that holds
        them could inject control tokens. So they are an error unless allowed.
        """
        strings = (str, bytes, bytearray)  # collections, too, but not of special tokens
        if isinstance(allowed_special, Collection) and not isinstance(allowed_special, strings):
            return {token for token in self.special_tokens if token in allowed_special}
        if allowed_special not in ("all", "none", "none_raise"):
            expected = '"all", "none", "none_raise" or a set of special tokens'
            raise ValueError(f"allowed_special must be {expected}, got {allowed_special!r}")
        if allowed_special == "none_raise" and (first := find_special(text, self.special_tokens)):
            raise ValueError(
                f"the text contains the special token {first!r}: to encode it as such, pass "
                f'allowed_special={{{first!r}}} or "all"; as other text, "none"'
            )
        return set(self.special_tokens) if allowed_special == "all" else set()

    def encode_ordinary(self, text: str) -> list[int]:
        """Turn a text into ids; special tokens count as other text. Errors as ``encode``."""
        return self._encode_text(_without_surrogates(text))

    def _encode_text(self, text: str) -> list[int]:
        ids: list[int] = []
        for chunk in self._split(text):
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
        """Turn ids into text; what is not UTF-8 becomes U+FFFD. Errors as ``decode_bytes``."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Turn ids into bytes.

        Parameters
        ----------
        ids : sequence of int, array or tensor

        Raises
        ------
        TypeError
            If an id is not an int: the message says which.
        ValueError
            If an id is unknown: the message says which.
        """
        numbers = _plain(ids)
        if isinstance(numbers, (str, bytes)) or not isinstance(numbers, Iterable):
            raise TypeError(f"ids must be a list of ints, got {ids!r}")
        numbers = list(numbers)
        if not {int}.issuperset(map(type, numbers)):  # for example, a list of tensors
            numbers = [_plain(number) for number in numbers]
            for position, number in enumerate(numbers):
                require_int(0, **{f"ids[{position}]": number})
        try:
            return b"".join(map(self.vocab.__getitem__, numbers))
        except KeyError:
            position = next(i for i, number in enumerate(numbers) if number not in self.vocab)
            raise ValueError(
                f"ids[{position}] is {numbers[position]}, which is not the id of a token"
            ) from None

    # -- special tokens ----------------------------------------------------------------

    def register_special_tokens(self, special_tokens: Mapping[str, int]) -> None:
        """Set the special tokens, replacing any earlier ones.

        Parameters
        ----------
        special_tokens : mapping
            String to id, which no other token may have.

        Raises
        ------
        TypeError
            If a token is not a string or an id not an int.
        ValueError
            If a token is empty or holds a surrogate, or its id is out of range or another token's.
        """
        require_int(0, files.MAX_SPECIAL, **{"the number of special tokens": len(special_tokens)})
        owners = dict.fromkeys((*self.byte_shuffle, *self.merges.values()), "a byte or a merge")
        for token, idx in special_tokens.items():
            if not isinstance(token, str):
                raise TypeError(f"a special token must be a string, got {token!r}")
            if not token or token != _without_surrogates(token):
                raise ValueError(f"the special token {token!r} is empty or holds a surrogate")
            require_int(0, files.MAX_ID, **{f"the id of the special token {token!r}": idx})
            if idx in owners:
                problem = f"has the id {idx}, that of {owners[idx]}"
                raise ValueError(f"the special token {token!r} {problem}")
            owners[idx] = repr(token)
        self._adopt(self.merges, {token: int(idx) for token, idx in special_tokens.items()})

    # -- files -----------------------------------------------------------------------

    def save(self, file_prefix: str | PathLike[str]) -> None:
        """Write ``file_prefix.model``, to load again, and the human-readable ``file_prefix.vocab``.

        Each is written whole or not at all, in place of a file of that name.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        model = files.Model(self.pattern, self.special_tokens, self.merges)
        files.write_model(f"{file_prefix}.model", model)
        files.write_vocab(f"{file_prefix}.vocab", self.vocab, self.merges)

    def load(self, model_file: str | PathLike[str]) -> None:
        """Read a model file: ours, or one that minbpe has written.

        When the file is refused, the tokenizer stays as it was.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is damaged, too large, of another kind of tokenizer, or not a model file: the
            message names file and line.
        """
        self._take(files.read_model(model_file), model_file)

    def _take(self, model: files.Model, model_file: str | PathLike[str]) -> None:
        """Become the tokenizer that was read from a model file."""
        try:
            self._use_pattern(model.pattern)
        except ValueError as error:
            raise files.format_error(model_file, files.PATTERN_LINE, str(error)) from None
        self._adopt(model.merges, model.special_tokens)


class BasicTokenizer(Tokenizer):
    """Byte-pair encoding without splitting: tokens may reach over words and punctuation."""

    def _split(self, text: str) -> list[str]:
        return [text]


class RegexTokenizer(Tokenizer):
    r"""Byte-pair encoding within the chunks of a text: no token reaches from one into the next.

    So a word does not come in one version with a comma, one with a period, and one with a
    question mark.

    Parameters
    ----------
    pattern : str, optional
        Each match is a chunk, and one after the other they must cover every text; by default
        GPT-4's pattern. Of the PyPI package ``regex``, which knows classes such as ``\p{L}``.

    Raises
    ------
    ValueError
        If the pattern is empty, too large, or not a regular expression. ``train`` and ``encode``
        raise it when the pattern leaves part of a text out.
    """

    def __init__(self, pattern: str | None = None) -> None:
        super().__init__()
        self._use_pattern(GPT4_SPLIT_PATTERN if pattern is None else pattern)

    def _use_pattern(self, pattern: str) -> None:
        if not isinstance(pattern, str):
            raise TypeError(f"pattern must be a str, got {pattern!r}")
        if not pattern:
            raise ValueError("the pattern to split by is empty: use a BasicTokenizer")
        shown = repr(pattern[:100]) + "..." * (len(pattern) > 100)
        if _largest_size(pattern) > MAX_PATTERN:
            size = f"more than {MAX_PATTERN:,} characters with its repeats {{n}} written out"
            raise ValueError(f"pattern {shown} may have {size}")
        try:
            self.compiled_pattern = regex.compile(pattern)
        except RecursionError:
            raise ValueError(f"pattern {shown} is nested too deeply") from None
        except (regex.error, ValueError, RuntimeError) as error:
            raise ValueError(f"pattern {shown} is not a regular expression: {error}") from None
        self.pattern = pattern

    def _split(self, text: str) -> list[str]:
        # The time of these two grows with the text, and with nothing else. A limit costs time.
        harmless = self.pattern in (GPT2_SPLIT_PATTERN, GPT4_SPLIT_PATTERN)
        seconds = None if harmless else SPLIT_SECONDS + len(text) / SPLIT_SPEED
        try:
            chunks = [match[0] for match in self.compiled_pattern.finditer(text, timeout=seconds)]
        except (TimeoutError, MemoryError) as error:  # regex limits its memory to about 1 GB
            timeout = isinstance(error, TimeoutError)
            raise type(error)(
                f"the pattern {self.pattern[:100]!r} takes "
                f"{f'more than {seconds:.0f} s' if timeout else 'too much memory'} "
                f"to split a text of {len(text):,} characters"
            ) from None
        if (joined := "".join(chunks)) == text:
            return chunks
        position = next(i for i, (a, b) in enumerate(zip_longest(joined, text)) if a != b)
        raise ValueError(
            f"the pattern {self.pattern[:100]!r} leaves out or moves {text[position:][:20]!r}, at "
            f"character {position} of the text: its matches must cover every text, in order"
        )


def find_special(text: str, special_tokens: Collection[str]) -> str | None:
    """Return the special token that occurs first in a text, the longest of several; or None."""
    found = [token for token in special_tokens if token in text]
    return min(found, key=lambda token: (text.index(token), -len(token)), default=None)


def _largest_size(pattern: str) -> int:
    """Return how long a pattern is with its repeats ``{n}`` written out, or more.

    Repeats of groups may be nested, so they are multiplied; everything else that is repeated is
    shorter than the pattern. Between the digits, verbose patterns may have spaces and comments.
    """
    groups = others = 1
    for repeat in re.finditer(r"\{((?:[\s0-9]|#.*\n)*)", pattern + "\n"):
        n = int("0" + re.sub("[^0-9]", "", repeat[1]).lstrip("0")[:9])
        if re.match(r"[\s)]", pattern[repeat.start() - 1]):  # repeats a group, or may do so
            groups = min(groups * max(n, 1), MAX_PATTERN + 1)
        else:
            others += n
    return len(pattern) * others * groups


def _plain(value: Any) -> Any:
    """Return an array or tensor as a list, and a single number of one as an int."""
    return value.tolist() if hasattr(value, "tolist") else value


def _without_surrogates(text: str) -> str:
    """Return the text as UTF-8 can hold it; ``TypeError`` if it is not a string."""
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
