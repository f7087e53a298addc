"""The file of a ledger: its tables and how they came to be what they are, transactions, and errors that say what to do."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sonovec.errors import LibraryError, LibraryLockedError
from sonovec.paths import display

BUSY_SECONDS = 30.0

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
    # `given` is 0 for a folder of which only files were given; `former` is 1 for an alias that a folder had once.
    """
CREATE TABLE roots (
    alias TEXT PRIMARY KEY,
    folder BLOB NOT NULL,
    given INTEGER NOT NULL,
    former INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE UNIQUE INDEX roots_by_folder ON roots (folder) WHERE NOT former;
""",
    # Which analyser, in which version, heard which content; `reason` says why it gave nothing.
    """
CREATE TABLE analyses (
    content_hash TEXT NOT NULL,
    analyser TEXT NOT NULL,
    version TEXT NOT NULL,
    reason TEXT,
    updated REAL NOT NULL,
    PRIMARY KEY (content_hash, analyser)
) WITHOUT ROWID;
""",
    # Jobs, with the process that runs each: `pid` alone may be that of another process by now.
    """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    started REAL NOT NULL,
    ended REAL,
    stage TEXT NOT NULL DEFAULT '',
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER,
    unit TEXT NOT NULL DEFAULT '',
    audio_seconds REAL NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    error TEXT,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started REAL NOT NULL
);
""",
    # When each content was held first; of those that an earlier format has, when they were met last: they are no younger.
    """
CREATE TABLE arrivals (content_hash TEXT PRIMARY KEY, first REAL NOT NULL) WITHOUT ROWID;
INSERT INTO arrivals SELECT content_hash, MIN(updated) FROM files WHERE content_hash IS NOT NULL GROUP BY content_hash;
CREATE TRIGGER files_arrive AFTER INSERT ON files WHEN NEW.content_hash IS NOT NULL
BEGIN INSERT OR IGNORE INTO arrivals VALUES (NEW.content_hash, NEW.updated); END;
""",
)
FORMAT = len(_STEPS)


class LedgerFile:
    """The SQLite file of a ledger, to be shared by threads.

    Parameters
    ----------
    path : Path
        Made where there is none.
    read_only : bool
        Read it as it is, where it cannot be written.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = path
        self.format = 0
        self._lock = threading.RLock()
        if read_only:
            self.db = self._connected_to_read()
            self._check_format()
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(f"cannot make the folder of ledger {display(path)}: {error.strerror}") from error
        with self._errors():
            self.db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self.db.close()
            raise

    def read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock, self._errors():
            return self.db.execute(query, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done inside, or after an error nothing; a file of a former format takes the present one first."""
        with self._lock, self._errors():
            before = self.format
            self.db.execute("BEGIN IMMEDIATE")
            try:
                self._upgrade()
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                self.format = before
                raise

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        with self._lock:
            self.db.close()

    def _connected_to_read(self) -> sqlite3.Connection:
        try:
            with self._errors():
                return _connect_to_read(self.path)
        except OSError as error:
            raise LibraryError(f"ledger {display(self.path)} cannot be read: {error.strerror}") from error

    def _prepare(self) -> None:
        with self._errors():
            self.db.execute("PRAGMA foreign_keys = ON")
            # A commit comes once for a batch of files that took seconds to embed: a sync is cheap beside it, and what
            # is said to be indexed must survive a power cut.
            self.db.execute("PRAGMA synchronous = FULL")
        if self._check_format() == 0:
            with self.transaction():  # which makes it
                pass
        self._write_ahead()

    def _check_format(self) -> int:
        """Give the format, 0 for a file that is new; readers do only this, and so never wait for a writer."""
        with self._lock, self._errors():
            # Tables come with a format. So the format is read last: another process may make them meanwhile.
            tables = self.db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
            self.format = int(self.db.execute("PRAGMA user_version").fetchone()[0])
        if self.format > FORMAT or (tables and self.format == 0):
            raise LibraryError(
                f"ledger {display(self.path)} has format {self.format} and this sonovec reads 1 to {FORMAT}: "
                "use the version of sonovec that wrote it, or move the file aside and index again"
            )
        return self.format

    def _upgrade(self) -> None:
        """Within a transaction: take the steps from the format of the file to the one that is written today."""
        for step in _STEPS[self._check_format() :]:
            for statement in step.split(";\n"):
                self.db.execute(statement)
        if self.format != FORMAT:
            self.db.execute(f"PRAGMA user_version = {FORMAT}")
            self.format = FORMAT

    def _write_ahead(self) -> None:
        """Let readers and the writer not wait for each other; a file system that cannot do this is only slower."""
        with self._errors():
            if self.db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return
        for _ in range(20):
            try:
                self.db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:  # it needs the file alone, and does not wait for that by itself
                time.sleep(0.05)

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
