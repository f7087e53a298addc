"""What the user gave for files: by a row of this run's metadata file, by the ledger, or by the track that a path had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sonovec.library.columns import TRACK_FIELDS, USER, fits
from sonovec.library.metadata import CORRECTABLE, Metadata
from sonovec.library.outcomes import Entry
from sonovec.library.records import Value
from sonovec.library.roots import Roots
from sonovec.library.store import Store


class Given:
    """The user's own columns in one run over `paths`.

    Parameters
    ----------
    metadata : Metadata or None
        The run's metadata file.
    """

    def __init__(self, store: Store, roots: Roots, metadata: Metadata | None, paths: Sequence[Path]) -> None:
        self._store = store
        self._metadata = metadata
        self._roots = roots
        self._paths = paths
        self._columns = {name: column.kind for name, column in store.declared().items() if column.owner == USER}
        self._types = {**{name: TRACK_FIELDS[name] for name in CORRECTABLE}, **self._columns}

    def row(self, path: Path) -> dict[str, Value] | None:
        """The row of the metadata file that is about a file."""
        return self._metadata.lookup(path, self._paths) if self._metadata else None

    def before(self, path: Path, content: str, entry: Entry | None) -> dict[str, Value]:
        """What was given for a path that now has `content`: by its row, and by the track of what it held before."""
        if entry is None:
            return {}
        former = entry.content_hash if entry.content_hash != content else None
        track = self._store.get([former]).get(former) if former else None
        stored = track.fields if track is not None and track.path in self._roots.texts(path) else {}
        return {
            **{name: stored[name] for name in self._columns if stored.get(name) is not None},
            **(entry.fields or {}),
        }

    def fitting(self, fields: Mapping[str, Value]) -> dict[str, Value]:
        """Of what the ledger remembers that which the store can take: it may be a new one with other columns."""
        types = self._types
        return {name: value for name, value in fields.items() if name in types and fits(value, types[name])}
