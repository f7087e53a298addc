"""Put files into a library: what is there already is left alone, what changed is replaced, what failed is written down.

Tracks are committed in the order mark, store, ledger: a run that is killed between the last two finds its tracks in the
store when it is started again, and only writes the missing rows of the ledger. Everything else goes the other way: the
ledger says first what changed (a file has other content, was moved, is forgotten, was given fields) and marks the
contents whose tracks have to follow, in one transaction; at the end of a run the tracks of all marks are brought in line,
those that a killed run left included.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar

from sonovec.audio.isolate import read_isolated_tags
from sonovec.audio.scan import Found, Skipped, scan
from sonovec.audio.tags.read import read_tags
from sonovec.embedding.embedding import Embedding, Failure
from sonovec.embedding.encoder import Encoder
from sonovec.errors import AudioError
from sonovec.library import sound_tags, vanished
from sonovec.library.columns import TRACK_FIELDS, USER, Kind, fits, scores_of
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Counts, Entry, Ledger, Outcome
from sonovec.library.metadata import CORRECTABLE, Metadata
from sonovec.library.records import MOST_OF_FILE, MOST_OF_NOTES, Segment, Track, Value
from sonovec.library.store import Store
from sonovec.library.vanished import is_there
from sonovec.log import as_failure
from sonovec.paths import display, from_text, known_texts, to_text

Item = TypeVar("Item")
Prune = bool | Literal["all"]

#: A batch of tracks is committed when it is this large or this old, whichever comes first.
COMMIT_TRACKS = 64
COMMIT_SECONDS = 2.0
#: Files that are looked up in the store together, and tracks that are brought in line together.
LOOK_UP, SETTLE = 32, 1000


@dataclass(frozen=True)
class Progress:
    """How far a run is: files done of files found, and seconds of sound embedded."""

    done: int
    found: int
    audio_seconds: float


@dataclass
class Report:
    """What an index run did.

    Attributes
    ----------
    counts : Counts
        found = indexed + unchanged + skipped + failed, always.
    failures : list of (path, reason)
        Files that could not be indexed, by their path as text (`sonovec.paths.to_text`); the rest of the run went on.
    notes : list of (path, note)
        Files that were indexed, with something that a user should know, such as a truncated end.
    copies : int
        Files among the skipped whose content the library holds under another path.
    left_out : list of (path, reason)
        Files and folders among the skipped that may hold sound: what systems and programs hide, downloads that are not
        finished, libraries of sonovec.
    vanished : int
        Files that the library holds and that were deleted from disk, with `prune` those that were removed from it.
    withheld : list of (path, files)
        Roots, mount points and large folders of which nothing is there, with the number of files that the library holds
        below: they may be on a disk that is not mounted, and only ``prune="all"`` removes them.
    metadata_unused : list of str
        Rows of the metadata file that matched no file of this run.
    metadata_copies : list of (path, path)
        Files with a row that are a copy of another file, and that file. The row is kept with the copy, and is the track's
        when the copy takes the other file's place.
    audio_seconds, seconds : float
        Sound embedded, and time taken.
    """

    counts: Counts = field(default_factory=Counts)
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    copies: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)
    vanished: int = 0
    pruned: bool = False
    withheld: list[tuple[str, int]] = field(default_factory=list)
    metadata_unused: list[str] = field(default_factory=list)
    metadata_copies: list[tuple[str, str]] = field(default_factory=list)
    audio_seconds: float = 0.0
    seconds: float = 0.0


class Ingest:
    """One run over files and folders. `run` does the work and gives the report."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        encoder: Encoder,
        *,
        segment_seconds: float,
        metadata: Metadata | None = None,
        own: Callable[[Path], bool] = lambda path: False,
        reread: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._encoder = encoder
        self._segment_seconds = segment_seconds
        self._metadata = metadata
        self._own = own
        self._reread = reread
        self._progress = progress
        self._report = Report()
        # The files to embed are chosen in the pipeline's threads, the results are committed in the caller's.
        self._lock = threading.RLock()
        self._outcomes: list[Outcome] = []
        self._tracks: list[tuple[Track, list[Segment]]] = []
        self._moved: list[Path] = []
        self._unsettled: set[str] = set()
        self._running: dict[str, Path] = {}
        self._copies: dict[str, list[Found]] = {}
        self._candidates: dict[Path, tuple[Found, str]] = {}
        self._failed: set[str] = set()
        self._columns = _users_columns(store)
        self._mount_of = cache(vanished.mount_of)
        self._roots: Sequence[Path] = ()
        self._run = 0
        self._committed = 0.0
        self._done = 0
        self._total = 0

    def run(
        self,
        paths: Sequence[Path],
        *,
        prune: Prune,
        confirm: Callable[[Path, int], bool] | None = None,
        options: Mapping[str, object],
    ) -> Report:
        """Index `paths` and report; an interrupt commits what is finished before it goes on its way."""
        began = time.monotonic()
        self._roots = paths
        self._committed = began
        self._run = self._ledger.begin_run(options)
        seen = list(scan(paths, self._own))
        self._total = len(seen)
        try:
            for result in self._encoder.embed_many(self._choose(seen)):
                with self._lock:
                    self._take(result)
                    self._commit_if_due()
                self._tell()
        finally:
            with self._lock:
                self._commit()
        unreadable = [item.path for item in seen if isinstance(item, Skipped) and item.failed and is_there(item.path)]
        self._remove_vanished(vanished.find(self._ledger, paths, self._run, unreadable), prune, confirm)
        self._settle_tracks()
        self._store.optimize()
        self._report.counts = self._ledger.end_run(self._run)
        self._report.metadata_unused = self._metadata.unused() if self._metadata else []
        self._report.seconds = time.monotonic() - began
        return self._report

    def _tell(self) -> None:
        if self._progress:
            self._progress(Progress(self._done, self._total, self._report.audio_seconds))

    # -- which files need work; runs in the pipeline's threads, one at a time

    def _choose(self, seen: Iterable[Found | Skipped]) -> Iterator[Path]:
        for batch in _batches(seen, LOOK_UP):
            with self._lock:
                chosen = self._choose_batch(batch)
                self._commit_if_due()
            self._tell()
            yield from chosen

    def _choose_batch(self, batch: Sequence[Found | Skipped]) -> list[Path]:
        hashed: list[tuple[Found, str, str | None]] = []
        for item in batch:
            if isinstance(item, Skipped):
                self._settle(self._left_out(item))
                continue
            entry = self._ledger.lookup(item.path)
            held = entry.content_hash if entry is not None else None
            if entry and held and not self._reread and entry.is_of(item.size, item.mtime_ns, item.ctime_ns):
                hashed.append((item, held, held))
                continue
            try:
                hashed.append((item, content_hash(item.path), held))
            except Exception as error:  # noqa: BLE001 - it is this file's alone
                self._settle(self._outcome(item, "failed", str(as_failure(display(item.path), error))))
        existing = self._store.existing({content for _, content, _ in hashed})
        chosen = []
        for found, content, held in hashed:
            if content in existing:
                self._settle_existing(found, content, held)
            elif content in self._running:
                self._copies.setdefault(content, []).append(found)
            else:
                self._running[content] = found.path
                self._candidates[found.path] = found, content
                chosen.append(found.path)
        return chosen

    def _settle_existing(self, found: Found, content: str, held: str | None) -> None:
        """The content is in the store: the file itself, moved from elsewhere, or a copy of another."""
        others = {path: fields for path, fields in self._holders(content).items() if path != found.path}
        living = next((path for path in others if is_there(path)), None)
        text, former = known_texts(found.path)
        primary = self._primary(content) if others or text != former else text
        if held != content or primary == former != text:
            self._unsettled.add(content)
        if not others or primary in (text, former):
            given = self._given(found.path, content) if held != content else None
            self._settle(self._outcome(found, "unchanged", None, content, given))
        elif living is not None:
            self._settle_copy(found, content, living)
        else:
            origin = next((path for path in others if primary in known_texts(path)), next(iter(others)))
            self._unsettled.add(content)
            self._moved += others
            given = {**(others[origin] or {}), **self._given(found.path, content)}
            self._settle(self._outcome(found, "unchanged", f"moved from {display(origin)}", content, given))

    def _holders(self, content: str) -> dict[Path, Mapping[str, Value] | None]:
        """Paths of a content, with what the user gave for them: by the ledger, or, where it knows none, by the store."""
        entries = self._ledger.entries_of(content)
        if entries:
            return {entry.path: entry.fields for entry in entries}
        stored = self._primary(content)
        return {from_text(stored): None} if stored and not self._holds_other(stored, content) else {}

    def _holds_other(self, path: str, content: str) -> bool:
        """Whether the ledger says that a path holds other content than this."""
        entry = self._ledger.lookup(from_text(path))
        return entry is not None and entry.content_hash not in (None, content)

    def _primary(self, content: str) -> str | None:
        track = self._store.get([content]).get(content)
        return track.path if track else None

    def _settle_copy(self, found: Found, content: str, original: Path) -> None:
        self._report.copies += 1
        if self._row(found.path) is not None:
            self._report.metadata_copies.append((to_text(found.path), to_text(original)))
        reason, given = f"same content as {display(original)}", self._given(found.path, content)
        self._settle(self._outcome(found, "skipped", reason, content, given))

    def _left_out(self, item: Skipped) -> Outcome:
        fields = self._row(item.path) if item.first is not None else None
        if fields is not None:
            self._report.metadata_copies.append((to_text(item.path), to_text(item.first or "")))
        if item.by_custom:
            self._report.left_out.append((to_text(item.path), item.reason))
        return Outcome(item.path, "failed" if item.failed else "skipped", item.reason, fields=fields)

    # -- what the user gave

    def _row(self, path: Path) -> dict[str, Value] | None:
        """The row of this run's metadata file that is about a file."""
        return self._metadata.lookup(path, self._roots) if self._metadata else None

    def _given(self, path: Path, content: str) -> dict[str, Value]:
        """What the user gave for a path: by its row, and, where it held another content, by the track of that."""
        entry = self._ledger.lookup(path)
        if entry is None:
            return {}
        former = entry.content_hash if entry.content_hash != content else None
        track = self._store.get([former]).get(former) if former else None
        stored = track.fields if track is not None and track.path == to_text(path) else {}
        return {
            **{name: stored[name] for name in self._columns if stored.get(name) is not None},
            **(entry.fields or {}),
        }

    def _fitting(self, fields: Mapping[str, Value]) -> dict[str, Value]:
        """Of what the ledger remembers that which the store can take: it may be a new one with other columns."""
        types = {**{name: TRACK_FIELDS[name] for name in CORRECTABLE}, **self._columns}
        return {name: value for name, value in fields.items() if name in types and fits(value, types[name])}

    # -- what became of them

    def _take(self, result: Embedding | Failure) -> None:
        assert result.path is not None
        found, content = self._candidates.pop(result.path)
        if isinstance(result, Failure):
            self._fail(found, content, result.reason)
            return
        given = {**self._given(found.path, content), **(self._row(found.path) or {})}
        try:
            track, segments = self._made(found, content, result, given)
        except Exception as error:  # noqa: BLE001 - it is this file's alone
            self._fail(found, content, str(as_failure(display(found.path), error)))
            return
        self._tracks.append((track, segments))
        self._report.audio_seconds += result.duration
        self._report.notes += [(to_text(found.path), note) for note in result.notes]
        outcome = self._outcome(found, "indexed", "; ".join(result.notes) or None, content)
        self._settle(replace(outcome, duration=result.duration, n_segments=len(segments)))

    def _made(
        self, found: Found, content: str, embedding: Embedding, given: Mapping[str, Value]
    ) -> tuple[Track, list[Segment]]:
        """What the store takes for a file; whatever is raised here is about this file."""
        _refuse_changed(found, content)
        segments = segments_in(embedding, self._segment_seconds)
        track = self._track(content, embedding, given)
        if (reason := self._store.refusal(track.fields)) is not None:
            raise AudioError(f"{display(found.path)}: {reason}")
        return track, segments

    def _fail(self, found: Found, content: str, reason: str) -> None:
        self._failed.add(to_text(found.path))
        self._settle(self._outcome(found, "failed", reason))
        for copy in self._copies.pop(content, []):
            self._settle(self._outcome(copy, "failed", f"same content as {display(found.path)}, which failed"))
        self._running.pop(content)

    def _track(self, content: str, embedding: Embedding, given: Mapping[str, Value]) -> Track:
        path = embedding.path
        assert path is not None
        own: dict[str, Value] = {
            "path": to_text(path),
            "duration": embedding.duration,
            "rate": embedding.rate,
            "channels": embedding.channels,
            "codec": embedding.codec,
            "silent": bool(embedding.silent.all()),
        }
        if embedding.tags:
            heard, scores = sound_tags.kept(embedding.top_tags(sound_tags.MOST))
            own |= {sound_tags.COLUMN: heard, scores_of(sound_tags.COLUMN): scores}
        said = read_isolated_tags(path) if self._encoder.isolate else read_tags(path)
        notes = [str(said.pop("notes"))] if said.get("notes") else []
        for name, value in said.items():
            if isinstance(value, str) and len(value) > MOST_OF_FILE:
                said[name] = value[:MOST_OF_FILE]
                notes.append(f"only the first {MOST_OF_FILE} of {len(value)} characters of its {name} are kept")
        own["notes"] = _shortened("; ".join([*embedding.notes, *notes])) or None
        return Track(content, embedding.vector, {**said, **own, **self._fitting(given)})

    def _outcome(
        self,
        found: Found,
        status: Literal["indexed", "unchanged", "skipped", "failed"],
        reason: str | None = None,
        content: str | None = None,
        given: Mapping[str, Value] | None = None,
    ) -> Outcome:
        """What happened to a file, with what the user gave for it: before, if that is not in its row yet, and now."""
        row = self._row(found.path)
        if row is not None and status != "indexed":
            entry = self._ledger.lookup(found.path)
            if changed := content or (entry.content_hash if entry is not None else None):
                self._unsettled.add(changed)
        return Outcome(
            found.path,
            status,
            reason,
            found.size,
            found.mtime_ns,
            content,
            ctime_ns=found.ctime_ns,
            mount=self._mount_of(found.path.parent),
            fields={**(given or {}), **(row or {})} or None,
        )

    def _settle(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._done += 1
        if outcome.status == "failed":
            self._report.failures.append((to_text(outcome.path), outcome.reason or ""))

    def _commit_if_due(self) -> None:
        if len(self._tracks) >= COMMIT_TRACKS or time.monotonic() - self._committed > COMMIT_SECONDS:
            self._commit()

    def _commit(self) -> None:
        """Write what is done: the marks of new tracks, the tracks, and then all rows and other marks at once."""
        tracks, self._tracks = self._tracks, []
        new = [track.id for track, _ in tracks]
        if tracks:
            self._ledger.mark(new)
            self._store.put_many(tracks)
        self._record(settled=new)
        for track, _ in tracks:
            original = self._running.pop(track.id)
            for copy in self._copies.pop(track.id, []):
                self._settle_copy(copy, track.id, original)
        self._record()
        self._committed = time.monotonic()

    def _record(self, settled: Sequence[str] = ()) -> None:
        outcomes, self._outcomes = self._outcomes, []
        moved, self._moved = self._moved, []
        unsettled, self._unsettled = self._unsettled, set()
        if outcomes:
            self._ledger.record_many(self._run, outcomes, forget=moved, unsettled=unsettled, settled=settled)

    # -- at the end

    def _remove_vanished(
        self, gone: vanished.Vanished, prune: Prune, confirm: Callable[[Path, int], bool] | None
    ) -> None:
        """Count, or with `prune` forget, the files that were deleted; what may come back only where that is wanted."""
        doomed = list(gone.deleted)
        for place, entries in gone.withheld.items():
            files = sum(entry.held for entry in entries)
            if prune == "all" or (prune and confirm is not None and confirm(place, files)):
                doomed += entries
            elif files:
                self._report.withheld.append((to_text(place), files))
        self._report.vanished = sum(entry.held for entry in doomed)
        self._report.pruned = bool(prune)
        if prune:
            self._ledger.forget(entry.path for entry in doomed)

    def _settle_tracks(self) -> None:
        """Bring the tracks of unsettled contents in line with the ledger."""
        for contents in _batches(self._ledger.unsettled(), SETTLE):
            tracks = self._store.get(contents)
            updates: dict[str, dict[str, Value]] = {}
            removed, settled = [], []
            for content in contents:
                track, holders = tracks.get(content), self._ledger.entries_of(content)
                if track is not None and not holders and self._may_be_recorded(track):
                    continue
                settled.append(content)
                if track is None or not holders:
                    removed.append(content)  # of a track that was not written whole, its segments
                elif change := self._change(track, holders):
                    updates[content] = change
            self._store.delete(removed)
            self._refused(self._store.update(updates))
            self._ledger.settle(settled)

    def _refused(self, reasons: Mapping[str, str]) -> None:
        """Record as failures the files for which the user gave what the store cannot keep."""
        for content, told in reasons.items():
            for entry in self._ledger.entries_of(content)[:1]:
                reason = f"{display(entry.path)}: {told}"
                self._report.failures.append((to_text(entry.path), reason))
                self._ledger.record(self._run, Outcome(entry.path, "failed", reason))

    def _may_be_recorded(self, track: Track) -> bool:
        """Whether a track without a row is of a file that a later run will come to, after a kill before its row."""
        return not (
            track.path in self._failed  # so it has other content, which cannot be embedded
            or self._holds_other(track.path, track.id)
            or not is_there(from_text(track.path))
        )

    def _change(self, track: Track, holders: Sequence[Entry]) -> dict[str, Value]:
        """What a track must change to agree with the ledger: its path if that holds the content no more, and its fields."""
        holder = next((entry for entry in holders if track.path in known_texts(entry.path)), None)
        if holder is None and self._may_be_recorded(track):
            return {}
        holder = holder or next((entry for entry in holders if is_there(entry.path)), holders[0])
        wanted = {"path": to_text(holder.path), **self._fitting(holder.fields or {})}
        return {name: value for name, value in wanted.items() if track.fields.get(name) != value}


def _shortened(notes: str) -> str:
    return notes if len(notes) <= MOST_OF_NOTES else f"{notes[:MOST_OF_NOTES]}... ({len(notes)} characters)"


def segments_in(embedding: Embedding, segment_seconds: float) -> list[Segment]:
    """The segments that are stored of a sound."""
    parts = enumerate(embedding.parts(segment_seconds))
    return [Segment(index, part.start, part.end, part.coverage, part.vector) for index, part in parts]


def _users_columns(store: Store) -> dict[str, Kind]:
    return {name: column.kind for name, column in store.declared().items() if column.owner == USER}


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _refuse_changed(found: Found, content: str) -> None:
    """Refuse a file that is not what it was when it was hashed."""
    try:
        status = found.path.stat()
        now = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        # A new name, new rights or another link change a time and nothing else.
        same = now == (found.size, found.mtime_ns, found.ctime_ns) or content_hash(found.path) == content
    except (OSError, AudioError):
        raise AudioError(f"{display(found.path)}: vanished while it was being read; index again") from None
    if not same:
        raise AudioError(f"{display(found.path)}: changed while it was being read; index again")
