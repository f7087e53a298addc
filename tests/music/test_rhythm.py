"""The columns of rhythm, and what is heard in one sound."""

from __future__ import annotations

import numpy as np
import pytest

from sonovec.audio.waveform import Waveform
from sonovec.errors import AudioError
from sonovec.music import columns
from sonovec.music.analyser import Music, hear
from sonovec.music.part import RATE
from sonovec.music.rhythm import Rhythm

from . import played


def seconds(text):
    return np.array([float(each) for each in text.split()])


def test_columns_of_a_song():
    truth = played.beats_at(120, 20)
    heard = hear(Waveform(played.drums(truth), RATE))
    assert heard[columns.TEMPO] == pytest.approx(120, rel=0.01) and 0 < heard[columns.TEMPO_CONFIDENCE] <= 1
    beats, downbeats = seconds(heard[columns.BEATS]), seconds(heard[columns.DOWNBEATS])
    assert np.mean([np.abs(beats - beat).min() < 0.07 for beat in truth]) > 0.95
    assert set(downbeats) <= set(beats) and np.median(np.diff(downbeats)) == pytest.approx(2.0, abs=0.05)
    assert heard[columns.TEMPO_CURVE] is None and heard[columns.ONSET_DENSITY] > 2
    for text in heard[columns.TEMPO_ALTERNATIVES]:
        bpm, chance = (float(each) for each in text.split(":"))
        assert bpm > 0 and 0 < chance < 1


def test_curve_of_a_song_that_moves():
    slow = played.beats_at(96, 32)
    song = played.drums(np.concatenate([slow, slow[-1] + 0.5 * np.arange(1, 60)]))
    heard = hear((song, RATE))
    told = [[float(each) for each in pair.split(":")] for pair in heard[columns.TEMPO_CURVE].split()]
    assert told[0][1] == pytest.approx(96, rel=0.03) and told[-1][1] == pytest.approx(120, rel=0.03)
    assert told[1][0] == pytest.approx(slow[-1], abs=5)


def test_silence_has_only_what_can_be_said():
    heard = hear((np.zeros(10 * RATE, np.float32), RATE))
    said = {name: value for name, value in heard.items() if name in {field.name for field in Rhythm.fields}}
    assert {name for name, value in said.items() if value is not None} == {
        columns.TEMPO_CONFIDENCE,
        columns.ONSET_DENSITY,
    }


def test_every_value_has_a_field():
    names = [field.name for field in Music.fields]
    assert len(names) == len(set(names)) and set(hear((np.zeros(RATE, np.float32), RATE))) <= set(names)


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "song.wav").write_bytes(b"no sound")
    with pytest.raises(AudioError, match=r"song\.wav"):
        hear(tmp_path / "song.wav")
