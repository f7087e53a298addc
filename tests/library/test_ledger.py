from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.errors import AudioError, LibraryError, LibraryLockedError, UsageError
from sonovec.library import ledger as module
from sonovec.library import ledger_file
from sonovec.library.identity import content_hash
from sonovec.library.ledger import Ledger
from sonovec.library.ledger_file import FORMAT
from sonovec.library.outcomes import STATUSES, Again, Counts, Outcome, Status


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def indexed(path: str | Path, content: str = "aa", **more) -> Outcome:
    return Outcome(Path(path), "indexed", size=10, mtime_ns=1, content_hash=content, duration=2.5, n_segments=1, **more)


def paths_of(ledger: Ledger, content: str) -> list[Path]:
    return [entry.path for entry in ledger.holders(content)]


def test_a_row_survives_closing(tmp_path):
    path = tmp_path / "deep" / "ledger.sqlite"
    with Ledger(path) as ledger:
        run = ledger.begin_run({"segment_seconds": 10.0})
        ledger.record(run, indexed("a.wav"))
        assert ledger.end_run(run) == Counts(indexed=1)
    with Ledger(path) as ledger:
        entry = ledger.lookup("a.wav")
        assert entry is not None
        assert (entry.path, entry.status, entry.content_hash, entry.run) == (Path("a.wav"), "indexed", "aa", run)
        assert (entry.size, entry.mtime_ns, entry.duration, entry.n_segments) == (10, 1, 2.5, 1)
        assert abs(entry.updated - time.time()) < 60
        (past,) = ledger.runs()
        assert past.options == {"segment_seconds": 10.0}
        assert past.finished is not None
        assert past.finished >= past.started


def test_names_that_are_not_utf8(ledger):
    name = Path(os.fsdecode(b"caf\xe9.wav"))
    run = ledger.begin_run()
    ledger.record(run, Outcome(name, "failed", f"cannot decode {name}"))
    entry = ledger.lookup(name)
    assert entry.path == name
    assert entry.reason == r"cannot decode caf\udce9.wav"
    assert os.fsencode(entry.path) == b"caf\xe9.wav"


def test_a_reason_is_one_line(ledger):
    ledger.record(ledger.begin_run(), Outcome(Path("a"), "failed", "two\nlines\t here"))
    assert ledger.lookup("a").reason == "two lines here"


def test_known_needs_size_and_time(ledger):
    ledger.record(ledger.begin_run(), indexed("a.wav"))
    assert ledger.known("a.wav", size=10, mtime_ns=1).held
    assert ledger.known("a.wav", size=11, mtime_ns=1) is None
    assert ledger.known("a.wav", size=10, mtime_ns=2) is None
    assert ledger.known("b.wav", size=10, mtime_ns=1) is None


def test_known_compares_the_other_time_where_the_row_has_one(ledger):
    ledger.record_many(ledger.begin_run(), [indexed("a.wav", ctime_ns=5), indexed("old.wav")])
    assert ledger.known("a.wav", size=10, mtime_ns=1, ctime_ns=5).held
    assert ledger.known("a.wav", size=10, mtime_ns=1, ctime_ns=6) is None
    assert ledger.known("a.wav", size=10, mtime_ns=1).held
    assert ledger.known("old.wav", size=10, mtime_ns=1, ctime_ns=6).held


def test_what_the_user_gave_is_joined_and_stays(ledger):
    run = ledger.begin_run()
    ledger.record(run, indexed("a.wav", fields={"mood": "calm", "n": 3, "x": 1.0, "on": True}))
    ledger.record(run, Outcome(Path("a.wav"), "indexed", content_hash="bb", fields={"mood": None, "y": "\udce9☃"}))
    ledger.record(run, Outcome(Path("a.wav"), "failed", "cannot be read"))
    fields = ledger.lookup("a.wav").fields
    assert fields == {"mood": None, "n": 3, "x": 1.0, "on": True, "y": "\udce9☃"}
    assert [type(fields[name]) for name in ("n", "x", "on")] == [int, float, bool]
    ledger.record(run, Outcome(Path("failed.wav"), "failed", "cannot be read", fields={"mood": "wild"}))
    assert ledger.lookup("failed.wav").fields == {"mood": "wild"}


