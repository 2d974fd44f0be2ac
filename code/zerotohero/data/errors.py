"""What can go wrong with a data set, and how a reader is told."""

import logging
import re
import warnings

log = logging.getLogger("zerotohero.data")
log.addHandler(logging.NullHandler())  # what matters reaches the reader as a warning already


class DataError(RuntimeError):
    """A data set is not available; the message says where it was looked for and what to do."""


class UnavailableError(Exception):
    """A source could not give the file; the message says why."""


class DamagedError(UnavailableError):
    """A source holds a wrong file; the message says how it differs."""


class DataWarning(UserWarning):
    """A folder or a source held a wrong file; another source is tried."""


class EditionWarning(UserWarning):
    """The embedded edition of a data set stands in for the lecture's.

    It is shown once a process for each data set. The message begins with `PREFIX`, so that
    ``PYTHONWARNINGS="ignore:<PREFIX>:UserWarning"`` silences it, and nothing else.
    """

    PREFIX = "The embedded edition stands in"  # without comma and colon, as these separate there


def report(message: str) -> None:
    """Log a wrong file and warn of it."""
    log.warning("%s", message)
    warnings.warn(message, DataWarning, stacklevel=3)


def plain(text: str) -> str:
    """Return an address or somebody else's message on one line, fit to be shown.

    Passwords in addresses are masked, and so is a user without one, who may be a token. Control
    characters are left out, as a terminal would obey them.
    """
    line = "".join(char for char in " ".join(text.split()) if char.isprintable())
    line = re.sub(r"(//[^/@:]*):.*@", r"\1:***@", line)  # a password may hold @ and /
    return re.sub(r"//[^/@:]+@", "//***@", line)
