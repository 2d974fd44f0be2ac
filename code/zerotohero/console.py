"""How the commands of this package speak: quiet ends, one clear line for each error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable


def say(message: str) -> None:
    """Write a line to standard error. Nobody has to be there to read it."""
    with contextlib.suppress(OSError, ValueError):  # a closed pipe, a full disk, a closed file
        print(message, file=sys.stderr, flush=True)


def run_command(main: Callable[[], int], errors: tuple[type[Exception], ...] = ()) -> int:
    """Run a command, and return its exit status.

    Parameters
    ----------
    main : callable
        Does the work, and returns the status.
    errors : tuple of exception classes
        What a user can cause, next to ``OSError`` and ``ValueError``: the message is written in
        one line, and the status is 1. Other exceptions are faults of ours, and keep their
        traceback.

    Returns
    -------
    int
        130 after Ctrl-C, and 141 when the reader of the output stopped, as ``head`` does: the
        statuses of a shell.
    """
    known: tuple[type[Exception], ...] = (OSError, ValueError, *errors)
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return 141
    except KeyboardInterrupt as stopped:
        say(f"interrupted{f': {stopped}' if stopped.args else ''}")
        _drop_output()
        return 130
    except known as error:
        say(f"error: {one_line(_message(error))}")
        _drop_output()
        return 1
    return status


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def one_line(text: str) -> str:
    """Return a message on one line, without characters that a terminal would obey."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())


def _drop_output() -> None:
    """Let what is still to be written go nowhere, so that the end is quiet."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
