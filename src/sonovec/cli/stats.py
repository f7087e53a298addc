"""``sonovec stats``: a library in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sonovec.cli.options import add_options, json_option, library_options
from sonovec.cli.output import print_json, print_table, time_text
from sonovec.paths import to_text

if TYPE_CHECKING:
    from sonovec.library.statistics import Statistics


@click.command(short_help="A library in numbers.")
@add_options(library_options)
@json_option
def stats(library: str, token: str | None, as_json: bool) -> None:
    """Tell how much a library holds: tracks, hours, formats, spaces, passages, bytes on disk, and how many files failed."""
    from sonovec.library.library import Library

    with Library(library, token=token) as opened:
        found = opened.statistics()
    if as_json:
        print_json({"library": to_text(library), **_json(found)})
    else:
        print_table(["", library], list(_rows(found)))


def _rows(found: Statistics) -> Iterator[tuple[str, object]]:
    yield "tracks", found.tracks
    yield "hours of sound", f"{found.audio_seconds / 3600:.2f}"
    for name, stored in found.spaces.items():
        space = stored.space
        held = f"{stored.tracks} tracks, {stored.segments} segments of {space.segment_seconds:g} s"
        yield f"space {name}", f"{space.model}, {space.dim} numbers: {held}"
    yield "passages", found.passages
    yield "formats", _by(found.formats)
    yield "sample rates", _by({f"{rate} Hz": count for rate, count in found.rates.items()})
    yield "channels", _by(found.channels)
    yield "silent", found.silent
    if found.years is not None:
        yield "years", "-".join(map(str, found.years))
    if found.indexed is not None:
        yield "first and last run", " and ".join(map(time_text, found.indexed))
    yield "files seen here", _by(asdict(found.files))
    if found.bytes is not None:
        yield "bytes on disk", f"{found.bytes:,}"


def _by(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items()) or "none"


def _json(found: Statistics) -> dict[str, Any]:
    told = {name: getattr(found, name) for name in found.__dataclass_fields__}
    spaces = [
        {
            "name": name,
            "model": stored.space.model,
            "dim": stored.space.dim,
            "level": stored.space.level,
            "segment_seconds": stored.space.segment_seconds,
            "tracks": stored.tracks,
            "segments": stored.segments,
        }
        for name, stored in found.spaces.items()
    ]
    files = {"found": found.files.found, **asdict(found.files)}
    return {**told, "spaces": spaces, "files": files}
