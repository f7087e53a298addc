"""``sonovec cluster``: groups of tracks that are alike, named, stored and heard."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli.completion import LIBRARY
from sonovec.cli.log import watched
from sonovec.cli.m3u import Item, m3u_option, one_form, print_playlist
from sonovec.cli.options import json_option, token_option
from sonovec.cli.output import position_text, print_json, print_table, warn
from sonovec.cli.tables import Column, sound
from sonovec.errors import UsageError
from sonovec.paths import from_text, to_text
from sonovec.words import counted

if TYPE_CHECKING:
    from sonovec.explore.clustering import Clusters

#: Seconds of each representative that are played, from its middle.
PLAYED = 8.0
COLUMNS = (
    Column("cluster", cut="end", least=14),
    Column("tracks"),
    Column("far out", spare=2),
    Column("representative", cut="middle"),
    Column("more often than elsewhere", cut="end", spare=1),
)


@click.command(short_help="Groups of tracks that are alike.")
@click.argument("library", type=LIBRARY, envvar="SONOVEC_LIBRARY")
@token_option
@click.option("-k", "--clusters", "count", type=click.IntRange(1), help="How many, for k-means (default: tried out).")
@click.option(
    "--method",
    type=click.Choice(["kmeans", "hdbscan"]),
    default="kmeans",
    show_default=True,
    help="HDBSCAN finds their number, and leaves tracks out that belong nowhere.",
)
@click.option("--min-size", "least", type=click.IntRange(2), help="Tracks that a cluster of HDBSCAN has at least.")
@click.option("--within", "where", metavar="FILTER", help="Only tracks that match, such as \"genre = 'Jazz'\".")
@click.option("--space", default="main", show_default=True, help="Space whose vectors are clustered.")
@click.option(
    "--column", default="cluster", show_default=True, help="Where they are stored, in place of what was there before."
)
@click.option("--dry-run", is_flag=True, help="Store nothing.")
@click.option("--new", is_flag=True, help="Only place tracks that are new into the clusters that are stored.")
@click.option("--seed", default=0, show_default=True, help="Seed of k-means and of the samples.")
@click.option("--picture", type=click.Path(path_type=Path), metavar="OUT.png", help="Also draw why so many.")
@click.option("--play", is_flag=True, help="Play 8 seconds of each cluster's representative.")
@json_option
@m3u_option
def cluster(
    library: str,
    token: str | None,
    count: int | None,
    method: str,
    least: int | None,
    where: str | None,
    space: str,
    column: str,
    dry_run: bool,
    new: bool,
    seed: int,
    picture: Path | None,
    play: bool,
    as_json: bool,
    m3u: bool,
) -> None:
    """Find groups of tracks of LIBRARY that sound alike, name them, and store them as a column.

    A name is what the tags and fields of a group's tracks say more often than those of others. Afterwards filters know the
    column: sonovec list -l LIBRARY --filter "cluster = 'Rain'". --m3u prints the representative of each group.
    """
    from sonovec.charts import check_target
    from sonovec.explore.cluster_chart import draw_clusters
    from sonovec.explore.clustering import clusters, place_new
    from sonovec.library.library import Library

    one_form(json=as_json, m3u=m3u)
    if new and (count is not None or least is not None or method != "kmeans" or dry_run or picture or play or m3u):
        raise UsageError(
            "--new only places tracks into stored clusters; give it with --within, --space and --column alone"
        )
    if picture is not None:
        check_target(picture)
    with Library(library, token=token) as opened, watched() as bar:
        short = opened.short_paths()
        if new:
            placed = place_new(opened, filter=where, space=space, column=column, progress=bar)
            paths = opened.paths_of(placed)
        else:
            found = clusters(
                opened,
                count,
                method=method,  # type: ignore[arg-type]  # one of click's choices
                least=least,
                filter=where,
                space=space,
                column=None if dry_run else column,
                seed=seed,
                progress=bar,
            )
    if new:
        _tell_placed(library, {paths[id]: name for id, name in placed.items()}, as_json, short)
        return
    if picture is not None:
        draw_clusters(found, picture)
    if m3u:
        representatives = [each.representative for each in found.clusters]
        print_playlist(Item(track.path, track.fields) for track in representatives)
    elif as_json:
        print_json({"library": to_text(library), **found.to_json()})
    else:
        _print(found, short)
    if play:
        _play(found)


def _tell_placed(library: str, placed: dict[str, str], as_json: bool, short: Callable[[str], str]) -> None:
    if as_json:
        print_json(
            {"library": to_text(library), "placed": [{"path": path, "cluster": name} for path, name in placed.items()]}
        )
    elif placed:
        print_table(
            [Column("path", cut="middle", title="sound"), Column("cluster", cut="end")],
            [(sound(path, {}, short(path)), name) for path, name in placed.items()],
        )
    else:
        click.echo("no track is new")


def _print(found: Clusters, short: Callable[[str], str]) -> None:
    print_table(COLUMNS, list(_rows(found, short)))
    if found.outliers:
        warn(f"{counted(len(found.outliers), 'track')} in no cluster; the column has 'outlier' for them")
    if found.without:
        warn(f"{counted(len(found.without), 'track')} without a direction, such as silence: in no cluster")
    if found.trials and len(found.clusters) > 1:
        chosen = next(trial for trial in found.trials if trial.count == len(found.clusters))
        warn(
            f"{len(found.clusters)} of {found.trials[0].count} to {found.trials[-1].count} clusters: silhouette "
            f"{chosen.silhouette:.2f}, stability {chosen.stability:.2f}; give -k for another number"
        )


def _rows(found: Clusters, short: Callable[[str], str]) -> Sequence[Sequence[object]]:
    return [
        (
            each.name,
            len(each.tracks),
            len(each.outliers) or "",
            sound(each.representative.path, each.representative.fields, short(each.representative.path)),
            "; ".join(f"{term.text} ({term.inside} of {term.inside + term.outside})" for term in each.terms[:3]),
        )
        for each in found.clusters
    ]


def _play(found: Clusters) -> None:
    """Play the representatives, one after the other."""
    import time

    from sonovec.cli.play import Player

    with Player() as player:
        for each in found.clusters:
            track = each.representative
            length = float(str(track.fields.get("duration") or PLAYED))
            start = max(0.0, (length - PLAYED) / 2)
            end = min(length, start + PLAYED)
            click.echo(f"{each.name}: {position_text(start)} of {Path(from_text(track.path)).name}", file=sys.stderr)
            player.play(from_text(track.path), start, end)
            time.sleep(end - start)
