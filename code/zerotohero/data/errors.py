"""What can go wrong with a data set, and how a reader is told."""

import logging
import warnings

log = logging.getLogger("zerotohero.data")
log.addHandler(logging.NullHandler())  # what matters reaches the reader as a warning already


class DataError(RuntimeError):
    """A data set is not to be had; the message says where it was looked for and what to do."""


class DataWarning(UserWarning):
    """A folder or a source held a wrong file; another source is tried."""


class EditionWarning(UserWarning):
    """The embedded edition of a data set stands in for the lecture's."""


def report(message: str) -> None:
    """Log a wrong file and warn of it."""
    log.warning("%s", message)
    warnings.warn(message, DataWarning, stacklevel=3)
