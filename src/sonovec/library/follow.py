"""The store follows the ledger: the tracks of all unsettled contents are brought in line, or removed.

The marks of a run that was killed are found here by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from sonovec.errors import AudioError
from sonovec.library.given import Given
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Entry, Outcome
from sonovec.library.records import Track, Value
from sonovec.library.report import Report
from sonovec.library.roots import Roots
from sonovec.library.store import Store
from sonovec.library.vanished import is_there
from sonovec.paths import display, known_texts, to_text

#: Tracks that are brought in line together.
TOGETHER = 1000


class Follower:
    """Brings a store in line with its ledger, in one run."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        roots: Roots,
        given: Given,
        run: int,
        report: Report,
        check: Callable[[], None] = lambda: None,
        removed: Collection[Path] = (),
    ) -> None:
        self._removed_files = frozenset(removed)  # by the user, though they may still be on the disk
        self._check = check  # called between tracks, before any of them is written
        self._store = store
        self._ledger = ledger
        self._roots = roots
        self._given = given
        self._run = run
        self._report = report

    def settle(self) -> None:
        """Bring the tracks of unsettled contents in line with the ledger."""
        last = ""
        while contents := self._ledger.unsettled(last, TOGETHER):
            last = contents[-1]
            self._settle(contents)

    def _settle(self, contents: list[str]) -> None:
        tracks = self._store.get(contents)
        updates: dict[str, dict[str, Value]] = {}
        removed, settled = [], []
        for content in contents:
            self._check()
            track, is_held = tracks.get(content), next(self._ledger.holders(content), None) is not None
            elsewhere = track is not None and self._roots.local(track.path) is None
            if track is not None and not is_held and not elsewhere and self._may_be_recorded(track):
                continue
            settled.append(content)
            if elsewhere and not is_held:
                continue  # a file of another machine, whose ledger says what becomes of it
            if track is None or not is_held:
                removed.append(content)  # of a track that was not written whole, its segments
            elif change := self._change(track):
                updates[content] = change
        self._store.delete(removed)
        self._refused(self._store.update(updates))
        self._ledger.settle(settled)

    def _refused(self, reasons: Mapping[str, str]) -> None:
        """Record as failures the files for which the user gave what the store cannot keep."""
        for content, why in reasons.items():
            entry = next(self._ledger.holders(content), None)
            if entry is not None:
                reason = f"{display(entry.path)}: {why}"
                self._report.failures.append((to_text(entry.path), reason))
                self._ledger.record(self._run, Outcome(entry.path, "failed", reason))

    def _may_be_recorded(self, track: Track) -> bool:
        """Whether a track without a row is of a file that a later run will come to, after a kill before its row."""
        path = self._roots.local(track.path)
        if path is None:  # on another machine
            return True
        if path in self._removed_files:
            return False
        entry = self._ledger.lookup(path)
        if entry is not None and entry.run == self._run and entry.status == "failed":
            return False  # it has other content, which cannot be embedded
        if entry is None or entry.content_hash in (None, track.id):
            return is_there(path)
        return _has_become(path, entry, track.id)

    def _change(self, track: Track) -> dict[str, Value]:
        """What a track must change to agree with the ledger: its path if that holds the content no more, and its fields."""
        holder = self._holder_of(track)
        if holder is None:
            if self._may_be_recorded(track):
                return {}
            holder = self._another(track)
        wanted = {"path": self._roots.stored(holder.path), **self._given.fitting(holder.fields or {})}
        return {name: value for name, value in wanted.items() if track.fields.get(name) != value}

    def _holder_of(self, track: Track) -> Entry | None:
        """The row of the track's own path, also if that is written as former versions wrote it."""
        path = self._roots.local(track.path)
        entry = None if path is None else self._ledger.lookup(path)
        if path is None or (entry is not None and entry.content_hash == track.id):
            return entry
        return next((each for each in self._ledger.holders(track.id) if track.path in known_texts(each.path)), None)

    def _another(self, track: Track) -> Entry:
        """The row of a file that is there, or else of any."""
        living = (entry for entry in self._ledger.holders(track.id) if is_there(entry.path))
        return next(living, None) or next(self._ledger.holders(track.id))


def _has_become(path: Path, entry: Entry, content: str) -> bool:
    """Whether a file has this content since its row was written: what wrote its tags was killed before the new row."""
    try:
        status = path.stat()
        if entry.is_of(status.st_size, status.st_mtime_ns, status.st_ctime_ns):
            return False
        return content_hash(path) == content
    except (OSError, AudioError):
        return False
