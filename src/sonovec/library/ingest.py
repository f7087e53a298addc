"""Put files into a library: what is there already is left alone, what changed is replaced, what failed is written down.

Committed in the order store, ledger: a run that is killed between the two finds its tracks in the store when it is
started again, and only writes the missing rows of the ledger.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from sonovec.audio.scan import Found, Skipped, scan
from sonovec.embedding.embedding import Embedding, Failure
from sonovec.embedding.encoder import Encoder
from sonovec.errors import AudioError
from sonovec.library import sound_tags
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Counts, Ledger, Outcome
from sonovec.library.metadata import Metadata
from sonovec.library.records import MOST_OF_FILE, MOST_OF_NOTES, Segment, Track, Value
from sonovec.library.store import Store
from sonovec.library.tags import read_tags
from sonovec.paths import display

#: A batch of tracks is committed when it is this large or this old, whichever comes first.
COMMIT_TRACKS = 64
COMMIT_SECONDS = 2.0
#: Files that are looked up in the store together.
LOOK_UP = 32


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
        Files that could not be indexed; the rest of the run went on.
    notes : list of (path, note)
        Files that were indexed, with something that a user should know, such as a truncated end.
    copies : int
        Files among the skipped whose content the library holds under another path.
    vanished : int
        Files that the library holds and that are no longer on disk, with `prune` those that were removed from it.
    metadata_unused : list of str
        Rows of the metadata file that matched no file of this run.
    audio_seconds, seconds : float
        Sound embedded, and time taken.
    """

    counts: Counts = field(default_factory=Counts)
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    copies: int = 0
    vanished: int = 0
    pruned: bool = False
    metadata_unused: list[str] = field(default_factory=list)
    audio_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Candidate:
    """A file whose content is new to the library, and what it replaces."""

    found: Found
    content: str
    replaces: str | None


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
        own: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._encoder = encoder
        self._segment_seconds = segment_seconds
        self._metadata = metadata
        self._own = own
        self._progress = progress
        self._report = Report()
        # The files to embed are chosen in the pipeline's threads, the results are committed in the caller's.
        self._lock = threading.RLock()
        self._outcomes: list[Outcome] = []
        self._tracks: list[tuple[Track, list[Segment]]] = []
        self._replaced: set[str] = set()
        self._updates: dict[str, dict[str, Value]] = {}
        self._running: dict[str, Path] = {}
        self._copies: dict[str, list[Found]] = {}
        self._candidates: dict[Path, _Candidate] = {}
        self._roots: Sequence[Path] = ()
        self._run = 0
        self._committed = 0.0
        self._done = 0
        self._total = 0

    def run(self, paths: Sequence[Path], *, prune: bool, options: dict[str, object]) -> Report:
        """Index `paths` and report; an interrupt commits what is finished before it goes on its way."""
        began = time.monotonic()
        self._roots = paths
        self._committed = began
        self._run = self._ledger.begin_run(options)
        seen = [item for item in scan(paths) if not self._is_own(item.path)]
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
        self._find_vanished(paths, prune)
        self._store.optimize()
        self._report.counts = self._ledger.end_run(self._run)
        self._report.metadata_unused = self._metadata.unused() if self._metadata else []
        self._report.seconds = time.monotonic() - began
        return self._report

    def _is_own(self, path: Path) -> bool:
        return self._own is not None and (path == self._own or self._own in path.parents)

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
                self._settle(_skipped(item))
                continue
            entry = self._ledger.known(item.path, size=item.size, mtime_ns=item.mtime_ns)
            if entry is not None and entry.content_hash:
                hashed.append((item, entry.content_hash, entry.content_hash))
                continue
            old = self._ledger.lookup(item.path)
            try:
                hashed.append((item, content_hash(item.path), old.content_hash if old else None))
            except AudioError as error:
                self._settle(_outcome(item, "failed", str(error)))
        existing = self._store.existing({content for _, content, _ in hashed})
        chosen = []
        for found, content, held in hashed:
            if content in existing:
                self._settle_existing(found, content, held)
            elif content in self._running:
                self._copies.setdefault(content, []).append(found)
            else:
                self._running[content] = found.path
                self._candidates[found.path] = _Candidate(found, content, held if held != content else None)
                chosen.append(found.path)
        return chosen

    def _settle_existing(self, found: Found, content: str, held: str | None) -> None:
        """The content is in the store: the file itself, moved from elsewhere, or a copy of another."""
        if held is not None and held != content:
            self._replaced.add(held)
        others = [path for path in self._known_paths(content) if path != found.path]
        living = next((path for path in others if _is_there(path)), None)
        if not others or self._primary(content) == display(found.path):
            self._settle(_outcome(found, "unchanged", content=content))
            self._update(content, self._fields_of_user(found.path))
        elif living is not None:
            self._settle_copy(found, content, living)
        else:
            self._ledger.forget(others)
            self._settle(_outcome(found, "unchanged", f"moved from {display(others[0])}", content))
            self._update(content, {"path": display(found.path), **self._fields_of_user(found.path)})

    def _known_paths(self, content: str) -> list[Path]:
        """Paths of a content in the ledger, or, where this machine's ledger does not know it, in the store."""
        paths = self._ledger.paths_of(content)
        if paths:
            return paths
        stored = self._primary(content)
        return [Path(stored)] if stored else []

    def _primary(self, content: str) -> str | None:
        track = self._store.get([content]).get(content)
        return str(track.fields["path"]) if track else None

    def _settle_copy(self, found: Found, content: str, original: Path) -> None:
        self._report.copies += 1
        self._settle(_outcome(found, "skipped", f"same content as {display(original)}", content))

    def _fields_of_user(self, path: Path) -> dict[str, Value]:
        return dict(self._metadata.lookup(path, self._roots) or {}) if self._metadata else {}

    def _update(self, content: str, fields: dict[str, Value]) -> None:
        if fields:
            self._updates.setdefault(content, {}).update(fields)

    # -- what became of them

    def _take(self, result: Embedding | Failure) -> None:
        assert result.path is not None
        candidate = self._candidates.pop(result.path)
        found, content = candidate.found, candidate.content
        failure = result.reason if isinstance(result, Failure) else _changed_meanwhile(found)
        if failure is not None or isinstance(result, Failure):
            self._fail(found, content, str(failure))
            return
        segments = [
            Segment(index, part.start, part.end, part.coverage, part.vector)
            for index, part in enumerate(result.parts(self._segment_seconds))
        ]
        track = self._track(content, result)
        if (reason := self._store.refusal(track.fields)) is not None:
            self._fail(found, content, f"{display(found.path)}: {reason}")
            return
        self._tracks.append((track, segments))
        self._report.audio_seconds += result.duration
        self._report.notes += [(display(found.path), note) for note in result.notes]
        outcome = _outcome(found, "indexed", "; ".join(result.notes) or None, content)
        self._settle(replace(outcome, duration=result.duration, n_segments=len(segments)))
        if candidate.replaces:
            self._replaced.add(candidate.replaces)

    def _fail(self, found: Found, content: str, reason: str) -> None:
        self._settle(_outcome(found, "failed", reason))
        for copy in self._copies.pop(content, []):
            self._settle(_outcome(copy, "failed", f"same content as {display(found.path)}, which failed"))
        self._running.pop(content)

    def _track(self, content: str, embedding: Embedding) -> Track:
        path = embedding.path
        assert path is not None
        own: dict[str, Value] = {
            "path": display(path),
            "duration": embedding.duration,
            "rate": embedding.rate,
            "channels": embedding.channels,
            "codec": embedding.codec,
            "silent": bool(embedding.silent.all()),
        }
        if embedding.tags:
            own[sound_tags.COLUMN] = sound_tags.write(embedding.top_tags(sound_tags.MOST))
        tags = read_tags(path)
        notes = [str(tags.pop("notes"))] if tags.get("notes") else []
        for name, value in tags.items():
            if isinstance(value, str) and len(value) > MOST_OF_FILE:
                tags[name] = value[:MOST_OF_FILE]
                notes.append(f"only the first {MOST_OF_FILE} of {len(value)} characters of its {name} are kept")
        own["notes"] = _shortened("; ".join([*embedding.notes, *notes])) or None
        return Track(content, embedding.vector, {**tags, **own, **self._fields_of_user(path)})

    def _settle(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._done += 1
        if outcome.status == "failed":
            self._report.failures.append((display(outcome.path), outcome.reason or ""))

    def _commit_if_due(self) -> None:
        if len(self._tracks) >= COMMIT_TRACKS or time.monotonic() - self._committed > COMMIT_SECONDS:
            self._commit()

    def _commit(self) -> None:
        """Write what is settled: store first, then ledger, then remove what was replaced."""
        tracks, self._tracks = self._tracks, []
        outcomes, self._outcomes = self._outcomes, []
        replaced, self._replaced = self._replaced, set()
        updates, self._updates = self._updates, {}
        if tracks:
            self._store.put_many(tracks)
        refused = self._store.update(updates) if updates else {}
        if outcomes:
            self._ledger.record_many(self._run, [self._told(outcome, refused) for outcome in outcomes])
        for track, _ in tracks:
            self._running.pop(track.id)
            original = Path(str(track.fields["path"]))
            for copy in self._copies.pop(track.id, []):
                self._settle_copy(copy, track.id, original)
        self._release(replaced)
        if self._outcomes:
            self._ledger.record_many(self._run, self._outcomes)
            self._outcomes = []
        self._committed = time.monotonic()

    def _told(self, outcome: Outcome, refused: Mapping[str, str]) -> Outcome:
        """The outcome of a file, which fails where the store cannot keep what the user gave for it."""
        reason = refused.get(outcome.content_hash or "")
        if reason is None:
            return outcome
        reason = f"{display(outcome.path)}: {reason}"
        self._report.failures.append((display(outcome.path), reason))
        return replace(outcome, status="failed", reason=reason)

    def _release(self, contents: Iterable[str]) -> None:
        """Remove tracks that no path holds any more; one that another path holds takes that path's name."""
        for content in set(contents):
            paths = self._ledger.paths_of(content)
            if not paths:
                self._store.delete([content])
            elif self._primary(content) not in [display(path) for path in paths]:
                self._store.update({content: {"path": display(paths[0])}})

    def _find_vanished(self, roots: Sequence[Path], prune: bool) -> None:
        """Count, or with `prune` remove, what lay under the roots and is gone.

        A root that is itself gone is left alone: it may be a disk that is not mounted.
        """
        entries = (entry for root in roots if _is_there(root) for entry in self._ledger.entries(under=root))
        gone = {entry.path: entry.content_hash for entry in entries if not _is_there(entry.path)}
        held = [content for content in gone.values() if content]
        self._report.vanished = len(held)
        self._report.pruned = prune
        if prune:
            self._ledger.forget(gone)
            self._release(held)


def _shortened(notes: str) -> str:
    return notes if len(notes) <= MOST_OF_NOTES else f"{notes[:MOST_OF_NOTES]}... ({len(notes)} characters)"


def _batches(items: Iterable[Found | Skipped], size: int) -> Iterator[list[Found | Skipped]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _skipped(item: Skipped) -> Outcome:
    return Outcome(item.path, "failed" if item.failed else "skipped", item.reason)


def _outcome(found: Found, status: str, reason: str | None = None, content: str | None = None) -> Outcome:
    return Outcome(found.path, status, reason, found.size, found.mtime_ns, content)  # type: ignore[arg-type]


def _changed_meanwhile(found: Found) -> str | None:
    try:
        stat = found.path.stat()
    except OSError:
        return f"{display(found.path)}: vanished while it was being read; index again"
    if (stat.st_size, stat.st_mtime_ns) == (found.size, found.mtime_ns):
        return None
    return f"{display(found.path)}: changed while it was being read; index again"


def _is_there(path: Path) -> bool:
    """Whether a path exists; one that cannot be looked at counts as there, so that it is never pruned."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
