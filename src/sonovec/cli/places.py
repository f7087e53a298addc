"""``sonovec search --places``: every stretch that sounds like this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli import stretch_output
from sonovec.cli.log import watched
from sonovec.cli.m3u import Item, print_playlist
from sonovec.cli.output import print_json, print_table, seconds_text, warn, warn_of
from sonovec.cli.tables import SOUND, Column, sound
from sonovec.errors import UsageError
from sonovec.paths import from_text, to_text

if TYPE_CHECKING:
    from sonovec.library.library import Library
    from sonovec.library.places import Place, PlaceSearch

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
    click.option(
        "--effort",
        type=float,
        default=1.0,
        help="2 looks at twice as much of an approximate index; with --places, at twice as many stretches.",
    ),
    stretch_output.out_option("With --places: also write them"),
)


def check(places: bool, targets: Sequence[Path], **others: object) -> None:
    """Refuse what goes with --places alone, and files that could not be written in the end."""
    given = [f"--{name.replace('_', '-')}" for name, value in others.items() if value] + ["--out"] * bool(targets)
    if given and not places:
        raise UsageError(f"{given[0]} works only with --places; add --places")
    stretch_output.check(targets)


def find(library: Library, query: str, targets: Sequence[Path], as_json: bool, m3u: bool, **options: Any) -> None:
    """Search for places, print them and write them to files."""
    with watched() as bar:
        found = library.find_places(query, progress=bar, **options)
    for path, reason in found.unread.items():
        warn_of(path, f"{reason}; its places are whole segments")
    if not found.complete:
        warn("there may be more places: --effort 2 looks at twice as many stretches")
    label = from_text(query).stem
    rows = [{**place.to_json(), "label": label} for place in found.hits]
    stretch_output.write(targets, rows, str(found.reason))
    if as_json:
        _print_json(library, query, found)
    elif m3u:
        print_playlist(Item(each.path, each.fields, each.start, each.end) for each in found.hits)
    elif found.hits:
        _print(found.hits, library.short_paths())
    else:
        click.echo(f"no places: {found.reason}")


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
