"""What commands print: tables on a terminal, tab-separated lines in a pipe, JSON where it is asked for."""

from __future__ import annotations

import codecs
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from sonovec.cli import tables
from sonovec.paths import display, from_text

#: What commands say on the error stream: `sonovec.cli.log` shows it as it is.
LINES = logging.getLogger("sonovec.cli.lines")


def print_json(value: object) -> None:
    """Print one JSON object: in UTF-8, or, where the output stream has another encoding, in ASCII, which all can take."""
    utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    click.echo(json.dumps(value, ensure_ascii=not utf8, indent=1, allow_nan=False))


def print_table(
    columns: Sequence[str | tables.Column], rows: Sequence[Sequence[object]], title: str | None = None
) -> None:
    """Print rows as a table on a terminal, and as tab-separated lines with a heading elsewhere.

    On a terminal it is as wide as that: see `sonovec.cli.tables`. Control characters are escaped, so that a row stays a line;
    what is for programs is `print_json`.
    """
    described = [tables.Column(column) if isinstance(column, str) else column for column in columns]
    if sys.stdout.isatty():
        tables.show(described, rows, title)
        return
    click.echo("\t".join(column.name for column in described))
    for row in rows:
        click.echo("\t".join(map(tables.for_programs, row)))


def seconds_text(start: float | None, end: float | None) -> str:
    """A range of seconds, as people write it.

    Examples
    --------
    >>> seconds_text(0, 72.5)
    '0:00.0-1:12.5'
    """
    if start is None or end is None:
        return ""
    return f"{position_text(start)}-{position_text(end)}"


def position_text(seconds: float) -> str:
    """A place in a sound, or a length, as people write it.

    Examples
    --------
    >>> position_text(72.5)
    '1:12.5'
    """
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def time_text(seconds: float | None) -> str:
    """A time, in seconds since 1970, as people on this machine write it; nothing for None."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def warn(line: str) -> None:
    """A line on the error stream, above the bar if there is one; none with ``--quiet``."""
    LINES.warning("%s", line)


def fail(line: str) -> None:
    """A line on the error stream about what failed, above the bar if there is one."""
    LINES.error("%s", line)


def shown_path(text: str) -> str:
    """A path, given as `to_text` writes it, for people to read."""
    return display(from_text(text))


def warn_of(path: str, text: str) -> None:
    """A line as of `warn` about a file, given as `to_text` writes it."""
    warn(_of(path, text))


def fail_of(path: str, text: str) -> None:
    """A line as of `fail` about a file, given as `to_text` writes it."""
    fail(_of(path, text))


def _of(path: str, text: str) -> str:
    """Most reasons name the file already."""
    name = shown_path(path)
    return text if text.startswith(name) else f"{name}: {text}"


def warn_of_nothing_written(target: Path, reason: str) -> None:
    """Print a line about an output file that is left as it was, since there is nothing to put into it."""
    from sonovec.paths import display

    warn(f"{display(target)}: {'left as it was' if target.exists() else 'not written'}: {reason}")
