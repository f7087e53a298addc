"""Put the vectors of a second encoder into a space: of tracks that the library has, without touching them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from sonovec.audio.scan import Found, Skipped
from sonovec.embedding.embedding import Failure
from sonovec.embedding.encoder import Encoder
from sonovec.embedding.pooled import Pooled
from sonovec.jobs import Job, Progress
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Ledger
from sonovec.library.making import make_segments
from sonovec.library.outcomes import Counts
from sonovec.library.pending import COMMIT_SECONDS, COMMIT_TRACKS
from sonovec.library.records import Space
from sonovec.library.report import Report
from sonovec.library.store import Store
from sonovec.library.tables import vectors_of
from sonovec.library.walk import LOOK_UP, LOOK_UP_SECONDS, Walk
from sonovec.log import as_failure
from sonovec.paths import display, to_text


class SpaceIngest:
    """One run over files and folders for one space. `run` does the work and gives the report.

    The ledger says which content a file holds and is not written: a space follows the tracks, and what it lacks is seen in
    the store. So a run that was killed is taken up by the same call, and nothing is embedded a second time.
    """

    #: Why a file is left out whose content is no track.
    absent = "not in the library; index it without --space first"

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        encoder: Encoder,
        space: Space,
        *,
        is_own: Callable[[Path], bool] = lambda path: False,
        reread: bool = False,
        job: Job,
    ) -> None:
        self._store, self._ledger, self._encoder, self._space = store, ledger, encoder, space
        self._is_own, self._reread, self._job = is_own, reread, job
        self._report = Report()
        self._counts: dict[str, int] = dict.fromkeys(Counts.__dataclass_fields__, 0)
        self._contents: dict[Path, str] = {}
        self._chosen: set[str] = set()
        self._done: list[tuple[str, Pooled]] = []

    def run(self, paths: Sequence[Path]) -> Report:
        """Embed what the space lacks of the tracks under `paths`."""
        began = self._committed = time.monotonic()
        with Walk(paths, self._is_own, counted=self._job.counts, check=self._job.check) as walk:

            def tell(handed_over: int, audio_seconds: float, stage: str = "indexing", note: str = "") -> None:
                finished = sum(self._counts.values())
                found = max(finished, walk.found)
                self._job.report(Progress(stage, finished, found, "files", audio_seconds, note))

            seconds = self._space.segment_seconds
            try:
                for result in self._encoder.pool_many(self._choose(walk), seconds, watch=tell):
                    self._take(result)
                    if len(self._done) >= COMMIT_TRACKS or time.monotonic() - self._committed > COMMIT_SECONDS:
                        self._commit()
            finally:
                self._commit()
        heard = self._report.audio_seconds
        self._store.optimize(lambda table: tell(0, heard, "bringing indices up to date", table))
        self._report.counts = Counts(**self._counts)
        self._report.seconds = time.monotonic() - began
        return self._report

    def _choose(self, walk: Walk) -> Iterator[Path]:
        for batch in walk.batches(LOOK_UP, LOOK_UP_SECONDS):
            yield from self._choose_batch(batch)

    def _choose_batch(self, batch: Sequence[Found | Skipped]) -> Iterator[Path]:
        contents: dict[Path, str] = {}
        for item in batch:
            if isinstance(item, Skipped):
                self._leave_out(item.path, item.reason, failed=item.failed)
                continue
            try:
                contents[item.path] = self._content_of(item)
            except Exception as error:  # noqa: BLE001 - it is this file's alone
                self._leave_out(item.path, str(as_failure(display(item.path), error)), failed=True)
        there = self._store.existing(set(contents.values()))
        held = self._held(there)
        for path, content in contents.items():
            if content not in there:
                self._leave_out(path, self.absent)
            elif content in held or content in self._chosen:
                self._counts["unchanged"] += 1
            else:
                self._chosen.add(content)
                self._contents[path] = content
                yield path

    def _content_of(self, found: Found) -> str:
        entry = None if self._reread else self._ledger.lookup(found.path)
        known = entry is not None and entry.is_of(found.size, found.mtime_ns, found.ctime_ns)
        return (
            entry.content_hash if known and entry and entry.content_hash else content_hash(found.path, self._job.check)
        )

    def _leave_out(self, path: Path, reason: str, failed: bool = False) -> None:
        self._counts["failed" if failed else "skipped"] += 1
        (self._report.failures if failed else self._report.left_out).append((to_text(path), reason))
        if not failed:
            self._report.skip(reason)

    def _take(self, result: Pooled | Failure) -> None:
        assert result.path is not None
        content = self._contents.pop(result.path)
        if isinstance(result, Failure):
            self._leave_out(result.path, result.reason, failed=True)
            return
        if content_hash(result.path, self._job.check) != content:
            self._leave_out(
                result.path, f"{display(result.path)}: changed while it was being read; index again", failed=True
            )
            return
        self._done.append((content, result))
        self._report.audio_seconds += result.duration
        self._counts["indexed"] += 1

    def _commit(self) -> None:
        done, self._done = self._done, []
        if done:
            self._put(done)
        self._committed = time.monotonic()

    def _held(self, ids: set[str]) -> set[str]:
        """Those of some tracks that need not be embedded."""
        return self._store.holds(ids, self._space.name)

    def _put(self, done: Sequence[tuple[str, Pooled]]) -> None:
        """Write what was embedded, with the content that it is of."""
        items = [(content, pooled.vector, make_segments(pooled)) for content, pooled in done]
        self._store.put_vectors(items, self._space.name)


def counts_of(spaces: Mapping[str, Space], store: Store) -> dict[str, int]:
    """How many tracks have vectors in each space."""
    return {name: store.table(vectors_of(space)).count() for name, space in spaces.items()}


def space_of(encoder: Encoder, name: str, segment_seconds: float) -> Space:
    """A space for the vectors of an encoder."""
    passport, options = encoder.passport.to_json(), dict(encoder.options)
    return Space(name, encoder.dim, passport, segment_seconds, encoder.card.name, options)
