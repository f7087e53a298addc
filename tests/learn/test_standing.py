"""What labels of people say of segments: whatever the order in which they are read."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonovec.learn.answers import SCORES
from sonovec.learn.pool import Pool
from sonovec.learn.standing import UNASKED, standing_of
from sonovec.learn.targets import HEARD, NOT_HEARD, UNKNOWN
from sonovec.library.records import Label

TRACKS = ("a", "b")
POOL = Pool(
    TRACKS,
    ("/a.wav", "/b.wav"),
    np.array([0, 0, 0, 1], np.int32),
    np.array([[0.0, 10.0], [10.0, 20.0], [20.0, 25.0], [0.0, 10.0]]),
    np.eye(4, dtype=np.float32),
)


def label(track, start, end, verdict, who="ann", time=1.0, name="crow"):
    return Label(track, start, end, name, f"person:{who}", time, SCORES[verdict])


def verdicts(*labels):
    return standing_of(POOL, ["crow"], labels).verdicts[:, 0].tolist()


def test_a_class_is_heard_where_its_label_covers_half_or_lies_within():
    assert verdicts(label("a", 0.0, 10.0, HEARD)) == [HEARD, UNASKED, UNASKED, UNASKED]
    assert verdicts(label("a", 4.0, 5.0, HEARD)) == [HEARD, UNASKED, UNASKED, UNASKED]
    assert verdicts(label("a", 4.0, 16.0, HEARD)) == [HEARD, HEARD, UNASKED, UNASKED]
    assert verdicts(label("a", 9.0, 19.0, HEARD)) == [UNASKED, HEARD, UNASKED, UNASKED]
    assert verdicts(label("c", 0.0, 10.0, HEARD)) == [UNASKED] * 4, "of a track that is gone"


def test_that_it_is_not_heard_is_said_of_whole_segments():
    assert verdicts(label("a", 0.0, 25.0, NOT_HEARD)) == [NOT_HEARD] * 3 + [UNASKED]
    assert verdicts(label("a", 1.0, 9.0, NOT_HEARD)) == [UNASKED] * 4
    assert verdicts(label("b", 0.0, 10.0, UNKNOWN)) == [UNASKED] * 3 + [UNKNOWN]


def test_the_latest_counts_and_a_doubt_takes_nothing_away():
    ann, bob = label("b", 0.0, 10.0, HEARD, "ann", 1.0), label("b", 0.0, 10.0, NOT_HEARD, "bob", 2.0)
    found = standing_of(POOL, ["crow"], [bob, ann])
    assert found.verdicts[3, 0] == NOT_HEARD and [each.latest for each in found.contradictions] == [bob]
    assert found.contradictions[0].path == "/b.wav" and found.contradictions[0].end == 10.0
    assert verdicts(ann, label("b", 0.0, 10.0, UNKNOWN, "bob", 2.0))[3] == HEARD


@given(
    st.lists(
        st.builds(
            label,
            st.sampled_from(TRACKS),
            st.sampled_from([0.0, 5.0, 10.0]),
            st.sampled_from([10.0, 20.0, 25.0]),
            st.sampled_from([HEARD, NOT_HEARD, UNKNOWN]),
            st.sampled_from(["ann", "bob"]),
            st.sampled_from([1.0, 2.0]),
            st.sampled_from(["crow", "dog", "other"]),
        ),
        max_size=12,
        unique_by=lambda each: (each.track, each.start, each.end, each.source, each.name),
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_labels_changes_nothing(labels, random):
    shuffled = random.sample(labels, len(labels))
    first, second = standing_of(POOL, ["crow", "dog"], labels), standing_of(POOL, ["crow", "dog"], shuffled)
    assert (first.verdicts == second.verdicts).all() and first.contradictions == second.contradictions
    assert first.asked.tolist() == (first.verdicts != UNASKED).all(axis=1).tolist()
