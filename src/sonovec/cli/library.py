"""``sonovec library``: what belongs to a whole library, and not to one run or one search."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sonovec.cli.completion import LIBRARY
from sonovec.cli.options import json_option, token_option
from sonovec.cli.output import print_json, print_table, time_text
from sonovec.cli.tables import Column
from sonovec.paths import display, to_text

if TYPE_CHECKING:
    from sonovec.library.job_records import JobRecord
    from sonovec.library.roots import Root

JOB_COLUMNS = (
    Column("job"),
    Column("kind"),
    Column("state"),
    Column("stage", cut="end", spare=4),
    Column("done", spare=2),
    Column("of", spare=3),
    Column("unit", spare=5),
    Column("started", spare=1),
    Column("ended", spare=6),
    Column("why", cut="end", spare=1),
)
SPACE_COLUMNS = (
    Column("space"),
    Column("tracks"),
    Column("model", cut="middle"),
    Column("level", spare=2),
    Column("dim", spare=1),
    Column("dtype", spare=4),
    Column("precision", spare=3),
)


@click.group(short_help="Manage the roots, spaces and jobs of a library.")
def library() -> None:
    """Look after a library: what it is made of, and what its parts are called."""


@library.command(short_help="The folders that were indexed.")
@click.argument("name", metavar="LIBRARY", type=LIBRARY)
@token_option
@json_option
def roots(name: str, token: str | None, as_json: bool) -> None:
    """List the folders that were indexed: what LIBRARY calls them, and where they lie on this machine."""
    from sonovec.library.library import Library

    with Library(name, token=token) as opened:
        found = opened.roots()
    if as_json:
        print_json({"library": to_text(name), "roots": [_json(root) for root in found]})
        return
    rows = [(root.alias, display(root.folder) if root.folder else "not on this machine", root.files) for root in found]
    print_table([Column("root"), Column("folder", cut="middle"), Column("files")], rows)


@library.command("move-root", short_help="Set the new place of a folder that was moved.")
@click.argument("name", metavar="LIBRARY", type=LIBRARY)
@click.argument("root")
@click.argument("folder", type=click.Path(path_type=Path))
@token_option
@json_option
def move_root(name: str, root: str, folder: Path, token: str | None, as_json: bool) -> None:
    """Say that ROOT, given by its alias or its old folder, lies in FOLDER on this machine; nothing is embedded again.

    For a folder that was moved or renamed, a disk that is mounted elsewhere, and a root that another machine has indexed.
    """
    from sonovec.library.library import Library

    with Library(name, token=token) as opened:
        _tell(opened.move_root(root, folder), as_json)


@library.command("rename-root", short_help="Give a root another alias.")
@click.argument("name", metavar="LIBRARY", type=LIBRARY)
@click.argument("root")
@click.argument("alias")
@token_option
@json_option
def rename_root(name: str, root: str, alias: str, token: str | None, as_json: bool) -> None:
    """Give ROOT, given by its alias or its folder, another ALIAS in the library; nothing is embedded again."""
    from sonovec.library.library import Library

    with Library(name, token=token) as opened:
        _tell(opened.rename_root(root, alias), as_json)


@library.command(short_help="List the jobs of a library: finished and running.")
@click.argument("name", metavar="LIBRARY", type=LIBRARY)
@token_option
@json_option
def jobs(name: str, token: str | None, as_json: bool) -> None:
    """List what ran on LIBRARY from this machine, and what runs, the latest first."""
    from sonovec.library.library import Library

    with Library(name, token=token) as opened:
        found = opened.jobs()
    if as_json:
        print_json({"library": to_text(name), "jobs": [_job_json(job) for job in found]})
        return
    print_table(JOB_COLUMNS, [_job_row(job) for job in found])


def _job_row(job: JobRecord) -> tuple[object, ...]:
    progress, times = job.progress, [time_text(job.started), time_text(job.ended)]
    counted = (progress.stage, progress.done, progress.total, progress.unit)
    return (job.id, job.kind, job.state, *counted, *times, job.error)


def _job_json(job: JobRecord) -> dict[str, object]:
    told = asdict(job)
    return {**{name: value for name, value in told.items() if name not in ("progress", "process")}, **told["progress"]}


@library.command("spaces")
@click.argument("place", metavar="LIBRARY", type=LIBRARY)
@token_option
@json_option
def list_spaces(place: str, token: str | None, as_json: bool) -> None:
    """List the spaces, with their encoders; the one called main is the library's own."""
    from sonovec.library.library import Library

    with Library(place, token=token) as opened:
        tracks = opened.tracks_in_spaces()
        spaces = opened.spaces()
    rows = {
        name: {
            "tracks": tracks[name],
            "model": space.model,
            "level": space.level,
            "dim": space.dim,
            "dtype": space.dtype,
            "precision": space.passport.get("precision"),
        }
        for name, space in spaces.items()
    }
    if as_json:
        print_json({"library": to_text(place), "spaces": [{"name": name, **row} for name, row in rows.items()]})
        return
    print_table(SPACE_COLUMNS, [(name, *row.values()) for name, row in rows.items()])


@library.command("drop-space")
@click.argument("place", metavar="LIBRARY", type=LIBRARY)
@click.argument("name")
@token_option
@json_option
def drop_space(place: str, name: str, token: str | None, as_json: bool) -> None:
    """Remove a space with its vectors; tracks, and the other spaces, are not touched."""
    from sonovec.library.library import Library

    with Library(place, token=token) as opened:
        opened.drop_space(name)
    if as_json:
        print_json({"library": to_text(place), "dropped": name})
    else:
        click.echo(f"{place}: the space {name!r} is gone")


def _tell(root: Root, as_json: bool) -> None:
    if as_json:
        print_json(_json(root))
    else:
        click.echo(f"{display(root.alias)}: {display(root.folder or '')}, {root.files} files")


def _json(root: Root) -> dict[str, object]:
    return {"alias": root.alias, "folder": None if root.folder is None else to_text(root.folder), "files": root.files}
