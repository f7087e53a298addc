"""The ledger: one row for every file ever seen, so that nothing is lost and nothing is left out in silence.

What a row says is told in `sonovec.library.outcomes`. The ledger decides which paths hold a content; the vector store
follows. A change of the ledger that the store does not know yet marks the content as unsettled in the same transaction, and
the mark goes when the store has followed: so no kill between the two leaves them apart for good.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from sonovec.errors import UsageError
from sonovec.jobs import Progress, State
from sonovec.library.batches import batches
from sonovec.library.job_records import ENDED, JobRecord, Process
from sonovec.library.ledger_file import LedgerFile
from sonovec.library.outcomes import STATUSES, Again, Analysis, Counts, Entry, Outcome, Run, Status, merge, one_line
from sonovec.paths import display

PAGE = 1000
#: Paths that one query names.
NAMED = 500

#: The columns of a row in the order of the fields of `Entry`, with the format that brought each.
_COLUMNS = {
    "path": 1,
    "status": 1,
    "reason": 1,
    "size": 1,
    "mtime_ns": 1,
    "content_hash": 1,
    "duration": 1,
    "n_segments": 1,
    "ctime_ns": 2,
    "mount": 2,
    "fields": 2,
    "run": 1,
    "updated": 1,
}
#: The format that brought when contents came.
_ARRIVALS_SINCE = 6
_UPSERT = f"INSERT OR REPLACE INTO files ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_NOTE_JOB = "UPDATE jobs SET stage = ?, done = ?, total = ?, unit = ?, audio_seconds = ?, note = ? WHERE id = ?"
_MET_AGAIN = "UPDATE files SET status = ?, reason = ?, run = ?, updated = ? WHERE path = ? AND run != ?"


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
        self._file = LedgerFile(self.path, read_only=read_only)

    def begin_run(self, options: Mapping[str, object] | None = None) -> int:
        """Open a run and give its id; `options` are kept as JSON."""
        with self._file.transaction() as db:
            row = (time.time(), json.dumps(dict(options or {}), default=str))
            return int(db.execute("INSERT INTO runs (started, options) VALUES (?, ?)", row).lastrowid or 0)

    def record(self, run: int, outcome: Outcome) -> None:
        """Record what happened to one file in an open run; see `record_many`."""
        self.record_many(run, [outcome])

    def record_many(
        self,
        run: int,
        outcomes: Iterable[Outcome],
        *,
        again: Iterable[Again] = (),
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
        again : iterable of Again
            Files that are as their rows say, and that this run has not met before.
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
        batch = [
            (_key(outcome.path), outcome) for outcome in outcomes
        ]  # to make them may be slow, transactions are short
        with self._file.transaction() as db:
            _settle(db, settled)
            _mark(db, unsettled)
            _forget(db, forget)
            change = _write(db, run, self._rows(key for key, _ in batch), batch)
            change.update(_meet_again(db, run, again))
            _count(db, run, change)

    def end_run(self, run: int) -> Counts:
        """Close a run and give its counts."""
        with self._file.transaction() as db:
            ended = db.execute("UPDATE runs SET finished = ? WHERE id = ? AND finished IS NULL", (time.time(), run))
            _need_open(run, ended.rowcount)
        return self.summary(run)

    def runs(self) -> list[Run]:
        """Give all runs, the latest first."""
        rows = self._file.read(
            "SELECT id, started, finished, options, indexed, unchanged, skipped, failed FROM runs ORDER BY id DESC"
        )
        return [Run(row[0], row[1], row[2], json.loads(row[3]), Counts(*row[4:])) for row in rows]

    def summary(self, run: int | None = None) -> Counts:
        """Count the outcomes of one run, or, without `run`, the latest outcome of every file."""
        if run is None:
            return Counts(**dict(self._file.read("SELECT status, COUNT(*) FROM files GROUP BY status")))
        rows = self._file.read("SELECT indexed, unchanged, skipped, failed FROM runs WHERE id = ?", run)
        if not rows:
            raise UsageError(f"ledger {display(self.path)} has no run {run}; Ledger.runs() lists them")
        return Counts(*rows[0])

    def lookup(self, path: str | os.PathLike[str]) -> Entry | None:
        """Give the row of a path, or None for a file that was never seen."""
        key = _key(path)
        return self._rows([key]).get(key)

    def lookup_many(self, paths: Iterable[Path]) -> list[Entry | None]:
        """Give the row of each path, or None where it was never seen."""
        keyed = [(_key(path), path) for path in paths]
        rows = self._rows((key for key, _ in keyed), dict(keyed))
        return [rows.get(key) for key, _ in keyed]

    def known(
        self, path: str | os.PathLike[str], *, size: int, mtime_ns: int, ctime_ns: int | None = None
    ) -> Entry | None:
        """Give the row of a path if the file is as it was then: same size in bytes, same times.

        See `Entry.is_of`. The row may be of a file that is not held (`Entry.held`): one that failed before and would fail
        again.
        """
        entry = self.lookup(path)
        return entry if entry is not None and entry.is_of(size, mtime_ns, ctime_ns) else None

    def entries(
        self,
        status: Status | None = None,
        under: str | os.PathLike[str] | None = None,
        missed_by: int | None = None,
        met_by: int | None = None,
    ) -> Iterator[Entry]:
        """Iterate over rows in the order of their paths; `under` is a folder, or one file.

        With `missed_by` only rows of files that this run has not met, or could not read; with `met_by` only those of files
        that this run was the last to meet. Rows are read by the page, so the
        ledger may be written meanwhile.
        """
        clauses: list[tuple[str, object]] = []
        if status is not None:
            clauses.append(("status = ?", status))
        if missed_by is not None:
            clauses.append(("(run != ? OR status = 'failed')", missed_by))
        if met_by is not None:
            clauses.append(("run = ?", met_by))
        if under is None:
            yield from self._pages(clauses)
            return
        first, last = _range(under)
        yield from self._pages([*clauses, ("path = ?", _key(under))])
        yield from self._pages([*clauses, ("path > ?", first), ("path < ?", last)])

    def held_under(self, path: Path) -> int:
        """Count the files of a folder, or this one file, for which the library holds content."""
        query = "SELECT COUNT(*) FROM files WHERE content_hash IS NOT NULL AND (path = ? OR path > ? AND path < ?)"
        return int(self._file.read(query, _key(path), *_range(path))[0][0])

    def holders(self, content_hash: str) -> Iterator[Entry]:
        """Iterate over the rows of the paths with this content, a file and its copies, sorted: there may be very many."""
        return self._pages([("content_hash = ?", content_hash)])

    def record_analyses(self, analyses: Mapping[str, Iterable[Analysis]]) -> None:
        """Record, by content, which analysers heard it."""
        now = time.time()
        with self._file.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO analyses VALUES (?, ?, ?, ?, ?)",
                [
                    (content, each.analyser, each.version, each.reason, now)
                    for content, several in analyses.items()
                    for each in several
                ],
            )

    def arrivals(self) -> dict[str, float]:
        """When each content came into the library, by this machine, in seconds since 1970."""
        if self._file.format < _ARRIVALS_SINCE:
            query = "SELECT content_hash, MIN(updated) FROM files WHERE content_hash IS NOT NULL GROUP BY content_hash"
            return dict(self._file.read(query))
        return dict(self._file.read("SELECT content_hash, first FROM arrivals"))

    def analyses(self, content_hash: str) -> dict[str, Analysis]:
        """Which analysers heard a content, by name."""
        if self._file.format < 4:
            return {}
        query = "SELECT analyser, version, reason, updated FROM analyses WHERE content_hash = ? ORDER BY analyser"
        return {row[0]: Analysis(*row) for row in self._file.read(query, content_hash)}

    def forget_analyses(self, analyser: str) -> None:
        """Forget what an analyser heard, so that it hears all again."""
        with self._file.transaction() as db:
            db.execute("DELETE FROM analyses WHERE analyser = ?", (analyser,))

    def begin_job(self, kind: str, process: Process) -> int:
        """Note a job that runs, and give its id.

        The caller holds the library's lock, so what is said to be running besides has ended without a word.
        """
        with self._file.transaction() as db:
            now = time.time()
            db.execute(
                "UPDATE jobs SET state = 'failed', error = ?, ended = ? WHERE state IN ('queued', 'running')",
                (ENDED, now),
            )
            row = (kind, "running", now, process.host, process.pid, process.started)
            done = db.execute(
                "INSERT INTO jobs (kind, state, started, host, pid, process_started) VALUES (?, ?, ?, ?, ?, ?)", row
            )
            return int(done.lastrowid or 0)

    def note_job(self, job: int, progress: Progress) -> None:
        """Note how far a job is."""
        with self._file.transaction() as db:
            db.execute(_NOTE_JOB, (*astuple(progress), job))

    def end_job(self, job: int, state: State, progress: Progress | None, error: str | None) -> None:
        """Note how a job ended, and how far it was."""
        with self._file.transaction() as db:
            if progress is not None:
                db.execute(_NOTE_JOB, (*astuple(progress), job))
            told = None if error is None else one_line(error)
            db.execute("UPDATE jobs SET state = ?, error = ?, ended = ? WHERE id = ?", (state, told, time.time(), job))

    def jobs(self) -> list[JobRecord]:
        """Give all jobs, the latest first; one whose process was killed has failed."""
        if self._file.format < 5:
            return []
        rows = self._file.read(
            "SELECT id, kind, state, started, ended, error, stage, done, total, unit, audio_seconds, note, host, pid, "
            "process_started FROM jobs ORDER BY id DESC"
        )
        return [_job(*row).settled for row in rows]

    def forget(self, paths: Iterable[str | os.PathLike[str]]) -> int:
        """Delete the rows of paths, and give how many there were; the counts of past runs stay as they were.

        What they held is unsettled.
        """
        with self._file.transaction() as db:
            return _forget(db, paths)

    def roots(self) -> dict[str, Path]:
        """Give the folders of the aliases that are known on this machine."""
        return self._roots("NOT former")

    def former_roots(self) -> dict[str, Path]:
        """Give the folders of aliases that they have no more."""
        return self._roots("former")

    def given_roots(self) -> dict[str, Path]:
        """Give those of the roots that were indexed as a whole."""
        return self._roots("given AND NOT former")

    def add_root(self, alias: str, folder: Path, given: bool) -> None:
        """Give a folder an alias, or note that one that has it was indexed as a whole.

        What is held below it is unsettled: its tracks are to be kept by the alias.
        """
        with self._file.transaction() as db:
            if db.execute(
                "UPDATE roots SET given = MAX(given, ?) WHERE folder = ? AND NOT former", (given, _key(folder))
            ).rowcount:
                return
            db.execute("INSERT INTO roots VALUES (?, ?, ?, 0)", (alias, _key(folder), given))
            _mark_under(db, folder)

    def move_root(self, alias: str, folder: Path, mount: Path) -> None:
        """Say that what lay in the folder of an alias, other roots too, lies in another folder now.

        Where there is a row already, it stays, and the one that was to be moved there goes. An alias that is not known is
        given the folder.
        """
        with self._file.transaction() as db:
            _mark_under(db, folder)
            row = db.execute("SELECT folder FROM roots WHERE alias = ?", (alias,)).fetchone()
            if row is None:
                db.execute("INSERT INTO roots VALUES (?, ?, 1, 0)", (alias, _key(folder)))
                return
            old, new = row[0], _key(folder)
            bounds = (old, *_range(_path(old)))
            inside = "(path = ? OR path > ? AND path < ?)"
            keys = [key for (key,) in db.execute(f"SELECT path FROM files WHERE {inside}", bounds)]
            moved = [(new + key[len(old) :], _key(mount), key) for key in keys]
            db.executemany("UPDATE OR IGNORE files SET path = ?, mount = ? WHERE path = ?", moved)
            _forget(db, [_path(key) for (key,) in db.execute(f"SELECT path FROM files WHERE {inside}", bounds)])
            roots = db.execute(f"SELECT folder FROM roots WHERE {inside.replace('path', 'folder')}", bounds).fetchall()
            db.executemany("UPDATE roots SET folder = ? WHERE folder = ?", [(new + k[len(old) :], k) for (k,) in roots])

    def rename_root(self, alias: str, new: str) -> None:
        """Give a root another alias; what is held below it is unsettled."""
        with self._file.transaction() as db:
            folder, given = db.execute("SELECT folder, given FROM roots WHERE alias = ?", (alias,)).fetchone()
            db.execute("UPDATE roots SET former = 1 WHERE alias = ?", (alias,))
            db.execute("INSERT OR REPLACE INTO roots VALUES (?, ?, ?, 0)", (new, folder, given))
            _mark_under(db, _path(folder))

    def mark(self, contents: Iterable[str]) -> None:
        """Note contents as unsettled before their tracks are written, so that a kill leaves nothing unknown there.

        New tracks have nothing of what analysers found in former ones of the same content, so that is forgotten as well.
        """
        given = list(contents)
        with self._file.transaction() as db:
            _mark(db, given)
            db.executemany("DELETE FROM analyses WHERE content_hash = ?", [(content,) for content in given])

    def unsettled(self, after: str = "", limit: int = -1) -> list[str]:
        """Give the contents whose tracks the store may not hold as the ledger says: all, or some that come `after` one."""
        query = "SELECT content_hash FROM unsettled WHERE content_hash > ? ORDER BY content_hash LIMIT ?"
        return [row[0] for row in self._file.read(query, after, limit)]

    def settle(self, contents: Iterable[str]) -> None:
        """Note that the store holds these contents as the ledger says, or no more where no path holds them."""
        with self._file.transaction() as db:
            _settle(db, contents)

    def fault(self) -> str | None:
        """What is damaged inside the file, or None; the whole file is read for it."""
        said = self._file.read("PRAGMA quick_check(1)")[0][0]
        return None if said == "ok" else f"{display(self.path)}: {one_line(said)}"

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _select(self) -> str:
        """Rows of the file's format, with null for what later formats added."""
        names = [name if format <= self._file.format else "NULL" for name, format in _COLUMNS.items()]
        return f"SELECT {', '.join(names)} FROM files"

    def _roots(self, which: str) -> dict[str, Path]:
        if self._file.format < 3:
            return {}
        rows = self._file.read(f"SELECT alias, folder FROM roots WHERE {which} ORDER BY alias")
        return {alias: _path(key) for alias, key in rows}

    def _rows(self, keys: Iterable[bytes], paths: Mapping[bytes, Path] | None = None) -> dict[bytes, Entry]:
        """Rows by their keys; paths that are known already are not made a second time."""
        rows: list[tuple[Any, ...]] = []
        for batch in batches(keys, NAMED):
            rows += self._file.read(f"{self._select()} WHERE path IN ({', '.join('?' * len(batch))})", *batch)
        return {row[0]: _entry(row, paths[row[0]] if paths else None) for row in rows}

    def _pages(self, clauses: Iterable[tuple[str, object]]) -> Iterator[Entry]:
        given = list(clauses)
        last: bytes | None = None
        while True:
            where = [*given, *([] if last is None else [("path > ?", last)])]
            conditions = f"WHERE {' AND '.join(clause for clause, _ in where)}" if where else ""
            query = f"{self._select()} {conditions} ORDER BY path LIMIT {PAGE}"
            page = self._file.read(query, *(value for _, value in where))
            yield from map(_entry, page)
            if len(page) < PAGE:
                return
            last = page[-1][0]


