"""``sonovec export``: a library as Parquet files, to keep or to share."""

from __future__ import annotations

from pathlib import Path

import click

from sonovec.cli.completion import LIBRARY
from sonovec.cli.log import watched
from sonovec.cli.options import json_option, token_option
from sonovec.cli.output import print_json
from sonovec.paths import display, to_text


@click.command(short_help="A library as Parquet files.")
@click.argument("library", type=LIBRARY)
@click.argument("out", type=click.Path(path_type=Path))
@token_option
@json_option
def export(library: str, out: Path, token: str | None, as_json: bool) -> None:
    """Write LIBRARY into the new folder OUT: Parquet files of its tracks, fields and vectors, and manifest.json.

    No audio is copied, and paths do not name the folders of this machine. `sonovec import OUT -l NEW` makes a library of it,
    in any kind of store.
    """
    from sonovec.library.library import Library

    with Library(library, token=token) as opened, watched() as bar:
        manifest = opened.export(out, progress=bar)
    counts = {name.removesuffix(".parquet"): file.rows for name, file in manifest.files.items()}
    size = sum(file.bytes for file in manifest.files.values())
    if as_json:
        told = {"library": to_text(library), "output": to_text(out), "counts": counts, "bytes": size}
        print_json({**told, "files": {name: file.sha256 for name, file in manifest.files.items()}})
    else:
        click.echo(f"{counts['tracks']} tracks in {display(out)}, {size:,} bytes; without the audio")
