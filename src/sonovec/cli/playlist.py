"""``sonovec playlist``: tracks that belong together, in the order with the smallest steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli.log import watched
from sonovec.cli.m3u import m3u_option, one_form, print_playlist, tell_left_out
from sonovec.cli.options import add_options, json_option, library_options
from sonovec.cli.output import position_text, print_json, print_table, warn, warn_of_nothing_written
from sonovec.cli.tables import SOUND, Column, sound
from sonovec.errors import UsageError
from sonovec.library.playlist import files
from sonovec.music.settled import PREFERENCES
from sonovec.paths import check_output, to_text

if TYPE_CHECKING:
    from sonovec.library.playlist.lists import Listed, Playlist

#: What the list is.
what_options: Sequence[Callable[..., object]] = (
    click.option("--to", type=click.Path(), metavar="TRACK", help="Go from SEED to TRACK in even steps of sound."),
    click.option(
        "--arc",
        metavar="COLUMN=SHAPE",
        help="How a column changes: tempo=up, energy=up-down (or down, down-up), or values: tempo=90,128,100.",
    ),
    click.option("--harmonic", is_flag=True, help="Each track mixes with the next, by the Camelot wheel."),
    click.option("--grow", is_flag=True, help="Take all that fits SEED, until nothing fits any more."),
    click.option(
        "--min-score", type=float, help="Lowest score with a SEED (with --grow: taken from the library by itself)."
    ),
)
#: How long it is, and what may be in it.
limit_options: Sequence[Callable[..., object]] = (
    click.option("-n", "--limit", type=int, help="Number of tracks (default: 20)."),
    click.option("--minutes", type=float, help="Length in minutes, as nearly as the tracks allow."),
    click.option("--tempo", metavar="A..B", help="Only tracks with such a tempo, such as 118..126."),
    click.option("--filter", "where", metavar="EXPR", help="Only tracks that match, such as \"genre = 'Jazz'\"."),
    click.option("--artist-limit", type=int, metavar="N", help="At most N tracks of each artist."),
    click.option(
        "--history",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="No track that FILE lists; the tracks of this playlist are added to it.",
    ),
    click.option("--no-seeds", is_flag=True, help="Do not play SEED itself."),
)
#: What counts.
how_options: Sequence[Callable[..., object]] = (
    click.option(
        "--weight",
        "weights",
        multiple=True,
        metavar="NAME=NUMBER",
        help="How much sound, tempo or key counts in the order (default: 1 each). Repeatable.",
    ),
    click.option(
        "--prefer",
        type=click.Choice(PREFERENCES),
        default=PREFERENCES[0],
        show_default=True,
        help="Which tempo and key count: those that were heard, or those that the file tells.",
    ),
    click.option("--seed", "random_seed", type=int, default=0, show_default=True, help="Of the search for the order."),
    click.option("--space", default="main", show_default=True, help="Space whose vectors are compared."),
    click.option("--gapless", is_flag=True, help="Cue points: where the sound of each track starts and ends."),
)
#: Where it is written.
out_options: Sequence[Callable[..., object]] = (
    click.option(
        "-o",
        "--out",
        "targets",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"Write the playlist, by the ending of FILE: {files.ENDINGS}. Repeatable.",
    ),
    click.option("--title", default="", help="Of the playlist, in formats that have one."),
    click.option(
        "--relative-to",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="FOLDER",
        help="Paths as they are seen from FOLDER, in files and with --m3u.",
    ),
)
COLUMNS = (
    Column("#"),
    Column("start", spare=3),
    SOUND,
    Column("length", spare=4),
    Column("tempo", spare=1),
    Column("key", spare=2),
    Column("camelot", spare=1),
    Column("score", spare=5),
    Column("step", spare=6),
)


@click.command(short_help="Tracks that belong together, in a good order.")
@click.argument("seeds", type=click.Path(), nargs=-1, metavar="[SEED]...")
@add_options(library_options)
@add_options(what_options)
@add_options(limit_options)
@add_options(how_options)
@add_options(out_options)
@json_option
@m3u_option
def playlist(
    seeds: tuple[str, ...],
    library: str,
    token: str | None,
    to: str | None,
    arc: str | None,
    harmonic: bool,
    grow: bool,
    min_score: float | None,
    limit: int | None,
    minutes: float | None,
    tempo: str | None,
    where: str | None,
    artist_limit: int | None,
    history: Path | None,
    no_seeds: bool,
    weights: tuple[str, ...],
    prefer: str,
    random_seed: int,
    space: str,
    gapless: bool,
    targets: tuple[Path, ...],
    title: str,
    relative_to: Path | None,
    as_json: bool,
    m3u: bool,
) -> None:
    """Make a playlist of what sounds like SEED (files, or tracks by path or id), or of the whole library.

    The order is the one with the smallest steps of sound, tempo and key. The first SEED comes first, but for an arc.
    """
    from sonovec.library.library import Library

    one_form(json=as_json, m3u=m3u)
    for target in targets:
        files.format_of(target)
        check_output(target)
    with Library(library, token=token) as opened, watched() as bar:
        made = opened.playlist(
            seeds,
            to=to,
            limit=limit,
            minutes=minutes,
            arc=arc,
            harmonic=harmonic,
            tempo=tempo,
            filter=where,
            artist_limit=artist_limit,
            history=history,
            grow=grow,
            min_score=min_score,
            with_seeds=not no_seeds,
            gapless=gapless,
            weights=dict(map(_weight, weights)),
            prefer=prefer,
            seed=random_seed,
            space=space,
            progress=bar,
        )
        short = opened.short_paths()
    for note in made.notes:
        warn(note)
    for target in targets:
        _write(made, target, title, relative_to)
    if as_json:
        print_json({"library": to_text(library), **made.to_json()})
    elif m3u:
        print_playlist((track.item for track in made.tracks), relative_to)
    elif made.tracks:
        _print(made, short)
    else:
        click.echo(f"no playlist: {made.reason}")


def _weight(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError as error:
        raise UsageError(
            f"--weight {text!r} is not of the form NAME=NUMBER; give, for example, --weight key=2"
        ) from error


def _write(made: Playlist, target: Path, title: str, relative_to: Path | None) -> None:
    if not made.tracks:
        warn_of_nothing_written(target, str(made.reason))
        return
    tell_left_out(made.write(target, title=title, relative_to=relative_to))


def _print(made: Playlist, short: Callable[[str], str]) -> None:
    rows, now = [], 0.0
    for number, track in enumerate(made.tracks, start=1):
        rows.append(_row(number, now, track, short))
        now += track.seconds
    print_table(COLUMNS, rows)


def _row(number: int, now: float, track: Listed, short: Callable[[str], str]) -> Sequence[object]:
    return (
        number,
        position_text(now),
        sound(track.path, track.fields, short(track.path)),
        position_text(track.seconds),
        None if track.tempo is None else f"{track.tempo:.1f}",
        None if track.key is None else str(track.key),
        None if track.key is None else track.key.camelot,
        track.score,
        None if track.step is None else track.step.cost,
    )
