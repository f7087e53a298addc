"""The classes of tracks, by which smaller vectors are judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sonovec.errors import UsageError
from sonovec.paths import from_text

if TYPE_CHECKING:
    from sonovec.library.library import Library

LABELS, FOLDER = "labels", "folder"


def classes_of(library: Library, ids: Sequence[str], source: str | None) -> tuple[str | None, list[str] | None]:
    """Where the classes come from, and one for each track; None and None where there are none.

    A track without a class is one of its own: it is no query, but stands among the results.

    Raises
    ------
    UsageError
        There is no such column, or no class has two tracks.
    """
    if source is None:
        found = _labelled(library)
        return (LABELS, _each(ids, found)) if _has_pair(ids, found) else (None, None)
    if source == LABELS:
        found = _labelled(library)
    elif source == FOLDER:
        found = {id: from_text(path).parent.name for id, path in library.paths_of(ids).items()}
    else:
        found = _of_column(library, source)
    if not _has_pair(ids, found):
        raise UsageError(
            f"--labels {source}: no class has two of the tracks; give a column of text, 'folder' for names of folders, or "
            "leave --labels out"
        )
    return source, _each(ids, found)


def _each(ids: Sequence[str], found: dict[str, str]) -> list[str]:
    return [found.get(id, f"\0{id}") for id in ids]


def _has_pair(ids: Sequence[str], found: dict[str, str]) -> bool:
    return max(Counter(found[id] for id in ids if id in found).values(), default=0) > 1


def _labelled(library: Library) -> dict[str, str]:
    """The label of each track that is surest."""
    best: dict[str, tuple[float, str]] = {}
    for label in library.labels.get():
        best[label.track] = max(best.get(label.track, (-1.0, "")), (label.score, label.name))
    return {track: name for track, (_, name) in best.items()}


def _of_column(library: Library, column: str) -> dict[str, str]:
    columns = library.columns()
    if column not in columns:
        raise UsageError(
            f"--labels {column}: no such column; give 'labels', 'folder', or one of: {', '.join(sorted(columns))}"
        )
    found = {}
    for track in library.tracks():
        value = track.fields.get(column)
        first = value[0] if isinstance(value, list) and value else value
        if first not in (None, "", []):
            found[track.id] = str(first)
    return found
