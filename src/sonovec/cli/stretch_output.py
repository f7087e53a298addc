"""The option ``-o`` of commands that find stretches of sounds: it is checked first, and written in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from sonovec.cli import stretch_files
from sonovec.cli.output import warn, warn_of_nothing_written
from sonovec.paths import check_output, display

#: The endings that are known.
ENDINGS = ", ".join(each.ending for each in stretch_files.FORMATS.values())


def out_option(what: str) -> Callable[[Any], Any]:
    """The option, whose help begins with what is written."""
    return click.option(
        "-o",
        "--out",
        "targets",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"{what} to a file, by its ending: {ENDINGS}. Repeatable.",
    )


def check(targets: Sequence[Path]) -> None:
    """Refuse files that could not be written in the end."""
    for target in targets:
        stretch_files.format_of(target)
        check_output(target)


def write(targets: Sequence[Path], stretches: Sequence[stretch_files.Stretch], nothing: str) -> None:
    """Write stretches to each file; where there are none, say so, with the reason `nothing`."""
    for target in targets:
        if not stretches:
            warn_of_nothing_written(target, nothing)
            continue
        written = stretch_files.write(target, stretches)
        if written != [target]:
            warn(f"{len(written)} files, one for each sound: {', '.join(map(display, written))}")