def _write(
    db: sqlite3.Connection, run: int, rows: Mapping[bytes, Entry], outcomes: Iterable[tuple[bytes, Outcome]]
) -> Counter[str]:
    """Join outcomes with the rows that there are, and say how the counts of the run change."""
    change: Counter[str] = Counter()
    written: dict[bytes, Entry] = {}
    given_up = set()
    for key, outcome in outcomes:
        old = written.get(key) or rows.get(key)
        new = written[key] = merge(old, outcome, run)
        change["found"] += old is None or old.run != run
        if old is not None and old.run == run:
            change[old.status] -= 1
        change[new.status] += 1
        if old is not None and old.content_hash not in (None, new.content_hash):
            given_up.add(str(old.content_hash))
    db.executemany(_UPSERT, (_row(key, entry) for key, entry in written.items()))
    _mark(db, given_up)
    return change


def _meet_again(db: sqlite3.Connection, run: int, again: Iterable[Again]) -> Counter[str]:
    now = time.time()
    rows: dict[str, list[tuple[object, ...]]] = {}
    for met in again:
        reason = None if met.reason is None else one_line(met.reason)
        rows.setdefault(met.status, []).append((met.status, reason, run, now, _key(met.path), run))
    change = Counter({status: db.executemany(_MET_AGAIN, given).rowcount for status, given in rows.items()})
    change["found"] = change.total()
    return change


