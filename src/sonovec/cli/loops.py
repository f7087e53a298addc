"""``sonovec loops``: loops and parts that fit to a sound in tempo and key, by whole bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from sonovec.cli.m3u import Item, m3u_option, one_form, print_playlist
from sonovec.cli.options import add_options, json_option, library_options, part_options
from sonovec.cli.output import print_json, print_table, seconds_text, warn
from sonovec.cli.tables import SOUND, Column, sound
from sonovec.music.settled import PREFERENCES
from sonovec.paths import to_text

if TYPE_CHECKING:
    from sonovec.library.playlist.loops import LoopSearch

COLUMNS = (
    Column("score", spare=3),
    SOUND,
    Column("place"),
    Column("bars", spare=2),
    Column("tempo"),
    Column("stretch"),
    Column("fits", spare=4),
    Column("key", spare=1),
    Column("transpose", spare=1),
)
#: How a loop lies on the beats, by the ratio of the tempos.
FITS = {1.0: "beat on beat", 0.5: "at half tempo", 2.0: "at double tempo"}


@click.command(short_help="Loops and parts that fit in tempo and key.")
@click.argument("query", type=click.Path())
@add_options(library_options)
@click.option("-n", "--limit", type=int, default=20, show_default=True, help="Number of loops.")
@add_options(part_options("What fits to a part of QUERY"))
@click.option("--bars", type=int, help="QUERY has so many bars of four beats, and what fits has too.")
@click.option("--tempo", type=float, help="Of QUERY, in beats a minute (default: what is known, or heard, of it).")
@click.option("--key", help="Of QUERY, such as 'A minor' or 8A (default: what is known, or heard, of it).")
@click.option("--max-stretch", type=float, default=6.0, show_default=True, metavar="PERCENT", help="Faster or slower.")
@click.option("--max-transpose", type=int, default=2, show_default=True, metavar="SEMITONES", help="Higher or lower.")
@click.option("--filter", "where", metavar="EXPR", help='Such as "duration < 20".')
@click.option("--by-fit", is_flag=True, help="What needs the least change first, not what sounds most like QUERY.")
@click.option("--include-self", is_flag=True, help="Also QUERY itself, which is left out where it is in the library.")
@click.option(
    "--prefer",
    type=click.Choice(PREFERENCES),
    default=PREFERENCES[0],
    show_default=True,
    help="Which tempo and key count: those that were heard, or those that the file tells.",
)
@click.option("--space", default="main", show_default=True, help="Space whose vectors are compared.")
@json_option
@m3u_option
def loops(
    query: str,
    library: str,
    token: str | None,
    limit: int,
    start: float,
    end: float | None,
    bars: int | None,
    tempo: float | None,
    key: str | None,
    max_stretch: float,
    max_transpose: int,
    where: str | None,
    by_fit: bool,
    include_self: bool,
    prefer: str,
    space: str,
    as_json: bool,
    m3u: bool,
) -> None:
    """Find loops, and parts of tracks, that fit to QUERY, or to a part of it: a file, or a track by its id.

    Each line says how much the loop is stretched and transposed to fit. It fits at the same tempo, at half or at double.
    """
    from sonovec.library.library import Library

    one_form(json=as_json, m3u=m3u)
    with Library(library, token=token) as opened:
        found = opened.loops(
            query,
            limit,
            start=start,
            end=end,
            bars=bars,
            tempo=tempo,
            key=key,
            max_stretch=max_stretch,
            max_transpose=max_transpose,
            filter=where,
            order="fit" if by_fit else "score",
            prefer=prefer,
            space=space,
            include_self=include_self,
        )
        short = opened.short_paths()
    for note in found.notes:
        warn(note)
    if as_json:
        print_json({"query": to_text(query), "library": to_text(library), **found.to_json()})
    elif m3u:
        print_playlist(Item(each.path, each.fields, each.start, each.end) for each in found.hits)
    elif found.hits:
        _print(found, short)
    else:
        click.echo(f"no loops: {found.reason}")


def _print(found: LoopSearch, short: Callable[[str], str]) -> None:
    rows: list[Sequence[object]] = [
        (
            each.score,
            sound(each.path, each.fields, short(each.path)),
            seconds_text(each.start, each.end),
            None if each.bars is None else f"{each.bars:g}",
            f"{each.tempo:.1f}",
            f"{round(each.stretch, 1) + 0.0:+.1f} %",
            FITS[each.ratio],
            None if each.key is None else each.key.camelot,
            None if each.transpose is None else f"{each.transpose:+d}",
        )
        for each in found.hits
    ]
    print_table(COLUMNS, rows, f"{found.tempo:g} beats a minute, {found.key or 'any key'}")
