"""Runs an answer: not for too long, told of the line that fails, and of what it changes."""

from __future__ import annotations

import _thread
import dis
import inspect
import reprlib
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from types import FrameType, SimpleNamespace, TracebackType
from typing import Any, NoReturn

from .verdict import FILL_IN, Verdict, describe, fail, stop

SECONDS = 5.0
MOST_ITEMS = 1_000_000
NOT_CALLED = "Pass the function itself, not what it returns."


def run(
    answer: Callable[..., Any],
    *args: Any,
    shown: str,
    too_deep: str = "",
    raised: str = "",
    endless: str = "Does every loop come to an end?",
    may_change: Collection[int] = (),
    seconds: float | None = None,
) -> Any:
    """Call an answer. A stub, an exception, a changed argument, or no end in time ends the check.

    An iterator is read to its end, and comes back as a list.

    Parameters
    ----------
    answer : callable
        The reader's function.
    *args
        Its arguments. It may not change them.
    shown : str
        The call as the reader would write it, for messages.
    too_deep : str
        The hint for a ``RecursionError``.
    raised : str
        The hint for any other exception.
    endless : str
        The hint for an answer that is stopped.
    may_change : collection of int
        The positions of arguments that the answer is asked to change.
    seconds : float, optional
        How long it may take, by default ``SECONDS``.
    """
    if not callable(answer):
        fail(f"Expected a function, received {reprlib.repr(answer)}.", NOT_CALLED)
    before = [None if i in may_change else _snapshot(arg) for i, arg in enumerate(args)]
    result = guarded(
        lambda: _read(answer(*args), shown),
        shown,
        too_deep=too_deep,
        raised=raised,
        endless=endless,
        seconds=seconds,
    )
    empty = result is None or result is ...
    if empty and _has_empty_body(answer):
        not_done(shown)
    for i, arg in enumerate(args):
        if i not in may_change and not _unchanged(before[i], _snapshot(arg)):
            _fail_changed(answer, i, arg, shown)
    if empty:
        fail(f"{shown} returned {result!r}.", "Does every path through the function return?")
    return result


def not_done(shown: str) -> NoReturn:
    """Stop: the stub that ``shown`` calls is untouched."""
    stop(Verdict("not done yet", f"{shown} returns nothing yet. {FILL_IN}"))


def guarded(
    part: Callable[[], Any],
    shown: str,
    *,
    too_deep: str = "",
    raised: str = "",
    endless: str = "Does every loop come to an end?",
    seconds: float | None = None,
) -> Any:
    """Run a part of an answer. An exception, or no end in time, ends the check.

    The parameters are those of ``run``.
    """
    allowed = SECONDS if seconds is None else seconds
    try:
        with _limited(allowed):
            return part()
    except _TooLong:
        fail(f"{shown} was stopped: it did not end within {allowed:g} seconds.", endless)
    except RecursionError as error:
        fail(f"{shown} raised {describe(error)}", too_deep)
    except (Exception, SystemExit) as error:
        if isinstance(error, NotImplementedError) and _is_raised_by_hand(error):
            not_done(shown)
        line = own_line(error)
        where = f"\nThe line that raised it: {line}" if line else ""
        fail(f"{shown} raised {describe(error)}{where}", raised)


# -- time ------------------------------------------------------------------------------


class _TooLong(BaseException):
    """The time is up. Not an ``Exception``, so that an answer's own ``except`` lets it pass."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise ``_TooLong`` after some seconds: in the main thread, and where the system can."""
    browser = sys.platform == "emscripten"  # neither signals nor threads
    if browser or threading.current_thread() is not threading.main_thread():
        yield
    elif hasattr(signal, "setitimer"):
        with _alarm(seconds):
            yield
    else:
        with _interrupt(seconds):
            yield


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        raise _TooLong

    handler = signal.signal(signal.SIGALRM, ring)
    before = signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)  # again, if one was swallowed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *before)


