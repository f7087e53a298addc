"""What a user searches for, as vectors: those that are stored of an indexed file, or of a sound that is embedded now."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sonovec.audio.waveform import Waveform
from sonovec.brief import short
from sonovec.embedding.embedding import Embedding
from sonovec.embedding.pooling import pool
from sonovec.embedding.silence import warnings_of
from sonovec.errors import AudioError, LibraryError, UsageError
from sonovec.library import naming
from sonovec.library.binding import check_embedding, passport_of
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

#: What can be searched for; a vector is an array of shape (dim,).
Asked: TypeAlias = "Sound | Embedding | NDArray[np.floating]"


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path from the root, with ``~`` as the user's home."""
    return absolute(Path(path).expanduser())


def is_vector(query: object) -> bool:
    """Whether a query is numbers alone, as NumPy or another library has them."""
    return hasattr(query, "__array__")


def files_of(paths: Any) -> list[Path]:
    """The files and folders that a user names, one or many.

    Raises
    ------
    UsageError
        If something else is given, such as samples.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths) if isinstance(paths, Iterable) else [paths]
    for each in given:
        if not isinstance(each, str | os.PathLike):
            raise UsageError(
                f"{display(short(each))} is not a file or folder; a library takes those alone: write samples to a file "
                "first, such as soundfile.write('sound.wav', samples, rate)"
            )
    return [expanded(each) for each in given]


def lengths(parts: Sequence[Part] | Sequence[Segment]) -> NDArray[np.float64]:
    """How much each of some parts says of the whole: its length, as far as it is sound; all alike where none has any."""
    found = np.array([part.coverage * (part.end - part.start) for part in parts])
    return found if found.any() else np.ones(len(parts))


def _warnings_of(track: Track) -> tuple[str, ...]:
    return warnings_of("silent" if track.fields.get("silent") else str(track.fields.get("notes") or ""))


@dataclass(frozen=True)
class Queries:
    """Makes the queries of one space of a library; what fills the space hears a sound only where nothing is stored of it."""

    store: Store
    space: Space
    roots: Roots
    ledger: Callable[[], AbstractContextManager[Ledger | None]]
    heard: Callable[[Sound, float, float | None], Query]

    def query(self, query: Asked, start: float, end: float | None) -> Query:
        """A query of a sound, of an indexed track, of an embedding, or of a vector; see `sonovec.Library.search`."""
        if isinstance(query, Embedding):
            found = Query.of_embedding(self.comparable(query, start, end), self.space.segment_seconds)
            return replace(found, track=self.content_of(query))
        if is_vector(query):
            if start or end is not None:
                raise UsageError(f"start={start}, end={end}: a vector has no seconds; leave them out, or give a sound")
            return self.of_vector(np.asarray(query))
        if isinstance(query, Waveform | tuple):
            return self.heard(query, start, end)
        if not isinstance(query, str | os.PathLike):
            raise UsageError(
                f"{display(short(query))} cannot be searched for; give a path, a track's id, a Waveform, "
                f"(samples, rate), an Embedding, or a vector of shape ({self.space.dim},)"
            )
        path, content = expanded(from_text(os.fspath(query))), self.content_of(query)
        found = self._stored(path, content, start, end) or self.heard(from_text(os.fspath(query)), start, end)
        return replace(found, track=content)

    def stored(self, contents: Iterable[str]) -> dict[str, Query]:
        """Queries of whole tracks, by their ids, as the store holds them; of what it lacks there are none."""
        tracks = self.store.get(dict.fromkeys(contents), vectors=True, space=self.space.name)
        segments = self.store.segments(tracks, self.space.name) if tracks else {}
        return {
            id: replace(
                Query.of_segments(segments.get(id, []), track.vector),
                track=id,
                notes=_warnings_of(track),
                fields=track.fields,
            )
            for id, track in tracks.items()
            if id in segments or self.space.level == "track"
        }

    def content_of(self, query: Asked | None) -> str | None:
        """The id of the track that a file, a path or an id is of, whether or not the library has it; None for samples."""
        if isinstance(query, Embedding):
            return self.content_of(query.path)
        if not isinstance(query, str | os.PathLike):
            return None
        text = os.fspath(query)
        path = expanded(from_text(text))
        exists = path.exists()
        content = self._content_of(path, text, exists)
        return content if content or exists else naming.by_digits(self.store, text) or text

    def comparable(self, embedding: Embedding, start: float, end: float | None) -> Embedding:
        """An embedding, if its vectors may be compared with those of the space."""
        if start or end is not None:
            raise UsageError(
                f"start={start}, end={end}: an embedding has seconds of its own; leave them out, or give a part of the "
                "sound: encoder.embed(sound, start, end)"
            )
        check_embedding(self.space, embedding.passport)
        return embedding

    def of_vector(self, vector: NDArray[np.floating]) -> Query:
        """A query of a bare vector."""
        dim = self.space.dim
        if vector.shape != (dim,) or not np.isfinite(vector).all():
            raise UsageError(
                f"an array of shape {vector.shape} is not a vector of {dim} finite numbers, as this library has them; give "
                "such a vector; or, for a sound, (samples, rate), such as (x, 16000)"
            )
        clip = np.asarray(vector, np.float32)
        return Query(clip, clip[None], None)

    def holds(self, sound: str | os.PathLike[str]) -> bool:
        """Whether the library holds a file, as it is now, or a track of that id."""
        content = self.content_of(sound)
        return content is not None and bool(self.store.existing([content]))

    def _stored(self, path: Path, content: str | None, start: float, end: float | None) -> Query | None:
        """The stored vectors of a content, unless a part of a file that is there is asked for."""
        exists = path.exists()
        if content is None or (exists and (start or end is not None)):
            return None
        if not start and end is None and (whole := self.stored([content])):
            return whole[content]
        track = self.store.get([content], vectors=True, space=self.space.name).get(content)
        segments = self.store.segments([content], self.space.name).get(content, [])
        if track is None or not (segments or self.space.level == "track"):
            if exists:
                return None
            if self.space.name != MAIN and self.store.existing([content]):
                raise AudioError(f"{display(path)}: no such file, and the space {self.space.name!r} lacks its track")
            raise AudioError(f"{display(path)}: no such file, and no indexed track of that path or id; check the name")
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
        own = self.space.analyser is None
        weights = sound_in(segments, passport_of(self.space))[asked] if own else lengths(chosen)
        return Query.of_segments(chosen, pool(np.stack([part.vector for part in chosen]), weights))

    def _content_of(self, path: Path, text: str, exists: bool) -> str | None:
        """Id of the track that a path holds, by this machine's ledger or else by the store."""
        try:
            entry = self._entry_of(path, exists)
        except LibraryError as error:  # what the ledger would save is to read the file, and no more
            logging.getLogger("sonovec").warning(f"the search goes on without the ledger: {error}")
            entry = None
            if not exists:
                return self._content_at(path, text) or self._content_by_name(path)
        if entry is not None and entry.content_hash:
            return entry.content_hash
        if not exists:
            return self._content_at(path, text)
        return content_hash(path) if path.is_file() else None  # what is no file may be read once alone

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
