"""The ledger: one row for every file ever seen, so that nothing is lost and nothing is left out in silence.

A row joins three things. What the library *holds* for a path (content hash, size and times of that content, duration,
segments) changes only when other content is recorded or the path is forgotten. What *happened* to the path in the
latest run that met it (status, reason, run, time) changes with every run. So a file that was indexed once and is
unreadable today is "failed" and still held, and its row recognises it when it is readable again. What the user *gave* for
the path (the fields of a metadata file) stays until it is given anew or the path is forgotten.

The ledger decides which paths hold a content; the vector store follows. A change of the ledger that the store does not
know yet marks the content as unsettled in the same transaction, and the mark goes when the store has followed: so no kill
between the two leaves them apart for good.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self, get_args

from sonovec.errors import LibraryError, LibraryLockedError, UsageError
from sonovec.library.records import Value
from sonovec.paths import display

Status = Literal["indexed", "unchanged", "skipped", "failed"]

STATUSES: tuple[Status, ...] = get_args(Status)
BUSY_SECONDS = 30.0
PAGE = 1000

#: What makes each format out of the one before it; a new ledger takes all the steps.
# "WITHOUT ROWID" keeps rows in the order of their paths, so that the files of a folder lie together.
_STEPS = (
    """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started REAL NOT NULL,
    finished REAL,
    options TEXT NOT NULL,
    found INTEGER NOT NULL DEFAULT 0,
    indexed INTEGER NOT NULL DEFAULT 0 CHECK (indexed >= 0),
    unchanged INTEGER NOT NULL DEFAULT 0 CHECK (unchanged >= 0),
    skipped INTEGER NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    failed INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    CHECK (found = indexed + unchanged + skipped + failed)
);
CREATE TABLE files (
    path BLOB PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('indexed', 'unchanged', 'skipped', 'failed')),
    reason TEXT,
    size INTEGER,
    mtime_ns INTEGER,
    content_hash TEXT,
    duration REAL,
    n_segments INTEGER,
    run INTEGER NOT NULL REFERENCES runs (id),
    updated REAL NOT NULL,
    CHECK (status IN ('skipped', 'failed') OR content_hash IS NOT NULL),
    CHECK (status IN ('indexed', 'unchanged') OR reason IS NOT NULL)
) WITHOUT ROWID;
CREATE INDEX files_by_content ON files (content_hash) WHERE content_hash IS NOT NULL;
CREATE INDEX files_by_status ON files (status);
""",
    """
