"""Records of the logger "sonovec" on the command line: warnings are lines on the error stream, tracebacks go to a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sonovec.cli.output import warn
from sonovec.log import LOGGER
from sonovec.paths import data_dir, display

NAME = "sonovec.log"
#: A log that is longer is put aside, in the place of the one before.
LONGEST = 1 << 20


@contextmanager
def shown() -> Iterator[None]:
    """Show what is logged within the block, and name the file at its end if there are tracebacks in it."""
    handler = _Handler()
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        if handler.errors:
            warn(
                f"{handler.errors} unexpected error{'s' * (handler.errors > 1)}; this is a bug of sonovec: report it with "
                f"{handler.place}"
            )


class _Handler(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self.errors = 0
        self.place = "the lines above"

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.ERROR:
            warn(display(record.getMessage()))
            return
        self.errors += 1
        text = self.format(record)
        try:
            self.place = _append(text)
        except OSError:
            warn(text)  # better here than nowhere


def _append(text: str) -> str:
    """Write to the log, and return its path."""
    file = data_dir() / NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > LONGEST:
        file.replace(file.with_name(f"{NAME}.1"))
    with file.open("a", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"{text}\n")
    return display(file)
