"""Checks for the exercises of chapter 8: the tokenizers that are trained."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from ...tokenizer import GPT2_SPLIT_PATTERN, GPT4_SPLIT_PATTERN, Tokenizer, naive
from ..running import run
from ..verdict import checker, describe, fail
from . import ways
from .ids import Call, Ids, expect_calls
from .ways import RIGHT, Training, Way, learn, results

TALE = "how much wood would a woodchuck chuck if a woodchuck could chuck wood!"
OTHER = "a woodchuck would much rather,  would it!"  # not trained on
UMLAUTS = "Müde Mäuse müssen im Müll wühlen, mühsam: Mühe über Mühe"
KOREAN = "안녕 안녕하세요, 안녕히! 😉😉 세요"
MARKS = "e\u0301te\u0301, re\u0301pe\u0301te\u0301e"  # accents that follow their letters
MIXED = f"\twood, Müll; 안녕 😉 {MARKS}\n "
LINES = "to be\n\nor not\n\nto be\n\n"
# What a reader's code may drop, or take for an end.
RETURNS = "\ufeffto be\r\n\r\nor\0 not\r\n\r\n\ufeffto be\0\r\n"
LONG = TALE * 15 + "mum " * 100  # more than 1,000 characters, and something new after them
RUNS = "if  a:\n    a  =  a    + 1\n    a  =  a    - 1\n"
METHODS = ("train", "encode", "decode")


def _random_text(seed: int, letters: str = "abc") -> str:
    """Return a text of few letters, which has ties, runs, and overlaps."""
    return "".join(random.Random(seed).choices(letters, [4, 2, 1], k=60))


def _on_random_texts(seed: int, letters: str, pattern: str = "") -> Training:
    text, other = (_random_text(s, letters) for s in (seed, seed + 1))
    return Training(text, 268, (text, other), pattern)


# Short texts come last: where they raise an exception, the longer ones did not.
BASIC = (
    Training("aaabdaaabac", 259, ("aaabdaaabac", "aaaaaaab" * 5, "aab", "ab", "aa", "b", "")),
    Training(TALE, 268, (TALE, OTHER, MIXED, "wo", "a", "")),
    Training(UMLAUTS, 270, (UMLAUTS, OTHER, MIXED, "Ü", "ü")),
    Training(KOREAN, 275, (KOREAN, MIXED, "세", "😉")),
    Training(MARKS * 3, 264, (MARKS, MIXED, "e\u0301")),
    *(_on_random_texts(seed, "abc") for seed in (1, 5, 9)),
    Training(LINES, 262, (LINES, "\n\nto\nbe\n\n")),
    _on_random_texts(3, "a\nb"),
    Training(RETURNS, 266, (RETURNS, "\ufeffbe\0to\r\n")),
    Training(LONG, 258, ("mum", "how much")),
    Training("as it is", 256, ("as it is", "안녕")),
    Training(TALE, 262, (TALE, UMLAUTS, OTHER), before=(UMLAUTS + OTHER, 270)),
)
# One token is left. They come later, since one merge too many raises an exception here.
USED_UP = (Training("abab", 258, ("ababab", "aba", "abab")),)

WORDS = r" ?\w+|[^\w\s]+|\s+"
SPACE_LAST = r"[^ ]+ ?| +"
LETTERS = r"[a-z]+|[^a-z]+"
IN_LINES = r"^\w+ |.+|\n+"  # another one where . matches a line break, or ^ after each
CLASSES = r"\p{Lu}?\p{Ll}+| ?\p{L}+|\P{L}+"  # for the library regex only
REGEX = (
    Training(TALE, 268, (TALE, OTHER, ""), WORDS),
    Training(TALE, 268, (TALE, OTHER, ""), SPACE_LAST),
    Training(UMLAUTS, 274, (UMLAUTS, OTHER, "über 안녕 😉!", "ü"), WORDS),
    Training(f"{KOREAN} {KOREAN}", 275, (KOREAN, MIXED, "세요"), SPACE_LAST),
    Training(TALE + UMLAUTS, 270, (TALE, MIXED, "woodwood"), LETTERS),
    *(_on_random_texts(seed, "ab ", WORDS) for seed in (2, 6)),
    _on_random_texts(4, "abc", LETTERS),
    _on_random_texts(8, "a\nb", LETTERS),
    Training(LINES, 262, (LINES, "\n\nto\nbe\n\n"), WORDS),
    Training(RUNS, 260, (RUNS, "    a  +  1\n\n"), WORDS),
    Training(LINES + LINES, 266, (LINES, "or not\nto be"), IN_LINES),
    Training(f"{UMLAUTS}, {KOREAN}", 275, (UMLAUTS, KOREAN, OTHER, MIXED), CLASSES),
    Training(RETURNS, 262, (RETURNS, "\ufeffbe\0to\r\n"), WORDS),
    Training(LONG, 258, ("mum", "how much"), WORDS),
    Training("as it is", 256, ("as it is",), WORDS),
    Training(TALE, 262, (TALE, UMLAUTS, OTHER), WORDS, before=(UMLAUTS + OTHER, 270)),
)
REGEX_USED_UP = (Training("a b c", 258, ("a b c", " b  c", " b"), WORDS),)  # a token each

# -- hints -----------------------------------------------------------------------------

FEW = "With fewer than two ids there is no pair to look for."
NO_CHUNKS = "An empty text has no chunks: return an empty list."
LIBRARY = "The patterns are those of the library regex: regex.findall, not re.findall."
TIE = "Two pairs occur equally often: take the one that occurs first in the current sequence."
COUNT = "The first new id is 256, the last one vocab_size - 1: vocab_size - 256 merges."
SHARED = "All tokenizers share their merges: give each object its own, with self.merges = {}."
VOCAB = "All tokenizers share their vocabulary: give each object its own self.vocab."
AGAIN = "Training again starts from the bytes: forget what was learned before."
JOIN = "A character may have several bytes: join all bytes first, then decode."
NOT_TEXT = 'decode returns a string: turn the bytes into one, with errors="replace".'
REPLACE = 'Not all bytes are valid UTF-8: decode with errors="replace".'
MARK = 'Bytes that are not valid UTF-8 should leave a mark: errors="replace".'
LINE = "Do not split by lines: a token may hold a line break, and go on after it."
SPACE = "Chunks of white space count, too."
FROM_RIGHT = [
    Way(merge=ways.from_right),
    Way(merge=ways.from_right, encode=ways.learned_first_from_right),
    Way(encode=ways.learned_first_from_right),
]
MISTAKES: list[tuple[Way, str]] = [
    (Way(encode=ways.unmerged), "Those are the bytes: encode has to merge."),
    *((Way(tie=tie), TIE) for tie in (max, min, ways.last)),
    *((Way(more=more, shift=more), COUNT) for more in (1, -1, 256)),
    *((Way(more=more), COUNT) for more in (1, -1, 256)),
    *((Way(more=-shift, shift=shift), COUNT) for shift in (1, -1)),
    *((Way(shift=shift), COUNT) for shift in (1, -1)),
    (
        Way(encode=ways.frequent_first),
        "Merge the pair that was learned first, not the one that is most frequent.",
    ),
    (
        Way(encode=ways.learned_last),
        "Merge the pair that was learned first, not the one that was learned last.",
    ),
    *(
        (Way(encode=way), "Merge the pair that was learned first, wherever it is in the text.")
        for way in (ways.leftmost_first, ways.leftmost_alone)
    ),
    (
        Way(encode=ways.longest),
        "Not the longest token from the left: the pair that was learned first.",
    ),
    *((way, "Replace pairs from left to right: aaa becomes X a, not a X.") for way in FROM_RIGHT),
    (
        Way(counting=ways.apart),
        "Pairs that overlap all count: in aaa, the pair of two a's occurs twice.",
    ),
    (
        Way(symbols=ways.to_code_points),
        "Start from the bytes of the text, text.encode(), not from its characters.",
    ),
    (Way(ways.by_lines, ways.by_lines), LINE),
    (Way(trained_on=ways.by_lines), LINE),
    (Way(encoded=ways.by_lines), LINE),
    (Way(shared=True), SHARED),
    (Way(kept=True), AGAIN),
    (Way(kept=True, encode=ways.in_order), AGAIN),
    (Way(cached=True), AGAIN),
    (Way(updated=True), TIE),
]


def _by(pattern: str) -> ways.Split:
    """Split by this pattern, whichever is given."""
    return lambda _given, text: ways.split(pattern, text)


# Patterns that an answer may stick to, though it is given another one.
KNOWN = (WORDS, SPACE_LAST, LETTERS, GPT4_SPLIT_PATTERN, GPT2_SPLIT_PATTERN)
FIXED = [_by(pattern) for pattern in KNOWN]
NO_DIFFERENCE = "The pattern makes no difference: split by the one that MyRegex is made with."
SPLITTING: list[tuple[Way, str]] = [
    (Way(ways.whole, ways.whole), "No token may reach across a split: split the text."),
    (Way(trained_on=ways.whole), "train has to split, too."),
    (Way(encoded=ways.whole), "encode has to split, too."),
    (Way(trained_on=ways.each_once), "A chunk counts each time that it occurs."),
    (
        Way(ways.between, ways.between),
        "split returns what lies between the matches, findall returns the matches.",
    ),
    (Way(ways.without_space, ways.without_space), SPACE),
    (Way(trained_on=ways.without_space), SPACE),
    *((Way(by, by), NO_DIFFERENCE) for by in FIXED),
    *((Way(trained_on=by), "train has to split by the pattern of its own object.") for by in FIXED),
    *((Way(encoded=by), "encode has to split by the pattern of its own object.") for by in FIXED),
]


# -- the checks ------------------------------------------------------------------------


@checker
def basic(answer: Any) -> str:
    """Check a class with ``train(text, vocab_size)``, ``encode(text)`` and ``decode(ids)``."""
    with _package_forbidden("MyBasic"):
        _check(answer, "MyBasic", BASIC, MISTAKES)
        _check(answer, "MyBasic", USED_UP)
    return "It learns the same merges as the chapter's, encodes in their order, and decodes."


@checker
def regex(answer: Any) -> str:
    """Check a class like that of ``basic`` that is made with a pattern, and splits by it."""
    with _package_forbidden("MyRegex"):
        _check(answer, "MyRegex", REGEX, [*SPLITTING, *MISTAKES])
        _check(answer, "MyRegex", REGEX_USED_UP)
    return "No token reaches across a split, neither in training nor in encoding."


@contextmanager
def _package_forbidden(answer: str) -> Iterator[None]:
    """End the check where the answer uses one of the package's tokenizers."""

    def refuse(*_args: Any, **_options: Any) -> NoReturn:
        fail(f"{answer} uses a tokenizer of zerotohero.tokenizer.", OWN)

    names = (*METHODS, "encode_ordinary", "decode_bytes")
    methods = {name: getattr(Tokenizer, name) for name in names}
    try:
        for name in names:
            setattr(Tokenizer, name, refuse)
        yield
    finally:
        for name, method in methods.items():
            setattr(Tokenizer, name, method)


