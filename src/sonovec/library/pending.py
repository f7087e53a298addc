"""What an index run has found out and not yet written, and the one way in which it is written.

Tracks are committed in the order mark, store, ledger: a run that is killed between the last two finds its tracks in the
store when it is started again, and only writes the missing rows of the ledger. Everything else goes the other way: the
ledger says first what changed (a file has other content, was moved, was given fields) and marks the contents whose tracks
have to follow, in one transaction; see `sonovec.library.follow`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from sonovec.library.analyses import Heard, record
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Again, Outcome, Status
from sonovec.library.records import Segment, Track
from sonovec.library.report import Report
from sonovec.library.store import Store
from sonovec.paths import to_text

_LOG = logging.getLogger(__name__)

#: A batch of tracks is committed when it is this large or this old, whichever comes first.
COMMIT_TRACKS = 64
COMMIT_SECONDS = 2.0
#: Rows that are written together at most, where nothing is embedded.
COMMIT_ROWS = 5000


class Pending:
    """Outcomes and tracks of one run that wait for the next commit; whoever calls it holds the run's lock."""

    def __init__(self, store: Store, ledger: Ledger, run: int, report: Report) -> None:
        self._store = store
        self._ledger = ledger
        self._run = run
        self._report = report
        self._outcomes: list[Outcome] = []
        self._again: list[Again] = []
        self._tracks: list[tuple[Track, list[Segment]]] = []
        self._heard: dict[str, Heard] = {}
        self._moved: list[Path] = []
        self._unsettled: set[str] = set()
        self._committed = time.monotonic()
        self.settled = 0  #: files whose outcome is known

    def settle(self, outcome: Outcome) -> None:
        """Take the outcome of a file."""
        self._outcomes.append(outcome)
        self.settled += 1
        if outcome.status == "failed":
            self._report.failures.append((to_text(outcome.path), outcome.reason or ""))
        elif outcome.status == "skipped":
            self._report.skip(outcome.reason or "")

    def settle_again(self, path: Path, status: Status, reason: str | None) -> None:
        """Take what happened to a file that is as its row says."""
        self._again.append(Again(path, status, reason))
        if status == "skipped":
            self._report.skip(reason or "")
        self.settled += 1

    def add(self, track: Track, segments: list[Segment], heard: Heard) -> None:
        """Take a new track, with what analysers heard in it; its outcome is settled as well."""
        self._tracks.append((track, segments))
        self._heard[track.id] = heard

    def follow(self, content: str) -> None:
        """Mark a content whose track has to follow what the ledger says."""
        self._unsettled.add(content)

    def forget(self, paths: Iterable[Path]) -> None:
        """Take paths whose rows go, since their file was moved."""
        self._moved += paths

    @property
    def due(self) -> bool:
        """Whether it is time to commit."""
        old = time.monotonic() - self._committed > COMMIT_SECONDS
        return old or len(self._tracks) >= COMMIT_TRACKS or len(self._outcomes) + len(self._again) >= COMMIT_ROWS

    def commit(self) -> list[str]:
        """Write what is done: the marks of new tracks, the tracks, then all rows and other marks at once.

        Gives the contents of the new tracks.
        """
        tracks, self._tracks = self._tracks, []
        new = [track.id for track, _ in tracks]
        if tracks:
            self._ledger.mark(new)
            self._store.put_many(tracks)
        outcomes, self._outcomes = self._outcomes, []
        again, self._again = self._again, []
        moved, self._moved = self._moved, []
        unsettled, self._unsettled = self._unsettled, set()
        if outcomes or again:
            self._ledger.record_many(self._run, outcomes, again=again, forget=moved, unsettled=unsettled, settled=new)
        heard, self._heard = self._heard, {}
        if heard:
            # Last: a run that is killed before has the analysers hear these tracks again.
            record(self._store, self._ledger, heard)
        self._committed = time.monotonic()
        if tracks or outcomes or again:
            _LOG.debug("committed %d tracks, and %d rows of the ledger", len(tracks), len(outcomes) + len(again))
        return new
