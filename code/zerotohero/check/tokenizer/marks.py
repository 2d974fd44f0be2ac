"""The check of the fourth step of chapter 8: special tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial, wraps
from itertools import islice
from typing import Any, NamedTuple

import regex

from ..running import guarded, run
from ..verdict import checker, describe, fail
from .ids import Call, Ids, expect_calls, read

Ordinary = Callable[[str], Ids]
# A token may come before or after a longer one that begins with it.
CHAT = {"<|end|>": 500, "<|user|>": 501, "<|user|>: ": 502}
SIGNS = {"[a-z]": 11, "*": 30, "(?:": 0, "\\d+": 12, "$x^": 13, "[a": 14}
OVERLAPS = {"abra": 7, "ab": 40, "🙂": 2, "raab": 8, "«ü»": 9, "안녕": 3, "n": 20}


def ordinary(start: int) -> Ordinary:
    """Return a function that encodes text: its length from ``start`` on, then its bytes.

    So parts that were encoded together can be told from parts that were not.
    """
    return lambda text: [start + len(text), *text.encode("utf-8")] if text else []


class Case(NamedTuple):
    """A call, and the tokens that count in it."""

    text: str
    special_tokens: dict[str, int]
    allowed: str | set[str]
    counting: Sequence[str]
    start: int = 1000

    @property
    def shown(self) -> str:
        """Return the call as the reader would write it."""
        given = f"{self.text!r}, {self.special_tokens}, encode_ordinary, {self.allowed!r}"
        return f"encode_special({given})"


def _all(text: str, special_tokens: dict[str, int], start: int = 1000) -> Case:
    return Case(text, special_tokens, "all", [*special_tokens], start)


def _some(text: str, special_tokens: dict[str, int], *allowed: str, start: int = 1000) -> Case:
    return Case(text, special_tokens, set(allowed), allowed, start)


CASES = [
    _all("hello<|end|>world", CHAT),
    _all("<|user|>: hi<|user|><|end|>", CHAT, 3000),
    _some("a<|end|>b<|user|>c", CHAT, "<|end|>"),
    _some("<|user|>: hi<|user|>", CHAT, "<|user|>", start=2000),
    _some("<|user|>: hi<|user|>", CHAT, "<|end|>", "<|user|>: "),
    _some("<|user|><|end|>", CHAT, "<|end|>"),
    _some("a<|end|>b", CHAT),
    _some("<|end|>", CHAT),
    Case("a<|end|>b<|user|>", CHAT, "none", []),
    Case("nothing special", CHAT, "none_raise", [], 2000),
    Case("the end", CHAT, "none_raise", [], 8000),  # parts of tokens are no tokens
    Case("<|END|> <| end |> the end", CHAT, "none_raise", []),
    _all("[a-z]*b(?:\\d+5$x^[ab", SIGNS, 4000),
    _some("x*[a-z](?:", SIGNS, "*", "(?:"),
    _some("[a-z]\\d+", SIGNS, "[a-z]"),
    _all("abraab dabra: raabra", OVERLAPS),
    _all("🙂🙂 grün «ü» 안녕안 e\u0301", OVERLAPS, 5000),
    _some("abra 🙂 dn", OVERLAPS, "raab", "ab", "🙂", start=6000),
    # Not allowed, but a part of one that is.
    _some("ab", OVERLAPS, "raab"),
    _some("<|end|><|user|><|user|>: ", CHAT, "<|end|>", "<|user|>: "),
    Case("none n", OVERLAPS, "none", []),
    Case("<|user|>", OVERLAPS, "none_raise", []),  # a special token of others
    _all(" a\n<|end|>\n <|END|> ", CHAT),
    _all("<|end|>", CHAT),
    _all("<|end|>", {}, 7000),
    _all("", CHAT),
    Case("", OVERLAPS, "none", []),
    Case("", CHAT, "none_raise", []),
    _some("", SIGNS, "*"),
]
REFUSED = [
    ("a<|end|>b", CHAT),
    ("<|user|>", CHAT | OVERLAPS),
    ("raab", {"abra": 7, "aab": 40, "aab!": 3}),
    ("no", OVERLAPS),
    ("grün: 안녕 <|end|>", {"«ü»": 9, "안녕": 3, "<|user|>": 0}),
]

# -- ways to encode --------------------------------------------------------------------


def longest_first(case: Case) -> list[str]:
    """Return the tokens that count, the longest first."""
    return sorted(case.counting, key=len, reverse=True)


def shortest_first(case: Case) -> list[str]:
    """Return the tokens that count, the shortest first."""
    return sorted(case.counting, key=len)


def as_they_come(case: Case) -> list[str]:
    """Return the tokens that count, in the order of the dictionary."""
    return [token for token in case.special_tokens if token in case.counting]


def whichever(case: Case) -> list[str]:
    """Return all special tokens, the longest first."""
    return sorted(case.special_tokens, key=len, reverse=True)


def split_once(
    case: Case,
    order: Callable[[Case], list[str]],
    *,
    looked_up: Callable[[Case], list[str]] | None = None,
    keep: bool = True,
) -> Ids:
    """Encode: split by all special tokens at once, tried in this order."""
    tokens = order(case)
    if not tokens:
        return ordinary(case.start)(case.text)
    known = looked_up(case) if looked_up else tokens
    ids: Ids = []
    for part in re.split(f"({'|'.join(map(re.escape, tokens))})", case.text):
        if part not in known:
            ids += ordinary(case.start)(part)
        elif keep:
            ids.append(case.special_tokens[part])
    return ids


def split_in_turn(case: Case, order: Callable[[Case], list[str]]) -> Ids:
    """Encode: split by one special token after the other."""
    parts = [case.text]
    for token in order(case):
        divided = [p if p in case.counting else re.split(f"({re.escape(token)})", p) for p in parts]
        parts = [p for d in divided for p in ([d] if isinstance(d, str) else d)]
    ids: Ids = []
    for part in parts:
        marked = part in case.counting
        ids += [case.special_tokens[part]] if marked else ordinary(case.start)(part)
    return ids


def parts_of_longest(case: Case) -> list[str]:
    """Return all special tokens that are part of one that counts."""
    return [t for t in case.special_tokens if any(t in token for token in case.counting)]


# When an answer may let all special tokens count, though only some are allowed.
CONDITIONS: list[Callable[[Any], bool]] = [
    lambda _: True,
    bool,
    lambda allowed: allowed != "none",
    lambda allowed: bool(allowed) and allowed != "none",
]


def split_all_if(case: Case, condition: Callable[[Any], bool]) -> Ids:
    """Encode: let all special tokens count, on a condition."""
    return split_once(case, whichever if condition(case.allowed) else longest_first)


LONGEST = "Where several start at one position, the longest counts: try it first."
LEFT = "Read from left to right: of two that overlap, the one that starts first counts."
LOST = "The special tokens are lost: re.split keeps what is in parentheses."
TEXT = "The special tokens were encoded like other text."
ALLOWED = "Only those that are allowed count. The others are text."
MISTAKES: list[tuple[Callable[[Case], Ids], str]] = [
    (lambda case: split_once(case, longest_first, keep=False), LOST),
    (lambda case: ordinary(case.start)(case.text), TEXT),
    (lambda case: split_once(case, shortest_first), LONGEST),
    (lambda case: split_once(case, as_they_come), LONGEST),
    (lambda case: split_in_turn(case, longest_first), LEFT),
    (lambda case: split_once(case, longest_first, looked_up=whichever), ALLOWED),
    (lambda case: split_once(case, longest_first, looked_up=parts_of_longest), ALLOWED),
    *((partial(split_all_if, condition=condition), ALLOWED) for condition in CONDITIONS),
]
ESCAPE = "Signs such as | and * mean something in regular expressions: use re.escape."
TIKTOKEN = (
    "tiktoken refuses a special token that is not allowed. Here it is text like any other: only "
    '"none_raise" refuses.'
)
ERROR = "A special token in the text is refused with a ValueError: raise ValueError(...)."
NOBODY = "A special token that nobody has allowed is an error."
NAME = "The message should name the token."
OTHERS = "The message should name the token that occurs in the text, and no other."
WHOLE = "What stands between two special tokens is encoded as a whole."


@checker
def special(answer: Any) -> str:
    """Check ``(text, special_tokens, encode_ordinary, allowed_special)``, which returns ids."""
    calls = []
    for case in CASES:
        given = (dict(case.special_tokens), ordinary(case.start), _copy(case.allowed))
        received = run(_explained(answer, case), case.text, *given, shown=case.shown)
        expected = split_once(case, longest_first)
        returns = f"{case.start} + the number of characters, then the bytes"
        note = f"encode_ordinary here returns {returns}."
        calls.append(Call(case.shown, expected, received, note if case.text else ""))
    expect_calls(calls, _predicted(), WHOLE if _cut_elsewhere(calls) else "")
    for text, special_tokens in REFUSED:
        _check_refusal(answer, text, special_tokens)
    return "Special tokens count where they are allowed, and nowhere else."


def _cut_elsewhere(calls: Sequence[Call]) -> bool:
    """Whether all is right but the lengths of the parts that were encoded together."""
    return all(
        [idx for idx in ids if idx < 1000] == [idx for idx in call.expected if idx < 1000]
        for call, ids in zip(calls, read(calls))
    )


def _copy(allowed: str | set[str]) -> str | set[str]:
    return allowed if isinstance(allowed, str) else set(allowed)


def _predicted() -> Iterator[tuple[list[Ids], str]]:
    """Yield what each mistake would give, and its hint. Only wrong answers get here."""
    for way, hint in MISTAKES:
        yield [way(case) for case in CASES], hint


def _explained(answer: Callable[..., Any], case: Case) -> Callable[..., Any]:
    """Return the answer, with hints for two exceptions."""
    if not callable(answer):
        return answer
    others = case.special_tokens.keys() - set(case.counting)
    refused = [token for token in others if token in case.text]

    @wraps(answer)
    def explained(*given: Any) -> Any:
        try:
            return answer(*given)
        except (re.error, regex.error) as error:
            fail(f"{case.shown} raised {describe(error)}", ESCAPE)
        except ValueError as error:
            named = any(token in str(error) for token in refused)
            if named and case.allowed != "none_raise":
                fail(f"{case.shown} raised {describe(error)}", TIKTOKEN)
            if case.text == "the end" and "end" in str(error):  # found by <|end|>
                fail(f"{case.shown} raised {describe(error)}", ESCAPE)
            raise

    return explained


def _check_refusal(answer: Callable[..., Any], text: str, special_tokens: dict[str, int]) -> None:
    given = (dict(special_tokens), ordinary(1000), "none_raise")
    shown = Case(text, special_tokens, "none_raise", []).shown

    raised: list[ValueError] = []

    def refused() -> Any:
        try:
            result = answer(text, *given)
            return list(islice(result, 100)) if isinstance(result, Iterator) else result
        except (re.error, regex.error) as error:
            fail(f"{shown} raised {describe(error)}", ESCAPE)
        except ValueError as error:
            raised.append(error)

    received = guarded(refused, shown, raised=ERROR)
    if not raised:
        hint = ERROR if isinstance(received, BaseException) else NOBODY
        fail(f"{shown} should raise a ValueError, received {received!r}.", hint)
    _check_message(raised[0], text, special_tokens, shown)


def _check_message(
    error: ValueError, text: str, special_tokens: dict[str, int], shown: str
) -> None:
    """Stop unless the message names a token of the text, apart from the text, and no other."""
    found = [token for token in special_tokens if token in text]
    message = str(error) if text in found else str(error).replace(text, "")
    named = any(token in message for token in found)
    for token in sorted(found, key=len, reverse=True):
        message = message.replace(token, "")
    # Shorter ones may be part of any word.
    if any(len(token) > 2 and token in message for token in special_tokens):
        fail(f"{shown} raised {describe(error)}", OTHERS)
    if not named:
        fail(f"{shown} raised {describe(error)}", NAME)