def test_a_content_that_a_path_gives_up_is_unsettled(ledger):
    run = ledger.begin_run()
    ledger.record_many(run, [indexed("a.wav", "aa"), indexed("b.wav", "bb"), indexed("c.wav", "cc")], settled=["aa"])
    assert ledger.unsettled() == []
    ledger.record_many(run, [indexed("a.wav", "dd"), indexed("b.wav", "bb")], forget=["c.wav"], unsettled=["ee"])
    assert ledger.unsettled() == ["aa", "cc", "ee"]
    ledger.forget(["b.wav", "never.wav"])
    ledger.mark(["ff", "aa"])
    assert ledger.unsettled() == ["aa", "bb", "cc", "ee", "ff"]
    ledger.settle(["aa", "cc", "never"])
    assert ledger.unsettled() == ["bb", "ee", "ff"]
    ledger.record_many(run, [indexed("f.wav", "ff")], settled=["ff"])
    assert ledger.unsettled() == ["bb", "ee"]


def test_marks_are_written_with_their_batch_or_not_at_all(ledger):
    run = ledger.begin_run()
    ledger.record_many(run, [indexed("a.wav", "aa"), indexed("b.wav", "bb")])
    with pytest.raises(UsageError):
        ledger.record_many(
            run, [indexed("a.wav", "cc"), Outcome(Path("x"), "failed")], forget=["b.wav"], unsettled=["d"]
        )
    assert ledger.unsettled() == []
    assert paths_of(ledger, "aa") == [Path("a.wav")] and ledger.lookup("b.wav").held


def test_unchanged_keeps_what_is_held(ledger):
    ledger.record(ledger.begin_run(), indexed("a.wav"))
    second = ledger.begin_run()
    ledger.record(second, Outcome(Path("a.wav"), "unchanged"))
    entry = ledger.lookup("a.wav")
    assert (entry.status, entry.run, entry.content_hash, entry.duration) == ("unchanged", second, "aa", 2.5)
    assert ledger.summary(1) == Counts(indexed=1)
    assert ledger.summary(second) == Counts(unchanged=1)


def test_a_touched_file_takes_its_new_time(ledger):
    run = ledger.begin_run()
    ledger.record(run, indexed("a.wav"))
    ledger.record(run, Outcome(Path("a.wav"), "unchanged", size=10, mtime_ns=7, content_hash="aa"))
    entry = ledger.known("a.wav", size=10, mtime_ns=7)
    assert (entry.duration, entry.n_segments) == (2.5, 1)


def test_a_failure_does_not_lose_what_is_held(ledger):
    ledger.record(ledger.begin_run(), indexed("a.wav"))
    run = ledger.begin_run()
    ledger.record(run, Outcome(Path("a.wav"), "failed", "permission denied", size=99, mtime_ns=9))
    assert ledger.lookup("a.wav").status == "failed"
    assert ledger.known("a.wav", size=99, mtime_ns=9) is None
    assert ledger.known("a.wav", size=10, mtime_ns=1).held
    assert paths_of(ledger, "aa") == [Path("a.wav")]


def test_a_failure_without_content_is_recognised(ledger):
    ledger.record(ledger.begin_run(), Outcome(Path("a.txt"), "failed", "no audio", size=99, mtime_ns=9))
    entry = ledger.known("a.txt", size=99, mtime_ns=9)
    assert not entry.held
    assert entry.reason == "no audio"


def test_new_content_replaces_the_old(ledger):
    run = ledger.begin_run()
    ledger.record(run, indexed("a.wav"))
    ledger.record(run, Outcome(Path("a.wav"), "indexed", size=11, mtime_ns=2, content_hash="bb"))
    assert paths_of(ledger, "aa") == []
    assert ledger.lookup("a.wav").duration is None


