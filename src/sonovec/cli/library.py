"""``sonovec library``: what a library holds beside its tracks."""

from __future__ import annotations

import click

from sonovec.cli.options import json_option
from sonovec.cli.output import print_json, print_table

_token = click.option("--token", help="user:password or API key of a Milvus server. [env: SONOVEC_MILVUS_TOKEN]")


@click.group(short_help="The spaces of a library.")
def library() -> None:
    """List or drop the spaces of a library: the kinds of vectors that it holds."""


@library.command("spaces")
@click.argument("place", metavar="LIBRARY")
@_token
@json_option
def list_spaces(place: str, token: str | None, as_json: bool) -> None:
    """List the spaces, with their encoders; the one called main is the library's own."""
    from sonovec.library.library import Library
    from sonovec.paths import to_text

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
    columns = list(next(iter(rows.values())))
    print_table(["space", *columns], [(name, *row.values()) for name, row in rows.items()])


@library.command("drop-space")
@click.argument("place", metavar="LIBRARY")
@click.argument("name")
@_token
def drop_space(place: str, name: str, token: str | None) -> None:
    """Remove a space with its vectors; tracks, and the other spaces, are not touched."""
    from sonovec.library.library import Library

    with Library(place, token=token) as opened:
        opened.drop_space(name)
    click.echo(f"{place}: the space {name!r} is gone")