OWN = "Write all three methods yourself: the package's classes are ruled out here."


def _check(
    answer: Any,
    name: str,
    trainings: tuple[Training, ...],
    mistakes: Iterable[tuple[Way, str]] = (),
) -> None:
    tokenizers, calls = _use(answer, name, trainings)
    expect_calls(calls, _predicted(mistakes, trainings))
    _check_decode(tokenizers, trainings)
    for training in trainings:
        if training.before:
            _check_decode_again(answer, name, training)


def _predicted(
    mistakes: Iterable[tuple[Way, str]], trainings: tuple[Training, ...]
) -> Iterator[tuple[list[Ids], str]]:
    """Yield what each mistake would give, and its hint. Only wrong answers get here."""
    for way, hint in mistakes:
        yield results(way, trainings), hint


def _use(answer: Any, name: str, trainings: Sequence[Training]) -> tuple[list[Any], list[Call]]:
    """Make and train a tokenizer for each training, then encode the texts with each."""
    if not isinstance(answer, type) and not hasattr(answer, "__code__"):
        fail(f"Pass the class itself, not an object of it. Received {type(answer).__name__}.")
    tokenizers = [_trained(answer, name, training) for training in trainings]
    expected = iter(results(RIGHT, tuple(trainings)))
    calls = []
    for tokenizer, training in zip(tokenizers, trainings):
        by = f", split by {training.pattern!r}" if training.pattern else ""
        for text in training.encoded:
            ids = next(expected)
            shown = f"encode({text!r}) after {_shown(training)}{by}"
            few = FEW if len(ids) < 2 else ""
            hint = NO_CHUNKS if training.pattern and not text else few
            encode = _by_library(tokenizer.encode, training.pattern, shown)
            received = run(encode, text, shown=shown, raised=hint)
            calls.append(Call(shown, ids, received))
    return tokenizers, calls


