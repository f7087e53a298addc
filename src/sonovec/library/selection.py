"""Which files of an index run need to be embedded: not those that are in the library, moved, or copies of others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sonovec.audio.scan import Found, Skipped
from sonovec.library import vanished
from sonovec.library.given import Given
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Entry, Outcome, Status
from sonovec.library.pending import Pending
from sonovec.library.records import Value
from sonovec.library.report import Report
from sonovec.library.roots import Roots
from sonovec.library.store import Store
from sonovec.library.vanished import is_there
from sonovec.log import as_failure
from sonovec.paths import display, to_text

#: Contents whose living file is remembered, so that a file of many copies is not looked for with each.
REMEMBERED = 1000


@dataclass(frozen=True)
class Candidate:
    """A file that was found, its row, and its content: once that was read, or where the row is known to be of it."""

    found: Found
    entry: Entry | None
    content: str | None = None

    @property
    def held(self) -> str | None:
        """The content that the library holds for the path."""
        return None if self.entry is None else self.entry.content_hash


class Selection:
    """What is known of the files of one run; whoever calls it holds the run's lock."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        roots: Roots,
        pending: Pending,
        given: Given,
        report: Report,
        run: int,
        *,
        reread: bool,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._roots = roots
        self._pending = pending
        self._given = given
        self._report = report
        self._run = run
        self._reread = reread
        self._mount_of = lru_cache(REMEMBERED)(vanished.mount_of)
        self._running: dict[str, Path] = {}
        self._copies: dict[str, list[Candidate]] = {}
        self._living: dict[str, Path] = {}
        self.waiting = 0  #: copies that wait for the file that is embedded for them

    def to_read(self, batch: Sequence[Found | Skipped]) -> list[Candidate]:
        """Settle the files that are as they were, and give the others; where the store lost a content, with that."""
        candidates: list[Candidate] = []
        for item, entry in zip(batch, self._ledger.lookup_many(item.path for item in batch), strict=True):
            if isinstance(item, Skipped):
                self._settle_skipped(item, entry)
            elif entry is not None and entry.held and not self._reread and _is_of(entry, item):
                candidates.append(Candidate(item, entry, entry.content_hash))
            else:
                candidates.append(Candidate(item, entry))
        stored = self._store.paths({each.content for each in candidates if each.content is not None})
        return [each for each in candidates if each.content not in stored or not self._settle_existing(each, stored)]

    def choose(self, read: Iterable[tuple[Candidate, Future[str]]]) -> list[Candidate]:
        """Of files whose content was read, give those to embed, and settle the others."""
        candidates = [each for candidate, content in read if (each := self._read(candidate, content)) is not None]
        stored = self._store.paths({str(each.content) for each in candidates})
        return [each for each in candidates if not self._settle_existing(each, stored) and not self._is_copy(each)]

    def _read(self, candidate: Candidate, content: Future[str]) -> Candidate | None:
        try:
            return Candidate(candidate.found, candidate.entry, content.result())
        except Exception as error:  # noqa: BLE001 - it is this file's alone
            reason = str(as_failure(display(candidate.found.path), error))
            self._settle(candidate, "failed", reason)
            return None

    def _is_copy(self, candidate: Candidate) -> bool:
        """Whether the same content is being embedded in this moment; if not, it is from now on."""
        content = str(candidate.content)
        if content not in self._running:
            self._running[content] = candidate.found.path
            return False
        self._copies.setdefault(content, []).append(candidate)
        self.waiting += 1
        return True

    def commit(self) -> None:
        """Write what is done, and settle the copies of what is in the store now."""
        for content in self._pending.commit():
            original = self._running.pop(content)
            for copy in self._taken(content):
                self._settle_copy(copy, original)
        self._pending.commit()

    def fail(self, candidate: Candidate, reason: str) -> None:
        """Settle a file that could not be embedded, with its copies."""
        self._settle(candidate, "failed", reason)
        for copy in self._taken(str(candidate.content)):
            reason = f"same content as {display(candidate.found.path)}, which failed"
            self._settle(copy, "failed", reason)
        self._running.pop(str(candidate.content))

    def _taken(self, content: str) -> list[Candidate]:
        copies = self._copies.pop(content, [])
        self.waiting -= len(copies)
        return copies

    # -- what is there already

    def _settle_existing(self, candidate: Candidate, stored: Mapping[str, str]) -> bool:
        """Settle a file whose content the store holds: the file itself, moved from elsewhere, or a copy of another.

        `stored` has the path of each track.
        """
        content = str(candidate.content)
        if content not in stored:
            return False
        path, primary = candidate.found.path, stored[content]
        text = self._roots.stored(path)
        its_own = primary == text or self._roots.is_of(primary, path)
        if candidate.held != content or (its_own and primary != text):
            self._pending.follow(content)
        if candidate.held not in (None, content):
            self._living.pop(str(candidate.held), None)
        if its_own:
            self._settle_unchanged(candidate)
        elif (original := self._original(candidate, primary)) is not None:
            self._settle_copy(candidate, original)
        else:
            self._settle_moved(candidate, primary)
        return True

    def _settle_unchanged(self, candidate: Candidate, reason: str | None = None, **given: Value) -> None:
        content = str(candidate.content)
        if candidate.held != content:
            given |= self._given.before(candidate.found.path, content, candidate.entry)
        self._settle(candidate, "unchanged", reason, content, given)

    def _settle_moved(self, candidate: Candidate, primary: str) -> None:
        others = list(self._others(candidate, primary))
        if not others:
            self._settle_unchanged(candidate)
            return
        origin, fields = others[0]
        self._report.moved += 1
        self._pending.follow(str(candidate.content))
        self._pending.forget(path for path, _ in others)
        before = self._given.before(candidate.found.path, str(candidate.content), candidate.entry)
        given = {**(fields or {}), **before}
        reason = f"moved from {display(origin)}"
        self._settle(candidate, "unchanged", reason, candidate.content, given)

    def _settle_copy(self, candidate: Candidate, original: Path | str) -> None:
        path, content = candidate.found.path, str(candidate.content)
        self._report.copies += 1
        if self._given.row(path) is not None:
            self._report.metadata_copies.append((to_text(path), to_text(original)))
        given = self._given.before(path, content, candidate.entry)
        reason = f"same content as {display(original)}"
        self._settle(candidate, "skipped", reason, content, given)

    def _original(self, candidate: Candidate, primary: str) -> Path | str | None:
        """Another file of this content that is there, or, by what the library keeps, one on another machine."""
        if self._roots.local(primary) is None:
            return primary
        content = str(candidate.content)
        known = self._living.get(content)
        if known is not None and known != candidate.found.path and is_there(known):
            return known
        living = next((path for path, _ in self._others(candidate, primary) if is_there(path)), None)
        if living is not None:
            if len(self._living) >= REMEMBERED:
                self._living.clear()
            self._living[content] = living
        return living

    def _others(self, candidate: Candidate, primary: str) -> Iterator[tuple[Path, Mapping[str, Value] | None]]:
        """Other paths of a content, that of its track first, with what the user gave for them.

        By the ledger, or, where it knows none, by the store.
        """
        content = str(candidate.content)
        first = self._roots.local(primary)
        assert first is not None
        entry = self._ledger.lookup(first)
        if entry is not None and entry.content_hash == content:
            yield first, entry.fields
        elif (entry is None or not entry.held) and next(self._ledger.holders(content), None) is None:
            yield first, None
        for holder in self._ledger.holders(content):
            if holder.path not in (candidate.found.path, first):
                yield holder.path, holder.fields

    # -- outcomes

    def outcome(
        self,
        candidate: Candidate,
        status: Status,
        reason: str | None = None,
        content: str | None = None,
        given: Mapping[str, Value] | None = None,
    ) -> Outcome:
        """What happened to a file, with what the user gave for it: before, if that is not in its row yet, and now."""
        found = candidate.found
        row = self._given.row(found.path)
        if row is not None and status != "indexed" and (changed := content or candidate.held):
            self._pending.follow(changed)
        return Outcome(
            found.path,
            status,
            reason,
            found.size,
            found.mtime_ns,
            content,
            ctime_ns=found.ctime_ns,
            mount=self._mount(found.path),
            fields={**(given or {}), **(row or {})} or None,
        )

    def _settle(
        self,
        candidate: Candidate,
        status: Status,
        reason: str | None = None,
        content: str | None = None,
        given: Mapping[str, Value] | None = None,
    ) -> None:
        if content is not None and not given and self._is_as_before(candidate, content):
            self._pending.settle_again(candidate.found.path, status, reason)
        else:
            self._pending.settle(self.outcome(candidate, status, reason, content, given))

    def _is_as_before(self, candidate: Candidate, content: str) -> bool:
        """Whether the row of a file says all but what happened to it in this run."""
        found, entry = candidate.found, candidate.entry
        return (
            entry is not None
            and entry.run != self._run
            and entry.content_hash == content
            and (entry.size, entry.mtime_ns, entry.ctime_ns) == (found.size, found.mtime_ns, found.ctime_ns)
            and entry.mount == self._mount(found.path)
            and self._given.row(found.path) is None
        )

    def _mount(self, path: Path) -> Path:
        return self._mount_of(os.path.dirname(path))  # noqa: PTH120 - it is called for each file

    def _settle_skipped(self, item: Skipped, entry: Entry | None) -> None:
        fields = self._given.row(item.path) if item.first is not None else None
        if fields is not None:
            self._report.metadata_copies.append((to_text(item.path), to_text(item.first or "")))
        if item.by_custom:
            self._report.left_out.append((to_text(item.path), item.reason))
        if not item.failed and not fields and entry is not None and entry.run != self._run and entry.size is None:
            self._pending.settle_again(item.path, "skipped", item.reason)
        else:
            status: Status = "failed" if item.failed else "skipped"
            self._pending.settle(Outcome(item.path, status, item.reason, fields=fields))


def _is_of(entry: Entry, found: Found) -> bool:
    return entry.is_of(found.size, found.mtime_ns, found.ctime_ns)
