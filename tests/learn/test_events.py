from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.learn.events import LEAVE, Detection, Grid, Rules, Tracker
from tests.learn.detectors import answering, vectors_of

ONE = Grid(1, 1.0)


def heard(values, *, grid=ONE, length=None, groups=None, silent=None, **rules) -> list[Detection]:
    """What is heard in windows of one class, or of several, whose probabilities are given."""
    values = np.clip(np.asarray(values, float).reshape(len(values), -1), 0.01, 0.99)
    names = tuple("abcdef"[: values.shape[1]])
    tracker = Tracker(answering(names), Rules(**rules), grid)
    starts = np.arange(len(values)) * grid.step
    times = np.stack([starts, starts + (grid.over * grid.step + 2 * grid.offset)], axis=1)
    if length is not None:
        times[:, 1] = np.minimum(times[:, 1], length)
    silent = np.zeros(len(values), bool) if silent is None else np.asarray(silent)
    found, first = [], 0
    for count in [*(groups or []), len(values)]:
        part = slice(first, first + count)
        found += tracker.push(times[part], vectors_of(values[part]), silent[part])
        first += count
    return found + tracker.finish()


def spans(found: list[Detection]) -> list[tuple[float, float]]:
    return [(each.start, each.end) for each in found]


def test_an_event_enters_at_the_threshold_and_leaves_below_half_of_it() -> None:
    assert spans(heard([0.1, 0.3, 0.6, 0.9, 0.26, 0.24, 0.4, 0.4])) == [(1, 5)], "0.4 never reaches the threshold"
    (event,) = heard([0.1, 0.3, 0.6, 0.9, 0.26, 0.24])
    assert event.probability == pytest.approx(0.9, abs=1e-4)
    assert event.mean == pytest.approx((0.3 + 0.6 + 0.9 + 0.26) / 4, abs=1e-4)
    assert event.name == "a" and event.detector.startswith("plain@")


def test_pauses_up_to_the_gap_join_events_but_not_what_is_none() -> None:
    values = [0.9, 0.1, 0.9, 0.1, 0.1, 0.9, 0.1, 0.3]
    assert spans(heard(values)) == [(0, 1), (2, 3), (5, 6)]
    assert spans(heard(values, gap=1)) == [(0, 3), (5, 6)], "0.3 in the end is no event that could be joined"
    assert spans(heard(values, gap=2)) == [(0, 6)]


def test_short_events_are_left_out_once_they_are_joined() -> None:
    values = [0.9, 0.1, 0.9, 0.1, 0.1, 0.9]
    assert spans(heard(values, min_duration=2)) == []
    assert spans(heard(values, min_duration=2, gap=1)) == [(0, 3)]


def test_overlapping_windows_give_back_the_length_of_a_short_event() -> None:
    """All windows of 2 s that hold any of the half second from 10 s on answer; three quarters agree about it alone."""
    starts = np.arange(0, 30, 0.25)
    values = np.where((starts < 10.5) & (starts + 2 > 10), 0.95, 0.05)
    (event,) = heard(values, grid=Grid.of(2.0, 0.25))
    assert (event.start, event.end) == pytest.approx((10, 10.5), abs=0.26)


def test_one_window_of_eight_may_miss_a_short_sound_and_one_of_four_may_not() -> None:
    """A click at 10.5 s, which the window that begins at 9.5 s does not hear."""
    for hop, count in ((0.25, 1), (0.5, 0)):
        starts = np.arange(0, 30, hop)
        values = np.where((starts <= 10.5) & (starts + 2 >= 10.5) & (starts != 9.5), 0.95, 0.05)
        found = heard(values, grid=Grid.of(2.0, hop))
        assert len(found) == count, hop


def test_the_beginning_and_the_end_of_a_sound_are_covered() -> None:
    grid = Grid.of(2.0, 0.5)
    (event,) = heard([0.9] * 6, grid=grid, length=4.2)
    assert (event.start, event.end) == (0, 4.2)
    (event,) = heard([0.9], grid=grid, length=0.2)
    assert (event.start, event.end) == (0, 0.2)
    (event,) = heard([0.9, 0.9, 0.9], grid=Grid.of(1.0, 0.75), length=2.4)
    assert (event.start, event.end) == (0, 2.4)


