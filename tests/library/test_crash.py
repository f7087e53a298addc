"""Kill an index run at random moments, resume, and look for losses, duplicates and repeated work. Fill up the disk."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.library.identity import content_hash
from tests.library.invariants import check_in_step

#: Writes down each file that is really embedded, so that repeated work shows.
INDEX = """
import os, sys
from sonovec.library import pending
import sonovec

pending.COMMIT_TRACKS, pending.COMMIT_SECONDS = 5, 0.05
log = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
original = sonovec.Encoder.pool_many

def tap(sounds):
    for sound in sounds:
        os.write(log, os.fsencode(sound) + b"\\n")
        yield sound

sonovec.Encoder.pool_many = lambda self, sounds, *more, **named: original(self, tap(sounds), *more, **named)
sonovec.Library(sys.argv[1]).add(sys.argv[2])
"""


@pytest.mark.slow
def test_ten_kills_lose_nothing_and_repeat_nothing_that_was_committed(tmp_path):
    sounds, folder, log = tmp_path / "sounds", tmp_path / "library", tmp_path / "log"
    sounds.mkdir()
    rng = np.random.default_rng(0)
    for index in range(400):
        soundfile.write(sounds / f"{index:03}.flac", rng.standard_normal(16000 * 5) / 8, 16000)
    moments = random.Random(1)
    kills = 0
    for _ in range(10):
        committed = committed_paths(folder)
        log.write_bytes(b"")
        process = subprocess.Popen([sys.executable, "-c", INDEX, folder, sounds, log])
        wait_for_work(process, log)
        time.sleep(moments.uniform(0, 0.25))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        assert not committed & set(log.read_text().split()), "a committed file was embedded again"
    assert kills >= 5, "the runs were too short to be killed"
    with sonovec.Library(folder) as library:
        report = library.add(sounds)
        assert report.counts.found == report.counts.indexed + report.counts.unchanged == 400
        tracks = library.tracks()
        assert sorted(Path(track.path).name for track in tracks) == [f"{index:03}.flac" for index in range(400)]
        assert len({track.id for track in tracks}) == 400
        segments = library._store.segments([track.id for track in tracks])
        assert all(len(parts) == 1 for parts in segments.values()) and library._store.count() == (400, 400)
        assert len(list(library.ledger.entries())) == 400


def committed_paths(folder):
    if not folder.exists():
        return set()
    with sonovec.Library(folder) as library:
        return set() if library.config is None else {track.path for track in library.tracks()}


def wait_for_work(process, log):
    deadline = time.monotonic() + 60
    while process.poll() is None and not log.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.005)


#: Writes down what it embeds and each write that it begins and ends, so that the test knows where the kill came; it kills
#: itself at one of these moments, if it is told to.
CHANGING = """
import os, signal, sys
from sonovec.library import pending
from sonovec.library.lance_table import LanceTable
from sonovec.library.ledger import Ledger
from sonovec.library.records import Label, Passage
import sonovec

folder, sounds, log, metadata, prune, moment = sys.argv[1:]
moment = int(moment)
pending.COMMIT_TRACKS, pending.COMMIT_SECONDS = 4, 0.02
log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
pool_many = sonovec.Encoder.pool_many

def tap(paths):
    for path in paths:
        os.write(log, f"embed {space} ".encode() + os.fsencode(path) + b"\\n")
        yield path

def tell(text):
    global moment
    os.write(log, text.encode())
    moment -= 1
    if moment == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def told(owner, name):
    original = getattr(owner, name)

    def wrapped(*arguments, **more):
        tell(f"begin {owner.__name__}.{name}\\n")
        result = original(*arguments, **more)
        tell(f"end {owner.__name__}.{name}\\n")
        return result

    setattr(owner, name, wrapped)

sonovec.Encoder.pool_many = lambda self, paths, *more, **named: pool_many(self, tap(paths), *more, **named)
for name in ("begin_run", "mark", "record_many", "forget", "settle", "end_run"):
    told(Ledger, name)
