"""``sonovec search --said``: where something was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli import stretch_output
from sonovec.cli.m3u import Item, print_playlist
from sonovec.cli.output import print_json, print_table, seconds_text
from sonovec.cli.tables import SOUND, Column, sound
from sonovec.errors import UsageError

if TYPE_CHECKING:
    from sonovec.library.library import Library
    from sonovec.library.said import Said

said_option = click.option(
    "--said",
    metavar="WORDS",
    help="Where someone says this, such as 'open the door'; with QUERY: only tracks in which someone says it.",
)


def check(targets: Sequence[Path], **others: object) -> None:
    """Refuse what goes with a sound alone, and files that could not be written in the end."""
    given = [f"--{name.replace('_', '-')}" for name, value in others.items() if value]
    if given:
        raise UsageError(f"{given[0]} does not go with --said alone, which looks for words; leave it out")
    stretch_output.check(targets)


def find(library: Library, words: str, targets: Sequence[Path], as_json: bool, m3u: bool, **options: Any) -> None:
    """Search for words that were said, print where, and write it to files."""
    found = library.said(words, **options)
    rows = [_stretch(hit) for hit in found.hits]
    stretch_output.write(targets, rows, str(found.reason))
    if as_json:
        hits = [hit.to_json() for hit in found.hits]
        print_json({"said": words, "library": str(library.location), "reason": found.reason, "hits": hits})
    elif m3u:
        print_playlist(Item(each.path, each.fields, each.start, each.end) for each in found.hits)
    elif found.hits:
        short = library.short_paths()
        columns = {
            Column("score"): [hit.score for hit in found.hits],
            SOUND: [sound(hit.path, hit.fields, short(hit.path)) for hit in found.hits],
            **columns_of(found.hits),
        }
        print_table(list(columns), list(zip(*columns.values(), strict=True)))
    else:
        click.echo(f"no hits: {found.reason}")


def _stretch(hit: Said) -> dict[str, Any]:
    """A hit as it is written into files: what was said is the label."""
    row = hit.to_json()
    text = row.pop("text")
    return {**row, "label": text}


def columns_of(hits: Sequence[Said | None]) -> Mapping[Column, Sequence[object]]:
    """The columns that say what was said, and when."""
    return {
        Column("said at"): [hit and seconds_text(hit.start, hit.end) for hit in hits],
        Column("said", cut="end"): [hit and hit.text for hit in hits],
    }
