"""``sonovec duplicates``: the recordings that a library holds several times."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from sonovec.cli.log import watched
from sonovec.cli.options import add_options, json_option, library_options
from sonovec.cli.output import position_text, print_json, print_table, warn
from sonovec.cli.tables import Column, Sound
from sonovec.errors import UsageError
from sonovec.paths import from_text, to_text

if TYPE_CHECKING:
    from sonovec.library.duplicates import Duplicate, Duplicates

COLUMNS = (
    Column("group"),
    Column(""),
    Column("path", cut="middle"),
    Column("duration", spare=2),
    Column("codec", cut="end", spare=1),
    Column("kbit/s", spare=3),
)


@click.command(short_help="The recordings that a library holds several times.")
@add_options(library_options)
@click.option("--filter", "where", metavar="EXPR", help='Only among tracks that match, such as "year >= 1990".')
@json_option
@click.option("-0", "--null", is_flag=True, help="Paths of all but the first of each, each ended by a zero byte.")
def duplicates(library: str, token: str | None, where: str | None, as_json: bool, null: bool) -> None:
    """List tracks that are one recording, and files with the same content. The one to keep comes first.

    A file that is complete comes before one that is cut, then a lossless file before others, then the file with the most
    bits a second. The command removes nothing.
    """
    from sonovec.library.library import Library

    if as_json and null:
        raise UsageError("--json and -0 are two forms of one list; give one of them")
    with Library(library, token=token) as opened, watched() as bar:
        found, short = opened.duplicates(where, progress=bar), opened.short_paths()
    if found.unknown:
        warn(_unknown(found, library))
    if null:
        click.echo(b"".join(os.fsencode(from_text(path)) + b"\0" for path in _others(found)), nl=False)
    elif as_json:
        groups = [[each.to_json() for each in group] for group in found.groups]
        print_json(
            {
                "library": to_text(library),
                "tracks": found.tracks,
                "without_fingerprint": found.unknown,
                "groups": groups,
            }
        )
    elif found.groups:
        print_table(COLUMNS, [row for n, group in enumerate(found.groups, start=1) for row in _rows(n, group, short)])
    else:
        click.echo("no duplicates")


def _unknown(found: Duplicates, library: str) -> str:
    return (
        f"{found.unknown} of {found.tracks} tracks have no fingerprint, and only files with the same content are found of "
        f"them; to make them: sonovec index FOLDER -l {library} --analyser fingerprint"
    )


def _others(found: Duplicates) -> Iterator[str]:
    """Paths on this machine of all files but the first of each group."""
    from sonovec.library.roots import alias_in

    for group in found.groups:
        paths = [path for each in group for path in (each.path, *each.copies)]
        yield from (path for path in paths[1:] if alias_in(path) is None)


def _rows(number: int, group: Sequence[Duplicate], short: Callable[[str], str]) -> Iterator[Sequence[object]]:
    """Rows of one recording, by their paths: its titles are all the same."""
    for place, each in enumerate(group):
        bits = "" if each.bitrate is None else round(each.bitrate / 1000)
        duration = "" if each.duration is None else position_text(each.duration)
        facts = duration, each.codec, bits
        named = [("" if place else "keep", each.path), *(("copy", copy) for copy in each.copies)]
        yield from [(number, mark, Sound(path, short(path)), *facts) for mark, path in named]