for name in ("upsert", "update", "delete", "optimize"):
    told(LanceTable, name)
prune = {"no": False, "yes": True, "all": "all"}[prune]
space = "main"
library = sonovec.Library(folder, model="logmel")
library.add(sounds, metadata=metadata or None, prune=prune)
ids = [track.id for track in library.tracks()]
library.passages.put(Passage(id, 0.0, 1.0, "what was said", "speaker", 0.0) for id in ids[::2])
library.labels.put(Label(id, 0.0, 1.0, "Dog", "somebody", 0.0) for id in ids[1::2])
space = "second"
sonovec.Library(folder, model="logmel", hop=0.5).add(sounds, space=space)
"""


class Disk:
    """A folder of sounds that people and programs change."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.csv = root.parent / "mine.csv"
        self._random = random.Random(seed)
        self._made = 0
        for number in range(48):
            self._write(root / f"album{number % 4}" / f"{number}.wav")

    def _write(self, path: Path) -> None:
        self._made += 1
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(self._made).standard_normal(8000) / 8, 8000)

    def _pick(self) -> Path:
        return self._random.choice(sorted(self.root.rglob("*.wav")))

    def _new(self) -> Path:
        self._made += 1
        path = self.root / f"album{self._random.randrange(6)}" / f"{self._random.choice('aqz')}{self._made}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def change(self) -> None:
        """A handful of changes, and a CSV that speaks of some of the files."""
        for _ in range(self._random.randrange(3, 12)):
            kind = self._random.choice(
                ["other content", "new", "new", "copy", "move", "move", "over", "swap", "delete"]
            )
            if kind == "other content":
                self._write(self._pick())
            elif kind == "new":
                self._write(self._new())
            elif kind == "copy":
                shutil.copy(self._pick(), self._new())
            elif kind == "move":
                self._pick().rename(self._new())
            elif kind == "over":
                self._pick().replace(self._pick())
            elif kind == "swap":
                one, other, aside = self._pick(), self._pick(), self.root / "aside"
                one.rename(aside)
                if other.exists():
                    other.rename(one)
                aside.rename(other)
            else:
                self._pick().unlink()
        if self._random.random() < 0.15:  # an album goes, and another comes
            shutil.rmtree(self._pick().parent)
            for _ in range(12):
                self._write(self._new())
        lines = [f"{path},{self._random.choice(['calm', 'wild', 'NA'])},{self._made}" for path in self._some()]
        self.csv.write_text("\n".join(["path,mood,n", *lines]) + "\n")

    def _some(self) -> list[Path]:
        return [path for path in sorted(self.root.rglob("*.wav")) if self._random.random() < 0.3]