def test_copies_share_their_content(ledger):
    run = ledger.begin_run()
    copy = Outcome(Path("b.wav"), "skipped", "same content as a.wav", size=10, mtime_ns=3, content_hash="aa")
    ledger.record_many(run, [indexed("a.wav"), copy])
    assert paths_of(ledger, "aa") == [Path("a.wav"), Path("b.wav")]
    assert ledger.lookup("b.wav").held
    assert ledger.forget(["a.wav", "never.wav"]) == 1
    assert paths_of(ledger, "aa") == [Path("b.wav")]
    assert ledger.summary(run) == Counts(indexed=1, skipped=1)
    assert ledger.summary() == Counts(skipped=1)


def test_entries_by_status_and_folder(ledger):
    run = ledger.begin_run()
    names = ["m/a.wav", "m/b/c.wav", "m.wav", "m2/d.wav", "m-x/e.wav", "n.wav"]
    ledger.record_many(run, [indexed(name) for name in names])
    ledger.record(run, Outcome(Path("m/z.txt"), "failed", "no audio"))
    assert [str(entry.path) for entry in ledger.entries(under="m")] == ["m/a.wav", "m/b/c.wav", "m/z.txt"]
    assert [str(entry.path) for entry in ledger.entries("failed")] == ["m/z.txt"]
    assert [str(entry.path) for entry in ledger.entries("indexed", under="m/b")] == ["m/b/c.wav"]
    assert [str(entry.path) for entry in ledger.entries(under="m.wav")] == ["m.wav"]
    assert len(list(ledger.entries())) == 7
    ledger.record(run, indexed("/top.wav"))
    assert [str(entry.path) for entry in ledger.entries(under="/")] == ["/top.wav"]


def test_entries_over_several_pages_while_written(ledger, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 3)
    run = ledger.begin_run()
    ledger.record_many(run, [indexed(f"{number:02}") for number in range(10)])
    seen = []
    for entry in ledger.entries():
        seen.append(str(entry.path))
        ledger.forget([entry.path])
    assert seen == [f"{number:02}" for number in range(10)]
    assert ledger.summary() == Counts()


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome(Path("a"), "failed"), "a is failed without a reason"),
        (Outcome(Path("a"), "skipped", " \n"), "a is skipped without a reason"),
        (Outcome(Path("a"), "unchanged"), "a is unchanged but not held"),
        (Outcome(Path("a"), "done"), "status='done' of a must be one of indexed, unchanged, skipped, failed"),  # type: ignore[arg-type]
    ],
)
def test_outcomes_that_say_nothing_are_refused_with_their_batch(ledger, outcome, message):
    run = ledger.begin_run()
    with pytest.raises(UsageError, match=message):
        ledger.record_many(run, [indexed("b"), outcome])
    assert ledger.lookup("b") is None
    assert ledger.summary(run).found == 0


def test_runs_must_be_open(ledger):
    run = ledger.begin_run()
    ledger.end_run(run)
    for call in (lambda: ledger.record(run, indexed("a")), lambda: ledger.end_run(run)):
        with pytest.raises(UsageError, match=f"run {run} is not open"):
            call()
    with pytest.raises(UsageError, match="no run 77"):
        ledger.summary(77)
    with pytest.raises(LibraryError):
        ledger.record(78, indexed("a"))
    assert ledger.lookup("a") is None


outcomes = st.tuples(
    st.sampled_from(["a", "b", "m/c", "m/d"]), st.sampled_from(STATUSES), st.sampled_from(["h1", "h2", None])
)
steps = st.lists(st.one_of(outcomes, st.sampled_from(["run", "forget", "reopen"])), max_size=40)


