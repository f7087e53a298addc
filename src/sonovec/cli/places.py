"""``sonovec search --places``: every stretch that sounds like this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli import stretch_files
from sonovec.cli.log import watched
from sonovec.cli.output import print_json, print_table, seconds_text, warn, warn_of, warn_of_nothing_written
from sonovec.cli.playlist import Item, print_playlist
from sonovec.cli.tables import SOUND, Column, sound
from sonovec.errors import UsageError
from sonovec.paths import display, from_text, to_text

if TYPE_CHECKING:
    from sonovec.library.library import Library
    from sonovec.library.places import Place, PlaceSearch

ENDINGS = ", ".join(each.ending for each in stretch_files.FORMATS.values())

places_options: Sequence[Callable[[Any], Any]] = (
    click.option("--places", is_flag=True, help="Every stretch that sounds like QUERY, over all tracks."),
    click.option(
        "--min-score",
        type=float,
        help="With --places: lowest score of a place (default: set for each query; see docs/places.md).",
    ),
    click.option(
        "--limit-per-track", type=click.IntRange(1), metavar="N", help="With --places: at most N of each track."
    ),
    click.option("--by-time", is_flag=True, help="With --places: order by path and time, not by score."),
    click.option("--effort", type=float, default=1.0, help="With --places: 2 looks at twice as many stretches."),
    click.option(
        "-o",
        "--out",
        "targets",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"With --places: also write them to a file, by its ending: {ENDINGS}. Repeatable.",
    ),
)


def check(places: bool, targets: Sequence[Path], **others: object) -> None:
    """Refuse what goes with --places alone, and files that could not be written in the end."""
    from sonovec.paths import check_output

    given = [f"--{name.replace('_', '-')}" for name, value in others.items() if value] + ["--out"] * bool(targets)
    if given and not places:
        raise UsageError(f"{given[0]} works only with --places; add --places")
    for target in targets:
        stretch_files.format_of(target)
        check_output(target)


def find(library: Library, query: str, targets: Sequence[Path], as_json: bool, m3u: bool, **options: Any) -> None:
    """Search for places, print them and write them to files."""
    with watched() as bar:
        found = library.find_places(query, progress=bar, **options)
    for path, reason in found.unread.items():
        warn_of(path, f"{reason}; its places are whole segments")
    if not found.complete:
        warn("there may be more places: --effort 2 looks at twice as many stretches")
    for target in targets:
        _write(target, found, query)
    if as_json:
        _print_json(library, query, found)
    elif m3u:
        print_playlist(Item(each.path, each.fields, each.start, each.end) for each in found.hits)
    elif found.hits:
        _print(found.hits, library.short_paths())
    else:
        click.echo(f"no places: {found.reason}")


def _write(target: Path, found: PlaceSearch, query: str) -> None:
    if not found.hits:
        warn_of_nothing_written(target, str(found.reason))
        return
    label = from_text(query).stem
    rows = [{**place.to_json(), "label": label} for place in found.hits]
    written = stretch_files.write(target, rows)
    if written != [target]:
        warn(f"{len(written)} files, one for each sound: {', '.join(map(display, written))}")


def _print_json(library: Library, query: str, found: PlaceSearch) -> None:
    print_json(
        {
            "query": to_text(query),
            "library": str(library.location),
            "min_score": found.min_score,
            "complete": found.complete,
            "unread": [{"path": path, "reason": reason} for path, reason in found.unread.items()],
            "reason": found.reason,
            "notes": list(found.notes),
            "hits": [place.to_json() for place in found.hits],
        }
    )


def _print(places: Sequence[Place], short: Callable[[str], str]) -> None:
    columns = [Column("score"), SOUND, Column("place"), Column("matches these seconds", spare=1)]
    rows = [
        (
            each.score,
            sound(each.path, each.fields, short(each.path)),
            seconds_text(each.start, each.end),
            seconds_text(each.query_start, each.query_end),
        )
        for each in places
    ]
    print_table(columns, rows)