KILLS = int(os.environ.get("SONOVEC_TEST_KILLS", "8"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kills_among_changes_moves_deletions_and_prunes_leave_nothing_apart(tmp_path, record_testsuite_property):
    """With SONOVEC_TEST_KILLS=100 it kills as often; ``--junit-xml`` has where the kills came.

    Half of them come at any time, half before or after a write. A run also fills a second space, passages and labels.
    """
    folder, log = tmp_path / "library", tmp_path / "log"
    disk = Disk(tmp_path / "sounds", seed=7)
    moments, counts, rounds, seconds, writes = random.Random(8), Counter(), 0, 2.0, 40
    while counts.total() < KILLS:
        rounds += 1
        disk.change()
        committed = {space: contents(folder, space) for space in ("main", "second")}
        log.write_bytes(b"")
        by_time = moments.random() < 0.5
        moment = 0 if by_time else moments.randrange(1, writes)
        options = [moments.choice(["", disk.csv]), moments.choice(["no", "yes", "all"]), str(moment)]
        process = subprocess.Popen(
            [sys.executable, "-c", CHANGING, folder, disk.root, log, *options], stderr=subprocess.PIPE
        )
        wait_for_work(process, log)
        try:
            began = time.monotonic()
            process.wait(moments.uniform(0, seconds) if by_time else 60)
            seconds = time.monotonic() - began
        except subprocess.TimeoutExpired:
            process.kill()
        _, complaint = process.communicate()
        told = log.read_bytes().decode().splitlines()
        steps = [line for line in told if not line.startswith("embed ")]
        if process.returncode == 0:
            writes = len(steps)
        else:
            assert process.returncode == -signal.SIGKILL, complaint.decode()
            counts[steps[-1] if steps else "before any write"] += 1
        embedded = [line.split(" ", 2)[1:] for line in told if line.startswith("embed ")]
        again = [path for space, path in embedded if content_hash(path) in committed[space]]
        assert not again, "a committed sound was embedded again"
        if rounds % 5 == 0 or counts.total() == KILLS:
            with sonovec.Library(folder, model="logmel") as library:
                library.add(disk.root, prune="all")
                check_in_step(library, disk.root)
            with sonovec.Library(folder, model="logmel", hop=0.5) as library:
                library.add(disk.root, space="second")
                assert library.tracks_in_spaces() == dict.fromkeys(("main", "second"), len(library))
    record_testsuite_property("kills", f"{counts.total()} in {rounds} runs: {dict(counts.most_common())}")


def contents(folder, space):
    """The tracks that have vectors in a space."""
    if not folder.exists():
        return set()
    with sonovec.Library(folder) as library:
        if library.config is None or space not in library.spaces():
            return set()
        ids = {id for batch in library.vectors(space) for id in batch.column("id").to_pylist()}
        return ids & {track.id for track in library.tracks()}


#: A limit on the size of any file stands for a disk that is full: the same calls fail, with another number.
FULL = """
import resource, signal, sys
import sonovec
from sonovec.errors import SonovecError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
library = sonovec.Library(sys.argv[1])
library.add(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
try:
    library.add(sys.argv[3])
except SonovecError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE is a POSIX limit")
def test_a_full_disk_is_one_clear_line_and_nothing_is_lost(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in (("few", 3), ("many", 60)):
        (tmp_path / name).mkdir()
        for index in range(count):
            soundfile.write(tmp_path / name / f"{index}.wav", rng.standard_normal(8000) / 8, 8000)
    command = [sys.executable, "-c", FULL, tmp_path / "library", tmp_path / "few", tmp_path / "many", "2000"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2, run.stderr
    assert run.stdout.count("\n") == 1 and "library" in run.stdout and "space" in run.stdout
    with sonovec.Library(tmp_path / "library") as library:
        assert len(library) >= 3
        report = library.add([tmp_path / "few", tmp_path / "many"])
        assert report.counts.found == 63 and not report.failures and len(library) == 63


#: Three hours as a WAV file of a few bytes a second would be large; FLAC of a slow tone is small.
LONG = """
import json, sys
import psutil, sonovec

e = sonovec.load("logmel").embed(sys.argv[1])
info = psutil.Process().memory_info()
print(json.dumps({"peak": getattr(info, "peak_wset", 0), "windows": len(e.windows), "end": e.times[-1, 1]}))
if sys.platform == "linux":  # where ru_maxrss is inherited from the process that started this one
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    print(status["VmHWM"].split()[0])
else:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_three_hours_stay_under_a_gigabyte(tmp_path):
    rate, hours = 16000, 3
    tone = (np.sin(2 * np.pi * 220 * np.arange(rate * 10) / rate) * 8000).astype(np.int16)
    with soundfile.SoundFile(tmp_path / "long.flac", "w", rate, 1) as file:
        for _ in range(hours * 360):
            file.write(tone)
    run = subprocess.run(
        [sys.executable, "-c", LONG, tmp_path / "long.flac"], capture_output=True, text=True, check=True
    )
    first, peak = run.stdout.splitlines()
    result = json.loads(first)
    assert result["end"] == hours * 3600
    assert result["windows"] >= hours * 3600
    kibibytes = int(peak) if sys.platform != "darwin" else int(peak) // 1024
    assert kibibytes < 1_000_000
