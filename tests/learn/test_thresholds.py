from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonovec.learn import thresholds

ROWS = st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), st.sampled_from([-1, 0, 1])), min_size=1)


def measured(said: np.ndarray, heard: np.ndarray, value: float) -> tuple[float, float]:
    known = heard >= 0
    taken, right = known & (said >= value), known & (said >= value) & (heard == 1)
    return right.sum() / max(taken.sum(), 1), right.sum() / (heard == 1).sum()


@given(ROWS, st.one_of(st.none(), st.floats(0.05, 1)))
def test_it_gives_what_it_says_and_none_gives_more(rows: list[tuple[float, int]], wanted: float | None) -> None:
    said, heard = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    chosen = thresholds.choose(said, heard, precision=wanted)
    if not (heard == 1).any():
        assert chosen.value == thresholds.UNKNOWN and np.isnan(chosen.recall) and "guess" in chosen.note
        assert chosen.to_json()["recall"] is None
        return
    assert np.allclose(measured(said, heard, chosen.value), (chosen.precision, chosen.recall))
    others = [measured(said, heard, value) for value in (0.05, 0.15, 0.3, 0.6, 0.8)]
    if wanted is None:
        assert all(2 * p * r / max(p + r, 1e-9) <= chosen.f1 + 1e-9 for p, r in others)
    elif chosen.note:
        assert all(p < wanted for p, r in others if r > 0) and "is not reached" in chosen.note
    else:
        assert chosen.precision >= wanted and all(r <= chosen.recall for p, r in others if p >= wanted)


def test_a_heavy_row_counts_as_many() -> None:
    said, heard = [0.9, 0.8, 0.3, 0.2], [1, 0, 1, 0]
    heavy = thresholds.choose(said, heard, weights=[1, 5, 1, 1])
    assert heavy == thresholds.choose([0.9] + [0.8] * 5 + [0.3, 0.2], [1] + [0] * 5 + [1, 0])


def test_no_row_is_judged_by_a_threshold_that_it_was_chosen_on() -> None:
    """Of guesses, the best threshold on the same rows promises a precision that new rows do not have."""
    rng = np.random.default_rng(0)
    said, heard = rng.random((200, 1)), rng.integers(0, 2, (200, 1))
    folds = np.repeat(np.arange(20), 10)
    same = thresholds.choose(said[:, 0], heard[:, 0], precision=0.8)
    taken = said >= thresholds.held_out(said, heard, folds, precision=0.8)
    assert same.precision >= 0.8 > heard[taken].mean()


@given(st.integers(0, 99))
def test_the_threshold_of_a_fold_is_that_of_the_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    said, heard, folds = rng.random((12, 2)), rng.integers(-1, 2, (12, 2)), rng.integers(0, 3, 12)
    found = thresholds.held_out(said, heard, folds)
    changed = np.where(folds[:, None] == 0, 1 - said, said)
    assert (found[folds == 0] == thresholds.held_out(changed, heard, folds)[folds == 0]).all()
    for row, fold in enumerate(folds):
        rest = folds != fold
        assert found[row].tolist() == [thresholds.choose(said[rest, k], heard[rest, k]).value for k in (0, 1)]
