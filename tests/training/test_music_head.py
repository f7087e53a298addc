"""The recipe of the music head: excerpts, pieces that are held out by groups, and the ridge."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sonovec.music.head import read, write
from training import excerpts, music_head
from training.excerpts import DRUMS, ENSEMBLES, SOUND_FONT, arranged, drummed, rendered
from training.music_head import TAGS, chosen, fit, folds, made
from training.music_lessons import TOGETHER, Lessons, heard
from training.music_report import report
from training.pieces import Piece, rng_of

mido = pytest.importorskip("mido")


def song(seconds=60):
    """A note on each channel each half second, as pop909 has them."""
    found = []
    for beat in range(2 * seconds):
        for channel in range(3):
            note = 50 + 7 * channel + beat % 5
            found.append((beat / 2, mido.Message("note_on", channel=channel, note=note, velocity=90)))
            found.append((beat / 2 + 0.4, mido.Message("note_off", channel=channel, note=note)))
    return found


@pytest.mark.parametrize("name", ENSEMBLES)
def test_an_ensemble_plays_as_long_as_asked_on_its_instruments(name):
    who = ENSEMBLES[name]
    played, rate = arranged(song(), np.arange(0, 60, 0.5), who, 10.0, np.random.default_rng(1))
    programs = [message.program for _, message in played if message.type == "program_change"]
    assert set(programs) <= {*who.tune, *who.second, *who.chords}
    assert min(at for at, _ in played) >= 0 and 9 < max(at for at, _ in played) <= 10
    assert who.speed[0] <= rate / 2 <= who.speed[1]
    assert {message.channel for _, message in played} <= {0, 1, 2}


def test_drums_are_played_over_and_over_at_the_tempo_that_is_asked_for():
    bar = [(beat / 2, mido.Message("note_on", channel=DRUMS, note=36, velocity=90)) for beat in range(8)]
    found = drummed([*bar, (4.1, mido.Message("note_off", channel=DRUMS, note=36))], 120, 3.0, 10.0, 16)
    strokes = [at for at, message in found if message.type == "note_on"]
    np.testing.assert_allclose(np.diff(strokes), 1 / 3)
    assert len(strokes) == 30 and found[0][1].program == 16


def test_what_a_piece_draws_depends_on_its_name_alone():
    assert rng_of("a").integers(1 << 40) == rng_of("a").integers(1 << 40) != rng_of("b").integers(1 << 40)


def test_no_fold_splits_a_group():
    groups = np.array([f"g{n % 23}" for n in range(200)])
    left_out = list(folds(groups))
    assert np.sum(left_out, axis=0).tolist() == [1] * 200
    for out in left_out:
        assert not set(groups[out]) & set(groups[~out])


def test_the_ridge_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    vectors, targets = rng.standard_normal((80, 12)), rng.standard_normal((80, 3))
    theirs = Ridge(alpha=0.7).fit(vectors, targets)
    np.testing.assert_allclose(fit(vectors, targets, 0.7)(vectors), theirs.predict(vectors), atol=1e-9)


def lessons(count=240):
    """Vectors that tell their tags, up to noise."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((count, 512)).astype(np.float32)
    logits = vectors @ rng.standard_normal((512, len(TAGS))) / 8 + rng.standard_normal((count, len(TAGS))) / 4
    scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
    tags = scores[:, :100].copy()
    tags[::10] = np.nan  # no music
    groups = np.array([f"g{n // 2}" for n in range(count)])
    held_out = np.arange(count) // 2 % 5 == 0
    return Lessons(groups, groups, held_out, vectors, tags, scores[:, 100:], scores[:, 100:])


@pytest.mark.slow
def test_a_head_is_made_written_and_reported(tmp_path, capsys):
    given = lessons()
    head = made(given)
    write(head, tmp_path / "head.npz")
    again = read(tmp_path / "head.npz")
    assert again.tags == TAGS and set(again.scales) == {"head", "head_moods", "musicnn", "musicnn_moods"}
    told = report(again, given)
    assert told.count("\n| mtt:") == told.count("\n| msd:") == 50 and "| arousal |" in told


def test_the_ridge_is_chosen_by_what_was_left_out():
    given = lessons()
    vectors, targets = given.vectors[:, :20], np.tile(given.vectors[:, :1].astype(float), (1, 2))
    strength, said = chosen(vectors, targets, given.groups)
    assert strength == min(music_head.RIDGES), "what can be told exactly needs no ridge"
    np.testing.assert_allclose(said, targets, atol=0.01)


def test_a_run_that_ended_goes_on_where_it_was(tmp_path):
    pieces = [Piece(f"train/{n}", f"g{n}", lambda: np.ones(3, np.float32)) for n in range(2 * TOGETHER + 3)]
    asked = []

    class Teachers:
        def teach(self, piece):
            if len(asked) == TOGETHER + 5:
                raise KeyboardInterrupt
            asked.append(piece.name)
            numbers = {"vectors": np.ones(512), "tags": np.ones(100), "audioset": np.ones(8), "builtin": np.ones(8)}
            return {"names": piece.name, "groups": piece.group, "held_out": piece.held_out, **numbers}

    with pytest.raises(KeyboardInterrupt):
        heard({"songs": pieces}, Teachers, tmp_path)
    asked[:] = []
    found = heard({"songs": pieces}, Teachers, tmp_path)
    assert asked == [piece.name for piece in pieces[TOGETHER:]]
    assert found.names.tolist() == [piece.name for piece in pieces]
    asked[:] = []
    assert len(heard({"songs": pieces}, lambda: pytest.fail("nothing is to be heard"), tmp_path).names) == len(pieces)


@pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not SOUND_FONT.is_file(), reason="needs fluidsynth and fluid-soundfont-gm"
)
def test_an_excerpt_sounds_and_ends_though_notes_are_held():
    held = [(0.0, mido.Message("note_on", channel=0, note=60, velocity=90))]
    sound = rendered(held, 1.0)
    assert abs(len(sound) / excerpts.RATE - 1.5) < 0.1 and np.abs(sound).max() == pytest.approx(0.5)