@contextmanager
def _interrupt(seconds: float) -> Iterator[None]:
    """Do as Ctrl-C does, for Windows, which has no alarm. A call that sleeps, sleeps on."""
    expired = threading.Event()

    def interrupt() -> None:
        expired.set()
        _thread.interrupt_main()

    timer = threading.Timer(seconds, interrupt)
    timer.start()
    try:
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # an interrupt that is on its way arrives here
    except KeyboardInterrupt:
        if expired.is_set():
            raise _TooLong from None
        raise


def _read(result: Any, shown: str) -> Any:
    """Return what an iterator yields as a list, anything else as it is."""
    if not isinstance(result, Iterator):
        return result
    items = list(islice(result, MOST_ITEMS + 1))
    if len(items) > MOST_ITEMS:
        fail(f"{shown} yields more than {MOST_ITEMS:,} items.", "Does the generator end?")
    return items


# -- exceptions ------------------------------------------------------------------------

_LIBRARIES = [
    Path(__file__).parents[1],
    Path(traceback.__file__).parent,  # Python's own
    *(Path(path) for path in sys.path if path.endswith(("site-packages", "dist-packages"))),
]


def own_line(error: BaseException) -> str:
    """Return the last line of the answer itself that an exception passed, or an empty string."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not of_library(frame.filename):
            return frame.line or f"line {frame.lineno}"
    return ""


def _is_raised_by_hand(error: NotImplementedError) -> bool:
    """Whether a stub raised it, and not PyTorch, which has some of its own."""
    *_, last = _steps_of(error.__traceback__)
    code = last.tb_frame.f_code
    raised = code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]
    return raised and not of_library(code.co_filename)


def _steps_of(step: TracebackType | None) -> Iterator[TracebackType]:
    while step is not None:
        yield step
        step = step.tb_next


@cache
def of_library(filename: str) -> bool:
    """Whether a file belongs to Python, an installed package or this one: not to an answer."""
    if filename.startswith("<frozen "):  # Python's own import system
        return True
    path = Path(filename)
    return any(path.is_relative_to(folder) for folder in _LIBRARIES)


# -- changes ---------------------------------------------------------------------------


def _snapshot(given: Any) -> Any:
    """Remember what something holds, to compare it later.

    Looks into containers, tensors, arrays, models and nodes; of other objects it remembers only
    which they are.
    """
    if isinstance(given, (list, tuple)):
        return [type(given), *map(_snapshot, given)]
    if isinstance(given, dict):
        return [dict, *([key, _snapshot(value)] for key, value in given.items())]
    if isinstance(given, (set, frozenset)):
        return given.copy()
    if isinstance(given, SimpleNamespace):
        return _snapshot(vars(given))
    if hasattr(given, "detach"):  # a tensor
        given = given.detach().cpu().numpy()
    if hasattr(given, "tobytes"):  # an array
        return given.dtype.str, given.shape, given.tobytes()
    if hasattr(given, "parameters"):  # a model
        return [given, *(_snapshot(parameter.data) for parameter in given.parameters())]
    if hasattr(given, "grad"):  # a node
        return [given, _snapshot(given.data), _snapshot(given.grad)]
    return given


def _unchanged(before: Any, now: Any) -> bool:
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(map(_unchanged, before, now))
    if before is now:
        return True
    plain = (int, float, str, bytes, tuple, set, frozenset)
    return isinstance(before, plain) and type(before) is type(now) and bool(before == now)


def _fail_changed(answer: Callable[..., Any], position: int, arg: Any, shown: str) -> NoReturn:
    try:
        names = list(inspect.signature(answer).parameters)
        name = names[position]
    except (TypeError, ValueError, IndexError):
        name = f"argument {position + 1}"
    if hasattr(arg, "detach"):
        hint = "+=, an index on the left of =, and methods that end in _ change the tensor itself."
    elif hasattr(arg, "append"):
        hint = "Methods such as sort, shuffle and append change the list itself. Work on a copy."
    else:
        hint = "Work on a copy."
    fail(f"{shown} changed {name}, which it was given.", hint)


def _has_empty_body(function: Callable[..., Any]) -> bool:
    """Whether a function only holds a docstring, ``...``, ``pass`` or ``return None``."""

    def stub() -> None: ...

    def documented_stub() -> None:
        """Do nothing."""

    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return False
    return code.co_code in (stub.__code__.co_code, documented_stub.__code__.co_code)
