"""Analysers of an index run: columns, passages, the ledger, later runs, and analysers of others."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.analysis import registry
from sonovec.analysis.analyser import Analyser, Field, Findings, Spoken
from sonovec.embedding import source
from sonovec.errors import UsageError
from sonovec.library.ledger_file import _STEPS

RATE = 16000
DOCS = Path(__file__).parents[2] / "docs" / "analysers.md"


class Peak(Analyser):
    name, version = "peak", "1"
    fields = (Field("peak", float, "scalar"), Field("channels_heard", int))

    def begin(self, rate, channels):
        self.peak, self.channels = 0.0, channels

    def push(self, block):
        self.peak = max(self.peak, float(abs(block).max()))

    def finish(self):
        return Findings(
            {"peak": self.peak, "channels_heard": self.channels}, [Spoken(0.0, 0.5, f"peak {self.peak:.1f}")]
        )


class Fails(Peak):
    name = "fails"
    fields = (Field("never", float),)

    def push(self, block):
        raise RuntimeError("of its own")


@pytest.fixture
def known(monkeypatch):
    kinds = {each.name: each for each in (Peak, Fails)}
    find = registry._find
    monkeypatch.setattr(registry, "_find", lambda name: kinds.get(name) or find(name))
    return kinds


@pytest.fixture
def sounds(tmp_path):
    (tmp_path / "sounds").mkdir()
    for index in range(3):
        tone = np.sin(np.arange(RATE * 4) * (0.1 + index / 100)) * (0.2 + 0.2 * index)
        soundfile.write(tmp_path / "sounds" / f"{index}.wav", tone, RATE)
    return tmp_path / "sounds"


@pytest.fixture
def library(tmp_path):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        yield library


@pytest.fixture
def decoded(monkeypatch):
    """Files that were decoded, by who asked for it."""
    seen = {"embedded": [], "heard": []}
    original = source.open_mono

    def opening(path, rate, *given, **more):
        seen["heard" if rate is None else "embedded"].append(Path(path).name)
        return original(path, rate, *given, **more)

    monkeypatch.setattr(source, "open_mono", opening)
    return seen


def column(library, name):
    return {Path(track.path).name: track.fields[name] for track in library.tracks()}


def test_a_file_is_decoded_once_for_the_encoder_and_all_analysers(sounds, library, decoded, known):
    report = library.add(sounds, analysers=["loudness", "peak"])
    assert sorted(decoded["embedded"]) == ["0.wav", "1.wav", "2.wav"] and not decoded["heard"]
    assert not report.failures and not report.notes
    assert column(library, "peak") == pytest.approx({"0.wav": 0.2, "1.wav": 0.4, "2.wav": 0.6}, abs=1e-3)
    assert set(column(library, "channels_heard").values()) == {1}
    loud = column(library, "loudness")
    assert -40 < loud["0.wav"] < loud["1.wav"] < loud["2.wav"] < 0
    assert [Path(track.path).name for track in library.tracks("peak > 0.5")] == ["2.wav"]
    for track in library.tracks():
        assert {name: (each.version, each.reason) for name, each in library.ledger.analyses(track.id).items()} == {
            "loudness": ("1", None),
            "peak": ("1", None),
        }
        assert [passage.text for passage in library.passages.get(track.id)] == [f"peak {track.fields['peak']:.1f}"]
        assert library.passages.get(track.id)[0].source == "peak 1"


def test_a_later_run_adds_what_is_missing_and_nothing_else(sounds, library, decoded, known):
    library.add(sounds)
    before = library.vectors().numpy()
    decoded["embedded"].clear()
    report = library.add(sounds, analysers=["peak"])
    assert (report.counts.unchanged, report.counts.indexed, report.heard) == (3, 0, 3)
    assert (decoded["embedded"], sorted(decoded["heard"])) == ([], ["0.wav", "1.wav", "2.wav"])
    assert column(library, "peak")["0.wav"] == pytest.approx(0.2, abs=1e-3)
    decoded["heard"].clear()
    soundfile.write(sounds / "3.wav", np.full(RATE, 0.5), RATE)
    library.add(sounds, analysers=["peak", "loudness"])
    assert (decoded["embedded"], sorted(decoded["heard"])) == (["3.wav"], ["0.wav", "1.wav", "2.wav"])
    decoded["heard"].clear()
    library.add(sounds, analysers=["peak", "loudness"])
    assert not decoded["heard"]
    after = library.vectors().numpy()
    assert len(before[0]) == 3 and len(after[0]) == 4


def test_a_new_version_hears_all_again(sounds, library, decoded, known):
    library.add(sounds, analysers=["peak"])

    class Newer(Peak):
        version = "2"

        def finish(self):
            return Findings({"peak": -1.0})

    known["peak"] = Newer
    library.add(sounds / "0.wav", analysers=["peak"])
    assert decoded["heard"] == ["0.wav"]
    library.add(sounds, analysers=["peak"])
    assert set(column(library, "peak").values()) == {-1.0}
    assert set(column(library, "channels_heard").values()) == {None}, "what a version does not give is empty"


def test_one_that_fails_leaves_its_columns_empty_and_the_ledger_says_why(sounds, library, decoded, known):
    report = library.add(sounds, analysers=["fails", "peak"])
    assert report.counts.indexed == 3 and not report.failures
    assert sorted(report.notes)[0] == (str(sounds / "0.wav"), "fails: RuntimeError: of its own")
    assert set(column(library, "never").values()) == {None} and None not in column(library, "peak").values()
    for track in library.tracks():
        assert library.ledger.analyses(track.id)["fails"].reason == "fails: RuntimeError: of its own"

    class Mended(Fails):
        def push(self, block):
            """The same version: its failure came from elsewhere, such as a package that was not installed."""

        def finish(self):
            return Findings({"never": 1.0})

    known["fails"] = Mended
    assert library.add(sounds, analysers=["fails", "peak"]).heard == 3
    assert sorted(decoded["heard"]) == ["0.wav", "1.wav", "2.wav"] and set(column(library, "never").values()) == {1.0}
    assert library.add(sounds, analysers=["fails", "peak"]).heard == 0, "none failed"


def test_a_changed_file_is_heard_anew(sounds, library, known):
    library.add(sounds, analysers=["peak"])
    soundfile.write(sounds / "0.wav", np.full(RATE * 2, 0.9), RATE)
    library.add(sounds)
    assert column(library, "peak")["0.wav"] is None
    library.add(sounds, analysers=["peak"])
    assert column(library, "peak")["0.wav"] == pytest.approx(0.9, abs=1e-3)


def test_analysers_are_of_tracks_and_not_of_spaces(sounds, library, known):
    library.add(sounds)
    with pytest.raises(UsageError, match="analysers are of tracks; give them without a space"):
        library.add(sounds, space="other", analysers=["peak"])
    with pytest.raises(
        UsageError, match="there is no analyser 'peek'; .*installed: bandwidth, fingerprint, loudness, mood, music"
    ):
        library.add(sounds, analysers=["peek"])


def test_a_column_of_the_users_own_is_not_taken(sounds, library, known, tmp_path):
    (tmp_path / "mine.csv").write_text("path,peak\n0.wav,high\n")
    library.add(sounds, metadata=tmp_path / "mine.csv")
    with pytest.raises(UsageError, match="column 'peak' of peak 1 exists already as a column of user"):
        library.add(sounds, analysers=["peak"])


def test_a_ledger_of_the_former_format_is_read_and_brought_to_this_one(sounds, library, known, tmp_path):
    library.add(sounds)
    library.close()
    path = next((tmp_path / "library").glob("ledger.sqlite"))
    assert len(_STEPS) == 6
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER files_arrive")
        db.execute("DROP TABLE arrivals")
        db.execute("DROP TABLE jobs")
        db.execute("DROP TABLE analyses")
        db.execute("PRAGMA user_version = 3")
    db.close()
    with sonovec.Library(tmp_path / "library") as again:
        assert again.ledger.analyses(again.tracks()[0].id) == {} and again.jobs() == []
        assert again.add(sounds, analysers=["peak"]).counts.unchanged == 3
        assert again.ledger.analyses(again.tracks()[0].id)["peak"].version == "1"
        assert [job.kind for job in again.jobs()] == ["index"]


@pytest.fixture
def third_party(tmp_path):
    """The package of the docs, as pip would install it."""
    code, entry = re.findall(r"```(?:python|toml)\n(.*?)```", DOCS.read_text(), re.DOTALL)[:2]
    assert len(code.splitlines()) <= 30
    site = tmp_path / "site"
    (site / "brightness-1.0.dist-info").mkdir(parents=True)
    (site / "brightness.py").write_text(code)
    group, point = re.search(r'entry-points\."(.+?)"\]\n(.+)', entry).groups()
    (site / "brightness-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: brightness\nVersion: 1.0\n"
    )
    (site / "brightness-1.0.dist-info" / "entry_points.txt").write_text(f"[{group}]\n{point.replace(chr(34), '')}\n")
    return site


@pytest.mark.slow
def test_an_analyser_of_a_third_party_and_one_from_a_package_that_is_gone(sounds, tmp_path, third_party, monkeypatch):
    command = [sys.executable, "-m", "sonovec", "index", sounds, "-l", tmp_path / "library", "-m", "logmel", "--json"]
    command += ["--analyser", "brightness", "--loudness"]
    path = os.pathsep.join([str(third_party), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["tracks"] == 3
    with sonovec.Library(tmp_path / "library") as library:
        found = column(library, "brightness")
        assert 0 < found["0.wav"] < found["1.wav"] < found["2.wav"] < RATE / 2
        assert None not in column(library, "loudness").values()
        assert len(library.tracks("brightness > 0")) == 3, "its columns are still there"
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    installed = ", ".join(registry.names())
    assert f"there is no analyser 'brightness'; installed: {installed}. If it came with another package" in run.stderr


def test_a_package_that_fails_is_named(third_party, monkeypatch):
    (third_party / "brightness.py").write_text("import nothing_of_this_name")
    monkeypatch.syspath_prepend(third_party)
    with pytest.raises(
        UsageError, match=r"analyser 'brightness' \(brightness:Brightness\) cannot be loaded: ModuleNotFound"
    ):
        registry.find(["brightness"])
    (third_party / "brightness.py").write_text("Brightness = 3")
    with pytest.raises(UsageError, match=r"is not a subclass of sonovec.analysis.analyser.Analyser"):
        registry.find(["brightness"])
