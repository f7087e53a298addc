"""``sonovec list``: the tracks of a library, as a table, JSON, a playlist, or paths for other programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli.m3u import Item, m3u_option, one_form, print_playlist
from sonovec.cli.options import add_options, json_option, library_options
from sonovec.cli.output import position_text, print_json, print_table
from sonovec.cli.tables import SOUND, Column, sound
from sonovec.errors import UsageError
from sonovec.paths import from_text, to_text

if TYPE_CHECKING:
    from sonovec.library.library import Library
    from sonovec.library.records import Track

SHOWN = ("path", "title", "artist", "duration")


@click.command("list", short_help="The tracks of a library.")
@add_options(library_options)
@click.option("--filter", "where", metavar="EXPR", help="Such as \"year >= 1990 and genre = 'Jazz'\".")
@click.option("--sort", "order", metavar="COLUMN", default="path", help="Sort by COLUMN; -COLUMN reverses the order.")
@click.option(
    "--columns",
    metavar="A,B,...",
    help=f"What is shown of each: {','.join(SHOWN)}; or 'all' (of long texts for programs, such as beats, only with --json).",
)
@click.option("-n", "--limit", type=click.IntRange(0), help="Show at most this many tracks (default: all).")
@json_option
@m3u_option
@click.option("-0", "--null", is_flag=True, help="Paths alone, each ended by a zero byte, for `xargs -0`.")
def list(
    library: str,
    token: str | None,
    where: str | None,
    order: str,
    columns: str | None,
    limit: int | None,
    as_json: bool,
    m3u: bool,
    null: bool,
) -> None:
    """List the tracks of a library, those that match a filter, in the order of a column.

    Tracks without a value in that column come last.
    """
    from sonovec.library.library import Library

    one_form(json=as_json, m3u=m3u, null=null)
    with Library(library, token=token) as opened:
        names = _names(opened, columns, long=as_json)
        found = _sorted(opened, where, order)[:limit]
        short = opened.short_paths()
    if m3u:
        print_playlist(Item(track.path, track.fields) for track in found)
    elif null:
        click.echo(_paths(found), nl=False)
    elif as_json:
        print_json({"library": to_text(library), "tracks": [_row(track, names) for track in found]})
    else:
        _print(found, names if columns or not sys.stdout.isatty() else ("path", "duration"), short)


def _print(tracks: Sequence[Track], names: Sequence[str], short: Callable[[str], str]) -> None:
    """A table; on a terminal, artist and title are part of a sound's name where nobody asked for other columns."""

    def cell(track: Track, name: str) -> object:
        if name == "path":
            return sound(track.path, {} if "title" in names else track.fields, short(track.path))
        return _shown(name, _value(track, name))

    described = [SOUND if name == "path" else Column(name, cut="end") for name in names]
    print_table(described, [[cell(track, name) for name in names] for track in tracks])


def _names(library: Library, columns: str | None, *, long: bool) -> Sequence[str]:
    """What is shown; of all columns, those of `LONG` texts only if asked for."""
    from sonovec.library.long_texts import LONG

    have = ["id", *library.columns()]
    wanted = (
        [name for name in have if long or name not in LONG]
        if columns == "all"
        else [name.strip() for name in columns.split(",")]
        if columns
        else SHOWN
    )
    return [_known(name, have) for name in wanted]


def _known(name: str, have: Iterable[str]) -> str:
    if name not in have:
        raise UsageError(f"{name!r} is not a column of this library; its columns are: {', '.join(have)}")
    return name


def _sorted(library: Library, where: str | None, order: str) -> Sequence[Track]:
    column = _known(order.removeprefix("-"), ["id", *library.columns()])
    tracks = library.tracks(where)
    missing = [track for track in tracks if _value(track, column) is None]
    there = [track for track in tracks if _value(track, column) is not None]
    # By path first, so that those of one value are in an order of their own.
    there.sort(key=lambda track: track.path)
    there.sort(key=lambda track: _value(track, column), reverse=order.startswith("-"))
    return there + sorted(missing, key=lambda track: track.path)


def _value(track: Track, column: str) -> Any:
    return track.id if column == "id" else track.fields.get(column)


def _row(track: Track, names: Iterable[str]) -> Mapping[str, Any]:
    return {name: _value(track, name) for name in names}


def _shown(name: str, value: Any) -> object:
    if name == "duration" and value is not None:
        return position_text(value)
    return value if isinstance(value, str) or not isinstance(value, Sequence) else "; ".join(map(str, value))


def _paths(tracks: Iterable[Track]) -> bytes:
    return b"".join(os.fsencode(from_text(track.path)) + b"\0" for track in tracks)
