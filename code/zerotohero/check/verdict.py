"""What a check answers: a verdict that is true or false and shows itself.

A checker is a function decorated with ``@checker``. It returns praise for a right answer
and calls ``fail`` or ``not_done`` to stop. Nothing that an answer does makes it raise.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
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
        html = (
            f'<div class="check check-{kind}"><p><strong>{SIGN[self.status]} '
            f"{self.status.capitalize()}.</strong> {message}</p>{hint}</div>"
        )
        return html.encode("utf-8", "backslashreplace").decode("utf-8")  # no lone surrogates


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


class Found(BaseException):
    """Carries a verdict out of a checker, past any ``except Exception`` of the answer."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict


def checker(check: Callable[[Any], str]) -> Callable[[Any], Verdict]:
    """Turn a function that returns praise, or stops early, into one that returns a verdict."""

    @functools.wraps(check)
    def checked(answer: Any) -> Verdict:
        if answer is None or answer is ...:
            return Verdict("not done yet", FILL_IN)
        try:
            return Verdict("right", check(answer))
        except Found as found:
            return found.verdict
        except (Exception, SystemExit) as error:  # even objects that fail to compare
            return Verdict("wrong", f"The answer cannot be checked: {describe(error)}")

    return checked


FILL_IN = "Fill in the stub, then run the cell again."
LONGEST = 400  # characters of an exception's text


def fail(message: str, hint: str = "") -> NoReturn:
    """Stop: the answer is wrong."""
    raise Found(Verdict("wrong", message, hint))


def stop(verdict: Verdict) -> NoReturn:
    """Stop with a verdict of one's own."""
    raise Found(verdict)


def stopped(part: Callable[[], object]) -> Verdict | None:
    """Run a part of a check, and return the verdict with which it stopped, if it did."""
    try:
        part()
    except Found as found:
        return found.verdict
    return None


def describe(error: BaseException) -> str:
    """Return the kind of an exception and what it says, cut where it gets too long."""
    try:
        text = str(error)
    except (Exception, SystemExit):  # an exception of the answer's own, which cannot say what it is
        text = ""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} …"
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__}."
