"""``sonovec import``: an exported library into a library."""

from __future__ import annotations

from pathlib import Path

import click

from sonovec.cli.log import watched
from sonovec.cli.options import add_options, json_option, library_options
from sonovec.cli.output import fail_of, print_json, warn
from sonovec.paths import display, printable, to_text


@click.command("import", short_help="An exported library into a library.")
@click.argument("folder", metavar="IN", type=click.Path(path_type=Path))
@add_options(library_options)
@json_option
def import_(folder: Path, library: str, token: str | None, as_json: bool) -> int:
    """Read IN, which `sonovec export` made, into a library: a new one, or one that was made with the same encoder.

    Checksums are compared before anything is written. Tracks that are there stay as they are. Run it again after an
    interrupt: it goes on where it was.
    """
    from sonovec.library.library import Library

    with Library(library, token=token) as opened, watched() as bar:
        found = opened.import_(folder, progress=bar)
        tracks = len(opened)
    for path, reason in found.failures:
        fail_of(path, reason)
    for alias, name in found.aliases.items():
        warn(f"{printable(alias)}: is the name of other files in this library; here it is called {printable(name)}")
    if as_json:
        print_json(
            {
                "input": to_text(folder),
                "library": to_text(library),
                "tracks": tracks,
                "imported": found.tracks,
                "present": found.present,
                "aliases": dict(found.aliases),
                "failures": [{"path": path, "reason": reason} for path, reason in found.failures],
            }
        )
    else:
        click.echo(f"{found.tracks} tracks of {display(folder)} imported, {found.present} were there; {tracks} in all")
    return 1 if found.failures else 0
