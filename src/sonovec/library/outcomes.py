"""What happened to files: outcomes of a run, the rows that a ledger keeps of them, and how they are counted.

A row joins three things. What the library *holds* for a path (content hash, size and times of that content, duration,
segments) changes only when other content is recorded or the path is forgotten. What *happened* to the path in the
latest run that met it (status, reason, run, time) changes with every run. So a file that was indexed once and is
unreadable today is "failed" and still held, and its row recognises it when it is readable again. What the user *gave* for
the path (the fields of a metadata file) stays until it is given anew or the path is forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from sonovec.errors import UsageError
from sonovec.library.records import Value
from sonovec.paths import display

Status = Literal["indexed", "unchanged", "skipped", "failed"]

STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True)
class Outcome:
    """What happened to one file in a run.

    `size` in bytes, `mtime_ns` (of the content) and `ctime_ns` (of anything about the file) in nanoseconds since 1970,
    `duration` in seconds; `mount` is the mount point below which the file lay. `content_hash` says that the library
    holds this content; leave it None where nothing was added. "skipped" and "failed" need a `reason`; a copy of a file
    that is held is "skipped" with the hash and the reason "same content as ...". `fields` are what the user gave for
    this path; they are joined with what was given before.
    """

    path: Path
    status: Status
    reason: str | None = None
    size: int | None = None
    mtime_ns: int | None = None
    content_hash: str | None = None
    duration: float | None = None
    n_segments: int | None = None
    ctime_ns: int | None = None
    mount: Path | None = None
    fields: Mapping[str, Value] | None = None


@dataclass(frozen=True)
class Analysis:
    """That an analyser, in a version, heard a content; `reason` says why it failed, and is None where it did not.

    `time` is when it was recorded, in seconds since 1970.
    """

    analyser: str
    version: str
    reason: str | None = None
    time: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Again:
    """What happened in a run to a file that is as its row says: of the row only this changes."""

    path: Path
    status: Status
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry(Outcome):
    """A row of the ledger: the latest outcome, its run, when it was recorded (seconds since 1970), and what is held."""

    run: int
    updated: float

    @property
    def held(self) -> bool:
        """Whether the library holds content for this path, whatever the latest run met."""
        return self.content_hash is not None

    def is_of(self, size: int, mtime_ns: int, ctime_ns: int | None = None) -> bool:
        """Whether a file of this size in bytes and these times, in nanoseconds, is as it was when the row was written.

        A `ctime_ns` that is not given, or that the row does not have, is not compared: rows of format 1 have none.
        """
        same = (self.size, self.mtime_ns) == (size, mtime_ns)
        return same and (ctime_ns is None or self.ctime_ns in (None, ctime_ns))


@dataclass(frozen=True)
class Counts:
    """How many files had which outcome.

    Examples
    --------
    >>> Counts(indexed=3, failed=1).found
    4
    """

    indexed: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0

    @property
    def found(self) -> int:
        """The sum of all outcomes."""
        return self.indexed + self.unchanged + self.skipped + self.failed


@dataclass(frozen=True)
class Run:
    """One pass over files; times in seconds since 1970, `finished` is None for a run that goes on or was killed."""

    id: int
    started: float
    finished: float | None
    options: Mapping[str, object]
    counts: Counts


def merge(old: Entry | None, new: Outcome, run: int) -> Entry:
    """Join a new outcome with what the library holds for its path.

    Raises
    ------
    UsageError
        A reason is missing, or "indexed" or "unchanged" is said of a path that is not held.
    """
    reason = None if new.reason is None else one_line(new.reason)
    keeps = old is not None and old.held and new.content_hash is None
    held: Outcome = old if old is not None and keeps else new
    duration, n_segments = held.duration, held.n_segments
    if old is not None and old.content_hash == held.content_hash:
        duration = old.duration if duration is None else duration
        n_segments = old.n_segments if n_segments is None else n_segments
    if new.status not in STATUSES:
        raise UsageError(f"status={new.status!r} of {display(new.path)} must be one of {', '.join(STATUSES)}")
    if new.status in ("skipped", "failed") and not reason:
        raise UsageError(f"{display(new.path)} is {new.status} without a reason; give Outcome(..., reason='why')")
    if new.status in ("indexed", "unchanged") and held.content_hash is None:
        raise UsageError(f"{display(new.path)} is {new.status} but not held; give Outcome(..., content_hash='...')")
    return Entry(
        new.path,
        new.status,
        reason,
        held.size,
        held.mtime_ns,
        held.content_hash,
        duration,
        n_segments,
        held.ctime_ns,
        held.mount,
        _joined(None if old is None else old.fields, new.fields),
        run=run,
        updated=time.time(),
    )


def _joined(before: Mapping[str, Value] | None, given: Mapping[str, Value] | None) -> Mapping[str, Value] | None:
    return {**before, **given} if before is not None and given is not None else before if given is None else given


def one_line(text: str) -> str:
    """A text without line breaks, that can be stored."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())
