"""``sonovec compare-spaces``: what changes if the encoder changes?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from sonovec.cli.completion import LIBRARY
from sonovec.cli.log import watched
from sonovec.cli.m3u import Item, m3u_option, one_form, print_playlist
from sonovec.cli.options import json_option, token_option
from sonovec.cli.output import print_json, print_table, shown_path, warn_of
from sonovec.cli.tables import SOUND, Column, Sound
from sonovec.errors import SonovecError
from sonovec.paths import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sonovec.evaluation.metrics import Score
    from sonovec.explore.space_comparison import Disagreement, SpaceComparison

#: Seconds of each sound that --play plays.
PLAYED = 5.0


@click.command("compare-spaces", short_help="What changes from one space to another?")
@click.argument("library", metavar="LIBRARY", type=LIBRARY)
@click.argument("a")
@click.argument("b")
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="Nearest tracks that are compared.")
@click.option("-n", "--limit", type=click.IntRange(0), default=10, show_default=True, help="Tracks that are listed.")
@click.option("--play", is_flag=True, help="Play each of these tracks, then its nearest in A, then its nearest in B.")
@token_option
@json_option
@m3u_option
def compare_spaces(
    library: str, a: str, b: str, k: int, limit: int, play: bool, token: str | None, as_json: bool, m3u: bool
) -> None:
    """Compare the spaces A and B of LIBRARY by the tracks that both hold, and list those of which they disagree most.

    Make a second space with `sonovec index PATH -l LIBRARY --space B -m MODEL`, or with `sonovec compress`.
    """
    from sonovec.explore.space_comparison import compare_spaces as compare
    from sonovec.library.library import Library

    one_form(json=as_json, m3u=m3u, play=play)
    with Library(library, token=token) as opened, watched() as bar:
        found, short = compare(opened, a, b, k=k, told=limit, progress=bar), opened.short_paths()
    if as_json:
        print_json({"library": to_text(library), **found.to_json()})
    elif m3u:
        print_playlist(Item(path) for each in found.disagreements for path in _playlist_of(each))
    else:
        print_table(["measure", "value", "95 % interval"], _measures(found))
        if found.disagreements:
            click.echo()
            print_table(_columns(a, b), [_row(each, short) for each in found.disagreements])
        if play:
            _play(found)


def _playlist_of(each: Disagreement) -> list[str]:
    return [each.path, *each.nearest_a[:1], *each.nearest_b[:1]]


def _measures(found: SpaceComparison) -> list[list[object]]:
    def scored(name: str, score: Score) -> list[object]:
        return [name, f"{score.value:.3f}", f"{score.low:.3f} to {score.high:.3f}"]

    def plain(name: str, value: float | None) -> list[object]:
        return [name, "not known: no variance" if value is None else f"{value:.3f}", ""]

    return [
        ["tracks compared", found.tracks, ""],
        [f"only in {found.a}, only in {found.b}", f"{found.only_a}, {found.only_b}", ""],
        scored(f"shared of the {found.k} nearest", found.overlap),
        plain("the same by chance", found.by_chance),
        scored("same nearest track", found.same_nearest),
        plain("CKA (linear, debiased)", found.cka),
        plain("correlation of cosines (Pearson)", found.pearson),
        plain("correlation of their ranks (Spearman)", found.spearman),
    ]


def _columns(a: str, b: str) -> list[Column]:
    nearest = [Column(f"nearest in {name}", cut="middle", spare=1) for name in (a, b)]
    return [Column("shared"), SOUND, *nearest]


def _row(each: Disagreement, short: Callable[[str], str]) -> Sequence[object]:
    sounds = [Sound(path, short(path)) for path in _playlist_of(each)]
    return [f"{each.overlap:.2f}", *sounds]


def _play(found: SpaceComparison) -> None:
    from sonovec.cli.play import Player

    with Player() as player:
        for each in found.disagreements:
            for what, path in zip(("sound", f"in {found.a}", f"in {found.b}"), _playlist_of(each), strict=True):
                click.echo(f"{what}: {shown_path(path)}")
                try:
                    player.play(from_text(path), 0.0, PLAYED)
                except SonovecError as error:
                    warn_of(path, str(error))
                    continue
                time.sleep(PLAYED)
