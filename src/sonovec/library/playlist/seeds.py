"""What a playlist starts from: a track of the library, or a sound that is heard now."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonovec.audio.tags.read import read_tags
from sonovec.embedding.source import source_of
from sonovec.errors import SonovecError, UsageError
from sonovec.library.playlist.songs import Song
from sonovec.library.queries import Asked, Queries, expanded
from sonovec.library.records import Value
from sonovec.library.search import Query
from sonovec.music import columns
from sonovec.music.analyser import Music
from sonovec.paths import display, from_text, to_text


@dataclass(frozen=True, eq=False)
class Seed:
    """Vectors to search for; `song` is what can be played of it: a file, or a track of the library."""

    query: Query
    song: Song | None
    is_stored: bool


def seed_of(queries: Queries, asked: Asked, shown: Callable[[str, str], str], prefer: str) -> Seed:
    """A seed of what a user gives; what the library does not have is embedded now, and its music is heard too.

    Raises
    ------
    AudioError, UsageError
        As of a search.
    """
    query = queries.query(asked, 0.0, None)
    if query.track is None:
        return Seed(query, None, False)
    track = queries.store.get([query.track], vectors=True, space=queries.space.name).get(query.track)
    if track is not None:
        return Seed(query, Song.of(track, shown(track.id, track.path), prefer), True)
    path = expanded(from_text(os.fspath(asked)))  # type: ignore[arg-type]  # what has a content is a path
    fields = {**_known(path, query), **heard_now(queries, path)}
    return Seed(query, Song.of_fields(query.track, to_text(path), fields, query.vector, prefer), False)


def must_be_playable(seed: Seed, asked: Asked) -> Song:
    """The song of a seed that has to be in the list.

    Raises
    ------
    UsageError
        If it is no file and no track.
    """
    if seed.song is None:
        raise UsageError(
            f"{type(asked).__name__}: a list cannot play what is neither a file nor a track of the library; give a path or "
            "an id"
        )
    return seed.song


def heard_now(queries: Queries, path: Path, start: float = 0.0, end: float | None = None) -> Mapping[str, Value]:
    """The columns of music of a file that the library does not have, where it has those of its tracks from our analyser.

    What cannot be heard is not known; the file has been decoded before, so that is rare.
    """
    declared = queries.store.declared()
    owners = {declared[name].owner.name for name in (columns.TEMPO, columns.KEY) if name in declared}
    if Music.name not in owners:
        return {}
    from sonovec.library.hearing import hear_source

    def no_encoder() -> Any:
        raise UsageError(f"{Music.name}: hears samples alone")

    try:
        heard = hear_source(source_of(path, start, end), [Music], no_encoder, 0.0, isolate=False)[Music.name]
    except SonovecError:
        return {}
    return {} if heard.findings is None else dict(heard.findings.columns)


def _known(path: Path, query: Query) -> Mapping[str, Value]:
    tags: dict[str, Value] = {name: value for name, value in read_tags(path).items() if name != "notes"}
    return {**tags, "duration": None if query.times is None else float(query.times.max())}


def unknown_music(seed: Seed) -> str | None:
    """A line where a seed's tempo and key are not known since it is not in the library."""
    song = seed.song
    if seed.is_stored or song is None or song.tempo is not None or song.key is not None:
        return None
    return f"{display(from_text(song.path))}: is not in the library, so it was embedded now; its tempo and key are not known"
