"""What a notebook shows of libraries, tracks, hits and places."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sonovec.errors import SonovecError
from sonovec.html import Html, block, element, facts, player, table
from sonovec.library import sound_tags
from sonovec.library.long_texts import LONG
from sonovec.paths import display, from_text

if TYPE_CHECKING:
    from sonovec.library.library import Library
    from sonovec.library.places import Place
    from sonovec.library.records import Track, Value
    from sonovec.library.search import Hit

#: Bytes of a file up to which a hit has a player, and tags that are shown.
PLAYED, TAGS = 1 << 20, 3
_SCORES = f"{sound_tags.COLUMN}_scores"
#: Fields that are shown in a way of their own, or not at all.
_APART = frozenset({"path", "title", sound_tags.COLUMN, _SCORES, "duration"}) | LONG


def hit_html(hit: Hit) -> Html:
    """A hit with its seconds, its tags and its fields, and a player where the file is there and small."""
    matched = {"matches": seconds(hit.query_start, hit.query_end)} if hit.query_start is not None else {}
    told = {"score": f"{hit.score:.3f}", "seconds": seconds(hit.start, hit.end), **matched}
    return block(hit.title, facts({"path": _path(hit.path), **told, **_told(hit.fields)}), *_player(hit.path))


def hits_html(hits: Sequence[Hit]) -> Html:
    """Hits as a table, best first."""
    rows = [
        (f"{hit.score:.3f}", element("span", hit.title, title=hit.path), seconds(hit.start, hit.end), _tags(hit.tags))
        for hit in hits
    ]
    return table(["score", "title", "seconds", "tags"], rows) if rows else element("div", "no hits")


def places_html(places: Sequence[Place], reason: str | None) -> Html:
    """Places as a table."""
    if not places:
        return element("div", f"no places: {reason}")
    rows = [(f"{each.score:.3f}", _path(each.path), seconds(each.start, each.end)) for each in places]
    return table(["score", "path", "seconds"], rows)


def track_html(track: Track) -> Html:
    """A track with its fields, and a player where the file is there and small."""
    told = facts({"path": _path(track.path), "id": track.id[:16], **_told(track.fields)})
    return block(track.title, told, *_player(track.path))


def library_html(library: Library) -> Html:
    """How much is in a library, and what it is made of; or why that cannot be said."""
    title = f"Library {library.location}"
    try:
        if (config := library.config) is None:
            return block(title, element("div", "no library here yet; library.add(folder) makes it"))
        held = library.tracks_in_spaces()
        spaces = [
            (each.name, each.model, each.dim, each.level, f"{each.segment_seconds:g} s", held[each.name])
            for each in library.spaces().values()
        ]
        own = ", ".join(name for name, column in library.columns().items() if str(column.owner) == "user")
        told = facts({"tracks": len(library), "encoder": config.model, "columns of your own": own})
        return block(title, told, table(["space", "model", "numbers", "level", "segments", "tracks"], spaces))
    except SonovecError as error:
        return block(title, element("div", error))


def seconds(start: float | None, end: float | None) -> str:
    """A range of seconds.

    Examples
    --------
    >>> seconds(0, 3.25)
    '0.0-3.2 s'
    """
    return "" if start is None or end is None else f"{start:.1f}-{end:.1f} s"


def _path(path: str) -> str:
    return display(from_text(path))


def _tags(tags: Iterable[str]) -> str:
    return ", ".join(list(tags)[:TAGS])


def _told(fields: Mapping[str, Value]) -> dict[str, object]:
    """The fields of a track for people: how long it is, what was heard, and the rest as it is."""
    duration = fields.get("duration")
    heard = sound_tags.together(fields.get(sound_tags.COLUMN), fields.get(_SCORES))
    return {
        "duration": f"{duration:.2f} s" if isinstance(duration, float) else None,
        "tags": ", ".join(f"{tag} {score:.2f}" for tag, score in list(heard.items())[:TAGS]),
        **{name: value for name, value in fields.items() if name not in _APART and value not in (None, [])},
    }


def _player(path: str) -> list[Html]:
    """A player of a file, if it is a small sound that a browser may know."""
    kind, _ = mimetypes.guess_type(path)
    file = from_text(path)
    try:
        if not (kind or "").startswith("audio/") or not file.is_file():
            return []
        return [player(file.read_bytes(), str(kind))] if file.stat().st_size <= PLAYED else []
    except (OSError, ValueError):
        return []
