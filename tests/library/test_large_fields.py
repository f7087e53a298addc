"""Fields that one store cannot keep are the failure of their file alone, told by its path; a file's own texts are cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.library.records import MOST_OF_FILE


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for seed in range(4):
        soundfile.write(folder / f"{seed}.wav", np.random.default_rng(seed).standard_normal(8000) / 8, 8000)
    return folder


def table(tmp_path, *, large, letters):
    lines = [f"{n}.wav,{'word ' * (letters // 5 if n == large else 3)}" for n in range(4)]
    path = tmp_path / "my.csv"
    path.write_text("path,transcript\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("again", [False, True], ids=["new tracks", "tracks that are there"])
def test_a_column_that_is_too_large_fails_for_that_file_alone(location, sounds, tmp_path, again):
    with sonovec.Library(location, model="logmel") as library:
        if again:
            library.add(sounds)
        report = library.add(sounds, metadata=table(tmp_path, large=1, letters=70_000))
        there = {Path(track.path).name: track.fields["transcript"] for track in library.tracks()}
        rows = {entry.path.name: entry for entry in library.ledger.entries()}
        if not location.endswith("library"):
            ((path, reason),) = report.failures
            assert path == str(sounds / "1.wav") and reason.startswith(f"{path}: its fields take 7")
            assert "shorten the column 'transcript'" in reason and "\n" not in reason
            assert (rows["1.wav"].status, rows["1.wav"].reason) == ("failed", reason)
            assert report.counts.failed == 1 and report.counts.found == 4
            assert there == {f"{n}.wav": "word word word" for n in (0, 2, 3)} | ({"1.wav": None} if again else {})
            report = library.add(sounds, metadata=table(tmp_path, large=1, letters=60_000))
            there = {Path(track.path).name: track.fields["transcript"] for track in library.tracks()}
        assert not report.failures and len(there) == 4 and len(there["1.wav"]) >= 59_999
        assert library.ledger.lookup(sounds / "1.wav").status in ("indexed", "unchanged")


def test_the_texts_of_a_file_itself_are_cut_and_that_is_noted(location, sounds):
    with soundfile.SoundFile(sounds / "long.flac", "w", 8000, 1) as file:
        file.title, file.artist = "t" * 50_000, "a" * 30_000
        file.write(np.random.default_rng(9).standard_normal(8000) / 8)
    with sonovec.Library(location, model="logmel") as library:
        assert not library.add(sounds).failures
        (track,) = library.tracks("path contains 'long'")
        assert track.fields["title"] == "t" * MOST_OF_FILE and track.fields["artist"] == "a" * MOST_OF_FILE
        assert f"only the first {MOST_OF_FILE} of 50000 characters of its title are kept" in track.fields["notes"]
