"""Command-line helpers: clean exits and one clear message per error."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
from collections.abc import Callable


def say(message: str) -> None:
    """Write a line to standard error. Does nothing if stderr is closed."""
    if sys.stderr is not None:  # closed; print would write to standard output instead
        with contextlib.suppress(OSError, ValueError):  # a closed pipe, a full disk, a closed file
            print(message, file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """Return a message on one line, without control characters."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())


def run_command(main: Callable[[], int], errors: tuple[type[Exception], ...] = ()) -> int:
    """Run a command, and return its exit status.

    Parameters
    ----------
    main : callable
        Does the work, and returns the status.
    errors : tuple of exception classes
        What a user can cause, in addition to ``OSError`` and ``ValueError``: the message is
        written after ``error:``, and the status is 1. Other exceptions are bugs, and keep their
        traceback.

    Returns
    -------
    int
        130 after Ctrl-C, and 141 if the reader of the output stopped, as ``head`` does: a
        shell's statuses.
    """
    known: tuple[type[Exception], ...] = (OSError, ValueError, *errors)
    message = ""
    try:
        try:
            status = main()
        except SystemExit as ended:  # how argparse exits, after --help, for example
            if isinstance(ended.code, int):
                status = ended.code
            elif ended.code is None:
                status = 0
            else:
                status, message = 1, str(ended.code)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt as stopped:
        status, message = 130, f"interrupted{f': {stopped}' if stopped.args else ''}"
    except known as error:
        if _reader_stopped(error):
            status = 141
        else:
            status, message = 1, f"error: {_message(error)}"
    _end_output()
    if message:
        say(message)
    return status


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        file = f"{error.filename}: " if error.filename else ""
        return one_line(f"{file}{error.strerror}")
    return "\n".join(map(one_line, str(error).splitlines())) or type(error).__name__


def _reader_stopped(error: Exception) -> bool:
    """Return whether an error is from standard output, and not from another pipe or socket."""
    broken = (errno.EPIPE, errno.EINVAL) if os.name == "nt" else (errno.EPIPE,)
    if not isinstance(error, OSError) or error.errno not in broken or sys.stdout is None:
        return False
    try:
        sys.stdout.flush()  # fails again, unless it had no buffer
        if not hasattr(select, "poll"):
            return False
        output = select.poll()
        output.register(sys.stdout.fileno(), select.POLLOUT)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in output.poll(0))
    except (OSError, ValueError) as again:
        return isinstance(again, OSError) and again.errno in broken


def _end_output() -> None:
    """Write the buffered output, or discard it, so that Python exits without an error."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError, KeyboardInterrupt):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
