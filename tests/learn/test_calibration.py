from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonovec.learn import calibration


def drawn(n: int, slope: float, offset: float, seed: int = 0, classes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, classes))
    return scores, (rng.random((n, classes)) < 1 / (1 + np.exp(-(slope * scores + offset)))).astype(int)


def test_it_finds_the_slope_and_the_offset_that_made_the_answers() -> None:
    slope, offset = calibration.platt(*drawn(40_000, 3.0, -1.0))
    assert abs(slope[0] - 3) < 0.1 and abs(offset[0] + 1) < 0.05


def test_calibrated_probabilities_mean_what_they_say() -> None:
    scores, heard = drawn(5_000, 3.0, -1.0, classes=3)
    slope, offset = calibration.platt(scores[::2], heard[::2])
    said = 1 / (1 + np.exp(-(slope * scores[1::2] + offset)))
    assert calibration.error(said, heard[1::2]) < 0.02 < calibration.error(1 / (1 + np.exp(-scores[1::2])), heard[1::2])
    assert calibration.brier(said, heard[1::2]) < calibration.brier(1 / (1 + np.exp(-scores[1::2])), heard[1::2])


@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.sampled_from([-1, 0, 1])), min_size=1, max_size=30),
    st.floats(0.1, 20),
)
def test_any_scores_give_finite_rising_probabilities(rows: list[tuple[float, int]], factor: float) -> None:
    scores = np.array([[row[0], -row[0]] for row in rows])
    targets = np.array([[row[1], row[1]] for row in rows])
    slope, offset = calibration.platt(scores, targets, usual=(factor, 1.0))
    assert np.isfinite(slope).all() and np.isfinite(offset).all() and (slope > 0).all()


def test_without_scores_the_usual_is_taken() -> None:
    slope, offset = calibration.platt(np.full((3, 2), np.nan), [[1, 0], [0, 1], [0, 0]], usual=(12.0, -4.0))
    assert slope.tolist() == [12, 12] and offset.tolist() == [-4, -4]


def test_few_examples_hardly_change_the_order_of_classes() -> None:
    scores, heard = drawn(12, 3.0, 0.0, classes=3)
    few = calibration.platt(scores, heard)[0]
    assert np.ptp(few) / few.mean() < 0.3


def test_weights_count_as_copies_and_unknown_rows_as_none() -> None:
    scores, heard = drawn(50, 2.0, 0.0)
    twice = calibration.platt(np.repeat(scores, 2, axis=0), np.repeat(heard, 2, axis=0))
    assert np.allclose(calibration.platt(scores, heard, np.full(50, 2.0)), twice)
    more = calibration.platt(np.vstack([scores, scores]), np.vstack([heard, np.full((50, 1), -1)]))
    assert np.allclose(calibration.platt(scores, heard), more)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.99, 1.0]), st.booleans()), min_size=1))
def test_bins_hold_every_row_once_in_tenths_of_the_range(rows: list[tuple[float, bool]]) -> None:
    said, heard = [row[0] for row in rows], [int(row[1]) for row in rows]
    found = calibration.measured(said, heard)
    assert sum(each.count for each in found.bins) == len(rows)
    assert sum(each.count * each.share for each in found.bins) == pytest.approx(sum(heard))
    tenths = [min(int(each.probability * 10), 9) for each in found.bins]
    assert tenths == sorted(set(tenths)), "0.99 and 1 are in one"
    assert 0 <= found.error <= 1


def test_calibrated_probabilities_have_no_error_and_sure_ones_have() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random(20_000)
    heard = rng.random(20_000) < probabilities
    assert calibration.error(probabilities, heard) < 0.01
    sure = calibration.measured(np.where(probabilities > 0.5, 1.0, 0.0), heard)
    assert sure.error == pytest.approx(0.25, abs=0.01)
    assert [each.count for each in sure.bins] == [int((probabilities <= 0.5).sum()), int((probabilities > 0.5).sum())]


def test_many_rows_of_nothing_do_not_hide_a_wrong_probability() -> None:
    """1,000 rows at 0, and ten each at .5 and .9, of which half are heard: the last are told apart from those before."""
    said = [0.0] * 1000 + [0.5] * 10 + [0.9] * 10
    found = calibration.measured(said, [0] * 1000 + [0, 1] * 10)
    assert [(each.probability, each.share, each.count) for each in found.bins] == [
        (0, 0, 1000), (0.5, 0.5, 10), (pytest.approx(0.9), 0.5, 10),
    ]  # fmt: skip


def test_no_rows_have_no_error() -> None:
    assert np.isnan(calibration.error([], [])) and np.isnan(calibration.brier([np.nan], [1]))
    assert calibration.measured([0.5, np.nan], [-1, 1]).bins == ()
