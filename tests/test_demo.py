from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sonovec import demo
from sonovec.audio.tags.read import read_tags
from sonovec.errors import UsageError
from sonovec.library.metadata import read_metadata


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("demo") / "sounds"
    return folder, demo.write(folder)


def test_enough_of_everything(written):
    folder, paths = written
    assert len(demo.KINDS) >= 12
    assert len(paths) == len(set(paths)) == 6 * len(demo.KINDS) >= 72
    assert {path.parent.name for path in paths} == set(demo.KINDS)
    assert sorted(folder.rglob("*.flac")) == sorted(paths)
    assert all(re.fullmatch(r"[a-z]+-0[1-6]\.flac", path.name) for path in paths)


def test_clips_are_sound(written):
    for path in written[1]:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (demo.RATE, 1, "PCM_16"), path
        assert 3 <= info.duration <= 6, path
        samples, _ = soundfile.read(path)
        assert np.isfinite(samples).all(), path
        assert 0.1 < np.abs(samples).max() <= 1, path
        assert abs(samples.mean()) < 0.01, path
        assert samples.std() > 0.005, path
        assert max(abs(samples[0]), abs(samples[-1])) < 0.01, path


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files(tmp_path):
    def hashes(folder: str, seed: int) -> list[str]:
        paths = demo.write(tmp_path / folder, per_kind=1, seed=seed)
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]

    first = hashes("a", 3)
    assert hashes("b", 3) == first
    assert not set(hashes("c", 4)) & set(first)
    assert len(set(first)) == len(first)


def test_more_clips_leave_the_first_as_they_were(tmp_path, written):
    folder, _ = written
    for path in demo.write(tmp_path, per_kind=1):
        assert path.read_bytes() == (folder / path.relative_to(tmp_path)).read_bytes()


def log_mel_statistics(samples: np.ndarray) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::512] * np.hanning(1024)
    power = np.abs(np.fft.rfft(frames)) ** 2
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(1024, 1 / demo.RATE) / 700)
    centres = np.linspace(0, mel[-1], 42)
    bands = np.clip(1 - np.abs(mel[:, None] - centres[1:-1]) / centres[1], 0, None)
    levels = np.log(power @ bands + 1e-5)
    return np.concatenate([levels.mean(axis=0), levels.std(axis=0)])


@pytest.mark.slow
def test_the_nearest_sound_is_nearly_always_of_the_same_kind():
    kinds = np.repeat(list(demo.KINDS), 6)
    rows = np.array([log_mel_statistics(demo.clip(kind, n)[0]) for kind in demo.KINDS for n in range(1, 7)])
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    distances = np.square(rows[:, None] - rows[None]).sum(axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert np.mean(kinds[distances.argmin(axis=1)] == kinds) >= 0.9
    assert distances.min() > 0.1, "clips of a kind must differ"


def spectrum(name: str, number: int) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    samples, parameters = demo.clip(name, number)
    return np.fft.rfftfreq(len(samples), 1 / demo.RATE), np.abs(np.fft.rfft(samples)) ** 2, parameters


@pytest.mark.parametrize("number", [1, 2, 3])
def test_bells_ring_at_their_partials(number):
    hertz, power, parameters = spectrum("bells", number)
    near = np.min(np.abs(hertz[:, None] / parameters["pitch"] - np.array([0.5, 1, 1.183, 1.506, 2, 2.514])), axis=1)
    assert power[near < 0.02].sum() > 0.6 * power.sum()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_drums_keep_their_tempo(number):
    samples, parameters = demo.clip("drums", number)
    assert parameters["bpm"] == int(parameters["bpm"])
    frame = demo.RATE // 100
    loudness = np.square(samples[: len(samples) // frame * frame].reshape(-1, frame)).mean(axis=1)
    onsets = np.maximum(np.diff(np.log(loudness + 1e-6)), 0)
    step = 60 / parameters["bpm"] / 4 * 100
    phase = np.arange(1, len(onsets) + 1) / step % 1
    on_grid = np.minimum(phase, 1 - phase) * step < 1.5
    assert onsets[on_grid].sum() > 0.8 * onsets.sum()


@pytest.mark.parametrize(("kind", "low", "high"), [("birds", 1500, 9000), ("engine", 20, 1500), ("siren", 400, 9000)])
def test_energy_lies_where_the_thing_sounds(kind, low, high):
    for number in range(1, 7):
        hertz, power, _ = spectrum(kind, number)
        assert power[(hertz > low) & (hertz < high)].sum() > 0.95 * power.sum()


@pytest.mark.parametrize("pitch", [110.0, 220.0, 300.0])
def test_a_string_is_in_tune_and_dies_away(pitch):
    string = demo._string(np.random.default_rng(0), pitch, 2.0)
    hertz = np.fft.rfftfreq(1 << 18, 1 / demo.RATE)
    power = np.abs(np.fft.rfft(string, 1 << 18)) ** 2
    around = (hertz > 0.9 * pitch) & (hertz < 1.1 * pitch)
    assert abs(hertz[around][power[around].argmax()] / pitch - 1) < 0.01
    assert np.std(string[-4000:]) < 0.5 * np.std(string[:4000])


def test_a_gain_of_one_changes_nothing():
    noise = np.random.default_rng(0).standard_normal(5000)
    assert np.allclose(demo._shape(noise, lambda s, f: np.ones_like(f)), noise)


def test_tags_and_table_tell_what_was_made(written):
    folder, paths = written
    for path in paths[::5]:
        tags = read_tags(path)
        kind = path.parent.name
        assert tags["title"] == f"{kind.capitalize()} {int(path.stem[-2:])}"
        assert tags["genre"] == demo.KINDS[kind].genre
        assert "notes" not in tags
    metadata = read_metadata(folder / "demo.csv")
    assert metadata.columns == {"kind": str, "bpm": int, "pitch": float}
    fields = {path: metadata.lookup(path, [folder]) for path in paths}
    assert metadata.unused() == []
    for path, values in fields.items():
        assert values is not None
        assert values["kind"] == path.parent.name
        assert (values["bpm"] is not None) == (path.parent.name == "drums")
    tempos = {values["bpm"] for values in fields.values() if values and values["bpm"]}
    assert len(tempos) >= 4
    with (folder / "demo.csv").open() as file:
        assert next(csv.reader(file)) == ["path", "kind", "bpm", "pitch"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per_kind": 0}, r"per_kind=0 must be at least 1; for example write\(folder, per_kind=6\)"),
        ({"seed": -1}, r"seed=-1 must not be negative; for example write\(folder, seed=0\)"),
    ],
)
def test_refusals(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        demo.write(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write the demo to .*file: "):
        demo.write(tmp_path / "file")


def test_clips_that_cannot_be_written(tmp_path):
    (tmp_path / "drums" / "drums-01.flac").mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot write the demo to "):
        demo.write(tmp_path, per_kind=1)