@settings(max_examples=60)
@given(steps)
def test_found_is_always_the_sum(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("ledger") / "l.sqlite"
    ledger = Ledger(path)
    run, per_run, durable = ledger.begin_run(), {}, {}
    for step in steps:
        if step == "run":
            assert ledger.end_run(run) == Counts(**Counter(per_run.values()))
            run, per_run = ledger.begin_run(), {}
        elif step == "forget":
            durable = {name: held for name, held in durable.items() if not name.startswith("m/")}
            ledger.forget([entry.path for entry in ledger.entries(under="m")])
            if any(name.startswith("m/") for name in per_run):  # a forgotten file that comes back counts again
                ledger.end_run(run)
                run, per_run = ledger.begin_run(), {}
        elif step == "reopen":
            ledger.close()
            ledger = Ledger(path)
        else:
            name, status, content = step
            if status in ("indexed", "unchanged") and content is None and durable.get(name) is None:
                continue
            if content is None and name in durable and name not in per_run:  # as the row says: only that it was met
                ledger.record_many(run, [], again=[Again(Path(name), status, "because")] * 2)
                per_run[name] = status
                assert ledger.lookup(name).status == status and ledger.lookup(name).run == run
                continue
            ledger.record(run, Outcome(Path(name), status, "because", content_hash=content))
            per_run[name] = status
            durable[name] = content or durable.get(name)
        counts = ledger.summary(run)
        assert counts == Counts(**Counter(per_run.values()))
        assert counts.found == len(per_run)
        assert ledger.summary().found == len(durable)
        assert {str(entry.path): entry.content_hash for entry in ledger.entries()} == durable
    ledger.close()


def test_the_file_itself_refuses_sums_that_do_not_add_up(ledger):
    run = ledger.begin_run()
    with sqlite3.connect(ledger.path) as raw, pytest.raises(sqlite3.IntegrityError):
        raw.execute("UPDATE runs SET found = found + 1 WHERE id = ?", (run,))


WRITER = """
import sys
from pathlib import Path
from sonovec.library.ledger import Ledger
from sonovec.library.outcomes import Outcome
ledger = Ledger(sys.argv[1])
run = ledger.begin_run()
number = 0
while True:
    batch = [Outcome(Path(f"{run}-{number}-{i}"), "indexed", content_hash="aa") for i in range(5)]
    ledger.record_many(run, batch)
    number += 1
    print(number, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_nothing_said_is_lost_by_kill(tmp_path):
    path = tmp_path / "ledger.sqlite"
    for delay in (0.0, 0.02, 0.05):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay)
        writer.kill()
        said = 1 + len(writer.stdout.read().split())
        writer.wait()
        with Ledger(path) as ledger:
            run = ledger.runs()[0]
            assert run.finished is None
            assert run.counts.found % 5 == 0
            assert run.counts.found >= 5 * said
            assert sum(entry.run == run.id for entry in ledger.entries()) == run.counts.found
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_processes_may_make_it_at_once(tmp_path):
    code = "import sys; from sonovec.library.ledger import Ledger; Ledger(sys.argv[1]).begin_run()"
    path = tmp_path / "ledger.sqlite"
    processes = [subprocess.Popen([sys.executable, "-c", code, path]) for _ in range(6)]
    assert [process.wait() for process in processes] == [0] * 6
    with Ledger(path) as ledger:
        assert len(ledger.runs()) == 6


def test_another_process_may_make_it_while_its_format_is_read(tmp_path, monkeypatch):
    path, connect, asked = tmp_path / "ledger.sqlite", sqlite3.connect, []

    class Overtaken(sqlite3.Connection):
        def execute(self, statement, *values):
            asked.append(statement in ("PRAGMA user_version", "SELECT COUNT(*) FROM sqlite_master"))
            if asked[-1] and sum(asked) == 2:
                monkeypatch.setattr(sqlite3, "connect", connect)
                Ledger(path).close()
            return super().execute(statement, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda *given, **named: connect(*given, factory=Overtaken, **named))
    with Ledger(path) as ledger:
        assert sum(asked) >= 2 and ledger.runs() == []


def test_readers_do_not_wait_for_a_writer(tmp_path, ledger, monkeypatch):
    run = ledger.begin_run()
    ledger.record(run, indexed("a"))
    monkeypatch.setattr(ledger_file, "BUSY_SECONDS", 0.05)
    raw = sqlite3.connect(ledger.path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("DELETE FROM files")
    with Ledger(ledger.path) as reader:
        assert reader.lookup("a").held
        with pytest.raises(LibraryLockedError, match="another process is writing it"):
            reader.forget(["a"])
    raw.close()
    assert ledger.forget(["a"]) == 1


def test_threads_share_one(ledger):
    run = ledger.begin_run()

    def write(prefix: str) -> None:
        for number in range(20):
            ledger.record(run, indexed(f"{prefix}{number}"))

    threads = [threading.Thread(target=write, args=(prefix,)) for prefix in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.end_run(run) == Counts(indexed=80)


def one_line(error: pytest.ExceptionInfo[Exception], path: Path) -> None:
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_a_damaged_file_is_named_and_left(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(LibraryError, match="move it aside and index again") as error:
        Ledger(path)
    one_line(error, path)
    assert path.read_bytes() == b"this is no database at all" * 100


def test_damage_inside_is_reported(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        run = ledger.begin_run()
        ledger.record_many(run, [indexed(f"{number:05}") for number in range(2000)])
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with Ledger(path) as ledger, pytest.raises(LibraryError, match="move it aside and index again") as error:
        list(ledger.entries())
    one_line(error, path)


#: A ledger as the first version wrote it.
FORMAT_1 = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, started REAL NOT NULL, finished REAL, options TEXT NOT NULL,
    found INTEGER NOT NULL DEFAULT 0, indexed INTEGER NOT NULL DEFAULT 0 CHECK (indexed >= 0),
    unchanged INTEGER NOT NULL DEFAULT 0 CHECK (unchanged >= 0), skipped INTEGER NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    failed INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    CHECK (found = indexed + unchanged + skipped + failed)
);
CREATE TABLE files (
    path BLOB PRIMARY KEY, status TEXT NOT NULL CHECK (status IN ('indexed', 'unchanged', 'skipped', 'failed')),
    reason TEXT, size INTEGER, mtime_ns INTEGER, content_hash TEXT, duration REAL, n_segments INTEGER,
    run INTEGER NOT NULL REFERENCES runs (id), updated REAL NOT NULL,
    CHECK (status IN ('skipped', 'failed') OR content_hash IS NOT NULL),
    CHECK (status IN ('indexed', 'unchanged') OR reason IS NOT NULL)
) WITHOUT ROWID;
CREATE INDEX files_by_content ON files (content_hash) WHERE content_hash IS NOT NULL;
CREATE INDEX files_by_status ON files (status);
INSERT INTO runs VALUES (1, 5.0, 6.0, '{}', 3, 1, 0, 1, 1);
INSERT INTO files VALUES (CAST('a.wav' AS BLOB), 'indexed', NULL, 10, 1, 'aa', 2.5, 1, 1, 5.5);
INSERT INTO files VALUES (CAST('b.wav' AS BLOB), 'skipped', 'same content as a.wav', 10, 2, 'aa', NULL, NULL, 1, 5.5);
INSERT INTO files VALUES (CAST('c.txt' AS BLOB), 'failed', 'no audio', 7, 3, NULL, NULL, NULL, 1, 5.5);
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.sqlite"
    raw = sqlite3.connect(path)
    raw.executescript(FORMAT_1)
    raw.close()
    return path


def format_of(path):
    with sqlite3.connect(path) as raw:
        return raw.execute("PRAGMA user_version").fetchone()[0]


def check_old_rows(ledger):
    assert ledger.known("a.wav", size=10, mtime_ns=1, ctime_ns=77).held
    assert paths_of(ledger, "aa") == [Path("a.wav"), Path("b.wav")]
    assert [entry.ctime_ns for entry in ledger.entries()] == [None] * 3
    assert ledger.summary() == ledger.summary(1) == Counts(indexed=1, skipped=1, failed=1)


def test_an_old_ledger_is_read_as_it_is_and_upgraded_when_it_is_written(old):
    with Ledger(old) as ledger:
        check_old_rows(ledger)
        assert format_of(old) == 1
        run = ledger.begin_run()
        assert format_of(old) == FORMAT
        check_old_rows(ledger)
        assert ledger.unsettled() == []
        ledger.record(run, Outcome(Path("a.wav"), "unchanged", size=10, mtime_ns=1, content_hash="aa", ctime_ns=77))
        assert ledger.lookup("a.wav").ctime_ns == 77 and ledger.lookup("a.wav").duration == 2.5
    with Ledger(old) as ledger:
        assert ledger.lookup("a.wav").ctime_ns == 77


def test_an_old_ledger_is_read_where_it_cannot_be_written(old):
    with Ledger(old) as ledger:
        ledger._file.db.execute("PRAGMA query_only = ON")
        check_old_rows(ledger)
        with pytest.raises(LibraryError):
            ledger.begin_run()
        check_old_rows(ledger)
    assert format_of(old) == 1


def test_one_who_reads_while_another_upgrades(old):
    with Ledger(old) as reader, Ledger(old) as writer:
        run = writer.begin_run()
        check_old_rows(reader)
        writer.record(run, indexed("n.wav", "nn", ctime_ns=4))
        assert reader.lookup("n.wav").held
        assert reader.forget(["n.wav"]) == 1
        assert reader.unsettled() == ["nn"]


UPGRADE_AND_DIE = """
import os, signal, sqlite3, sys
from sonovec.library.ledger import Ledger

ledger = Ledger(sys.argv[1])
left = int(sys.argv[2])

def die(statement):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

ledger._file.db.set_trace_callback(die)
ledger.begin_run()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.slow
def test_an_upgrade_that_is_killed_at_any_statement_leaves_one_format_or_the_other(old):
    formats = set()
    for left in range(40):
        done = subprocess.run([sys.executable, "-c", UPGRADE_AND_DIE, old, str(left)], check=False)
        formats.add(format_of(old))
        with Ledger(old) as ledger:
            check_old_rows(ledger)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    assert formats == {1, FORMAT} and left >= 7
    with sqlite3.connect(old) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("statement", [f"PRAGMA user_version = {FORMAT + 1}", "CREATE TABLE songs (name)"])
def test_another_format_is_refused_and_left(tmp_path, statement):
    path = tmp_path / "ledger.sqlite"
    raw = sqlite3.connect(path)
    raw.execute(statement)
    raw.commit()
    raw.close()
    before = path.read_bytes()
    with pytest.raises(LibraryError, match=f"this sonovec reads 1 to {FORMAT}: use the version") as error:
        Ledger(path)
    one_line(error, path)
    assert path.read_bytes() == before


def test_a_full_disk_is_named(ledger):
    run = ledger.begin_run()
    ledger.record(run, indexed("a"))
    pages = ledger._file.db.execute("PRAGMA page_count").fetchone()[0]
    ledger._file.db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LibraryError, match="free some space and run again") as error:
        ledger.record_many(run, [indexed(f"{'x' * 200}{number}") for number in range(500)])
    one_line(error, ledger.path)
    assert ledger.summary(run) == Counts(indexed=1)
    assert ledger.lookup("a").held


