from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.embedding.embedding import Embedding
from sonovec.embedding.encoder import load
from sonovec.embedding.events import Event, events
from sonovec.errors import UsageError
from tests.embedding.test_passport import PASSPORT

CLASSES = ("Dog", "Rain", "Speech")


def sound(times, scores, classes=CLASSES):
    n = len(times)
    empty = np.zeros((n, 2), np.float32)
    return Embedding(
        path=None,
        windows=empty,
        times=np.asarray(times, np.float64).reshape(n, 2),
        coverage=np.ones(n, np.float32),
        silent=np.zeros(n, np.bool_),
        levels=np.zeros(n, np.float32),
        rate=16000,
        channels=1,
        codec="",
        duration=0.0,
        notes=(),
        passport=PASSPORT,
        scores=np.asarray(scores, np.float32).reshape(n, len(classes)),
        classes=classes,
    )


@st.composite
def scored(draw):
    """Windows that follow, overlap or leave gaps, the last cut short by the sound's end, and scores of three classes."""
    n = draw(st.integers(1, 12))
    hop, length = draw(st.sampled_from([(1.0, 1.0), (0.5, 2.0), (2.0, 1.0), (0.1, 0.3), (0.48, 0.975)]))
    begin = draw(st.sampled_from([0.0, 0.7]))
    times = begin + np.array([[i * hop, i * hop + length] for i in range(n)])
    times[:, 1] = np.minimum(times[:, 1], times[-1, 0] + draw(st.floats(0.01, 1)) * length)
    scores = draw(
        st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]), min_size=3, max_size=3), min_size=n, max_size=n)
    )
    return times, np.array(scores, np.float32), draw(st.sampled_from([0.05, 0.2, 0.7]))


@given(scored())
def test_events_hold_the_windows_that_score_and_nothing_else(given_):
    times, scores, threshold = given_
    given = sound(times, scores)
    found = events(given.times, given.scores, given.classes, threshold)
    assert found == given.events(threshold)
    for row, column in np.argwhere(scores >= threshold):
        holding = [e for e in found if e.tag == CLASSES[column] and e.start <= times[row, 0] and times[row, 1] <= e.end]
        assert len(holding) == 1
        assert holding[0].score >= scores[row, column]
    for event in found:
        column = CLASSES.index(event.tag)
        inside = (times[:, 0] >= event.start) & (times[:, 1] <= event.end)
        assert scores[inside, column].max() == event.score >= threshold
        # Nothing but windows that score covers it from its start to its end.
        covering = sorted(map(tuple, times[inside & (scores[:, column] >= threshold)]))
        assert covering[0][0] == event.start
        assert max(end for _, end in covering) == event.end
        assert all(b[0] <= a[1] for a, b in itertools.pairwise(covering))
    for tag in CLASSES:
        ends = [(e.start, e.end) for e in found if e.tag == tag]
        assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))
    assert [e.start for e in found] == sorted(e.start for e in found)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_score(threshold):
    with pytest.raises(UsageError, match="is not a score; give a number from 0 to 1"):
        sound([[0, 1]], [[0, 0, 0]]).events(threshold)


def test_a_model_without_tags_hears_nothing():
    assert sound([[0.0, 1.0]], [[]], ()).events(0.0) == []


def test_a_gap_parts_and_a_shared_end_joins():
    heard = sound([[0, 1], [1, 2], [2.5, 3]], [[0.5, 0, 0.2], [0.3, 0, 0], [0.4, 0, 0.9]])
    assert heard.events(0.3) == [
        Event(0, 2, "Dog", pytest.approx(0.5)),
        Event(2.5, 3, "Speech", pytest.approx(0.9)),
        Event(2.5, 3, "Dog", pytest.approx(0.4)),
    ]


@pytest.mark.parametrize("hop", [None, 0.7, 2.0])
def test_events_of_a_real_encoder_end_where_the_sound_does(hop):
    """Of seconds 1 to 5.3: what every window reaches is one event without gaps, and with them one for each window."""
    hiss = np.random.default_rng(1).standard_normal(6 * 16000).astype(np.float32) / 8
    heard = load("default", hop=hop).embed((hiss, 16000), 1.0, 5.3)
    found = [(event.start, event.end) for event in heard.events(0.0) if event.tag == heard.classes[0]]
    gaps = heard.times[1:, 0] > heard.times[:-1, 1]
    assert gaps.all() if hop == 3.0 else not gaps.any()
    assert found == ([tuple(row) for row in heard.times.tolist()] if hop == 3.0 else [(1.0, pytest.approx(5.3))])