def test_an_event_ends_where_windows_were_left_out_and_the_gap_may_join_it() -> None:
    grid = Grid.of(2.0, 0.5)
    starts = np.array([0.0, 0.5, 1.0, 6.0, 6.5, 7.0])
    times = np.stack([starts, starts + 2], axis=1)
    vectors = vectors_of(np.full((6, 1), 0.9))
    for gap, expected in ((0.0, [(0.0, 3.0), (6.0, 9.0)]), (3.0, [(0.0, 9.0)])):
        whole, by_one = (Tracker(answering(), Rules(gap=gap), grid) for _ in range(2))
        found = [*whole.push(times, vectors), *whole.finish()]
        assert spans(found) == expected
        one = [each for i in range(6) for each in by_one.push(times[i : i + 1], vectors[i : i + 1])]
        assert [*one, *by_one.finish()] == found


def test_silence_holds_no_event() -> None:
    assert spans(heard([0.9, 0.9, 0.9], silent=[False, True, True])) == [(0, 1)]


def test_classes_and_thresholds_that_are_asked_for() -> None:
    values = np.array([[0.6, 0.9], [0.6, 0.2]])
    assert {(each.name, each.end) for each in heard(values)} == {("a", 2), ("b", 1)}
    assert [each.name for each in heard(values, classes=frozenset("b"))] == ["b"]
    assert [each.name for each in heard(values, threshold=0.8)] == ["b"]


def test_events_are_told_as_they_begin_and_once() -> None:
    tracker = Tracker(answering(), Rules(begins=True, gap=1.0, min_duration=2.0), Grid(1, 1.0))
    told = []
    for place, value in enumerate([0.9, 0.9, 0.1, 0.9, 0.1, 0.1]):
        for event in tracker.push(np.array([[place, place + 1.0]]), vectors_of(np.array([[value]]))):
            told.append((place, event.start, event.end))
    assert told == [(1, 0, None), (5, 0, 4)], "two seconds are there in the second cell; the pause is over in the last"


def test_an_event_is_told_as_soon_as_its_end_is_sure() -> None:
    tracker = Tracker(answering(), Rules(), Grid.of(2.0, 0.5))
    starts = np.arange(0, 10, 0.5)
    values = np.where((starts < 5) & (starts + 2 > 4), 0.9, 0.1)
    for start, value in zip(starts, values, strict=True):
        found = tracker.push(np.array([[start, start + 2]]), vectors_of(np.array([[value]])))
        if found:
            break
    (event,) = found
    assert start + 2 - event.end == 2.0, "a window after its end, which is when the last window over it is complete"


def test_explanations_name_examples_with_and_without_the_class() -> None:
    (event,) = heard([0.95], explain=2)
    assert [(each.path, each.start, each.end, each.heard) for each in event.examples] == [
        ("two.wav", 2.0, 3.5, False), ("one.wav", 0.0, 1.0, True),
    ]  # fmt: skip
    assert event.examples[0].cosine > event.examples[1].cosine
    assert heard([0.95])[0].examples == ()


@given(
    st.lists(
        st.lists(st.sampled_from([0.05, 0.2, 0.3, 0.45, 0.55, 0.9]), min_size=2, max_size=2), min_size=1, max_size=40
    ),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(1, 5),
    st.data(),
)
def test_it_is_the_same_however_windows_are_grouped_and_as_by_the_definition(values, gap, over, data) -> None:
    grid, values = Grid.of(over * 0.5, 0.5), np.array(values)
    whole = heard(values, grid=grid, gap=gap)
    groups = data.draw(st.lists(st.integers(1, 7), max_size=10))
    assert heard(values, grid=grid, gap=gap, groups=groups) == whole
    for place, name in enumerate("ab"):
        expected = _by_definition(values[:, place], over, gap)
        found = sorted(spans([each for each in whole if each.name == name]))
        assert np.allclose(found, expected) if len(found) == len(expected) else found == expected


def _by_definition(values, over, gap):
    count = len(values)
    cells = []
    for cell in range(count + over - 1):
        rows = sorted(values[max(0, cell - over + 1) : min(cell + 1, count)])
        cells.append(rows[(len(rows) - 1) // 4])
    runs, begun = [], None
    for cell, value in enumerate([*cells, 0.0]):
        if value >= 0.5 * LEAVE and begun is None:
            begun = cell
        elif value < 0.5 * LEAVE and begun is not None:
            if max(cells[begun:cell]) >= 0.5:
                if runs and begun / 2 - runs[-1][1] <= gap:
                    runs[-1] = (runs[-1][0], cell / 2)
                else:
                    runs.append((begun / 2, cell / 2))
            begun = None
    return runs


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", 0.0),
        ("threshold", 1.1),
        ("min_duration", -1.0),
        ("gap", math.nan),
        ("gap", math.inf),
        ("explain", -1),
    ],
)
def test_rules_that_are_none(name, value) -> None:
    with pytest.raises(UsageError, match=f"{name}="):
        Rules(**{name: value})
