"""``sonovec outliers``: what does not belong, or what is new and unlike all that was there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli.completion import LIBRARY
from sonovec.cli.log import watched
from sonovec.cli.m3u import Item, m3u_option, one_form, print_playlist
from sonovec.cli.options import json_option, token_option
from sonovec.cli.output import print_json, print_table, time_text, warn
from sonovec.cli.tables import SOUND, Column, Sound, sound
from sonovec.paths import to_text
from sonovec.words import counted

if TYPE_CHECKING:
    from sonovec.explore.strangers import Outliers, Stranger

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(hour|day|week|h|d|w)s?(?:\s+ago)?", re.I)
_SECONDS = {"h": 3_600, "d": 86_400, "w": 604_800}


class _When(click.ParamType):  # type: ignore[type-arg]  # generic in stubs alone
    """A time: a date, or so long ago."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds since 1970."""
        text = str(value).strip()
        if ago := _AGO.fullmatch(text):
            return time.time() - float(ago[1]) * _SECONDS[ago[2][0].lower()]
        try:
            return datetime.fromisoformat(text).timestamp()
        except ValueError:
            self.fail(f"{value!r} is not a time; give a date, such as 2026-11-22, or how long ago, such as 7d or 2h")


@click.command(short_help="What does not belong, or is new.")
@click.argument("library", type=LIBRARY, envvar="SONOVEC_LIBRARY")
@token_option
@click.option(
    "--since", type=_When(), help="Tracks that came later, compared with older ones: a date, or 7d for the last week."
)
@click.option("--within", "where", metavar="FILTER", help="Only tracks that match, compared with these alone.")
@click.option("-n", "--limit", type=click.IntRange(0), help="At most so many (default: those that stand out).")
@click.option("--neighbours", type=click.IntRange(1), default=20, show_default=True, help="That each is compared with.")
@click.option("--space", default="main", show_default=True, help="Space whose vectors are compared.")
@json_option
@m3u_option
def outliers(
    library: str,
    token: str | None,
    since: float | None,
    where: str | None,
    limit: int | None,
    neighbours: int,
    space: str,
    as_json: bool,
    m3u: bool,
) -> None:
    """List the tracks of LIBRARY that are unlike the others, the strangest first, each with what is most like it.

    The measure is the local outlier factor: about 1 for a track that lies as densely as its neighbours do. With --since, new
    tracks are compared with older ones: what is in the library for the first time?
    """
    from sonovec.explore.strangers import outliers as find
    from sonovec.library.library import Library

    one_form(json=as_json, m3u=m3u)
    with Library(library, token=token) as opened, watched() as bar:
        found = find(opened, filter=where, since=since, neighbours=neighbours, space=space, progress=bar)
        short = opened.short_paths()
    shown = [each for each in found.strangers if limit is not None or each.stands_out][:limit]
    if m3u:
        print_playlist(Item(each.track.path, each.track.fields) for each in shown)
    elif as_json:
        print_json(_json(library, found, shown))
    elif shown:
        print_table(_COLUMNS, [_row(each, short) for each in shown])
    else:
        click.echo(f"none: {found.reason or _none(found)}")
    if found.without and not as_json and not m3u:
        warn(f"{counted(len(found.without), 'track')} without a direction, such as silence: not compared")


_COLUMNS = (
    Column("factor"),
    Column("stands out", spare=2),
    SOUND,
    Column("nearest", cut="middle", spare=1),
    Column("cosine", spare=3),
    Column("came", spare=4),
)


def _row(each: Stranger, short: Callable[[str], str]) -> tuple[object, ...]:
    near = each.nearest
    return (
        f"{each.factor:.2f}",
        "yes" if each.stands_out else "",
        sound(each.track.path, each.track.fields, short(each.track.path)),
        "" if near is None else Sound(near.path, short(near.path)),
        each.cosine,
        time_text(each.arrived),
    )


def _none(found: Outliers) -> str:
    return f"of {counted(len(found.strangers), 'track')} none stands out; -n 10 lists the 10 strangest"


def _json(library: str, found: Outliers, shown: list[Stranger]) -> dict[str, Any]:
    return {
        "library": to_text(library),
        "since": found.since,
        "looked_at": len(found.strangers),
        "compared_with": found.compared,
        "neighbours": found.neighbours,
        "outliers": [each.to_json() for each in shown],
        "without_direction": [{"id": track.id, "path": track.path} for track in found.without],
        "reason": found.reason,
    }
