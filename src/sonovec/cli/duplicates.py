"""``sonovec duplicates``: the recordings that a library holds several times."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from sonovec.cli.log import watched
from sonovec.cli.m3u import Item, m3u_option, one_form, print_playlist
from sonovec.cli.options import add_options, json_option, library_options
from sonovec.cli.output import position_text, print_json, print_table, seconds_text, warn
from sonovec.cli.tables import Column, Sound
from sonovec.paths import from_text, to_text

if TYPE_CHECKING:
    from sonovec.library.duplicates import Duplicate, Duplicates, Overlap

COLUMNS = (
    Column("group"),
    Column(""),
    Column("path", cut="middle"),
    Column("duration", spare=2),
    Column("speed", spare=4),
    Column("codec", cut="end", spare=1),
    Column("bandwidth", spare=5),
    Column("kbit/s", spare=3),
)
PARTS = (
    Column("path", cut="middle", title="of this"),
    Column("these seconds"),
    Column("other", cut="middle", title="this"),
    Column("are these"),
    Column("whole", spare=1),
)


@click.command(short_help="The recordings that a library holds several times.")
@add_options(library_options)
@click.option("--filter", "where", metavar="EXPR", help='Only among tracks that match, such as "year >= 1990".')
@json_option
@m3u_option
@click.option(
    "-0",
    "--null",
    is_flag=True,
    help="Paths of all but the first of each, each ended by a zero byte; none of those at another speed.",
)
def duplicates(library: str, token: str | None, where: str | None, as_json: bool, m3u: bool, null: bool) -> None:
    """List tracks that are one recording, and files with the same content. The one to keep comes first.

    Encoding, level, start and end may differ, and the speed by up to 5 %. A file that is complete comes before one that is
    cut, then one with all its treble (`sonovec index --analyser bandwidth`), then a lossless file before others, then the
    file with the most bits a second. Tracks that are part of others are listed with their seconds. The command removes
    nothing.
    """
    from sonovec.library.library import Library

    one_form(json=as_json, m3u=m3u, null=null)
    with Library(library, token=token) as opened, watched() as bar:
        found, short = opened.duplicates(where, progress=bar), opened.short_paths()
    if found.unknown:
        warn(_unknown(found, library))
    if found.coarse:
        warn(_coarse(found, library))
    if m3u:
        print_playlist(Item(each.path, {"duration": each.duration}) for group in found.groups for each in group)
    elif null:
        click.echo(b"".join(os.fsencode(from_text(path)) + b"\0" for path in _others(found)), nl=False)
    elif as_json:
        groups = [[each.to_json() for each in group] for group in found.groups]
        print_json(
            {
                "library": to_text(library),
                "tracks": found.tracks,
                "without_fingerprint": found.unknown,
                "with_former_fingerprint": found.coarse,
                "groups": groups,
                "overlaps": [each.to_json() for each in found.overlaps],
            }
        )
    else:
        _print(found, short)


def _print(found: Duplicates, short: Callable[[str], str]) -> None:
    if found.groups:
        print_table(COLUMNS, [row for n, group in enumerate(found.groups, start=1) for row in _rows(n, group, short)])
    if found.overlaps:
        print_table(PARTS, [_part(each, short) for each in found.overlaps], "parts of others")
    if not found.groups and not found.overlaps:
        click.echo("no duplicates")


def _part(each: Overlap, short: Callable[[str], str]) -> Sequence[object]:
    return (
        Sound(each.path, short(each.path)),
        seconds_text(each.start, each.end),
        Sound(each.other_path, short(each.other_path)),
        seconds_text(each.other_start, each.other_end),
        "whole" if each.within else "",
    )


def _coarse(found: Duplicates, library: str) -> str:
    return (
        f"{found.coarse} of {found.tracks} tracks have a fingerprint of an earlier version, and copies at another speed, or "
        f"poor copies of a few words between pauses, may not be found; "
        f"to make it anew: sonovec index FOLDER -l {library} --analyser fingerprint"
    )


def _unknown(found: Duplicates, library: str) -> str:
    return (
        f"{found.unknown} of {found.tracks} tracks have no fingerprint, and only files with the same content are found of "
        f"them; to make them: sonovec index FOLDER -l {library} --analyser fingerprint"
    )


def _others(found: Duplicates) -> Iterator[str]:
    """Paths on this machine of all files but the first of each group; none at another speed, which a person has to hear."""
    from sonovec.library.roots import alias_in

    for group in found.groups:
        paths = [path for each in group if each.speed in (None, 1.0) for path in (each.path, *each.copies)]
        yield from (path for path in paths[1:] if alias_in(path) is None)


def _rows(number: int, group: Sequence[Duplicate], short: Callable[[str], str]) -> Iterator[Sequence[object]]:
    """Rows of one recording, by their paths: its titles are all the same."""
    for place, each in enumerate(group):
        bits = "" if each.bitrate is None else round(each.bitrate / 1000)
        duration = "" if each.duration is None else position_text(each.duration)
        wide = "" if each.bandwidth is None else f"{each.bandwidth / 1000:.1f} kHz"
        facts = duration, _speed(each), each.codec, wide, bits
        named = [("" if place else "keep", each.path), *(("copy", copy) for copy in each.copies)]
        yield from [(number, mark, Sound(path, short(path)), *facts) for mark, path in named]


def _speed(each: Duplicate) -> str:
    """How much faster it is than the first of its group; nothing where it is as fast."""
    if each.speed is None or each.speed == 1:
        return ""
    return f"{100 * (each.speed - 1):+.1f} %" + (", same pitch" if each.keeps_pitch else "")
