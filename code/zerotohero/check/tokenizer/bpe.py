"""Checks for the exercises of chapter 8: the tokenizers that are trained."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from ...tokenizer import GPT2_SPLIT_PATTERN, GPT4_SPLIT_PATTERN, Tokenizer, naive
from ..running import run
from ..verdict import checker, describe, fail
from . import ways
from .ids import Call, Ids, expect_calls, read
from .ways import RIGHT, Training, Way, learn, results

TALE = "how much wood would a woodchuck chuck if a woodchuck could chuck wood!"
OTHER = "a woodchuck would much rather,  would it!"  # not trained on
UMLAUTS = "Müde Mäuse müssen im Müll wühlen, mühsam: Mühe über Mühe"
KOREAN = "안녕 안녕하세요, 안녕히! 😉😉 세요"
MARKS = "e\u0301te\u0301, re\u0301pe\u0301te\u0301e"  # accents that follow their letters
MIXED = f"\twood, Müll; 안녕 😉 {MARKS}\n "
METHODS = ("train", "encode", "decode")


def _random_text(seed: int) -> str:
    """Return a text of few letters, which has ties, runs, and overlaps."""
    return "".join(random.Random(seed).choices("abc", [4, 2, 1], k=60))


# Short texts come last: where they raise an exception, the longer ones did not.
BASIC = (
    Training("aaabdaaabac", 259, ("aaabdaaabac", "aaaaaaab" * 5, "aab", "ab", "aa", "b", "")),
    Training(TALE, 268, (TALE, OTHER, MIXED, "wo", "a", "")),
    Training(UMLAUTS, 270, (UMLAUTS, OTHER, MIXED, "Ü", "ü")),
    Training(KOREAN, 275, (KOREAN, MIXED, "세", "😉")),
    Training(MARKS * 3, 264, (MARKS, MIXED, "e\u0301")),
    *(Training(_random_text(s), 268, (_random_text(s), _random_text(s + 1))) for s in (1, 5, 9)),
    Training("as it is", 256, ("as it is", "안녕")),
    Training("abab", 258, ("ababab", "aba", "abab")),  # one token is left
)

# What these patterns match is the same for the modules re and regex.
WORDS = r" ?\w+|[^\w\s]+|\s+"
SPACE_LAST = r"[^ ]+ ?| +"
LETTERS = r"[a-z]+|[^a-z]+"
REGEX = (
    Training(TALE, 268, (TALE, OTHER, ""), WORDS),
    Training(TALE, 268, (TALE, OTHER, ""), SPACE_LAST),
    Training(UMLAUTS, 274, (UMLAUTS, OTHER, "über 안녕 😉!", "ü"), WORDS),
    Training(f"{KOREAN} {KOREAN}", 275, (KOREAN, MIXED, "세요"), SPACE_LAST),
    Training(TALE + UMLAUTS, 270, (TALE, MIXED, "woodwood"), LETTERS),
    Training("as it is", 256, ("as it is",), WORDS),
    Training("a b c", 258, ("a b c", " b  c", " b"), WORDS),  # one token is left of each chunk
)

# -- hints -----------------------------------------------------------------------------

FEW = "With fewer than two ids there is no pair to look for."
TIE = "Two pairs occur equally often: take the one that occurs first."
COUNT = "The first new id is 256, the last one vocab_size - 1: vocab_size - 256 merges."
SHARED = "All tokenizers share their merges: give each object its own, with self.merges = {}."
JOIN = "A character may have several bytes: join all bytes first, then decode."
NOT_TEXT = 'decode returns a string: turn the bytes into one, with errors="replace".'
REPLACE = 'Not all bytes are valid UTF-8: decode with errors="replace".'
MARK = 'Bytes that are not valid UTF-8 should leave a mark: errors="replace".'
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
    (
        Way(encode=ways.leftmost_first),
        "Merge the pair that was learned first, wherever it is in the text.",
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
    (Way(shared=True), SHARED),
]


def _by(pattern: str) -> ways.Split:
    """Split by this pattern, whichever is given."""
    return lambda _given, text: ways.split(pattern, text)


# Patterns that an answer may stick to, though it is given another one.
KNOWN = (WORDS, SPACE_LAST, LETTERS, GPT4_SPLIT_PATTERN, GPT2_SPLIT_PATTERN)
FIXED = [_by(pattern) for pattern in KNOWN]
SPLITTING: list[tuple[Way, str]] = [
    (Way(ways.whole, ways.whole), "No token may reach across a split: split the text."),
    (Way(trained_on=ways.whole), "train has to split, too."),
    (Way(encoded=ways.whole), "encode has to split, too."),
    (Way(trained_on=ways.each_once), "A chunk counts each time that it occurs."),
    (
        Way(ways.between, ways.between),
        "re.split returns what lies between the matches. re.findall returns the matches.",
    ),
    *((Way(trained_on=by), "train has to split by the pattern of its own object.") for by in FIXED),
    *((Way(encoded=by), "encode has to split by the pattern of its own object.") for by in FIXED),
]
NO_DIFFERENCE = "The pattern makes no difference: split by the one that MyRegex is made with."


# -- the checks ------------------------------------------------------------------------


@checker
def basic(answer: Any) -> str:
    """Check a class with ``train(text, vocab_size)``, ``encode(text)`` and ``decode(ids)``."""
    with _package_forbidden():
        tokenizers, calls = _use(answer, "MyBasic", BASIC)
        expect_calls(calls, _predicted(MISTAKES, BASIC))
        _check_decode(tokenizers, BASIC)
    return "It learns the same merges as the chapter's, encodes in their order, and decodes."


@checker
def regex(answer: Any) -> str:
    """Check a class like that of ``basic`` that is made with a pattern, and splits by it."""
    tokenizers, calls = _use(answer, "MyRegex", REGEX)
    ids = read(calls)
    texts = len(REGEX[0].encoded)  # as many as those of REGEX[1], which has another pattern
    same = ids[:texts] == ids[texts : 2 * texts]
    mistakes = _predicted([*SPLITTING, *MISTAKES], REGEX)
    expect_calls(calls, mistakes, NO_DIFFERENCE if same else "")
    _check_decode(tokenizers, REGEX)
    return "No token reaches across a split, neither in training nor in encoding."


@contextmanager
def _package_forbidden() -> Iterator[None]:
    """End the check where the answer trains one of the package's tokenizers."""

    def train(*_args: Any, **_options: Any) -> NoReturn:
        fail("MyBasic uses a tokenizer of zerotohero.tokenizer.", OWN)

    method = Tokenizer.train
    Tokenizer.train = train  # type: ignore[method-assign] # for a while
    try:
        yield
    finally:
        Tokenizer.train = method  # type: ignore[method-assign]


