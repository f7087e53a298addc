"""``sonovec remove``: tracks out of a library."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sonovec.cli.options import add_options, json_option, library_options
from sonovec.cli.output import fail, print_json, shown_path
from sonovec.errors import UsageError
from sonovec.paths import to_text
from sonovec.words import counted

if TYPE_CHECKING:
    from sonovec.library.removal import Removal

#: Paths that are named before the question.
LISTED = 10


@click.command(short_help="Tracks out of a library.")
@click.argument("tracks", nargs=-1, metavar="TRACK...")
@add_options(library_options)
@click.option("--filter", "where", metavar="EXPR", help='Also all tracks that match, such as "duration < 1".')
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def remove(
    tracks: tuple[str, ...],
    library: str,
    token: str | None,
    where: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Remove tracks from a library. The files stay on the disk, and nothing is done to them.

    TRACK is a path, an id, or the first digits of an id, four or more. The path of a file removes this file alone: its track
    stays as long as the library holds a copy of the file. To remove what is gone from the disk, use `sonovec index --prune`.
    """
    from sonovec.library.library import Library

    with Library(library, token=token) as opened:
        if not (yes or dry_run or _agreed(opened.remove(tracks, filter=where, dry_run=True))):
            fail("nothing was removed")
            return 2
        found = opened.remove(tracks, filter=where, dry_run=dry_run)
    if as_json:
        print_json(
            {
                "library": to_text(library),
                "dry_run": dry_run,
                "removed": [{"id": id, "path": path} for id, path in found.tracks.items()],
                "kept": [{"id": id, "path": path} for id, path in found.kept.items()],
                "files": [to_text(path) for path in found.files],
            }
        )
        return 0
    _name(found)
    click.echo(f"{'would remove' if dry_run else 'removed'} {_told(found)}")
    if found.files and not dry_run:
        click.echo("the files are still on the disk: `sonovec index` of their folder adds them again")
    return 0


def _agreed(found: Removal) -> bool:
    """Ask a person; where nobody can be asked, refuse."""
    if not (found.tracks or found.kept):
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"this removes {_told(found)}; to do it, add --yes; to see more, add --dry-run")
    _name(found, error=True)
    return click.confirm(f"Remove {_told(found)}?", err=True)


def _name(found: Removal, error: bool = False) -> None:
    paths = list(found.tracks.values())
    for path in paths[:LISTED]:
        click.echo(f"  {shown_path(path)}", err=error)
    if len(paths) > LISTED:
        click.echo(f"  and {len(paths) - LISTED} more", err=error)


def _told(found: Removal) -> str:
    n_tracks, n_kept = len(found.tracks), len(found.kept)
    told = counted(n_tracks, "track")
    if n_kept:
        told += f", and {counted(n_kept, 'copy', 'copies')} of tracks that stay"
    return told
