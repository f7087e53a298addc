"""What a user searches for, as vectors: those that are stored of an indexed file, or of a sound that is embedded now."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.waveform import Waveform
from sonovec.embedding.pooling import pool
from sonovec.errors import AudioError, LibraryError, UsageError
from sonovec.library import naming
from sonovec.library.binding import passport_of
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Entry
from sonovec.library.records import MAIN, Segment, Space, Track
from sonovec.library.roots import Roots, alias_in, default_alias
from sonovec.library.search import Query, sound_in
from sonovec.library.store import Store
from sonovec.paths import absolute, display, from_text

if TYPE_CHECKING:
    from sonovec.embedding.embedding import Part
    from sonovec.embedding.source import Sound


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path from the root, with ``~`` as the user's home."""
    return absolute(Path(path).expanduser())


def lengths(parts: Sequence[Part] | Sequence[Segment]) -> NDArray[np.float64]:
    """How much each of some parts says of the whole: its length, as far as it is sound; all alike where none has any."""
    found = np.array([part.coverage * (part.end - part.start) for part in parts])
    return found if found.any() else np.ones(len(parts))


@dataclass(frozen=True)
class Queries:
    """Makes the queries of one space of a library; what fills the space hears a sound only where nothing is stored of it."""

    store: Store
    space: Space
    roots: Roots
    ledger: Callable[[], AbstractContextManager[Ledger | None]]
    heard: Callable[[Sound, float, float | None], Query]

    def query(self, query: Sound | NDArray[np.floating], start: float, end: float | None) -> Query:
        """A query of a sound, of an indexed track, or of a vector; see `sonovec.Library.search`."""
        if isinstance(query, np.ndarray):
            if start or end is not None:
                raise UsageError(f"start={start}, end={end}: a vector has no seconds; leave them out, or give a sound")
            return self.of_vector(query)
        if not isinstance(query, Waveform | tuple):
            name = os.fspath(query)
            query = from_text(name)
            stored = self._stored(expanded(query), name, start, end)
            if stored is not None:
                return stored
        return self.heard(query, start, end)

    def of_vector(self, vector: NDArray[np.floating]) -> Query:
        """A query of a bare vector."""
        dim = self.space.dim
        if vector.shape != (dim,) or not np.isfinite(vector).all():
            raise UsageError(
                f"a vector of shape {vector.shape} cannot be searched for; give finite numbers of shape ({dim},), "
                "or a sound as (samples, rate)"
            )
        clip = np.asarray(vector, np.float32)
        return Query(clip, clip[None], None)

    def _stored(self, path: Path, text: str, start: float, end: float | None) -> Query | None:
        """The stored vectors of an indexed file, unless it has changed on disk or a part of it is asked for."""
        exists = path.exists()
        if exists and (start or end is not None):
            return None
        content = self._content_of(path, text, exists)
        if content is None and not exists:
            content = naming.by_digits(self.store, text) or text
        if content is None:
            return None
        track = self.store.get([content], vectors=True, space=self.space.name).get(content)
        segments = self.store.segments([content], self.space.name).get(content, [])
        if track is None or not (segments or self.space.level == "track"):
            if exists:
                return None
            if self.space.name != MAIN and self.store.existing([content]):
                raise AudioError(f"{display(path)}: no such file, and the space {self.space.name!r} lacks its track")
            raise AudioError(f"{display(path)}: no such file, and no indexed track of that path or id; check the name")
        if not start and end is None:
            return Query.of_segments(segments, track.vector)
        if not segments:
            raise UsageError(
                f"start={start}, end={end}: the space {self.space.name!r} holds whole tracks alone; leave them out"
            )
        return self._part_of(path, segments, start, end)

    def _part_of(self, path: Path, segments: list[Segment], start: float, end: float | None) -> Query:
        """Some seconds of a file that is gone, as well as its segments know them."""
        from sonovec.embedding.source import check_range

        check_range(start, end)
        asked = [n for n, s in enumerate(segments) if s.end > start and (end is None or s.start < end)]
        if not asked:
            raise AudioError(f"{display(path)}: no sound from {start} to {end} s; it ends at {segments[-1].end:.2f} s")
        chosen = [segments[n] for n in asked]
        if self.space.analyser is None:
            weights = sound_in(segments, passport_of(self.space), self.space.segment_seconds)[asked]
        else:
            weights = lengths(chosen)
        return Query.of_segments(chosen, pool(np.stack([part.vector for part in chosen]), weights))

    def _content_of(self, path: Path, text: str, exists: bool) -> str | None:
        """Id of the track that a path holds, by this machine's ledger or else by the store."""
        try:
            entry = self._entry_of(path, exists)
        except LibraryError as error:  # what the ledger would save is to read the file, and no more
            logging.getLogger("sonovec").warning(f"the search goes on without the ledger: {error}")
            return content_hash(path) if exists else self._content_at(path, text) or self._content_by_name(path)
        if entry is not None and entry.content_hash:
            return entry.content_hash
        return None if exists else self._content_at(path, text)

    def _entry_of(self, path: Path, exists: bool) -> Entry | None:
        """The ledger's row of a path, unless the file has changed since."""
        with self.ledger() as ledger:
            if ledger is None:
                return None
            if not exists:
                return ledger.lookup(path)
            stat = path.stat()
            return ledger.known(path, size=stat.st_size, mtime_ns=stat.st_mtime_ns, ctime_ns=stat.st_ctime_ns)

    def file_of(self, track: Track) -> Path:
        """The file of a track whose path is that on this machine.

        Raises
        ------
        AudioError
            If the file is gone, or is no longer what was indexed.
        """
        path = from_text(track.path)
        if alias_in(track.path) is not None or not path.exists():
            raise AudioError(f"{display(path)}: no such file on this machine")
        entry = self._entry_of(path, exists=True)
        if entry is None or entry.content_hash != track.id:
            raise AudioError(f"{display(path)}: the file has changed since it was indexed; run sonovec index again")
        return path

    def _content_by_name(self, path: Path) -> str | None:
        """Id of the track of a path, where nobody tells the folders of roots: most are called as their folders are."""
        guessed = Roots({default_alias(folder): folder for folder in path.parents})
        return naming.by_texts(self.store, guessed.texts(path))

    def _content_at(self, path: Path, text: str) -> str | None:
        """Id of the track that was indexed under a path, or that a hit names so, by the store."""
        return naming.by_path(self.store, self.roots, path, text)