ALTER TABLE files ADD COLUMN ctime_ns INTEGER;
ALTER TABLE files ADD COLUMN mount BLOB;
ALTER TABLE files ADD COLUMN fields TEXT;
CREATE TABLE unsettled (content_hash TEXT PRIMARY KEY) WITHOUT ROWID;
""",
)
FORMAT = len(_STEPS)

#: The columns that each format has added to a row.
_ADDED = (
    ("path", "status", "reason", "size", "mtime_ns", "content_hash", "duration", "n_segments", "run", "updated"),
    ("ctime_ns", "mount", "fields"),
)
_COLUMNS = tuple(name for names in _ADDED for name in names)
_UPSERT = f"INSERT OR REPLACE INTO files ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


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


class Ledger:
    """The ledger in the SQLite file `path`, made where there is none; one process may write while others read.

    A method returns when its change is on the disk. A `Ledger` may be shared by threads. With `read_only` it is read where
    it cannot be written: on a DVD, in a folder of someone else's.

    Raises
    ------
    LibraryError
        From every method: the file is damaged, of another format, not readable, or the disk is full.
        Nothing is deleted.
    LibraryLockedError
        Another process has been writing for longer than `BUSY_SECONDS`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder, "ledger.sqlite")) as ledger:
    ...     run = ledger.begin_run({"model": "default"})
    ...     ledger.record(run, Outcome(Path("a.wav"), "indexed", size=9, mtime_ns=1, content_hash="c0ffee"))
    ...     ledger.record(run, Outcome(Path("b.txt"), "failed", "no audio stream"))
    ...     (ledger.known("a.wav", size=9, mtime_ns=1).content_hash, ledger.end_run(run))
    ('c0ffee', Counts(indexed=1, unchanged=0, skipped=0, failed=1))
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        if read_only:
            try:
                with self._errors():
                    self._db = _connect_to_read(self.path)
            except OSError as error:
                raise LibraryError(f"ledger {display(self.path)} cannot be read: {error.strerror}") from error
            self._check_format()
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(f"cannot make the folder of ledger {display(self.path)}: {error.strerror}") from error
        with self._errors():
            self._db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def begin_run(self, options: Mapping[str, object] | None = None) -> int:
        """Open a run and give its id; `options` are kept as JSON."""
        with self._transaction():
            row = (time.time(), json.dumps(dict(options or {}), default=str))
            return int(self._db.execute("INSERT INTO runs (started, options) VALUES (?, ?)", row).lastrowid or 0)

    def record(self, run: int, outcome: Outcome) -> None:
        """Record what happened to one file in an open run; see `record_many`."""
        self.record_many(run, [outcome])

    def record_many(
        self,
        run: int,
        outcomes: Iterable[Outcome],
        *,
        forget: Iterable[str | os.PathLike[str]] = (),
        unsettled: Iterable[str] = (),
        settled: Iterable[str] = (),
    ) -> None:
        """Record outcomes in one transaction: all of them or, after an error, none.

        An outcome without a hash leaves what the library holds for the path as it is. A path that comes up again in the
        same run counts once, with its last outcome.

        Parameters
        ----------
        run : int
            An open run.
        outcomes : iterable of Outcome
        forget : iterable of paths
            Rows that go in the same transaction, as those of files that were moved.
        unsettled, settled : iterable of str
            Contents whose tracks the store has to bring in line, and those that it holds already as the outcomes say.
            A content that a path gives up is unsettled by itself.

        Raises
        ------
        UsageError
            The run is not open, a reason is missing, or "indexed" or "unchanged" is said of a path that is not held.
        """
        batch = list(outcomes)  # what makes them may be slow, and a transaction is short
        with self._transaction():
            self._settle(settled)
            self._mark(unsettled)
            self._forget(forget)
            change: Counter[str] = Counter()
            for outcome in batch:
                old = self._get(outcome.path)
                new = _merge(old, outcome, run)
                if old is not None and old.run == run:
                    change[old.status] -= 1
                else:
                    change["found"] += 1
                change[new.status] += 1
                if old is not None and old.content_hash not in (None, new.content_hash):
                    self._mark([str(old.content_hash)])
                self._db.execute(_UPSERT, _row(new))
            self._count(run, change)

    def end_run(self, run: int) -> Counts:
        """Close a run and give its counts."""
        with self._transaction():
            ended = self._db.execute(
                "UPDATE runs SET finished = ? WHERE id = ? AND finished IS NULL", (time.time(), run)
            )
            _need_open(run, ended.rowcount)
        return self.summary(run)

    def runs(self) -> list[Run]:
        """Give all runs, the latest first."""
        rows = self._all(
            "SELECT id, started, finished, options, indexed, unchanged, skipped, failed FROM runs ORDER BY id DESC"
        )
        return [Run(row[0], row[1], row[2], json.loads(row[3]), Counts(*row[4:])) for row in rows]

    def summary(self, run: int | None = None) -> Counts:
        """Count the outcomes of one run, or, without `run`, the latest outcome of every file."""
        if run is None:
            return Counts(**dict(self._all("SELECT status, COUNT(*) FROM files GROUP BY status")))
        rows = self._all("SELECT indexed, unchanged, skipped, failed FROM runs WHERE id = ?", run)
        if not rows:
            raise UsageError(f"ledger {display(self.path)} has no run {run}; Ledger.runs() lists them")
        return Counts(*rows[0])

    def lookup(self, path: str | os.PathLike[str]) -> Entry | None:
        """Give the row of a path, or None for a file that was never seen."""
        with self._lock, self._errors():
            return self._get(path)

    def known(
        self, path: str | os.PathLike[str], *, size: int, mtime_ns: int, ctime_ns: int | None = None
    ) -> Entry | None:
        """Give the row of a path if the file is as it was then: same size in bytes, same times.

        See `Entry.is_of`. The row may be of a file that is not held (`Entry.held`): one that failed before and would fail
        again.
        """
        entry = self.lookup(path)
        return entry if entry is not None and entry.is_of(size, mtime_ns, ctime_ns) else None

    def entries(self, status: Status | None = None, under: str | os.PathLike[str] | None = None) -> Iterator[Entry]:
        """Iterate over rows in the order of their paths; `under` is a folder, or one file.

        Rows are read by the page, so the ledger may be written meanwhile.
        """
        first, last = (b"", None) if under is None else _range(under)
        if under is not None:
            exact = self.lookup(under)
            if exact is not None and status in (None, exact.status):
                yield exact
        while page := self._page(status, first, last):
            yield from map(_entry, page)
            first = page[-1][0]

    def paths_of(self, content_hash: str) -> list[Path]:
        """Give the paths for which the library holds this content: a file and its copies, sorted."""
        return [entry.path for entry in self.entries_of(content_hash)]

    def entries_of(self, content_hash: str) -> list[Entry]:
        """Give the rows of those paths."""
        rows = self._all(f"{self._select()} WHERE content_hash = ? ORDER BY path", content_hash)
        return list(map(_entry, rows))

    def forget(self, paths: Iterable[str | os.PathLike[str]]) -> int:
        """Delete the rows of paths, and give how many there were; the counts of past runs stay as they were.

        What they held is unsettled.
        """
        with self._transaction():
            return self._forget(paths)

    def mark(self, contents: Iterable[str]) -> None:
        """Note contents as unsettled before the store is written, so that a kill leaves nothing unknown there."""
        with self._transaction():
            self._mark(contents)

    def unsettled(self) -> list[str]:
        """Give the contents whose tracks the store may not hold as the ledger says."""
        return [row[0] for row in self._all("SELECT content_hash FROM unsettled ORDER BY content_hash")]

    def settle(self, contents: Iterable[str]) -> None:
        """Note that the store holds these contents as the ledger says, or no more where no path holds them."""
        with self._transaction():
            self._settle(contents)

    def fault(self) -> str | None:
        """What is damaged inside the file, or None; the whole file is read for it."""
        said = self._all("PRAGMA quick_check(1)")[0][0]
        return None if said == "ok" else f"{display(self.path)}: {_one_line(said)}"

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _prepare(self) -> None:
        with self._errors():
            self._db.execute("PRAGMA foreign_keys = ON")
            # A commit comes once for a batch of files that took seconds to embed: a sync is cheap beside it, and what
            # is said to be indexed must survive a power cut.
            self._db.execute("PRAGMA synchronous = FULL")
        if self._check_format() == 0:
            with self._transaction():  # which makes it
                pass
        self._write_ahead()

    def _check_format(self) -> int:
        """Give the format, 0 for a file that is new; readers do only this, and so never wait for a writer."""
        with self._lock, self._errors():
            self._format = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            strange = self._format == 0 and self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        if self._format > FORMAT or strange:
            raise LibraryError(
                f"ledger {display(self.path)} has format {self._format} and this sonovec reads 1 to {FORMAT}: "
                "use the version of sonovec that wrote it, or move the file aside and index again"
            )
        return self._format

    def _upgrade(self) -> None:
        """Within a transaction: take the steps from the format of the file to the one that is written today."""
        for step in _STEPS[self._check_format() :]:
            for statement in step.split(";\n"):
                self._db.execute(statement)
        if self._format != FORMAT:
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
            self._format = FORMAT

    def _write_ahead(self) -> None:
        """Let readers and the writer not wait for each other; a file system that cannot do this is only slower."""
        with self._errors():
            if self._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return
        for _ in range(20):
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:  # it needs the file alone, and does not wait for that by itself
                time.sleep(0.05)

    def _get(self, path: str | os.PathLike[str]) -> Entry | None:
        row = self._db.execute(f"{self._select()} WHERE path = ?", (_key(path),)).fetchone()
        return None if row is None else _entry(row)

    def _select(self) -> str:
        """Rows of the file's format, with null for what later formats added."""
        formats = enumerate(_ADDED, 1)
        names = [name if format <= self._format else "NULL" for format, added in formats for name in added]
        return f"SELECT {', '.join(names)} FROM files"

    def _forget(self, paths: Iterable[str | os.PathLike[str]]) -> int:
        keys = [(_key(path),) for path in paths]
        self._db.executemany(
            "INSERT OR IGNORE INTO unsettled SELECT content_hash FROM files WHERE path = ? AND content_hash IS NOT NULL",
            keys,
        )
        return self._db.executemany("DELETE FROM files WHERE path = ?", keys).rowcount if keys else 0

    def _mark(self, contents: Iterable[str]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO unsettled VALUES (?)", ((content,) for content in contents))

    def _settle(self, contents: Iterable[str]) -> None:
        self._db.executemany("DELETE FROM unsettled WHERE content_hash = ?", ((content,) for content in contents))

    def _count(self, run: int, change: Counter[str]) -> None:
        columns = ("found", *STATUSES)
        changes = ", ".join(f"{name} = {name} + ?" for name in columns)
        values = (*(change[name] for name in columns), run)
        counted = self._db.execute(f"UPDATE runs SET {changes} WHERE id = ? AND finished IS NULL", values)
        _need_open(run, counted.rowcount)

    def _page(self, status: Status | None, after: bytes, before: bytes | None) -> list[tuple[Any, ...]]:
        clauses: dict[str, object] = {"path > ?": after}
        if before is not None:
            clauses["path < ?"] = before
        if status is not None:
            clauses["status = ?"] = status
        return self._all(
            f"{self._select()} WHERE {' AND '.join(clauses)} ORDER BY path LIMIT {PAGE}", *clauses.values()
        )

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, self._errors():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._errors():
            before = self._format
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._upgrade()
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._format = before
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            kind, message = _explain(error, self.path)
            raise kind(message) from error


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Connect to a ledger in a folder that this user may not write.

    In write-ahead mode SQLite reads by way of two files beside the ledger. Where they are not there, nobody has it open,
    and it is read as it is. Where only the first is there, a crash has left it with what is not in the ledger yet: then
    copies are read.
    """
    waiting, index = (path.with_name(path.name + ending) for ending in ("-wal", "-shm"))
    if waiting.exists() and waiting.stat().st_size and not index.exists():
        with tempfile.TemporaryDirectory(prefix="sonovec-") as folder:
            for file in (path, waiting):
                shutil.copyfile(file, Path(folder, file.name))
            connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            with closing(sqlite3.connect(Path(folder, path.name))) as copy:
                copy.backup(connection)
            return connection
    frozen = "" if index.exists() else "&immutable=1"
    uri = f"{path.absolute().as_uri()}?mode=ro{frozen}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


_DAMAGED = (
    "the file is damaged; move it aside and index again, or let sonovec doctor -l LIBRARY --repair move it: nothing is "
    "embedded a second time"
)
_REMEDIES: tuple[tuple[str, type[LibraryError], str], ...] = (
    ("is full", LibraryError, "free some space and run again; what was recorded before is safe"),
    ("disk i/o", LibraryError, "the disk is full or failing; free some space and run again; what was recorded is safe"),
    ("locked", LibraryLockedError, "another process is writing it; wait for it to end, or stop it, and run again"),
    ("not a database", LibraryError, _DAMAGED),
    ("malformed", LibraryError, _DAMAGED),
    ("readonly", LibraryError, "give yourself the right to write it and its folder"),
    ("unable to open", LibraryError, "check that it is a file and that you may read and write it and its folder"),
    ("closed database", LibraryError, "open the library again"),
)


def _explain(error: sqlite3.Error, path: Path) -> tuple[type[LibraryError], str]:
    text = " ".join(str(error).split())
    for symptom, kind, remedy in _REMEDIES:
        if symptom in text.lower():
            return kind, f"ledger {display(path)}: {text}: {remedy}"
    return LibraryError, f"ledger {display(path)}: {text}"


def _need_open(run: int, rows: int) -> None:
    if rows != 1:
        raise UsageError(f"run {run} is not open; begin one with Ledger.begin_run()")


def _merge(old: Entry | None, new: Outcome, run: int) -> Entry:
    """Join a new outcome with what the library holds for its path."""
    reason = None if new.reason is None else _one_line(new.reason)
    held: Outcome = new
    if old is not None and old.held:
        if new.content_hash is None:
            held = old
        elif new.content_hash == old.content_hash:
            held = replace(
                new,
                duration=old.duration if new.duration is None else new.duration,
                n_segments=old.n_segments if new.n_segments is None else new.n_segments,
            )
    given = [each.fields for each in (old, new) if each is not None and each.fields is not None]
    if new.status not in STATUSES:
        raise UsageError(f"status={new.status!r} of {display(new.path)} must be one of {', '.join(STATUSES)}")
    if new.status in ("skipped", "failed") and not reason:
        raise UsageError(f"{display(new.path)} is {new.status} without a reason; give Outcome(..., reason='why')")
    if new.status in ("indexed", "unchanged") and held.content_hash is None:
        raise UsageError(f"{display(new.path)} is {new.status} but not held; give Outcome(..., content_hash='...')")
    return Entry(
        path=Path(new.path),
        status=new.status,
        reason=reason,
        size=held.size,
        mtime_ns=held.mtime_ns,
        content_hash=held.content_hash,
        duration=held.duration,
        n_segments=held.n_segments,
        ctime_ns=held.ctime_ns,
        mount=held.mount,
        fields={name: value for fields in given for name, value in fields.items()} if given else None,
        run=run,
        updated=time.time(),
    )


def _one_line(text: str) -> str:
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())


def _key(path: str | os.PathLike[str]) -> bytes:
    return os.fsencode(Path(path))


def _path(key: bytes) -> Path:
    return Path(os.fsdecode(key))


@lru_cache(maxsize=64)
def _mount(key: bytes) -> Path:
    """One object for the few mount points of many rows."""
    return _path(key)


def _range(folder: str | os.PathLike[str]) -> tuple[bytes, bytes]:
    """Give the bounds between which the keys of the files inside a folder lie."""
    separator = os.fsencode(os.sep)
    first = _key(folder).removesuffix(separator) + separator
    return first, first[:-1] + bytes([first[-1] + 1])


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip(_COLUMNS, row, strict=True))
    mount, fields = values["mount"], values["fields"]
    values["path"] = _path(values["path"])
    values["mount"] = None if mount is None else _mount(mount)
    values["fields"] = None if fields is None else json.loads(fields)
    return Entry(**values)


def _row(entry: Entry) -> tuple[object, ...]:
    values = {name: getattr(entry, name) for name in _COLUMNS}
    values["path"] = _key(entry.path)
    values["mount"] = None if entry.mount is None else _key(entry.mount)
    values["fields"] = None if entry.fields is None else json.dumps(dict(entry.fields))
    return tuple(values.values())
