"""Files of what ``sonovec tag`` and ``sonovec detect`` hear: one for all sounds, or one for each of them in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from sonovec.cli import stretch_files, stretch_output
from sonovec.cli.output import warn
from sonovec.errors import UsageError
from sonovec.paths import check_output, display, from_text
from sonovec.words import counted

files_options: Sequence[Callable[[Any], Any]] = (
    stretch_output.out_option("Also write what is heard when"),
    click.option(
        "--out-folder",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="FOLDER",
        help="Also write one file for each sound into FOLDER, as the sounds lie in theirs.",
    ),
    click.option(
        "--format",
        "format",
        type=click.Choice(list(stretch_files.FORMATS)),
        help="Of the files in --out-folder.  [default: csv]",
    ),
)


def check(targets: Sequence[Path], folder: Path | None, format: str | None) -> None:
    """Refuse files that could not be written in the end."""
    stretch_output.check(targets)
    if folder is not None:
        check_output(folder / "a.csv")
    elif format is not None:
        raise UsageError(f"--format {format} is of the files in --out-folder; add --out-folder FOLDER, or leave it out")


def write(
    heard: Sequence[Mapping[str, Any]],
    roots: Sequence[Path],
    targets: Sequence[Path],
    folder: Path | None,
    format: str | None,
    as_stretch: Callable[[str, Mapping[str, Any]], stretch_files.Stretch] | None = None,
) -> None:
    """Write what was heard in sounds, of which those in folders lie below one of the `roots`.

    `as_stretch` makes of a path and an event what is written; without it the event has a tag and a score.
    """
    made = as_stretch or _stretch
    stretches = [(sound["path"], [made(sound["path"], event) for event in sound["events"]]) for sound in heard]
    stretch_output.write(targets, [stretch for _, some in stretches for stretch in some], "nothing was heard")
    if folder is not None and stretches:
        places = [(below(from_text(path), roots), some) for path, some in stretches]
        written = stretch_files.write_each(folder, format or "csv", places)
        warn(f"{counted(len(written), 'file')} in {display(folder)}")


def _stretch(path: str, event: Mapping[str, Any]) -> stretch_files.Stretch:
    return {
        "path": path,
        "start": event["start"],
        "end": event["end"],
        "label": event["tag"],
        "score": event["score"],
    }


def below(path: Path, roots: Sequence[Path]) -> Path:
    """Where a sound lies below the folder that it was found in, without its ending.

    Examples
    --------
    >>> below(Path("music/a/b.wav"), [Path("music")]).as_posix(), below(Path("music/b.wav"), [Path("music/b.wav")]).name
    ('a/b', 'b')
    """
    root = next((root for root in roots if path != root and path.is_relative_to(root)), path.parent)
    return path.relative_to(root).with_suffix("")
