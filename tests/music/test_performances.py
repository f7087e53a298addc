"""Tempo, bars and keys of performances with known truth that nothing was fitted to, rendered by our own synthesis."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mido")

from bench import songs
from sonovec.music.beats import beats
from sonovec.music.downbeats import downbeats
from sonovec.music.keys import mirex_score, parse
from sonovec.music.tempo import tempo
from sonovec.music.tonality import Tonality

from . import performed, played

pytestmark = pytest.mark.slow
#: Least seconds of a performance, and how many are heard.
LEAST, COUNT = 8.0, 40
#: Ratios to the true tempo that accuracy-2 takes for right; the first is accuracy-1. Share, and seconds, that may be missed.
RATIOS, SHARE, NEAR = (1, 2, 1 / 2, 3, 1 / 3), 0.04, 0.07


def hear(score):
    """The tempo that is heard, and the F-measure of the downbeats."""
    curve = played.hear(performed.render(score))
    heard = tempo(curve)
    bars, _ = downbeats(curve, beats(curve, heard.path))
    hits = sum(bool(len(bars)) and np.abs(bars - second).min() <= NEAR for second in score.downbeats)
    return heard.bpm, 2 * hits / (len(bars) + len(score.downbeats))


def accuracies(found, scores):
    apart = np.array(
        [[(bpm or 0) / (ratio * each.bpm) for ratio in RATIOS] for bpm, each in zip(found, scores, strict=True)]
    )
    right = np.abs(apart - 1) <= SHARE
    return right[:, 0].mean(), right.any(axis=1).mean()


def test_drummers(shared_data):
    rows = [row for row in songs.groove_rows(shared_data, ["test", "validation"]) if float(row["duration"]) >= LEAST]
    scores = [songs.groove_score(shared_data, row) for row in rows if row["time_signature"] == "4-4"]
    scores = [songs.cut(score, 0, 40) if score.events[-1].second > 44 else score for score in scores[::3]][:COUNT]
    found, agree = zip(*map(hear, scores), strict=True)
    exact, octaves = accuracies(found, scores)
    assert exact >= 0.75 and octaves >= 0.9
    assert np.mean(agree) > 0.5  # a bar that begins on the backbeat gives a third


def test_pop_songs(shared_data):
    scores = [songs.cut(songs.pop_score(shared_data, number), 30, 60) for number in range(361, 451, 3)]
    found, agree = zip(*map(hear, scores), strict=True)
    exact, octaves = accuracies(found, scores)
    assert exact >= 0.6 and octaves >= 0.9
    assert np.mean(agree) > 0.55


def test_keys(shared_data):
    scores = [songs.pop_score(shared_data, number) for number in range(361, 451, 5)]
    scores = [songs.cut(score, 0, 120) for score in scores if score.key]
    points = []
    for score in scores:
        tonality = Tonality()
        tonality.push(performed.render(score))
        points.append(mirex_score(parse(tonality.finish()["key"]), parse(score.key)))
    assert len(points) >= 12 and np.mean(points) >= 0.86