def test_a_folder_in_its_place_is_named(tmp_path):
    with pytest.raises(LibraryError, match="check that it is a file"):
        Ledger(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryError, match="cannot make the folder"):
        Ledger(tmp_path / "file" / "ledger.sqlite")


def test_closed_is_said(tmp_path):
    ledger = Ledger(tmp_path / "l.sqlite")
    ledger.close()
    ledger.close()
    with pytest.raises(LibraryError, match="open the library again"):
        ledger.lookup("a")


def test_many_rows(ledger):
    run = ledger.begin_run()
    ledger.record_many(run, (indexed(f"music/{number:06}.flac", f"{number:032x}") for number in range(5000)))
    assert ledger.summary(run).found == 5000


def test_content_hash_is_of_the_content_only(tmp_path):
    first, second = tmp_path / "a.wav", tmp_path / "b.mp3"
    first.write_bytes(b"x" * 1_000_000)
    second.write_bytes(b"x" * 1_000_000)
    assert content_hash(first) == content_hash(str(second))
    assert len(content_hash(first)) == 32
    second.write_bytes(b"x" * 999_999)
    assert content_hash(first) != content_hash(second)


def test_content_hash_of_what_cannot_be_read(tmp_path):
    with pytest.raises(AudioError, match=r"cannot read .*none.wav: No such file"):
        content_hash(tmp_path / "none.wav")


def test_statuses_are_the_fields_of_counts():
    assert tuple(Counts.__dataclass_fields__) == STATUSES
    status: Status = "failed"
    assert Counts(**{status: 1}).found == 1
