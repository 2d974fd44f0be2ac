"""Checks of lists of token ids, for chapter 8."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ..verdict import fail

Ids = list[int]
Mistakes = Iterable[tuple[Sequence[Ids], str]]

BYTES = "An id is a whole number: return the ids of the tokens, not their bytes."
STRINGS = "An id is a whole number: return the ids of the tokens, not strings."
NESTED = "Return one flat list: join the lists of ids."


class Call(NamedTuple):
    """A call of the answer: as the reader would write it, the right ids, and those received.

    The note is a sentence for the message of wrong ids.
    """

    shown: str
    expected: Ids
    received: Any
    note: str = ""


def read(calls: Sequence[Call]) -> list[Ids]:
    """Return the ids that were received. Stop at what is not a list of whole numbers."""
    found = []
    for call in calls:
        ids = _ids(call.received, 2 * len(call.expected) + 1000)
        if ids is None:
            what = f"received {reprlib.repr(call.received)}."
            fail(f"{call.shown} should return a list of whole numbers, {what}", _type_hint(call))
        found.append(ids)
    return found


def expect_calls(calls: Sequence[Call], mistakes: Mistakes = (), otherwise: str = "") -> None:
    """Stop unless each call returned the expected ids.

    ``mistakes`` are (the ids of all calls, hint). The first that explains what *every* call
    returned gives the hint: so no hint rests on one call that happens to fit. Without any, the
    hint is ``otherwise``.
    """
    received = read(calls)
    for call, ids in zip(calls, received):
        if ids != call.expected:
            hints = (hint for wrong, hint in mistakes if list(wrong) == received)
            message = f"{call.shown} should be {call.expected}, received {ids}. {call.note}"
            fail(message.rstrip(), next(hints, otherwise))


def expect_ids(received: Any, expected: Ids, shown: str, mistakes: Mistakes = ()) -> None:
    """Stop unless one call returned the expected ids, see ``expect_calls``."""
    expect_calls([Call(shown, expected, received)], mistakes)


def _ids(received: Any, most: int) -> Ids | None:
    if isinstance(received, (str, bytes, bytearray)) or not isinstance(received, Iterable):
        return None
    try:
        return [operator.index(idx) for idx in islice(received, most)]  # it may have no end
    except TypeError:
        return None


def _type_hint(call: Call) -> str:
    """Return the hint for what is not a list of whole numbers."""
    if isinstance(call.received, (bytes, bytearray)):
        return BYTES
    if not isinstance(call.received, (list, tuple)) or not call.received:
        return ""
    if all(isinstance(item, bytes) for item in call.received):
        return BYTES
    if all(isinstance(item, str) for item in call.received):
        return STRINGS
    if all(isinstance(item, (list, tuple)) for item in call.received):
        return NESTED if [i for part in call.received for i in part] == call.expected else ""
    return ""
