"""The log of the package, and how an error that nobody meant to raise becomes one that names a bug.

Nothing is printed: who wants the records adds a handler to the logger "sonovec", as the command line does.
"""

from __future__ import annotations

import logging
import traceback

from sonovec.errors import Cancelled, OutOfMemoryError, SonovecError, UnexpectedError
from sonovec.paths import display

#: Warnings are for the user; errors are bugs, with their traceback.
LOGGER = logging.getLogger("sonovec")

LONGEST = 200


def as_failure(name: str, error: Exception) -> SonovecError:
    """The error to report of one file or sound called `name`.

    One that sonovec raised on purpose stays as it is. Any other is a bug: it is logged with its traceback, which the
    error also keeps as a note. No frame is kept, for the frames hold samples. An end that was asked for is no failure, and is
    raised again.

    Examples
    --------
    >>> print(as_failure("a.wav", KeyError("rate")))
    a.wav: unexpected KeyError: 'rate'; this is a bug of sonovec, please report it with the traceback in the log
    """
    if isinstance(error, Cancelled):
        raise error
    if isinstance(error, SonovecError):
        return error.with_traceback(None)
    if isinstance(error, MemoryError):
        return OutOfMemoryError(f"{name}: not enough memory for it; close other programs, or give a part of it")
    LOGGER.error("%s: unexpected %s", name, type(error).__name__, exc_info=error)
    text = " ".join(str(error).split())[:LONGEST]
    shown = display(f"{type(error).__name__}: {text}" if text else type(error).__name__)
    found = UnexpectedError(
        f"{name}: unexpected {shown}; this is a bug of sonovec, please report it with the traceback in the log"
    )
    found.add_note("".join(traceback.format_exception(error)).rstrip())
    return found
