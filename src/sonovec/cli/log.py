"""What is told on the command line: lines on the error stream, tracebacks in a file; ``--quiet``, ``--verbose``, ``--log``.

All of it is one handler of the logger "sonovec", there while a command runs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli.output import LINES, fail
from sonovec.errors import UsageError
from sonovec.jobs import Progress, running
from sonovec.log import LOGGER
from sonovec.paths import data_dir, display

if TYPE_CHECKING:
    from sonovec.bars import Bar

NAME = "sonovec.log"
#: A log that is longer is put aside, in the place of the one before.
LONGEST = 1 << 20
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

QUIET, NORMAL, VERBOSE = logging.ERROR, logging.WARNING, logging.DEBUG


@contextmanager
def shown() -> Iterator[None]:
    """Show what is logged within the block, and name the file at its end if there are tracebacks in it."""
    global _handler
    before, level, _handler = _handler, LOGGER.level, _Handler()
    LOGGER.addHandler(_handler)
    try:
        yield
    finally:
        if _handler.errors:
            fail(
                f"{_handler.errors} unexpected error{'s' * (_handler.errors > 1)}; this is a bug of sonovec: report it with "
                f"{_handler.place}"
            )
        LOGGER.removeHandler(_handler)
        LOGGER.setLevel(level)
        _handler.close()
        _handler = before


class _Handler(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter(FORMAT))
        self.lowest = NORMAL
        self.errors = 0
        self.place = "the lines above"
        self.file: logging.FileHandler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.file is not None:
            self.file.handle(record)
        if record.levelno >= logging.ERROR and record.name != LINES.name:
            self._keep(self.format(record))
        elif record.levelno >= self.lowest:
            text = display(record.getMessage())
            with suppress(OSError):  # an error stream that nobody reads ends no work
                click.echo(text if record.levelno >= logging.WARNING else f"{record.name}: {text}", err=True)

    def _keep(self, text: str) -> None:
        """Write down a bug."""
        self.errors += 1
        try:
            self.place = _append(text)
        except OSError:
            click.echo(text, err=True)  # better here than nowhere

    def close(self) -> None:
        """Close the file of ``--log``."""
        if self.file is not None:
            self.file.close()
        super().close()


#: That of the command that runs.
_handler: _Handler | None = None


def visible_bar() -> Bar | None:
    """A bar, where somebody can see it and did not ask for quiet."""
    from sonovec import bars

    return None if _handler is not None and _handler.lowest == QUIET else bars.visible_bar()


@contextmanager
def watched() -> Iterator[Bar | None]:
    """A bar for one long call, if there is one to be seen; what is printed behind the block does not meet it."""
    bar = visible_bar()
    try:
        yield bar
    finally:
        if bar is not None:
            bar.close()


@contextmanager
def fetches_watched() -> Iterator[None]:
    """Show what is fetched within the block, wherever a command loads an encoder."""
    bar: Bar | None = None

    def tell(progress: Progress) -> None:
        nonlocal bar
        bar = bar or visible_bar()
        if bar is not None:
            bar(progress)
            if progress.done == progress.total:
                bar.close()

    with running(tell):
        try:
            yield
        finally:
            if bar is not None:
                bar.close()


def _set_lowest(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given and _handler is not None:
        _handler.lowest = QUIET if parameter.name == "quiet" else VERBOSE
        LOGGER.setLevel(min(LOGGER.level or NORMAL, _handler.lowest))


def _set_file(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is None or _handler is None:
        return
    try:
        _handler.file = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"--log {display(path)}: cannot be written ({error.strerror}); give another file") from error
    _handler.file.setFormatter(_handler.formatter)
    LOGGER.setLevel(VERBOSE)


def add_options(command: click.Command) -> click.Command:
    """Give a command, and those below it, the options that say what is told of its work."""
    command.params += [
        click.Option(
            ["--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_set_lowest,
            help="Show no progress bar and only errors.",
        ),
        click.Option(["--verbose"], is_flag=True, expose_value=False, callback=_set_lowest, help="Report every step."),
        click.Option(
            ["--log"],
            type=click.Path(path_type=Path, dir_okay=False),
            expose_value=False,
            callback=_set_file,
            metavar="FILE",
            help="Append all messages and every step, with times, to FILE.",
        ),
    ]
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        add_options(below)
    return command


def _append(text: str) -> str:
    """Write to the log, and return its path."""
    file = data_dir() / NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > LONGEST:
        file.replace(file.with_name(f"{NAME}.1"))
    with file.open("a", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"{text}\n")
    return display(file)