OWN = "Write all three methods yourself: the package's classes are ruled out here."


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
            received = run(tokenizer.encode, text, shown=shown, raised=few)
            calls.append(Call(shown, ids, received))
    return tokenizers, calls


def _shown(training: Training) -> str:
    return f"train({training.text!r}, {training.vocab_size})"


def _trained(answer: Any, name: str, training: Training) -> Any:
    """Make a tokenizer of the reader's class, and train it."""
    given = [training.pattern] if training.pattern else []
    tokenizer = run(answer, *given, shown=f"{name}({', '.join(map(repr, given))})")
    missing = [method for method in METHODS if not callable(getattr(tokenizer, method, None))]
    if missing:
        fail(f"{name} should have the methods {', '.join(METHODS)}: {missing[0]} is missing.")

    def train(*args: Any) -> bool:
        tokenizer.train(*args)  # which returns nothing
        return True

    run(train, training.text, training.vocab_size, shown=_shown(training))
    return tokenizer


def _check_decode(tokenizers: Sequence[Any], trainings: Sequence[Training]) -> None:
    """Check texts that are whole, then bytes that are not valid UTF-8."""
    for tokenizer, training in zip(tokenizers, trainings):
        merges = learn(RIGHT, training)
        vocab = naive.build_vocab(merges)
        for text in (training.text, MIXED, "한", ""):
            ids = naive.encode(text.encode("utf-8"), merges)
            received = _decoded(tokenizer, ids, JOIN)
            if received != text:
                by_token = "".join(naive.decode([i], vocab) for i in ids)
                hint = JOIN if received == by_token else ""
                hint = NOT_TEXT if isinstance(received, (bytes, bytearray)) else hint
                fail(f"decode({ids}) should be {text!r}, received {received!r}.", hint)
        largest = max(vocab)
        for ids in ([104, 128, 105], [largest, 0xEC, 0x95], [0xFF, largest, 0]):
            expected = naive.decode(ids, vocab)
            received = _decoded(tokenizer, ids, REPLACE)
            if received != expected:
                fail(f"decode({ids}) should be {expected!r}, received {received!r}.", MARK)


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
