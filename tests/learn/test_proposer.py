"""The choice of what to ask about: the same, to the bit, whether a session goes on or begins anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonovec.learn.pool import Pool
from sonovec.learn.proposer import AT_ONCE, Proposer
from sonovec.learn.standing import UNASKED, Standing
from sonovec.learn.strategies import TURNS, View, uncertain
from sonovec.vectors import unit32

N, DIM = 300, 12


def pool(seed=0, copies=0):
    """Segments in three heaps, whose places say which; some of them may be copies of the first."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((3, DIM))[np.arange(N) % 3] + 0.7 * rng.standard_normal((N, DIM))
    vectors[1 : 1 + copies] = vectors[0]
    times = np.stack([10.0 * np.arange(N), 10.0 * np.arange(N) + 10], axis=1)
    return Pool(("a",), ("/a.wav",), np.zeros(N, np.int32), times, unit32(vectors.astype(np.float32)))


def standing(rows, n_classes=1):
    verdicts = np.full((N, n_classes), UNASKED, np.int8)
    for row in rows:
        verdicts[row] = [row % 3 == column for column in range(n_classes)]
    return Standing(verdicts)


def walk(strategy, sounds, n, n_classes=1):
    proposer, rows = Proposer(sounds, n_classes, strategy), []
    for _ in range(n):
        (choice,) = proposer.choose(standing(rows, n_classes), 1)
        rows.append(choice.row)
    return rows


@pytest.mark.parametrize("strategy", TURNS)
@pytest.mark.parametrize("n_classes", [1, 3])
def test_one_that_begins_anew_goes_on_as_the_former(strategy, n_classes):
    sounds = pool(copies=20)
    rows = walk(strategy, sounds, 2 * AT_ONCE + 3, n_classes)
    assert len(set(rows)) == len(rows)
    for answered in (0, 1, AT_ONCE, len(rows) - 1):
        (choice,) = Proposer(sounds, n_classes, strategy).choose(standing(rows[:answered], n_classes), 1)
        assert choice.row == rows[answered]


@settings(max_examples=6)
@given(st.lists(st.integers(0, N - 1), unique=True, max_size=30), st.integers(0, 30), st.integers(1, 60))
def test_choices_are_never_answered_ones_and_never_twice(rows, more, n):
    proposer = Proposer(pool(), 1)
    proposer.choose(standing(rows), 1)
    taken = rows[: len(rows) // 2]  # as if answers were taken back
    found = [choice.row for choice in proposer.choose(standing(taken), n)]
    assert len(found) == n == len(set(found)) and not set(found) & set(taken)
    assert found == [choice.row for choice in Proposer(pool(), 1).choose(standing(taken), n)]


def test_copies_wait_when_several_are_proposed_at_once():
    found = [choice.row for choice in Proposer(pool(copies=50), 1, "likely").choose(standing([3, 4]), 100)]
    assert len(found) == 100 and sum(row <= 50 for row in found) == 1, "of 49 copies one"


def test_uncertain_is_where_two_answers_are_close():
    view = View(np.array([[3.0, 2.9], [5.0, 0.0], [-4.0, -4.0]]), np.zeros(3), none=True, wanted=0)
    assert uncertain(view).argmax() == 0 and uncertain(view)[2] == -4.0, "none of them is the answer to the last"
    assert uncertain(View(view.logits, np.zeros(3), none=False, wanted=0)).argmax() == 2
    one = View(np.array([[2.0], [-0.1], [-3.0]]), np.zeros(3), none=True, wanted=0)
    assert uncertain(one).tolist() == [-2.0, -0.1, -3.0]


def test_vectors_without_direction_are_never_proposed():
    sounds = pool()
    sounds.vectors[::2] = 0
    found = [choice.row for choice in Proposer(sounds, 1).choose(standing([]), N)]
    assert sorted(found) == list(range(1, N, 2))
