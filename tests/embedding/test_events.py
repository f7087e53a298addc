from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.embedding.events import events
from sonovec.errors import UsageError

TAGS = ("Dog", "Rain", "Speech")


@st.composite
def scored(draw):
    """Windows that follow, overlap or leave gaps, and scores of three classes."""
    n = draw(st.integers(1, 12))
    hop, length = draw(st.sampled_from([(1.0, 1.0), (0.5, 2.0), (2.0, 1.0)]))
    times = np.array([[i * hop, i * hop + length] for i in range(n)])
    scores = draw(
        st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]), min_size=3, max_size=3), min_size=n, max_size=n)
    )
    return times, np.array(scores, np.float32), draw(st.sampled_from([0.05, 0.2, 0.7]))


@given(scored())
def test_events_hold_the_windows_that_score_and_nothing_else(given_):
    times, scores, threshold = given_
    found = events(times, scores, TAGS, threshold)
    for row, column in np.argwhere(scores >= threshold):
        holding = [e for e in found if e.tag == TAGS[column] and e.start <= times[row, 0] and times[row, 1] <= e.end]
        assert len(holding) == 1
        assert holding[0].score >= scores[row, column]
    for event in found:
        column = TAGS.index(event.tag)
        inside = (times[:, 0] >= event.start) & (times[:, 1] <= event.end)
        assert scores[inside, column].max() == event.score >= threshold
        # Nothing but windows that score covers it from its start to its end.
        covering = sorted(map(tuple, times[inside & (scores[:, column] >= threshold)]))
        assert covering[0][0] == event.start
        assert max(end for _, end in covering) == event.end
        assert all(b[0] <= a[1] for a, b in itertools.pairwise(covering))
    for tag in TAGS:
        ends = [(e.start, e.end) for e in found if e.tag == tag]
        assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))
    assert [e.start for e in found] == sorted(e.start for e in found)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_score(threshold):
    with pytest.raises(UsageError, match="is no score; give one from 0 to 1"):
        events(np.zeros((0, 2)), np.zeros((0, 3), np.float32), TAGS, threshold)


def test_a_model_without_tags_hears_nothing():
    assert events(np.array([[0.0, 1.0]]), np.zeros((1, 0), np.float32), (), 0.0) == []
