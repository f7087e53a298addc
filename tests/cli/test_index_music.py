"""``sonovec index --music``: what it fills, what later runs add, and that a run that was killed analyses nothing twice."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import sonovec
from sonovec.analysis import registry
from sonovec.audio.tags.read import read_tags
from sonovec.cli.index import MUSIC
from sonovec.cli.main import cli
from sonovec.library.location import ledger_path, parse_location
from sonovec.music.columns import MOODS, VALENCE

pytestmark = pytest.mark.skipif(
    not set(MUSIC) <= set(registry.names()), reason="an analyser of --music is not registered: pip install -e . again"
)

#: `sonovec` with commits after few tracks, so that a kill comes between some.
SONOVEC = """
import sys
from sonovec.library import pending
from sonovec.cli.main import run

pending.COMMIT_TRACKS, pending.COMMIT_SECONDS = 4, 0.05
sys.exit(run(sys.argv[1:]))
"""


def write_tunes(folder, count, seconds=3.0, rate=16000):
    folder.mkdir()
    times = np.arange(round(seconds * rate)) / rate
    for number in range(count):
        hertz = 110 * 2 ** ((number % 24) / 12)
        tune = sum(np.sin(2 * np.pi * hertz * k * times) / k**1.5 for k in range(1, 6)) * np.exp(-4 * (times % 0.5))
        soundfile.write(folder / f"{number:03}.flac", 0.1 * tune + 1e-4 * number, rate)


def index(folder, *options):
    result = CliRunner().invoke(
        cli, ["index", str(folder / "sounds"), "-l", str(folder / "library"), *options, "--json"]
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def heard(folder):
    """What the ledger says of each content and analyser: version, reason, and when."""
    ledger = ledger_path(parse_location(folder / "library"))
    if not ledger.exists():
        return {}
    with closing(sqlite3.connect(ledger)) as opened:
        if not opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'analyses'").fetchone():
            return {}
        rows = opened.execute("SELECT content_hash, analyser, version, reason, updated FROM analyses").fetchall()
    return {(content, analyser): (version, reason, at) for content, analyser, version, reason, at in rows}


def test_a_later_run_adds_what_is_missing(tmp_path):
    write_tunes(tmp_path / "sounds", 3)
    index(tmp_path, "--loudness")
    before = heard(tmp_path)
    assert {analyser for _, analyser in before} == {"loudness"}
    assert index(tmp_path, "--music")["heard"] == 3
    after = heard(tmp_path)
    assert len(after) == 3 * len(MUSIC) and before.items() <= after.items()
    assert index(tmp_path, "--music")["heard"] == 0 and heard(tmp_path) == after
    with sonovec.Library(tmp_path / "library") as library:
        assert {"loudness", VALENCE, MOODS} <= library.columns().keys()
    shown = json.loads(
        CliRunner()
        .invoke(cli, ["show", str(tmp_path / "sounds" / "000.flac"), "-l", str(tmp_path / "library"), "--json"])
        .stdout
    )
    assert {each["analyser"] for each in shown["analyses"]} == set(MUSIC)


def test_write_tags(tmp_path):
    write_tunes(tmp_path / "sounds", 2)
    assert not {"tags_written", "tags_left"} & index(tmp_path, "--music").keys()
    with sonovec.Library(tmp_path / "library") as library:
        first, second = sorted(library.tracks(), key=lambda track: track.path)
        heard = {"tempo": 87.46, "tempo_confidence": 0.995, "key": "F# minor", "key_confidence": 0.5}
        library._store.update({first.id: heard, second.id: {"tempo_confidence": 0.5, "key_confidence": 0.5}})
    written = index(tmp_path, "--music", "--write-tags")
    path = str(tmp_path / "sounds" / "000.flac")
    assert written["tags_written"] == [{"path": path, "tempo": 87.46, "key": None}]
    assert (written["tags_left"], written["tags_unsure"], written["tags_there"]) == ([], 1, 0)
    assert read_tags(path)["file_tempo"] == 87.5
    again = index(tmp_path, "--music", "--write-tags")
    assert (again["unchanged"], again["heard"]) == (2, 0)
    assert (again["tags_written"], again["tags_unsure"], again["tags_there"]) == ([], 1, 1)
    text = CliRunner().invoke(
        cli, ["index", str(tmp_path / "sounds"), "-l", str(tmp_path / "library"), "--music", "--write-tags"]
    )
    assert "tags: written into 0 files; 1 file had them; 1 file was left alone" in text.output


def test_files_are_not_written_to_without_it(tmp_path):
    write_tunes(tmp_path / "sounds", 1)
    [path] = (tmp_path / "sounds").iterdir()
    before = path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ctime_ns
    index(tmp_path, "--music")
    with sonovec.Library(tmp_path / "library") as library:
        [track] = library.tracks()
        library._store.update({track.id: {"tempo": 87.0, "tempo_confidence": 1.0}})
    index(tmp_path, "--music")
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ctime_ns) == before
    lonely = CliRunner().invoke(cli, ["index", str(path), "-l", str(tmp_path / "library"), "--write-tags"])
    assert lonely.exit_code and "add --music" in str(lonely.exception)


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_and_analyses_nothing_twice(tmp_path):
    write_tunes(tmp_path / "sounds", 120)
    command = [sys.executable, "-c", SONOVEC, "index", tmp_path / "sounds", "-l", tmp_path / "library", "--music"]
    kills, before = 0, {}
    for least in (12, 120, 240):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while process.poll() is None and len(heard(tmp_path)) < least:
            time.sleep(0.02)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        after = heard(tmp_path)
        assert before.items() <= after.items(), "what was heard before the kill was heard again"
        before = after
    assert kills >= 2, "the runs were too short to be killed"
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = heard(tmp_path)
    assert before.items() <= after.items() and len(after) == 120 * len(MUSIC)
    assert {reason for _, reason, _ in after.values()} == {None}
    with sonovec.Library(tmp_path / "library") as library:
        assert len(library) == 120
        assert {track.id for track in library.tracks()} == {content for content, _ in after}
