"""Every file is heard once: silence, what is too short and what does not decode are left out with a word."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.jobs import Job
from sonovec.learn.journal import journal
from sonovec.speech.pretraining import survey as module
from sonovec.speech.pretraining.survey import FRAME, PAUSE, _runs, survey

LEAST = 1360


def noise(seconds, rng=None, rate=16000):
    return 0.1 * (rng or np.random.default_rng(0)).standard_normal(round(seconds * rate)).astype(np.float32)


def of(folder, place, least=LEAST):
    with journal(place) as kept:
        return survey([folder], least, kept, Job())


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "sounds"
    made.mkdir()
    return made


def test_silence_is_cut_out_and_short_pauses_are_not(folder, tmp_path):
    silence = np.zeros
    parts = [noise(1), silence(3 * 16000), noise(0.5), silence(8000), noise(1)]
    soundfile.write(folder / "a.wav", np.concatenate(parts), 16000)
    (chapter,) = of(folder, tmp_path / "kept").chapters
    assert chapter.pieces == ((0, 16000), (4 * 16000, 2 * 16000))
    (first, length), _ = chapter.pieces
    assert np.abs(chapter.read()[first : first + length] - parts[0]).max() < 1e-3  # 16 bits


def test_what_is_left_out_is_told_with_its_reason(folder, tmp_path):
    soundfile.write(folder / "good.wav", noise(2), 16000)
    soundfile.write(folder / "silent.wav", np.zeros(16000), 16000)
    soundfile.write(folder / "short.wav", noise(0.05), 16000)
    (folder / "broken.wav").write_bytes(b"RIFF....WAVE")
    found = of(folder, tmp_path / "kept")
    assert found.files == 1 and found.loud == 32000
    notes = "; ".join(found.notes(LEAST))
    for told in ("cannot be decoded", "broken.wav", "above -70 dBFS left out: silent.wav", "0.09 s", "short.wav"):
        assert told in notes


@pytest.mark.parametrize("content", ["silent", "short", "none"])
def test_nothing_to_learn_from_is_an_error_that_says_why(folder, tmp_path, content):
    if content != "none":
        soundfile.write(folder / "a.wav", np.zeros(32000) if content == "silent" else noise(0.05), 16000)
    told = {"silent": "above -70 dBFS", "short": "0.09 s", "none": "no audio files"}[content]
    with pytest.raises(UsageError, match=rf"nothing to learn from .*{told}"):
        of(folder, tmp_path / "kept")


def test_samples_that_are_no_numbers_do_not_reach_the_network(folder, tmp_path):
    sound = noise(2)
    sound[100:200] = np.nan
    soundfile.write(folder / "a.wav", sound, 16000, subtype="FLOAT")
    (chapter,) = of(folder, tmp_path / "kept").chapters
    assert np.isfinite(chapter.read()).all()


def test_a_long_file_is_read_by_the_chapter(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHAPTER", 10 * FRAME)
    sound = noise(3.27, rate=44100)
    soundfile.write(folder / "a.flac", sound, 44100)
    found = of(folder, tmp_path / "kept")
    assert [chapter.end - chapter.start for chapter in found.chapters] == [16000, 16000, 16000, 4320]
    assert found.loud == found.samples == 52320
    whole = np.concatenate([chapter.read() for chapter in found.chapters])
    assert len(whole) == 52320 and np.abs(whole).max() > 0


def test_a_file_that_was_heard_is_not_decoded_again(folder, tmp_path, monkeypatch):
    for name in "abc":
        soundfile.write(folder / f"{name}.wav", noise(1), 16000)
    heard, real = [], module._heard
    monkeypatch.setattr(module, "_heard", lambda path: heard.append(path) or real(path))
    with pytest.raises(ZeroDivisionError), journal(tmp_path / "kept") as kept:
        first = survey([folder], LEAST, kept, Job())
        raise ZeroDivisionError
    soundfile.write(folder / "b.wav", noise(2), 16000)
    again = of(folder, tmp_path / "kept")
    assert [path[-5:] for path in heard] == ["a.wav", "b.wav", "c.wav", "b.wav"]
    assert again.digest != first.digest and again.loud == first.loud + 16000


@given(st.lists(st.booleans(), min_size=1).filter(any))
def test_runs_hold_all_that_is_loud_and_no_long_pause(loud):
    frames = np.array(loud)
    runs = _runs(frames)
    inside = np.zeros(len(frames), bool)
    for first, end in runs:
        assert frames[first] and frames[end - 1]
        inside[first:end] = True
    assert not (frames & ~inside).any()
    assert all(after - end >= PAUSE for (_, end), (after, _) in pairwise(runs))