def _forget(db: sqlite3.Connection, paths: Iterable[str | os.PathLike[str]]) -> int:
    keys = [(_key(path),) for path in paths]
    db.executemany(
        "INSERT OR IGNORE INTO unsettled SELECT content_hash FROM files WHERE path = ? AND content_hash IS NOT NULL",
        keys,
    )
    return db.executemany("DELETE FROM files WHERE path = ?", keys).rowcount if keys else 0


def _mark_under(db: sqlite3.Connection, folder: Path) -> None:
    db.execute(
        "INSERT OR IGNORE INTO unsettled SELECT DISTINCT content_hash FROM files "
        "WHERE content_hash IS NOT NULL AND path > ? AND path < ?",
        _range(folder),
    )


def _mark(db: sqlite3.Connection, contents: Iterable[str]) -> None:
    db.executemany("INSERT OR IGNORE INTO unsettled VALUES (?)", ((content,) for content in contents))


def _settle(db: sqlite3.Connection, contents: Iterable[str]) -> None:
    db.executemany("DELETE FROM unsettled WHERE content_hash = ?", ((content,) for content in contents))


def _count(db: sqlite3.Connection, run: int, change: Counter[str]) -> None:
    columns = ("found", *STATUSES)
    changes = ", ".join(f"{name} = {name} + ?" for name in columns)
    values = (*(change[name] for name in columns), run)
    counted = db.execute(f"UPDATE runs SET {changes} WHERE id = ? AND finished IS NULL", values)
    _need_open(run, counted.rowcount)


