"""The errors and warnings about data sets."""

import logging
import re
import warnings

log = logging.getLogger("zerotohero.data")
log.addHandler(logging.NullHandler())  # important messages are warnings anyway


class DataError(RuntimeError):
    """A data set is not available; the message says where it was looked for and what to do."""


class UnavailableError(Exception):
    """A source could not give the file; the message says why."""


class DamagedError(UnavailableError):
    """A source holds a wrong file; the message says how it differs."""


class DataWarning(UserWarning):
    """A folder or a source holds a wrong file; another source is tried."""


class EditionWarning(UserWarning):
    """The embedded edition of a data set is used in place of the lecture's.

    It is shown once per process for each data set. The message begins with `PREFIX`, so that
    the value ``ignore:PREFIX:UserWarning`` of ``PYTHONWARNINGS`` silences it, and nothing else.
    """

    PREFIX = "The embedded edition stands in"  # no comma or colon: PYTHONWARNINGS splits at them


def report(message: str) -> None:
    """Log a wrong file and warn of it."""
    log.warning("%s", message)
    warnings.warn(message, DataWarning, stacklevel=3)


def plain(text: str) -> str:
    """Return an address or somebody else's message on one line, fit to be shown.

    Passwords in addresses are masked, and so is a user name without a password, which may be a
    token. Control characters are removed, because a terminal would obey them.
    """
    line = "".join(char for char in " ".join(text.split()) if char.isprintable())
    line = re.sub(r"(//[^/@:]*):.*@", r"\1:***@", line)  # a password may hold @ and /
    return re.sub(r"//[^/@:]+@", "//***@", line)
