"""Playlists: M3U8, which players read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import click

from sonovec.cli.output import shown_path, warn
from sonovec.errors import UsageError
from sonovec.paths import from_text

m3u_option = click.option("--m3u", is_flag=True, help="Print a playlist: M3U8, which players read.")


@dataclass(frozen=True)
class Item:
    """A sound, by its path as `sonovec.paths.to_text` writes it, or the stretch of it from `start` to `end`, in seconds."""

    path: str
    fields: Mapping[str, object] = field(default_factory=dict)
    start: float | None = None
    end: float | None = None


def one_form(**forms: bool) -> None:
    """Refuse two forms of one answer.

    Raises
    ------
    UsageError
        Several of the options, given by name, are set.
    """
    given = [f"--{name}" for name, wanted in forms.items() if wanted]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are different forms of one answer; give one of them")


def print_playlist(items: Iterable[Item]) -> None:
    """Print a playlist. What it cannot hold is left out, with a line on the error stream.

    A stretch begins and ends in players that know the options of VLC; others play the whole sound.
    """
    click.echo(b"\n".join([b"#EXTM3U", *(line for item in items for line in _lines(item))]) + b"\n", nl=False)


def _lines(item: Item) -> list[bytes]:
    from sonovec.library.roots import alias_in

    path = from_text(item.path)
    if alias_in(item.path) is not None:
        warn(f"{shown_path(item.path)}: left out: the file is not on this machine")
        return []
    if {"\n", "\r"} & {*str(path)}:
        warn(f"{shown_path(item.path)}: left out: a playlist has no way to write a name with a line break")
        return []
    options = [
        f"#EXTVLCOPT:{name}-time={seconds:.3f}".encode()
        for name, seconds in (("start", item.start), ("stop", item.end))
        if seconds is not None
    ]
    described = f"#EXTINF:{_seconds(item)},{_name(item)}".encode(errors="surrogateescape")
    return [described, *options, os.fsencode(path)]


def _seconds(item: Item) -> int:
    if item.start is not None and item.end is not None:
        return round(item.end - item.start)
    duration = item.fields.get("duration")
    return -1 if duration is None else round(float(str(duration)))


def _name(item: Item) -> str:
    """Artist and title, on one line; the file's name where there is no title."""
    title, artist = (" ".join(str(item.fields.get(name) or "").split()) for name in ("title", "artist"))
    return " - ".join(filter(None, (artist, title))) or from_text(item.path).stem
