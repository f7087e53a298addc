"""Put files into a library: what is there already is left alone, what changed is replaced, what failed is written down.

Three kinds of threads work on a run. One draws the files to embed for the engine: it looks for them among what was found, in
its order, under the run's lock (`sonovec.library.selection`). Readers hash files ahead of that, and read the tags of those
that are embedded, under no lock (`sonovec.library.readers`). The caller's takes what was embedded and commits it
(`sonovec.library.pending`). At the end the tracks of all that changed are brought in line (`sonovec.library.follow`), and
analysers hear the tracks that they have not heard (`sonovec.library.analyses`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sonovec.analysis.analyser import Analyser
from sonovec.audio.isolate import read_isolated_tags
from sonovec.audio.tags.read import read_tags
from sonovec.embedding.embedding import Failure
from sonovec.embedding.encoder import Encoder
from sonovec.embedding.pooled import ListenerOf, Pooled
from sonovec.embedding.results import Results
from sonovec.errors import AudioError
from sonovec.jobs import Job, Progress
from sonovec.library import vanished
from sonovec.library.analyses import CatchUp, Heard, heard_of
from sonovec.library.follow import Follower
from sonovec.library.given import Given
from sonovec.library.hearing import hear_segments, listener
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Ledger
from sonovec.library.making import make_segments, make_track, refuse_changed
from sonovec.library.metadata import Metadata
from sonovec.library.outcomes import Outcome
from sonovec.library.pending import Pending
from sonovec.library.readers import Readers
from sonovec.library.records import Segment, Track, Value
from sonovec.library.report import Prune, Report
from sonovec.library.roots import Roots
from sonovec.library.selection import Candidate, Selection
from sonovec.library.store import Store
from sonovec.library.vanished import is_there
from sonovec.library.walk import LOOK_UP, LOOK_UP_SECONDS, Walk
from sonovec.log import as_failure
from sonovec.paths import display, to_text

_LOG = logging.getLogger(__name__)

#: What a run counts.
UNIT = "files"
#: Copies that may wait for the file that is embedded for them; where there are more, each batch waits for it so many seconds.
MOST_COPIES, PATIENCE = 1000, 1.0


@dataclass(frozen=True)
class Ingest:
    """What the runs over files and folders into one library need; `run` does the work and gives the report.

    `own` says of a path that the library itself writes it; with `reread` every file is read, whatever its row says.
    """

    store: Store
    ledger: Ledger
    roots: Roots
    encoder: Encoder
    segment_seconds: float
    analysers: Sequence[type[Analyser]] = ()
    metadata: Metadata | None = None
    is_own: Callable[[Path], bool] = lambda path: False
    reread: bool = False
    job: Job = field(default_factory=Job)

    def run(
        self,
        paths: Sequence[Path],
        *,
        prune: Prune,
        confirm: Callable[[Path, int], bool] | None = None,
        options: Mapping[str, object],
    ) -> Report:
        """Index `paths` and report; an interrupt commits what is finished before it goes on its way."""
        began, now = time.monotonic(), time.time()
        report = Report()
        _LOG.info("%s: indexing %s", self.store.location, ", ".join(map(display, paths)))
        run = report.run = self.ledger.begin_run(options)
        given = Given(self.store, self.roots, self.metadata, paths)
        with Walk(paths, self.is_own, counted=self.job.counts, check=self.job.check) as walk:
            _Embedding(self, walk, given, run, report).run()
        stages = _Stages(self.job, report)
        stages.tell("looking for files that are gone")
        unreadable = [path for path in walk.unreadable if is_there(path)]
        gone = vanished.find(self.ledger, paths, run, unreadable, self.job.check)
        stages.tell("pruning" if prune else "counting files that are gone")
        self._remove(gone, report, prune, confirm)
        stages.tell("bringing tracks in line")
        Follower(self.store, self.ledger, self.roots, given, run, report, self.job.check).settle()
        if self.analysers:
            CatchUp(
                self.store,
                self.ledger,
                lambda: self.encoder,
                self.analysers,
                report,
                began=now,
                isolate=self.encoder.isolate,
                jobs=self.encoder.jobs,
                job=self.job,
            ).run(paths)
        self.store.optimize(lambda table: stages.tell("bringing indices up to date", table))
        report.counts = self.ledger.end_run(run)
        if self.metadata:
            report.metadata_unused, report.metadata_applied = self.metadata.unused(), self.metadata.applied
        report.seconds = time.monotonic() - began
        counts = ", ".join(f"{count} {status}" for status, count in asdict(report.counts).items())
        _LOG.info("%s: %s, in %.1f s", self.store.location, counts, report.seconds)
        return report

    def _remove(
        self, gone: vanished.Vanished, report: Report, prune: Prune, confirm: Callable[[Path, int], bool] | None
    ) -> None:
        """Count, or with `prune` forget, the files that were deleted; what may come back only where that is wanted."""
        doomed = list(gone.deleted)
        for place, entries in gone.withheld.items():
            files = sum(entry.held for entry in entries)
            if prune == "all" or (prune and confirm is not None and confirm(place, files)):
                doomed += entries
            elif files:
                report.withheld.append((to_text(place), files))
        report.vanished = sum(entry.held for entry in doomed)
        report.pruned = bool(prune)
        if prune:
            self.ledger.forget(entry.path for entry in doomed)


class _Stages:
    """Tells of the stages behind the embedding, which take no long where little has changed; all files are done."""

    def __init__(self, job: Job, report: Report) -> None:
        self._job = job
        before = job.progress
        files = 0 if before is None else before.done
        self._told = Progress("", files, files, UNIT, report.audio_seconds)

    def tell(self, stage: str, note: str = "") -> None:
        self._job.report(replace(self._told, stage=stage, note=note))


@dataclass(frozen=True)
class _Chosen:
    """A file that is being embedded, and its tags, which are being read."""

    candidate: Candidate
    file_tags: Future[Mapping[str, Value]]


@dataclass(frozen=True)
class _Made:
    """What becomes of a file that was embedded."""

    track: Track
    segments: list[Segment]
    outcome: Outcome
    notes: Sequence[str]
    heard: Heard


class _Embedding:
    """The part of a run that embeds: from what is found to what is committed."""

    def __init__(self, ingest: Ingest, walk: Walk, given: Given, run: int, report: Report) -> None:
        self._ingest = ingest
        self._walk = walk
        self._given = given
        self._report = report
        self._pending = Pending(ingest.store, ingest.ledger, run, report)
        self._selection = Selection(
            ingest.store, ingest.ledger, ingest.roots, self._pending, given, report, run, reread=ingest.reread
        )
        self._read_tags: Callable[[Path], Mapping[str, Value]] = (
            read_isolated_tags if ingest.encoder.isolate else read_tags
        )
        self._changed = threading.Condition()  # the run's lock, and who waits for the end of another file's embedding
        self._chosen: dict[Path, _Chosen] = {}

    def run(self) -> None:
        with Readers(self._ingest.encoder.jobs) as readers:
            try:
                for result in self._embedded(readers):
                    self._take(result)
            finally:
                with self._changed:
                    self._selection.commit()
        self._tell(0, self._report.audio_seconds)

    def _embedded(self, readers: Readers) -> Results[Pooled]:
        kinds, seconds = self._ingest.analysers, self._ingest.segment_seconds
        listener_of: ListenerOf = listener(kinds) if kinds else lambda source: None
        return self._ingest.encoder.pool_many(self._choose(readers), seconds, listener_of, self._tell)

    def _tell(self, handed_over: int, audio_seconds: float) -> None:
        done = self._pending.settled
        failed = len(self._report.failures)
        note = f"{failed} failed" if failed else ""
        self._ingest.job.report(Progress("indexing", done, max(done, self._walk.found), UNIT, audio_seconds, note))

    # -- which files need work; runs in a thread of its own

    def _choose(self, readers: Readers) -> Iterator[Path]:
        def begin(candidate: Candidate) -> Future[str]:
            known = candidate.content
            check = self._ingest.job.check
            read = (lambda path: content_hash(path, check)) if known is None else (lambda path: known)
            return readers.submit(read, candidate.found.path)

        for batch in self._walk.batches(LOOK_UP, LOOK_UP_SECONDS):
            with self._changed:
                unknown = self._selection.to_read(batch)
                self._commit_if_due()
            for group in readers.ahead(unknown, begin):
                with self._changed:
                    chosen = self._selection.choose(group)
                    self._commit_if_due()
                    self._wait_for_originals()
                    for each in chosen:
                        path = each.found.path
                        self._chosen[path] = _Chosen(each, readers.submit(self._read_tags, path, urgent=True))
                yield from [each.found.path for each in chosen]

    def _wait_for_originals(self) -> None:
        """Copies wait in memory until what they are copies of is committed: where they are many, it comes first."""
        if self._selection.waiting > MOST_COPIES:
            self._selection.commit()
            self._changed.wait_for(lambda: self._selection.waiting <= MOST_COPIES, PATIENCE)

    def _commit_if_due(self) -> None:
        if self._pending.due:
            self._selection.commit()

    # -- what became of them; runs in the caller's thread

    def _take(self, result: Pooled | Failure) -> None:
        assert result.path is not None
        chosen = self._chosen[result.path]
        made = self._failed(chosen, result) if isinstance(result, Failure) else self._made(chosen, result)
        with self._changed:
            del self._chosen[result.path]
            if isinstance(made, Failure):
                self._selection.fail(chosen.candidate, made.reason)
            else:
                self._pending.add(made.track, made.segments, made.heard)
                self._pending.settle(made.outcome)
                self._report.audio_seconds += made.outcome.duration or 0.0
                self._report.notes += [(to_text(result.path), note) for note in made.notes]
            self._commit_if_due()
            self._changed.notify_all()

    def _failed(self, chosen: _Chosen, failure: Failure) -> Failure:
        """Why a file failed: that somebody changed it meanwhile says more than what its decoder found."""
        found, content = chosen.candidate.found, str(chosen.candidate.content)
        try:
            refuse_changed(found, content)
        except AudioError as error:
            return Failure(found.path, error)
        return failure

    def _made(self, chosen: _Chosen, pooled: Pooled) -> _Made | Failure:
        """What the store and the ledger take for a file; whatever is raised here is about this file."""
        found, content = chosen.candidate.found, str(chosen.candidate.content)
        try:
            with self._changed:
                before = self._given.before(found.path, content, chosen.candidate.entry)
            given = self._given.fitting({**before, **(self._given.row(found.path) or {})})
            path = self._ingest.roots.stored(found.path)
            track = make_track(path, content, pooled, chosen.file_tags.result(), given)
            segments = make_segments(pooled)
            if (reason := self._ingest.store.refusal(track.fields)) is not None:
                raise AudioError(f"{display(found.path)}: {reason}")
            heard = self._heard(pooled, track, chosen.file_tags.result())
            track = replace(track, fields={**track.fields, **heard.fields})
            refuse_changed(found, content)  # last: all that was read before is of this content
        except Exception as error:  # noqa: BLE001 - it is this file's alone
            return Failure(found.path, as_failure(display(found.path), error))
        outcome = self._selection.outcome(chosen.candidate, "indexed", "; ".join(pooled.notes) or None, content)
        outcome = replace(outcome, duration=pooled.duration, n_segments=len(segments))
        return _Made(track, segments, outcome, [*pooled.notes, *heard.notes], heard)

    def _heard(self, pooled: Pooled, track: Track, file_tags: Mapping[str, Value]) -> Heard:
        ingest = self._ingest
        if not ingest.analysers:
            return Heard()
        found = {**pooled.heard, **hear_segments(pooled.parts, ingest.encoder.passport, ingest.analysers)}
        return heard_of(ingest.analysers, found, ingest.store, track.fields, file_tags)
