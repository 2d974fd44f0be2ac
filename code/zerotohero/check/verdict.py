"""What a check answers: a verdict that is true or false and shows itself.

A checker is a function decorated with ``@checker``. It returns praise for a right answer
and calls ``fail`` or ``not_done`` to stop. Nothing that an answer does makes it raise.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Any, Literal, NoReturn

Status = Literal["right", "wrong", "not done yet"]
SIGN = {"right": "✓", "wrong": "✗", "not done yet": "…"}
PLAIN = {"✓": "+", "✗": "x", "…": "...", "×": "x", "−": "-", "·": "*", "²": "^2", "³": "^3"}


@dataclass(frozen=True)
class Verdict:
    """The result of a check. True only for a right answer.

    Attributes
    ----------
    status : str
        ``"right"``, ``"wrong"`` or ``"not done yet"``.
    message : str
        What is right, or what is wrong: the input, what was expected, what was received.
    hint : str
        For a known misconception, what to look at. Else empty.
    """

    status: Status
    message: str
    hint: str = ""

    def __bool__(self) -> bool:
        return self.status == "right"

    def __repr__(self) -> str:
        hint = f"\nHint: {self.hint}" if self.hint else ""
        text = f"{SIGN[self.status]} {self.status.capitalize()}. {self.message}{hint}"
        return _for_console(text)

    def _repr_html_(self) -> str:
        kind = self.status.replace(" ", "-")
        hint = f"<p><strong>Hint:</strong> {escape(self.hint)}</p>" if self.hint else ""
        message = escape(self.message).replace("\n", "<br>")
        return (
            f'<div class="check check-{kind}"><p><strong>{SIGN[self.status]} '
            f"{self.status.capitalize()}.</strong> {message}</p>{hint}</div>"
        )


def _for_console(text: str) -> str:
    """Write what the console cannot print in another way: "✗" as "x", others by their code."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"

    def printable(char: str) -> str:
        try:
            char.encode(encoding)
        except UnicodeEncodeError:
            return PLAIN.get(char) or ascii(char)[1:-1]
        return char

    return "".join(map(printable, text))


class _Found(Exception):
    """Carries a verdict out of a checker."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict


def checker(check: Callable[[Any], str]) -> Callable[[Any], Verdict]:
    """Turn a function that returns praise, or stops early, into one that returns a verdict."""

    @functools.wraps(check)
    def checked(answer: Any) -> Verdict:
        if answer is None or answer is ...:
            return Verdict("not done yet", _FILL_IN)
        try:
            return Verdict("right", check(answer))
        except _Found as found:
            return found.verdict
        except (Exception, SystemExit) as error:  # even objects that fail to compare
            return Verdict("wrong", f"The answer cannot be checked: {_describe(error)}")

    return checked


_FILL_IN = "Fill in the stub, then run the cell again."


def not_done(shown: str) -> NoReturn:
    """Stop: the stub that ``shown`` calls is untouched."""
    raise _Found(Verdict("not done yet", f"{shown} returns nothing yet. {_FILL_IN}"))


def fail(message: str, hint: str = "") -> NoReturn:
    """Stop: the answer is wrong."""
    raise _Found(Verdict("wrong", message, hint))


def stop(verdict: Verdict) -> NoReturn:
    """Stop with a verdict of one's own."""
    raise _Found(verdict)


def stopped(part: Callable[[], object]) -> Verdict | None:
    """Run a part of a check, and return the verdict with which it stopped, if it did."""
    try:
        part()
    except _Found as found:
        return found.verdict
    return None


def run(
    answer: Callable[..., Any], *args: Any, shown: str, too_deep: str = "", raised: str = ""
) -> Any:
    """Call an answer. A stub, or an exception, ends the check.

    Parameters
    ----------
    answer : callable
        The reader's function.
    *args
        Its arguments.
    shown : str
        The call as the reader would write it, for messages.
    too_deep : str
        The hint for a ``RecursionError``.
    raised : str
        The hint for any other exception.
    """
    if not callable(answer):
        fail(f"Expected a function, received {answer!r}.")
    try:
        result = answer(*args)
    except _Found:  # a method that is missing, say
        raise
    except NotImplementedError:
        not_done(shown)
    except (Exception, SystemExit) as error:
        hint = too_deep if isinstance(error, RecursionError) else raised
        fail(f"{shown} raised {_describe(error)}", hint)
    if result is None or result is ...:
        if _has_empty_body(answer):
            not_done(shown)
        fail(f"{shown} returned {result!r}.", "Does every path through the function return?")
    return result


def close(received: Any, expected: float, tolerance: float = 1e-6) -> bool:
    """Whether a received number equals the expected one, up to ``tolerance`` relative to 1."""
    number = _number(received)
    return number is not None and abs(number - expected) <= tolerance * max(1.0, abs(expected))


def expect_numbers(
    received: Any,
    expected: list[float],
    shown: str,
    misconceptions: Sequence[tuple[int, float, str]] = (),
    otherwise: str = "",
) -> None:
    """Stop unless ``received`` holds the expected numbers.

    ``misconceptions`` are (entry, number, hint): the first whose number was received at its
    entry, instead of the right one, gives the hint. Without any, the hint is ``otherwise``.
    """
    try:
        items = list(islice(received, len(expected) + 1))  # a generator may have no end
    except TypeError:
        fail(f"{shown} should return {len(expected)} numbers, received {received!r}.")
    numbers = [_number(item) for item in items]
    if len(items) != len(expected) or None in numbers:
        fail(f"{shown} should return {len(expected)} numbers, received {received!r}.")
    floats = [number for number in numbers if number is not None]
    for i, (ours, right) in enumerate(zip(floats, expected)):
        if not close(ours, right):
            hints = (
                hint
                for j, wrong, hint in misconceptions
                if close(floats[j], wrong) and not close(floats[j], expected[j])
            )
            fail(
                f"{shown}: entry {i} should be {right:.8g}, received {ours:.8g}.",
                next(hints, otherwise),
            )


def _number(item: Any) -> float | None:
    if isinstance(item, (str, bytes)):  # float would read "1.5" as a number
        return None
    try:
        number = float(item)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    return number if not math.isnan(number) else None


def _describe(error: BaseException) -> str:
    try:
        text = str(error)
    except (Exception, SystemExit):  # an exception of the answer's own, which cannot say what it is
        text = ""
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__}."


def _has_empty_body(function: Callable[..., Any]) -> bool:
    """Whether a function only holds a docstring, ``...``, ``pass`` or ``return None``."""

    def stub() -> None: ...

    def documented_stub() -> None:
        """Do nothing."""

    code = getattr(function, "__code__", None)
    if code is None:
        return False
    return code.co_code in (stub.__code__.co_code, documented_stub.__code__.co_code)