def _shown(training: Training) -> str:
    if training.before:
        earlier, last = ways.earlier_of(training), training._replace(before=None)
        return f"{_shown(earlier)}, then {_shown(last)}"
    text = repr(training.text)
    if len(text) > 200:
        text = f"{training.text[:20]!r}...{training.text[-20:]!r}"
    return f"train({text}, {training.vocab_size})"


def _by_library(method: Any, pattern: str, shown: str) -> Any:
    """Return a part of the answer, with a hint for a pattern that the module re does not know."""
    if not callable(method):
        return method

    @functools.wraps(method, updated=())
    def explained(*given: Any) -> Any:
        try:
            return method(*given)
        except re.error as error:
            if pattern and pattern in str(error.pattern):
                fail(f"{shown} raised {describe(error)}", LIBRARY)
            raise

    return explained


def _trained(answer: Any, name: str, training: Training) -> Any:
    """Make a tokenizer of the reader's class, and train it."""
    given = [training.pattern] if training.pattern else []
    shown = f"{name}({', '.join(map(repr, given))})"
    tokenizer = run(_by_library(answer, training.pattern, shown), *given, shown=shown)
    missing = [method for method in METHODS if not callable(getattr(tokenizer, method, None))]
    if missing:
        fail(f"{name} should have the methods {', '.join(METHODS)}: {missing[0]} is missing.")

    if training.before:
        earlier = ways.earlier_of(training)
        _train(tokenizer, earlier, _shown(earlier))
        _use_between(tokenizer, training, _shown(earlier))
    _train(tokenizer, training, _shown(training))
    return tokenizer


