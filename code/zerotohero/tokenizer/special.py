"""Special tokens: what may be registered, and which count in a text.

Special tokens are no text: they are marks, such as that of the end of a document. If a user's
text could hold them, it could lead a model astray. So their occurrence is an error, unless
the program allows it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Iterator, Mapping


def clean(text: str) -> str:
    """Return the text as UTF-8 can hold it, surrogates replaced; ``TypeError`` if it is none."""
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def integer(name: str, given: object) -> int:
    """Return an integer of any type as ``int``; ``TypeError`` with the name if it is none."""
    try:
        return operator.index(given)  # type: ignore[arg-type] # that is the question
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {given!r}") from None


def check(special_tokens: Mapping[str, int], vocab: Collection[int]) -> dict[str, int]:
    """Return special tokens that may be registered beside a vocabulary's ids.

    Raises
    ------
    TypeError
        If a token is no text or an id no integer.
    ValueError
        If a token is empty or holds a surrogate, or its id is negative or another token's.
    """
    checked: dict[str, int] = {}
    token_of: dict[int, str] = {}
    for token, given in special_tokens.items():
        if not isinstance(token, str):
            raise TypeError(f"a special token must be a text, got {token!r}")
        if not token:
            raise ValueError("a special token must not be empty")
        if token != clean(token):
            raise ValueError(f"the special token {token!r} holds a surrogate")
        idx = integer(f"the id of the special token {token!r}", given)
        if idx < 0:
            raise ValueError(f"the special token {token!r} has the negative id {idx}")
        if idx in vocab or idx in token_of:
            owner = repr(token_of[idx]) if idx in token_of else "a byte or a merge"
            raise ValueError(f"the special token {token!r} has the id {idx}, that of {owner}")
        token_of[idx] = token
        checked[token] = idx
    return checked


def choose(
    text: str, special_tokens: Collection[str], allowed_special: str | Collection[str]
) -> set[str]:
    """Return the special tokens that count in a text; see ``Tokenizer.encode``."""
    if not isinstance(allowed_special, str) and isinstance(allowed_special, Collection):
        return {token for token in special_tokens if token in allowed_special}
    if allowed_special == "all":
        return set(special_tokens)
    if allowed_special == "none":
        return set()
    if allowed_special != "none_raise":
        raise ValueError(
            'allowed_special must be "all", "none", "none_raise" or a set of special tokens, '
            f"got {allowed_special!r}"
        )
    if found := [token for token in special_tokens if token in text]:
        first = min(found, key=text.index)
        raise ValueError(
            f"the text contains the special token {first!r}: to encode it as such, pass "
            f'allowed_special={{{first!r}}} or "all"; as other text, "none"'
        )
    return set()


def cut(text: str, tokens: Collection[str]) -> Iterator[tuple[str, bool]]:
    """Yield the text in parts, and whether each is one of the tokens, of which there is one.

    Where several start at one place, the longest counts.
    """
    longest_first = sorted(tokens, key=len, reverse=True)
    # The parentheses keep the tokens in the list: every second part is one.
    parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", text)
    for number, part in enumerate(parts):
        yield part, number % 2 == 1
