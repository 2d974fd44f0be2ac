"""The check of the fourth step of chapter 8: special tokens."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import regex
from check_answers import outcome

from zerotohero.check import tokenizer

Answer = Callable[..., Any]


def split_with(
    text: str,
    special_tokens: dict[str, int],
    encode_ordinary: Answer,
    allowed_special: Any,
    *,
    escape: Any = re.escape,
    split: Any = re.split,
    group: str = "({})",
    order: Callable[[list[str]], list[str]] = lambda found: sorted(found, key=len, reverse=True),
    everything: Callable[[Any], bool] = lambda allowed_special: False,
    error: Callable[[str], Exception] = lambda token: ValueError(f"there is {token}"),
    check_first: bool = True,
    as_tiktoken: bool = False,
    look_up_all: bool = False,
    look_up_parts: bool = False,
) -> list[int]:
    """As in the chapter, or with a mistake."""
    if allowed_special == "none_raise" and check_first:
        for token in special_tokens:
            if token in text:
                raise error(token)
    allowed = (
        set(special_tokens) if allowed_special == "all" or everything(allowed_special) else set()
    )
    if not isinstance(allowed_special, str):
        allowed |= set(allowed_special)
    if as_tiktoken and allowed_special != "none_raise":
        for token in special_tokens.keys() - allowed:
            if token in text:
                raise ValueError(f"disallowed special token {token!r}")
    if not allowed:
        return encode_ordinary(text)
    ordered = order([token for token in special_tokens if token in allowed])
    ids: list[int] = []
    for part in split(group.format("|".join(map(escape, ordered))), text):
        known = special_tokens if look_up_all else allowed
        if look_up_parts and part and any(part in token for token in allowed):
            known = special_tokens
        ids += [special_tokens[part]] if part in known else encode_ordinary(part)
    return ids


def mistaken(**mistake: Any) -> Answer:
    return lambda *given: split_with(*given, **mistake)


def test_what_the_chapter_shows_is_right() -> None:
    verdict = tokenizer.special(split_with)
    assert verdict, verdict.message
    assert "where they are allowed" in verdict.message


def in_turn(
    text: str, special_tokens: dict[str, int], encode_ordinary: Answer, allowed_special: Any
) -> list[int]:
    """Split by one token after the other."""
    if allowed_special == "none_raise":
        return split_with(text, special_tokens, encode_ordinary, allowed_special)
    if isinstance(allowed_special, str):
        allowed_special = special_tokens if allowed_special == "all" else ()
    for token in sorted(allowed_special, key=len, reverse=True):
        if token in text:
            before, _, after = text.partition(token)
            given = (special_tokens, encode_ordinary, allowed_special)
            return [*in_turn(before, *given), special_tokens[token], *in_turn(after, *given)]
    return list(encode_ordinary(text))


def spoiling(
    text: str, special_tokens: dict[str, int], encode_ordinary: Answer, allowed_special: Any
) -> list[int]:
    ids = split_with(text, special_tokens, encode_ordinary, allowed_special)
    if isinstance(allowed_special, set):
        allowed_special.clear()
    return ids


def none_as_none_raise(
    text: str, special_tokens: dict[str, int], encode_ordinary: Answer, allowed_special: Any
) -> list[int]:
    if allowed_special == "none":
        allowed_special = "none_raise"
    return split_with(text, special_tokens, encode_ordinary, allowed_special)


def assertion(
    text: str, special_tokens: dict[str, int], encode_ordinary: Answer, allowed_special: Any
) -> list[int]:
    if allowed_special == "none_raise":
        assert all(token not in text for token in special_tokens), "a special token"
    return split_with(text, special_tokens, encode_ordinary, allowed_special, check_first=False)


NAME = "The message should name the token."
LONGEST = "Where several start at one position, the longest counts: try it first."
ESCAPE = "Signs such as | and * mean something in regular expressions: use re.escape."
ALLOWED = "Only those that are allowed count. The others are text."
ERROR = "A special token in the text is refused with a ValueError: raise ValueError(...)."
TIKTOKEN = (
    "tiktoken refuses a special token that is not allowed. Here it is text like any other: only "
    '"none_raise" refuses.'
)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (mistaken(escape=str), ESCAPE),
        (mistaken(escape=str, split=regex.split), ESCAPE),
        (
            mistaken(group="{}"),
            "The special tokens are lost: re.split keeps what is in parentheses.",
        ),
        (
            lambda text, _, encode_ordinary, __: encode_ordinary(text),
            "The special tokens were encoded like other text.",
        ),
        (mistaken(order=lambda found: sorted(found, key=len)), LONGEST),
        (mistaken(order=lambda found: found), LONGEST),
        (
            in_turn,
            "Read from left to right: of two that overlap, the one that starts first counts.",
        ),
        (mistaken(everything=lambda _: True), ALLOWED),
        (mistaken(everything=lambda allowed: allowed not in ("none", "none_raise")), ALLOWED),
        (mistaken(everything=bool), ALLOWED),
        (mistaken(look_up_all=True), ALLOWED),
        (mistaken(look_up_parts=True), ALLOWED),
        (mistaken(as_tiktoken=True), TIKTOKEN),
        (none_as_none_raise, TIKTOKEN),
        (assertion, ERROR),
        (mistaken(error=KeyError), ERROR),
        (mistaken(error=AssertionError), ERROR),
        (
            mistaken(error=lambda _: ValueError("no special tokens, please")),
            NAME,
        ),
        (mistaken(check_first=False), "A special token that nobody has allowed is an error."),
        (spoiling, "Work on a copy."),
    ],
)
def test_special_wrong(answer: Answer, hint: str) -> None:
    outcome(tokenizer.special(answer), hint=hint)


def test_an_error_of_another_kind_is_told_with_its_name() -> None:
    outcome(tokenizer.special(assertion), "raised AssertionError: a special token", hint=ERROR)


def test_a_value_error_of_another_reason_has_no_hint() -> None:
    def answer(*given: Any) -> Any:
        return int("not a number")

    outcome(tokenizer.special(answer), "raised ValueError", hint="")


# -- the refusal -----------------------------------------------------------------------


def refusing(refuse: Callable[[str, str, dict[str, int]], Any]) -> Answer:
    """Answer with something else where a token is refused."""

    def answer(
        text: str, special_tokens: dict[str, int], encode_ordinary: Answer, allowed_special: Any
    ) -> Any:
        if allowed_special == "none_raise":
            for token in special_tokens:
                if token in text:
                    return refuse(text, token, special_tokens)
        given = (text, special_tokens, encode_ordinary, allowed_special)
        return split_with(*given, check_first=False)

    return answer


def raising(message: Callable[[str, str, dict[str, int]], Any]) -> Answer:
    """Answer with a ValueError that says this."""

    def refuse(*given: Any) -> None:
        raise ValueError(message(*given))

    return refusing(refuse)


OTHERS = "The message should name the token that occurs in the text, and no other."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (refusing(lambda _, token, __: ValueError(token)), ERROR),
        (
            refusing(lambda _, token, __: token),
            "A special token that nobody has allowed is an error.",
        ),
        (raising(lambda text, _, __: text), NAME),
        (raising(lambda _, __, special_tokens: next(iter(special_tokens))), OTHERS),
        (raising(lambda text, _, __: f"no special tokens in {text!r}, please"), NAME),
        (raising(lambda _, __, special_tokens: list(special_tokens)), OTHERS),
        (raising(lambda *_: "<|end|>, <|user|>, «ü»"), OTHERS),
        (raising(lambda text, token, special_tokens: (text, token, special_tokens)), OTHERS),
    ],
)
def test_a_refusal_is_raised_and_names_the_token(answer: Answer, hint: str) -> None:
    outcome(tokenizer.special(answer), hint=hint)


def searching(search: Callable[[str, str], Any], whole: bool) -> Answer:
    """Look for what is refused with regular expressions, of each token or of all of them."""

    def answer(
        text: str, special_tokens: dict[str, int], encode_ordinary: Answer, allowed_special: Any
    ) -> Any:
        if allowed_special == "none_raise":
            for token in ["|".join(special_tokens)] if whole else special_tokens:
                if token and (match := search(token, text)):
                    raise ValueError(f"not allowed: {match.group() if whole else token}")
        given = (text, special_tokens, encode_ordinary, allowed_special)
        return split_with(*given, check_first=False)

    return answer


@pytest.mark.parametrize("search", [re.search, regex.search])
@pytest.mark.parametrize("whole", [True, False])
def test_signs_of_regular_expressions_in_what_is_refused(search: Any, whole: bool) -> None:
    outcome(tokenizer.special(searching(search, whole)), hint=ESCAPE)


def test_what_looks_like_a_special_token_is_not_refused() -> None:
    def of_any_case(token: str, text: str) -> Any:
        return re.search(re.escape(token), text, re.IGNORECASE)

    def with_spaces(token: str, text: str) -> Any:
        return re.search(re.escape(token), text.replace(" ", ""))

    for search in (of_any_case, with_spaces):
        outcome(tokenizer.special(searching(search, False)), "<|END|> <| end |>", hint="")


@pytest.mark.parametrize(
    "message",
    [
        lambda _, token, __: token,
        lambda _, token, __: f"{token}: this is not allowed",
        lambda text, token, __: f"{token!r} occurs in {text!r}",
        lambda text, _, special_tokens: [token for token in special_tokens if token in text],
        lambda text, token, __: (token, text.index(token)),
    ],
)
def test_a_refusal_may_say_more(message: Any) -> None:
    verdict = tokenizer.special(raising(message))
    assert verdict, verdict.message


# -- parts of text ---------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [r"(?s).", r" ?\w+|\W", "[^ ]+ ?| +"])
def test_text_in_parts_is_told_with_what_encode_ordinary_returns(pattern: str) -> None:
    def answer(text: str, special_tokens: Any, encode_ordinary: Answer, allowed: Any) -> list[int]:
        def in_parts(text: str) -> list[int]:
            return [idx for part in re.findall(pattern, text) for idx in encode_ordinary(part)]

        return split_with(text, special_tokens, in_parts, allowed)

    message = "encode_ordinary here returns 1000 + the number of characters, then the bytes."
    hint = "What stands between two special tokens is encoded as a whole."
    verdict = tokenizer.special(answer)
    outcome(verdict, hint=hint)
    if pattern == "(?s).":
        outcome(verdict, message, hint=hint)