def _use_between(tokenizer: Any, training: Training, earlier: str) -> None:
    """Encode what comes again after the next training: nothing of it may be kept."""
    for text in training.encoded:
        shown = f"encode({text!r}) after {earlier}"
        run(_by_library(tokenizer.encode, training.pattern, shown), text, shown=shown)


def _train(tokenizer: Any, training: Training, shown: str) -> None:
    def train(text: str, vocab_size: int) -> bool:
        try:
            _by_library(tokenizer.train, training.pattern, shown)(text, vocab_size)
        except ValueError as error:
            merges = getattr(tokenizer, "merges", None)
            done = len(merges) if isinstance(merges, (dict, list)) else -1
            if "max()" in str(error) and done >= vocab_size - 256:
                fail(f"{shown} raised {describe(error)}", COUNT)
            raise
        return True  # train itself returns nothing

    run(train, training.text, training.vocab_size, shown=shown)


def _check_decode(tokenizers: Sequence[Any], trainings: Sequence[Training]) -> None:
    """Check texts that are whole, then bytes that are not valid UTF-8."""
    shared: dict[int, bytes] = {}
    for training in trainings:
        shared |= naive.build_vocab(learn(RIGHT, training))
    for tokenizer, training in zip(tokenizers, trainings):
        merges = learn(RIGHT, training)
        vocab = naive.build_vocab(merges)
        for text in (training.text, MIXED, "한", ""):
            ids = naive.encode(text.encode("utf-8"), merges)
            received = _decoded(tokenizer, ids, JOIN)
            if received != text:
                by_token = "".join(naive.decode([i], vocab) for i in ids)
                hint = JOIN if received == by_token else ""
                hint = VOCAB if received == naive.decode(ids, shared) else hint
                hint = NOT_TEXT if isinstance(received, (bytes, bytearray)) else hint
                fail(f"decode({ids}) should be {text!r}, received {received!r}.", hint)
        largest = max(vocab)
        for ids in ([104, 128, 105], [largest, 0xEC, 0x95], [0xFF, largest, 0]):
            expected = naive.decode(ids, vocab)
            received = _decoded(tokenizer, ids, REPLACE)
            if received != expected:
                fail(f"decode({ids}) should be {expected!r}, received {received!r}.", MARK)


def _check_decode_again(answer: Any, name: str, training: Training) -> None:
    """Check what is decoded after a training, and again after the next one."""
    tokenizer = run(answer, *([training.pattern] if training.pattern else []), shown=name)
    for now in (ways.earlier_of(training), training):
        _train(tokenizer, now, _shown(now))
        expected = naive.decode([256], naive.build_vocab(learn(RIGHT, now)))
        received = _decoded(tokenizer, [256], JOIN)
        if received != expected:
            fail(
                f"decode([256]) after {_shown(now)} should be {expected!r}, received {received!r}.",
                AGAIN,
            )


def _decoded(tokenizer: Any, ids: Ids, not_valid: str) -> Any:
    """Run decode, with a hint for bytes that it finds not to be valid UTF-8."""
    shown = f"decode({ids})"

    @functools.wraps(tokenizer.decode)
    def decode(ids: Ids) -> Any:
        try:
            return tokenizer.decode(ids)
        except UnicodeDecodeError as error:
            fail(f"{shown} raised {describe(error)}", not_valid)

    return run(decode, ids, shown=shown)