def _need_open(run: int, rows: int) -> None:
    if rows != 1:
        raise UsageError(f"run {run} is not open; begin one with Ledger.begin_run()")


def _key(path: str | os.PathLike[str]) -> bytes:
    return os.fsencode(path if isinstance(path, Path) else Path(path))


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


def _entry(row: tuple[Any, ...], path: Path | None = None) -> Entry:
    key, status, reason, size, mtime_ns, content_hash, duration, n_segments, ctime_ns, mount, fields, run, updated = row
    return Entry(
        path or _path(key),
        status,
        reason,
        size,
        mtime_ns,
        content_hash,
        duration,
        n_segments,
        ctime_ns,
        None if mount is None else _mount(mount),
        None if fields is None else json.loads(fields),
        run=run,
        updated=updated,
    )


def _job(
    id: int, kind: str, state: State, started: float, ended: float | None, error: str | None, *rest: Any
) -> JobRecord:
    return JobRecord(id, kind, state, started, ended, Progress(*rest[:6]), error, Process(*rest[6:]))


def _row(key: bytes, entry: Entry) -> tuple[object, ...]:
    values = {name: getattr(entry, name) for name in _COLUMNS}
    values["path"] = key
    values["mount"] = None if entry.mount is None else _key(entry.mount)
    values["fields"] = None if entry.fields is None else json.dumps(dict(entry.fields))
    return tuple(values.values())
